from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import GAN, Digits
from lightning_acts.zoo.models import gan
from lightning_acts.zoo.models.image_quality import image_quality

SMALL: dict[str, Any] = {"image_size": 8, "latent_dim": 4, "channels": [8], "hidden": [16]}


def data() -> Digits:
    return Digits(batch_size=256)


def test_a_step_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    noise = torch.randn(16, 4)
    images = torch.rand(16, 1, 8, 8)
    model = GAN(**SMALL, lr=0.01, discriminator_lr=0.02)
    again = GAN(**SMALL)
    again.load_state_dict(model.state_dict())
    with monkeypatch.context() as patch:
        patch.setattr(torch, "randn", lambda *_, **__: noise)
        quiet(max_steps=1, limit_val_batches=0).fit(model, DataLoader(TensorDataset(images), batch_size=16))
    judge, maker = again.discriminator, again.generator
    of_judge, of_maker = (
        torch.optim.Adam(network.parameters(), lr=lr, betas=(0.5, 0.999))
        for network, lr in ((judge, 0.02), (maker, 0.01))
    )
    generated = maker(noise).sigmoid()
    softplus = nn.functional.softplus
    loss = softplus(-judge(images)).mean() + softplus(judge(generated.detach())).mean()
    of_judge.zero_grad()
    loss.backward()
    of_judge.step()
    of_maker.zero_grad()
    softplus(-judge(generated)).mean().backward()
    of_maker.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, dict(again.named_parameters())[name])


def test_it_is_measured_against_as_many_real_images() -> None:
    torch.manual_seed(0)
    model, digits = GAN(**SMALL), data()
    (tested,) = quiet().test(model, digits, verbose=False)
    real = torch.stack([image for image, _ in digits._parts["test"]])
    noise = torch.randn(len(real), 4, generator=torch.Generator().manual_seed(0))
    expected = image_quality(real, model.eval()(noise).detach())
    assert tested == pytest.approx({f"test/{name}": value.item() for name, value in expected.items()}, rel=1e-4)


def test_it_learns() -> None:
    torch.manual_seed(0)
    pattern = (torch.arange(64).reshape(1, 8, 8) % 3 / 2).expand(256, 1, 8, 8)
    model, loader = GAN(**SMALL), DataLoader((pattern + 0.1 * torch.rand(256, 1, 8, 8)), batch_size=32)

    def distance() -> float:
        return (model.eval().sample(50) - pattern[0]).abs().mean().item()

    before, trainer = distance(), quiet(max_epochs=20)
    trainer.fit(model.train(), loader, loader)
    names = {"train/generator_loss", "train/discriminator_loss", "val/frechet_pca", "val/precision", "val/recall"}
    assert names == set(trainer.callback_metrics)
    assert distance() < 0.6 * before


class StopAt(L.Callback):
    """Saves a checkpoint after a batch, and stops."""

    def __init__(self, epoch: int, batch: int, path: Path) -> None:
        self.moment, self.path = (epoch, batch), path

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        if (trainer.current_epoch, index) == self.moment:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


@pytest.mark.parametrize("moment", [(0, 1), (1, 2)])
def test_resumed_within_an_epoch_it_is_the_same_to_the_bit(moment: tuple[int, int], tmp_path: Path) -> None:
    def made() -> tuple[GAN, Digits]:
        L.seed_everything(0, verbose=False)
        scheduler = lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)  # noqa: E731
        return GAN(**SMALL, scheduler=scheduler), data()

    def callbacks() -> list[L.Callback]:
        return [acts.ActivationSwap({"relu": "mish"}, at={"step": 4}, blend={"steps": 4}), acts.ExactResume()]

    whole, digits = made()
    trainer = quiet(max_epochs=3, callbacks=callbacks())
    trainer.fit(whole, digits)
    stopped, digits = made()
    path = tmp_path / "a.ckpt"
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        quiet(max_epochs=3, callbacks=[*callbacks(), StopAt(*moment, path)]).fit(stopped, digits)
    resumed, digits = made()
    torch.manual_seed(5)
    other = quiet(max_epochs=3, callbacks=callbacks())
    other.fit(resumed, digits, ckpt_path=path, weights_only=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    for one, two in zip(trainer.optimizers, other.optimizers, strict=True):
        torch.testing.assert_close(one.state_dict(), two.state_dict(), rtol=0, atol=0)
    assert [group["lr"] for group in other.optimizers[0].param_groups] == [1e-3 / 8] * 2
    assert dict(trainer.callback_metrics) == dict(other.callback_metrics)
    assert trainer.global_step == other.global_step == 12


class Runs(L.Callback):
    """Notes before how many batches the first activation of the generator was what."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Any, index: int) -> None:
        self.seen.append(str(next(site for site in acts.find(module) if site.path.startswith("generator")).activation))


def test_a_step_is_a_batch() -> None:
    """4 batches an epoch: the swap comes before the 7th, and the fit ends with the 10th."""
    swap, runs = acts.ActivationSwap({"relu": "mish"}, at={"step": 6}), Runs()
    trainer = quiet(max_steps=10, callbacks=[swap, runs])
    trainer.fit(GAN(**SMALL), data())
    assert trainer.num_training_batches == 4
    assert runs.seen == ["relu"] * 6 + ["mish"] * 4
    assert trainer.global_step == 10


def test_activations_of_both_networks_can_be_swapped() -> None:
    model = GAN(**SMALL, activation=["relu", "silu"])
    report = acts.swap(model, {"relu": "mish", "silu": "mish", "leaky_relu(negative_slope=0.2)": "gelu"})
    paths = [site.path for site in report.swapped]
    assert len(paths) == 4
    assert {path.partition(".")[0] for path in paths} == {"generator", "discriminator"}
    (only,) = quiet().test(model, data(), verbose=False)
    assert "test/recall" in only


def test_optimizers_of_ones_own() -> None:
    model = GAN(**SMALL, optimizer=lambda groups: torch.optim.SGD(groups, lr=3.0))
    optimizers, _ = model.configure_optimizers()  # type: ignore[misc]
    assert [type(optimizer) for optimizer in optimizers] == [torch.optim.SGD] * 2  # type: ignore[attr-defined]
    counts = [sum(len(group["params"]) for group in each.param_groups) for each in optimizers]  # type: ignore[attr-defined]
    assert counts == [len(list(network.parameters())) for network in (model.generator, model.discriminator)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, r"GAN\(latent_dim=0\): at least 1"),
        ({"discriminator_lr": 0.0}, r"GAN\(discriminator_lr=0.0\): above 0"),
        ({"image_size": 7}, "image_size=7 can't be halved 2 times"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GAN(**options)


def test_predictions_and_pictures_are_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    monkeypatch.setattr(gan, "plot_image_sheet", lambda images, path, title: drawn.append(images))
    model = GAN(**SMALL).eval()
    images = torch.rand(10, 1, 8, 8)
    predictions = quiet().predict(model, DataLoader(images, batch_size=6))
    assert [len(batch) for batch in predictions] == [6, 4]  # type: ignore[union-attr, arg-type]
    torch.testing.assert_close(predictions[0], model.sample(6, seed=0))  # type: ignore[index]
    model.plot_results(tmp_path, "relu")
    torch.testing.assert_close(drawn[0], model.sample(64))
