"""Every site of a model."""

from __future__ import annotations

import functools
import itertools
import types
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
import torch.fx
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from lightning_acts import factory
from lightning_acts.measuring import is_bounded
from lightning_acts.surgery.example import Example
from lightning_acts.surgery.finding.located import AttributeSite, CallSite, Located, ModuleSite
from lightning_acts.surgery.finding.observing import FunctionObserver, Observation, SeenCall, observe
from lightning_acts.surgery.finding.separating import Part, separated
from lightning_acts.surgery.naming import type_name
from lightning_acts.surgery.recognizing.calls import (
    DOUBT_OF_CLAMPS,
    DOUBT_OF_EVERYDAY,
    Applied,
    applied,
    is_candidate,
    name_of,
    works_in_place,
)
from lightning_acts.surgery.recognizing.modules import blend_in_words, recognize
from lightning_acts.surgery.recognizing.uses import Destination
from lightning_acts.surgery.request import Share
from lightning_acts.surgery.rewriting import graphs
from lightning_acts.surgery.rewriting.classes import base_of, reading_of, routes_of
from lightning_acts.surgery.rewriting.reading import (
    OF_ATEN,
    AttributeCall,
    Call,
    calls_of,
    forget_changed,
    is_helper,
    may_apply,
    method_of,
)
from lightning_acts.surgery.roles.dataflow import Flow
from lightning_acts.surgery.roles.structure import chain_to, has_parameters, is_metric, role_of
from lightning_acts.surgery.roles.usage import Key, Usage
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION, LeftSite, Role, Site
from lightning_acts.surgery.source.functions import UNKNOWN
from lightning_acts.surgery.turns import one_at_a_time
from lightning_acts.surgery.wrappers import plain_path

# Where a function stands between layers, it is an activation for certain.
_DOUBTS = (DOUBT_OF_CLAMPS, DOUBT_OF_EVERYDAY)
# What torch itself keeps in modules.
_OF_TORCH = frozenset(vars(nn.Module()))

_Function = TypeVar("_Function", CallSite, AttributeSite)


@dataclass(frozen=True)
class Found:
    """All sites of a model: those that can be replaced, and others, which are reported with the reason.

    Attributes:
        located: Those that can be replaced, or may be.
        others: Those that can't.
        notes: What else should be known.
        was_run: Whether the model ran on an example.
        was_read: Whether nothing is left that neither a run nor the source has shown.
    """

    located: list[Located]
    others: list[LeftSite]
    notes: list[str]
    was_run: bool
    was_read: bool

    @property
    def sites(self) -> list[Site]:
        """All of them."""
        return [*(located.site for located in self.located), *(left.site for left in self.others)]

    @property
    def activation_modules(self) -> set[nn.Module]:
        """The modules among them, and those that they are made of."""
        found = (located.module for located in self.located if isinstance(located, ModuleSite))
        return {part for module in found for part in module.modules()}


@one_at_a_time
def find(model: nn.Module, example_input: Any = None) -> list[Site]:
    """Return the sites of a model: where it applies activations, which ones, and in which role.

    Args:
        model: Any module; it is left as it was.
        example_input: A batch for it: a tensor, a tuple of positional or a mapping of keyword arguments. With it,
            calls that the source alone does not show are found too, and calls are counted.

    Raises:
        SwapError: The model does not run on ``example_input``.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.Softmax(dim=1))
        >>> for site in acts.find(model):
        ...     print(site)
        1: relu, module, hidden (unbounded)
        3: softmax(dim=1), module, output (normalizes, last of the model)
    """
    return locate(model, None if example_input is None else Example(model, example_input)).sites


def locate(model: nn.Module, example: Example | None = None, share: Share = "site") -> Found:
    """As :func:`find`, with the modules and their slots; each place or call a site of its own, if ``share`` says so."""
    with separated(model, share) as (parts, notes):
        found = _locate(model, example)
    located = [
        _part(one, parts[one.module]) if isinstance(one, ModuleSite) and one.module in parts else one
        for one in found.located
    ]
    return replace(found, located=located, notes=[*found.notes, *notes])


