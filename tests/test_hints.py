"""Names that are nearly right are answered with those that are."""

import pytest

from lightning_acts.hints import canonical, did_you_mean, shortened

NAMES = ["relu", "leaky_relu", "mish", "sigmoid", "softplus"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("rleu", "relu"), ("LeakyRelu", "leaky_relu"), ("mihs", "mish"), ("sigmiod", "sigmoid"), ("softplu", "softplus")],
)
def test_the_name_that_was_meant_comes_first(given: str, meant: str) -> None:
    assert did_you_mean(given, NAMES).startswith(f"; did you mean '{meant}'")


def test_several_none_and_a_prefix() -> None:
    assert did_you_mean("zzzz", NAMES) == did_you_mean("relu", []) == "."
    assert did_you_mean("ab", ["abc", "abd", "abe", "abf"]) == "; did you mean 'abc', 'abd' or 'abe'?"
    assert did_you_mean("ab", ["abf", "abe", "abd", "abc"]) == did_you_mean("ab", ["abc", "abd", "abe", "abf"])
    assert did_you_mean("mush", NAMES, prefix="acts.") == "; did you mean 'acts.mish'?"


def test_long_words_and_lines_lose_their_middle() -> None:
    assert shortened("a" * 300) == "a" * 300
    assert shortened(f"x {'a' * 200}{'b' * 200}") == f"x {'a' * 60}...{'b' * 60}"
    line = "word " * 1000
    first, second = shortened(f"{line}\nshort", longest=90).split("\n")
    assert first == f"{line[:30]}...{line[-30:]}"
    assert second == "short"


def test_canonical() -> None:
    assert canonical("Leaky ReLU") == canonical("LEAKY-re_lu") == "leakyrelu" != canonical("leaky_relu6")
