"""Swaps made by ``acts.swap`` alone, and models whose layers come and go, in checkpoints of a Trainer."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Calls, Net, loader
from package import L
from torch import Tensor, nn

import lightning_acts as acts

MakeTrainer = Callable[..., Any]


def network(*swaps: dict[str, str]) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    for pairs in swaps:
        acts.swap(net, pairs)
    return net


def fit_and_save(trainer: MakeTrainer, model: Any, path: Path, *swaps: Any, **options: Any) -> Path:
    running = trainer(callbacks=list(swaps))
    running.fit(model, loader())
    running.save_checkpoint(path / "saved.ckpt", **options)
    return path / "saved.ckpt"


def same(one: nn.Module, other: nn.Module) -> bool:
    x = next(iter(loader()))[0]
    with torch.no_grad():
        return torch.equal(one(x), other(x))


class TestSwappedWithoutAnotherCall:
    @pytest.mark.parametrize("weights_only", [False, True])
    @pytest.mark.parametrize("model_class", [Net, Calls])
    def test_comes_back(self, trainer: MakeTrainer, tmp_path: Path, model_class: type[Net], weights_only: bool) -> None:
        model = model_class()
        acts.swap(model, {"relu": "mish"})
        path = fit_and_save(trainer, model, tmp_path, weights_only=weights_only)
        assert same(acts.load_from_checkpoint(model_class, path), model)
        with pytest.raises(RuntimeError, match="lightning_acts.load_from_checkpoint"):
            model_class.load_from_checkpoint(path)

    def test_a_new_model_with_the_same_swap_takes_the_weights(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        model, again, other = Net(), Net(), Net()
        acts.swap(model, {"relu": "prelu"})
        path = fit_and_save(trainer, model, tmp_path)
        acts.swap(again, {"relu": "prelu"})
        trainer().test(again, loader(), ckpt_path=path, verbose=False)
        assert same(again, model)
        acts.swap(other, {"relu": "elu"})
        with pytest.raises(acts.CheckpointError, match="swapped relu -> prelu; this model is swapped relu -> elu"):
            trainer().test(other, loader(), ckpt_path=path, verbose=False)

    def test_a_replacement_that_no_file_can_name(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        model = Net()
        acts.swap(model, {"relu": torch.sinc})
        with pytest.warns(UserWarning, match="can't bring its swap back.*register"):
            path = fit_and_save(trainer, model, tmp_path)
        with pytest.raises(acts.CheckpointError, match="can't be made again"):
            acts.load_from_checkpoint(Net, path)
        with pytest.raises(RuntimeError, match="activations were swapped"):
            Net.load_from_checkpoint(path)
        with pytest.raises(acts.SwapError, match="register"):
            acts.keep_swaps(model)

    def test_a_swap_that_was_taken_back_leaves_nothing(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        model = Net()
        acts.swap(model, {"relu": "mish"}).undo()
        assert type(Net.load_from_checkpoint(fit_and_save(trainer, model, tmp_path)).net[1]) is nn.ReLU

    def test_other_modules_have_no_checkpoints(self) -> None:
        with pytest.raises(acts.SwapError, match="Sequential is not a LightningModule"):
            acts.keep_swaps(network({"relu": "mish"}))

    def test_a_bare_load_takes_the_same_swap_alone(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        model, again, other = Net(), Net(), Net()
        acts.swap(model, {"relu": "mish"})
        state = torch.load(fit_and_save(trainer, model, tmp_path), weights_only=True)["state_dict"]
        acts.swap(again, {"relu": "mish"})
        acts.keep_swaps(again)
        again.load_state_dict(state)
        assert same(again, model)
        acts.swap(other, {"relu": "elu"})
        acts.keep_swaps(other)
        with pytest.raises(RuntimeError, match="lightning_acts.load_from_checkpoint"):
            other.load_state_dict(state)


class Swapped(Net):
    """Swaps itself as it is made."""

    def build(self) -> None:
        super().build()
        acts.swap(self.net, {"relu": "prelu"})


class TestSwappedAgain:
    @pytest.mark.filterwarnings("ignore:.*the fit ends before that:UserWarning")
    @pytest.mark.parametrize("blend", [None, {"steps": 1000}])
    def test_comes_back(self, trainer: MakeTrainer, tmp_path: Path, blend: Any) -> None:
        model = Swapped()
        path = fit_and_save(trainer, model, tmp_path, acts.ActivationSwap({"prelu": "silu"}, blend=blend))
        assert same(acts.load_from_checkpoint(Swapped, path), model)
        again = Swapped()
        swap = acts.ActivationSwap({"prelu": "silu"}, blend=blend)
        trainer(callbacks=[swap]).test(again, loader(), ckpt_path=path, verbose=False)
        assert same(again, model)

    def test_another_beginning_is_refused(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        path = fit_and_save(trainer, Swapped(), tmp_path, acts.ActivationSwap({"prelu": "silu"}))
        other = Net()
        acts.swap(other, {"relu": "elu"})
        with pytest.raises(
            acts.CheckpointError, match="relu -> prelu; prelu -> silu; this model is swapped relu -> elu"
        ):
            trainer().test(other, loader(), ckpt_path=path, verbose=False)


class BuiltInHook(Net):
    """Builds its layers in ``on_load_checkpoint``, where its constructor and ``setup`` have not."""

    def __init__(self, early: bool = False) -> None:
        super().__init__(late=True)
        if early:
            self.make()

    def make(self) -> None:
        self.net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))

    configure_model = L.LightningModule.configure_model

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert not any("swapped" in name for name in checkpoint["state_dict"])
        self.make()


class BuiltInSetup(BuiltInHook):
    def setup(self, stage: str) -> None:
        if self.net is None:
            self.make()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.setup("fit")


class Selective(Net):
    """Drops weights for which it has no place, as is often advised."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        own = self.state_dict()
        checkpoint["state_dict"] = {name: value for name, value in checkpoint["state_dict"].items() if name in own}


