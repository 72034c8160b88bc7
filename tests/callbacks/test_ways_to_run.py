"""Scheduled swaps in every way in which a Trainer, Fabric or a config can run them; the guide's table names these tests."""

import copy
import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from lightning.fabric import Fabric
from omegaconf import OmegaConf
from package import L
from test_scheduled_swaps import BATCHES, Amounts, Net, equal, loader, swaps, trainer
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, IterableDataset

import lightning_acts as acts
from lightning_acts.surgery.blending import scheduled_sites

pytestmark = pytest.mark.filterwarnings("ignore:.*the fit ends before that")


def plain_swap() -> acts.ActivationSwap:
    return acts.ActivationSwap({"relu": "tanh"}, at={"epoch": 1}, blend={"epochs": 2})


def learnable_swap(**options: Any) -> acts.ActivationSwap:
    return acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 1}, blend={"epochs": 2}, **options)


class Compiles:
    """Backend of ``torch.compile`` that counts the graphs it gets, and runs them as they are."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.count += 1
        return graph.forward


class CompilesAtSteps(L.Callback):
    def __init__(self, compiles: Compiles) -> None:
        self.compiles, self.counts = compiles, []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.counts.append(self.compiles.count)


@pytest.fixture
def dynamo() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("dynamo")
class TestCompiled:
    """At each change of what runs one compilation; ``a`` never causes one."""

    @pytest.mark.parametrize("swap", [plain_swap, learnable_swap], ids=["without parameters", "with parameters"])
    @pytest.mark.parametrize("what", ["module", "submodule"])
    def test_compiles_once_a_change(self, what: str, swap: Callable[[], Any], tmp_path: Path) -> None:
        compiles = Compiles()

        class Inner(Net):
            def __init__(self) -> None:
                super().__init__()
                self.body = nn.Sequential(self.first, self.act, self.second)

            def forward(self, x: Tensor) -> Tensor:
                return self.last(F.relu(self.third(self.body(x)))) if what == "module" else self.last(self.body(x))

            def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                return F.cross_entropy(self(batch[0]), batch[1])

        model = Inner()
        if what == "submodule":
            model.body = torch.compile(model.body, backend=compiles)
        fitted = torch.compile(model, backend=compiles) if what == "module" else model
        counts = CompilesAtSteps(compiles)
        trainer(tmp_path, swap(), counts).fit(fitted, loader())
        seen = [counts.counts[0], *(b - a for a, b in zip(counts.counts, counts.counts[1:], strict=False))]
        changes = [step for step, more in enumerate(seen) if more]
        assert changes == [0, BATCHES + 1, 3 * BATCHES]
        assert [seen[step] for step in changes] == [seen[0]] * 3


class TestPrecision:
    @pytest.mark.parametrize("swap", [plain_swap, learnable_swap], ids=["without parameters", "with parameters"])
    @pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true", "16-true"])
    def test_fits(self, precision: str, swap: Callable[[], Any], tmp_path: Path) -> None:
        dtypes = set()

        class Cast(Net):
            def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                if precision == "16-true":  # half precision on a CPU: without a clamp it overflows
                    batch = [batch[0].half(), batch[1]]
                y = self(batch[0])
                dtypes.add(y.dtype)
                return F.cross_entropy(y.float(), batch[1])

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.SGD(self.parameters(), 0.01)

        model = Cast()
        trainer(tmp_path, swap(), precision=precision).fit(model, loader())
        expected = {
            "bf16-mixed": torch.bfloat16,
            "bf16-true": torch.bfloat16,
            "64-true": torch.float64,
            "16-true": torch.float16,
        }
        assert dtypes == {expected[precision]}
        assert type(model.act) is (nn.Tanh if swap is plain_swap else nn.PReLU)
        of = {"bf16-mixed": torch.float32}.get(precision, expected[precision])
        assert {parameter.dtype for parameter in model.parameters()} == {of}
        assert all(parameter.isfinite().all() for parameter in model.parameters())

    @pytest.mark.parametrize("swap", [plain_swap, learnable_swap], ids=["without parameters", "with parameters"])
    def test_scaled_losses(self, swap: Callable[[], Any], tmp_path: Path) -> None:
        """With a scale so large that gradients overflow at first, steps are left out and the others are made."""
        plugins = importlib.import_module(f"{L.__name__}.plugins")
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=2)
        scales, dtypes = [], set()

        class Watched(Net):
            def forward(self, x: Tensor) -> Tensor:
                y = super().forward(x)
                dtypes.add(y.dtype)
                return y

            def on_train_batch_end(self, *arguments: Any) -> None:
                scales.append(scaler.get_scale())

        model = Watched(lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9), lr=0.1)
        amounts = Amounts()
        precision = plugins.MixedPrecision("16-mixed", "cpu", scaler)
        trainer(tmp_path, swap(), amounts, plugins=[precision]).fit(model, loader())
        assert dtypes == {torch.float16}
        assert scales[0] < 2.0**20  # the first step was left out...
        assert max(scales[scales.index(min(scales)) :]) > min(scales)  # ...and others not
        assert [seen[0] for seen in amounts.seen[4:14]] == [0, *[n / 8 for n in range(1, 8)], 1, 1]
        assert type(model.act) is (nn.Tanh if swap is plain_swap else nn.PReLU)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert all(parameter.isfinite().all() for parameter in model.parameters())
        if swap is learnable_swap:
            assert float(model.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)


class Scheduled(Net):
    def __init__(self, make: Callable[[torch.optim.Optimizer], Any], **options: Any) -> None:
        super().__init__()
        self.make, self.options = make, options

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.make(optimizer), **self.options}}


SCHEDULERS: dict[str, tuple[Callable[[torch.optim.Optimizer], Any], dict[str, Any]]] = {
    "lambda": (lambda o: lr_scheduler.LambdaLR(o, [lambda epoch: 0.5**epoch]), {}),
    "one cycle": (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 6 * BATCHES), {"interval": "step"}),
    "plateau": (lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, min_lr=[1e-4]), {"monitor": "val/loss"}),
    "sequential": (
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, total_iters=2), lr_scheduler.CosineAnnealingLR(o, 4)], [2]
        ),
        {},
    ),
    "cyclic": (lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 5), {"interval": "step"}),
    "chained": (
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.5), lr_scheduler.ExponentialLR(o, 0.9)]),
        {},
    ),
}


class TestOptimizers:
    @pytest.mark.parametrize("name", SCHEDULERS)
    def test_schedulers_with_a_value_a_group(self, name: str, tmp_path: Path) -> None:
        make, options = SCHEDULERS[name]
        rates: list[list[float]] = []

        class Rates(L.Callback):
            def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
                rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])

        model = Scheduled(make, **options)
        trainer(tmp_path, learnable_swap(lr_factor=0.5), Rates()).fit(model, loader(), loader())
        assert type(model.act) is nn.PReLU
        assert len({rate for rate, _ in rates}) > 2
        assert [own for _, own in rates] == pytest.approx([rate / 2 for rate, _ in rates])

    def test_lbfgs(self, tmp_path: Path) -> None:
        class Quasi(Net):
            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.LBFGS(self.parameters(), 0.1, max_iter=2)

        model = Quasi()
        trainer(tmp_path, learnable_swap()).fit(model, loader())
        assert type(model.act) is nn.PReLU
        assert float(model.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)

    def test_from_outside_torch(self, tmp_path: Path) -> None:
        """Lion, as its paper has it, on the parameters that have gradients."""

        class Lion(torch.optim.Optimizer):
            def __init__(self, parameters: Any, lr: float) -> None:
                super().__init__(parameters, {"lr": lr, "betas": (0.9, 0.99), "weight_decay": 0.1})

            @torch.no_grad()
            def step(self, closure: Any = None) -> Any:  # type: ignore[override]
                loss = None
                if closure is not None:
                    with torch.enable_grad():
                        loss = closure()
                for group in self.param_groups:
                    first, second = group["betas"]
                    for p in group["params"]:
                        if p.grad is None:
                            continue
                        mean = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                        p.mul_(1 - group["lr"] * group["weight_decay"])
                        p.add_(mean.lerp(p.grad, 1 - first).sign(), alpha=-group["lr"])
                        mean.lerp_(p.grad, 1 - second)
                return loss

        model = Net(Lion, lr=0.001)
        fit = trainer(tmp_path, learnable_swap())
        fit.fit(model, loader())
        assert type(model.act) is nn.PReLU
        assert [group["weight_decay"] for group in fit.optimizers[0].param_groups] == [0.1, 0.0]
        # 5 epochs, each step of the length of the rate.
        assert abs(float(model.act.weight.detach()) - 0.1) <= 5 * BATCHES * 0.001 + 1e-6

    @pytest.mark.parametrize("name", ["lion_pytorch.Lion", "schedulefree.AdamWScheduleFree"])
    def test_packages_of_others(self, name: str, tmp_path: Path) -> None:
        """What comes does not drift, the others keep their state to the bit, and a resumed fit is the whole one."""
        package, _, cls = name.partition(".")
        make = getattr(pytest.importorskip(package), cls)
        values: list[float] = []
        states: list[dict[str, Any]] = []

        class Modes(Net):
            """Some optimizers have to be told whether the model is trained."""

            def on_train_epoch_start(self) -> None:
                getattr(self.optimizers().optimizer, "train", int)()

        class Keep(L.Callback):
            def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
                values.extend(float(site.blend.new.weight.detach()) for site in scheduled_sites(pl_module))
                if trainer.global_step == BATCHES:
                    names = {parameter: key for key, parameter in pl_module.named_parameters()}
                    states.append(
                        copy.deepcopy({names[p]: each for p, each in trainer.optimizers[0].state.items() if each})
                    )

        whole, stopped, model = Modes(make), Modes(make), Modes(make)
        trainer(tmp_path, Keep(), learnable_swap(), Keep()).fit(whole, loader())
        before, after = states
        assert set(values[: 2 * 2 * (BATCHES + 1)]) == {float(torch.tensor(0.1))}
        assert set(before) == {key for key, _ in Modes(make).named_parameters()}
        torch.testing.assert_close(before, after, rtol=0, atol=0)
        assert type(whole.act) is nn.PReLU
        assert float(whole.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)
        half = trainer(tmp_path, learnable_swap(), epochs=2)
        half.fit(stopped, loader())
        half.save_checkpoint(tmp_path / "half.ckpt")
        trainer(tmp_path, learnable_swap()).fit(model, loader(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
        assert equal(model, whole)

    def test_groups_that_are_not_decayed_get_no_other(self, tmp_path: Path) -> None:
        class Grouped(Net):
            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.AdamW(acts.parameter_groups(self, weight_decay=0.1), lr=0.01)

        fit = trainer(tmp_path, learnable_swap())
        fit.fit(Grouped(), loader())
        assert [group["weight_decay"] for group in fit.optimizers[0].param_groups] == [0.1, 0.0]

    def test_two_in_turns(self, tmp_path: Path) -> None:
        """Steps count those of both optimizers, as ``trainer.global_step`` does."""

        class Turns(Net):
            automatic_optimization = False

            def __init__(self) -> None:
                super().__init__()
                self.automatic_optimization = False

            def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
                optimizer = self.optimizers()[batch_idx % 2]
                self.toggle_optimizer(optimizer)
                loss = F.cross_entropy(self(batch[0]), batch[1])
                optimizer.zero_grad()
                self.manual_backward(loss)
                self.clip_gradients(optimizer, 0.1, "norm")
                optimizer.step()
                self.untoggle_optimizer(optimizer)

            def configure_optimizers(self) -> Any:
                own = [*self.first.parameters(), *self.act.parameters()]
                others = [p for p in self.parameters() if all(p is not each for each in own)]
                return torch.optim.Adam(own, 0.01), torch.optim.SGD(others, 0.01)

        model = Turns()
        trainer(tmp_path, *swaps()).fit(model, loader())
        assert type(model.act) is nn.PReLU
        assert type(model.slope) is nn.Mish
        assert all(parameter.requires_grad for parameter in model.parameters())

    @pytest.mark.parametrize("algorithm", ["norm", "value"])
    def test_clipped_gradients(self, algorithm: str, tmp_path: Path) -> None:
        model = Net(torch.optim.SGD, lr=0.1)
        options = {"gradient_clip_val": 1e-4, "gradient_clip_algorithm": algorithm}
        trainer(tmp_path, learnable_swap(), **options).fit(model, loader())
        moved = abs(float(model.act.weight.detach()) - 0.1)
        assert 0 < moved <= 5 * BATCHES * 0.1 * 1e-4 + 1e-7

    def test_accumulation_that_changes(self, tmp_path: Path) -> None:
        """Steps are made of one batch, then of two, then of four."""
        amounts = Amounts()
        scheduler = L.callbacks.GradientAccumulationScheduler({0: 1, 2: 2, 4: 4})
        swap = acts.ActivationSwap({"relu": "tanh"}, at={"step": 6}, blend={"steps": 4})
        trainer(tmp_path, scheduler, swap, amounts).fit(Net(), loader())
        means = [seen[0] for seen in amounts.seen]
        assert means == [*[0] * 7, 0.25, 0.5, 0.5, 0.75, 0.75, *[1] * 12]


class TestOtherCallbacks:
    def test_validates_with_averaged_weights(self, tmp_path: Path) -> None:
        """The averages are those of the parameters as they were after each step, written by hand."""
        losses: list[float] = []
        averaged: dict[str, Tensor] = {}

        class ByHand(L.Callback):
            def on_train_batch_end(
                self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
            ) -> None:
                for name, parameter in pl_module.named_parameters():
                    name = name.replace(".new.", ".").replace(".old.", ".")
                    value = parameter.detach().clone()
                    averaged[name] = value if name not in averaged else averaged[name].lerp(value, 0.5)

        class Logged(Net):
            def on_validation_epoch_end(self) -> None:
                losses.append(float(self.trainer.callback_metrics["val/loss"]))

        model = Logged()
        swap = acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"epoch": 1}, blend={"epochs": 2})
        averaging = L.callbacks.EMAWeightAveraging(decay=0.5)
        trainer(tmp_path, swap, ByHand(), averaging).fit(model, loader(), loader())
        state = model.state_dict()
        assert set(averaged) == set(dict(model.named_parameters()))
        for name, value in averaged.items():
            torch.testing.assert_close(state[name], value, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("step", [3, 6, 9, 14, 17])
    def test_averages_go_on_after_a_resume(self, step: int, tmp_path: Path) -> None:
        from test_scheduled_swaps import Stop, resumable

        def callbacks() -> list[Any]:
            return [*swaps(), L.callbacks.EMAWeightAveraging(decay=0.9), acts.ExactResume()]

        whole, stopped, model = Net(), Net(), Net()
        torch.manual_seed(2)
        trainer(tmp_path, *callbacks()).fit(whole, resumable(), loader())
        path = tmp_path / "stopped.ckpt"
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            trainer(tmp_path, *callbacks(), Stop(step, path)).fit(stopped, resumable(), loader())
        trainer(tmp_path, *callbacks()).fit(model, resumable(), loader(), ckpt_path=path)
        assert equal(model, whole)

    def test_stochastic_averages_from_the_middle_of_a_blend(self, tmp_path: Path) -> None:
        model = Net()
        averaging = L.callbacks.StochasticWeightAveraging(0.01, swa_epoch_start=2)
        trainer(tmp_path, *swaps(), averaging).fit(model, loader(), loader())
        assert type(model.act) is nn.PReLU
        assert torch.isfinite(model(torch.randn(2, 6))).all()

    @pytest.mark.filterwarnings("ignore:The provided params to be frozen already exist")
    @pytest.mark.parametrize("thaw", [2, 4])  # earlier, Lightning takes equal values for the same parameter
    def test_a_frozen_backbone_thaws(self, thaw: int, tmp_path: Path) -> None:
        """What comes with the replacements is trained with the part in which it stands, and not before its own time."""
        idle: list[bool] = []

        class Parts(Net):
            def __init__(self) -> None:
                super().__init__()
                self.backbone = nn.Sequential(self.first, self.act, self.second, self.slope)

            def forward(self, x: Tensor) -> Tensor:
                return self.last(F.relu(self.third(self.backbone(x))))

            def configure_optimizers(self) -> torch.optim.Optimizer:
                trained = [p for p in self.parameters() if p.requires_grad]
                return torch.optim.SGD(trained, 0.01, weight_decay=0.1)

        class Thaw(L.callbacks.BaseFinetuning):
            def freeze_before_training(self, pl_module: Any) -> None:
                self.freeze(pl_module.backbone)

            def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
                if epoch == thaw:
                    self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, lr=0.01)

        class Idle(L.Callback):
            def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
                for site in learnable._scheduled.sites:
                    for name, module in (("old", site.blend.old), ("new", site.blend.new)):
                        runs = getattr(site.blend, f"_runs_{name}")
                        idle.extend(p.requires_grad for p in module.parameters() if not runs)

        model = Parts()
        learnable = learnable_swap()
        fit = trainer(tmp_path, learnable, Thaw(), Idle())
        fit.fit(model, loader())
        trained = [p for group in fit.optimizers[0].param_groups for p in group["params"]]
        assert not any(idle)
        assert {id(p) for p in trained} == {id(p) for p in model.parameters()}
        assert len(trained) == len({id(p) for p in trained})
        assert float(model.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)

    def test_lightning_s_own_thawing_of_a_backbone(self, tmp_path: Path) -> None:
        """Frozen for an epoch, within which a replacement with parameters begins to take over in the backbone."""

        class Parts(Net):
            def __init__(self) -> None:
                super().__init__()
                self.backbone = nn.Sequential(self.first, self.act, self.second)

            def forward(self, x: Tensor) -> Tensor:
                return self.last(F.relu(self.third(self.slope(self.backbone(x)))))

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], 0.01)

        model, amounts = Parts(), Amounts()
        swap = acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"step": 2}, blend={"steps": 8})
        thaw = L.callbacks.BackboneFinetuning(unfreeze_backbone_at_epoch=1, backbone_initial_lr=0.005)
        before = model.first.weight.detach().clone()
        fit = trainer(tmp_path, swap, thaw, amounts)
        fit.fit(model, loader())
        trained = [p for group in fit.optimizers[0].param_groups for p in group["params"]]
        assert type(model.act) is type(model.backbone[1]) is nn.PReLU
        assert [seen[0] for seen in amounts.seen[:12]] == [0, 0, *[n / 8 for n in range(9)], 1]
        assert len(trained) == len({id(p) for p in trained})
        assert {id(p) for p in trained} == {id(p) for p in model.parameters()}
        assert float(model.act.weight.detach()) != pytest.approx(0.1, abs=1e-7)
        assert not torch.equal(model.first.weight, before)

    def test_the_finder_of_batch_sizes(self, tmp_path: Path) -> None:
        class Sized(Net):
            def __init__(self) -> None:
                super().__init__()
                self.batch_size = 2

            def train_dataloader(self) -> DataLoader[Any]:
                return DataLoader(loader().dataset, batch_size=self.batch_size)

            val_dataloader = train_dataloader

        model, amounts, callbacks = Sized(), Amounts(), swaps()
        fit = trainer(tmp_path, *callbacks, amounts)
        L.tuner.Tuner(fit).scale_batch_size(model, max_trials=2, steps_per_trial=2)
        amounts.seen.clear()
        fit.fit(model)
        assert amounts.seen[0] == (0.0, 0.0, 0.0)
        assert type(model.act) is nn.PReLU

    def test_the_finder_of_learning_rates_as_a_callback(self, tmp_path: Path) -> None:
        model, amounts = Net(), Amounts()
        finder = L.callbacks.LearningRateFinder(num_training_steps=12)
        trainer(tmp_path, *swaps(), finder, amounts).fit(model, loader())
        assert amounts.seen[-6 * BATCHES] == (0.0, 0.0, 0.0)
        assert amounts.seen[-6 * BATCHES + 5][0] == 0.125
        assert type(model.act) is nn.PReLU


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from loader().dataset


class TestLoops:
    def test_overfit_batches(self, tmp_path: Path) -> None:
        amounts, model = Amounts(), Net()
        trainer(tmp_path, *swaps(), amounts, overfit_batches=2, epochs=10).fit(model, loader(), loader())
        assert [seen[0] for seen in amounts.seen[:8]] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]

    def test_fast_dev_run(self, tmp_path: Path) -> None:
        model = Net()
        trainer(tmp_path, *swaps(), fast_dev_run=3).fit(model, loader(), loader())
        assert acts.find(model)[0].activation == "relu"

    def test_limits(self, tmp_path: Path) -> None:
        amounts, model = Amounts(), Net()
        limits = {"limit_train_batches": 0.5, "limit_val_batches": 1}
        trainer(tmp_path, *swaps(), amounts, **limits, epochs=10).fit(model, loader(), loader())
        assert [seen[0] for seen in amounts.seen[:8]] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]

    def test_validation_within_epochs(self, tmp_path: Path) -> None:
        class Scored(Net):
            def on_validation_epoch_end(self) -> None:
                self.log("score", float(self.trainer.global_step))

        amounts = Amounts()
        swap = acts.ActivationSwap({"relu": "mish"}, at={"metric": "score", "above": 5.0})
        trainer(tmp_path, swap, amounts, val_check_interval=0.5).fit(Scored(), loader(), loader())
        assert [min(seen) for seen in amounts.seen] == [0.0] * 6 + [1.0] * (6 * BATCHES - 6)

    def test_steps_without_epochs(self, tmp_path: Path) -> None:
        amounts, model = Amounts(), Net()
        swap = acts.ActivationSwap({"relu": "mish"}, at={"fraction": 0.25}, blend={"fraction": 0.5})
        data = DataLoader(Endless(), 8)
        trainer(tmp_path, swap, amounts, epochs=-1, max_steps=16).fit(model, data)
        assert [seen[0] for seen in amounts.seen] == [0] * 5 + [n / 8 for n in range(1, 8)] + [1] * 4
        assert type(model.act) is nn.Mish

    def test_a_loader_without_length(self, tmp_path: Path) -> None:
        amounts, model = Amounts(), Net()
        swap = acts.ActivationSwap({"relu": "mish"}, at={"epoch": 1}, blend={"epochs": 2})
        data = DataLoader(Endless(), 8)
        trainer(tmp_path, swap, amounts, limit_train_batches=4).fit(model, data)
        assert amounts.seen[3][0] == 0
        assert type(model.act) is nn.Mish

    def test_one_trainer_fits_further(self, tmp_path: Path) -> None:
        amounts, model = Amounts(), Net()
        fit = trainer(tmp_path, *swaps(), amounts, epochs=2)
        fit.fit(model, loader())
        fit.fit_loop.max_epochs = 4
        fit.fit(model, loader())
        assert [seen[0] for seen in amounts.seen[4:14]] == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1]
        assert len(amounts.seen) == 4 * BATCHES

    def test_one_callback_on_two_trainers(self, tmp_path: Path) -> None:
        """Another model in a shorter fit; then the first one again, which is swapped already."""
        swap = acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"fraction": 0.25}, blend={"fraction": 0.5})
        seen, models = [], [Net(), Net()]
        for model, epochs in zip([*models, models[0]], [4, 2, 2], strict=True):
            amounts = Amounts()
            trainer(tmp_path, swap, amounts, epochs=epochs).fit(model, loader())
            seen.append([amount for amount, *_ in amounts.seen])
            assert type(model.act) is nn.PReLU
        assert seen[0] == [0] * 5 + [n / 8 for n in range(1, 8)] + [1] * 4
        assert seen[1] == [0] * 3 + [n / 4 for n in range(1, 4)] + [1] * 2
        assert set(seen[2]) <= {1.0}

        alone, swap = (
            Net(),
            acts.ActivationSwap({"relu": "prelu(init=0.1)"}, at={"fraction": 0.25}, blend={"fraction": 0.5}),
        )
        trainer(tmp_path, swap, epochs=2).fit(alone, loader())
        assert equal(models[1], alone)

    @pytest.mark.parametrize("swap", [plain_swap, learnable_swap], ids=["without parameters", "with parameters"])
    def test_layers_from_the_meta_device(self, swap: Callable[[], Any], tmp_path: Path) -> None:
        """Layers without memory get theirs in ``configure_model``, before the replacements come."""

        class OnMeta(Net):
            def __init__(self) -> None:
                with torch.device("meta"):
                    super().__init__()

            def configure_model(self) -> None:
                if self.first.weight.is_meta:
                    self.to_empty(device="cpu")
                    self.load_state_dict(Net().state_dict())

        model, amounts, plain = OnMeta(), Amounts(), Net()
        trainer(tmp_path, swap(), amounts).fit(model, loader())
        trainer(tmp_path, swap()).fit(plain, loader())
        assert type(model.act) is (nn.Tanh if swap is plain_swap else nn.PReLU)
        assert [seen[0] for seen in amounts.seen[4:14]] == [0, *[n / 8 for n in range(1, 8)], 1, 1]
        assert equal(model, plain)

    @pytest.mark.parametrize("stage", ["validate", "test", "predict"])
    def test_other_stages_run_the_originals(self, stage: str, tmp_path: Path) -> None:
        """A scheduled swap belongs to fits: elsewhere a model computes what it did before."""

        class Predicting(Net):
            def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                return self(batch[0])

        model, plain = Predicting(), Net()
        data = DataLoader(loader().dataset, batch_size=8)
        getattr(trainer(tmp_path, *swaps()), stage)(model, data)
        x = next(iter(loader()))[0]
        assert torch.equal(model(x), plain(x))
        trainer(tmp_path, *swaps()).fit(model, data)
        getattr(trainer(tmp_path, *swaps()), stage)(model, data)
        assert type(model.act) is nn.PReLU
        assert type(model.slope) is nn.Mish


class TestRefused:
    def strategy(self) -> Any:
        """A strategy of this name: the package that Lightning's own needs is on no machine without GPUs."""
        base = importlib.import_module(f"{L.__name__}.strategies").SingleDeviceStrategy
        return type("Own", (type("DeepSpeedStrategy", (base,), {}),), {})(torch.device("cpu"))

    @pytest.mark.parametrize("swap", [plain_swap, learnable_swap], ids=["without parameters", "with parameters"])
    def test_deepspeed_before_anything_is_changed(self, swap: Callable[[], Any], tmp_path: Path) -> None:
        model = Net()
        with pytest.raises(acts.SwapError, match="a swap during the fit is not possible there; swap at the start"):
            trainer(tmp_path, swap(), strategy=self.strategy()).fit(model, loader())
        assert type(model.act) is nn.ReLU
        assert equal(model, Net())

    def test_deepspeed_takes_a_swap_at_the_start(self, tmp_path: Path) -> None:
        model = Net()
        trainer(tmp_path, acts.ActivationSwap({"relu": "mish"}), strategy=self.strategy(), epochs=1).fit(
            model, loader()
        )
        assert type(model.act) is nn.Mish


