"""A batch for a model, and what running it shows.

::

    example = Example(model, batch)
    example.watch(make)         make().look(forward, training)     in eval and in train mode; with gradients only
                                                                   where the model differentiates in its forward
    example.count(modules)                                         in train mode only if some did not run in eval
    example.returned, .notes                                       what the last run in eval mode gave, what failed

Each of them leaves the model as it was.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from threading import get_ident
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.fx
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from lightning_acts.errors import SwapError


class ExampleError(SwapError):
    """A model does not run on the example input."""


class Watcher(Protocol):
    """Observer of the passes of an example."""

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        """Call ``forward``, which runs the model in one mode, and return what it returns."""


_Watcher = TypeVar("_Watcher", bound=Watcher)


class Example:
    """A model with a batch for it.

    Args:
        model: The model; it runs as it stands at the time, and is left as it was.
        batch: A tensor, a tuple of positional or a mapping of keyword arguments.

    Attributes:
        returned: The tensors that the model returned in eval mode the last time.
        notes: What the reader of a report should know: that the model does not run in train mode.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> example = Example(model, torch.zeros(5, 2))
        >>> example.count([model[1]])[model[1]], example.returned[0].shape, model.training
        (1, torch.Size([5, 3]), True)
    """

    def __init__(self, model: nn.Module, batch: Any) -> None:
        self.model, self._batch = model, batch
        self.returned: list[Tensor] = []
        self.notes: list[str] = []
        self._needs_gradients = False

    def watch(self, make: Callable[[], _Watcher], modes: Sequence[bool] = (False, True)) -> _Watcher:
        """Run the model in eval mode and then in train mode before a watcher.

        Random numbers are those of seed 0 in each pass. A compiled model runs as it was written.

        Args:
            make: Returns a new watcher; called again if the model turns out to need gradients.
            modes: Whether to train, for each pass.

        Returns:
            The watcher that saw it all.

        Raises:
            ExampleError: The model does not run on the batch in eval mode.
        """
        if not self._needs_gradients:
            with contextlib.suppress(Exception), torch.no_grad():
                return self._shown(make(), modes)
        with torch.enable_grad():  # what fails for another reason says so again
            watcher = self._shown(make(), modes)
        self._needs_gradients = True
        return watcher

    def count(self, modules: Collection[nn.Module]) -> Counter[nn.Module]:
        """Return how often modules run in eval mode, or, those that don't, in train mode.

        Raises:
            ExampleError: The model does not run on the batch in eval mode.
        """
        runs = self.watch(lambda: _Counting(modules), (False,)).runs
        idle = set(modules) - set(runs)
        return runs + self.watch(lambda: _Counting(idle), (True,)).runs if idle else runs

    def _shown(self, watcher: _Watcher, modes: Sequence[bool]) -> _Watcher:
        with as_it_was(self.model), torch.compiler.set_stance("force_eager"):
            for training in modes:
                self.model.train(training)
                torch.manual_seed(0)
                try:
                    returned = watcher.look(self._forward, training)
                except Exception as error:
                    problem = f"{type(error).__name__}: {error}"
                    if not training:
                        raise ExampleError(f"the model does not run on example_input: {problem}") from error
                    self.notes.append(
                        f"in train mode the model does not run on example_input ({problem}): seen in eval mode only"
                    )
                if not training:
                    self.returned = [leaf.detach() for leaf in tree_leaves(returned) if isinstance(leaf, Tensor)]
        return watcher

    def _forward(self) -> Any:
        # Copies: a model may work in place on its input.
        batch = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, self._batch)
        if isinstance(batch, Mapping):
            returned = self.model(**batch)
        elif isinstance(batch, (tuple, list)):
            returned = self.model(*batch)
        else:
            returned = self.model(batch)
        # The body of a generator runs when it is asked for what it yields.
        return list(returned) if isinstance(returned, Generator) else returned


class _Counting:
    """Watcher that counts the calls of modules."""

    def __init__(self, modules: Collection[nn.Module]) -> None:
        self.runs: Counter[nn.Module] = Counter()
        self._modules = modules

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        with after_each_call(self._modules, lambda module, args, result: self.runs.update([module])):
            return forward()


@contextlib.contextmanager
def after_each_call(modules: Iterable[nn.Module], do: Callable[[nn.Module, Any, Any], None]) -> Iterator[None]:
    """Have something done with the module, its arguments and its result after each call that this thread makes."""
    thread = get_ident()

    def hook(module: nn.Module, args: Any, result: Any) -> None:
        if get_ident() == thread:  # else somebody else runs the model meanwhile
            do(module, args, result)

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
