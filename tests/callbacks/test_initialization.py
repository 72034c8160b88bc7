from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import Net, loader
from torch import nn

import lightning_acts as acts
from lightning_acts.callbacks.initialization import Initialization, InitializationError

Make = Callable[..., Any]


class Both(Net):
    """Has two activations."""

    def build(self) -> None:
        self.net = nn.Sequential(nn.Linear(8, 400), nn.ReLU(), nn.Linear(400, 400), nn.Tanh(), nn.Linear(400, 2))


def initialized(trainer: Make, model: Any, *callbacks: Any, **options: Any) -> Any:
    """The model before its first step."""
    trainer(callbacks=list(callbacks), max_steps=0, **options).fit(model, loader())
    return model


@pytest.mark.parametrize("late", [False, True])
def test_for_the_activation_that_was_swapped_in(trainer: Make, late: bool) -> None:
    model = initialized(trainer, Net(4000, late=late), acts.ActivationSwap({"relu": "tanh"}), Initialization())
    assert model.net is not None
    first, _, last = model.net
    assert first.weight.std().item() * 8**0.5 == pytest.approx(acts.gain("tanh"), rel=0.03)
    assert last.weight.std().item() * 4000**0.5 == pytest.approx(acts.gain("tanh"), rel=0.03)
    assert not last.bias.any()


def test_arguments_are_those_of_init(trainer: Make) -> None:
    arguments: dict[str, Any] = {"activation": "mish", "mode": "backward", "distribution": "uniform"}
    model = initialized(trainer, Both(), Initialization(**arguments))
    weight = model.net[2].weight
    assert weight.abs().max().item() == pytest.approx(acts.gain("mish", "backward") * (3 / 400) ** 0.5, rel=0.01)


def test_of_several_activations_one_has_to_be_named(trainer: Make) -> None:
    with pytest.raises(InitializationError, match="Both has several hidden activations, relu, tanh: name one"):
        initialized(trainer, Both(), Initialization())


def test_a_resumed_fit_has_the_weights_of_its_checkpoint(trainer: Make, tmp_path: Any) -> None:
    running = trainer(callbacks=[Initialization()], max_epochs=1)
    running.fit(trained := Net(), loader())
    running.save_checkpoint(tmp_path / "last.ckpt")
    again = trainer(callbacks=[Initialization()], max_epochs=1)
    again.fit(model := Net(), loader(), ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in trained.state_dict().items())
