from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.utils.data import DataLoader, TensorDataset
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import VAE, Digits
from lightning_acts.zoo.models import vae

SMALL: dict[str, Any] = {"image_size": 8, "latent_dim": 3, "channels": [4], "hidden": [16]}


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("positive", ["softplus", "exp"])
def test_metrics_by_torchs_distributions(likelihood: Any, positive: Any) -> None:
    torch.manual_seed(0)
    images = torch.randint(2, (10, 1, 8, 8)).float()
    model = VAE(**SMALL, likelihood=likelihood, positive=positive, scale=0.3, beta=2.0, draws=5).eval()
    (tested,) = quiet().test(model, DataLoader(TensorDataset(images, torch.zeros(10)), batch_size=4), verbose=False)
    with torch.no_grad():
        mean, score = model.encoder(images).double().chunk(2, 1)
        std = torch.nn.functional.softplus(score) + 1e-6 if positive == "softplus" else score.exp()
        kl = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(1)
        losses = []
        for noise in model.noise:
            decoded = model.decoder((mean + std * noise).float())
            pixels: Any = Bernoulli(logits=decoded) if likelihood == "bernoulli" else Normal(decoded, 0.3)
            losses.append(-pixels.log_prob(images).flatten(1).sum(1))
    error = torch.stack(losses).mean(0)
    assert tested["test/reconstruction"] == pytest.approx(error.mean().item(), rel=1e-4)
    assert tested["test/kl"] == pytest.approx(kl.mean().item(), rel=1e-4)
    assert tested["test/loss"] == pytest.approx((error + 2 * kl).mean().item(), rel=1e-4)


def test_training_draws_and_a_test_does_not() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 1, 8, 8)
    model = VAE(**SMALL)
    assert not torch.equal(model(images).scores, model(images).scores)
    assert model(images).scores.shape == (4, 1, 1, 8, 8)
    model.eval()
    assert torch.equal(model(images).scores, model(images).scores)
    # A sample's result does not depend on its batch.
    torch.testing.assert_close(model(images).scores[2:], model(images[2:]).scores)


def test_the_weight_of_the_divergence_is_warmed_up() -> None:
    images = torch.rand(4, 1, 8, 8)
    model = VAE(**SMALL, beta=3.0, warmup_steps=10)
    outputs = model(images)
    error, kl = model.reconstruction_error(outputs, images).mean(), vae.divergence(outputs).mean()
    torch.testing.assert_close(model.loss(outputs, images), error)  # at step 0
    model.__class__ = type("At", (VAE,), {"global_step": 5})
    torch.testing.assert_close(model.loss(outputs, images), error + 1.5 * kl)
    model.__class__ = type("At", (VAE,), {"global_step": 50})
    torch.testing.assert_close(model.loss(outputs, images), error + 3 * kl)
    model.__class__ = VAE
    torch.testing.assert_close(model.eval().loss(outputs, images), error + 3 * kl)


def test_the_deviation_stays_positive() -> None:
    model = VAE(**SMALL).eval()
    with torch.no_grad():
        model.encoder[-1].bias.copy_(torch.tensor([0.0, 0, 0, -200, 0, 200]))
        outputs = model(torch.rand(2, 1, 8, 8))
    assert outputs.std.min() > 0
    assert outputs.std.max() == pytest.approx(200, abs=5)
    assert torch.isfinite(vae.divergence(outputs)).all()


def test_it_learns_and_its_samples_look_like_digits() -> None:
    torch.manual_seed(0)
    data, model = Digits(batch_size=64), VAE(image_size=8, latent_dim=4, channels=[], hidden=[64], lr=5e-3)
    untrained = model.sample(300)
    trainer = quiet(max_epochs=12)
    trainer.fit(model, data)
    (tested,) = trainer.test(model, data, verbose=False)
    images = torch.stack([image for image, _ in data._parts["test"]])
    # The best without latents: each pixel's mean.
    fixed = (
        -Bernoulli(images.mean(0).clamp(1e-6, 1 - 1e-6), validate_args=False).log_prob(images).flatten(1).sum(1).mean()
    )
    assert tested["test/loss"] < fixed
    assert tested["test/kl"] > 0.5

    def distance(samples: Tensor) -> float:
        return torch.cdist(samples.flatten(1), images.flatten(1)).min(1).values.mean().item()

    assert distance(model.sample(300)) < 0.6 * distance(untrained)
    assert torch.equal(model.sample(3), model.sample(3))
    assert not torch.equal(model.sample(3), model.sample(3, seed=1))


def test_every_hidden_activation_can_be_swapped_and_softplus_of_the_deviation_stays() -> None:
    model = VAE(**SMALL, activation="softplus")
    report = acts.swap(model, {"softplus": "mish"})
    assert [site.path for site in report.swapped] == ["encoder.1", "encoder.4", "decoder.1", "decoder.4"]
    with torch.no_grad():
        assert model(torch.rand(2, 1, 8, 8)).std.min() > 0


def test_predictions_are_reconstructions_from_means() -> None:
    images = torch.rand(5, 1, 8, 8)
    model = VAE(**SMALL)
    predictions = torch.cat(quiet().predict(model, DataLoader(images, batch_size=2)))  # type: ignore[arg-type]
    mean = model.encoder(images)[:, :3]
    torch.testing.assert_close(predictions, model.decoder(mean).sigmoid())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, r"VAE\(latent_dim=0\): at least 1"),
        ({"draws": 0}, r"VAE\(draws=0\): at least 1"),
        ({"beta": -1.0}, r"VAE\(beta=-1.0\): at least 0"),
        ({"warmup_steps": -1}, r"VAE\(warmup_steps=-1\): at least 0"),
        ({"likelihood": "poisson"}, r"VAE\(likelihood='poisson'.*bernoulli or gaussian"),
        ({"positive": "relu"}, "positive softplus or exp"),
        ({"scale": 0.0}, "scale above 0"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VAE(**options)


@pytest.mark.parametrize("latent_dim", [2, 3])
def test_pictures(latent_dim: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    for name in ("plot_image_rows", "plot_image_sheet"):
        monkeypatch.setattr(vae, name, lambda images, path, title: drawn.__setitem__(path.name, images))
    model = VAE(**{**SMALL, "latent_dim": latent_dim})
    quiet().test(model, DataLoader(torch.rand(20, 1, 8, 8), batch_size=16), verbose=False)
    model.plot_results(tmp_path, "relu")
    assert set(drawn) == {"reconstructions.png", "samples.png", *(["latents.png"] if latent_dim == 2 else [])}
    assert [len(row) for row in drawn["reconstructions.png"].values()] == [12, 12]
    torch.testing.assert_close(drawn["samples.png"], model.sample(64))
    if latent_dim == 2:
        top_left, top_right = drawn["latents.png"][0], drawn["latents.png"][13]
        corner = Normal(0.0, 1.0).icdf(torch.tensor(0.97))
        for image, latents in ((top_left, [-corner, corner]), (top_right, [corner, corner])):
            torch.testing.assert_close(image, model.decoder(torch.tensor([latents])).sigmoid()[0].detach())