CALLS = [
    "F.gelu(x)",
    "F.gelu(x, approximate='tanh')",
    "torch.tanh(x)",
    "x.relu()",
    "x.clone().relu_()",
    "F.leaky_relu(x, 0.2)",
    "F.leaky_relu(x + 0, negative_slope=0.3, inplace=True)",
    "F.elu(x, alpha=0.7)",
    "F.softplus(x, beta=2.0, threshold=10.0)",
    "F.hardtanh(x, -0.5, 0.5)",
    "x.clamp(min=0)",
    "torch.sigmoid(x)",
    "F.silu(x)",
]

CALLING = """
import torch
import torch.nn.functional as F
from torch import nn

class Calling(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)

    def forward(self, x):
        x = self.first(x)
        return self.last({})
"""


def calling(call: str, folder: Path) -> nn.Module:
    file = folder / f"calling_{len(list(folder.iterdir()))}.py"  # calls are found in the source
    file.write_text(CALLING.format(call))
    names: dict[str, Any] = {"__name__": "calling"}
    exec(compile(file.read_text(), str(file), "exec"), names)
    model: nn.Module = names["Calling"]()
    return model


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_calls_run_as_they_were_until_their_time(call: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """To the bit, with their arguments, forward and backward; within a blend what the twin by hand computes."""
    model = calling(call, tmp_path).to(dtype)
    half = f"(1 - 0.5) * {call} + 0.5 * F.mish(x)"
    twins = {0.0: calling(call, tmp_path), 0.5: calling(half, tmp_path), 1.0: calling("F.mish(x)", tmp_path)}
    (activation,) = {site.activation for site in acts.find(model)}
    scheduled = acts.ScheduledSwap({activation: "mish"}, at={"step": 1}, blend={"steps": 2})
    scheduled.install(model)
    x = torch.randn(64, 6, generator=torch.Generator().manual_seed(6)).to(dtype).mul_(3)
    for step in range(4):
        scheduled.advance(step=step)
        twin = twins[scheduled.amount].to(dtype)
        for each in (model, twin):
            each.zero_grad()
            each(x).square().sum().backward()
        assert torch.equal(model(x), twin(x))
        assert torch.equal(model.first.weight.grad, twin.first.weight.grad)
    assert scheduled.amount == 1.0


class TestOtherLoops:
    def test_fabric(self) -> None:
        fabric = Fabric(accelerator="cpu", devices=1)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        scheduled = acts.ScheduledSwap({"relu": "prelu(init=0.1)"}, at={"step": 3}, blend={"steps": 4})
        scheduled.install(model)
        wrapped, optimizer = fabric.setup(model, torch.optim.AdamW(model.parameters(), 0.1))
        for step in range(10):
            scheduled.advance(step=step)
            optimizer.zero_grad()
            fabric.backward(wrapped(torch.ones(8, 4)).square().mean())
            optimizer.step()
        scheduled.settle()
        assert type(model[1]) is nn.PReLU
        assert float(model[1].weight.detach()) != pytest.approx(0.1, abs=1e-7)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Lightning's, by jsonargparse
    def test_the_command_line_of_lightning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Given(Net):
            def __init__(self) -> None:
                super().__init__()

            def train_dataloader(self) -> DataLoader[Any]:
                return loader()

        swap = {
            "class_path": "lightning_acts.ActivationSwap",
            "init_args": {"map": {"relu": "mish"}, "at": {"epoch": 1}, "blend": {"epochs": 2, "shape": "cosine"}},
        }
        options = {"max_epochs": 4, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
        config = {
            "trainer": {**options, "enable_progress_bar": False, "callbacks": [swap], "default_root_dir": str(tmp_path)}
        }
        monkeypatch.setattr("sys.argv", ["python"])
        cli = importlib.import_module(f"{L.__name__}.cli")
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"seed_everything": False, **config}))
        command_line = cli.LightningCLI(Given, args=["--config", str(file)], run=False, save_config_callback=None)
        command_line.trainer.fit(command_line.model)
        assert type(command_line.model.act) is nn.Mish

    def test_containers_of_omegaconf(self) -> None:
        given = OmegaConf.create({"at": {"epoch": 1}, "blend": {"epochs": 2}})
        assert acts.ActivationSwap({"relu": "mish"}, at=given.at, blend=given.blend).schedule.length == 2


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "find_unused_parameters=True", "static_graph=True"])
def test_two_processes(options: str, tmp_path: Path) -> None:
    """Parameters come and go in mid-training, by a metric that differs between processes, and stay equal in both."""
    script = f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        import torch, lightning_acts as acts
        from package import L
        from test_scheduled_swaps import Net, loader
        class Scored(Net):
            def on_validation_epoch_end(self):
                self.log("score", float(self.current_epoch) * (0.1 + self.global_rank))
        class Equal(L.Callback):
            def on_train_epoch_end(self, trainer, model):
                for parameter in model.parameters():
                    both = trainer.strategy.all_gather(parameter.detach())
                    assert torch.equal(both[0], both[1]), trainer.current_epoch
        if __name__ == "__main__":
            model = Scored()
            swaps = [
                acts.ActivationSwap({{"relu": "prelu(init=0.1)"}}, at={{"metric": "score", "above": 0.9}}, blend={{"steps": 3}}),
                acts.ActivationSwap({{"prelu(init=0.25)": "mish"}}, include="slope", at={{"step": 9}}, blend={{"steps": 3}}),
            ]
            trainer = L.Trainer(accelerator="cpu", devices=2, strategy=L.strategies.DDPStrategy({options}), max_epochs=8,
                                callbacks=[*swaps, Equal()], logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False)
            trainer.fit(model, loader(), loader())
            assert type(model.act).__name__ == "PReLU" and type(model.slope).__name__ == "Mish"
            assert abs(float(model.act.weight.detach()) - 0.1) > 1e-4
            if trainer.is_global_zero:
                print("ALL WELL")
            torch.distributed.destroy_process_group()
    """
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    done = subprocess.run([sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ALL WELL") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("swap", "device", "said"),
    [
        ('{"relu": "mish"}', "cpu", "(DTensor, Mish)"),
        ('{"relu": "prelu(init=0.1)"}, include="act"', "cpu", "(DTensor, PReLU)"),
        ('{"relu": "prelu(init=0.1)"}, include="act"', "meta", "(DTensor, PReLU)"),
        ('{"relu": "tanh"}, at={"epoch": 1}, blend={"epochs": 2}', "cpu", "(DTensor, Tanh)"),
        ('{"relu": "tanh"}, at={"epoch": 1}, blend={"epochs": 2}', "meta", "(DTensor, Tanh)"),
        ('{"relu": "prelu"}', "cpu", "fully_shard does not reach parameters that come with the replacement of a call"),
        (
            '{"relu": "prelu"}, include="act", at={"epoch": 1}',
            "cpu",
            "where either activation has parameters: swap at the start",
        ),
    ],
    ids=[
        "at the start",
        "parameters at the start",
        "parameters at the start, on the meta device",
        "scheduled",
        "scheduled, on the meta device",
        "parameters of a call",
        "scheduled parameters",
    ],
)
def test_sharded_on_two_processes(swap: str, device: str, said: str, tmp_path: Path) -> None:
    """What fully_shard does not reach is refused: no parameter is left that differs between processes."""
    script = f"""
        import lightning_acts as acts, torch
        from package import L
        from test_scheduled_swaps import Net, loader
        from torch.distributed.fsdp import fully_shard

        class Sharded(Net):
            def configure_model(self):
                for part in (self.first, self.second, self.third, self):
                    fully_shard(part, mesh=self.device_mesh["data_parallel"])

        if __name__ == "__main__":
            with torch.device({device!r}):
                model = Sharded()
            strategy = L.strategies.ModelParallelStrategy(2, 1, process_group_backend="gloo")
            L.Trainer(accelerator="cpu", devices=2, strategy=strategy, max_epochs=4, logger=False,
                      callbacks=[acts.ActivationSwap({swap})], enable_checkpointing=False,
                      enable_progress_bar=False, enable_model_summary=False).fit(model, loader())
            names = {{type(parameter).__name__ for parameter in model.parameters()}}
            print(f"({{', '.join(names)}}, {{type(model.act).__name__}})")
            torch.distributed.destroy_process_group()
    """
    (tmp_path / "main.py").write_text(textwrap.dedent(script))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert said in " ".join((done.stdout + done.stderr).split()), done.stderr
