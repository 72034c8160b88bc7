"""Finding an activation by what it is called, and making it."""

from __future__ import annotations

import copy
import functools
import importlib
import pkgutil
import threading
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, TypeAlias, Union, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from lightning_acts import activations
from lightning_acts.definition import DEFINITIONS, REQUIRED, Definition, Kind, define
from lightning_acts.hints import canonical, did_you_mean
from lightning_acts.measuring import Stability, normal_quadrature
from lightning_acts.module import FunctionActivation, build
from lightning_acts.spec import ActivationSpec, Literal, SpecError

#: Everything that names an activation: a name or spec string, a mapping as YAML gives it, a spec, a module class, a
#: function, a ready module.
ActivationLike: TypeAlias = Union[
    str, Mapping[str, Any], ActivationSpec, type[nn.Module], Callable[..., Any], nn.Module
]

_ENTRY_POINTS = "lightning_acts.activations"


def create(activation: ActivationLike, /, **parameters: Any) -> nn.Module:
    """Make an activation.

    Args:
        activation: A name (``"mish"``), a spec string (``"elu(alpha=0.5)"``), a mapping (``{"name": "elu", "alpha":
            0.5}``), a spec object, a module class, a function of a tensor, or a ready module, which is returned as it
            is. Names match without regard to case, ``-`` and ``_``.
        parameters: Parameters of the activation, beside those in the spec.

    Returns:
        The module: torch's own class where torch has one.

    Raises:
        SpecError: The name or a parameter is unknown, or a value is not allowed.
        TypeError: ``activation`` is none of these things.

    Example:
        >>> import lightning_acts as acts
        >>> acts.create("leaky_relu(negative_slope=0.2)")
        LeakyReLU(negative_slope=0.2)
        >>> acts.create({"name": "celu", "alpha": 0.5})
        CELU(alpha=0.5)
        >>> acts.create("general_hardsigmoid", bias=3, divisor=6)
        general_hardsigmoid(bias=3, divisor=6)
    """
    refuse_nameless(activation)
    if isinstance(activation, nn.Module):
        if parameters:
            raise SpecError(f"{activation!r} is a module already: it takes no parameters ({', '.join(parameters)})")
        return activation
    if isinstance(activation, type) and issubclass(activation, nn.Module) and _by_target(activation) is None:
        return activation(**parameters)
    definition, given = _resolve(activation, parameters)
    return build(definition, given)


def refuse_nameless(activation: Any) -> None:
    """Check that something can name an activation: None, a number or a module that computes nothing can't.

    Raises:
        TypeError: It can't.
    """
    if isinstance(activation, type):
        names_one = issubclass(activation, nn.Module) and activation.forward is not nn.Module.forward
    elif isinstance(activation, nn.Module):
        names_one = getattr(activation.forward, "__func__", None) is not nn.Module.forward
    else:
        names_one = callable(activation) or isinstance(activation, (str, Mapping, ActivationSpec))
    if not names_one:
        raise TypeError(
            f"{activation!r} names no activation: give a name, a spec string, a mapping with 'name', a module class, "
            "a module, or a function of a tensor"
        )


def resolve(activation: ActivationLike, /, **parameters: Any) -> ActivationSpec:
    """The checked spec of an activation, under its own name; nothing is built.

    Args:
        activation: As for :func:`create`, but registered.
        parameters: Parameters of the activation, beside those in the spec.

    Raises:
        SpecError: As :func:`create`, or the activation is not registered and so has no spec.

    Example:
        >>> import lightning_acts as acts
        >>> str(acts.resolve("Swish"))
        'silu'
    """
    if isinstance(activation, nn.Module):
        spec = spec_of(activation)
        if spec is None or parameters:
            raise SpecError(f"{activation!r} is not a registered activation, so it has no spec; see acts.register")
        return spec
    definition, given = _resolve(activation, parameters)
    if DEFINITIONS.get(canonical(definition.name)) is not definition:
        raise SpecError(f"{activation!r} is not registered, so it has no spec; acts.register gives it a name")
    return ActivationSpec(definition.name, given)


def resolve_pattern(activation: ActivationLike, /) -> ActivationSpec:
    """As :func:`resolve`, for a spec that says what to look for: parameters that are not given may be anything.

    Raises:
        SpecError: The name or a parameter is unknown, or a value is of the wrong type.
    """
    if isinstance(activation, nn.Module):
        return resolve(activation)
    definition, given = _resolve(activation, {}, check=False)
    return ActivationSpec(definition.name, definition.check_types(given))


