import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from transformers import BertConfig, BertModel

from lightning_acts.cli.models import _pair
from lightning_acts.errors import SwapError
from lightning_acts.models import ModelError, build
from lightning_acts.runs.reading import ConfigError
from lightning_acts.surgery.swapping import swap as make_swap

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_inspect(run: Run) -> None:
    shown = run("inspect", "torchvision:mobilenet_v3_small").stdout
    assert "42 sites" in shown
    assert "hardsigmoid · gate" in shown
    sites = json.loads(run("inspect", "torchvision:densenet121", "--input", "1,3,64,64", "--json").stdout)
    assert sum(site["kind"] == "function" for site in sites) == 1
    assert sum(site["kind"] == "module" for site in sites) == 120


def test_a_model_of_ones_own(tmp_path: Path, run_process: Run) -> None:
    (tmp_path / "own_model.py").write_text(
        "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(2, 2), nn.ReLU())\n"
    )
    assert ": 1 site\n" in run_process("inspect", "own_model:make", cwd=tmp_path).stdout


def test_a_model_within_a_blend(tmp_path: Path, run_process: Run) -> None:
    """Each blend is one site, in words; places of calls are written out, however long."""
    file = tmp_path / ("a" * 120) / "own_model.py"
    file.parent.mkdir()
    file.write_text(
        "import lightning_acts as acts, torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.act = nn.ReLU()\n"
        "    def forward(self, x):\n"
        "        return torch.tanh(self.act(x))\n"
        "def make():\n"
        "    model = Net()\n"
        "    scheduled = acts.ScheduledSwap({'relu': 'mish'}, blend={'steps': 4})\n"
        "    scheduled.install(model)\n"
        "    scheduled.advance(step=0)\n"
        "    scheduled.advance(step=1)\n"
        "    return model\n"
    )
    shown = run_process("inspect", "own_model:make", cwd=file.parent).stdout
    assert ": 2 sites\n" in shown
    assert "── act: blend of relu and mish, 25% taken over · hidden\n" in shown
    assert f"0: tanh · output at {file}:8\n" in shown


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

    def test_the_file_that_an_earlier_swap_wrote(self, invoke: Callable[..., Result]) -> None:
        invoke("swap", "own_model:make", "--map", "relu=mish", "--out", "first.pt")
        again = invoke("swap", "own_model:make", "--plan", "first.swap.json", "--out", "second.pt").stdout
        assert "relu -> mish at 1 site" in again
        assert Path("second.swap.json").read_bytes() == Path("first.swap.json").read_bytes()

    def test_a_plan(self, invoke: Callable[..., Result]) -> None:
        plan = make_swap(build("own_model:make"), {"relu": "elu(alpha=0.5)"}).plan
        plan.save("swap.yaml")
        assert "elu(alpha=0.5) at 1 site" in invoke("swap", "own_model:make", "--plan", "swap.yaml", "--dry-run").stdout

    def test_inputs(self, invoke: Callable[..., Result]) -> None:
        two = ("swap", "own_model:Two", "--map", "relu=prelu(per=channel)", "--dry-run")
        for inputs in (("3,2:long", "3,2:bool"), ("mask=3,2:bool", "ids=3,2:long")):
            done = invoke(*two, *(part for text in inputs for part in ("--input", text)))
            assert "prelu(num_parameters=4)" in done.stdout
        with pytest.raises(ConfigError, match="give each input its own name"):
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
