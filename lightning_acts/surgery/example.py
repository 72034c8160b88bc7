"""Running a model on an example, and leaving it as it was."""

from __future__ import annotations

import contextlib
import functools
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
import torch.fx
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._pytree import tree_map

# Names by which torch.compile, FSDP and activation checkpointing hold what they wrap.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


def plain_path(path: str) -> str:
    """A module's name without the prefixes of wrappers."""
    return ".".join(part for part in path.split(".") if part not in _WRAPPERS)


def wrappers_of(model: nn.Module) -> list[nn.Module]:
    """Return a model with what it wraps, from the outside to the inside: compiled, averaged, parallel, set up by Fabric."""
    chain = [model]
    while True:
        children, names = chain[-1]._modules, list(_WRAPPERS)
        if isinstance(chain[-1], (AveragedModel, nn.DataParallel, nn.parallel.DistributedDataParallel)):
            names.append("module")
        if type(chain[-1]).__name__ == "_FabricModule":
            names.append("_forward_module")
        inner = next((children[name] for name in names if children.get(name) is not None), None)
        if inner is None:
            return chain
        chain.append(inner)


def run_example(model: nn.Module, example_input: Any) -> Any:
    """One forward: a tuple is spread over the positional arguments, a mapping over the keyword arguments."""
    # Copies: a model may work in place on its input.
    example_input = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, example_input)
    if isinstance(example_input, Mapping):
        returned = model(**example_input)
    elif isinstance(example_input, (tuple, list)):
        returned = model(*example_input)
    else:
        returned = model(example_input)
    # The body of a generator runs when it is asked for what it yields.
    return list(returned) if isinstance(returned, Generator) else returned


_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")

#: The thread that changes a model now. One step of a dictionary takes or gives it, so that an interruption can't leave
#: it taken, as it can a lock.
_TURN: dict[str, int] = {}


def one_at_a_time(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Let a function that changes a model, if only for a while, wait until such functions in other threads are done."""

    @functools.wraps(function)
    def alone(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        me = threading.get_ident()
        if _TURN.get("thread") == me:
            return function(*args, **kwargs)
        try:
            try:
                while _TURN.setdefault("thread", me) != me:
                    time.sleep(0.001)
                return function(*args, **kwargs)
            finally:
                if _TURN.get("thread") == me:
                    _TURN.clear()
        finally:  # where the first one was interrupted
            if _TURN.get("thread") == me:
                _TURN.clear()

    return alone


def without_gradients_if_possible(run: Callable[[], _Result]) -> _Result:
    """What a run gives, without gradients; with them, where a model differentiates in its forward."""
    try:
        with torch.no_grad():
            return run()
    except Exception as error:
        if "grad" not in str(error):
            raise
    with torch.enable_grad():
        return run()


@contextlib.contextmanager
def as_it_was(model: nn.Module) -> Iterator[None]:
    """Leave buffers, frozen parameters, random generators and modes as they were, whatever runs in the block."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and not isinstance(buffer, nn.parameter.UninitializedBuffer)
    ]
    # Forwards in train mode update codebooks and momentum encoders, whose parameters are frozen. An accelerator may have no
    # room for a second frozen model, so that the copy is kept beside it.
    frozen = [
        (parameter, parameter.detach().to("cpu", copy=True))
        for parameter in model.parameters()
        if type(parameter) is nn.Parameter and not parameter.requires_grad and not parameter.is_meta
    ]
    graphs = [(module, module.graph) for module in model.modules() if isinstance(module, torch.fx.GraphModule)]
    devices = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    python, numpy = random.getstate(), np.random.get_state()  # some models drop layers by these
    with torch.random.fork_rng(devices=[index for index in devices if index is not None]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            for module, training in modes:
                module.training = training
            for traced, graph in graphs:
                if traced.graph is not graph:  # torchvision's feature extractors have one for each mode
                    traced.graph = graph
            with torch.no_grad():
                for owner, name, buffer, value in buffers:
                    buffer.copy_(value)
                    owner._buffers[name] = buffer  # a forward may have put another one there
                for parameter, value in frozen:
                    if not torch.equal(parameter, value.to(parameter.device)):
                        parameter.copy_(value)
