"""A small LightningModule that knows nothing of swaps, and its data, for the tests of the callbacks."""

import torch
import torch.nn.functional as F
from package import L
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Net(L.LightningModule):
    """Two layers; built in the constructor, or in ``configure_model``."""

    def __init__(self, hidden: int = 16, late: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net: nn.Sequential | None = None
        if not late:
            self.build()

    def build(self) -> None:
        hidden = self.hparams["hidden"]
        self.net = nn.Sequential(nn.Linear(8, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def configure_model(self) -> None:
        if self.net is None:
            self.build()

    def forward(self, x: Tensor) -> Tensor:
        assert self.net is not None
        return self.net(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self(batch[0])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.01)


class Calls(Net):
    """Calls a function that its source shows."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.relu(x))


class CallsByName(Net):
    """Calls a function that only a run shows."""

    function = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(getattr(F, self.function)(x))


def loader() -> DataLoader[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 8, generator=generator)
    return DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=16)
