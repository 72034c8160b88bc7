"""Every snippet of the README runs, in order and in one process, as a reader would paste them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torchvision
import yaml
from jsonargparse import ArgumentParser
from torch import nn

import lightning_acts as acts

PROJECT = Path(acts.__file__).parents[1]
README = (PROJECT / "README.md").read_text()
CHOOSING = (PROJECT / "docs" / "choosing.md").read_text()


def snippets(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.usefixtures("clean_registry")
def test_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # There may be no network: the weights are random ones.
    state = torchvision.models.mobilenet_v3_small().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: state)
    names: dict[str, Any] = {"__name__": "readme"}
    training, loading, scheduling, swapping, registering = snippets("python")
    L.seed_everything(0)
    exec(training, names)
    assert "Mish" in repr(names["model"])
    # As the README says, within a tolerance.
    assert names["trainer"].callback_metrics["test/acc"].item() == pytest.approx(0.93, abs=0.05)
    exec(loading, names)
    assert "Mish" in repr(names["model"])
    assert "ReLU" not in repr(names["model"])
    assert (
        eval(scheduling, names).schedule.timeline(10, 8) == "begins at epoch 5 (step 50), is over at epoch 8 (step 80)"
    )
    exec(swapping, names)
    assert (tmp_path / "swap.json").exists()
    assert sum(type(module) is nn.Hardswish for module in names["model"].modules()) == 19
    said = capsys.readouterr().out
    assert "excluded" in said
    assert "its role is gate" not in said
    exec(registering, names)
    assert "x * tanh(softplus(x))" in capsys.readouterr().out


@pytest.mark.usefixtures("clean_registry")
def test_the_guide_to_activations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choosing, initializing, own = snippets("python", CHOOSING)
    names: dict[str, Any] = {"__name__": "guide"}
    for snippet in (choosing, initializing, own):
        exec(snippet, names)
    assert "1.17 for SiLU" in CHOOSING and "1.17 times as large" in str(acts.info("silu"))  # as the guide says
    assert "largest difference in value" in capsys.readouterr().out
    for stability, kin in (("stable", {"tanh", "erf", "asinh", "selu", "sine", "sigmoid", "softplus"}),
                           ("marginal", {"relu", "leaky_relu"}),
                           ("unstable", {"tanhshrink", "softshrink", "gelu", "silu", "mish", "square"})):  # fmt: skip
        assert kin <= set(acts.names(stability=stability))  # type: ignore[arg-type]
    (tmp_path / "my_acts.py").write_text(own)
    # One process, where the snippet above is not registered yet, runs both.
    code = "import sys; from lightning_acts.cli.app import app\nfor words in {}: app(words, standalone_mode=False)"
    lines = [line.partition("  #")[0].split()[1:] for line in snippets("sh", CHOOSING)[0].splitlines()[:2]]
    command = [sys.executable, "-c", code.format(lines)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    checked, shown = done.stdout.split("my_wave: no defects")
    assert not checked and "my_wave" in shown


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jsonargparse's own names
def test_yaml() -> None:
    config = yaml.safe_load(snippets("yaml")[0])
    parser = ArgumentParser()
    parser.add_subclass_arguments(acts.ActivationSwap, "callback")
    (given,) = config["trainer"]["callbacks"]
    callback = parser.instantiate_classes(parser.parse_object({"callback": given})).callback
    assert str(callback.request) == "relu -> mish"
    assert callback.request.exclude == ("head.*",)


def test_search(tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (tmp_path / "mine.yaml").write_text(snippets("yaml")[1])
    dry, real = (line.partition("  #")[0].split()[1:] for line in snippets("sh")[3].splitlines())
    said = run(*dry).stdout
    assert "6 activations at model.activation, baseline relu" in said
    assert "after 10 seeds: smallest p 0.002" in said and "can be decided" in said
    assert real == [word for word in dry if word != "--dry-run"]


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)]+)\)", README))
def test_links(path: str) -> None:
    assert (PROJECT / path).exists()


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)]+)\)", CHOOSING))
def test_links_of_the_guide(path: str) -> None:
    assert (PROJECT / "docs" / path).exists()


def test_versions_are_those_that_pip_asks_for() -> None:
    project = (PROJECT / "pyproject.toml").read_text()
    needed = dict(re.findall(r'"([\w-]+)(?:\[\w+\])?>=([\d.]+)"', project))
    needed["Python"] = re.search(r'^requires-python = ">=([\d.]+)"', project, flags=re.MULTILINE)[1]  # type: ignore[index]
    rows = re.findall(r"^\| ([\w, -]+) \| ([\d., ]+) \| ([\d., ]+) \|.*\|$", README, flags=re.MULTILINE)
    stated = {}
    for names, least, tested in rows:
        versions = zip(names.split(", "), least.split(", "), tested.split(", "), strict=True)
        for name, lowest, used in versions:
            stated[name] = lowest
            assert [int(part) for part in used.split(".")] >= [int(part) for part in lowest.split(".")]
    assert set(stated) == {
        "Python",
        "torch",
        "lightning",
        "torchvision",
        "timm",
        "matplotlib",
        "tensorboard",
        "transformers",
        "datasets",
        "optuna",
    }
    assert stated == {name: needed[name] for name in stated}


def test_the_coverage_is_as_measured() -> None:
    coverage = (PROJECT / "docs" / "coverage.md").read_text()
    models, share = re.search(r"^\| \*\*all\*\* \| (\d+) \| \d+ \| \d+ \| ([\d.]+ %)", coverage, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert f"In {models} models, {share} of the hidden activations" in README


def test_the_citation_agrees_with_the_package() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    package = (PROJECT / "pyproject.toml").read_text()
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # those that the format requires
    for key in ("version", "license"):
        assert re.search(rf'^{key} = "(.+)"$', package, flags=re.MULTILINE)[1] == citation[key]  # type: ignore[index]
    assert f'name = "{citation["title"]}"' in package
    assert json.dumps(citation["keywords"]) in package


def test_the_commands_explain_themselves() -> None:
    commands = re.findall(r"^(scripts/\w+)", "".join(snippets("sh")), flags=re.MULTILINE)
    assert commands == ["scripts/demo", "scripts/test"]
    for command in commands:
        text = (PROJECT / command).read_text()
        assert text.startswith("#!")
        assert (PROJECT / command).stat().st_mode & 0o111
        subprocess.run(["bash", "-n", PROJECT / command], check=True)


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    lines = [line.partition("  #")[0].strip() for line in snippets("sh")[2].splitlines()]
    assert len(lines) == 6
    for line in lines:
        if "resume" in line:  # the run that the lines before it have made
            (run, *_) = tmp_path.glob("runs/mine/*")
            line = line.replace("runs/mine/...", str(run))
        if "train" in line:
            line += " trainer.max_epochs=1 trainer.limit_train_batches=2 --out runs"
        command = [sys.executable, "-m", "lightning_acts", *line.split()[1:]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (line, done.stderr)
