"""Values of a config as the types that parameters declare: one rule a kind of type."""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import inspect
import math
import os
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import torch

from lightning_acts.hints import did_you_mean

#: Takes a value and the declared type, and returns the value as that type or raises a TypeError.
_Rule: TypeAlias = Callable[[Any, Any], Any]


def coerce(value: Any, annotation: Any) -> Any:
    """Convert a value to a declared type: 1 to 1.0 for float, 1e3 to 1000 for int, text to a path.

    Text never becomes a number, and a number never text: YAML has told them apart. A type that can't be checked takes
    any value.

    Raises:
        TypeError: The value doesn't fit; the message says what does.

    Example:
        >>> coerce(1e3, int), coerce(2, float), coerce([1, 2], tuple[int, ...])
        (1000, 2.0, (1, 2))
    """
    return _rule(annotation)(value, annotation)


def type_in_words(annotation: Any) -> str:
    """Return a declared type in words.

    Example:
        >>> type_in_words(list[int] | None)
        'a list of a whole number or null'
    """
    head, arguments = _head(annotation), typing.get_args(annotation)
    if head in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(type_in_words, arguments)))
    if head is typing.Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if annotation in _WORDS:
        return _WORDS[annotation]
    if isinstance(head, type) and head not in (object, bytes):
        if issubclass(head, (list, tuple, collections.abc.Sequence)):
            if not arguments or arguments[0] is Any:
                return "a list"
            each = type_in_words(arguments[0])
            return f"a list with {each} each" if " or " in each else f"a list of {each}"
        if issubclass(head, collections.abc.Mapping):
            return "a mapping"
        if issubclass(head, Path):
            return "a path"
    return getattr(annotation, "__name__", str(annotation))


def shown(value: Any) -> str:
    """Return a value as messages show it.

    Example:
        >>> shown("ten"), shown([1, 2])
        ("'ten'", 'a list')
    """
    kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return kinds.get(type(value)) or f"{value!r}"


def _head(annotation: Any) -> Any:
    """Return ``list`` of ``list[int]``, ``Union`` of ``int | None``, and a type without arguments itself."""
    return typing.get_origin(annotation) or annotation


def _rule(annotation: Any) -> _Rule:
    """Return the rule of a declared type, by its head."""
    head = _head(annotation)
    for known, rule in _BY_HEAD.items():
        if head is known:
            return rule
    if typing.is_typeddict(head):
        return _typed_dict
    if not isinstance(head, type) or not _can_be_asked(head):
        return _any
    if head is annotation:
        return next((rule for base, rule in _BY_BASE.items() if issubclass(head, base)), _instance)
    if issubclass(dict, head) or issubclass(list, head):
        return _container
    return _set if issubclass(head, collections.abc.Set) else _any


def _can_be_asked(kind: type) -> bool:
    try:
        isinstance(None, kind)
    except TypeError:  # a protocol that is for type checkers alone
        return False
    return True


def _refusal(value: Any, wanted: str, hint: str = "") -> TypeError:
    return TypeError(f"must be {wanted}, not {shown(value)}{hint}")


def _any(value: Any, annotation: Any) -> Any:
    return value


def _instance(value: Any, annotation: type) -> Any:
    if isinstance(value, annotation):
        return value
    raise _refusal(value, type_in_words(annotation))


def _bool(value: Any, annotation: Any) -> bool:
    if isinstance(value, bool):
        return value
    meant = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(str(value).lower())
    raise _refusal(value, type_in_words(bool), f"; YAML 1.2 writes {meant}" if meant else "")


