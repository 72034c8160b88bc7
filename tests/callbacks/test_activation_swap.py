import copy
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Calls, CallsByName, Net, loader
from package import L
from torch import Tensor, nn

import lightning_acts as acts

MakeTrainer = Callable[..., Any]


@pytest.mark.parametrize("late", [False, True], ids=["in the constructor", "in configure_model"])
class TestEveryStage:
    def test_fit_trains_the_replacement(self, trainer: MakeTrainer, late: bool) -> None:
        model = Net(late=late)
        running = trainer(max_epochs=2, callbacks=[acts.ActivationSwap({"relu": "prelu"})])
        running.fit(model, loader(), loader())
        assert type(model.net[1]) is nn.PReLU
        weight = model.net[1].weight
        assert weight.item() != 0.25
        assert any(weight is p for group in running.optimizers[0].param_groups for p in group["params"])

    @pytest.mark.parametrize("stage", ["validate", "test", "predict"])
    def test_other_stages(self, trainer: MakeTrainer, late: bool, stage: str) -> None:
        model = Net(late=late)
        results = getattr(trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]), stage)(model, loader())
        assert type(model.net[1]) is nn.Mish
        if stage == "predict":
            expected = torch.cat([model.net(batch[0]) for batch in loader()])
            torch.testing.assert_close(torch.cat(results), expected)

    def test_run_twice_it_swaps_once(self, trainer: MakeTrainer, late: bool) -> None:
        model = Net(late=late)
        running = trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
        running.fit(model, loader(), loader())
        mish = model.net[1]
        running.test(model, loader(), verbose=False)
        trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).test(model, loader(), verbose=False)
        assert model.net[1] is mish
        acts.restore(model)
        assert type(model.net[1]) is nn.ReLU

    def test_nothing_stays_behind_but_the_swap(self, trainer: MakeTrainer, late: bool) -> None:
        model = Net(late=late)
        trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).test(model, loader(), verbose=False)
        assert "configure_model" not in vars(model)
        other = Net(late=late)
        trainer().test(other, loader(), verbose=False)
        assert type(other.net[1]) is nn.ReLU


def test_equal_to_the_bit_to_a_model_written_so(trainer: MakeTrainer) -> None:
    class Written(Net):
        def build(self) -> None:
            super().build()
            self.net[1] = nn.Mish()

    results = []
    for model_class, callbacks in ((Written, []), (Net, [acts.ActivationSwap({"relu": "mish"})])):
        L.seed_everything(1, verbose=False)
        model = model_class()
        trainer(max_epochs=2, callbacks=callbacks).fit(model, loader(), loader())
        results.append(model.state_dict())
    assert results[0].keys() == results[1].keys()
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_says_once_what_was_swapped(trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("lightning_acts.callbacks.activation_swap.rank_zero_info", said.append)
    running = trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
    model = Net()
    running.fit(model, loader(), loader())
    running.test(model, loader(), verbose=False)
    assert said == ["ActivationSwap swapped relu -> mish at 1 site; nothing else"]


class TestFunctionsInForwards:
    @pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
    def test_the_first_batch_shows_them_once(self, trainer: MakeTrainer, stage: str) -> None:
        running = trainer(max_epochs=2, callbacks=[acts.ActivationSwap({"relu": "mish"})])
        with pytest.warns(UserWarning, match="did not swap") as caught:
            getattr(running, stage)(CallsByName(), loader())
        messages = [str(warning.message) for warning in caught if "did not swap" in str(warning.message)]
        assert len(messages) == 1
        assert "1 call that only a batch has shown" in messages[0]
        assert "relu/0 (" in messages[0] and "models.py:" in messages[0]

    def test_those_that_the_source_shows_are_swapped(self, trainer: MakeTrainer) -> None:
        model = Calls()
        trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).fit(model, loader())
        assert type(model.net[1]) is type(model.relu_0) is nn.Mish

    def test_the_models_own_example_shows_them_before(self, trainer: MakeTrainer) -> None:
        model = CallsByName()
        model.example_input_array = torch.randn(2, 8)
        callback = acts.ActivationSwap({"relu": "mish"})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings(
                "ignore", message=".*(num_workers|logging interval|ModelCheckpoint|litlogger|treespec).*"
            )
            trainer(callbacks=[callback]).predict(model, loader())
        assert callback.report is not None
        assert [entry.path for entry in callback.report.swapped] == ["net.1", "relu_0"] and not callback.report.left

    def test_a_model_of_hidden_functions_alone_stops_before_training(self, trainer: MakeTrainer) -> None:
        model = CallsByName()
        model.net[1] = nn.Identity()
        with pytest.raises(acts.SwapError, match="no site matches relu.*example_input"):
            trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).fit(model, loader())

    def test_a_compiled_model_is_not_watched(self, trainer: MakeTrainer) -> None:
        model = CallsByName()
        acts.swap(model, {"relu": "silu"})
        model.net = torch.compile(model.net, backend="eager", fullgraph=True)  # type: ignore[assignment]
        trainer(callbacks=[acts.ActivationSwap({"silu": "mish"})]).predict(model, loader())
        assert type(model.net._orig_mod[1]) is nn.Mish  # type: ignore[union-attr, index]

    def test_an_error_in_the_first_batch_leaves_no_mode_behind(self, trainer: MakeTrainer) -> None:
        class Failing(Net):
            def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                raise KeyError("in the step")

        callback = acts.ActivationSwap({"relu": "mish"})
        with pytest.raises(KeyError):
            trainer(callbacks=[callback]).fit(Failing(), loader())
        assert torch.overrides._get_current_function_mode() is None