def info(activation: ActivationLike, /) -> Definition:
    """The facts about an activation: formula, source, parameters, range and more; ``print`` shows them.

    Raises:
        SpecError: There is none of this name.

    Example:
        >>> import lightning_acts as acts
        >>> acts.info("mish").formula
        'x * tanh(softplus(x))'
    """
    return definition_of(resolve(activation).name if isinstance(activation, nn.Module) else activation)


def names(
    *,
    family: str | None = None,
    kind: Kind | None = None,
    learnable: bool | None = None,
    stochastic: bool | None = None,
    monotone: bool | None = None,
    bounded: bool | None = None,
    smooth: bool | None = None,
    zero_centred: bool | None = None,
    needs_exp: bool | None = None,
    stability: Stability | None = None,
) -> list[str]:
    """The names of the registered activations, sorted; each filter that is given must hold.

    The last six are measured on the curve at the defaults: activations without one have none of these facts.

    Args:
        family: Their family, such as ``"rectified"``.
        kind: ``"elementwise"``, ``"normalising"``, ``"gated"``, ``"mixing"`` or ``"transfer"``.
        learnable: Whether they have trained parameters.
        stochastic: Whether they are random in training.
        monotone: Whether they never decrease.
        bounded: Whether their values are, on both sides.
        smooth: Whether they are continuously differentiable.
        zero_centred: Whether their mean is 0 for a standard normal input.
        needs_exp: Whether they are made of exponentials.
        stability: What a deep network makes of a deviation of the variance: ``"stable"``, ``"marginal"`` or
            ``"unstable"``, for which no gain keeps the variance. See :func:`lightning_acts.gain`.

    Raises:
        SpecError: No activation is of this family or kind, or the stability is none of the three.

    Example:
        >>> import lightning_acts as acts
        >>> acts.names(kind="transfer")
        ['bilinear_layer', 'linear_layer']
        >>> "relu6" in acts.names(bounded=True, needs_exp=False)
        True
        >>> "gelu" in acts.names(stability="unstable")
        True
    """
    if stability is not None and stability not in get_args(Stability):
        raise SpecError(f"names(stability={stability!r}): one of {', '.join(get_args(Stability))}")
    _load()
    definitions = sorted(set(DEFINITIONS.values()), key=lambda definition: definition.name)
    for what, value in (("family", family), ("kind", kind)):
        existing = sorted({getattr(definition, what) for definition in definitions})
        if value is not None and value not in existing:
            raise SpecError(
                f"no activation is of {what} {value!r}{did_you_mean(value, existing)} There are: {', '.join(existing)}"
            )
    declared = {"family": family, "kind": kind, "learnable": learnable, "stochastic": stochastic}
    measured = {
        "monotone": monotone,
        "bounded": bounded,
        "smooth": smooth,
        "zero_centred": zero_centred,
        "needs_exp": needs_exp,
        "stability": stability,
    }
    return [
        definition.name
        for definition in definitions
        if _has(definition, declared) and (_has(definition.measured, measured) if _any(measured) else True)
    ]


def _any(wanted: Mapping[str, Any]) -> bool:
    return any(value is not None for value in wanted.values())


def _has(facts: object, wanted: Mapping[str, Any]) -> bool:
    return all(value is None or getattr(facts, key, None) == value for key, value in wanted.items())


def nearest(activation: ActivationLike, /, count: int = 5) -> list[tuple[str, float]]:
    """The registered activations whose curves, at their defaults, are closest to that of an activation.

    The distance of f and g is the root of E[(f(z) - g(z))^2], z standard normal.

    Args:
        activation: Anything that :func:`create` takes, if it is elementwise.
        count: How many.

    Returns:
        Names and distances, the closest first; the activation itself is left out.

    Raises:
        SpecError: It is not elementwise, or its name or a parameter is wrong.

    Example:
        >>> import lightning_acts as acts
        >>> acts.nearest("gelu", count=1)
        [('clipped_gelu', 0.0)]
    """
    z, weights = normal_quadrature()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        module = copy.deepcopy(create(activation))
        own = definition_for(module)
        wanted = None if own is not None and own.kind != "elementwise" else _values(module, z)
        if wanted is None:
            raise SpecError(f"{activation!r} is not elementwise: it has no curve to be close to")
        found = []
        for definition in dict.fromkeys(DEFINITIONS.values()):
            if definition is own or definition.kind != "elementwise":
                continue
            if any(entry.default is REQUIRED for entry in definition.parameters):
                continue
            values = _values(build(definition, {}), z)
            if values is not None and values.isfinite().all():
                distance = ((values - wanted) ** 2 * weights).sum().sqrt().item()
                found.append((definition.name, round(distance, 9)))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))[:count]


