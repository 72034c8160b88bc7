"""What somebody writes who has read Lightning's introduction and never heard of this package, until line 12.

python autoencoder.py fit      two epochs; a checkpoint after each
python autoencoder.py resume   goes on from the last checkpoint, then tests the best one
python autoencoder.py infer    loads the best one, without a Trainer
"""

import sys
import time

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn, optim, utils

import lightning_acts as acts


class LitAutoEncoder(L.LightningModule):
    def __init__(self, code_size=3):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, code_size))
        self.decoder = nn.Sequential(nn.Linear(code_size, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        if self.current_epoch == 1 and "fit" in sys.argv:
            time.sleep(0.5)  # a big model
        loss = nn.functional.mse_loss(self(x), x)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        (x,) = batch
        self.log("val_loss", nn.functional.mse_loss(self(x), x))

    def test_step(self, batch, batch_idx):
        (x,) = batch
        self.log("test_loss", nn.functional.mse_loss(self(x), x))

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=1e-3)


def main(stage):
    digits = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    train = utils.data.DataLoader(utils.data.TensorDataset(digits[:1500]), batch_size=64, shuffle=True)
    val = utils.data.DataLoader(utils.data.TensorDataset(digits[1500:]), batch_size=64)
    if stage == "infer":
        model = acts.load_from_checkpoint(LitAutoEncoder, "checkpoints/best.ckpt").eval()
        with torch.no_grad():
            print(f"{model.encoder[1]} {nn.functional.mse_loss(model(digits[1500:]), digits[1500:]).item():.6f}")
        return
    checkpoints = ModelCheckpoint("checkpoints", filename="best", monitor="val_loss", save_last=True)
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        callbacks=[acts.ActivationSwap({"relu": "prelu(init=0.1)"}), checkpoints],
    )
    if stage == "fit":
        trainer.fit(LitAutoEncoder(), train, val)
    else:
        trainer.fit(LitAutoEncoder(), train, val, ckpt_path="checkpoints/last.ckpt")
        print(f"epochs {trainer.current_epoch}")
        (result,) = trainer.test(dataloaders=val, ckpt_path="best", verbose=False)
        print(f"{trainer.lightning_module.encoder[1]} {result['test_loss']:.6f}")


if __name__ == "__main__":
    main(sys.argv[1])