def test_two_callbacks(trainer: MakeTrainer) -> None:
    model = Net()
    swaps = [acts.ActivationSwap({"relu": "mish"}), acts.ActivationSwap({"mish": "silu"})]
    trainer(callbacks=swaps).test(model, loader(), verbose=False)
    assert type(model.net[1]) is nn.SiLU and "configure_model" not in vars(model)


def test_two_parts_of_a_model_may_get_the_same_activation(trainer: MakeTrainer, tmp_path: Path) -> None:
    def swaps() -> list[acts.ActivationSwap]:
        return [acts.ActivationSwap({"relu": "prelu"}, include=[part]) for part in ("net.1", "net.4")]

    class Deep(Net):
        def __init__(self) -> None:
            super().__init__()
            self.net.extend([nn.Linear(self.net[-1].out_features, 8), nn.ReLU()])  # type: ignore[arg-type]

    made = trainer(callbacks=swaps())  # Lightning refuses callbacks whose states have one name
    made.fit(Deep(), loader())
    made.save_checkpoint(tmp_path / "m.ckpt")
    assert len(torch.load(tmp_path / "m.ckpt", weights_only=True)["callbacks"]) >= 2
    model = acts.load_from_checkpoint(Deep, tmp_path / "m.ckpt")
    assert type(model.net[1]) is type(model.net[4]) is nn.PReLU


class Reused(Net):
    def __init__(self) -> None:
        super().__init__()
        self.net.append(self.net[1])


def test_one_instance_for_each_place_comes_back_from_a_checkpoint(trainer: MakeTrainer, tmp_path: Path) -> None:
    model, made = Reused(), trainer(callbacks=[acts.ActivationSwap({"relu": "prelu"}, share="place")])
    made.fit(model, loader())
    assert type(model.net[1]) is type(model.net[-1]) is nn.PReLU and model.net[1] is not model.net[-1]
    made.save_checkpoint(tmp_path / "m.ckpt")
    again = acts.load_from_checkpoint(Reused, tmp_path / "m.ckpt")
    x = torch.randn(3, 8)
    assert again.net[1] is not again.net[-1] and torch.equal(again.net(x), model.net(x))


