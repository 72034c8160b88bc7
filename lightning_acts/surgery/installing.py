"""Making replacements for sites, putting them there, and taking them away again."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

import torch
import torch.fx
from torch import nn

from lightning_acts import registry
from lightning_acts.registry import ActivationLike
from lightning_acts.surgery import history
from lightning_acts.surgery.fast_paths import FastPath, switch_off, switch_on
from lightning_acts.surgery.finding import CallSite, Located, ModuleSite
from lightning_acts.surgery.history import AttributeExchange, CallExchange, Exchange, GraphExchange, ModuleExchange
from lightning_acts.surgery.matching import describe
from lightning_acts.surgery.rewriting import submodule_name
from lightning_acts.surgery.roles import chain_to
from lightning_acts.surgery.site import SwapError
from lightning_acts.surgery.source import SourceError


def prepare(model: nn.Module, located: Located, replacement: ActivationLike, copied: bool = True) -> Exchange:
    """Make the replacement of one site, with all that it takes over; the model is not changed.

    A ready module is copied, so that two sites don't share what one of them learns; with ``copied=False`` it is taken
    as it is, with what it shares, and its parameters are not frozen with those around it.
    """
    as_it_is = isinstance(replacement, nn.Module) and not copied
    new = copy.deepcopy(replacement) if isinstance(replacement, nn.Module) and copied else registry.create(replacement)
    _refuse_shape_change(new)
    holders = [parent for parent, _ in reversed(chain_to(model, located.path_in_tree))] if located.path_in_tree else []
    around = [located.module if isinstance(located, ModuleSite) else located.owner, *holders]
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
    path, requested = located.site.path, describe(replacement)
    if isinstance(located, ModuleSite):
        return ModuleExchange(path, requested, new, located.module, located.slots)
    if isinstance(located, CallSite):
        name = submodule_name(located.owner, located.name)
        if isinstance(located.owner, torch.fx.GraphModule):
            return GraphExchange(path, requested, new, located.owner, located.route, name)
        return CallExchange(path, requested, new, located.owner, located.route, name)
    return AttributeExchange(
        path, requested, new, located.owner, located.attribute, vars(located.owner)[located.attribute]
    )


def _refuse_shape_change(replacement: nn.Module) -> None:
    if registry.definition_for(replacement) is not None:
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
def installed(model: nn.Module, exchanges: list[Exchange]) -> Iterator[list[FastPath]]:
    """Put the replacements in their places; should the block fail, everything is as it was."""
    fast_paths: list[FastPath] = []
    done: list[Exchange] = []
    try:
        fast_paths = switch_off(model, (holder for exchange in exchanges for holder in exchange.holders))
        for exchange in exchanges:
            done.append(exchange)
            exchange.install()
        history.recompile(exchanges)
        yield fast_paths
    except BaseException as error:
        uninstall(done, fast_paths)
        if isinstance(error, SourceError):
            raise SwapError(f"a call can't be replaced: {error}") from error
        raise


def uninstall(exchanges: list[Exchange], fast_paths: list[FastPath]) -> None:
    """Put the originals back."""
    for exchange in reversed(exchanges):
        exchange.take_back()
    history.recompile(exchanges)
    switch_on(fast_paths)
