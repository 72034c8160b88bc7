import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_acts.spec import ActivationSpec, SpecError

literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)
identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: (
        name.isidentifier() and name not in ("if", "in", "is", "as", "or", "and", "not", "def", "del", "for", "try")
    )
)


@given(
    name=st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True),
    parameters=st.dictionaries(identifiers, literals, max_size=4),
)
def test_printing_and_parsing_are_inverse(name: str, parameters: dict[str, object]) -> None:
    try:
        spec = ActivationSpec(name, parameters)  # type: ignore[arg-type]
    except SpecError:  # a keyword of Python
        return
    if len(str(spec)) > 1000:
        return
    again = ActivationSpec.parse(str(spec))
    assert again == spec
    assert hash(again) == hash(spec)
    assert str(again) == str(spec)
    types = [type(value) for value in spec.parameters.values()]
    assert [type(value) for value in again.parameters.values()] == types


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("relu", "relu", {}),
        ("relu()", "relu", {}),
        ("  elu ( alpha = 0.5 ) ", "elu", {"alpha": 0.5}),
        ("Leaky-ReLU(negative_slope=1e-2,)", "Leaky-ReLU", {"negative_slope": 0.01}),
        ("gelu(approximate=tanh)", "gelu", {"approximate": "tanh"}),
        ("gelu(approximate='tanh')", "gelu", {"approximate": "tanh"}),
        (
            "x(a=-1, b=+2, c=inf, d=-inf, e=None, f=True)",
            "x",
            {"a": -1, "b": 2, "c": math.inf, "d": -math.inf, "e": None, "f": True},
        ),
        ("x(a=[1, (2, 'b')])", "x", {"a": (1, (2, "b"))}),
    ],
)
def test_parse(text: str, name: str, parameters: dict[str, object]) -> None:
    assert ActivationSpec.parse(text) == ActivationSpec(name, parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with the name"),
        ("(a=1)", "must begin with the name"),
        ("relu relu", "expected '\\(' or the end"),
        ("elu(0.5)", "parameters are given by name"),
        ("elu(alpha=0.5", "not a spec"),
        ("elu(alpha=0.5)(x=1)", "one pair of parentheses"),
        ("elu(alpha=0.5).x", "one pair of parentheses"),
        ("elu(**a)", "no place in a spec"),
        ("elu(a=1, a=2)", "not a spec|twice"),
        ("elu(alpha=nan)", "nan"),
        ("elu(alpha=1j)", "complex"),
        ("elu(alpha=b'x')", "bytes"),
        ("elu(alpha=1+1)", "never evaluated"),
        ("elu(alpha=-'a')", "never evaluated"),
        ("elu(alpha=--1)", "never evaluated"),
        ("elu(alpha=x.y)", "never evaluated"),
        ("elu(alpha=[x for x in y])", "never evaluated"),
        ("elu(alpha={1: 2})", "never evaluated"),
        ("elu(alpha=f'{x}')", "never evaluated"),
        ("elu(alpha=__import__('os').system('touch pwned'))", "never evaluated"),
        ("elu(alpha=(lambda: 1)())", "never evaluated"),
        ("elu(alpha=" + "(" * 400 + "1" + ")" * 400 + ")", "not a spec"),
        ("elu(alpha=" + "1" * 2000 + ")", "at most 1000 characters"),
    ],
)
def test_what_is_no_spec_is_refused(text: str, message: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(SpecError, match=message):
        ActivationSpec.parse(text)
    assert not list(__import__("pathlib").Path(str(tmp_path)).iterdir()), "the spec was evaluated"


@pytest.mark.parametrize("value", [object(), {1: 2}, math.nan, [object()], {1}])
def test_values_are_literals(value: object) -> None:
    with pytest.raises(SpecError, match="x\\(a="):
        ActivationSpec("x", {"a": value})  # type: ignore[dict-item]


def test_is_immutable_hashable_and_pickles() -> None:
    spec = ActivationSpec("elu", {"alpha": [1, 2]})  # type: ignore[list-item]
    with pytest.raises(TypeError):
        spec.parameters["alpha"] = 2  # type: ignore[index]
    assert {spec: 1}[ActivationSpec("elu", {"alpha": (1, 2)})] == 1
    assert pickle.loads(pickle.dumps(spec)) == spec
