"""Request for a swap: what, for what, where, in which role, shared how; checked once, written down as plain data."""

from __future__ import annotations

import functools
import inspect
import reprlib
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Union, get_args

from torch import nn

from lightning_acts.errors import SwapError
from lightning_acts.extras import ImportPathError, import_name
from lightning_acts.factory import ActivationLike
from lightning_acts.hints import did_you_mean
from lightning_acts.kernels.backends import Backend, checked_backend
from lightning_acts.spec import SpecError
from lightning_acts.surgery.naming import spec_or_none
from lightning_acts.surgery.patterns import patterns
from lightning_acts.surgery.sides import Left, is_function_of_site
from lightning_acts.surgery.site import ROLES, Role, Site

#: What a swap exchanges. On the left: an activation (a name alone matches whatever its parameters), a path, a glob on
#: paths, ``re:`` and a regular expression, a class, or ``"unknown activation"``. On the right: the replacement, a
#: function of the site that gives it, or None to leave the site alone.
SwapMap: TypeAlias = Mapping[Any, Union[ActivationLike, Callable[[Site], Any], None]]

#: How many instances a replacement has: one for each call, for each place where a module hangs, for each site, or for all.
Share: TypeAlias = Literal["call", "place", "site", "all"]
SHARES: tuple[Share, ...] = get_args(Share)

_Function = TypeVar("_Function", bound=Callable[..., Any])


class SwapOptions(TypedDict, total=False):
    """Fields of a :class:`SwapRequest` beside the map, for functions that take them as keywords."""

    include: str | Sequence[str] | None
    exclude: str | Sequence[str] | None
    role: Role | Sequence[Role]
    share: Share
    where: str | Callable[[Site], bool] | None
    write_back: bool
    backend: Backend | None


