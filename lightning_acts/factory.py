"""From what names an activation to its module, and back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, Union

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.hints import canonical
from lightning_acts.kernels.backends import Backend, plain_class, with_backend
from lightning_acts.module import FunctionActivation, build
from lightning_acts.registry import by_callable, by_name, by_target, is_registered, refuse_nameless, version
from lightning_acts.spec import ActivationSpec, SpecError, SpecValue

#: Everything that names an activation: a name or spec string, a mapping as YAML gives it, a spec, a module class, a
#: function, a ready module.
ActivationLike: TypeAlias = Union[
    str, Mapping[str, Any], ActivationSpec, type[nn.Module], Callable[..., Any], nn.Module
]


def create(activation: ActivationLike, /, *, backend: Backend | None = None, **parameters: Any) -> nn.Module:
    """Make an activation.

    Args:
        activation: A name (``"mish"``), a spec string (``"elu(alpha=0.5)"``), a mapping (``{"name": "elu", "alpha":
            0.5}``), a spec object, a module class, a function of a tensor, or a ready module, which is returned as it
            is. Names match without regard to case, ``-`` and ``_``.
        backend: How it is run; what it computes, its class, its parameters and its ``state_dict`` do not depend on it.
            ``"torch"``, the default: as the class computes. ``"eager"``: by the formula with the fewest operations.
            ``"lean"``: so too, but the backward keeps the input alone and computes the rest again. ``"compiled"``: in one
            kernel a pass, which keeps the input alone too. ``"auto"``: what is fastest, by the size of each tensor.
            Where torch's own operator takes one kernel a pass anyway, it stays. ``"lean(bits=2)"``, with 1 to 4 bits: the
            output is exact, the backward keeps the derivative alone, rounded to so many bits: an approximation.
        parameters: Parameters of the activation, beside those in the spec.

    Returns:
        The module: torch's own class where torch has one, with a backend a subclass of it.

    Raises:
        SpecError: The name, the backend or a parameter is unknown, or a value is not allowed; or few bits are asked for
            an activation that learns.
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
    module = _created(activation, parameters)
    if backend is None:
        return module
    definition = definition_for(module)
    if definition is None:
        raise SpecError(f"backend={backend!r}: {type(module).__name__} is no registered activation; see acts.register")
    return with_backend(module, definition, backend)


def _created(activation: ActivationLike, parameters: Mapping[str, Any]) -> nn.Module:
    refuse_nameless(activation)
    if isinstance(activation, nn.Module):
        if parameters:
            raise SpecError(f"{activation!r} is a module already: it takes no parameters ({', '.join(parameters)})")
        return activation
    if isinstance(activation, type) and issubclass(activation, nn.Module) and by_target(activation) is None:
        return activation(**parameters)
    definition, given = _resolve(activation, parameters)
    return build(definition, given)


def resolve(activation: ActivationLike, /, **parameters: Any) -> ActivationSpec:
    """Return the checked spec of an activation, under its own name; nothing is built.

    Args:
        activation: As for :func:`create`, but registered.
        parameters: Parameters of the activation, beside those in the spec.

    Raises:
        SpecError: As :func:`create`, or the activation is not registered and so has no spec.

    Example:
        >>> str(resolve("Swish"))
        'silu'
    """
    if isinstance(activation, nn.Module):
        spec = spec_of(activation)
        if spec is None or parameters:
            raise SpecError(f"{activation!r} is not a registered activation, so it has no spec; see acts.register")
        return spec
    definition, given = _resolve(activation, parameters)
    if not is_registered(definition):
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


def spec_of(module: nn.Module) -> ActivationSpec | None:
    """Return the spec that makes this module, parameters at their defaults left out.

    None if its exact type is not registered.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> str(acts.spec_of(nn.LeakyReLU(0.2)))
        'leaky_relu(negative_slope=0.2)'
        >>> acts.spec_of(nn.Dropout()) is None
        True
    """
    if isinstance(module, FunctionActivation):
        own = module.definition
        return ActivationSpec(own.name, module.given) if is_registered(own) else None
    definition = definition_for(module)
    if definition is None:
        return None
    lazy = definition.per_channel is not None and isinstance(module, definition.per_channel)
    parameters: dict[str, SpecValue] = {"per": "channel"} if lazy else {}
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
    """Return the definition of which a module is an instance, by its exact type; None if there is none."""
    if isinstance(module, FunctionActivation):
        return module.definition
    cls = type(module)
    if is_parametrized(module):  # torch has put a subclass of its own in the place of the class
        cls = cls.__bases__[0]
    return by_target(plain_class(cls))


def _plain(value: Any, annotation: Any) -> Any:
    """Return the value of a parameter as a literal; ``REQUIRED`` where the attribute holds something else."""
    if annotation is bool:  # nn.Linear keeps a tensor, or None, under the name of its flag `bias`
        return value is not None and value is not False
    if isinstance(value, nn.Parameter):
        return REQUIRED
    if hasattr(value, "item") and getattr(value, "size", None) is not None:
        value = value.item() if getattr(value, "ndim", 0) == 0 else REQUIRED
    return value if isinstance(value, (bool, int, float, str, tuple, type(None))) else REQUIRED


def definition_of(activation: Any) -> Definition:
    """Return the definition behind anything that names an activation, whatever its parameters."""
    if isinstance(activation, str):
        return _definition_of_text(activation, version())
    return _resolve(activation, {}, check=False)[0]


@functools.lru_cache(maxsize=4096)
def _definition_of_text(text: str, version: int) -> Definition:
    return _resolve(text, {}, check=False)[0]


def _resolve(activation: Any, parameters: Mapping[str, Any], check: bool = True) -> tuple[Definition, dict[str, Any]]:
    if isinstance(activation, (str, Mapping, ActivationSpec)):
        spec = _as_spec(activation)
        twice = sorted(set(spec.parameters) & set(parameters))
        if twice:
            raise SpecError(f"{', '.join(twice)}: given both in {str(spec)!r} and beside it")
        definition = by_name(spec.name)
        pinned = next((p for name, p in definition.variants.items() if canonical(name) == canonical(spec.name)), {})
        given = {**pinned, **spec.parameters, **ActivationSpec(definition.name, parameters).parameters}
    else:
        given = dict(parameters)
        definition = by_callable(activation)
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