def _int(value: Any, annotation: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    raise _refusal(value, type_in_words(int))


def _float(value: Any, annotation: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise _refusal(value, type_in_words(float))


def _none(value: Any, annotation: Any) -> None:
    if value is not None:
        raise _refusal(value, type_in_words(None))


def _union(value: Any, annotation: Any) -> Any:
    members = typing.get_args(annotation)
    # An exactly fitting member first, so that "32" and 32 stay what they are.
    if type(value) in members:
        return value
    for member in members:
        with contextlib.suppress(TypeError):
            return coerce(value, member)
    texts = [
        text for member in members if typing.get_origin(member) is typing.Literal for text in typing.get_args(member)
    ]
    raise _refusal(value, type_in_words(annotation), _near(value, texts))


def _near(value: Any, members: collections.abc.Sequence[Any]) -> str:
    return did_you_mean(value, map(str, members)).rstrip(".") if isinstance(value, str) and members else ""


def _literal(value: Any, annotation: Any) -> Any:
    members = typing.get_args(annotation)
    for member in members:
        if value == member and (type(value) is type(member) or float in (type(value), type(member))):
            return member
    raise _refusal(value, type_in_words(annotation), _near(value, members))


def _annotated(value: Any, annotation: Any) -> Any:
    return coerce(value, typing.get_args(annotation)[0])


def _tuple(value: Any, annotation: Any) -> tuple[Any, ...]:
    arguments = typing.get_args(annotation)
    if isinstance(value, (list, tuple)):
        open_ended = len(arguments) == 2 and arguments[1] is Ellipsis
        members = [arguments[0]] * len(value) if open_ended else list(arguments) or [Any] * len(value)
        if len(members) == len(value):
            return tuple(map(coerce, value, members))
    raise _refusal(value, type_in_words(annotation))


def _container(value: Any, annotation: Any) -> Any:
    """Convert members of what may be a list, a mapping or either, as an Iterable."""
    head, arguments = _head(annotation), typing.get_args(annotation)
    if isinstance(value, dict) and issubclass(dict, head):
        key, member = arguments if len(arguments) == 2 else (*arguments, Any, Any)[:2]
        return {_key(name, key): coerce(child, member) for name, child in value.items()}
    if isinstance(value, (list, tuple)) and issubclass(list, head):
        return [coerce(child, arguments[0] if arguments else Any) for child in value]
    raise _refusal(value, type_in_words(annotation))


def _key(name: Any, annotation: Any) -> Any:
    """Convert the key of a mapping, which is text in a config whatever was written."""
    if annotation in (int, float) and isinstance(name, str):
        with contextlib.suppress(ValueError):
            return annotation(name)
    return coerce(name, annotation)


def _set(value: Any, annotation: Any) -> Any:
    head, arguments = _head(annotation), typing.get_args(annotation)
    if not isinstance(value, (list, set, frozenset)):
        raise _refusal(value, type_in_words(annotation))
    members = [coerce(child, arguments[0] if arguments else Any) for child in value]
    return frozenset(members) if head is frozenset else set(members)


def _callable(value: Any, annotation: Any) -> Any:
    if callable(value):
        return value
    raise _refusal(value, type_in_words(annotation))


def _typed_dict(value: Any, annotation: Any) -> Any:
    if not isinstance(value, dict):
        raise _refusal(value, type_in_words(annotation))
    hints = typing.get_type_hints(annotation)
    return {name: coerce(child, hints.get(name, Any)) for name, child in value.items()}


def _enum(value: Any, annotation: type[enum.Enum]) -> Any:
    if isinstance(value, annotation):
        return value
    members = annotation.__members__
    for name, member in members.items():
        if value in (name, member.value):
            return member
    raise _refusal(value, f"one of {', '.join(members)}", did_you_mean(str(value), members))


def _path(value: Any, annotation: type) -> Any:
    if isinstance(value, str):
        return annotation(value) if issubclass(annotation, PurePath) else value
    return _instance(value, annotation)


def _named_tuple(value: Any, annotation: Any) -> Any:
    if isinstance(value, list):
        with contextlib.suppress(TypeError):
            return annotation(*value) if hasattr(annotation, "_fields") else annotation(value)
    return _instance(value, annotation)


def _dtype(value: Any, annotation: Any) -> Any:
    named = getattr(torch, value.removeprefix("torch."), None) if isinstance(value, str) else None
    return _instance(named if isinstance(named, torch.dtype) else value, annotation)


def _device(value: Any, annotation: Any) -> Any:
    if isinstance(value, str):
        with contextlib.suppress(RuntimeError):
            return torch.device(value)
    return _instance(value, annotation)


#: How messages name a type.
_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    None: "null",
}
#: The rule of a type with this head.
_BY_HEAD: Mapping[Any, _Rule] = {
    Any: _any,
    inspect.Parameter.empty: _any,
    bool: _bool,
    int: _int,
    float: _float,
    type(None): _none,
    None: _none,
    typing.Union: _union,
    types.UnionType: _union,
    typing.Literal: _literal,
    typing.Annotated: _annotated,
    tuple: _tuple,
    list: _container,
    dict: _container,
    set: _set,
    frozenset: _set,
    collections.abc.Callable: _callable,
    type: _callable,
    torch.dtype: _dtype,
    torch.device: _device,
}
#: The rule of a class below this one; any other class takes its instances alone.
_BY_BASE: Mapping[type, _Rule] = {enum.Enum: _enum, os.PathLike: _path, tuple: _named_tuple}
