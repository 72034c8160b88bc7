"""A sample of docs/coverage.md, and what the script that writes it would say of models that escape."""

import re
from pathlib import Path

import make_coverage
import pytest
import torch
from model_collection import COLLECTION, Entry
from torch import Tensor, nn

PAGE = Path(make_coverage.__file__).parents[1] / "docs" / "coverage.md"
SAMPLE = [
    "torchvision:googlenet",
    "torchvision:mobilenet_v3_small",
    "torchvision:shufflenet_v2_x0_5",
    "timm:test_efficientnet",
    "timm:test_vit",
    "transformers:bert",
    "transformers:mixtral",
    "transformers:t5",
    "examples:fno",
    "examples:gat",
    "examples:mnist",
    "examples:word_language_model_transformer",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_every_hidden_activation_is_swapped(name: str) -> None:
    row = make_coverage.measure(name)
    assert row["swapped"] == row["hidden"] > 0, row["left"]
    assert row["unseen"] == []
    assert "what was promised" in row["verified"]
    assert row["restored"]


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Escaping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return torch._C._nn.silu(self.act(self.fc(x)))

    monkeypatch.setitem(COLLECTION, "one:more", Entry(Escaping, lambda: torch.randn(2, 4)))


@pytest.mark.usefixtures("one_more")
def test_what_escapes_find_is_seen_and_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = make_coverage.measure("one:more")
    assert row["swapped"] == row["hidden"] == 1
    (unseen,) = row["unseen"]
    assert unseen.startswith(": silu (2 times, ") and __file__ in unseen
    monkeypatch.setattr(make_coverage, "PAGE", tmp_path / "coverage.md")
    make_coverage.write([row], "a test")
    assert "| one:more | 1 module hidden | 2 | 1 | 50.0 % | disagrees | yes |" in (tmp_path / "coverage.md").read_text()


def test_the_page_has_a_line_for_every_model_and_at_least_99_percent() -> None:
    page = PAGE.read_text()
    listed = set(re.findall(r"^(?:\| |- \*\*)(\w+:[^ *]+)", page, re.MULTILINE))
    assert listed == set(COLLECTION)
    (totals,) = re.findall(r"^\| \*\*all\*\* \| (\d+) \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    models, hidden, swapped = map(int, totals)
    assert models > 300
    assert swapped >= 0.99 * hidden > 0
