"""Which sites a path, a glob or a regular expression means."""

import pytest
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.patterns import any_matches, looks_like_path, patterns


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
        self.headless = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.headless(self.head(x))


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("head.1", ["head.1"]),
        ("head.*", ["head.1", "head.3"]),
        ("head*", ["head.1", "head.3", "headless"]),
        ("head.[13]", ["head.1", "head.3"]),
        ("re:head", []),
        (r"re:head\.\d|headless", ["head.1", "head.3", "headless"]),
        (["head.3", "headless"], ["head.3", "headless"]),
        (None, []),
    ],
)
def test_what_is_meant(pattern: str | list[str] | None, meant: list[str]) -> None:
    sites = acts.find(Nested())
    assert [site.path for site in sites if any_matches(site, patterns(pattern, "include"))] == meant


def test_hints() -> None:
    sites = acts.find(Nested())
    hints = [patterns(text, "include")[0].hint(sites) for text in ("head", "haedless", "he?d", "head.1")]
    assert hints[0] == "; 2 sites within it: 'head*'"
    assert "'headless'" in hints[1]
    assert hints[2] == "."


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(acts.SwapError, match="no regular expression"):
        patterns("re:(", "include")
    with pytest.raises(acts.SwapError, match=r"exclude=\[3\]"):
        patterns([3], "exclude")  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["head.1", "head*", "re:x", "relu/0", "[ab]"])
def test_paths(text: str) -> None:
    assert looks_like_path(text)


@pytest.mark.parametrize("text", ["relu", "elu(alpha=0.5)", "unknown activation"])
def test_specs(text: str) -> None:
    assert not looks_like_path(text)
