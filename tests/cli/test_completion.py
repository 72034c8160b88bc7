from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightning_acts.cli import completion
from lightning_acts.cli.app import app
from lightning_acts.runs import config


def offered(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What bash shows, asked as it asks: by the words so far, the last one incomplete."""
    monkeypatch.setenv("_LIGHTNING_ACTS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["lightning-acts", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    return CliRunner().invoke(app, [], prog_name="lightning-acts").stdout.split()


@pytest.mark.parametrize("verb", ["train", "validate", "cat", "cp"])
def test_configs(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, verb, "fash") == ["fashion_mnist"]
    assert offered(monkeypatch, verb, "images/dig") == ["images/digits"]
    assert offered(monkeypatch, verb, "") == [name.rpartition("/")[2] for name in config.named()]


@pytest.mark.parametrize("verb", ["show", "check", "compare"])
def test_activations(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, verb, "hardsw") == ["hardswish"]


def test_both_sides_of_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, "swap", "torch.nn:ReLU", "--map", "hardsw") == ["hardswish="]
    assert offered(monkeypatch, "swap", "torch.nn:ReLU", "--map", "hardswish=hardsw") == ["hardswish=hardswish"]


@pytest.mark.parametrize("verb", ["inspect", "swap", "verify"])
def test_models(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, verb, "t") == ["torchvision:", "timm:"]
    assert set(offered(monkeypatch, verb, "torchvision:resnet1")) == {f"torchvision:resnet{n}" for n in (18, 101, 152)}
    assert "timm:resnet18" in offered(monkeypatch, verb, "timm:resnet18")
    assert offered(monkeypatch, verb, "my_package.models:ma") == []


@pytest.mark.parametrize("verb", ["resume", "eval", "predict", "inspect"])
def test_runs(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("digits/one", "digits/two", "other/one", "digits/.new-three"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
    (tmp_path / "runs" / "digits" / "no_run").mkdir()
    assert offered(monkeypatch, verb, "runs/d") == ["runs/digits/one", "runs/digits/two"]
    assert completion.runs("runs/") == ["runs/digits/one", "runs/digits/two", "runs/other/one"]


@pytest.mark.parametrize("verb", ["train", "resume", "inspect"])
def test_nothing_else_is_an_error(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(monkeypatch, verb, "xyz") == []
