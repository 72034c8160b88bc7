"""Every snippet of the guide to runs: commands run in order, configs are valid, messages are said."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

import lightning_acts as acts
from lightning_acts.cli.app import app
from lightning_acts.runs.checking import Checked, check_config
from lightning_acts.runs.config import collect
from lightning_acts.zoo import PretrainedModel

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "runs.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


def call(arguments: list[str]) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_commands() -> None:
    lines = [line.partition(" #")[0].strip() for line in snippets("sh")[0].splitlines()]
    assert [line.split()[1] for line in lines] == [
        "ls", "cp", "validate", "train", "train", "resume", "eval", "predict", "export", "report", "verify",
    ]  # fmt: skip
    said = {}
    for line in lines:
        for run in sorted(Path("runs").glob("mine/*"))[:1]:
            line = line.replace("runs/mine/...", str(run)).replace(
                "runs/mine/*", shlex.join(map(str, run.parent.iterdir()))
            )
        done = call(shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output)
        said[line.split()[1]] = done.output
        if "cp" in line:
            mine = yaml.safe_load(Path("mine.yaml").read_text())
            mine["model"] |= {"backbone": "timm:resnet10t", "small_images": False}
            mine["trainer"] = {"max_epochs": 1} | {f"limit_{part}_batches": 2 for part in ("train", "val", "test")}
            Path("mine.yaml").write_text(yaml.safe_dump(mine))
    assert len(list(Path("runs/mine").iterdir())) == 4
    assert "mean" in said["train"]
    assert "largest difference to the model" in said["export"]
    assert "page: report/index.html" in said["report"]
    assert len(Path("p.csv").read_text().splitlines()) > 2
    assert "sites execute what was promised: mish" in said["verify"]


def test_the_configs_are_valid() -> None:
    files = []
    for number, text in enumerate(snippets("yaml")):
        files.append(f"part_{number}.yaml")
        Path(files[-1]).write_text(text)
    assert len(files) == 3
    checked: list[Checked] = [check_config(*collect(["digits", file])) for file in files[:2]]
    assert set(checked[0].callbacks) == {"best", "stop", "ema", "lr"}
    assert checked[1].trainer["max_epochs"] == 20
    assert not checked[1].callbacks
    assert check_config(*collect([files[2]])).model.target is PretrainedModel


def test_the_message_of_a_mistake() -> None:
    (message,) = re.findall(r"^```\n(mine\.yaml:.*)\n```$", GUIDE, flags=re.MULTILINE)
    file, line, rest = message.split(":", 2)
    above = "base: digits\n" + "\n" * (int(line) - 3)
    Path(file).write_text(f"{above}trainer:\n  max_epoch: 1\n")
    done = CliRunner().invoke(app, ["validate", file])
    assert str(done.exception).startswith(f"{file}:{line}:{rest.removesuffix(' ...')}")


def test_the_overrides_for_many_processes_are_valid() -> None:
    torchrun, slurm = snippets("sh")[1:]
    for command, verb in ((torchrun, "train digits"), (slurm, "train fashion_mnist")):
        arguments = command.replace("\\\n", "").partition(verb)[2].partition("--out")[0].split()
        assert "trainer.strategy=ddp" in arguments
        check_config(*collect([verb.split()[1]], arguments))
