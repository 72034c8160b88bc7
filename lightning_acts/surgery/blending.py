"""Replacements that take over during training: held back at first, blended in, alone at last.

A swap is made whole, with all its checks. Then each replacement is put into a :class:`~lightning_acts.surgery.blend.Blend`,
which stands in its place and runs the original until its time comes::

    swapped:    slot -> new
    held back:  slot -> Blend(old, new)     a = 0: old runs
    blended:    slot -> Blend(old, new)     0 < a < 1: both run
    taken over: slot -> new                 or Blend, a = 1, where either has parameters, until the fit is over

So all parameters are in the model before an optimizer is made or a strategy wraps it, and none comes or goes while they
hold them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from lightning_acts import factory
from lightning_acts.errors import SwapError
from lightning_acts.factory import definition_for
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery.blend import Blend, ParameterPath
from lightning_acts.surgery.history import (
    CallExchange,
    Exchange,
    GraphExchange,
    ModuleExchange,
    PlacedExchange,
    exchanges_of,
    placement,
    swaps_of,
)
from lightning_acts.surgery.naming import describe
from lightning_acts.surgery.plan import BlendState
from lightning_acts.surgery.rewriting.formulas import Formula
from lightning_acts.surgery.source.functions import SourceError


@dataclass(frozen=True, eq=False)
class ScheduledSite:
    """A site with a blend, and all places where that stands or stood."""

    blend: Blend
    entries: tuple[PlacedExchange, ...]

    @property
    def exchange(self) -> Exchange:
        """The first of its exchanges."""
        return self.entries[0].change

    @property
    def paths(self) -> tuple[str, ...]:
        """Its paths."""
        return tuple(path for entry in self.entries for path in entry.paths)

    @property
    def places(self) -> set[str]:
        """Its paths, and that of the module that stands at a call."""
        owners = {
            (path.removesuffix(entry.change.local_path).rstrip("./"), entry.change.name)
            for entry in self.entries
            for path in entry.paths
        }
        return {*self.paths, *(f"{owner}.{name}".lstrip(".") for owner, name in owners)}

    @property
    def names(self) -> tuple[str, str, str]:
        """The names of what runs there in the course of the swap."""
        return name_of(self.exchange.was), "blend", name_of(describe(self.blend.new))

    @property
    def runs(self) -> str:
        """The name of the activation that runs there now, or ``blend``."""
        module: nn.Module | None = self.exchange.replacement
        while isinstance(module, Blend):
            module = module.present
        return "blend" if module is None else name_of(describe(module))

    @property
    def is_covered(self) -> bool:
        """Whether a later swap has put another one over it."""
        return self.exchange.standing(self.entries[0].owner) is not self.exchange.replacement

    @property
    def stands(self) -> bool:
        """Whether the blend stands there; the replacement alone does otherwise."""
        return self.exchange.replacement is self.blend

    @property
    def state(self) -> BlendState | None:
        """How far the replacement has taken over; None where nothing of the blend is left."""
        return BlendState(self.blend.amount, self.blend.path) if self.stands else None

    def set(self, amount: float) -> bool:
        """Let the replacement take over as far as this; return whether other activations run now than before."""
        if amount == self.blend.amount:
            return False
        self._stand(self.blend)
        changed = self.blend.set(amount)
        if amount == 1.0 and not self.blend.has_parameters:
            self._stand(self.blend.new)
        return changed

    def settle(self) -> None:
        """Leave nothing of a blend that is at its end, and let parameters need gradients as they did before it."""
        self.blend.unfreeze()
        if self.stands and self.blend.amount == 1.0:
            self._stand(self.blend.new)

    def restate(self, state: BlendState | None) -> None:
        """Bring the site to a state that :attr:`state` has had."""
        self.set(1.0 if state is None else state.amount)
        if state is None:
            self.settle()
        elif not self.stands:
            self._stand(self.blend)

    def _stand(self, module: nn.Module) -> None:
        if self.exchange.replacement is module or self.is_covered:
            return
        module.train(self.exchange.replacement.training)
        for entry in self.entries:
            entry.change.put(entry.owner, module)
        if self.blend.path is not None:
            for entry in self.entries:
                entry.change.spec = describe(self.blend.new)


def name_of(activation: str | None) -> str:
    """Return the name of an activation without its parameters."""
    return (activation or "other").partition("(")[0]


def scheduled_sites(model: nn.Module) -> list[ScheduledSite]:
    """Return the sites of a model at which a replacement takes over during training, in the order of its modules."""
    entries: dict[Blend, list[PlacedExchange]] = {}
    for entry in exchanges_of(model):
        if entry.change.blend is not None:
            entries.setdefault(entry.change.blend, []).append(entry)
    return [ScheduledSite(blend, tuple(of)) for blend, of in entries.items()]


@contextlib.contextmanager
def as_taken_over(model: nn.Module) -> Iterator[None]:
    """Let all replacements that are held back run for a time, so that a later swap finds what will be there."""
    amounts = [(site.blend, site.blend.amount) for site in scheduled_sites(model) if site.stands]
    for blend, _ in amounts:
        blend.set(1.0)
    try:
        yield
    finally:
        for blend, amount in amounts:
            blend.set(amount)


def hold_back(model: nn.Module, number: int, states: Mapping[str, BlendState] | BlendState) -> list[ScheduledSite]:
    """Put blends in the places of the replacements of a swap.

    Args:
        model: The swapped model.
        number: The number of the swap.
        states: The state of each blend: one for all, or by the path of the site; other sites are left as they are.

    Raises:
        SwapError: The original can't run beside the replacement, or the replacement has no such parameter.
    """
    held = []
    for entries in (entries for swap in swaps_of(model) if swap.number == number for entries in swap.sites):
        state = states if isinstance(states, BlendState) else states.get(entries[0].path)
        if state is not None:
            held.append((ScheduledSite(_blend_for(entries, state.path), entries), state))
    for site, state in held:  # once none of them was refused
        for entry in site.entries:
            entry.change.blend = site.blend
        site.blend.set(state.amount)
        site.restate(state)
    return [site for site, _ in held]


def _blend_for(entries: Sequence[PlacedExchange], path: ParameterPath | None) -> Blend:
    exchange = entries[0].change
    new, old, formula = exchange.replacement, exchange.ran, None
    if path is not None:
        _refuse_path(path, new)
    if old is None:
        try:
            # The code around the call writes back what it wrote.
            old = factory.create(ActivationSpec.parse(exchange.was).without("inplace"))
        except SpecError as error:
            raise SwapError(
                f"{entries[0].path}: {exchange.was} can't be kept beside its replacement until that takes over: {error}"
            ) from error
        where = placement(new, entries[0].owner)
        if where is not None:
            old.to(*where)
        old.train(new.training)
        formula = _formula_of(entries)
    takes_hooks = isinstance(exchange, ModuleExchange) and exchange.takes_hooks
    return Blend(old, new, path, calls_hooks=not takes_hooks, formula=formula)


def _formula_of(entries: Sequence[PlacedExchange]) -> Formula | None:
    """Return what is written out at a site, where that can run by itself."""
    (first, *more) = entries
    if more or not isinstance(first.change, CallExchange) or isinstance(first.change, GraphExchange):
        return None
    with contextlib.suppress(SourceError):
        return Formula.at(first.owner, first.change.call_route)
    return None


def _refuse_path(path: ParameterPath, new: nn.Module) -> None:
    definition = definition_for(new)
    known = (
        []
        if definition is None
        else [p.name for p in definition.parameters if p.learnable is None and type(p.default) in (int, float)]
    )
    if path.parameter not in known:
        raise SwapError(
            f"{describe(new) or new!r} has no fixed number {path.parameter!r} that could move; "
            f"it has: {', '.join(known) or 'none'}"
        )
    for value in (path.start, path.end):
        assert definition is not None
        factory.create(ActivationSpec(definition.name, {path.parameter: value}))