class TestLayersBuiltLate:
    @pytest.mark.parametrize("activation", ["mish", "prelu"])
    @pytest.mark.parametrize("model_class", [BuiltInHook, BuiltInSetup, Selective])
    def test_load_test_and_resume(
        self, trainer: MakeTrainer, tmp_path: Path, model_class: Any, activation: str
    ) -> None:
        model = BuiltInHook(early=True) if model_class is BuiltInHook else model_class()
        path = fit_and_save(trainer, model, tmp_path, acts.ActivationSwap({"relu": activation}))
        assert same(acts.load_from_checkpoint(model_class, path), model)
        fresh = model_class()
        trainer(callbacks=[acts.ActivationSwap({"relu": activation})]).test(
            fresh, loader(), ckpt_path=path, verbose=False
        )
        assert same(fresh, model)
        if model_class is not BuiltInHook:  # an optimizer needs the layers before the checkpoint brings them
            fresh = model_class()
            running = trainer(max_epochs=2, callbacks=[acts.ActivationSwap({"relu": activation})])
            running.fit(fresh, loader(), ckpt_path=path)
            assert type(fresh.net[1]) is type(model.net[1])

    def test_a_plain_checkpoint_is_swapped_after_the_hook(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        path = fit_and_save(trainer, BuiltInHook(early=True), tmp_path)
        for early in (False, True):
            fresh = BuiltInHook(early)
            swap = acts.ActivationSwap({"relu": "mish"})
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="the checkpoint comes from a model without")
                trainer(callbacks=[swap]).test(fresh, loader(), ckpt_path=path, verbose=False)
            assert type(fresh.net[1]) is nn.Mish and "on_load_checkpoint" in vars(fresh)

    def test_without_a_checkpoint_it_stops_before_any_work(self, trainer: MakeTrainer) -> None:
        class Bare(BuiltInHook):
            def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
                raise AssertionError("it worked")

        with pytest.raises(acts.SwapError, match="no site matches relu"):
            trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).test(Bare(), loader(), verbose=False)

    def test_a_checkpoint_of_another_swap_is_refused(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        path = fit_and_save(trainer, BuiltInSetup(), tmp_path, acts.ActivationSwap({"relu": "mish"}))
        with pytest.raises(acts.CheckpointError, match="swapped relu -> mish; this model is swapped relu -> elu"):
            trainer(callbacks=[acts.ActivationSwap({"relu": "elu"})]).test(BuiltInSetup(), loader(), ckpt_path=path)


class TestChains:
    CHAIN = [{"relu": "gelu"}, {"gelu": "mish"}]

    @pytest.mark.parametrize("chain", [CHAIN, [{"relu": "gelu"}, {"gelu": "relu"}, {"relu": "mish"}]])
    def test_every_stage_after_a_fit(self, trainer: MakeTrainer, chain: list[dict[str, str]], tmp_path: Path) -> None:
        model, swaps = Calls(), list(map(acts.ActivationSwap, chain))
        running = trainer(callbacks=swaps)
        running.fit(model, loader(), loader())
        mish = model.net[1]
        assert type(mish) is type(model.relu_0) is nn.Mish
        running.validate(model, loader(), verbose=False)
        running.save_checkpoint(tmp_path / "a.ckpt")
        loaded = acts.load_from_checkpoint(Calls, tmp_path / "a.ckpt")
        assert same(loaded, model)
        running.test(model, loader(), ckpt_path=tmp_path / "a.ckpt", verbose=False)
        trainer(callbacks=swaps).predict(model, loader())
        trainer(max_epochs=2, callbacks=list(map(acts.ActivationSwap, chain))).fit(
            model, loader(), ckpt_path=tmp_path / "a.ckpt"
        )
        assert model.net[1] is mish
        trainer(callbacks=list(map(acts.ActivationSwap, chain))).test(loaded, loader(), verbose=False)
        assert type(loaded.net[1]) is type(loaded.relu_0) is nn.Mish
        acts.restore(loaded)
        assert type(loaded.net[1]) is nn.ReLU

    def test_an_exchange_of_two_is_made_once_where_a_part_is_built_again(self, trainer: MakeTrainer) -> None:
        class Partly(Net):
            def build(self) -> None:
                super().build()
                self.head = nn.Sequential(nn.Linear(2, 2), nn.GELU())

            def setup(self, stage: str) -> None:
                self.head[1] = nn.GELU()  # type: ignore[assignment]

        model = Partly()
        running = trainer(callbacks=[acts.ActivationSwap({"relu": "gelu", "gelu": "relu"})])
        for _ in range(3):
            running.validate(model, loader(), verbose=False)
            assert type(model.net[1]) is nn.GELU and type(model.head[1]) is nn.ReLU


class Part(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x)


class Parted(Net):
    def build(self) -> None:
        super().build()
        self.part = Part()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.part(nn.functional.relu(x)))


