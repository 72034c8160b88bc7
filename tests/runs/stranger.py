"""Somebody's model and data, who has never heard of this package: dropout, shuffling, a logged mean and a metric."""

import time

import lightning as L
import torch
import torchmetrics
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LitDigits(L.LightningModule):
    def __init__(self, width: int = 32, dropout: float = 0.3, pause: float = 0.0):
        super().__init__()
        self.save_hyperparameters()
        self.pause = pause
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 10)
        )
        self.train_acc = torchmetrics.classification.MulticlassAccuracy(10)
        self.val_acc = torchmetrics.classification.MulticlassAccuracy(10)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        time.sleep(self.pause)
        x, y = batch
        logits = self(x)
        loss = nn.functional.cross_entropy(logits, y)
        self.train_acc(logits, y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.val_acc(self(batch[0]), batch[1])
        self.log("val/acc", self.val_acc)

    def test_step(self, batch, batch_idx):
        self.log("test/loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).softmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.003)


class DigitsData(L.LightningDataModule):
    def setup(self, stage=None):
        digits = load_digits()
        self.all = TensorDataset(torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target))

    def part(self, start, stop, shuffle=False):
        return DataLoader(torch.utils.data.Subset(self.all, range(start, stop)), batch_size=50, shuffle=shuffle)

    def train_dataloader(self):
        return self.part(0, 1000, shuffle=True)

    def val_dataloader(self):
        return self.part(1000, 1301)

    def test_dataloader(self):
        return self.part(1301, 1797)

    def predict_dataloader(self):
        return self.part(1301, 1797)
