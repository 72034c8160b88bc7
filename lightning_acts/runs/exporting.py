"""Export of a trained model to ONNX, ``torch.export`` or safetensors, each checked by running what was written."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lightning as L
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from lightning_acts import models
from lightning_acts.extras import require
from lightning_acts.runs.checking import Checked
from lightning_acts.runs.console import silenced
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.training import new_model, refuse_taken, trained_model
from lightning_acts.surgery.saving import SUFFIX, load_swaps

#: Runs what was written on other inputs.
_Run: TypeAlias = Callable[[Any], Sequence[Tensor]]

# Larger differences, as shares of the largest output, are not those of another order of additions.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """A file that gives what the model gives."""

    path: Path
    #: Largest difference of an output of the file and one of the model.
    difference: float
    #: How many samples both were run on, and where they are from.
    samples: str
    any_batch_size: bool

    def __str__(self) -> str:
        sizes = "" if self.any_batch_size else "; it takes this batch size alone"
        return f"{self.path}: checked on {self.samples}, largest difference to the model {self.difference:.2g}{sizes}"


def export(checked: Checked, folder: RunFolder, out: Path) -> Exported:
    """Write the model of the best checkpoint, run what was written, and compare the outputs.

    The model is in eval mode, and the size of a batch is left open where the exporter can. Inputs are a batch of the
    test data; ``example_input_array`` of the model where there is none.

    Args:
        checked: The config of the run.
        folder: The run.
        out: The file; ``.onnx``, ``.pt2`` (``torch.export``) or ``.safetensors`` (the weights, and the swaps beside them).

    Raises:
        RunError: The suffix is another one, the file exists, the model can't be run, or the file gives other outputs;
            such a file is removed.
        ImportError: A package that is needed is not installed.
        CheckpointError: The checkpoint is missing, damaged, or of another model.
    """
    if out.suffix not in _WRITERS:
        raise RunError(f"--out {out}: its suffix says what to write: {', '.join(_WRITERS)}")
    refuse_taken(out, *([out.with_suffix(SUFFIX)] if out.suffix == ".safetensors" else []))
    model = trained_model(checked, folder).eval()
    inputs, samples = _inputs(checked, model)
    outputs = _outputs(model, inputs)
    fewer = apply_to_collection(inputs, Tensor, lambda tensor: tensor[:1])
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as made:
        run = _WRITERS[out.suffix](checked, model, inputs, Path(made, out.name))
        difference = _difference(run(inputs), outputs, out)
        try:
            _difference(run(fewer), _outputs(model, fewer), out)
        except Exception:  # what a runtime raises for inputs of another shape can't be foreseen
            any_batch_size = False
        else:
            any_batch_size = True
        for path in Path(made).iterdir():
            path.rename(out.parent / path.name)
    return Exported(out, difference, samples, any_batch_size)


def _write_onnx(checked: Checked, model: L.LightningModule, inputs: tuple[Any, ...], path: Path) -> _Run:
    onnxruntime = require("onnxruntime", extra="export")
    require("onnxscript", extra="export")
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Forward(model), inputs, str(path), dynamo=True, verbose=False, external_data=False,
            dynamic_shapes=_open_batch(inputs),
        )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]

    def run(given: Any) -> Sequence[Tensor]:
        arrays = [leaf.numpy() for leaf in tree_leaves(given)]
        return [torch.from_numpy(array) for array in session.run(None, dict(zip(names, arrays, strict=True)))]

    return run


def _write_program(checked: Checked, model: L.LightningModule, inputs: tuple[Any, ...], path: Path) -> _Run:
    with silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_Forward(model), inputs, dynamic_shapes=_open_batch(inputs))
        with path.open("wb") as file:
            torch.export.save(program, file)
        with path.open("rb") as file:
            loaded = torch.export.load(file).module()
    return lambda given: tree_leaves(loaded(*given))


def _write_weights(checked: Checked, model: L.LightningModule, inputs: tuple[Any, ...], path: Path) -> _Run:
    models.save(model, path)
    again = new_model(checked).eval()
    load_swaps(again, path.with_suffix(SUFFIX))
    again.load_state_dict(models.read_state_dict(path))
    return lambda given: _outputs(again, given)


_WRITERS: Mapping[str, Callable[[Checked, L.LightningModule, Any, Path], _Run]] = {
    ".onnx": _write_onnx,
    ".pt2": _write_program,
    ".safetensors": _write_weights,
}


class _Forward(nn.Module):
    """The forward of a model, without what a LightningModule has for training; its outputs are tensors in a row."""

    def __init__(self, model: L.LightningModule) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)

    def forward(self, *inputs: Any) -> Any:
        # A named tuple would need its class where the file is read.
        outputs = tree_leaves(self.model(*inputs))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _inputs(checked: Checked, model: L.LightningModule) -> tuple[tuple[Any, ...], str]:
    """Return arguments for the forward, and what they are.

    Raises:
        RunError: There are none that it takes.
    """
    found: list[tuple[tuple[Any, ...], str]] = []
    refused = ""
    try:
        data = checked.data.make()
        data.prepare_data()
        data.setup("test")
        batch = next(iter(data.test_dataloader()))
    except Exception as error:  # the data may be on another machine
        refused = f"its test data can't be had: {type(error).__name__}: {error}"
    else:
        own = getattr(model, "inputs", None)
        inputs: Any = own(batch) if callable(own) else batch[0] if isinstance(batch, (tuple, list)) else batch
        count = len(tree_leaves(inputs)[0])
        said = f"{count} sample{'' if count == 1 else 's'} of the test data"
        found.append(((inputs,), said))
        if isinstance(inputs, (tuple, list)):  # a pair may be two arguments
            found.insert(0, (tuple(inputs), said))
    example: Any = model.example_input_array
    if example is not None:
        found.append((example if isinstance(example, tuple) else (example,), "its example_input_array"))
    for arguments, said in found:
        try:
            _outputs(model, arguments)
        except Exception as error:  # what a forward raises for inputs of another kind can't be foreseen
            refused = refused or f"its forward does not take its test data: {type(error).__name__}: {error}"
        else:
            return arguments, said
    lacking = "" if example is not None else "has no example_input_array, and "
    raise RunError(f"{type(model).__name__} {lacking}{refused}")


def _outputs(model: L.LightningModule, inputs: tuple[Any, ...]) -> list[Tensor]:
    with torch.no_grad():
        return tree_leaves(model(*inputs))


def _difference(found: Sequence[Tensor], expected: Sequence[Tensor], out: Path) -> float:
    """Return the largest difference.

    Raises:
        RunError: It is too large.
    """
    if [output.shape for output in found] != [output.shape for output in expected]:
        raise RunError(f"{out} gives outputs of other shapes than the model, and is not written")
    largest = 0.0
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, other.abs().max().item())
        gap = (one.double() - other.double()).abs().max().item()
        if not gap <= _TOLERANCE * scale:
            raise RunError(f"{out} gives other outputs than the model, by up to {gap:.3g}, and is not written")
        largest = max(largest, gap)
    return largest


def _open_batch(inputs: tuple[Any, ...]) -> Any:
    """Return the dimensions whose size is left open: the first of each tensor."""
    sizes = apply_to_collection(inputs, Tensor, lambda _: {0: torch.export.Dim.AUTO})
    return (sizes,)  # those of *inputs
