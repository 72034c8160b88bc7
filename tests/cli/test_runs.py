import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from torch import nn

from lightning_acts.runs.folder import RunError
from lightning_acts.runs.reading import ConfigError

Invoke = Callable[..., Result]


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


TINY = """
import lightning as L, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Tiny(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    def forward(self, x): return self.net(x)
    def training_step(self, batch, _): return nn.functional.cross_entropy(self(batch[0]), batch[1])
    def test_step(self, batch, _): self.log("test/loss", self.training_step(batch, 0))
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), 0.1)
    def predict_step(self, batch, _): return self(batch[0])

class Data(L.LightningDataModule):
    def loader(self):
        return DataLoader(TensorDataset(torch.ones(6, 4), torch.tensor([0, 1] * 3)), batch_size=3)
    train_dataloader = test_dataloader = predict_dataloader = loader
"""


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Invoke) -> str:
    """The folder of a run, from the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "tiny.yaml").write_text(
        "model: {_target_: tiny.Tiny}\ndata: {_target_: tiny.Data}\nswap: [{map: {relu: mish}}]\n"
        "trainer: {max_epochs: 1, accelerator: cpu}\n"
    )
    invoke("train", "tiny.yaml")
    (run,) = Path("runs/tiny").iterdir()
    return str(run)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_eval_says_which_checkpoint_it_used(trained: str, invoke: Invoke) -> None:
    (best,) = Path(trained, "checkpoints").glob("last.ckpt")
    done = invoke("eval", trained, "--json")
    assert done.stderr.splitlines()[0] == f"checkpoint: {best}"
    assert json.loads(done.stdout) == {"test/loss": pytest.approx(loss_of(best), rel=1e-5)}
    assert "test/loss" in invoke("eval", trained).stdout
    with pytest.raises(RunError, match=f"there is no run 'runs/none'; the latest run here is {trained}"):
        invoke("eval", "runs/none")


def loss_of(checkpoint: Path) -> float:
    """The loss on the test data, of a model made without this package."""
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    net = nn.Sequential(nn.Linear(4, 8), nn.Mish(), nn.Linear(8, 2))
    net.load_state_dict(
        {name.removeprefix("net."): value for name, value in weights.items() if name.startswith("net.")}
    )
    return float(nn.functional.cross_entropy(net(torch.ones(6, 4)), torch.tensor([0, 1] * 3)))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_predict_says_where_predictions_are_and_why_there_are_none(trained: str, invoke: Invoke) -> None:
    done = invoke("predict", trained, "--out", "p.csv")
    assert done.stdout == "6 predictions written to p.csv\n"
    assert done.stderr.startswith(f"checkpoint: {trained}/checkpoints/")
    assert Path("p.csv").read_text().splitlines()[0] == "sample,0,1"
    for out, message in (
        ("p.csv", "--out p.csv: the file exists, and is not overwritten"),
        ("p.txt", "--out p.txt: its suffix says how to write it, .csv or .pt"),
        ("no/p.csv", "--out no/p.csv: there is no folder no"),
    ):
        with pytest.raises(RunError, match=re.escape(message)):
            invoke("predict", trained, "--out", out)
    for removed, message in (
        (
            "    def predict_step(self, batch, _): return self(batch[0])\n",
            "Tiny has no predict_step, and its forward can't",
        ),
        (" = predict_dataloader", "Data has no predict_dataloader: there is nothing to predict for"),
    ):
        assert removed in TINY
        Path("tiny.py").write_text(TINY.replace(removed, ""))
        del sys.modules["tiny"]
        importlib.invalidate_caches()
        with pytest.raises(RunError, match=re.escape(message)):
            invoke("predict", trained, "--out", "q.csv")
        assert not Path("q.csv").exists()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_verify_shows_what_each_site_executes(trained: str, invoke: Invoke) -> None:
    shown = invoke("verify", trained, "--input", "2,4").stdout
    assert re.search(r"net\.1 +│ relu +│ mish +│ 1, 1 +│ mish", shown)
    assert shown.endswith("1 site executes what was promised: mish\n")
    with pytest.raises(ConfigError, match="verify needs an input to run the model on: --input 2,3,64,64"):
        invoke("verify", trained)
    with pytest.raises(ConfigError, match=r"--weights x.pt: .* is a run and has its own weights"):
        invoke("verify", trained, "--weights", "x.pt", "--input", "2,4")
