"""Values as declared types, kind by kind, and against what Python says of values and types itself."""

import collections
import datetime
import enum
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ForwardRef, Literal, NewType, Protocol, TypedDict, TypeVar, Union

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightning_acts.runs.coercion import coerce, type_in_words

T = TypeVar("T", covariant=True)


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


class Fits(Protocol):
    def fit(self) -> int: ...


class Made(Protocol[T]):
    def make(self) -> T: ...


class Options(TypedDict):
    width: int


# A value that stays as it is, whatever it is: nothing can be said of these.
UNCHECKED = [
    Any, object, "nn.Module", ForwardRef("int"), T, NewType("Width", int), Fits, Made[int],
    collections.deque[int], collections.defaultdict[str, int], [int], ([int], str), ...,
]  # fmt: skip
CONVERTED: list[tuple[Any, Any, Any]] = [
    (int, 1e3, 1000),
    (float, 1, 1.0),
    (Annotated[int, "steps"], 2.0, 2),
    (list[float], [1, 2], [1.0, 2.0]),
    (Sequence[Sequence[float]], [[1], [2.5]], [[1.0], [2.5]]),
    (tuple[int, float], [1.0, 2], (1, 2.0)),
    (tuple[int, ...], [1.0, 2.0], (1, 2)),
    (dict[str, list[float]], {"a": [1]}, {"a": [1.0]}),
    (dict[int, float], {"1": 2}, {1: 2.0}),
    (Mapping[float, str], {"0.5": "x"}, {0.5: "x"}),
    (frozenset[int], [1.0, 1], frozenset({1})),
    (int | None, 2.0, 2),
    (Union[float, str], 1, 1.0),
    (Union[Literal["auto"], int], 8.0, 8),
    (Literal[1.0, 2.5], 1, 1.0),
    (Color | None, "RED", Color.RED),
    (list[Color], ["red", 2], [Color.RED, Color.BLUE]),
    (Options, {"width": 3.0, "more": 1.0}, {"width": 3, "more": 1.0}),
    (Path, "a/b", Path("a/b")),
    (torch.Size, [3, 4], torch.Size([3, 4])),
    (torch.dtype, "float16", torch.float16),
    (torch.device, "cuda:1", torch.device("cuda:1")),
]
# The first member of a union that fits exactly, before one that fits after conversion.
KEPT: list[tuple[Any, Any]] = [
    (Union[float, int], 1),
    (Union[int, float], 1.0),
    (Union[int, str], "32"),
    (Union[bool, int], True),
    (Union[Path, str], "a"),
    (Union[Color, str], "RED"),
    (Union[torch.dtype, str], "float16"),
    (Iterable[str], {"a": 1}),
]
REFUSED: list[tuple[Any, Any, str]] = [
    (int, True, "must be a whole number, not True"),
    (int, "1", "must be a whole number, not '1'"),
    (int, 1.5, "must be a whole number, not 1.5"),
    (int, math.inf, "must be a whole number, not inf"),
    (float, False, "must be a number, not False"),
    (str, 1, "must be text, not 1"),
    (bool, 1, "must be true or false, not 1"),
    (bool, "Yes", "must be true or false, not 'Yes'; YAML 1.2 writes true"),
    (None, 0, "must be null, not 0"),
    (list[int], [1, "a"], "must be a whole number, not 'a'"),
    (list[int], {"a": 1}, "must be a list of a whole number, not a mapping"),
    (tuple[int, int], [1, 2, 3], "must be a list of a whole number, not a list"),
    (dict[int, str], {"a": "b"}, "must be a whole number, not 'a'"),
    (int | str | None, [], "must be a whole number or text or null, not a list"),
    (Literal["call", "place"], "cal", "must be one of 'call', 'place', not 'cal'; did you mean 'call'?"),
    (Literal[1, 2], True, "must be one of 1, 2, not True"),
    (Color, "RDE", "must be one of RED, BLUE, not 'RDE'; did you mean 'RED'?"),
    (Callable[[int], int], "print", "must be Callable, not 'print'"),
    (type[nn.Module], "ReLU", "must be type, not 'ReLU'"),
    (nn.Module, "relu", "must be Module, not 'relu'"),
    (list[nn.Module], ["relu"], "must be Module, not 'relu'"),
    (datetime.timedelta, 3, "must be timedelta, not 3"),
    (torch.dtype, "float15", "must be dtype, not 'float15'"),
    (torch.device, "gpu", "must be device, not 'gpu'"),
    (Options, [1], "must be a mapping, not a list"),
    (Path, 1, "must be a path, not 1"),
]


@pytest.mark.parametrize("annotation", UNCHECKED, ids=str)
@pytest.mark.parametrize("value", [1, "relu", [1.0], {"a": True}, None])
def test_a_type_that_can_not_be_checked_takes_any_value(annotation: Any, value: Any) -> None:
    assert coerce(value, annotation) is value


@pytest.mark.parametrize(("annotation", "value", "expected"), CONVERTED)
def test_values_are_converted(annotation: Any, value: Any, expected: Any) -> None:
    assert repr(coerce(value, annotation)) == repr(expected)


@pytest.mark.parametrize(("annotation", "value"), KEPT)
def test_what_fits_as_it_is_stays(annotation: Any, value: Any) -> None:
    assert repr(coerce(value, annotation)) == repr(value)


@pytest.mark.parametrize(("annotation", "value", "message"), REFUSED)
def test_other_values_are_refused_in_words(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        coerce(value, annotation)
    assert str(caught.value) == message


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False), st.text())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@pytest.mark.parametrize("kind", [int, float, str, bool, list, dict, tuple])
@given(value=VALUES)
def test_conversion_changes_a_type_and_no_value(kind: type, value: Any) -> None:
    plain = type(value) is kind
    try:
        found = coerce(value, kind)
    except TypeError:
        assert not plain
        return
    assert type(found) is kind
    assert (list(found) if kind is tuple else found) == value
    # Python takes True for 1.
    assert isinstance(value, bool) == isinstance(found, bool)


def test_types_in_words() -> None:
    assert type_in_words(Union[int, list[str], Literal["a", 1], Path, Mapping[str, int], None, nn.ReLU]) == (
        "a whole number or a list of text or one of 'a', 1 or a path or a mapping or null or ReLU"
    )
