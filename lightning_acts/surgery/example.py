"""Running a model on an example, and leaving it as it was."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
import torch.fx
from torch import nn
from torch.utils._pytree import tree_map

from lightning_acts.errors import SwapError


class ExampleError(SwapError):
    """A model does not run on the example input."""


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


def without_gradients_if_possible(run: Callable[[], _Result]) -> _Result:
    """What a run gives, without gradients; with them, where a model differentiates in its forward."""
    with contextlib.suppress(Exception), torch.no_grad():
        return run()
    with torch.enable_grad():  # what fails for another reason says so again
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