class TestCompiled:
    @pytest.mark.parametrize("how", ["the whole", "its call", "a part"])
    def test_calls_in_the_forward_are_swapped(self, trainer: MakeTrainer, how: str) -> None:
        model: Any = Parted()
        given = model
        if how == "the whole":
            given = torch.compile(model, backend="eager")
        elif how == "its call":
            model.compile(backend="eager")
        else:
            model.part = torch.compile(model.part, backend="eager")
        callback = acts.ActivationSwap({"relu": "mish"})
        running = trainer(callbacks=[callback])
        running.fit(given, loader())
        assert callback.report is not None and len(callback.report.swapped) == 3
        predicted = torch.cat(running.predict(given, loader()))
        x, mish = torch.cat([batch[0] for batch in loader()]), nn.functional.mish
        torch.testing.assert_close(predicted, model.net[2](mish(model.net[0](mish(mish(x))))))
        trainer(callbacks=[acts.ActivationSwap({"mish": "silu"})]).validate(given, loader(), verbose=False)
        silu = nn.functional.silu
        torch.testing.assert_close(model(x), model.net[2](silu(model.net[0](silu(silu(x))))))

    def test_compiled_again_after_the_swap(self, trainer: MakeTrainer) -> None:
        model = Parted()
        given = torch.compile(model, backend="eager")
        trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).fit(given, loader())
        for name in ("forward", "training_step"):
            assert hasattr(vars(model)[name], "_torchdynamo_orig_callable")


class TestOptimizer:
    class Early(Net):
        def __init__(self) -> None:
            super().__init__()
            self.optimizer = torch.optim.SGD(self.parameters(), 0.1)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return self.optimizer

    def test_parameters_that_no_optimizer_has(self, trainer: MakeTrainer) -> None:
        model = self.Early()
        with pytest.warns(UserWarning, match="^net.1.weight: ActivationSwap brought.*no optimizer has them"):
            trainer(callbacks=[acts.ActivationSwap({"relu": "prelu"})]).fit(model, loader())
        assert model.net[1].weight.item() == 0.25

    @pytest.mark.parametrize(("model_class", "activation"), [(Early, "mish"), (Net, "prelu")])
    def test_nothing_is_said_otherwise(self, trainer: MakeTrainer, model_class: Any, activation: str) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer(callbacks=[acts.ActivationSwap({"relu": activation})]).fit(model_class(), loader())
        assert not [warning for warning in caught if "no optimizer has" in str(warning.message)]
