"""What a swapped model executes, against what its swaps promised.

Takes nothing from the finding of sites: it counts the ATen operations that the dispatcher sees, module by module, in the
model and in a copy in which the swaps are taken back. Between the two exactly this may differ: for each call of a
replacement, its owner executes one activation less. Whatever else differs is a disagreement.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
import threading
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_acts import factory
from lightning_acts.errors import SwapError
from lightning_acts.hints import counted
from lightning_acts.surgery import history
from lightning_acts.surgery.blend import Blend
from lightning_acts.surgery.example import Example
from lightning_acts.surgery.fast_paths import in_use
from lightning_acts.surgery.history import Exchange, PlacedExchange
from lightning_acts.surgery.naming import describe
from lightning_acts.surgery.turns import one_at_a_time
from lightning_acts.surgery.wrappers import plain_path, wrappers_of

if TYPE_CHECKING:
    from lightning_acts.surgery.route import Step

_TORCH = os.path.dirname(torch.__file__) + os.sep
#: ATen operations, without the ``_`` of their in-place forms, that are activations under other names.
_NAMES = {
    "_prelu_kernel": "prelu",
    "rrelu_with_noise": "rrelu",
    "log_sigmoid_forward": "logsigmoid",
    "_softmax": "softmax",
    "_log_softmax": "log_softmax",
}
_CLAMPS: dict[Any, str] = {(0, None): "relu", (0, 6): "relu6", (-1, 1): "hardtanh"}
_ACTIVATIONS = frozenset(
    ("celu", "elu", "erf", "gelu", "gelu(tanh)", "gelu in a fused layer", "glu", "hardshrink", "hardsigmoid", "hardswish",
     "hardtanh", "leaky_relu", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu in a fused layer", "relu6",
     "rrelu", "selu", "sigmoid", "silu", "softmax", "softplus", "softshrink", "tanh", "threshold")
)  # fmt: skip
#: What carries the weight of a network: where it runs equally often, the same branches were taken.
_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "_grouped_mm")


@dataclass(frozen=True)
class Disagreement:
    """A place where a swapped model executes something else than was promised."""

    path: str
    promised: str
    executed: str

    def __str__(self) -> str:
        return f"{self.path or 'the model itself'}: promised {self.promised}; executed {self.executed}"


class VerificationError(SwapError):
    """A swapped model does not execute what its swaps promised.

    Attributes:
        disagreements: Every place, with what was promised and what was executed.
    """

    def __init__(self, disagreements: Sequence[Disagreement]) -> None:
        self.disagreements = tuple(disagreements)
        super().__init__("the swap does not hold. " + ". ".join(map(str, self.disagreements)))


@one_at_a_time
def verify(model: nn.Module, example_input: Any) -> Verification:
    """Prove a swap by what runs: executed ATen operations against what the swaps of ``model`` promised.

    The example runs in eval mode (without gradients, so that fused paths are taken where the model has them) and in
    train mode (with), in the model and in a copy with the swaps taken back. The model is left as it was. Compiled
    models run uncompiled meanwhile. In each mode must hold:

    - what stands at each site is what was promised, executes what it should, and ran wherever the original does; of a
      scheduled swap that is the original until its time comes, both while it blends, and then the replacement;
    - each call of a replacement is one activation less in the module that owns the site, and no module executes an
      activation more than before.

    Args:
        model: A model with swaps behind it; wrapped and compiled models too.
        example_input: A batch for it: a tensor, a tuple of positional or a mapping of keyword arguments.

    Returns:
        The sites with what they executed; ``print`` shows a table.

    Raises:
        VerificationError: Something ran that was promised to be gone, or the other way round; it lists every site.
        SwapError: The model has no swaps, or does not run on ``example_input`` (an ``ExampleError``).

    Example:
        >>> import lightning_acts as acts
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> _ = acts.swap(model, {"relu": "mish"})
        >>> print(acts.verify(model, torch.randn(3, 4)).summary)
        1 site executes what was promised: mish
    """
    model = wrappers_of(model)[-1]
    promises = _promises(model)
    _raise_if(_misplaced(model, promises))
    if not promises:
        raise SwapError("the model has no swaps: there is nothing to verify")
    restored = _restored(model, promises)
    at = {plain_path(path): module for path, module in restored.named_modules(remove_duplicate=False)}
    groups = _groups(promises)
    # A module that was swapped in some of its places or calls alone still runs in the others.
    standing = {module: plain_path(path) for path, module in model.named_modules()}
    rest = [
        {module: standing[module] for promise in group for module in promise.modules if module in standing}
        for group in groups
    ]
    originals = {
        at[path]: group[0].path
        for group, others in zip(groups, rest, strict=True)
        for path in (*(path for promise in group if promise.modules for path in promise.paths), *others.values())
        if path in at
    }
    replacements = {module: path for others in rest for module, path in others.items()}
    replacements |= {promise.replacement: promise.path for promise in promises}
    sites = [
        (group, {promise.path for promise in group} | set(others.values()))
        for group, others in zip(groups, rest, strict=True)
    ]
    original, swapped = Example(restored, example_input), Example(model, example_input)
    before_swap = original.watch(lambda: _Watcher(restored, originals)).taken
    after_swap = swapped.watch(lambda: _Watcher(model, replacements)).taken
    passes = list(zip(before_swap, after_swap, strict=False))  # in train mode one of them may have failed
    notes = list(original.notes or swapped.notes)
    _raise_if(
        [
            replace(entry, executed=f"in {mode} mode, {entry.executed}")
            for mode, (before, after) in zip(("eval", "train"), passes, strict=False)
            for entry in (*_compare(sites, before, after), *_unlike(promises, after, training=mode == "train"))
        ]
    )
    _raise_if(list(_bypassed(promises, passes)))
    varying = [
        path
        for path in dict.fromkeys(owner for promise in promises for owner in promise.owners)
        if any(before.flow(path) != after.flow(path) for before, after in passes)
    ]
    if varying:
        shown = ", ".join(path or "the model" for path in varying[:3]) + (" and others" if varying[3:] else "")
        notes.append(f"{shown}: which branches run depends on values, so that numbers of calls can't be compared")
    return Verification(
        tuple(
            VerifiedSite(
                ", ".join(promise.paths),
                promise.original,
                promise.shown,
                tuple(after.calls[promise.path] for _, after in passes),
                tuple(sorted({name for _, after in passes for name in after.activations(promise.path)})),
            )
            for promise in promises
        ),
        tuple(notes),
    )


@dataclass(frozen=True)
class VerifiedSite:
    """A site that executes what was promised.

    Attributes:
        path: The module's path.
        original: The activation that stood there.
        replacement: The activation that was promised; until it takes over, what runs there in its place.
        calls: How often it ran: in the pass in eval mode, in the pass in train mode.
        operations: The activations among the ATen operations that it executed.
    """

    path: str
    original: str
    replacement: str
    calls: tuple[int, ...]
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` has seen; ``print`` shows a table, :meth:`to_dict` gives plain data."""

    sites: tuple[VerifiedSite, ...]
    notes: tuple[str, ...]

    @property
    def never_called(self) -> tuple[str, ...]:
        """The paths of replacements that the example does not reach, nor did it reach what stood there before."""
        return tuple(site.path for site in self.sites if not any(site.calls))

    @property
    def summary(self) -> str:
        """One line."""
        ran = [site for site in self.sites if any(site.calls)]
        verb = "site executes" if len(ran) == 1 else "sites execute"
        names = ", ".join(dict.fromkeys(site.replacement for site in ran))
        idle = f"; {len(self.never_called)} never called, as before the swap" if self.never_called else ""
        return f"{len(ran)} {verb} what was promised{': ' if names else ''}{names}{idle}"

    def to_dict(self) -> dict[str, Any]:
        """Return the verification as plain data for JSON."""
        return {
            "sites": [
                {**vars(site), "calls": list(site.calls), "operations": list(site.operations)} for site in self.sites
            ],
            "notes": list(self.notes),
        }

    def __rich__(self) -> Group:
        table = Table("site", "was", "is", "calls in eval, train", "ATen")
        for site in self.sites:
            calls = ", ".join(map(str, site.calls)) if any(site.calls) else "never called"
            # Text, not markup: a path may hold square brackets.
            cells = (site.path, site.original, site.replacement, calls, ", ".join(site.operations))
            table.add_row(*map(Text, cells))
        return Group(table, Text(self.summary), *(Text(f"note: {note}") for note in self.notes))

    def __str__(self) -> str:
        console = Console(file=io.StringIO(), width=10_000, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip()


@dataclass(frozen=True, eq=False)
class _Promise:
    """What one or several swaps together said of a replacement.

    Attributes:
        paths: Where it stands; several where sites share it.
        original: The activation that stood there.
        promised: The activation that stands there now, or is held back there.
        running: Those that run there now: two while one is blended into the other.
        exchanges: The last ones at each site.
        modules: The modules that stood there; calls have none.
        owners: The paths of the modules that hold it.
    """

    paths: tuple[str, ...]
    original: str
    promised: str
    running: tuple[str, ...]
    exchanges: tuple[PlacedExchange, ...]
    modules: tuple[nn.Module, ...]
    owners: tuple[str, ...]

    @property
    def path(self) -> str:
        return self.paths[0]

    @property
    def replacement(self) -> nn.Module:
        return self.exchanges[0].change.replacement

    @property
    def formula(self) -> Callable[[torch.Tensor], Any] | None:
        """What is written out where a call was replaced, and runs there until that is over."""
        module: nn.Module | None = self.replacement
        while isinstance(module, Blend) and module.formula is None:
            module = module.old
        return module.formula if isinstance(module, Blend) else None

    @property
    def written(self) -> int:
        """How often activations are named where a call was replaced: more than once in a formula."""
        texts = [route.steps[-1].code for entry in self.exchanges if (route := entry.change.route) and route.steps]
        words = (re.findall(r"(\w+?)_?\(", text) for text in texts)
        return max([1, *(sum(word in _ACTIVATIONS for word in found) for found in words)])

    @property
    def shown(self) -> str:
        """What runs there, and what it is held back for."""
        if self.running == (self.promised,):
            return self.promised
        return f"{' and '.join(self.running)}, until {self.promised} takes over"

    def disagrees(self, executed: str) -> Disagreement:
        rest = f" in place of {self.original}" if self.shown == self.promised else ""
        return Disagreement(self.path, f"{self.shown}{rest}", executed)


class _Line(NamedTuple):
    """A line of code: the module and the name of its function, and its number counted from there."""

    module: str
    function: str
    number: int

    @classmethod
    def of_frame(cls, frame: FrameType) -> _Line:
        code = frame.f_code
        return cls(frame.f_globals.get("__name__", ""), code.co_name, frame.f_lineno - code.co_firstlineno)

    @classmethod
    def of_step(cls, step: Step) -> _Line:
        module, _, name = step.function.partition(":")
        return cls(module, name.rpartition(".")[2], step.line)


class Census(TorchDispatchMode):
    """While entered, counts calls of modules, and ATen operations by the innermost module that runs.

    What runs within one of ``sites`` belongs to it. The hooks are common to all modules, not on each, because a
    transformer layer leaves its fused path as soon as a module in it has a hook of its own. They see the modules of all
    threads, and leave those of others alone.

    Attributes:
        calls: Calls of modules, by path; of sites also by the pair of paths of the site and the module that calls.
        operations: ATen operations by path; activations by the activation's name.
        places: Where an activation was executed last, as ``file:line``, by path and name.
        lines: The lines of code that led to an activation, by path and name.
    """

    def __init__(self, model: nn.Module, sites: Mapping[nn.Module, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._paths = {module: plain_path(path) for path, module in model.named_modules()} | dict(sites)
        self._sites = set(sites)
        self._running: list[nn.Module] = [model]
        self._thread: int | None = None
        self._children = {
            path: [self._paths[child] for child in module.children() if child not in self._sites]
            for module, path in self._paths.items()
        }
        self.calls: Counter[str | tuple[str, str]] = Counter()
        self.operations: dict[str, Counter[str]] = {path: Counter() for path in self._paths.values()}
        self.places: dict[tuple[str, str], str] = {}
        self.lines: defaultdict[tuple[str, str], set[_Line]] = defaultdict(set)

    def __enter__(self) -> Census:
        self._thread = threading.get_ident()
        self._handles = [
            register_module_forward_pre_hook(self._begin),
            register_module_forward_hook(self._end, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        self._thread = None
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def _begin(self, module: nn.Module, _: Any) -> None:
        if self._thread != threading.get_ident():
            return
        innermost = self._running[-1]
        if innermost not in self._sites and module in self._paths:
            path = self._paths[module]
            self.calls.update([path, (path, self._paths[innermost])])
            innermost = module
        self._running.append(innermost)

    def _end(self, *_: Any) -> None:
        if self._thread == threading.get_ident():
            self._running.pop()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if torch._C._current_graph_task_id() != -1:
            return func(*args, **(kwargs or {}))  # a model that differentiates in its forward: no part of that itself
        path = self._paths[self._running[-1]]
        name = _name_of(func.overloadpacket.__name__, args, kwargs or {})
        self.operations[path][name] += 1
        if name in _ACTIVATIONS:
            frames = _frames()
            self.places[path, name] = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else ""
            self.lines[path, name].update(map(_Line.of_frame, frames))
        return func(*args, **(kwargs or {}))

    def activations(self, path: str) -> Counter[str]:
        """Return the activations among the operations of a module."""
        operations = self.operations.get(path, Counter())
        return Counter({name: count for name, count in operations.items() if name in _ACTIVATIONS})

    def flow(self, path: str) -> Any:
        """Equal in two runs that took the same branches in a module: what it called and multiplied."""
        calls = Counter({child: self.calls[child] for child in self._children[path]})
        operations = self.operations[path]
        return self.calls[path], calls, {name: operations[name] for name in _PRODUCTS}


def _name_of(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the activation that an ATen operation computes, in its in-place form too.

    Its own name where it is none.
    """
    name = name.removesuffix("_")
    if not any(isinstance(arg, torch.Tensor) and (arg.is_floating_point() or arg.is_complex()) for arg in args):
        return f"{name} of integers"
    if name in ("clamp", "clamp_min", "hardtanh"):
        defaults = (-1.0, 1.0) if name == "hardtanh" else (None, None)
        low, high = (*args[1:], *defaults[len(args) - 1 :])[:2]
        low, high = kwargs.get("min", kwargs.get("min_val", low)), kwargs.get("max", kwargs.get("max_val", high))
        if isinstance(low, torch.Tensor) or isinstance(high, torch.Tensor):
            return name
        low, high = (None if bound in (-math.inf, math.inf) else bound for bound in (low, high))
        return _CLAMPS.get((low, high), name)
    if name == "maximum" and any(isinstance(arg, torch.Tensor) and not arg.any() for arg in args):
        return "relu"
    if name == "threshold" and not any(args[1:]):
        return "relu"
    if name == "gelu":
        return f"gelu({kwargs['approximate']})" if kwargs.get("approximate", "none") != "none" else "gelu"
    if name == "_transformer_encoder_layer_fwd":
        return "gelu in a fused layer" if args[7] else "relu in a fused layer"
    return _NAMES.get(name, name)


def _frames() -> list[FrameType]:
    """Return the frames that lead to an operation, innermost first, without those of torch and of this file."""
    found: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if not frame.f_code.co_filename.startswith((_TORCH, __file__)):
            found.append(frame)
        frame = frame.f_back
    return found


def _promises(model: nn.Module) -> list[_Promise]:
    """Return the replacements of all swaps of a model and its parts; of several swaps at one site, the last."""
    owners = {module: plain_path(path) for path, module in model.named_modules()}
    places: dict[tuple[nn.Module, str], list[PlacedExchange]] = {}
    for entry in (entry for swap in history.swaps_of(model) for entry in swap.exchanges):
        key = entry.owner, entry.change.name
        places[key] = [*places.pop(key, []), entry]
    stood = {entry.change.replacement: entries[0].change for entries in places.values() for entry in entries}
    by_replacement: dict[nn.Module, list[tuple[PlacedExchange, Exchange]]] = {}
    running: dict[nn.Module, tuple[str, ...]] = {}
    for first, *later in places.values():
        last, ran = (later or [first])[-1], first.change
        if (
            first.change.before is None and first.change.ran in stood
        ):  # a further call of what an earlier swap has put there
            ran = stood[first.change.ran]
        by_replacement.setdefault(last.change.replacement, []).append((last, ran))
        running[last.change.replacement] = _running([first.change, *(entry.change for entry in later)])
    return [
        _Promise(
            tuple(path for last, _ in entries for path in last.paths),
            entries[0][1].was,
            entries[0][0].change.spec or describe(replacement) or "",
            running[replacement],
            tuple(last for last, _ in entries),
            tuple(ran.ran for _, ran in entries if ran.ran is not None),
            tuple(owners.get(last.owner, "") for last, _ in entries),
        )
        for replacement, entries in by_replacement.items()
    ]


def _running(exchanges: list[Exchange]) -> tuple[str, ...]:
    """Return what runs at a site after some exchanges, of which each one has the former in its blend, if it has one."""
    *former, last = exchanges
    promised = last.spec or describe(last.replacement) or ""
    blend = last.replacement
    # By the amount, not by what the blend says of itself.
    if not isinstance(blend, Blend) or blend.amount == 1.0 or (blend.amount > 0.0 and blend.path is not None):
        return (promised,)
    before = _running(former) if former else (last.was,)
    return before if blend.amount == 0.0 else (*before, promised)


def _groups(promises: list[_Promise]) -> list[list[_Promise]]:
    """Return the replacements of the same module, in its places and calls, together."""
    groups: list[list[_Promise]] = []
    by_module: dict[nn.Module, list[_Promise]] = {}
    for promise in promises:
        group = next((by_module[module] for module in promise.modules if module in by_module), None)
        if group is None:
            groups.append(group := [])
        group.append(promise)
        by_module.update(dict.fromkeys(promise.modules, group))
    return groups


def _misplaced(model: nn.Module, promises: list[_Promise]) -> list[Disagreement]:
    """Sites at which something else stands than what was promised."""
    gone = "nothing: the module that held it is no part of the model any more, or has lost the record of it"
    found = [Disagreement(path, promised, gone) for path, promised in history.missing_from(model)]
    lost = set(history.lost_among([entry for promise in promises for entry in promise.exchanges]))
    for promise in promises:
        standing = promise.replacement.new if isinstance(promise.replacement, Blend) else promise.replacement
        definition = factory.definition_for(standing)
        if not lost.isdisjoint(promise.exchanges):
            found.append(promise.disagrees("nothing: it has been taken away, or replaced, since"))
        elif definition is not None and definition != factory.definition_of(promise.promised):
            found.append(promise.disagrees(f"nothing: what stands there is {definition.name}"))
    return found


def _restored(model: nn.Module, promises: list[_Promise]) -> nn.Module:
    """Return a copy that shares the weights, with all swaps taken back, which runs what the swapped one does besides."""
    try:
        restored = history.restored_copy(model)
    except SwapError as error:
        raise SwapError(f"{error}; so there is nothing to compare it with") from error
    owners = {path for promise in promises for path in promise.owners}
    # It would run fused, where the swapped one does not.
    for module, name, value in in_use(
        restored, [module for path, module in restored.named_modules() if plain_path(path) in owners]
    ):
        setattr(module, name, type(value)(False))
    return restored


class _Watcher:
    """Watcher that takes a census of each pass, with gradients in train mode."""

    def __init__(self, model: nn.Module, sites: Mapping[nn.Module, str]) -> None:
        self.taken: list[Census] = []
        self._model, self._sites = model, sites

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        census = Census(self._model, self._sites)
        with torch.set_grad_enabled(training or torch.is_grad_enabled()), warnings.catch_warnings():
            # That a compiled module counts its own calls twice does not matter here.
            warnings.filterwarnings("ignore", message=".*when there are global hooks on modules")
            with census:
                returned = forward()
        self.taken.append(census)
        return returned


def _compare(groups: list[tuple[list[_Promise], set[str]]], before: Census, after: Census) -> Iterator[Disagreement]:
    """Yield where a run of the swapped model is not that of the original with the replacements in it.

    Each group is the replacements of one module, or of one call, with the paths of all that runs there now.
    """
    replaced_calls: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for group, paths in groups:
        first = group[0]
        for path in before.operations:
            more = sum(after.calls[site, path] for site in paths) - before.calls[first.path, path]
            replaced_calls[path] += more
            most[path] += more * max(promise.written for promise in group)
        if all(len(promise.modules) == len(promise.exchanges) for promise in group):
            was, now = before.calls[first.path], sum(after.calls[site] for site in paths)
            same_flow = all(before.flow(owner) == after.flow(owner) for promise in group for owner in promise.owners)
            if (now != was) if same_flow else (was > 0 and now == 0):
                yield first.disagrees(f"{counted(now, 'call')}, where the original has {was}")
    sites = set().union(*(paths for _, paths in groups))
    for path in [path for path in before.operations if path not in sites]:
        if before.flow(path) != after.flow(path):
            continue
        expected = replaced_calls[path]
        for name, count in (after.activations(path) - before.activations(path)).items():
            yield Disagreement(
                path, "no activation more than before", f"{count} {name} more, {after.places[path, name]}"
            )
        for name, count in (before.activations(path) - after.activations(path)).items():
            if count > most[path]:
                yield Disagreement(path, f"at most {most[path]} {name} less than before", f"{count} less")
        gone = sum((before.operations[path] - after.operations[path]).values())
        if gone < expected:
            yield Disagreement(path, f"{expected} activations less than before", f"{gone} operations less")


def _unlike(promises: list[_Promise], after: Census, training: bool) -> Iterator[Disagreement]:
    """Return replacements that execute other activations than a fresh one of what was promised."""
    alone = {spec: _activations_of(spec, training) for promise in promises for spec in promise.running}
    for promise in promises:
        expected = [alone[spec] for spec in promise.running]
        if promise.running[0] == promise.original and promise.formula is not None:
            expected[0] = _activations_in(promise.formula)
        known = [names for names in expected if names is not None]
        executed = set(after.activations(promise.path))
        if after.calls[promise.path] and len(known) == len(expected) and set().union(*known) != executed:
            yield promise.disagrees(f"{', '.join(sorted(executed)) or 'no activation'}")


def _activations_of(promised: str, training: bool) -> set[str] | None:
    """Return the activations that a fresh module executes; None where a spec alone does not tell how to run it."""
    try:
        module = factory.create(promised).train(training)
        with torch.random.fork_rng(devices=[]), torch.no_grad(), Census(module, {}) as census:
            module(torch.linspace(-3.0, 3.0, 96).view(2, 4, 4, 3)[:, : getattr(module, "num_parameters", 4)])
    except Exception:
        return None
    return set(census.activations(""))


def _activations_in(formula: Callable[[torch.Tensor], Any]) -> set[str]:
    """Return the activations that a formula executes."""
    with torch.no_grad(), Census(nn.Identity(), {}) as census:
        formula(torch.linspace(-3.0, 3.0, 96))
    return set(census.activations(""))


def _bypassed(promises: list[_Promise], passes: list[tuple[Census, Census]]) -> Iterator[Disagreement]:
    """Return calls that were replaced, never reached, and yet seem to go on as they were."""
    for promise in promises:
        if promise.modules or any(after.calls[promise.path] for _, after in passes):
            continue
        name = promise.original.partition("(")[0]
        # Another call of the same activation, which was left, may stand on another line of the module.
        written = {
            _Line.of_step(route.steps[-1])
            for entry in promise.exchanges
            if (route := entry.change.route) and route.steps
        }
        places = {
            after.places[owner, name]
            for _, after in passes
            for owner in promise.owners
            if written & after.lines[owner, name]
        }
        if places:
            yield promise.disagrees(
                f"{name} in the same module, {', '.join(map(str, places))}, and never what was promised"
            )


def _raise_if(disagreements: list[Disagreement]) -> None:
    if disagreements:
        raise VerificationError(list(dict.fromkeys(disagreements)))
