"""Making replacements for sites, putting them there, and taking them away again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.fx
from torch import nn

from lightning_acts import factory
from lightning_acts.errors import SwapError
from lightning_acts.factory import ActivationLike
from lightning_acts.kernels.backends import Backend, with_backend
from lightning_acts.surgery import history
from lightning_acts.surgery.fast_paths import FastPath, in_use
from lightning_acts.surgery.finding.located import Located
from lightning_acts.surgery.history import (
    Change,
    Exchange,
    GraphExchange,
    Hooks,
    Placed,
    Register,
    Setting,
    Transaction,
)
from lightning_acts.surgery.naming import describe
from lightning_acts.surgery.roles.structure import chain_to
from lightning_acts.surgery.source.functions import SourceError


@dataclass(eq=False)
class Prepared:
    """The replacement of a site, with the modules that it goes into and what is to be changed in each; not done yet."""

    located: Located
    changes: list[tuple[nn.Module, Exchange]]

    @property
    def exchange(self) -> Exchange:
        """The first of them."""
        return self.changes[0][1]

    @property
    def replacement(self) -> nn.Module:
        """The module that all of them put there."""
        return self.exchange.replacement

    @replacement.setter
    def replacement(self, replacement: nn.Module) -> None:
        for _, exchange in self.changes:
            exchange.replacement = replacement


def prepare(
    model: nn.Module,
    located: Located,
    replacement: ActivationLike,
    copied: bool = True,
    backend: Backend | None = None,
) -> Prepared:
    """Make the replacement of one site, with all that it takes over; the model is not changed.

    A ready module is copied, so that two sites don't share what one of them learns; with ``copied=False`` it is taken
    as it is, with what it shares, and its parameters are not frozen with those around it.
    """
    as_it_is = isinstance(replacement, nn.Module) and not copied
    new = copy.deepcopy(replacement) if isinstance(replacement, nn.Module) and copied else factory.create(replacement)
    if backend is not None and (definition := factory.definition_for(new)) is not None:
        with_backend(new, definition, backend)
    _refuse_shape_change(new)
    holders = [parent for parent, _ in reversed(chain_to(model, located.path_in_tree))] if located.path_in_tree else []
    around = [*located.around, *holders]
    where = history.placement(*around)
    if where is not None:
        new.to(*where)
    new.train(around[0].training)
    enclosing = next((module for module in around if next(module.parameters(), None) is not None), None)
    if (
        enclosing is not None
        and not as_it_is
        and not any(parameter.requires_grad for parameter in enclosing.parameters())
    ):
        for parameter in new.parameters():
            parameter.requires_grad = False  # requires_grad_ refuses those that have no size yet
    return Prepared(located, located.changes(new, describe(replacement), as_it_is))


def _refuse_shape_change(replacement: nn.Module) -> None:
    if factory.definition_for(replacement) is not None:
        return
    probe = torch.zeros(2, 4, 4, 4)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            output = copy.deepcopy(replacement).eval()(probe)
    except Exception:  # it may take other shapes than this one; the model's own run will tell
        return
    if not isinstance(output, torch.Tensor) or output.shape != probe.shape:
        became = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise SwapError(
            f"{replacement!r} changes the shape of its input ({tuple(probe.shape)} becomes {became}): "
            "it can't stand in for another activation"
        )


@contextlib.contextmanager
def installed(
    model: nn.Module, prepared: Sequence[Prepared], transaction: Transaction, register: Register | None = None
) -> Iterator[list[FastPath]]:
    """Put the replacements in their places, and hooks on what holds them, if ``register`` is given.

    Should the block fail, everything is as it was.
    """
    done: list[Placed] = []
    try:
        fast_paths = in_use(model, (owner for one in prepared for owner, _ in one.changes))
        for index, one in enumerate(prepared):
            for _, exchange in one.changes:
                exchange.index = index
        changes: list[tuple[nn.Module, Change]] = [
            *((module, Setting(name, type(value)(False), value)) for module, name, value in fast_paths),
            *(change for one in prepared for change in one.changes),
        ]
        if register is not None:
            changes += [(owner, Hooks(register)) for owner in dict.fromkeys(owner for owner, _ in changes)]
        for owner, change in changes:
            done.append(Placed(owner, change))
            history.install(owner, change, transaction)
        history.recompile(owner for owner, change in changes if isinstance(change, GraphExchange))
        yield fast_paths
    except BaseException as error:
        # The failure may have come before a change had begun.
        history.take_back(model, [entry for entry in done if "transaction" in vars(entry.change)])
        if isinstance(error, SourceError):
            raise SwapError(f"a call can't be replaced: {error}") from error
        raise
