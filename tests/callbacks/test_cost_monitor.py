import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from models import Calls, Net, loader
from torch import Tensor, nn

from lightning_acts.callbacks.cost_monitor import COSTS, CostError, CostMonitor

Make = Callable[..., Any]


class WithoutForward(Net):
    """Its steps run the layers, not the forward."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        assert self.net is not None
        return F.cross_entropy(self.net(batch[0]), batch[1])


class Normalized(Net):
    """Has buffers, and draws random numbers."""

    def build(self) -> None:
        self.net = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2))


def fitted(trainer: Make, model: Any, *metrics: Any, **options: Any) -> dict[str, float]:
    running = trainer(callbacks=[CostMonitor(metrics or None)], **options)
    running.fit(model, loader())
    return {name: value.item() for name, value in running.callback_metrics.items() if name.startswith("cost/")}


def test_all_are_logged(trainer: Make) -> None:
    costs = fitted(trainer, Net())
    assert set(costs) == set(COSTS)
    assert 0 < costs["cost/latency"] < costs["cost/step"]


def test_saved_are_the_bytes_of_the_tensors_that_a_backward_needs(trainer: Make) -> None:
    # The input of the first layer, and what ReLU returns: once, though it and the second layer both keep it.
    assert fitted(trainer, Net(), "cost/saved") == {"cost/saved": 16 * 8 * 4 + 16 * 16 * 4}
    # What the call of ReLU returns is that input now.
    assert fitted(trainer, Calls(), "cost/saved") == {"cost/saved": 16 * 8 * 4 + 16 * 16 * 4}


def test_what_was_saved_is_freed(trainer: Make) -> None:
    model, outputs = Net(), []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, arguments, output: outputs.append(weakref.ref(output)))
    fitted(trainer, model, "cost/saved")
    gc.collect()
    assert len(outputs) > 1
    assert not any(output() is not None for output in outputs)


@pytest.mark.parametrize("make", [Net, Calls])
def test_sparsity_is_the_share_of_zeros_in_all_activations(trainer: Make, make: Callable[[], Any]) -> None:
    model = make()
    costs = fitted(trainer, model, "cost/sparsity")
    x = next(iter(loader()))[0]
    returned = [F.relu(x)] if make is Calls else []
    returned.append(F.relu(model.net[0](returned[0] if returned else x)))
    zeros = sum(int((one == 0).sum()) for one in returned)
    assert costs["cost/sparsity"] == pytest.approx(zeros / sum(one.numel() for one in returned))


@pytest.mark.parametrize("options", [{"max_epochs": 3}, {"max_epochs": -1, "max_steps": 9}])
def test_measured_in_the_last_epoch_alone(
    trainer: Make, options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = []

    def measure(model: Any, forward: Callable[[], Any]) -> float:
        epochs.append(model.current_epoch)
        return 1.0

    monkeypatch.setattr("lightning_acts.callbacks.cost_monitor._MEASURES", {"cost/saved": measure})
    fitted(trainer, Net(), "cost/saved", **options)
    assert epochs == [2]


def test_the_model_is_left_as_it_was(trainer: Make) -> None:
    states = []
    for callbacks in ([], [CostMonitor()]):
        torch.manual_seed(0)
        model = Normalized()
        trainer(callbacks=callbacks).fit(model, loader())
        states.append({**model.state_dict(), "next": torch.rand(1)})
        assert model.training
        assert not model._forward_pre_hooks
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_without_a_forward_in_the_step_the_example_is_taken(trainer: Make) -> None:
    model = WithoutForward()
    with pytest.raises(CostError, match="training step of WithoutForward does not call its forward"):
        fitted(trainer, model, "cost/saved")
    model = WithoutForward()
    model.example_input_array = torch.zeros(3, 8)
    assert fitted(trainer, model, "cost/saved") == {"cost/saved": 3 * 8 * 4 + 3 * 16 * 4}


def test_what_can_not_be_measured_is_told(trainer: Make) -> None:
    with pytest.raises(CostError, match="no metric 'cost/savd'; did you mean 'cost/saved'"):
        CostMonitor(["cost/savd"])  # type: ignore[list-item]
    linear = Net()
    linear.net = nn.Sequential(nn.Linear(8, 2))
    with pytest.raises(CostError, match="cost/sparsity: Net has no hidden activation"):
        fitted(trainer, linear)
    compiled = Net()
    compiled.compile(backend="eager")
    with pytest.raises(CostError, match="compiled"):
        fitted(trainer, compiled)