def _values(module: nn.Module, z: Tensor) -> Tensor | None:
    try:
        values: Tensor = module.double().eval()(z.clone().view(-1, 1, 1)).flatten()
    except Exception:  # it takes other inputs
        return None
    return values if values.shape == z.shape else None


def spec_of(module: nn.Module) -> ActivationSpec | None:
    """The spec that makes this module, parameters at their defaults left out; None if its exact type is not registered.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> str(acts.spec_of(nn.LeakyReLU(0.2)))
        'leaky_relu(negative_slope=0.2)'
        >>> acts.spec_of(nn.Dropout()) is None
        True
    """
    _load()
    definition = definition_for(module)
    if isinstance(module, FunctionActivation):
        is_registered = DEFINITIONS.get(canonical(module.definition.name)) is definition
        return ActivationSpec(module.definition.name, module.given) if is_registered else None
    if definition is None:
        return None
    lazy = definition.per_channel is not None and isinstance(module, definition.per_channel)
    parameters: dict[str, Literal] = {"per": "channel"} if lazy else {}
    for parameter in definition.parameters:
        if parameter.name == "per" or (lazy and parameter.name == "num_parameters"):
            continue
        value = _plain(getattr(module, parameter.name, REQUIRED), parameter.annotation)
        if value is REQUIRED and parameter.default is None and not hasattr(module, parameter.name):
            continue  # an old name of another parameter, as Hardtanh has them
        if value is REQUIRED:  # the class keeps it under another name: it can't be read off
            return None
        if value != parameter.default:
            parameters[parameter.name] = value
    return ActivationSpec(definition.name, parameters)


def definition_for(module: nn.Module) -> Definition | None:
    """The definition of which a module is an instance, by its exact type; None if there is none."""
    if isinstance(module, FunctionActivation):
        return module.definition
    cls = type(module)
    if is_parametrized(module):  # torch has put a subclass of its own in the place of the class
        cls = cls.__bases__[0]
    return _by_target(cls)


def _plain(value: Any, annotation: Any) -> Any:
    """The value of a parameter as a literal; ``REQUIRED`` where the attribute holds something else."""
    if annotation is bool:  # nn.Linear keeps a tensor, or None, under the name of its flag `bias`
        return value is not None and value is not False
    if isinstance(value, nn.Parameter):
        return REQUIRED
    if hasattr(value, "item") and getattr(value, "size", None) is not None:
        value = value.item() if getattr(value, "ndim", 0) == 0 else REQUIRED
    return value if isinstance(value, (bool, int, float, str, tuple, type(None))) else REQUIRED


def definition_of(activation: Any) -> Definition:
    """The definition behind anything that names an activation, whatever its parameters."""
    if isinstance(activation, str):
        return _definition_of_text(activation, version())
    return _resolve(activation, {}, check=False)[0]


@functools.lru_cache(maxsize=4096)
def _definition_of_text(text: str, version: int) -> Definition:
    return _resolve(text, {}, check=False)[0]


def registered(target: Callable[..., Any]) -> Definition | None:
    """The definition of a class or function, or of that which a function is a form of; None if it is not registered."""
    return _by_target(target) or by_function(target)


def by_function(function: Callable[..., Any]) -> Definition | None:
    """The definition of which ``function`` is a functional form: ``F.relu``, ``torch.relu``, ``Tensor.relu_``."""
    _load()
    try:
        return next((d for d in DEFINITIONS.values() if function in d.functions), None)
    except TypeError:  # not comparable
        return None


def _resolve(activation: Any, parameters: Mapping[str, Any], check: bool = True) -> tuple[Definition, dict[str, Any]]:
    _load()
    if isinstance(activation, (str, Mapping, ActivationSpec)):
        spec = _as_spec(activation)
        twice = sorted(set(spec.parameters) & set(parameters))
        if twice:
            raise SpecError(f"{', '.join(twice)}: given both in {str(spec)!r} and beside it")
        definition = _by_name(spec.name)
        pinned = next((p for name, p in definition.variants.items() if canonical(name) == canonical(spec.name)), {})
        given = {**pinned, **spec.parameters, **ActivationSpec(definition.name, parameters).parameters}
    else:
        given = dict(parameters)
        definition = _by_callable(activation)
    return definition, definition.check(given) if check else given