def _part(located: ModuleSite, part: Part) -> Located:
    """Return the site that a stand-in was."""
    if part.route is None:
        return replace(located, module=part.module, is_part=True)
    owner = located.path_in_tree.rpartition(".")[0]
    path = f"{plain_path(owner)}/self.{part.name}/{part.index}".lstrip("/")
    whole = (f"{path.rpartition('.')[0]}.{part.name}".lstrip(".") for path in located.site.paths)
    site = replace(located.site, path=path, paths=(path, *whole), location=part.location)
    return CallSite(site, part.owner, owner, part.route, part.submodule, module=part.module)


def _locate(model: nn.Module, example: Example | None) -> Found:
    names: dict[nn.Module, list[str]] = {}
    slots: dict[nn.Module, dict[tuple[int, str], tuple[nn.Module, str]]] = {}
    specs: dict[nn.Module, str | None] = {}
    for name, parent, child, module in _walk(model, specs):
        names.setdefault(module, []).append(name)
        slots.setdefault(module, {})[id(parent), child] = (parent, child)
    within = {part for module, spec in specs.items() if spec is not None for part in list(module.modules())[1:]}
    modules = []
    for module, paths in names.items():
        activation = specs[module]
        if activation is None:
            continue
        role, reason = role_of(activation, chain_to(model, paths[0]))
        plain = tuple(plain_path(path) for path in paths)
        blend = blend_in_words(module)
        site = Site(plain[0], plain, "module", activation, role, reason, type_name(type(module)), blend=blend)
        modules.append(ModuleSite(site, module, paths[0], tuple(slots[module].values()), is_part=module in within))
    activations = {located.module: located.site.activation for located in modules}
    parts = within - set(names)
    read = {type(m) for m in model.modules() if m not in activations and m not in parts and not is_metric(m)}
    forget_changed({base_of(cls) for cls in read})
    kept, sets = _kept_beside(model, activations), any(reading_of(cls).stores for cls in read)
    modules = [
        replace(
            located, obstacle=(_set_again(model, names[located.module]) if sets else None) or kept.get(located.module)
        )
        for located in modules
    ]
    observation = Observation()
    if example is not None:
        observation = observe(example, activations, parts)
        modules = [_observed(located, model, observation) for located in modules]
    activations |= dict.fromkeys(parts, UNKNOWN_ACTIVATION)
    of_source = Usage(model, activations, _spec_of)
    usage = of_source if example is None else None
    if usage is not None:
        modules = [_as_used(located, usage) for located in modules]
    compared = _compared_by_others(model)
    attributes = list(_function_attributes(model, activations, compared))
    calls: Iterable[CallSite] = _call_sites(model, activations, observation, compared)
    if usage is not None:
        attributes = [_attribute_as_used(located, usage) for located in attributes]
    calls = [
        _call_as_used(located, of_source) if usage is not None or located.obstacle == OF_ATEN else located
        for located in calls
    ]
    scripted = [name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    notes = [f"{name}: TorchScript, whose activations can't be seen" for name in scripted]
    others = list(_in_kernels(model))
    unread = list(_unread(model, activations)) if example is None else []
    notes = [*(example.notes if example else ()), *notes, *unread]
    functions = [known for located in _merged(attributes, calls) if (known := _without_doubt(located)) is not None]
    return Found([*modules, *functions], others, notes, example is not None, not unread)


def _spec_of(value: Any) -> str | None:
    found = _applied_by(value)
    return None if found is None else found.spec


def _without_doubt(located: Located) -> Located | None:
    """Return what is an activation; None for a function with many other uses, unless nothing but GELU is made of it."""
    site = located.site
    if isinstance(located, ModuleSite) or located.doubt != DOUBT_OF_EVERYDAY:
        return located
    if site.activation != "erf" or not isinstance(located, CallSite):
        return None
    role, reason = role_of(UNKNOWN_ACTIVATION, ())
    obstacle = "part of a formula that is written out, such as that of GELU"
    return replace(
        located, site=replace(site, activation=UNKNOWN_ACTIVATION, role=role, reason=reason), obstacle=obstacle
    )


def _as_used(located: ModuleSite, usage: Usage) -> ModuleSite:
    return replace(located, site=_used(located.site, usage, located.slots[0][0], located.module))


def _attribute_as_used(located: AttributeSite, usage: Usage) -> AttributeSite:
    key = (located.owner, located.attribute)
    return _certain(located, usage, key) or replace(located, site=_used(located.site, usage, located.owner, key))


def _call_as_used(located: CallSite, usage: Usage) -> CallSite:
    if isinstance(located.owner, torch.fx.GraphModule):
        return located
    key = located.route.steps[-1]
    return _certain(located, usage, key) or replace(located, site=_used(located.site, usage, located.owner, key))


def _certain(located: _Function, usage: Usage, key: Key) -> _Function | None:
    """Return a doubtful function as the activation that it is between layers; None where it is not doubtful or there."""
    if located.doubt not in _DOUBTS or not usage.is_between_layers(located.owner, key):
        return None
    return replace(located, site=replace(located.site, role="hidden", reason="goes into a layer"), doubt=None)


def _used(site: Site, usage: Usage, owner: nn.Module, key: Key) -> Site:
    """Return a site without a run: what its source settles goes before what the structure shows."""
    if site.role not in ("hidden", "attention"):
        return site
    role, reason = usage.role_of(owner, key) or (site.role, site.reason)
    return replace(site, role=role, reason=reason)


def _unread(model: nn.Module, activations: Collection[nn.Module]) -> Iterator[str]:
    """Yield what could not be read, in words: a note for each class."""
    tree, by_class = set(model.modules()), dict[type[nn.Module], list[nn.Module]]()
    for module in model.modules():
        if module not in activations and not is_metric(module) and not isinstance(module, torch.jit.ScriptModule):
            by_class.setdefault(type(module), []).append(module)
    for cls, modules in by_class.items():
        reading, name = reading_of(cls), type_name(base_of(cls))
        for function, reason in reading.unread.items():
            yield f"{name}: {function} can't be read: {reason}; example_input= shows its calls"
        kept = (f"in {attribute!r}" for module in modules if (attribute := _keeps_functions(module, tree)) is not None)
        if (place := next(itertools.chain(reading.lookups, kept), None)) is not None:
            yield f"{name}: applies functions that only a run tells ({place}): example_input= shows them"


def seen_calls(model: nn.Module, observer: FunctionObserver) -> list[Site]:
    """Return the calls of activations in a model's code, those that an observer saw included."""
    observation = Observation(functions=observer.seen, flow=observer.flow)
    activations = dict.fromkeys(observer.activation_modules, "")
    calls = _call_sites(model, activations, observation, _compared_by_others(model))
    return [known.site for call in calls if (known := _without_doubt(call)) is not None]


def _observed(located: ModuleSite, model: nn.Module, observation: Observation) -> ModuleSite:
    assert observation.flow is not None
    module, site = located.module, located.site
    chain = chain_to(model, located.path_in_tree)
    role, reason = role_of(site.activation, chain, observation.flow.role_of(module))
    again = None
    if any(parent._modules.get(name) is not module for parent, name in located.slots):
        again = f"{_SET_AGAIN}, as the run has shown"
    site = replace(site, calls=observation.calls[module], role=role, reason=reason)
    return replace(located, site=site, obstacle=located.obstacle or again)


_SET_AGAIN = "the model sets it again when it runs, and what a swap puts there would not stay"


def _set_again(model: nn.Module, paths: Iterable[str]) -> str | None:
    """Return where the source says that a forward sets what is at a path again; None if it does not."""
    for names in (path.split(".") for path in paths):
        parent: Any = model
        for depth, name in enumerate(names):
            stores = reading_of(type(parent)).stores
            where = stores.get(".".join(names[depth:])) or stores.get(f"*.{names[-1]}")
            if where is not None:
                return f"{_SET_AGAIN} ({where})"
            parent = parent._modules.get(name)
    return None


def _kept_beside(model: nn.Module, activations: Collection[nn.Module]) -> dict[nn.Module, str]:
    """Return the modules that forwards may take from elsewhere than from the children, each with where, in words."""
    kept: dict[nn.Module, str] = {}
    owners = [(name, m) for name, m in model.named_modules() if m not in activations and not is_metric(m)]
    readings = {type(owner): reading_of(type(owner)) for _, owner in owners}
    mentioned = {name for reading in readings.values() for name in reading.names}
    for name, owner in owners:
        may_read_all = readings[type(owner)].unread
        read = [(key, value) for key, value in _own_attributes(owner) if key in mentioned or may_read_all]
        for attribute, value in (*read, *(("forward hooks", hooks) for hooks in _hooks_of(owner))):
            for path, held in _elements(value, within_objects=True):
                module = held.__self__ if isinstance(held, types.MethodType) else held
                if isinstance(module, nn.Module) and module is not owner:
                    place = plain_path(f"{name}.{attribute}".lstrip(".")) + path
                    kept[module] = f"{place} holds it too, from where the original would run after a swap"
    return kept


def _call_sites(
    model: nn.Module, activations: Mapping[nn.Module, str], observation: Observation, compared: Mapping[type, str]
) -> Iterator[CallSite]:
    """Yield the calls in the modules' code, and those that were seen besides; a path is ``owner/function/index``."""
    flow = observation.flow
    ran: dict[int, list[SeenCall]] = {}
    for entry in observation.functions:
        ran.setdefault(id(entry.owner), []).append(entry)
    for name, module in model.named_modules():
        if module in activations or is_metric(module):
            continue
        replaced = {entry.route for entry in routes_of(type(module))}
        seen = [entry for entry in ran.get(id(module), []) if entry.call.route not in replaced]
        is_graph = isinstance(module, torch.fx.GraphModule)
        calls = graphs.calls_of(module) if is_graph else reading_of(type(module)).calls
        written = [call for call in calls if call.route not in replaced]
        entries = _matched(module, written, seen)
        indices: Counter[str] = Counter()
        for entry in entries:
            call = entry.call
            index = indices[call.name]
            indices[call.name] += 1
            path = f"{plain_path(name)}/{call.name}/{index}".lstrip("/")
            doubt = _doubt_of_call(entry, flow)
            role, reason = _role_of_call(entry, doubt, model, name, flow)
            count = entry.count if flow is not None and call.obstacle != OF_ATEN else None  # a run does not show those
            site = Site(path, (path,), call.kind, call.spec, role, reason, call.route.callee, count, call.location)
            obstacle = entry.obstacle or call.obstacle or compared.get(base_of(type(module)))
            yield CallSite(
                site, module, name, call.route, f"{call.name}_{index}", obstacle, call.is_formula, doubt=doubt
            )


def _compared_by_others(model: nn.Module) -> dict[type, str]:
    """Return the classes that the code of other modules compares with theirs, each with what that means for a swap.

    A module that compares its own sees there what the author wrote.
    """
    return {
        cls: f"the code at {where} compares its class, in whose place a swap puts another"
        for other in {base_of(type(module)) for module in model.modules()}
        for cls, where in reading_of(other).classes.items()
        if cls is not other
    }


def _matched(owner: nn.Module, written: list[Call], seen: list[SeenCall]) -> list[SeenCall]:
    """Return the calls that are written, with what was seen of them, and then what was seen besides."""
    by_route = {entry.call.route: entry for entry in seen}
    known = {call.route for call in written}
    # A function that a variable stands for, as in a loop over functions, is reached in the source by its own name.
    by_end: dict[Any, list[Call]] = {}
    for call in written:
        if call.route not in by_route and call.route.steps:
            by_end.setdefault((call.route.steps[-1], call.route.callee), []).append(call)
    for entry in seen:
        route = entry.call.route
        ends = by_end.get((route.steps[-1], route.callee), []) if route.steps and route not in known else []
        if len(ends) == 1:
            by_route[ends[0].route] = entry
            entry.call = ends[0]
    matched = [by_route.get(call.route) or SeenCall(owner, call) for call in written]
    return [*matched, *(entry for entry in seen if entry.call.route not in known)]


def _is_followed(entry: SeenCall, flow: Flow | None) -> bool:
    return flow is not None and entry.count > 0 and flow.follows(id(entry))


def _doubt_of_call(entry: SeenCall, flow: Flow | None) -> str | None:
    """Return why a call may be no activation; None where nothing says so, or its result goes into layers."""
    if entry.call.is_everyday and (flow is None or not flow.is_between_layers(id(entry))):
        return DOUBT_OF_EVERYDAY
    if flow is not None and _is_followed(entry, flow) and flow.feeds_layers(id(entry)):
        return None
    return entry.call.doubt


def _role_of_call(
    entry: SeenCall, doubt: str | None, model: nn.Module, name: str, flow: Flow | None
) -> tuple[Role, str]:
    call = entry.call
    if flow is None or not _is_followed(entry, flow):
        return _role_as_written(call.spec, doubt, [call.destination], (model, name, entry.owner), call.gates_itself)
    if doubt is not None:
        return "output", f"in doubt: {doubt}, and its result goes into no layer"
    chain = _chain_of_returned(model, name, entry.owner) if call.destination == "returned" else []
    return role_of(call.spec, chain, flow.role_of(id(entry)))


def _role_as_written(
    spec: str,
    doubt: str | None,
    destinations: Sequence[Destination | None],
    place: tuple[nn.Module, str, nn.Module],
    gates_itself: bool = False,
) -> tuple[Role, str]:
    """Return the role of a function, as far as the source tells.

    ``place`` is the model, the path of the owner, the owner.
    """
    if doubt:
        return "output", f"in doubt: {doubt}"
    chain = _chain_of_returned(*place) if "returned" in destinations else []
    feeds_layers = bool(destinations) and all(_are_layers(destination, place[2]) for destination in destinations)
    role, reason = role_of(spec, chain, feeds_layers=feeds_layers)
    if gates_itself and spec != UNKNOWN_ACTIVATION and is_bounded(factory.definition_of(spec)):
        return "gate", "multiplied with its own input, as part of another activation"
    return role, reason


def _are_layers(destination: Destination | None, owner: nn.Module) -> bool:
    """Check whether a value goes into modules with parameters alone: dropout, pooling and losses are none."""
    if destination is None or destination == "returned":
        return False
    into = [owner._modules.get(name) if "." not in name else owner.get_submodule(name) for name in destination if name]
    return all(module is not None and has_parameters(module) for module in into)


def _chain_of_returned(model: nn.Module, name: str, owner: nn.Module) -> list[tuple[nn.Module, str | None]]:
    return [*(chain_to(model, name) if name else []), (owner, None)]


def _merged(attributes: list[AttributeSite], calls: Iterable[CallSite]) -> list[Located]:
    """Both kinds of functions, where the calls of one that is kept in an attribute are not a second site."""
    remaining = list(calls)
    merged: list[Located] = []
    for attribute in attributes:
        own = [call for call in remaining if call.owner is attribute.owner and _calls_attribute(call, attribute)]
        if attribute.first_obstacle() is not None and any(call.route.steps for call in own):
            continue  # the calls can be replaced where the attribute can't
        remaining = [call for call in remaining if call not in own]
        merged.append(_with_calls(attribute, own) if own else attribute)
    return [*merged, *remaining]


def _with_calls(attribute: AttributeSite, own: list[CallSite]) -> AttributeSite:
    """Return the site of an attribute, with what a run has shown of its calls."""
    ran = [call for call in own if call.site.calls]
    site = replace(attribute.site, calls=sum(call.site.calls or 0 for call in ran))
    if not ran:
        return replace(attribute, site=site)
    specs = {call.site.activation for call in ran}
    roles = dict.fromkeys((call.site.role, call.site.reason) for call in ran)
    if len(specs) == 1:
        site = replace(site, activation=specs.pop())
    if len({role for role, _ in roles}) > 1:
        shown = ", ".join(f"{role} ({reason})" for role, reason in roles)
        site = replace(site, role="output", reason=f"in doubt: its calls differ: {shown}")
        return replace(attribute, site=site, doubt=next((call.doubt for call in ran if call.doubt), None))
    role, reason = next(iter(roles))
    return replace(attribute, site=replace(site, role=role, reason=reason), doubt=ran[0].doubt)


def _calls_attribute(call: CallSite, attribute: AttributeSite) -> bool:
    if call.route.steps:
        called = call.route.steps[-1].code.partition("(")[0]
        # By its name, or by a variable that holds it.
        is_variable = called.isidentifier() and call.route not in {
            written.route for written in reading_of(type(call.owner)).calls
        }
        return called.endswith(f".{attribute.attribute}") or (is_variable and call.site.type == attribute.site.type)
    return call.site.type == attribute.site.type  # within torch's own code, where no step is told


def _in_kernels(model: nn.Module) -> Iterator[LeftSite]:
    """Yield the activations of recurrent layers and of torch's attention, which no tool can reach."""
    for name, module in model.named_modules():
        role: Role
        if isinstance(module, (nn.RNN, nn.RNNCell)):
            kinds, role, reason = [str(module.nonlinearity)], "hidden", "of a recurrent layer"
        elif isinstance(module, (nn.LSTM, nn.LSTMCell, nn.GRU, nn.GRUCell)):
            kinds, role, reason = ["sigmoid", "tanh"], "gate", "of a recurrent layer"
        elif isinstance(module, nn.MultiheadAttention):
            kinds, role, reason = ["softmax(dim=-1)"], "attention", "normalizes the scores"
        else:
            continue
        for kind in kinds:
            path = f"{plain_path(name)}/{kind.partition('(')[0]}".lstrip("/")
            site = Site(path, (path,), "function", kind, role, reason, type_name(type(module)))
            yield LeftSite(site, f"computed inside the kernel of {type_name(type(module))}: it can't be swapped")


def _walk(
    model: nn.Module, specs: dict[nn.Module, str | None], prefix: str = ""
) -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """Yield every slot below ``model``, undeduplicated: path, parent, name in the parent, module.

    ``specs`` gets its activation.

    Metrics are left out, and what an activation is made of.
    """
    for name, child in model._modules.items():
        if child is None or is_metric(child) or isinstance(child, ParametrizationList):
            continue
        path = f"{prefix}{name}"
        if isinstance(child, torch.jit.ScriptModule):
            continue
        if child not in specs:
            specs[child] = recognize(child)
        yield path, model, name, child
        if specs[child] is None:
            yield from _walk(child, specs, f"{path}.")


def _function_attributes(
    model: nn.Module, activations: Mapping[nn.Module, str], compared: Mapping[type, str]
) -> Iterator[AttributeSite]:
    """Activation functions that modules keep in attributes, as ``TransformerEncoderLayer.activation`` does."""
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or is_metric(module) or module in activations:
            continue
        for attribute, value in _own_attributes(module):
            if isinstance(value, (nn.Module, type)) or not callable(value):
                continue
            applied = _applied_by(value)
            if applied is None:
                continue
            path = plain_path(f"{name}.{attribute}" if name else attribute)
            uses = reading_of(type(module)).attributes.get(attribute, [])
            doubt = DOUBT_OF_EVERYDAY if applied.is_everyday else applied.doubt
            destinations = [use.destination for use in uses]
            role, reason = _role_as_written(applied.spec, doubt, destinations, (model, name, module))
            site = Site(path, (path,), "attribute", applied.spec, role, reason, _type_of(value))
            again = _set_again(model, [f"{name}.{attribute}".lstrip(".")])
            obstacle = applied.obstacle or again or _unlike_a_module(value, uses) or compared.get(base_of(type(module)))
            yield AttributeSite(site, module, name, attribute, obstacle, doubt)


def _unlike_a_module(function: Any, uses: Sequence[AttributeCall]) -> str | None:
    """Return why a module would not do in the place of a function; None where it does."""
    if any(use.takes_more for use in uses):
        return "its module calls it with more than its input: example_input= shows the call, which can be replaced"
    bare, given = (function.func, function.keywords) if isinstance(function, functools.partial) else (function, {})
    return "it works in place, which a module there would not" if works_in_place(bare, given) else None


def _keeps_functions(module: nn.Module, tree: Collection[nn.Module]) -> str | None:
    """Return the attribute in which a module keeps functions that apply activations, or modules of no tree; None without."""
    names = reading_of(type(module)).names
    for attribute, value in (*_own_attributes(module), *(("a hook", hooks) for hooks in _hooks_of(module))):
        for key, function in _functions_in(value, names):
            if function not in tree and _applies_one(function, type(module), is_kept_alone=key is None):
                return attribute
    return None


def _own_attributes(module: nn.Module) -> list[tuple[str, Any]]:
    """Return what an author has set in a module, beside its children."""
    return [(name, value) for name, value in vars(module).items() if name not in _OF_TORCH]


def _hooks_of(module: nn.Module) -> list[list[Any]]:
    """Return the functions that are hooked to the forward of a module, those before it and those after it."""
    groups = (module._forward_pre_hooks, module._forward_hooks)
    return [list(group.values()) for group in groups if group]


def _elements(value: Any, within_objects: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield what lies in plain containers, however deep, with the way there as it is written; of anything else the value.

    Args:
        value: A container, or anything else.
        within_objects: Whether to look into partial functions, closures and objects of an author's class too.
    """
    pending: list[tuple[str, Any]] = [("", value)]
    seen: dict[int, Any] = {}
    while pending:
        path, held = pending.pop()
        inner = _contents(held, within_objects)
        if inner is None:
            yield path, held
        elif id(held) not in seen:
            seen[id(held)] = held
            pending += [(path + step, element) for step, element in inner][::-1]


def _contents(held: Any, within_objects: bool) -> list[tuple[str, Any]] | None:
    if isinstance(held, dict):
        return [(f"[{key!r}]", element) for key, element in held.items()]
    if isinstance(held, (list, tuple, set, frozenset)):
        return [(f"[{index}]", element) for index, element in enumerate(held)]
    if not within_objects:
        return None
    if isinstance(held, functools.partial):
        return [(".func", held.func), (".args", held.args), (".keywords", held.keywords)]
    if isinstance(held, types.MethodType) and not isinstance(held.__self__, nn.Module):
        return [(".__self__", held.__self__)]
    if isinstance(held, types.FunctionType) and held.__closure__ and not str(held.__module__).startswith("torch."):
        names = zip(held.__code__.co_freevars, held.__closure__, strict=True)
        return [(f".{name}", cell.cell_contents) for name, cell in names if cell != types.CellType()]
    if is_helper(held) and hasattr(held, "__dict__") and not callable(getattr(held, "__torch_function__", None)):
        return [(f".{name}", element) for name, element in vars(held).items()]
    return None


def _functions_in(value: Any, names: Collection[str]) -> Iterator[tuple[str | None, Any]]:
    """Yield the functions and modules in an attribute, each with its key; None for a function that stands there alone.

    Of an object they are the methods with one of these names.
    """
    if isinstance(value, (types.FunctionType, functools.partial)):
        yield None, value
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        for path, held in _elements(value):
            if isinstance(held, nn.Module) or (callable(held) and not isinstance(held, type)):
                yield path, held.__func__ if isinstance(held, types.MethodType) else held
    elif is_helper(value):
        for name in sorted({"__call__", *names}):
            method = method_of(value, name)
            if method is not None and may_apply(method):
                yield name, method


def _applies_one(function: Any, cls: type[nn.Module], is_kept_alone: bool) -> bool:
    """Check whether a function, or a module, is an activation or applies one."""
    if isinstance(function, nn.Module):
        return any(recognize(module) is not None for module in function.modules())
    applied = _applied_by(function)
    if applied is not None:
        return not is_kept_alone and not applied.is_everyday  # alone, it is a site that can be replaced
    bare = function.func if isinstance(function, functools.partial) else function
    return isinstance(bare, types.FunctionType) and any(not call.is_everyday for call in calls_of(bare, cls))


def _applied_by(function: Any) -> Applied | None:
    if isinstance(function, functools.partial):
        return (
            applied(function.func, [UNKNOWN, *function.args], function.keywords)
            if is_candidate(function.func)
            else None
        )
    return applied(function, [UNKNOWN], {}) if is_candidate(function) else None


def _type_of(function: Any) -> str:
    return name_of(function.func if isinstance(function, functools.partial) else function)
