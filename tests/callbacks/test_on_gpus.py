"""Scheduled swaps on CUDA: blended under bf16 and compile, resumed, on one GPU and on two."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from package import L
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import lightning_acts as acts
from lightning_acts.surgery.blending import scheduled_sites

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore:.*the fit ends before that"),
]
HERE = Path(__file__).parent


class Pictures(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = torchvision.models.resnet18(num_classes=10)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01, momentum=0.9)


def pictures() -> DataLoader:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 3, 64, 64, generator=generator)
    return DataLoader(TensorDataset(x, torch.arange(64) % 10), 16)


def fit(model: Any, folder: Path, epochs: int, path: Path | None = None, **options: Any) -> L.Trainer:
    swap = acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 1}, blend={"epochs": 2})
    trainer = L.Trainer(
        accelerator="gpu",
        max_epochs=epochs,
        callbacks=[swap],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **{"devices": 1, **options},
    )
    trainer.fit(model, pictures(), ckpt_path=path, **({} if path is None else {"weights_only": True}))
    return trainer


@pytest.mark.parametrize("compiles", [False, True])
def test_a_blend_is_resumed(compiles: bool, tmp_path: Path) -> None:
    torch.backends.cudnn.deterministic = True
    whole, stopped, resumed = Pictures(), Pictures(), Pictures()

    def given(model: Pictures) -> Any:
        return torch.compile(model) if compiles else model

    fit(given(whole), tmp_path, 4, precision="bf16-mixed")
    trainer = fit(given(stopped), tmp_path, 2, precision="bf16-mixed")
    assert [round(site.blend.amount, 6) for site in scheduled_sites(stopped)] == [0.5] * 9
    path = tmp_path / "half.ckpt"
    trainer.save_checkpoint(path)
    fit(given(resumed), tmp_path, 4, path, precision="bf16-mixed")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
    assert isinstance(resumed.net.relu, torch.nn.PReLU)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize(
    ("strategy", "to"), [("ddp", "prelu(init=0.1)"), ("lightning.pytorch.strategies:ModelParallelStrategy", "mish")]
)
def test_two_gpus(strategy: str, to: str, tmp_path: Path) -> None:
    script = f"""
        import sys; sys.path.insert(0, {str(HERE)!r})
        import torch, lightning_acts as acts
        from package import L
        from test_on_gpus import Pictures, pictures
        class Sharded(Pictures):
            def configure_model(self):
                if self.device_mesh is not None:
                    from torch.distributed.fsdp import fully_shard
                    fully_shard(self.net, mesh=self.device_mesh["data_parallel"])
        if __name__ == "__main__":
            name = {strategy!r}
            strategy = getattr(L.strategies, name.partition(":")[2])() if ":" in name else name
            swap = acts.ActivationSwap({{"relu": {to!r}}}, at={{"epoch": 1}}, blend={{"epochs": 1}})
            model = Sharded() if ":" in name else Pictures()
            trainer = L.Trainer(accelerator="gpu", devices=2, strategy=strategy, max_epochs=3, callbacks=[swap],
                                logger=False, enable_checkpointing=False, enable_progress_bar=False)
            trainer.fit(model, pictures())
            assert all(site.activation == {to!r} for site in acts.find(model)), acts.find(model)
            if trainer.is_global_zero:
                print("ALL WELL")
    """
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    done = subprocess.run([sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "ALL WELL" in done.stdout
