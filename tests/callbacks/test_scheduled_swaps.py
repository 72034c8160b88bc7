"""Scheduled swaps in a Trainer: against networks in which the blend is written by hand, interrupted and resumed."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from package import L
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

import lightning_acts as acts
from lightning_acts.errors import SwapError
from lightning_acts.surgery.blending import scheduled_sites
from lightning_acts.zoo.data.loading import ResumableLoader

BATCHES = 4  # an epoch
pytestmark = pytest.mark.filterwarnings("ignore:.*the fit ends before that")


def loader() -> DataLoader:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(8 * BATCHES, 6, generator=generator)
    return DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), 8)


class Net(L.LightningModule):
    """A module, a call and a learnable activation."""

    def __init__(self, optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW, lr: float = 0.01) -> None:
        super().__init__()
        self.optimizer, self.lr = optimizer, lr
        torch.manual_seed(5)
        self.first, self.act = nn.Linear(6, 12), nn.ReLU()
        self.second, self.slope = nn.Linear(12, 12), nn.PReLU()
        self.third, self.last = nn.Linear(12, 12), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slope(self.second(self.act(self.first(x))))
        return self.last(F.relu(self.third(x)))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters(), lr=self.lr)


class Twin(Net):
    """The same network with the blend of ReLU and tanh written by hand; ``a`` is set before each step."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.a = 0.0

    def blended(self, x: Tensor) -> Tensor:
        if self.a == 0.0:
            return torch.relu(x)
        if self.a == 1.0:
            return torch.tanh(x)
        return (1 - self.a) * torch.relu(x) + self.a * torch.tanh(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slope(self.second(self.blended(self.first(x))))
        return self.last(self.blended(self.third(x)))


class SetByHand(L.Callback):
    def __init__(self, amount: Callable[[int], float]) -> None:
        self.amount = amount

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        pl_module.a = self.amount(trainer.global_step)


class Amounts(L.Callback):
    """Records what stands where at the start of each batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, ...]] = []

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: nn.Module, batch: Any, batch_idx: int) -> None:
        self.seen.append(tuple(round(site.blend.amount, 6) for site in scheduled_sites(pl_module)))


def trainer(tmp_path: Path, *callbacks: L.Callback, epochs: int = 6, **options: Any) -> L.Trainer:
    return L.Trainer(
        default_root_dir=tmp_path,
        max_epochs=epochs,
        callbacks=list(callbacks),
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **options},
    )


def equal(one: nn.Module, other: nn.Module) -> bool:
    first, second = list(one.parameters()), list(other.parameters())
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


BLEND: dict[str, Any] = {"at": {"epoch": 1}, "blend": {"epochs": 2}}


class TestAgainstATwinByHand:
    def test_a_blend_equals_the_twin_to_the_bit(self, tmp_path: Path) -> None:
        model, twin = Net(), Twin()
        trainer(tmp_path, acts.ActivationSwap({"relu": "tanh"}, **BLEND)).fit(model, loader(), loader())
        by_hand = SetByHand(lambda step: min(max((step - BATCHES) / (2 * BATCHES), 0.0), 1.0))
        trainer(tmp_path, by_hand).fit(twin, loader(), loader())
        assert equal(model, twin)
        x = next(iter(loader()))[0]
        assert torch.equal(model(x), twin(x))

    def test_a_formula_equals_the_twin_to_the_bit(self, tmp_path: Path) -> None:
        class WithFormula(Net):
            def forward(self, x: Tensor) -> Tensor:
                x = self.third(self.slope(self.second(self.act(self.first(x)))))
                return self.last(x * torch.sigmoid(x))

        class ByHand(Twin):
            def forward(self, x: Tensor) -> Tensor:
                x = self.third(self.slope(self.second(self.blended(self.first(x)))))
                old, new = x * torch.sigmoid(x), torch.tanh(x)
                return self.last(old if self.a == 0.0 else new if self.a == 1.0 else (1 - self.a) * old + self.a * new)

        model, twin = WithFormula(), ByHand()
        trainer(tmp_path, acts.ActivationSwap({"relu": "tanh", "silu": "tanh"}, **BLEND)).fit(model, loader())
        by_hand = SetByHand(lambda step: min(max((step - BATCHES) / (2 * BATCHES), 0.0), 1.0))
        trainer(tmp_path, by_hand).fit(twin, loader())
        assert equal(model, twin)

    def test_nothing_is_left_of_it_at_the_end(self, tmp_path: Path) -> None:
        model = Net()
        trainer(tmp_path, acts.ActivationSwap({"relu": "mish", "prelu": "silu"}, **BLEND)).fit(model, loader())
        assert type(model.act) is nn.Mish
        assert type(model.slope) is nn.SiLU
        assert not [name for name in model.state_dict() if "old" in name or "new" in name]

    def test_a_swap_at_once(self, tmp_path: Path) -> None:
        model, twin = Net(), Twin()
        trainer(tmp_path, acts.ActivationSwap({"relu": "tanh"}, at={"step": 6})).fit(model, loader())
        trainer(tmp_path, SetByHand(lambda step: float(step >= 6))).fit(twin, loader())
        assert equal(model, twin)

    def test_to_itself_changes_nothing(self, tmp_path: Path) -> None:
        model, plain = Net(), Net()
        torch.manual_seed(11)
        trainer(tmp_path, acts.ActivationSwap({"relu": "relu"}, at={"epoch": 2})).fit(model, loader())
        drawn = torch.rand(3)
        torch.manual_seed(11)
        trainer(tmp_path).fit(plain, loader())
        assert equal(model, plain)
        assert torch.equal(drawn, torch.rand(3))

    def test_accumulation_swaps_between_steps(self, tmp_path: Path) -> None:
        amounts = Amounts()
        swap = acts.ActivationSwap({"relu": "tanh"}, at={"step": 1}, blend={"steps": 4})
        trainer(tmp_path, swap, amounts, epochs=3, accumulate_grad_batches=2).fit(Net(), loader())
        means = [seen[0] for seen in amounts.seen]
        assert means == [0, 0, 0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]


class TestWhen:
    @pytest.mark.parametrize(
        ("at", "first"),
        [({"epoch": 2}, 2 * BATCHES), ({"step": 5}, 5), ({"fraction": 0.5}, 3 * BATCHES), ({"epoch": 0}, 0)],
        ids=str,
    )
    def test_begins(self, at: dict[str, Any], first: int, tmp_path: Path) -> None:
        amounts = Amounts()
        trainer(tmp_path, acts.ActivationSwap({"relu": "mish"}, at=at), amounts).fit(Net(), loader())
        assert [min(seen) for seen in amounts.seen] == [0.0] * first + [1.0] * (6 * BATCHES - first)

    @pytest.mark.parametrize(
        ("condition", "values", "epoch"),
        [
            ({"above": 0.5}, [0.1, 0.5, 0.6, 0.1, 0.1, 0.1], 3),
            ({"below": 0.5}, [0.9, 0.7, 0.8, 0.4, 0.9, 0.9], 4),
            ({"patience": 2}, [0.5, 0.4, 0.4, 0.45, 0.1, 0.1], 4),
            ({"patience": 1, "mode": "max"}, [0.5, 0.6, 0.55, 0.7, 0.8, 0.9], 3),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("validates", [True, False])
    def test_a_metric(
        self, condition: dict[str, Any], values: list[float], epoch: int, validates: bool, tmp_path: Path
    ) -> None:
        class Scored(Net):
            def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                if not validates:
                    self.log("score", values[self.current_epoch], on_step=False, on_epoch=True)
                return super().training_step(batch, batch_idx)

            def on_validation_epoch_end(self) -> None:
                self.log("score", values[self.current_epoch])

        amounts = Amounts()
        swap = acts.ActivationSwap({"relu": "mish"}, at={"metric": "score", **condition})
        trainer(tmp_path, swap, amounts).fit(Scored(), loader(), loader() if validates else None)
        assert [min(seen) for seen in amounts.seen] == [0.0] * epoch * BATCHES + [1.0] * (6 - epoch) * BATCHES

    def test_a_metric_that_is_not_logged(self, tmp_path: Path) -> None:
        swap = acts.ActivationSwap({"relu": "mish"}, at={"metric": "val/los", "below": 0.1})
        with pytest.raises(SwapError, match="'val/los' was not logged; did you mean 'val/loss'"):
            trainer(tmp_path, swap).fit(Net(), loader(), loader())

    def test_a_fraction_of_a_fit_without_end(self, tmp_path: Path) -> None:
        swap = acts.ActivationSwap({"relu": "mish"}, at={"fraction": 0.5})
        with pytest.raises(SwapError, match="max_epochs or max_steps"):
            trainer(tmp_path, swap, epochs=-1).fit(Net(), loader())

    def test_a_decision_of_a_subclass(self, tmp_path: Path) -> None:
        class AtTheSeventh(acts.ActivationSwap):
            def is_due(self, trainer: L.Trainer) -> bool:
                return trainer.global_step == 7

        amounts = Amounts()
        trainer(tmp_path, AtTheSeventh({"relu": "mish"}, at={"epoch": 99}), amounts, epochs=3).fit(Net(), loader())
        assert [min(seen) for seen in amounts.seen] == [0.0] * 7 + [1.0] * 5

    def test_order(self, tmp_path: Path) -> None:
        amounts = Amounts()
        swap = acts.ActivationSwap(
            {"relu": "mish", "prelu": "mish"},
            at={"step": 1},
            blend={"steps": 3, "shape": "abrupt"},
            order="from_output",
        )
        trainer(tmp_path, swap, amounts, epochs=2).fit(Net(), loader())
        states = list(dict.fromkeys(amounts.seen))
        assert [sum(state) for state in states] == [0, 1, 2, 3]
        assert states[1][-1] == 1.0

    def test_a_parameter_moves(self, tmp_path: Path) -> None:
        slopes: list[float] = []

        class Slopes(L.Callback):
            def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
                act = getattr(pl_module.act, "present", pl_module.act)
                slopes.append(getattr(act, "negative_slope", -1.0))

        model = Net()
        swap = acts.ActivationSwap(
            {"relu": "leaky_relu"},
            at={"step": 2},
            blend={"steps": 2, "parameter": "negative_slope", "start": 0.5, "end": 0.1},
        )
        trainer(tmp_path, swap, Slopes(), epochs=2).fit(model, loader())
        assert slopes == pytest.approx([-1.0, -1.0, -1.0, 0.3, 0.1, 0.1, 0.1, 0.1])
        assert acts.find(model)[0].activation == "leaky_relu(negative_slope=0.1)"

    @pytest.mark.parametrize(("at", "kept"), [({"epoch": 2}, "50%"), ({"epoch": 9}, "0%")])
    def test_a_fit_that_is_too_short_is_told_before_and_after(
        self, at: dict[str, Any], kept: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        swap = acts.ActivationSwap({"relu": "mish"}, at=at, blend={"epochs": 2})
        with (
            pytest.warns(UserWarning, match="the fit ends before that, at epoch 3"),
            caplog.at_level("INFO", "lightning.pytorch"),
        ):
            trainer(tmp_path, swap, epochs=3).fit(Net(), loader())
        assert f"the fit ended with {kept} taken over" in caplog.text


class TestSeveral:
    def test_one_after_the_other(self, tmp_path: Path) -> None:
        model, amounts = Net(), Amounts()
        swaps = [
            acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1}),
            acts.ActivationSwap({"gelu": "mish"}, at={"epoch": 3}),
        ]
        trainer(tmp_path, *swaps, amounts).fit(model, loader())
        assert type(model.act) is nn.Mish
        acts.restore(model)
        assert type(model.act) is nn.ReLU

    def test_conflicts_are_refused_at_the_start(self, tmp_path: Path) -> None:
        model = Net()
        swaps = [
            acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1}),
            acts.ActivationSwap({"relu": "mish"}, at={"epoch": 3}),
        ]
        with pytest.raises(SwapError, match="relu -> gelu has it already, and relu -> mish at epoch 3"):
            trainer(tmp_path, *swaps).fit(model, loader())

    def test_the_same_twice(self, tmp_path: Path) -> None:
        swaps = [acts.ActivationSwap({"relu": "gelu"}, at={"epoch": epoch}) for epoch in (1, 3)]
        with pytest.raises(SwapError, match="two ActivationSwap callbacks ask for the same: .*epoch 1 and .*epoch 3"):
            trainer(tmp_path, *swaps).fit(Net(), loader())


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9, weight_decay=0.1),
    "adamw": lambda parameters, lr: torch.optim.AdamW(parameters, lr),
    "rmsprop": lambda parameters, lr: torch.optim.RMSprop(parameters, lr, momentum=0.5, weight_decay=0.1),
}


class TestOptimizer:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_what_comes_does_not_drift_before_its_time(self, name: str, tmp_path: Path) -> None:
        model = Net(OPTIMIZERS[name])
        fit = trainer(tmp_path, acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 9}), epochs=3)
        fit.fit(model, loader())
        (optimizer,) = fit.optimizers
        brought = [site.blend.new.weight for site in scheduled_sites(model)]
        assert [float(parameter.detach()) for parameter in brought] == [pytest.approx(0.1)] * 2
        assert all(torch.equal(parameter, torch.tensor([0.1])) for parameter in brought)
        assert not any(optimizer.state.get(parameter) for parameter in brought)

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_others_keep_their_state_to_the_bit(self, name: str, tmp_path: Path) -> None:
        states: list[dict[str, Any]] = []

        class Keep(L.Callback):
            def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
                if trainer.global_step == BATCHES:
                    (optimizer,) = trainer.optimizers
                    names = {parameter: key for key, parameter in pl_module.named_parameters()}
                    states.append({names[p]: copy.deepcopy(state) for p, state in optimizer.state.items()})

        model = Net(OPTIMIZERS[name])
        swap = acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 1})
        trainer(tmp_path, Keep(), swap, Keep(), epochs=2).fit(model, loader())
        before, after = states
        assert before
        assert before.keys() == after.keys()
        torch.testing.assert_close(before, after, rtol=0, atol=0)
        assert all(float(module.weight.detach()) != pytest.approx(0.1, abs=1e-7) for module in (model.act,))

    def test_groups_of_their_own(self, tmp_path: Path) -> None:
        class Scheduled(Net):
            def configure_optimizers(self) -> Any:
                optimizer = torch.optim.AdamW(self.parameters(), lr=0.01, weight_decay=0.1)
                return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)]

        fit = trainer(tmp_path, acts.ActivationSwap({"relu": "prelu"}, at={"epoch": 1}, lr_factor=0.1), epochs=3)
        fit.fit(Scheduled(), loader())
        groups = fit.optimizers[0].param_groups
        assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(9, 0.1), (2, 0.0)]
        assert [group["lr"] for group in groups] == pytest.approx([0.01 / 8, 0.001 / 8])


class Stop(L.Callback):
    """Stops a fit as if it was interrupted, and saves its last checkpoint."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def swaps() -> list[acts.ActivationSwap]:
    return [
        acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 1}, blend={"epochs": 2}),
        acts.ActivationSwap({"prelu(init=0.25)": "mish"}, include="slope", at={"step": 14}, blend={"steps": 5}),
    ]


