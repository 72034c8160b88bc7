import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lightning_acts.cli.app import app
from lightning_acts.models import ModelError
from lightning_acts.runs.reading import ConfigError
from lightning_acts.spec import SpecError

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_help_shows_every_verb_with_an_example() -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["--help"]).stdout
    assert "<bool>" not in shown
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert name in shown
        own = runner.invoke(app, [name, "--help"], terminal_width=200).stdout
        assert f"lightning-acts {name}" in own and "<bool>" not in own


def test_version(run: Run) -> None:
    assert run("--version").stdout.strip() == version("lightning-acts")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["ls", "configs"],
        ["cat", "digits", "seed=${data.batch_size}"],
        ["cp", "digits", "mine.yaml"],
    ],
)
def test_without_torch(arguments: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['lightning-acts', *{arguments!r}]\n"
        "from lightning_acts.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "assert 'torch' not in sys.modules and 'lightning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "digits"], "train"),
        (["train"], "Missing argument"),
        (["train", "digits", "--dryrun"], "--dry-run"),
        (["train", "digit"], "no config 'digit'; did you mean 'digits'"),
        (["train", "seed=1"], "a config must come before its overrides"),
        (["train", "digits", "--seeds", "1,x"], "--seeds 1,x"),
        (["train", "digits", "--seeds", "1,1"], "--seeds 1,1"),
        (["validate", "digits", "trainer.max_epoch=1"], "did you mean 'trainer.max_epochs'"),
        (["ls", "confgs"], "no list of 'confgs'; did you mean 'configs'"),
        (["ls", "configs", "x*"], "matches 'x*'"),
        (["ls", "models", "--monotone"], "--monotone is for activations"),
        (["cat"], "cat needs a config"),
        (["cat", "digits", "--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
        (["inspect", "torchvision:resnet81"], "did you mean 'resnet18'"),
        (["inspect", "torchvision:resnet18", "--input", "1,x"], "--input 1,x"),
        (["inspect", "torch.nn:ReLU", "--input", "1,2:lang"], "torch has no type 'lang'"),
        (["swap", "torchvision:resnet18"], "swap needs either --map or --plan"),
        (["swap", "torchvision:resnet18", "--map", "relu=mish"], "--out model.pt; or --dry-run"),
        (["swap", "torchvision:resnet18", "--map", "relu", "--dry-run"], "--map relu: expected OLD=NEW"),
        (["swap", "torchvision:resnet18", "--map", "relux=mish", "--dry-run"], "did you mean 'relu'"),
        (["swap", "torchvision:resnet18", "--map", "relu=mish", "--out", "x.bin"], "x.bin: weights are written to"),
        (["show", "mishh"], "did you mean 'mish'"),
        (["compare", "mish"], "at least two activations"),
        (["compare", "mish", "softmax"], "not elementwise"),
    ],
)
def test_mistakes_are_usage_errors_in_words(arguments: list[str], message: str, tmp_path: Path, run: Run) -> None:
    done = run(*arguments, expect=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not (tmp_path / "runs").exists()


def test_debug_shows_where(run: Run) -> None:
    assert run("show", "mishh", expect=2).stderr.startswith("there is no activation 'mishh'; did you mean ")
    with pytest.raises(SpecError, match="mishh"):
        run("--debug", "show", "mishh")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m lightning_acts ls models | head -1",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr


def test_files_and_specs_that_can_only_be_mistakes(invoke: Callable[..., Result], tmp_path: Path, run: Run) -> None:
    weights = tmp_path / "empty.pt"
    weights.touch()
    with pytest.raises(ModelError, match="empty.pt can't be read as weights: it is empty"):
        invoke("inspect", "torchvision:alexnet", "--weights", str(weights))
    large, deep = tmp_path / "large.yaml", tmp_path / "deep.yaml"
    with large.open("w") as file:
        file.write("seed: 1\n#")
        file.truncate(40_000_000)
    deep.write_text("seed: " + "[" * 5000)
    for path, message in ((large, "is too large for a config: 40,000,000 bytes"), (deep, "is nested deeper than 50")):
        with pytest.raises(ConfigError, match=message):
            invoke("validate", "digits", str(path))
    said = run("show", "elu(" + "x" * 900 + "=1)", expect=2).stderr
    assert "elu has no parameter 'xxx" in said and len(said) < 400 and "Traceback" not in said
