"""What one activation is: its formula in code, and the facts about it.

Everything else is derived from a :class:`Definition`: the module, the look-up, the checks of parameters, the way the
activation is recognized in a model, the pictures. Whoever adds an activation writes one and touches nothing else.
"""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from lightning_acts.hints import did_you_mean
from lightning_acts.spec import SpecError

Kind = Literal["elementwise", "normalizing", "gated", "mixing", "transfer"]
Per = Literal["layer", "channel"]
Constraint = Literal["positive"] | tuple[float, float] | None

#: Stands for the default of a parameter that must be given.
REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Learnable:
    """A parameter that is trained: its initial value, how many there are, and where it must stay. See :func:`learnable`."""

    init: float | tuple[float, ...]
    per: Per
    dim: int
    constraint: Constraint

    def __str__(self) -> str:
        size = "one a layer" if self.per == "layer" else f"one a channel, in dimension {self.dim}"
        if self.constraint is None:
            return f"learnable, {size}"
        kept = "positive" if self.constraint == "positive" else f"between {self.constraint[0]} and {self.constraint[1]}"
        return f"learnable, {size}, kept {kept}"


def learnable(init: float | Sequence[float], *, per: Per = "layer", dim: int = 1, constraint: Constraint = None) -> Any:
    r"""Declare a parameter of an activation as trained, in place of its default value.

    Args:
        init: The initial value; several for a parameter that the function subscripts, as the coefficients of a
            polynomial.
        per: ``"layer"`` for one value, ``"channel"`` for one a channel of the input.
        dim: The dimension of the input that holds the channels.
        constraint: ``"positive"``, or the open interval ``(low, high)`` that the value never leaves, but for
            rounding. The stored parameter :math:`\rho` is unconstrained: the value is
            :math:`\operatorname{softplus}(\rho)`, or :math:`low + (high - low)\,\sigma(\rho)`.

    Returns:
        A marker which :func:`register` understands (typed ``Any``, so that it can stand where a float is declared).

    Raises:
        ValueError: ``init`` does not satisfy the constraint, or ``per`` is unknown.

    Example:
        >>> import torch, lightning_acts as acts
        >>> @acts.register(override=True)
        ... def scaled_tanh_example(x: torch.Tensor, scale: float = acts.learnable(1.5)) -> torch.Tensor:
        ...     return scale * torch.tanh(x)
        >>> [name for name, _ in acts.create("scaled_tanh_example").named_parameters()]
        ['scale']
    """
    if per not in ("layer", "channel"):
        raise ValueError(f"learnable(per={per!r}): 'layer' or 'channel'")
    plain = tuple(map(float, init)) if isinstance(init, Sequence) else float(init)
    marker = Learnable(plain, per, dim, constraint)
    reason = violation(marker, plain)
    if reason:
        raise ValueError(f"learnable(init={init!r}): {reason}")
    return marker


def violation(marker: Learnable, value: float | tuple[float, ...]) -> str | None:
    """Return why ``value`` can't be the initial value of a learnable parameter; None where it can."""
    if isinstance(value, tuple):
        return next((reason for element in value if (reason := violation(marker, element))), None)
    if not math.isfinite(value):
        return "the initial value must be finite"
    if marker.constraint is None:
        return None
    if marker.constraint == "positive":
        return None if value > 0 else "must be positive"
    low, high = marker.constraint
    if not low < high:
        return f"the constraint ({low}, {high}) is an empty interval"
    return None if low < value < high else f"must lie between {low} and {high}"