def chain() -> list[acts.ActivationSwap]:
    """Swaps at one site, of which the second begins before the first is over."""
    return [
        acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1}, blend={"epochs": 2}),
        acts.ActivationSwap({"gelu": "prelu(init=0.1)"}, at={"step": 10}, blend={"steps": 8}),
        acts.ActivationSwap({"prelu(init=0.1)": "relu"}, at={"step": 16}, blend={"steps": 5}),
    ]


def chain_at_once() -> list[acts.ActivationSwap]:
    return [
        acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1}),
        acts.ActivationSwap({"gelu": "mish"}, at={"epoch": 4}),
    ]


def resumable() -> ResumableLoader:
    return ResumableLoader(loader().dataset, batch_size=8)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Net]:
    """Models of fits that were not interrupted, by their swaps."""
    models = {make: Net() for make in (swaps, chain, chain_at_once)}
    for make, model in models.items():
        torch.manual_seed(2)
        trainer(tmp_path_factory.mktemp("whole"), *make(), acts.ExactResume()).fit(model, resumable(), loader())
    return models


def _states(model: nn.Module, fit: L.Trainer) -> dict[str, Any]:
    names = {parameter: key for key, parameter in model.named_parameters()}
    return {names[p]: state for p, state in fit.optimizers[0].state.items()}