def _as_spec(activation: str | Mapping[str, Any] | ActivationSpec) -> ActivationSpec:
    if isinstance(activation, ActivationSpec):
        return activation
    if isinstance(activation, str):
        return ActivationSpec.parse(activation)
    given = {str(key): value for key, value in activation.items()}
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise SpecError(
            f"{dict(activation)!r}: a mapping names its activation under 'name', as in {{'name': 'elu', 'alpha': 0.5}}"
        )
    return ActivationSpec(name, given)


def _by_name(name: str) -> Definition:
    definition = DEFINITIONS.get(canonical(name))
    if definition is None:
        hint = did_you_mean(name, {alias for d in DEFINITIONS.values() for alias in d.all_names})
        raise SpecError(
            f"there is no activation {name!r}{hint} acts.names() lists all {len(set(DEFINITIONS.values()))}."
        )
    return definition


def _by_callable(activation: Any) -> Definition:
    refuse_nameless(activation)
    definition = _by_target(activation)
    if definition is not None:
        return definition
    if isinstance(activation, type):
        raise TypeError(f"{activation!r} is not registered: acts.register makes it an activation with a name")
    definition = by_function(activation)
    if definition is None and (public := _public_name(activation)):
        return _by_name(public)
    return definition or _unregistered(activation)


def _public_name(function: Any) -> str | None:
    """Return the name of an ATen operation or a private function of torch without its underscores; None for others."""
    name = getattr(getattr(function, "overloadpacket", function), "__name__", "")
    owner = getattr(function, "__module__", None) or getattr(getattr(function, "__self__", None), "__module__", None)
    operation = isinstance(function, (torch._ops.OpOverload, torch._ops.OpOverloadPacket))
    private = name.startswith("_") and (owner or "").partition(".")[0] == "torch"
    return name.strip("_").removesuffix("_kernel") if operation or private else None


@functools.lru_cache(maxsize=256)
def _unregistered(function: Callable[..., Any]) -> Definition:
    name = getattr(function, "__name__", "")
    try:
        return define(function, name=name if name.isidentifier() else type(function).__name__)
    except ValueError as error:
        raise SpecError(str(error)) from None


def _by_target(target: Any) -> Definition | None:
    return _targets(version()).get(id(target))


@functools.lru_cache(maxsize=1)
def _targets(version: int) -> dict[int, Definition]:
    found: dict[int, Definition] = {}
    for definition in definitions():
        found.setdefault(id(definition.target), definition)
        if definition.per_channel is not None:
            found.setdefault(id(definition.per_channel), definition)
    return found


def definitions() -> list[Definition]:
    """Every registered definition, each once."""
    _load()
    return list(dict.fromkeys(DEFINITIONS.values()))


def version() -> int:
    """A number that changes with the registry: what was derived from it before is out of date."""
    _load()
    return DEFINITIONS.version


class _Reading(threading.local):
    def __init__(self) -> None:
        self.now: set[Callable[[], None]] = set()


_READING = _Reading()
_READ: set[Callable[[], None]] = set()


def _load() -> None:
    load_shipped()
    _once(_read_plugins)


def load_shipped() -> None:
    """Read the definitions that ship, unless it is done, so that no other can take their names before."""
    _once(_read_shipped)


def _once(read: Callable[[], None]) -> None:
    # What is being read in this thread registers, and may look up what was read before it.
    if read in _READ or read in _READING.now:
        return
    _READING.now.add(read)
    try:
        read()
        _READ.add(read)
    finally:
        _READING.now.discard(read)


def _read_shipped() -> None:
    for module in pkgutil.iter_modules(activations.__path__, activations.__name__ + "."):
        importlib.import_module(module.name)


def _read_plugins() -> None:
    """Read the activations of other installed packages."""
    for entry_point in entry_points(group=_ENTRY_POINTS):
        try:
            importlib.import_module(entry_point.module)  # to be imported is all that it has to do
        except Exception as error:  # another package's fault must not take ours down
            warnings.warn(
                f"activations of {entry_point.value!r} (entry point {entry_point.name!r}) are missing: "
                f"{type(error).__name__}: {error}",
                stacklevel=5,
            )