@dataclass(frozen=True)
class Parameter:
    """One parameter of an activation: its name, its default (``REQUIRED`` if there is none), the type of its values."""

    name: str
    default: Any
    annotation: Any
    learnable: Learnable | None = None

    def __str__(self) -> str:
        if self.default is REQUIRED:
            return self.name
        return f"{self.name}={self.default}" + (f" ({self.learnable})" if self.learnable else "")

    def check(self, value: object, activation: str) -> Any:
        """``value`` if it has the declared type (an int is taken where a float is declared).

        Raises:
            SpecError: It has not.
        """
        if _is_instance(value, self.annotation):
            return value
        wanted = _type_name(self.annotation)
        raise SpecError(
            f"{activation}({self.name}={value!r}): {self.name} must be {wanted}, not {type(value).__name__}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """The facts that are declared of an activation, beside the function or class: the arguments of :func:`register`.

    This is their only list: a new fact is a field and its line here. :meth:`Definition.rows` says how it is shown.

    Attributes:
        name: The name in the registry, in snake_case; by default the function's, or the class's.
        aliases: Other names for it.
        family: The family of the literature that it belongs to; by default the file that it stands in, or ``"user"``.
        kind: ``elementwise``; ``normalizing`` (over a dimension, as softmax); ``gated`` (changes the shape, as GLU);
            ``mixing`` (keeps the shape, but looks at several channels or positions); ``transfer`` (a layer with
            weights, never a target of a swap).
        formula: The formula, in the language of :mod:`lightning_acts.formula`.
        source: Where it was published.
        functions: Functions and methods that compute the same, by which it is recognized in a forward.
        requires: What the parameters must satisfy: reason in words -> test whose arguments are parameters by name.
        notes: Facts worth knowing before it is used.
        claim: What its authors recommend it for.
        used_in: Well-known models that use it.
        related: Other activations that have the same curve at their defaults.
        limits: What it can't do, as its name in :mod:`lightning_acts.checks` -> the reason.
        stochastic: Whether a class is random in training; a function is if it has an argument ``training``.
        per_channel: For a class with a parameter per channel: the class that sizes itself at its first input.
        variants: Names for it with particular parameters: ``gelu_tanh`` for ``gelu(approximate=tanh)``.
        kernel: The same function of the input and the parameters by fewer operations, for the backends.
        from_output: Where the output tells the derivative: makes of the parameters the function of a gradient and the
            output that is their product, or None where those parameters don't allow it.
    """

    name: str = ""
    aliases: Sequence[str] = ()
    family: str = ""
    kind: Kind = "elementwise"
    formula: str | None = None
    source: str | None = None
    functions: Sequence[Callable[..., Any]] = ()
    requires: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    claim: str | None = None
    used_in: Sequence[str] = ()
    related: Sequence[str] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    stochastic: bool = False
    per_channel: type[nn.Module] | None = None
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kernel: Callable[..., Any] | None = None
    from_output: Callable[..., Callable[..., Any] | None] | None = None

    def __post_init__(self) -> None:
        for fact, value in vars(self).items():
            if isinstance(value, list):  # so that a definition doesn't change with what it was made of
                object.__setattr__(self, fact, tuple(value))


@dataclass(frozen=True, kw_only=True, eq=False)
class Definition(Facts):
    """An activation and the facts about it; made by :func:`define`, shown by ``print(acts.info(name))``.

    Two are equal if one is a copy of the other, as the entry in the catalogue is.

    Attributes:
        target: What computes it: a function of the input and the parameters, or a module class.
        parameters: Its parameters, in order.
    """

    target: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    _made: object = field(default_factory=object, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Definition) and self._made is other._made

    def __hash__(self) -> int:
        return hash(self._made)

    @property
    def module_class(self) -> type[nn.Module] | None:
        """The registered module class; None for an activation that was defined by a function."""
        return self.target if isinstance(self.target, type) and issubclass(self.target, nn.Module) else None

    @property
    def all_names(self) -> tuple[str, ...]:
        """Its name, its aliases and its variants."""
        return (self.name, *self.aliases, *self.variants)

    @property
    def year(self) -> int | None:
        """When it was first published, by its source; None where that is a survey, or says nothing of it."""
        publications = [entry for entry in (self.source or "").split(";") if _SURVEY not in entry]
        years = re.findall(r"\b(?:18|19|20)\d\d\b(?!\.)", ";".join(publications))
        return min(map(int, years)) if years else None

    @property
    def learnable(self) -> bool:
        """Whether it has parameters that are trained."""
        return self.per_channel is not None or any(parameter.learnable for parameter in self.parameters)

    def check_types(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters as given, after checking that they exist and are of the declared types.

        Raises:
            SpecError: One is unknown or of the wrong type.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in parameters:
            if name not in known:
                listed = ", ".join(str(parameter) for parameter in self.parameters) or "none"
                raise SpecError(
                    f"{self.name} has no parameter {name!r}{did_you_mean(name, list(known))} Its parameters: {listed}. "
                    f"acts.info({self.name!r}) tells more."
                )
        return {name: known[name].check(value, self.name) for name, value in parameters.items()}

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters as given, after every check that can be made before anything is built.

        Raises:
            SpecError: One is unknown, missing, of the wrong type, or outside of what the activation allows.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        checked = self.check_types(parameters)
        missing = [
            name for name, parameter in known.items() if parameter.default is REQUIRED and name not in parameters
        ]
        if missing:
            raise SpecError(f"{self.name} needs {', '.join(missing)}, as in '{self.name}({missing[0]}=...)'")
        effective = {name: checked.get(name, parameter.default) for name, parameter in known.items()}
        for reason, holds in self.requires.items():
            arguments = {name: effective[name] for name in inspect.signature(holds).parameters}
            if not holds(**arguments):
                raise SpecError(f"{self.name}({_arguments(arguments)}): {reason}")
        for parameter in self.parameters:
            value = effective[parameter.name]
            if parameter.learnable and (broken := violation(parameter.learnable, value)):
                raise SpecError(f"{self.name}({parameter.name}={value!r}): {broken}")
        if self.learnable:
            self._check_size(effective)
        return checked

    def _check_size(self, effective: Mapping[str, Any]) -> None:
        size = effective["num_parameters"]
        if size is not None and size < 1:
            raise SpecError(f"{self.name}(num_parameters={size}): the number of parameters must be at least 1")
        if effective["per"] == "layer" and size not in (None, 1):
            raise SpecError(
                f"{self.name}(per=layer, num_parameters={size}): one a layer is one; per=channel takes {size}"
            )

    def rows(self) -> dict[str, str | None]:
        """Return the facts in words, by the label under which each is shown."""
        return {
            "aliases": ", ".join(self.aliases),
            "variants": ", ".join(f"{name} ({_arguments(pinned)})" for name, pinned in self.variants.items()),
            "formula": self.formula,
            "parameters": ", ".join(str(parameter) for parameter in self.parameters),
            "family": self.family,
            "kind": self.kind,
            "stochastic": "random in training" if self.stochastic else None,
            "module": f"torch.nn.{self.target.__name__}" if self.target.__module__.startswith("torch.nn") else None,
            "source": self.source,
            "year": str(self.year or ""),
            "claim": self.claim,
            "used in": ", ".join(self.used_in),
            "related": ", ".join(self.related),
            "notes": "; ".join(self.notes),
            "limits": "; ".join(f"{what}: {reason}" for what, reason in self.limits.items()),
        }

    def __str__(self) -> str:
        return "\n".join([self.name, *(f"  {label + ':':<12}{words}" for label, words in self.rows().items() if words)])


# Where many definitions are taken from, and none was first published.
_SURVEY = "arXiv:2402.09092"
# What the derived module uses itself.
_RESERVED = {"training", "given", "definition", "per", "num_parameters", "input", "backend"}


def define(target: Callable[..., Any], /, **facts: Any) -> Definition:
    """Make a definition without registering it; the facts are those of :class:`Facts`, None for one that is not given."""
    given = Facts(**{fact: value for fact, value in facts.items() if value is not None})
    is_class = isinstance(target, type)
    if isinstance(target, type) and not issubclass(target, nn.Module):
        raise ValueError(f"{target.__name__} is a class but no torch.nn.Module: register a function or a module class")
    own_name = getattr(target, "__name__", type(target).__name__)
    chosen = given.name or (_snake_case(own_name) if is_class else own_name)
    if not chosen.replace("_", "").isalnum() or not chosen.isidentifier():
        raise ValueError(f"{chosen!r} can't name an activation: letters, digits and '_'; give one with name=")
    parameters = _parameters(target, chosen)
    if given.per_channel is not None or any(parameter.learnable for parameter in parameters):
        marked = {parameter.learnable.per for parameter in parameters if parameter.learnable}
        sizes: dict[str, Parameter] = {parameter.name: parameter for parameter in parameters}
        sizes.setdefault("num_parameters", Parameter("num_parameters", None, int | None))
        sizes["per"] = Parameter("per", marked.pop() if len(marked) == 1 else None, Per | None)
        parameters = tuple(sizes.values())
    derived = {
        "name": chosen,
        "family": given.family or _family_of(target),
        "functions": tuple(given.functions) if is_class else (target, *given.functions),
        "stochastic": given.stochastic or (not is_class and takes_training(target)),
    }
    return Definition(target=target, parameters=parameters, **{**vars(given), **derived})


def _family_of(target: Callable[..., Any]) -> str:
    """Shipped activations stand in one file a family."""
    package, _, stem = (getattr(target, "__module__", None) or "").rpartition(".")
    return stem if package == "lightning_acts.activations" else "user"


def takes_training(function: Callable[..., Any]) -> bool:
    """Check whether a function has to be told if the model is being trained, because it is random then."""
    try:
        return "training" in inspect.signature(function).parameters
    except ValueError:  # a builtin without a signature
        return False


def _parameters(target: Callable[..., Any], name: str) -> tuple[Parameter, ...]:
    is_class = isinstance(target, type)
    function = target.__init__ if is_class else target
    try:
        signature = inspect.signature(function)
    except ValueError:  # a builtin without a signature takes its input alone
        return ()
    arguments = list(signature.parameters.values())
    hints = _type_hints(function, [argument.name for argument in arguments[1:]])
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not arguments or arguments[0].kind not in positional:
        raise ValueError(f"{name}: the first argument of an activation is its input; {signature} has none")
    found = []
    for argument in arguments[1:]:
        if argument.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            if is_class:  # a subclass that hands its arguments on declares none of its own
                continue
            raise ValueError(f"{name}: the parameters of an activation are named; {argument} can't be")
        if argument.name in (("device", "dtype") if is_class else ("training",)):
            continue
        if not is_class and (hasattr(nn.Module, argument.name) or argument.name in _RESERVED):
            raise ValueError(f"{name}: a parameter can't be called {argument.name!r}: the module has that already")
        if is_class and isinstance(argument.default, Learnable):
            raise ValueError(f"{name}: learnable() is for functions; a class makes its own parameters")
        # Registered before under another name: the marker is where it was put then.
        before = getattr(target, "__learnable__", {}).get(argument.name)
        marker = argument.default if isinstance(argument.default, Learnable) else before
        default = marker.init if marker else argument.default
        annotation = hints.get(argument.name, Any) if marker is None else type(marker.init)
        if annotation is Any and default not in (REQUIRED, None):
            annotation = float if type(default) is int else type(default)
        found.append(Parameter(argument.name, default, annotation, marker))
    return tuple(found)


_PLAIN = {"float": float, "int": int, "bool": bool}


def _type_hints(function: Callable[..., Any], names: Sequence[str]) -> dict[str, Any]:
    written = {name: hint for name, hint in getattr(function, "__annotations__", {}).items() if name in names}
    if all(hint in _PLAIN for hint in written.values()):  # of hundreds of functions, which typing reads slowly
        return {name: _PLAIN[hint] for name, hint in written.items()}
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # names that exist only while types are checked
        return {}


def _arguments(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _is_instance(value: object, annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if annotation is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_is_instance(value, member) for member in typing.get_args(annotation))
    if origin is Literal:
        return any(value == member and type(value) is type(member) for member in typing.get_args(annotation))
    if origin is not None:
        annotation = origin
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation) if isinstance(annotation, type) else True


def _type_name(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(member) for member in typing.get_args(annotation))
    if origin is Literal:
        return "one of " + ", ".join(repr(member) for member in typing.get_args(annotation))
    if annotation is type(None):
        return "None"
    names = {float: "a number", int: "a whole number", bool: "True or False", str: "text"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
