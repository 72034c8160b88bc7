"""Networks that others wrote, or in the way that people write them, each with a swap in the middle of its training."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from package import L
from test_scheduled_swaps import trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import lightning_acts as acts

pytestmark = pytest.mark.filterwarnings("ignore:.*the fit ends before that")


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(4, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, 8), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.model(z)


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class GAN(L.LightningModule):
    """Two optimizers, manual optimization, toggled."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = Generator(), Discriminator()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        for_generator, for_discriminator = self.optimizers()
        z = torch.randn(len(real), 4)
        self.toggle_optimizer(for_generator)
        judged = self.discriminator(self.generator(z))
        loss = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
        for_generator.zero_grad()
        self.manual_backward(loss)
        for_generator.step()
        self.untoggle_optimizer(for_generator)
        self.toggle_optimizer(for_discriminator)
        judged, forged = self.discriminator(real), self.discriminator(self.generator(z).detach())
        loss = F.softplus(-judged).mean() + F.softplus(forged).mean()
        for_discriminator.zero_grad()
        self.manual_backward(loss)
        for_discriminator.step()
        self.untoggle_optimizer(for_discriminator)

    def configure_optimizers(self) -> Any:
        return [torch.optim.Adam(part.parameters(), 1e-3) for part in (self.generator, self.discriminator)], []


class VAE(L.LightningModule):
    """Calls of functions, and a softplus that keeps a deviation positive."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mean, self.deviation = nn.Linear(8, 16), nn.Linear(16, 2), nn.Linear(16, 2)
        self.decoder, self.out = nn.Linear(2, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, torch.distributions.Distribution]:
        hidden = F.elu(self.encoder(x))
        posterior = torch.distributions.Normal(self.mean(hidden), F.softplus(self.deviation(hidden)) + 1e-4)
        return self.out(F.elu(self.decoder(posterior.rsample()))), posterior

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        reconstructed, posterior = self(batch[0])
        prior = torch.distributions.Normal(0.0, 1.0)
        divergence = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
        return F.mse_loss(reconstructed, batch[0]) + divergence

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-3)


def rows(width: int = 8) -> DataLoader:
    return DataLoader(TensorDataset(torch.randn(16, width)), 4)


def test_a_gan(tmp_path: Path) -> None:
    model = GAN()
    swap = acts.ActivationSwap({"leaky_relu": "prelu(init=0.2)"}, at={"epoch": 1}, blend={"epochs": 1})
    trainer(tmp_path, swap, epochs=4).fit(model, rows())
    slopes = [model.generator.model[1].weight, model.discriminator.model[1].weight]
    assert all(float(slope.detach()) != pytest.approx(0.2, abs=1e-7) for slope in slopes)
    assert type(model.generator.model[3]) is nn.Tanh


def test_a_vae(tmp_path: Path) -> None:
    model = VAE()
    swap = acts.ActivationSwap({"elu": "mish"}, at={"epoch": 1}, blend={"epochs": 2})
    trainer(tmp_path, swap, epochs=4).fit(model, rows())
    assert sorted(site.activation for site in acts.find(model)) == ["mish", "mish", "softplus"]


def test_a_transformer_with_tied_weights(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")

    class Language(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=32, n_positions=16)
            self.model = transformers.GPT2LMHeadModel(config)

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return self.model(batch[0], labels=batch[0]).loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), 1e-3)

    model, path = Language(), tmp_path / "half.ckpt"
    data = DataLoader(TensorDataset(torch.randint(0, 32, (16, 12))), 4)
    fit = trainer(tmp_path, acts.ActivationSwap({"gelu_tanh": "relu"}, at={"step": 2}, blend={"steps": 4}), epochs=1)
    fit.fit(model, data)
    assert model.model.lm_head.weight is model.model.transformer.wte.weight
    fit.save_checkpoint(path)
    loaded = acts.load_from_checkpoint(Language, path)
    ids = torch.arange(12)[None]
    assert torch.equal(loaded.eval().model(ids).logits, model.eval().model(ids).logits)
    model.train()
    trainer(tmp_path, acts.ActivationSwap({"gelu_tanh": "relu"}, at={"step": 2}, blend={"steps": 4}), epochs=3).fit(
        model, data
    )
    assert {site.activation for site in acts.find(model) if site.role == "hidden"} == {"relu"}


def test_the_transformer_of_lightnings_own_demo(tmp_path: Path) -> None:
    demo = pytest.importorskip(f"{L.__name__}.demos.transformer")

    class Language(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = demo.Transformer(vocab_size=20)

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            (words,) = batch
            return F.nll_loss(self.model(words[:, :-1], words[:, 1:]), words[:, 1:].reshape(-1))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.model.parameters(), lr=0.1)

    model = Language()
    fit = trainer(tmp_path, acts.ActivationSwap({"relu": "hardswish"}, at={"epoch": 1}, blend={"epochs": 1}), epochs=3)
    fit.fit(model, DataLoader(TensorDataset(torch.randint(0, 20, (8, 7))), 4))
    assert {site.activation for site in acts.find(model) if site.role == "hidden"} == {"hardswish"}


def test_calls_alone(tmp_path: Path) -> None:
    torchcrepe = pytest.importorskip("torchcrepe")

    class Pitch(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torchcrepe.Crepe("tiny")

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return self.net(batch[0]).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 1e-3)

    model = Pitch()
    fit = trainer(tmp_path, acts.ActivationSwap({"relu": "mish"}, at={"step": 1}, blend={"steps": 2}), epochs=1)
    fit.fit(model, rows(1024))
    relus = [site for site in acts.find(model) if site.activation == "relu"]
    assert not relus
    assert [site.activation for site in acts.find(model)] == ["mish", "sigmoid"]  # one call, made for each layer