class TestPerChannel:
    def test_needs_an_example(self, trainer: MakeTrainer) -> None:
        model = Net()
        with pytest.raises(acts.SwapError, match="net.1.weight.*example_input_array"):
            trainer(callbacks=[acts.ActivationSwap({"relu": "prelu(per=channel)"})]).fit(model, loader())
        assert type(model.net[1]) is nn.ReLU

    def test_with_one(self, trainer: MakeTrainer) -> None:
        model = Net()
        model.example_input_array = torch.randn(2, 8)
        trainer(callbacks=[acts.ActivationSwap({"relu": "prelu(per=channel)"})]).fit(model, loader())
        assert model.net[1].weight.shape == (16,) and (model.net[1].weight != 0.25).any()


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"map": {"relu": "mishh"}}, acts.SpecError, "did you mean 'mish'"),
            ({"map": {"relu": "glu"}}, acts.SwapError, "changes the shape"),
            ({"map": {}}, acts.SwapError, "empty"),
            ({"map": {"relu": "mish"}, "role": "hiden"}, acts.SwapError, "did you mean 'hidden'"),
            ({"map": {"relu": torch.sinc}}, acts.SwapError, "not registered"),
            ({"map": {"relu": "mish"}, "share": "calls"}, acts.SwapError, "did you mean 'call'"),
            ({"map": {"relu": "mish"}, "write_back": "no"}, acts.SwapError, "write_back='no': True or False"),
        ],
    )
    def test_are_checked_at_once(self, arguments: Any, error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            acts.ActivationSwap(**arguments)

    def test_limits(self, trainer: MakeTrainer) -> None:
        model = Net()
        callback = acts.ActivationSwap(
            {"relu": {"name": "elu", "alpha": 0.5}}, include=["net.*"], exclude="*.5", role=["hidden", "gate"]
        )
        trainer(callbacks=[callback]).test(model, loader(), verbose=False)
        assert repr(model.net[1]) == "ELU(alpha=0.5)"

    def test_copies_and_pickles(self) -> None:
        callback = acts.ActivationSwap({"relu": "mish"})
        assert copy.deepcopy(callback).request == callback.request
        assert pickle.loads(pickle.dumps(callback)).request == callback.request


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    script = """
        from package import L; import torch, lightning_acts as acts
        from models import Net, loader
        if __name__ == "__main__":
            L.seed_everything(3, verbose=False)
            model = Net(late=True)
            trainer = L.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
                                default_root_dir="out", enable_progress_bar=False, enable_model_summary=False,
                                callbacks=[acts.ActivationSwap({"relu": "prelu"})])
            trainer.fit(model, loader())
            weights = trainer.strategy.all_gather(model.net[1].weight.detach())
            assert type(model.net[1]).__name__ == "PReLU" and weights.shape[0] == 2
            assert torch.equal(weights[0], weights[1]) and weights[0].item() != 0.25, weights
            trainer.test(model, loader(), ckpt_path="best", verbose=False)
            if trainer.is_global_zero:
                loaded = acts.load_from_checkpoint(Net, trainer.checkpoint_callback.best_model_path)
                assert torch.equal(loaded.net[1].weight, weights[0].view(-1))
                print("ALL WELL")
            torch.distributed.destroy_process_group()
    """
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ALL WELL") == 1
    assert (done.stderr + done.stdout).count("ActivationSwap swapped relu -> prelu at 1 site") == 1


@pytest.mark.slow
def test_lightning_cli(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        textwrap.dedent("""
        trainer:
          max_epochs: 1
          accelerator: cpu
          enable_progress_bar: false
          logger: false
          callbacks:
            - class_path: lightning_acts.ActivationSwap
              init_args:
                map: {relu: "leaky_relu(negative_slope=0.3)"}
                exclude: ["head.*"]
            - class_path: PACKAGE.callbacks.ModelCheckpoint
              init_args: {dirpath: out, filename: best}
        model:
          class_path: models.Net
          init_args: {hidden: 24}
        """).replace("PACKAGE", L.__name__)
    )
    script = """
        import lightning_acts as acts
        from package import L
        LightningModule, LightningCLI = L.LightningModule, __import__(L.__name__ + ".cli", fromlist=["x"]).LightningCLI
        from models import Net, loader
        class Data(L.LightningDataModule):
            def train_dataloader(self): return loader()
            def val_dataloader(self): return loader()
        if __name__ == "__main__":
            cli = LightningCLI(LightningModule, Data, subclass_mode_model=True, args=["fit", "--config", "my.yaml"])
            assert repr(cli.model.net[1]) == "LeakyReLU(negative_slope=0.3)"
            for cls in (Net, LightningModule):
                loaded = acts.load_from_checkpoint(cls, "out/best.ckpt")
                assert type(loaded) is Net, type(loaded)
                assert repr(loaded.net[1]) == "LeakyReLU(negative_slope=0.3)" and loaded.hparams["hidden"] == 24
            plain = LightningCLI(Net, Data, args=["fit", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.logger=false",
                "--trainer.callbacks=lightning_acts.ActivationSwap", "--trainer.callbacks.map={relu: mish}", "--model.hidden=12",
                "--trainer.default_root_dir=plain", "--trainer.enable_progress_bar=false"])
            loaded = acts.load_from_checkpoint(Net, plain.trainer.checkpoint_callback.best_model_path)
            assert type(loaded) is Net and repr(loaded.net[1]) == "Mish()" and loaded.hparams["hidden"] == 12
            print("ALL WELL")
    """
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ALL WELL" in done.stdout


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    models = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": models}
    return subprocess.run(
        [sys.executable, str(path)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


class Plain(Net):
    """Built whole in its constructor, as most models are."""

    setup = L.LightningModule.setup
    configure_model = L.LightningModule.configure_model


@pytest.mark.parametrize(
    "averaging",
    [L.callbacks.StochasticWeightAveraging(0.01, swa_epoch_start=1), L.callbacks.EMAWeightAveraging()],
    ids=["SWA", "EMA"],
)
def test_averages_of_weights(trainer: MakeTrainer, averaging: Any) -> None:
    model = Plain()
    callbacks = [acts.ActivationSwap({"relu": "prelu"}), averaging]
    trainer(max_epochs=3, callbacks=callbacks).fit(model, loader(), loader())
    assert type(model.net[1]) is nn.PReLU and model.net[1].weight.item() != 0.25
    with pytest.raises(acts.SwapError, match="put ActivationSwap before"):
        trainer(callbacks=callbacks[::-1]).fit(Plain(), loader(), loader())


class Prepares(Plain):
    """Overrides hooks, and builds nothing there."""

    def setup(self, stage: str) -> None:
        self.prepared = True

    def configure_model(self) -> None:
        self.prepared = True


class BuildsLater(Prepares):
    def configure_model(self) -> None:
        self.more = nn.Sequential(nn.Linear(4, 4), nn.ReLU())


def test_averages_of_weights_where_hooks_are_overridden(trainer: MakeTrainer) -> None:
    def callbacks() -> list[Any]:
        return [acts.ActivationSwap({"relu": "mish"}), L.callbacks.StochasticWeightAveraging(0.01, swa_epoch_start=1)]

    model = Prepares()
    trainer(max_epochs=3, callbacks=callbacks()).fit(model, loader(), loader())
    assert type(model.net[1]) is nn.Mish
    with pytest.raises(acts.SwapError, match="the model is copied before"):
        trainer(max_epochs=3, callbacks=callbacks()).fit(BuildsLater(), loader(), loader())


def test_best_checkpoint_of_the_run(trainer: MakeTrainer, tmp_path: Path) -> None:
    model = Net()
    keep = L.callbacks.ModelCheckpoint(dirpath=tmp_path, monitor="val_loss", save_last=True)
    running = trainer(max_epochs=2, enable_checkpointing=True, callbacks=[acts.ActivationSwap({"relu": "mish"}), keep])
    running.fit(model, loader(), loader())
    (result,) = running.test(model, loader(), ckpt_path="best", verbose=False)
    assert result["test_loss"] == pytest.approx(keep.best_model_score.item(), abs=1e-6)