def _map(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise SwapError(f"{value!r} is no mapping of activations, such as {{'relu': 'mish'}}, and no Plan")
    if not value:
        raise SwapError("the mapping is empty: give at least one pair, such as {'relu': 'mish'}")
    return dict(value)


def _paths(name: str, value: Any) -> tuple[str, ...]:
    if value is not None and not isinstance(value, Sequence):
        raise SwapError(f"{name}={value!r}: paths and globs on paths are strings, such as 'head.*'")
    return tuple(pattern.text for pattern in patterns(value, name))


def _roles(value: Any) -> tuple[Role, ...]:
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    for role in given:
        if role not in ROLES:
            raise SwapError(f"there is no role {role!r}{did_you_mean(str(role), ROLES)} The roles: {', '.join(ROLES)}")
    return tuple(existing for existing in ROLES if existing in given)


def _share(value: Any) -> Share:
    if value not in SHARES:
        raise SwapError(
            f"share={value!r}: one instance for each 'call', for each 'place' where a module hangs, for each 'site', "
            f"or one for 'all' of them{did_you_mean(str(value), SHARES)}"
        )
    return typing.cast("Share", value)


def _where(value: Any) -> Any:
    if value is None or callable(value) or (isinstance(value, str) and _is_import_path(value)):
        return value
    raise SwapError(
        f"where={value!r} is no function of a site, and no import path of one, such as 'package.module:function': globs "
        "on paths are for include= and exclude="
    )


def _backend(value: Any) -> Backend | None:
    try:
        return None if value is None else checked_backend(value)
    except SpecError as error:
        raise SwapError(str(error)) from None


def _write_back(value: Any) -> bool:
    if not isinstance(value, bool):
        raise SwapError(f"write_back={value!r}: True or False")
    return value


@dataclass(frozen=True)
class SwapRequest:
    """What is asked of a swap: :func:`lightning_acts.swap`, ``ActivationSwap``, configs and the command line take it.

    Options are checked at once. The activations of the map are looked up when the request is used, with the model, whose
    paths may stand there too.

    Args:
        map: What to swap -> replacement, as for :func:`lightning_acts.swap`.
        include: Paths, globs or ``re:`` patterns; if given, only sites of which a path matches one are swapped.
        exclude: Paths, globs or ``re:`` patterns of sites to leave alone.
        role: The roles of the sites to swap.
        share: How many instances a replacement has.
        where: A test of each site: a function, or its import path, ``"package.module:function"``.
        write_back: Whether what a call in place writes into its input is still written there, where something reads it.
        backend: How the replacements are run, as for :func:`lightning_acts.create`.

    Raises:
        SwapError: An option has a wrong value.

    Example:
        >>> import lightning_acts as acts
        >>> from torch import nn
        >>> request = acts.SwapRequest({nn.ReLU: "mish"}, exclude="head.*")
        >>> acts.SwapRequest.from_dict(request.to_dict()) == request.plain()
        True
        >>> str(request.plain())
        'relu -> mish'
    """

    map: Mapping[Any, Any] = field(metadata={"check": _map})
    include: str | Sequence[str] | None = field(default=None, metadata={"check": functools.partial(_paths, "include")})
    exclude: str | Sequence[str] | None = field(default=None, metadata={"check": functools.partial(_paths, "exclude")})
    role: str | Sequence[str] = field(default="hidden", metadata={"check": _roles})
    share: Share = field(default="site", metadata={"check": _share})
    where: str | Callable[[Site], bool] | None = field(default=None, metadata={"check": _where})
    write_back: bool = field(default=True, metadata={"check": _write_back})
    backend: Backend | None = field(default=None, metadata={"check": _backend})

    def __post_init__(self) -> None:
        for entry in fields(self):
            object.__setattr__(self, entry.name, entry.metadata["check"](getattr(self, entry.name)))

    def __str__(self) -> str:
        return ", ".join(f"{left} -> {right}" for left, right in self.map.items())

    @classmethod
    def of(cls, map: SwapMap | SwapRequest, options: Mapping[str, Any]) -> SwapRequest:
        """Return the request that a function was given: itself, or its map and its options.

        Raises:
            SwapError: An option has a wrong value, or stands beside a request.
            TypeError: There is no such option.
        """
        refuse_unknown(options)
        if not isinstance(map, SwapRequest):
            return cls(map, **options)
        refuse_beside(map, options)
        return map

    @classmethod
    def from_dict(cls, data: Any, source: str = "request") -> SwapRequest:
        """Read what :meth:`to_dict` has written; ``source`` names the origin of the data in errors.

        Raises:
            SwapError: It is no request; the message names the key.
        """
        names = [entry.name for entry in fields(cls)]
        if not isinstance(data, Mapping):
            raise SwapError(f"{source} holds {', '.join(names)}, not {reprlib.repr(data)}")
        for name in data:
            if name not in names:
                raise SwapError(f"{source}: there is no key {name!r}{did_you_mean(str(name), names)}")
        if "map" not in data:
            raise SwapError(f"{source} has no 'map'")
        try:
            made = cls(**data)
        except SwapError as error:
            raise SwapError(f"{source}: {error}") from None
        for side in (side for pair in made.map.items() for side in pair):
            if not isinstance(side, (str, type(None))):
                quote = "; put it in quotes" if isinstance(side, (int, float)) else ""
                raise SwapError(f"{source}.map: holds {reprlib.repr(side)}, which is not a text{quote}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """Write the request as plain data; an option that is None is left out.

        Raises:
            SwapError: Something in it can't be written down.
        """
        is_text = all(isinstance(side, (str, type(None))) for pair in self.map.items() for side in pair)
        written = self if is_text and not callable(self.where) else self.plain()
        values = {entry.name: getattr(written, entry.name) for entry in fields(written)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in {**values, "map": dict(written.map)}.items()
            if value is not None
        }

    def plain(self, model: nn.Module | None = None) -> SwapRequest:
        """Return the request with every activation by its spec and ``where`` by its import path.

        Args:
            model: Whose paths may stand on the left as plain names; None if it isn't known.

        Raises:
            SpecError: There is no such activation.
            SwapError: A replacement isn't registered or is a function of the site, or ``where`` can't be imported.
        """
        written: dict[str, str | None] = {}
        for left, right in self.map.items():
            if is_function_of_site(right):
                raise SwapError(
                    f"{left!r}: a function of the site can't be written down: give each path its replacement"
                )
            spec = None if right is None else spec_or_none(right)
            if spec is None and right is not None:
                raise SwapError("a checkpoint can't name a replacement that is not registered: see acts.register")
            written[Left.of(left, model).name] = spec
        return replace(self, map=written, where=_import_path(self.where) if callable(self.where) else self.where)

    def limited_to(self, condition: Callable[[Site], bool]) -> SwapRequest:
        """Return the request for those of its sites alone for which a condition holds."""
        own = self.test()
        return replace(self, where=lambda site: condition(site) and (own is None or own(site)))

    def test(self) -> Callable[[Site], bool] | None:
        """Return the function that ``where`` is or names.

        Raises:
            SwapError: Its import path leads nowhere.
        """
        return _imported(self.where) if isinstance(self.where, str) else self.where


#: The words for the options of a swap, the same wherever one is asked for.
OPTIONS: tuple[str, ...] = tuple(entry.name for entry in fields(SwapRequest) if entry.name != "map")


def takes_options(function: _Function) -> _Function:
    """Show the options of a request in the signature of a function that takes them as ``**options``."""
    shown, types = inspect.signature(SwapRequest).parameters, typing.get_type_hints(SwapOptions)
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    written = {name: kind.__forward_arg__ for name, kind in SwapOptions.__annotations__.items()}
    options = [shown[name].replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=written[name]) for name in OPTIONS]
    decorated: Any = function
    decorated.__signature__ = signature.replace(parameters=[*own, *options])
    annotations = {name: kind for name, kind in function.__annotations__.items() if name != "options"}
    decorated.__annotations__ = {**annotations, **{name: types[name] for name in OPTIONS}}
    return function


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Check that options exist.

    Raises:
        TypeError: There is no such option.
    """
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"a swap has no option {name!r}{did_you_mean(name, OPTIONS)} It has: {', '.join(OPTIONS)}")


def refuse_beside(whole: Any, options: Mapping[str, Any]) -> None:
    """Check that there are no options beside what holds its own.

    Raises:
        SwapError: There are some.
    """
    if options:
        words = ", ".join(f"{name}=" for name in options)
        raise SwapError(f"a {type(whole).__name__} says itself what it means: {words} has no place beside it")


def _is_import_path(text: str) -> bool:
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), *name.split(".")))


def _import_path(function: Callable[[Site], bool]) -> str:
    path = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    try:
        if _is_import_path(path) and _imported(path) is function:
            return path
    except SwapError:
        pass
    raise SwapError(
        f"where={function!r} can't be written down: it takes a function that can be imported, by its name in a module"
    )


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    if module.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        raise SwapError(f"where={path!r} is refused: Python's own library has no function of a site")
    try:
        found = import_name(module, name)
    except ImportPathError as error:
        raise SwapError(f"where={path!r}: {error}") from None
    if not callable(found):
        raise SwapError(f"where={path!r} is no function of a site")
    return found
