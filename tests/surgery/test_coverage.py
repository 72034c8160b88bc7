"""A sample of docs/coverage.md, and what the script that writes it would say of models that escape."""

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path

import make_coverage
import package_models
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
SAMPLE_OF_PACKAGES = [
    "packages:conformer/Conformer",
    "packages:efficientnet-pytorch/b0",
    "packages:kornia/TFeat",
    "packages:openai-whisper/Whisper",
    "packages:perceiver-pytorch/PerceiverIO",
    "packages:siren-pytorch/SirenNet",
    "packages:speechbrain/ECAPA_TDNN",
    "packages:torch_geometric/GCN",
    "packages:torchaudio/Conformer",
    "packages:vit-pytorch/ViT",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_every_hidden_activation_is_swapped(name: str) -> None:
    row = make_coverage.measure(name)
    assert row["swapped"] == row["hidden"] > 0, row["left"]
    assert row["unseen"] == []
    assert "what was promised" in row["verified"]
    assert row["restored"]
    page = PAGE.read_text()
    if f" with {make_coverage.versions()}, Python " in page:  # others have other models
        assert make_coverage._line(row) in page.splitlines(), "docs/coverage.md says something else"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs, on import
@pytest.mark.parametrize("name", SAMPLE_OF_PACKAGES)
def test_every_hidden_activation_of_a_package_is_swapped_with_and_without_an_example(name: str) -> None:
    if name not in package_models.MODELS:
        pytest.skip(f"{package_models.distribution(name)} is not installed")
    row = make_coverage.measure(name)
    for tried in (row, row["without"]):
        assert tried["swapped"] == tried["hidden"] > 0, tried["left"]
        assert tried["unseen"] == []
        assert "what was promised" in tried["verified"]
        assert tried["restored"]
    assert row["without"]["differing"] == []


def test_a_package_that_is_not_installed_leaves_its_models_out() -> None:
    assert set(package_models.MODELS) <= set(package_models.ALL)
    assert len(package_models.PACKAGES) >= 20
    assert len(package_models.ALL) >= 60
    for name in package_models.ALL:
        distribution = package_models.distribution(name)
        with_it = bool(importlib.util.find_spec(package_models.PACKAGES[distribution].module))
        assert (name in package_models.MODELS) == with_it


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Escaping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return torch._C._nn.silu(self.act(self.fc(x)))

    monkeypatch.setitem(make_coverage.MODELS, "one:more", Entry(Escaping, lambda: torch.randn(2, 4)))


@pytest.mark.usefixtures("one_more")
def test_what_escapes_find_is_seen_and_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = make_coverage.measure("one:more")
    assert row["swapped"] == row["hidden"] == 1
    (unseen,) = row["unseen"]
    assert unseen.startswith(": silu (2 times, ") and __file__ in unseen
    monkeypatch.setattr(make_coverage, "PAGE", tmp_path / "coverage.md")
    make_coverage.write([row], "a test")
    assert "| one:more | 1 module hidden | 2 | 1 | 50.0 % | disagrees | yes |" in (tmp_path / "coverage.md").read_text()


def test_what_only_a_run_tells_is_counted_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Doubtful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x: Tensor) -> Tensor:
            h = torch.relu(self.layers[0](x))
            return self.layers[1](getattr(torch, "tan" + "h")(h))

    name = "packages:torch/Doubtful"
    entry = Entry(Doubtful, lambda: torch.randn(2, 4))
    monkeypatch.setitem(make_coverage.MODELS, name, entry)
    monkeypatch.setitem(package_models.ALL, name, entry)
    row = make_coverage.measure(name)
    assert row["swapped"] == row["hidden"] == 2
    without = row["without"]
    assert (without["swapped"], without["unseen"], without["differing"]) == (1, [], [])
    (doubt,) = without["doubt"]
    assert doubt.startswith("tanh/0: not found, with an example tanh as hidden")
    monkeypatch.setattr(make_coverage, "PAGE", tmp_path / "coverage.md")
    make_coverage.write([row], "a test")
    page = (tmp_path / "coverage.md").read_text()
    assert (
        "| packages:torch/Doubtful | 2 function hidden | 2 | 2 | 100.0 % | agrees | yes | 1 / 1 / 0 | agrees |" in page
    )
    assert f"Installed by name from PyPI: torch {version('torch')}." in page


def test_the_page_has_a_line_for_every_model_and_at_least_99_percent_in_sum() -> None:
    page = PAGE.read_text()
    lines = re.findall(r"^\| (\w+:[^ |]+) \|[^|]*\| (\d+) \| (\d+) \|", page, re.MULTILINE)
    not_measured = re.findall(r"^- \*\*(\w+:[^*]+)", page.partition("## Not measured")[2], re.MULTILINE)
    assert sorted([name for name, *_ in lines] + not_measured) == sorted({*COLLECTION, *package_models.ALL})
    (totals,) = re.findall(r"^\| \*\*all\*\* \| (\d+) \| (\d+) \| (\d+) \|", page, re.MULTILINE)
    hidden, swapped = (sum(int(line[column]) for line in lines) for column in (1, 2))
    assert list(map(int, totals)) == [len(lines), hidden, swapped]
    assert len(lines) > 300
    assert swapped >= 0.99 * hidden > 0
