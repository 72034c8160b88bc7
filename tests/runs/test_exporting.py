"""Exports of runs, read again without this package or in a fresh process."""

import contextlib
import csv
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from lightning_acts.runs import exporting
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.training import predict, train

# Best at its last epoch, within the blend of the second swap.
SCHEDULED = """
swap:
  - {map: {relu: mish}, at: {epoch: 1}}
  - {map: {mish: "prelu(init=0.2)"}, at: {epoch: 2}, blend: {epochs: 4}}
trainer: {max_epochs: 4, accelerator: cpu, devices: 1}
"""
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    monkeypatch.delitem(sys.modules, "stranger", raising=False)


@pytest.fixture
def run(project: Path) -> RunFolder:
    """A run whose swaps change during training."""
    (project / "scheduled.yaml").write_text("base: mine.yaml\n" + SCHEDULED)
    return train(check_config(load(["scheduled.yaml"])), project / "runs", lambda folder: None).folder


def checked(run: RunFolder):
    return check_config(run.load_config())


def predicted(run: RunFolder, out: Path) -> torch.Tensor:
    predict(checked(run), run, out)
    with out.open() as file:
        return torch.tensor([[float(value) for value in row[1:]] for row in list(csv.reader(file))[1:]])


def inputs() -> torch.Tensor:
    import stranger

    data = stranger.DigitsData()
    data.setup()
    return torch.cat([x for x, _ in data.predict_dataloader()])


@pytest.mark.slow
def test_what_is_exported_gives_what_was_tested(run: RunFolder, project: Path, cli) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    expected = predicted(run, project / "predictions.csv")
    for suffix in ("onnx", "pt2", "safetensors"):
        said = cli("export", str(run.path), "--out", f"m.{suffix}").stdout
        assert "checked on 50 samples of the test data" in said
        assert "alone" not in said  # any size of batch
    x = inputs()
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(torch.tensor(logits).softmax(1), expected, atol=1e-5)
    torch.save(x, "x.pt")
    # A process that knows neither this package nor the model's class.
    script = "import sys, torch; m = torch.export.load('m.pt2').module(); torch.save(m(torch.load('x.pt')), 'y.pt'); assert 'lightning_acts' not in sys.modules and 'stranger' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=project, timeout=300)
    torch.testing.assert_close(torch.load("y.pt").softmax(1), expected, atol=1e-6, rtol=1e-5)
    script = """
import stranger, torch, lightning_acts as acts
from safetensors.torch import load_file
model = stranger.LitDigits()
acts.load_swaps(model, 'm.swap.json')
model.load_state_dict(load_file('m.safetensors'))
torch.save(model.eval()(torch.load('x.pt')).detach(), 'z.pt')
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=project, timeout=300)
    torch.testing.assert_close(torch.load("z.pt").softmax(1), expected, atol=1e-6, rtol=1e-5)
    assert {path.name for path in project.glob("m.*")} == {"m.onnx", "m.pt2", "m.safetensors", "m.swap.json"}


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    return (outputs.argmax(1) == labels).double().mean().item()


def perplexity(outputs: torch.Tensor, tokens: torch.Tensor) -> float:
    return nn.functional.cross_entropy(outputs.flatten(0, 1), tokens.flatten()).exp().item()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "overrides", "metric", "measure"),
    [
        ("cnn_digits_scheduled", ["swap.0.at.epoch=1", "swap.0.blend.epochs=1"], "test/acc", accuracy),
        ("gpt_scheduled", ["model.width=16", "+trainer.limit_train_batches=30"], "test/perplexity", perplexity),
    ],
)
def test_what_a_shipped_scheduled_swap_ends_with_is_tested_predicted_and_exported(
    name: str, overrides: list[str], metric: str, measure: Any, project: Path, cli
) -> None:
    """It is the replacement alone, in a fresh process and in one without this package too."""
    config = check_config(load([name], [*overrides, "trainer.max_epochs=3", "trainer.accelerator=cpu"]))
    result = train(config, project / "runs", lambda folder: None)
    old, new = next(iter(config.swap[0]["map"].items()))
    data = config.data.make()
    data.setup()
    x, targets = (torch.cat(parts) for parts in zip(*data.test_dataloader(), strict=True))
    cli("predict", str(result.folder.path), "--out", "p.pt")
    expected = torch.load("p.pt")
    assert measure(expected, targets) == pytest.approx(result.metrics[metric], rel=1e-5)
    cli("export", str(result.folder.path), "--out", "m.pt2")
    torch.save(x, "x.pt")
    script = """
