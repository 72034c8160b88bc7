"""Putting activations in the place of others, all at once or not at all."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from lightning_acts import factory
from lightning_acts.errors import SwapError
from lightning_acts.factory import ActivationLike
from lightning_acts.hints import counted, listed
from lightning_acts.optimizers import exchange_parameters, refuse_unchangeable
from lightning_acts.spec import SpecError
from lightning_acts.surgery import checkpoints, history
from lightning_acts.surgery.blending import as_taken_over, hold_back
from lightning_acts.surgery.example import Example, ExampleError
from lightning_acts.surgery.exchanging.installing import Prepared, installed, prepare
from lightning_acts.surgery.exchanging.matching import Rules
from lightning_acts.surgery.exchanging.trial import try_out
from lightning_acts.surgery.fast_paths import notes as fast_path_notes
from lightning_acts.surgery.finding.located import CallSite, Located, ModuleSite, works_in_place_there
from lightning_acts.surgery.finding.sites import Found, locate
from lightning_acts.surgery.history import CallExchange, Exchange, has_hooks
from lightning_acts.surgery.naming import describe, spec_or_none
from lightning_acts.surgery.plan import Plan, PlannedSite
from lightning_acts.surgery.recognizing.modules import recognize
from lightning_acts.surgery.report import SwappedSite, SwapReport
from lightning_acts.surgery.request import (
    Share,
    SwapMap,
    SwapOptions,
    SwapRequest,
    refuse_beside,
    refuse_unknown,
    takes_options,
)
from lightning_acts.surgery.rewriting.classes import may_read_what_it_writes, reading_of
from lightning_acts.surgery.rewriting.reading import TRAVERSALS
from lightning_acts.surgery.roles.structure import role_of
from lightning_acts.surgery.site import LeftSite, Site
from lightning_acts.surgery.turns import one_at_a_time
from lightning_acts.surgery.wrappers import plain_path

if TYPE_CHECKING:
    from typing_extensions import Unpack


@takes_options
@one_at_a_time
def swap(
    model: nn.Module,
    map: SwapMap | SwapRequest | Plan,
    *,
    example_input: Any = None,
    optimizer: Optimizer | None = None,
    **options: Unpack[SwapOptions],
) -> SwapReport:
    """Swap activations of a model in place.

    All pairs of the map apply at once (``{"relu": "mish", "mish": "relu"}`` exchanges them), the first that
    matches a site wins. Device, type, train or eval mode, hooks and ``requires_grad`` are those of the module that
    stood there. After an error the model is as it was.

    Args:
        model: Any module that holds others; not yet wrapped for several processes.
        map: What to swap -> replacement, or a request with all options, or a plan of an earlier swap. On the left stands
            an activation (a name matches it with any parameters, ``"leaky_relu(negative_slope=0.01)"`` with these alone, torch's class or
            function as the name), a path, a glob on paths, a regular expression after ``re:``, a class of one's own,
            or ``"unknown activation"``; on the right an activation, a function with one parameter named ``site`` or
            annotated with :class:`Site` that returns one, or ``None``: leave it alone. Paths are those without the
            prefixes of wrappers.
        include: Paths, globs or ``re:`` patterns; if given, only sites of which a path matches one are swapped.
        exclude: Paths, globs or ``re:`` patterns of sites to leave alone.
        role: The roles of the sites to swap: ``"hidden"``, ``"gate"``, ``"attention"``, ``"output"``.
        where: A test of each site, or its import path, ``"package.module:function"``: those for which it is false are left
            alone.
        share: How many instances a replacement has. ``"site"``: one for each site, and where the model uses one module in
            several places or calls it several times, one for these; ``"place"``: each place of such a module is a site
            of its own; ``"call"``: each call in the code too; ``"all"``: one for all sites with the same replacement,
            and so one set of parameters.
        write_back: What a call in place writes into its input is still written there, where something else may read it.
            With False nothing is: full backward hooks work, but who else reads the input sees it unchanged.
        backend: How the replacements are run: ``"torch"``, ``"eager"``, ``"lean"``, ``"lean(bits=2)"``, ``"compiled"`` or
            ``"auto"``, as for :func:`create`. One that is not registered runs as it is.
        example_input: A batch (tensor, tuple, mapping): with it, calls that the source alone does not show are found
            too, roles are told from the data flow, calls are counted, and ``per=channel`` replacements are sized.
        optimizer: One that has the model's parameters already: it drops those that go, with their state, and gets those that
            come, without weight decay. ``report.undo()`` leaves it as it is then.

    Returns:
        The report: what was swapped, what was left and why; ``report.undo()`` takes the swap back.

    Raises:
        SwapError: Nothing matches, or the model or a replacement can't take part in a swap.
        SpecError: An activation's name or a parameter is wrong.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> report = acts.swap(model, {"relu": "mish"})
        >>> model[1]
        Mish()
        >>> print(report.summary)
        swapped relu -> mish at 1 site; nothing else
    """
    refuse_model(model)
    if optimizer is not None:
        refuse_unchangeable(optimizer)
    before = list(model.parameters())
    example = None if example_input is None else Example(model, example_input)
    if isinstance(map, Plan):
        refuse_unknown(options)
        refuse_beside(map, options)
        asked = map.request
        found = _located(model, example, asked)
        chosen, left, notes = _follow(model, map, found)
        request: SwapRequest | None = asked
    else:
        asked = SwapRequest.of(map, options)
        rules = Rules(asked, model)
        found = _located(model, example, asked)
        chosen, left, notes = rules.choose(
            found, [str(earlier.request or "a plan") for earlier in history.swaps_of(model)]
        )
        request = rules.request_for(chosen)
    rng_state = torch.get_rng_state()
    try:
        if example is not None:
            failures, said = try_out(example, [located for located, _ in chosen])
            left = [*left, *(LeftSite(located.site, reason) for located, reason in failures.items())]
            chosen, notes = [(located, new) for located, new in chosen if located not in failures], [*notes, *said]
            if not chosen:
                raise SwapError("; ".join(f"{located.site.path}: {reason}" for located, reason in failures.items()))
        else:
            sites = [located for located, _ in chosen]
            notes = [*notes, *_in_place_before(sites), *_passed_through(model, sites)]
        # A module that stands in the map is meant for several sites; one that a function made, for this one.
        several = [] if isinstance(map, Plan) else list(asked.map.values())
        prepared = [
            prepare(model, located, new, any(new is each for each in several), asked.backend) for located, new in chosen
        ]
        _refuse_unsharded(model, prepared)
        kept = [prepare(model, call, module, copied=False) for call, module in _kept(found, chosen)]
        if asked.share == "all":
            _share_replacements(prepared, [replacement for _, replacement in chosen])
        transaction = history.begin(model, request)
        with installed(
            model, [*prepared, *kept], transaction, functools.partial(checkpoints.follow, replay)
        ) as fast_paths:
            if example is not None:
                _size_lazy_modules(example, prepared)
            swapped = [
                SwappedSite(one.located.site, _name(one.exchange), _path_of_replacement(one)) for one in prepared
            ]
            plan = _plan(request, [*prepared, *kept])
            gone, come = _gone(model, before), _come(model, before)
            remarks = (
                *found.notes,
                *notes,
                *_of_calls(chosen, asked.share),
                *_written_back(prepared),
                *fast_path_notes(model, fast_paths),
                *(_unknown_to_optimizers(gone, come) if optimizer is None else []),
            )
            report = SwapReport(tuple(swapped), tuple(left), remarks, model, transaction.number, plan, found.was_read)
            history.conclude(model, transaction)
            if isinstance(map, Plan):
                hold_back(model, transaction.number, {p.paths[0]: p.blend for p in map.sites if p.blend is not None})
            checkpoints.hook(model, replay)
    except BaseException:
        torch.set_rng_state(rng_state)
        raise
    if optimizer is not None:
        exchange_parameters(optimizer, gone, come)
    return report


def _gone(model: nn.Module, before: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    present = set(map(id, model.parameters()))
    return [parameter for parameter in before if id(parameter) not in present]


def _come(model: nn.Module, before: Sequence[nn.Parameter]) -> dict[str, nn.Parameter]:
    known = set(map(id, before))
    return {name: p for name, p in model.named_parameters() if p.requires_grad and id(p) not in known}


def _unknown_to_optimizers(gone: Sequence[nn.Parameter], come: Mapping[str, nn.Parameter]) -> list[str]:
    """Return a note on parameters that an optimizer made before has wrong."""
    said = [f"does not have {listed(list(come))}"] if come else []
    said += [f"still has {counted(len(gone), 'parameter')} of what was replaced"] if gone else []
    return [f"an optimizer made before {' and '.join(said)}: optimizer= tells it"] if said else []


def _located(model: nn.Module, example: Example | None, asked: SwapRequest) -> Found:
    found = locate(model, example, asked.share)
    calls = (replace(one, write_back=asked.write_back) if isinstance(one, CallSite) else one for one in found.located)
    return replace(found, located=list(calls))


@one_at_a_time
def replay(model: nn.Module, plans: list[Plan]) -> list[SwapReport]:
    """Make the swaps of several plans in order, all or none of them.

    Raises:
        SwapError: A plan was made for another model, or names an activation that is not registered here.
    """
    earlier, reports = history.newest(model), []
    try:
        for plan in plans:
            with as_taken_over(model):  # as when they were made
                reports.append(swap(model, plan))
        return reports
    except BaseException as error:
        history.undo_since(model, earlier)
        if isinstance(error, SpecError):
            raise SwapError(f"{error} (is the package or file that registers it imported?)") from error
        raise


@takes_options
@contextlib.contextmanager
def swapped(
    model: nn.Module,
    map: SwapMap | SwapRequest | Plan,
    *,
    example_input: Any = None,
    **options: Unpack[SwapOptions],
) -> Iterator[SwapReport]:
    """Swap for the length of a ``with`` block; arguments as for :func:`swap`.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        >>> with acts.swapped(model, {"relu": "silu"}):
        ...     print(model[1])
        SiLU()
        >>> model[1]
        ReLU()
    """
    # Whatever was swapped within the block goes with it. Should the first undoing be interrupted, the second one does it.
    with history.undoing(model), history.undoing(model):
        yield swap(model, map, example_input=example_input, **options)


def refuse_model(model: nn.Module) -> None:
    """Check that a model can be swapped.

    Raises:
        SwapError: It can't be, or would not stay what it is.
    """
    if not isinstance(model, nn.Module):
        raise SwapError(f"{type(model).__name__} is no torch.nn.Module")
    name = type(model).__name__
    wrapped = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
    if wrapped or any(cls.__name__ == "FullyShardedDataParallel" for cls in type(model).__mro__):
        raise SwapError(
            f"the model is wrapped in {name}: a replacement with parameters would not be synchronized. Swap before wrapping, "
            "or let the callback ActivationSwap do it in time"
        )
    if isinstance(model, AveragedModel):
        raise SwapError(
            "AveragedModel averages the parameters of another model, one by one: swap that model before it is averaged"
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise SwapError(
            f"the model is compiled TorchScript ({name}): its code can't be changed; swap before torch.jit.script"
        )
    if recognize(model) is not None or type(model) is nn.Identity:
        raise SwapError(
            f"the model is itself an activation ({model!r}): nothing holds it; acts.create makes another one"
        )


def _refuse_unsharded(model: nn.Module, prepared: Sequence[Prepared]) -> None:
    learnable = [one.located.site.path for one in prepared if any(True for _ in one.replacement.parameters())]
    if learnable and any(cls.__name__ == "FSDPModule" for module in model.modules() for cls in type(module).__mro__):
        raise SwapError(
            f"{listed(learnable)}: the model is sharded by fully_shard, and parameters that come now would be no part of "
            "that: call acts.swap before fully_shard, or use a replacement without parameters"
        )


def _follow(model: nn.Module, plan: Plan, found: Found) -> tuple[list[tuple[Located, Any]], list[LeftSite], list[str]]:
    """Return the sites that a plan names, each with its replacement, after checking that they are what the plan found."""
    by_path = {path: one for one in found.located if not isinstance(one, CallSite) for path in one.site.paths}
    by_route = {(plain_path(c.path_in_tree), c.route): c for c in found.located if isinstance(c, CallSite)}
    names = {plain_path(name): name for name, _ in model.named_modules(remove_duplicate=False)}
    chosen: list[tuple[Located, Any]] = []
    problems = []
    for planned in plan.sites:
        if planned.route is None:
            located: Located | None = by_path.get(planned.paths[0])
            if isinstance(located, ModuleSite):
                located = _in_places(model, located, planned.paths, names)
            differs = _differs(planned, located)
        else:
            owner = planned.paths[0].rpartition("/")[0].rpartition("/")[0]
            located = by_route.get((owner, planned.route)) or _call_site(model, owner, planned, names)
            differs = "no such call" if located is None else None
        if differs is not None or located is None:
            problems.append(f"{', '.join(planned.paths)}: the plan has {planned.original}, the model {differs}")
        elif (reason := located.first_obstacle()) is not None:
            problems.append(f"{', '.join(planned.paths)}: {reason}")
        else:
            factory.resolve(planned.replacement)
            chosen.append((located, planned.replacement))
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise SwapError(f"the plan was made for another model, or one in another state. {shown}")
    if not chosen:
        raise SwapError("the plan names no site")
    taken = {path for located, _ in chosen for path in located.site.paths}
    rest = [LeftSite(located.site, "not in the plan") for located in found.located if located.site.path not in taken]
    return chosen, [*rest, *found.others], []


def _in_places(model: nn.Module, located: ModuleSite, paths: Sequence[str], raw: Mapping[str, str]) -> ModuleSite:
    """Return the site as far as it lies at these paths: a swap of a part leaves what a module does elsewhere as it is."""
    parents = {path: model.get_submodule(raw[path].rpartition(".")[0]) for path in located.site.paths}
    slots = [(parents[path], raw[path].rpartition(".")[2]) for path in located.site.paths if path in paths]
    # A parent that several paths lead to is one place.
    also = [path for path in located.site.paths if (parents[path], raw[path].rpartition(".")[2]) in slots]
    if not also or len(also) == len(located.site.paths):
        return located
    site = replace(located.site, path=also[0], paths=tuple(also))
    return replace(located, site=site, slots=tuple(dict.fromkeys(slots)), path_in_tree=raw[also[0]])


def _differs(planned: PlannedSite, located: Located | None) -> str | None:
    if located is None:
        return "no activation"
    if located.site.original != planned.original or set(planned.paths) != set(located.site.paths):
        return f"{located.site.original} at {', '.join(located.site.paths)}"
    return None


def _call_site(model: nn.Module, owner: str, planned: PlannedSite, raw: Mapping[str, str]) -> CallSite | None:
    """Return a call that only a run would show, where the plan says that it is; None if there is none."""
    if owner not in raw or planned.route is None or planned.route.child is not None:
        return None
    name, module = raw[owner], model.get_submodule(raw[owner])
    function, index = planned.paths[0].split("/")[-2:]
    role, reason = role_of(planned.original, ())
    site = Site(planned.paths[0], planned.paths, "function", planned.original, role, reason, planned.route.callee)
    return CallSite(site, module, name, planned.route, f"{function}_{index}")


def _is_in_loop(located: Located) -> bool:
    """Check whether a call is written in a loop; where a run has counted it, that is not asked."""
    return located.site.calls is None and located.is_in_loop


def _path_of_replacement(prepared: Prepared) -> str:
    """Return where the replacement stands in the tree: the prefix of its keys in a state dict."""
    located = prepared.located
    if isinstance(located, ModuleSite):
        return located.site.path
    return f"{plain_path(located.path_in_tree)}.{prepared.exchange.name}".lstrip(".")


def _share_replacements(prepared: list[Prepared], replacements: list[ActivationLike]) -> None:
    """Let the sites with the same replacement have one instance of it; the model is not changed.

    Raises:
        SwapError: Their places differ in device or type, or hooks would come to lie on one module.
    """
    first: dict[Any, Prepared] = {}
    for one, replacement in zip(prepared, replacements, strict=True):
        shared = first.setdefault(spec_or_none(replacement) or replacement, one)
        if shared is one:
            continue
        paths = [each.located.site.path for each in (shared, one)]
        if history.placement(shared.replacement) != history.placement(one.replacement):
            raise SwapError(f"share='all': {' and '.join(paths)} differ in device or type")
        for path, stood in zip(paths, (shared.exchange.before, one.exchange.before), strict=True):
            if stood is not None and has_hooks(stood):
                raise SwapError(f"share='all': {path} has hooks, which would be called for all sites")
        for parameter, other in zip(shared.replacement.parameters(), one.replacement.parameters(), strict=True):
            parameter.requires_grad = parameter.requires_grad or other.requires_grad
        one.replacement = shared.replacement


def _kept(found: Found, chosen: Sequence[tuple[Located, Any]]) -> list[tuple[CallSite, nn.Module]]:
    """Return further calls of modules that are swapped, which are left themselves: they go on calling the original."""
    swapped = {one.site.path for one, _ in chosen}
    slots = {slot for one, _ in chosen if isinstance(one, ModuleSite) for slot in one.slots}
    return [
        (one, one.module)
        for one in found.located
        if isinstance(one, CallSite) and one.module is not None and one.site.path not in swapped
        if (one.owner, one.route.child) in slots
    ]


def _in_place_before(chosen: Sequence[Located]) -> list[str]:
    """Return a note on modules that work in place, whose input something else may read: without a run nobody knows."""
    paths = [
        located.site.path
        for located in chosen
        if works_in_place_there(located)
        if any(may_read_what_it_writes(parent, name) for parent, name in _slots(located))
    ]
    return [
        f"{listed(paths)} worked in place, and what stands there now does not: where something else reads the same input "
        "afterwards, the network computes something else; example_input= tells whether it does"
    ] if paths else []  # fmt: skip


def _slots(located: Located) -> Sequence[tuple[nn.Module, str]]:
    if isinstance(located, ModuleSite):
        return located.slots
    return [(located.owner, located.route.child or "")] if isinstance(located, CallSite) else []


def _passed_through(model: nn.Module, chosen: Sequence[Located]) -> list[str]:
    """Return a note on code that goes through the modules in others, where it meets what stands for calls."""
    owners = [located.owner for located in chosen if not isinstance(located, ModuleSite)]
    shown = {"modules", "named_modules", "_modules"} if owners else set()
    if any(isinstance(owner, torch.fx.GraphModule) for owner in owners):
        shown |= set(TRAVERSALS)
    readings = (reading_of(type(module)) for module in model.modules())
    places = dict.fromkeys(
        where for each in readings for traversal, where in each.passes_through.items() if traversal in shown
    )
    return [
        f"{listed(list(places))}: goes through the modules in others, among which is now what stands for calls; "
        "example_input= tells whether that changes what the network computes"
    ] if places else []  # fmt: skip


def _written_back(prepared: Sequence[Prepared]) -> list[str]:
    paths: dict[bool, list[str]] = {True: [], False: []}
    for one in prepared:
        owner, exchange = one.changes[0]
        if isinstance(exchange, CallExchange) and exchange.is_read_elsewhere(owner):
            paths[exchange.write_back].append(one.located.site.path)
    written = (
        f"{listed(paths[True])}: written into the input, as the original works in place and others read it; what forbids "
        "that, as full backward hooks do, needs write_back=False, or exclude= there"
    )
    unwritten = (
        f"{listed(paths[False])}: worked in place, and what stands there now does not: what else reads the same input "
        "sees it as it was before"
    )
    return [note for note, of in ((written, paths[True]), (unwritten, paths[False])) if of]


def _of_calls(chosen: Sequence[tuple[Located, Any]], share: Share) -> list[str]:
    """Return a note on calls that are written once and run several times, where each was to have its own instance."""
    if share != "call":
        return []
    paths = [one.site.path for one, _ in chosen if (one.site.calls or 0) > 1 or _is_in_loop(one)]
    return [
        f"{listed(paths)}: written once and run several times in a pass, by a loop or because a module around it is called "
        "again, so that one instance serves them all"
    ] if paths else []  # fmt: skip


def _size_lazy_modules(example: Example, prepared: list[Prepared]) -> None:
    """Run the model once, so that replacements with a parameter a channel take their number from it.

    Raises:
        ExampleError: One of them meets inputs of several widths.
    """
    lazy = [one.replacement for one in prepared if isinstance(one.replacement, LazyModuleMixin)]
    try:
        if lazy:
            example.count(lazy)
    except ExampleError as error:
        raise ExampleError(
            f"with a parameter a channel {error}. One "
            'replacement serves inputs of one width: share="call" gives each call, share="place" each place its own'
        ) from error


def _name(exchange: Exchange) -> str:
    """Return what was asked for; a replacement that has been sized since, with its size."""
    sized = describe(exchange.replacement) or ""
    return sized if exchange.requested is None or "per=" in exchange.requested else exchange.requested


def _is_spec(exchange: Exchange) -> bool:
    return exchange.requested is not None and "." not in exchange.requested.partition("(")[0]


def _plan(request: SwapRequest | None, prepared: list[Prepared]) -> Plan | None:
    """Return what was done, as far as it can be named; the exchanges are told too."""
    for one in prepared:
        named = spec_or_none(one.replacement) is not None or _is_spec(one.exchange)
        for _, exchange in one.changes:
            exchange.spec = _name(one.exchange) if named else None
    if request is None or any(one.exchange.spec is None for one in prepared):
        return None
    sites = [
        PlannedSite(
            one.located.site.paths if one.exchange.route is None else one.located.site.paths[:1],
            one.exchange.was,
            one.exchange.spec or "",
            one.exchange.route,
        )
        for one in prepared
    ]
    return Plan(request, tuple(sites))