class TestCheckpoints:
    @pytest.mark.parametrize(
        ("make", "step"),
        [
            *((swaps, step) for step in (3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 19, 20)),
            *((chain, step) for step in (3, 4, 8, 10, 11, 12, 14, 16, 17, 18, 20, 21, 22)),
            *((chain_at_once, step) for step in (2, 4, 12, 16, 18)),
        ],
    )
    def test_resumed_equals_the_whole(
        self, make: Callable[[], list[acts.ActivationSwap]], step: int, wholes: dict[Any, Net], tmp_path: Path
    ) -> None:
        path, x = tmp_path / "stopped.ckpt", next(iter(loader()))[0]
        stopped, model, whole = Net(), Net(), wholes[make]
        torch.manual_seed(2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit = trainer(tmp_path, *make(), acts.ExactResume(), Stop(step, path))
            fit.fit(stopped, resumable(), loader())
        torch.manual_seed(2)
        fit = trainer(tmp_path, *make(), acts.ExactResume())
        fit.fit(model, resumable(), loader(), ckpt_path=path, weights_only=True)
        assert model.state_dict().keys() == whole.state_dict().keys()
        assert equal(model, whole)
        assert torch.equal(acts.load_from_checkpoint(Net, path)(x), stopped(x))

    @pytest.mark.parametrize("make", [swaps, chain, chain_at_once])
    @pytest.mark.parametrize("epoch", [0, 1, 2, 4])
    def test_any_checkpoint_is_tested_with_its_own_activations(
        self, epoch: int, make: Callable[[], list[acts.ActivationSwap]], tmp_path: Path
    ) -> None:
        outputs: dict[int, Tensor] = {}
        x = next(iter(loader()))[0]

        class Outputs(L.Callback):
            def on_train_epoch_end(self, trainer: L.Trainer, pl_module: nn.Module) -> None:
                outputs[trainer.current_epoch] = pl_module(x).detach()

        keep = L.callbacks.ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
        fit = trainer(tmp_path, *make(), Outputs(), keep, enable_checkpointing=True)
        model = Net()
        fit.fit(model, loader(), loader())
        path = tmp_path / f"epoch={epoch}.ckpt"
        fit.test(model, loader(), ckpt_path=path, verbose=False)
        assert torch.equal(model(x), outputs[epoch])
        last = tmp_path / "epoch=5.ckpt"
        fit.test(model, loader(), ckpt_path=last, verbose=False)
        assert torch.equal(model(x), outputs[5])
        loaded = acts.load_from_checkpoint(Net, path)
        assert torch.equal(loaded(x), outputs[epoch])
        with pytest.raises(RuntimeError, match="load_from_checkpoint"):
            Net.load_from_checkpoint(path)
        # A Trainer of its own, and a fresh model.
        fresh = Net()
        trainer(tmp_path, *make(), keep, enable_checkpointing=True).test(fresh, loader(), ckpt_path=path, verbose=False)
        assert torch.equal(fresh(x), outputs[epoch])

    def test_a_site_that_comes_back_to_an_activation(self, tmp_path: Path) -> None:
        model, path, x = Net(), tmp_path / "half.ckpt", next(iter(loader()))[0]
        there = acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1})
        back = acts.ActivationSwap({"gelu": "relu"}, at={"epoch": 2}, blend={"epochs": 4})
        trainer(tmp_path, there, back, epochs=3).fit(model, loader())
        again = acts.ActivationSwap({"relu": "mish"}, blend={"epochs": 4})
        fit = trainer(tmp_path, there, back, again, epochs=1)
        fit.fit(model, loader())
        fit.save_checkpoint(path)
        half = model(x)
        trainer(tmp_path, there, back, again).fit(model, loader())
        assert type(model.act) is nn.Mish
        fit.test(model, loader(), ckpt_path=path, verbose=False)
        assert torch.equal(model(x), half)
        assert torch.equal(acts.load_from_checkpoint(Net, path)(x), half)

    def test_a_call_in_a_module_that_stands_twice(self, tmp_path: Path) -> None:
        class Part(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.linear = nn.Linear(12, 12)

            def forward(self, x: Tensor) -> Tensor:
                return F.relu(self.linear(x))

        class Twice(Net):
            def __init__(self) -> None:
                super().__init__()
                self.act: nn.Module = Part()
                self.slope: nn.Module = self.act

        def swap() -> acts.ActivationSwap:
            return acts.ActivationSwap({"relu": "gelu"}, at={"epoch": 1}, blend={"epochs": 3})

        path, amounts = tmp_path / "half.ckpt", Amounts()
        fit = trainer(tmp_path, swap(), epochs=2)
        fit.fit(Twice(), loader())
        fit.save_checkpoint(path)
        trainer(tmp_path, swap(), amounts).fit(Twice(), loader(), ckpt_path=path)
        assert amounts.seen[0] == (0.333333, 0.333333)

    def test_weights_alone(self, tmp_path: Path) -> None:
        model, path, x = Net(), tmp_path / "weights.ckpt", next(iter(loader()))[0]
        fit = trainer(tmp_path, *swaps(), epochs=3)
        fit.fit(model, loader())
        fit.save_checkpoint(path, weights_only=True)
        assert torch.equal(acts.load_from_checkpoint(Net, path)(x), model(x))

    def test_one_that_knows_no_swaps_begins_a_run_that_swaps(self, tmp_path: Path) -> None:
        plain, path = Net(), tmp_path / "plain.ckpt"
        fit = trainer(tmp_path, epochs=1)
        fit.fit(plain, loader())
        fit.save_checkpoint(path)
        kept = {name: plain_state["exp_avg"] for name, plain_state in _states(plain, fit).items()}
        amounts, model, found = Amounts(), Net(), {}

        class Keep(L.Callback):
            def on_train_start(self, trainer: L.Trainer, pl_module: nn.Module) -> None:
                found.update({name: state["exp_avg"].clone() for name, state in _states(pl_module, trainer).items()})

        callbacks = [*swaps(), acts.ActivationSwap({"prelu(init=0.1)": "prelu(init=0.2)"}, at={"epoch": 5})]
        with pytest.warns(UserWarning, match="from a model without swapped activations"):
            trainer(tmp_path, *callbacks, Keep(), amounts).fit(model, loader(), ckpt_path=path)
        assert {name.replace(".old.", "."): value for name, value in found.items()}.keys() == kept.keys()
        assert all(torch.equal(value, kept[name.replace(".old.", ".")]) for name, value in found.items())
        assert max(amounts.seen[0]) == 0.0
        assert type(model.act) is nn.PReLU
        assert type(model.slope) is nn.Mish

    @pytest.mark.parametrize("at", [{"epoch": 3}, "start"], ids=str)
    def test_plain_weights_go_below_all_blends_of_a_chain(self, at: Any, tmp_path: Path) -> None:
        class Twice(Net):
            """A learnable activation in a part that stands twice."""

            def __init__(self) -> None:
                super().__init__()
                self.part = nn.Sequential(nn.Linear(12, 12), nn.PReLU(init=0.5))
                self.again = self.part

            def forward(self, x: Tensor) -> Tensor:
                x = self.slope(self.again(self.part(self.first(x))))
                return self.last(self.third(x))

        plain, model, path, x = Twice(), Twice(), tmp_path / "plain.ckpt", next(iter(loader()))[0]
        fit = trainer(tmp_path, epochs=1)
        fit.fit(plain, loader())
        fit.save_checkpoint(path)
        callbacks = [
            acts.ActivationSwap({"prelu": "prelu(init=0.1)"}, at=at),
            acts.ActivationSwap({"prelu(init=0.1)": "mish"}, at={"epoch": 4}),
        ]
        with pytest.warns(UserWarning, match="from a model without swapped activations"):
            trainer(tmp_path, *callbacks, epochs=1).validate(model, loader(), ckpt_path=path, verbose=False)
        if at == "start":
            assert torch.equal(model.first.weight, plain.first.weight)
        else:
            assert torch.equal(model(x), plain(x))

    def test_a_second_fit_goes_on(self, tmp_path: Path) -> None:
        model, amounts, callbacks = Net(), Amounts(), swaps()
        trainer(tmp_path, *callbacks, amounts, epochs=2).fit(model, loader())
        assert [seen[0] for seen in amounts.seen[-2:]] == [0.25, 0.375]
        trainer(tmp_path, *callbacks, amounts, epochs=4).fit(model, loader())
        assert [seen[0] for seen in amounts.seen[8:14]] == [0.5, 0.625, 0.75, 0.875, 1.0, 1.0]

    @pytest.mark.parametrize("shape", ["linear", "cosine"])
    def test_a_model_that_was_loaded_within_a_blend_goes_on(self, shape: str, tmp_path: Path) -> None:
        def swap() -> acts.ActivationSwap:
            return acts.ActivationSwap({"relu": "mish"}, at={"epoch": 1}, blend={"epochs": 2, "shape": shape})

        path, amounts = tmp_path / "half.ckpt", Amounts()
        fit = trainer(tmp_path, swap(), epochs=2)
        fit.fit(Net(), loader())
        fit.save_checkpoint(path)
        trainer(tmp_path, swap(), amounts, epochs=2).fit(acts.load_from_checkpoint(Net, path), loader())
        whole = [0.5, 0.625, 0.75, 0.875, 1.0, 1.0, 1.0, 1.0]
        cosine = [(1 - math.cos(math.pi * value)) / 2 for value in whole]
        assert [seen[0] for seen in amounts.seen] == pytest.approx(whole if shape == "linear" else cosine, abs=1e-5)

    def test_one_callback_for_two_models(self, tmp_path: Path) -> None:
        callbacks = swaps()
        for _ in range(2):
            amounts = Amounts()
            trainer(tmp_path, *callbacks, amounts).fit(Net(), loader())
            assert amounts.seen[0] == (0.0, 0.0, 0.0)
            assert amounts.seen[-1] == (1.0, 1.0, 1.0)

    def test_restored_where_asked_for(self, tmp_path: Path) -> None:
        model = Net()
        trainer(tmp_path, acts.ActivationSwap({"relu": "mish"}, at={"epoch": 1}, restore=True)).fit(model, loader())
        assert type(model.act) is nn.ReLU
        assert acts.find(model)[-1].activation == "relu"


class TestOtherCallbacks:
    def test_averages_of_weights(self, tmp_path: Path) -> None:
        averaging = L.callbacks.EMAWeightAveraging(decay=0.5)
        model = Net()
        trainer(tmp_path, *swaps(), averaging).fit(model, loader(), loader())
        assert type(model.act) is nn.PReLU
        assert torch.isfinite(model(torch.randn(2, 6))).all()

    def test_stochastic_averages(self, tmp_path: Path) -> None:
        averaging = L.callbacks.StochasticWeightAveraging(0.01, swa_epoch_start=3)
        model = Net()
        trainer(tmp_path, *swaps(), averaging).fit(model, loader(), loader())
        assert type(model.act) is nn.PReLU

    def test_the_finder_of_learning_rates_leaves_the_schedule_as_it_was(self, tmp_path: Path) -> None:
        model, amounts = Net(), Amounts()
        fit = trainer(tmp_path, *swaps(), amounts, enable_checkpointing=False)
        L.tuner.Tuner(fit).lr_find(model, loader(), num_training=20, update_attr=False)
        amounts.seen.clear()
        fit.fit(model, loader())
        assert amounts.seen[0] == (0.0, 0.0, 0.0)
        assert amounts.seen[5][0] == 0.125

    def test_manual_optimization_with_two_optimizers(self, tmp_path: Path) -> None:
        class Gan(Net):
            def __init__(self) -> None:
                super().__init__()
                self.automatic_optimization = False

            def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
                for optimizer in self.optimizers():
                    loss = F.cross_entropy(self(batch[0]), batch[1])
                    optimizer.zero_grad()
                    self.manual_backward(loss)
                    optimizer.step()

            def configure_optimizers(self) -> Any:
                own = [*self.first.parameters(), *self.act.parameters()]
                others = [p for p in self.parameters() if all(p is not each for each in own)]
                return torch.optim.Adam(own, 0.01), torch.optim.SGD(others, 0.01)

        model, amounts = Gan(), Amounts()
        trainer(tmp_path, *swaps(), amounts).fit(model, loader())
        assert type(model.act) is nn.PReLU
        assert float(model.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)


class Operations(TorchDispatchMode):
    """Lists the ATen operations of all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class Opens(L.Callback):
    def __init__(self, operations: Operations, first: int = 0) -> None:
        self.operations, self.first, self.open = operations, first, False

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step >= self.first:
            self.operations.__enter__()
            self.open = True


class Closes(L.Callback):
    def __init__(self, opened: Opens) -> None:
        self.opened = opened

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.opened.open:
            self.opened.operations.__exit__(None, None, None)
            self.opened.open = False


class TestNothingDue:
    """A step on which nothing is due, with the hooks of the callback, executes what it would without it."""

    def operations(self, tmp_path: Path, *callbacks: L.Callback, first: int = 0) -> list[str]:
        operations = Operations()
        opens = Opens(operations, first)
        trainer(tmp_path, opens, *callbacks, Closes(opens), epochs=3).fit(Net(), loader())
        assert operations.seen
        return operations.seen

    @pytest.mark.parametrize("to", ["mish", "prelu(init=0.1)"])
    @pytest.mark.parametrize("at", [{"epoch": 9}, {"metric": "train/loss", "below": -1.0}], ids=str)
    def test_before(self, at: dict[str, Any], to: str, tmp_path: Path) -> None:
        waits = acts.ActivationSwap({"relu": to}, at=at, blend={"epochs": 2})
        # The first batch shows calls that the source does not: once.
        assert self.operations(tmp_path, waits, first=1) == self.operations(tmp_path, first=1)

    @pytest.mark.parametrize("to", ["mish", "prelu(init=0.1)"])
    def test_after(self, to: str, tmp_path: Path) -> None:
        over = acts.ActivationSwap({"relu": to}, at={"step": 1}, blend={"steps": 2})
        from_the_start = acts.ActivationSwap({"relu": to})
        assert self.operations(tmp_path, over, first=5) == self.operations(tmp_path, from_the_start, first=5)