import sys, torch
program = torch.export.load("m.pt2")
torch.save(program.module()(torch.load("x.pt")), "y.pt")
assert "lightning_acts" not in sys.modules
print({str(node.target) for node in program.graph.nodes})
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=300)
    outputs = torch.load("y.pt")
    assert measure(outputs, targets) == pytest.approx(result.metrics[metric], rel=1e-5)
    assert f"aten.{new}." in done.stdout
    assert f"aten.{old}." not in done.stdout


def test_mistakes(run: RunFolder, project: Path) -> None:
    for out, message in (
        ("m.tar", "its suffix says what to write: .onnx, .pt2, .safetensors"),
        ("no/m.onnx", "there is no folder no"),
        ("mine.yaml.onnx", "--out mine.yaml.onnx: the file exists, and is not overwritten"),
        ("m.safetensors", "m.swap.json exists, and is not overwritten"),
    ):
        for there in ("mine.yaml.onnx", "m.swap.json"):
            (project / there).write_text("")
        with pytest.raises(RunError, match=message):
            exporting.export(checked(run), run, Path(out))


def test_a_file_that_gives_something_else_is_not_written(
    run: RunFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_wrong(*arguments):
        right = exporting._write_program(*arguments)
        return lambda given: [output + 0.01 for output in right(given)]

    monkeypatch.setattr(exporting, "_WRITERS", {".pt2": write_wrong})
    with pytest.raises(RunError, match=r"m.pt2 gives other outputs than the model, by up to 0.01, and is not written"):
        exporting.export(checked(run), run, Path("m.pt2"))
    assert not [path.name for path in project.iterdir() if "m.pt2" in path.name or "export" in path.name]


def test_without_data_the_example_of_the_model_is_run(
    run: RunFolder, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import stranger

    def missing(self: object, stage: str | None = None) -> None:
        raise FileNotFoundError("no digits here")

    monkeypatch.setattr(stranger.DigitsData, "setup", missing)
    with pytest.raises(RunError, match="LitDigits has no example_input_array, and its test data can't be had: FileNot"):
        exporting.export(checked(run), run, Path("m.pt2"))
    monkeypatch.setattr(stranger.LitDigits, "example_input_array", torch.rand(3, 64))
    done = exporting.export(checked(run), run, Path("m.pt2"))
    assert str(done).startswith("m.pt2: checked on its example_input_array, largest difference to the model ")
    assert done.any_batch_size


class Sums(NamedTuple):
    scores: torch.Tensor
    total: torch.Tensor


class Odd(L.LightningModule):
    """Takes two arguments and gives a named tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(5, 2)

    def forward(self, one: torch.Tensor, other: torch.Tensor) -> Sums:
        return Sums(self.first(one) + self.second(other), one.sum(1))


@pytest.mark.parametrize("takes_data", [True, False])
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_arguments_are_those_of_the_forward(suffix: str, takes_data: bool, tmp_path: Path) -> None:
    width = 5 if takes_data else 4  # which the forward does not take
    samples = [((torch.rand(3), torch.rand(width)), 0) for _ in range(4)]
    data = SimpleNamespace(
        prepare_data=lambda: None, setup=lambda stage: None, test_dataloader=lambda: DataLoader(samples, 4)
    )
    config: Any = SimpleNamespace(data=SimpleNamespace(make=lambda: data))
    model = Odd().eval()
    with (
        pytest.raises(RunError, match="Odd has no example_input_array") if not takes_data else contextlib.nullcontext()
    ):
        exporting._inputs(config, model)
    model.example_input_array = (torch.rand(2, 3), torch.rand(2, 5))
    inputs, said = exporting._inputs(config, model)
    assert said == ("4 samples of the test data" if takes_data else "its example_input_array")
    run = exporting._WRITERS[suffix](config, model, inputs, tmp_path / f"m{suffix}")
    other = (torch.rand(7, 3), torch.rand(7, 5))
    torch.testing.assert_close(tuple(run(other)), tuple(model(*other)))
