from pathlib import Path

import lightning as L
import matplotlib.image
import pytest
import torch
from trainers import quiet

import lightning_acts as acts
from lightning_acts.zoo import CollocationPoints, PhysicsField
from lightning_acts.zoo.equations import EQUATIONS


@pytest.mark.parametrize("inference_mode", [True, False])
def test_it_is_measured_with_derivatives(inference_mode: bool, tmp_path: Path) -> None:
    L.seed_everything(0, verbose=False)
    model, data = PhysicsField("heat", width=8, depth=2), CollocationPoints(size=10, passes=1, batch_size=64)
    trainer = quiet(max_epochs=1, inference_mode=inference_mode)
    trainer.fit(model, data)
    assert set(trainer.callback_metrics) == {"train/loss", "val/loss"}
    (tested,) = trainer.test(model, data, verbose=False)
    points, u = (column.flatten(0, 1) for column in data.grid())
    points.requires_grad_()
    found = model(points)
    error = (found - u).detach().norm() / u.norm()
    assert tested["test/relative_error"] == pytest.approx(error.item(), rel=1e-4)
    residual = EQUATIONS["heat"].residual(found[:, 0], points)
    assert tested["test/loss"] == pytest.approx(residual.square().mean().item(), rel=1e-3)
    model.plot_results(tmp_path, "tanh")
    assert matplotlib.image.imread(tmp_path / "field.png").std() > 0.01


def test_the_loss_weighs_conditions() -> None:
    torch.manual_seed(0)
    model, data = PhysicsField("poisson", condition_weight=7.0), CollocationPoints("poisson", inside=16, edge=16)
    batch = data.parts()["train"].columns  # type: ignore[attr-defined]
    u, residual, holds = model.outputs(batch)
    inside, edge = residual[holds].square().sum(), (u - batch[2])[~holds].square().sum()
    torch.testing.assert_close(model.loss((u, residual, holds), batch[2]), (inside + 7 * edge) / 32)


def test_relu_has_no_second_derivative() -> None:
    points = torch.rand(16, 2, requires_grad=True)
    heat, model = EQUATIONS["heat"], PhysicsField(activation="relu")
    u = model(points)[:, 0]
    (slope,) = torch.autograd.grad(u.sum(), points, retain_graph=True)
    torch.testing.assert_close(heat.residual(u, points), slope[:, 1])


@pytest.mark.parametrize("activation", ["identity", "relu", "sin"])
def test_any_activation_can_be_swapped_in(activation: str) -> None:
    model, data = PhysicsField(width=8), CollocationPoints(passes=1)
    acts.swap(model, {"tanh": activation})
    quiet(fast_dev_run=True).fit(model, data)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    quiet(fast_dev_run=True).test(model, data, verbose=False)


def test_it_learns() -> None:
    L.seed_everything(0, verbose=False)
    model, data = PhysicsField("heat", width=16, depth=2, lr=0.01), CollocationPoints(inside=256, edge=64)
    trainer = quiet(max_epochs=3)
    trainer.fit(model, data)
    assert trainer.test(model, data, verbose=False)[0]["test/relative_error"] < 0.2


@pytest.mark.parametrize("options", [{"width": 0}, {"depth": 0}, {"condition_weight": -1.0}])
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"PhysicsField\({next(iter(options))}="):
        PhysicsField(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="equation='wave': one of heat, burgers, poisson"):
        PhysicsField("wave")
