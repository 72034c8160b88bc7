import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import matplotlib.image
import pytest
import torch
import yaml
from click.testing import Result
from transformers import BertConfig, BertModel
from typer.testing import CliRunner

from lightning_acts import catalogue
from lightning_acts.cli.app import _pair, app
from lightning_acts.models import ModelError, build
from lightning_acts.runs import config as configs
from lightning_acts.runs.reading import ConfigError
from lightning_acts.spec import SpecError
from lightning_acts.surgery.site import SwapError
from lightning_acts.surgery.swapping import swap as make_swap


def run(
    *arguments: str, expect: int = 0, cwd: Path | None = None, timeout: int = 120
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lightning_acts", *arguments]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs a command in this process, which is faster; it finds the modules in the folder of the test."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)

    def run(*arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == expect, done.output
        return done

    yield run
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_help_shows_every_verb_with_an_example() -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["--help"]).stdout
    for command in app.registered_commands:
        name = command.name or command.callback.__name__  # type: ignore[union-attr]
        assert name in shown
        assert f"lightning-acts {name}" in runner.invoke(app, [name, "--help"], terminal_width=200).stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ls", "configs"], ["cat", "digits", "seed=${data.batch_size}"], ["cp", "digits", "mine.yaml"]],
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
        (["train", "seed=1"], "a config is needed before its overrides"),
        (["train", "digits", "--seeds", "1,x"], "--seeds 1,x"),
        (["train", "digits", "--seeds", "1,1"], "--seeds 1,1"),
        (["validate", "digits", "trainer.max_epoch=1"], "did you mean 'trainer.max_epochs'"),
        (["ls", "confgs"], "no list of 'confgs'; did you mean 'configs'"),
        (["ls", "configs", "x*"], "is like 'x*'"),
        (["ls", "models", "--monotone"], "--monotone is for activations"),
        (["cat"], "cat needs a config"),
        (["cat", "digits", "--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
        (["inspect", "torchvision:resnet81"], "did you mean 'resnet18'"),
        (["inspect", "torchvision:resnet18", "--input", "1,x"], "--input 1,x"),
        (["inspect", "torch.nn:ReLU", "--input", "1,2:lang"], "torch has no type 'lang'"),
        (["swap", "torchvision:resnet18"], "swap needs --map or --plan"),
        (["swap", "torchvision:resnet18", "--map", "relu=mish"], "--out model.pt; or --dry-run"),
        (["swap", "torchvision:resnet18", "--map", "relu", "--dry-run"], "--map relu: OLD=NEW"),
        (["swap", "torchvision:resnet18", "--map", "relux=mish", "--dry-run"], "did you mean 'relu'"),
        (["swap", "torchvision:resnet18", "--map", "relu=mish", "--out", "x.bin"], "x.bin: weights are written to"),
        (["show", "mishh"], "did you mean 'mish'"),
        (["compare", "mish"], "two activations at least"),
        (["compare", "mish", "softmax"], "not elementwise"),
    ],
)
def test_mistakes_are_usage_errors_in_words(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run(*arguments, expect=2, cwd=tmp_path)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert not (tmp_path / "runs").exists()


def test_debug_shows_where(tmp_path: Path) -> None:
    assert "Traceback" in run("--debug", "show", "mishh", expect=1, cwd=tmp_path).stderr


def test_cp_never_overwrites(tmp_path: Path) -> None:
    run("cp", "digits", cwd=tmp_path)
    assert (tmp_path / "digits.yaml").read_text() == configs.find("digits").read_text()
    (tmp_path / "digits.yaml").write_text("mine")
    assert "not overwritten" in run("cp", "digits", expect=2, cwd=tmp_path).stderr
    assert (tmp_path / "digits.yaml").read_text() == "mine"
    assert "can't be written" in run("cp", "digits", "nowhere/x.yaml", expect=2, cwd=tmp_path).stderr


def test_cat_shows_origins_and_reads_back(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("seed: 7\ntrainer: {max_epochs: 3}\n")
    done = run("cat", "digits", "mine", "trainer.max_epochs=5", "--config-dir", "own", cwd=tmp_path)
    assert "max_epochs: 5" in done.stdout
    assert "# command line: trainer.max_epochs=5" in done.stdout
    assert "# own/mine.yaml:1" in done.stdout
    loaded = configs.load(["digits"])
    assert yaml.safe_load(configs.with_comments(loaded)) == loaded.data


EXPECTED = re.compile(
    r"^# Expected: test/acc (0\.\d{3}) \+- (0\.0\d+) \(seed \d+, torch \d+\.\d+\.\d+, lightning \d+\.\d+\.\d+, CPU\)",
    re.MULTILINE,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", configs.named())
def test_every_config_that_ships_gives_what_its_head_says(name: str, tmp_path: Path) -> None:
    folder = configs.load([name]).data["data"].get("folder")
    if folder is not None and not Path(folder).exists():
        pytest.skip(f"{folder} is missing: apt install dataset-fashion-mnist")
    stated = EXPECTED.search(configs.named()[name].read_text())
    assert stated
    done = run("train", name, "trainer.accelerator=cpu", "--json", cwd=tmp_path, timeout=3600)
    accuracy = json.loads(done.stdout)["metrics"]["test/acc"]
    assert accuracy == pytest.approx(float(stated[1]), abs=float(stated[2]))


@pytest.mark.parametrize("name", configs.named())
def test_every_config_that_ships_is_valid_and_says_what_it_is(name: str, tmp_path: Path) -> None:
    assert configs.first_comment(configs.named()[name])
    assert EXPECTED.search(configs.named()[name].read_text())
    assert "all is well" in run("validate", name, cwd=tmp_path).stdout
    schema = json.loads(run("cat", "--schema", cwd=tmp_path).stdout)
    jsonschema.validate(configs.load([name]).data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"trainer": {"max_epoch": 1}}, schema)


def test_ls(invoke: Callable[..., Result]) -> None:
    found = json.loads(invoke("ls", "activations", "*elu", "--json").stdout)
    assert {entry["name"] for entry in found} >= {"relu", "elu", "gelu", "celu", "prelu", "selu"}
    cheap = invoke("ls", "activations", "--bounded", "--no-needs-exp", "--zero-centred").stdout
    assert "hardtanh " in cheap and "tanh " in cheap and "\nrelu6 " not in cheap and "\nerf " not in cheap
    assert "torchvision:resnet18" in invoke("ls", "models", "torchvision:resnet*").stdout
    assert "lightning_acts.zoo.FashionMNIST" in invoke("ls", "data").stdout


def test_inspect(tmp_path: Path) -> None:
    shown = run("inspect", "torchvision:mobilenet_v3_small", cwd=tmp_path).stdout
    assert "42 sites" in shown
    assert "hardsigmoid · gate" in shown
    sites = json.loads(run("inspect", "torchvision:densenet121", "--input", "1,3,64,64", "--json", cwd=tmp_path).stdout)
    assert sum(site["kind"] == "function" for site in sites) == 1
    assert sum(site["kind"] == "module" for site in sites) == 120


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own_model.py").write_text(
        "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(2, 2), nn.ReLU())\n"
    )
    assert "1 sites" in run("inspect", "own_model:make", cwd=tmp_path).stdout


class TestSwap:
    @pytest.fixture(autouse=True)
    def own_model(self, tmp_path: Path) -> None:
        (tmp_path / "own_model.py").write_text(
            "from torch import nn\n"
            "def make(): return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))\n"
            "class Two(nn.Module):\n"
            "    def __init__(self): super().__init__(); self.net = make()\n"
            "    def forward(self, ids, mask): return self.net(ids.float() * mask)\n"
            "class Reused(nn.Module):\n"
            "    def __init__(self): super().__init__(); self.one, self.two, self.relu = nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()\n"
            "    def forward(self, x): return self.relu(self.two(self.relu(self.one(x))))\n"
        )

    def test_writes_weights_and_swaps_that_come_back(self, invoke: Callable[..., Result], tmp_path: Path) -> None:
        done = invoke("swap", "own_model:make", "--map", "relu=prelu(init=0.1)", "--map", "tanh=silu", "--out", "m.pt")
        assert "relu -> prelu(init=0.1) at 1 site, tanh -> silu at 1 site" in done.stdout
        assert "weights: m.pt\nswaps: m.swap.json\n" in done.stdout
        assert set(torch.load("m.pt", weights_only=True)) >= {"1.weight", "0.weight"}
        again = invoke("inspect", "own_model:make", "--weights", "m.pt", "--json")
        assert [site["activation"] for site in json.loads(again.stdout)] == ["prelu(init=0.1)", "silu"]
        with pytest.raises(ModelError, match="m.pt exists, and is not overwritten"):
            invoke("swap", "own_model:make", "--map", "relu=mish", "--out", "m.pt")
        done = invoke("swap", "own_model:make@m.pt", "--map", "silu=relu", "--out", "m.pt", "--force", "--json")
        assert json.loads(done.stdout)["swapped"][0]["path"] == "3"
        assert len(json.loads((tmp_path / "m.swap.json").read_text())["plans"]) == 3 - 1
        assert "relu" in str(build("own_model:make", weights="m.pt")).lower()

    def test_limits_and_a_dry_run(self, invoke: Callable[..., Result], tmp_path: Path) -> None:
        before = {path.name for path in tmp_path.iterdir()}
        done = invoke(
            "swap", "own_model:make", "--map", "relu=mish", "--map", "re:.*=silu", "--exclude", "3", "--dry-run"
        )
        assert "swapped relu -> mish at 1 site; left: tanh at 1 site (excluded)" in done.stdout
        done = invoke(
            "swap", "own_model:make", "--map", "relu=none", "--map", "*=silu", "--include", "re:[13]", "--dry-run"
        )
        assert "swapped tanh -> silu at 1 site; left: relu at 1 site (mapped to None)" in done.stdout
        done = invoke(
            "swap",
            "own_model:Reused",
            "--map",
            "relu=mish",
            "--share",
            "call",
            "--no-write-back",
            "--dry-run",
            "--json",
        )
        told = json.loads(done.stdout)
        assert [site["path"] for site in told["swapped"]] == ["relu", "self.relu/1"]
        request = told["plan"]["request"]
        assert (request["share"], request["write_back"]) == ("call", False)
        with pytest.raises(SwapError, match="share='cal': one instance for each 'call'"):
            invoke("swap", "own_model:Reused", "--map", "relu=mish", "--share", "cal", "--dry-run")
        with pytest.raises(SwapError, match="no site matches tanh with role gate"):
            invoke("swap", "own_model:make", "--map", "tanh=silu", "--role", "gate", "--dry-run")
        assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == before

    def test_a_plan(self, invoke: Callable[..., Result]) -> None:
        plan = make_swap(build("own_model:make"), {"relu": "elu(alpha=0.5)"}).plan
        plan.save("swap.yaml")
        assert "elu(alpha=0.5) at 1 site" in invoke("swap", "own_model:make", "--plan", "swap.yaml", "--dry-run").stdout

    def test_inputs(self, invoke: Callable[..., Result]) -> None:
        two = ("swap", "own_model:Two", "--map", "relu=prelu(per=channel)", "--dry-run")
        for inputs in (("3,2:long", "3,2:bool"), ("mask=3,2:bool", "ids=3,2:long")):
            done = invoke(*two, *(part for text in inputs for part in ("--input", text)))
            assert "prelu(num_parameters=4)" in done.stdout
        with pytest.raises(ConfigError, match="all have a name of their own, or none"):
            invoke(*two, "--input", "ids=3,2", "--input", "3,2")

    def test_a_folder_of_transformers(self, invoke: Callable[..., Result], tmp_path: Path) -> None:
        config = BertConfig(
            vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8
        )
        BertModel(config).save_pretrained("bert")
        invoke("swap", "hf:bert", "--map", "gelu=relu", "--weights", "default", "--input", "1,4:long", "--out", "new")
        assert {"config.json", "model.safetensors", "swap.json"} <= {path.name for path in (tmp_path / "new").iterdir()}
        sites = json.loads(invoke("inspect", "hf:new", "--json").stdout)
        assert [site["activation"] for site in sites] == ["relu", "relu", "tanh", *["softmax(dim=-1)"] * 2]


def test_pairs() -> None:
    assert _pair("relu=mish") == ("relu", "mish")
    assert _pair("leaky_relu(negative_slope=0.2)=elu(alpha=0.5)") == (
        "leaky_relu(negative_slope=0.2)",
        "elu(alpha=0.5)",
    )
    assert _pair("re:a=b.*=None") == ("re:a=b.*", None)


def test_show_and_compare(invoke: Callable[..., Result]) -> None:
    shown = invoke("show", "elu(alpha=0.5)", "--picture", "elu.png").stdout
    assert "alpha * (exp(x) - 1)" in shown
    assert "⠉" in shown or "⣀" in shown or "⡠" in shown
    assert json.loads(invoke("show", "mish", "--json").stdout)["formula"] == "x * tanh(softplus(x))"
    assert "largest difference in value:      0.278" in invoke("compare", "relu", "silu", "--out", "c.png").stdout
    for name in ("elu.png", "c.png"):
        assert matplotlib.image.imread(name).std() > 0.01


OWN = """
import torch
import lightning_acts as acts

@acts.register(formula="x * sigmoid(beta * x)", source="this file")
def own_swish(x: torch.Tensor, beta: float = 1.5) -> torch.Tensor:
    return x * acts.functional.parametric_sigmoid(x, b=beta)

@acts.register(formula="log(1 + exp(x))", source="this file")
def naive_softplus(x: torch.Tensor) -> torch.Tensor:
    return torch.log(1 + torch.exp(x))

def not_registered(x: torch.Tensor) -> torch.Tensor:
    return x
"""


@pytest.mark.usefixtures("clean_registry")
def test_check_and_show_of_ones_own(invoke: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "own_acts.py").write_text(OWN)
    assert "own_swish: without defects" in run("check", "own_acts:own_swish", cwd=tmp_path).stdout
    done = invoke("check", "own_acts:naive_softplus", expect=1).stdout
    assert "falls short: value: the value at 1000.0 in float64 is not finite" in done
    assert "naive_softplus: " in done and "defects" in done
    found = json.loads(invoke("check", "hardsigmoid", "--json").stdout)
    assert found["defects"] == [] and "second derivative" in found["limits"]
    with pytest.raises(SpecError, match="not registered"):
        invoke("check", "own_acts:not_registered")
    with pytest.raises(ModelError, match="did you mean 'own_swish'"):
        invoke("check", "own_acts:own_swsh")
    shown = invoke("show", "own_acts:own_swish").stdout
    assert "range:      [-0.18" in shown and "this file" in shown


def test_gallery(invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "names", lambda: ["mish", "softmax"])  # all of them take a while
    assert invoke("gallery", "--out", "pages").stdout == "page: pages/index.html\n"
    page = (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert 'id="mish"' in page and 'id="softmax"' in page
    assert invoke("gallery", "--index", "acts.md").stdout == "page: acts.md\n"
    assert "| `mish` |" in (tmp_path / "acts.md").read_text("utf-8")


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


def test_no_socket_is_opened(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refused(*a, **k): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refused; socket.create_connection = refused; socket.getaddrinfo = refused\n"
        "sys.argv = ['lightning-acts', 'train', 'digits', '--dry-run', 'model.backbone=timm:resnet10t', 'model.small_images=false']\n"
        "from lightning_acts.cli.app import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "would train 5 epochs" in done.stdout


def test_files_and_specs_that_can_only_be_mistakes(invoke: Callable[..., Result], tmp_path: Path) -> None:
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
