import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models import Net, loader
from package import L
from torch import Tensor, nn

import lightning_acts as acts

MakeTrainer = Callable[..., Any]


@pytest.fixture(params=["mish", "prelu"])
def swapped_run(request: pytest.FixtureRequest, trainer: MakeTrainer, tmp_path: Path) -> tuple[Net, Path]:
    return fitted(trainer, tmp_path, request.param)


def fitted(trainer: MakeTrainer, folder: Path, activation: str | None, model: Net | None = None) -> tuple[Net, Path]:
    model = model or Net(hidden=12)
    running = trainer(callbacks=[acts.ActivationSwap({"relu": activation})] if activation else [])
    running.fit(model, loader())
    running.save_checkpoint(folder / "saved.ckpt")
    return model, folder / "saved.ckpt"


def same(one: nn.Module, other: nn.Module) -> bool:
    x = next(iter(loader()))[0]
    return torch.equal(one.eval()(x), other.eval()(x))


def test_comes_back_swapped(swapped_run: tuple[Net, Path]) -> None:
    model, path = swapped_run
    loaded = acts.load_from_checkpoint(Net, path)
    assert type(loaded) is Net and type(loaded.net[1]) is type(model.net[1]) and same(loaded, model)
    assert loaded.hparams["hidden"] == 12
    acts.restore(loaded)
    assert type(loaded.net[1]) is nn.ReLU


def test_from_a_string_an_open_file_and_with_arguments(swapped_run: tuple[Net, Path]) -> None:
    model, path = swapped_run
    assert same(acts.load_from_checkpoint(Net, str(path), map_location="cpu"), model)
    assert same(acts.load_from_checkpoint(Net, io.BytesIO(path.read_bytes())), model)
    assert same(acts.load_from_checkpoint(Net, path, late=True), model)


def test_a_plain_strict_load_stops_with_words_that_name_ours(swapped_run: tuple[Net, Path]) -> None:
    with pytest.raises(RuntimeError, match="lightning_acts.load_from_checkpoint"):
        Net.load_from_checkpoint(swapped_run[1])


def test_a_trainer_without_the_callback_stops_too(swapped_run: tuple[Net, Path], trainer: MakeTrainer) -> None:
    with pytest.raises(RuntimeError, match="the callback lightning_acts.ActivationSwap"):
        trainer().test(Net(hidden=12), loader(), ckpt_path=swapped_run[1])


def test_a_trainer_with_another_swap_stops(swapped_run: tuple[Net, Path], trainer: MakeTrainer) -> None:
    with pytest.raises(acts.CheckpointError, match="swapped relu -> (mish|prelu); this model is swapped relu -> elu"):
        trainer(callbacks=[acts.ActivationSwap({"relu": "elu"})]).test(
            Net(hidden=12), loader(), ckpt_path=swapped_run[1]
        )


def test_the_plan_is_plain_strings(swapped_run: tuple[Net, Path]) -> None:
    model, path = swapped_run
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["lightning_acts"]["plans"][0]["sites"] == [
        {"paths": ["net.1"], "original": "relu", "replacement": str(acts.spec_of(model.net[1]))}
    ]
    assert not any("lightning_acts" in name for name in model.state_dict())


def test_resuming_equals_an_uninterrupted_run(trainer: MakeTrainer, tmp_path: Path) -> None:
    results = []
    for parts in ([4], [2, 4]):
        L.seed_everything(7, verbose=False)
        path = None
        for epochs in parts:
            model = Net()
            running = trainer(max_epochs=epochs, callbacks=[acts.ActivationSwap({"relu": "prelu"})])
            running.fit(model, loader(), ckpt_path=path)
            path = tmp_path / f"{epochs}.ckpt"
            running.save_checkpoint(path)
        results.append(model.state_dict())
    assert all(torch.equal(value, results[1][name]) for name, value in results[0].items())


def test_weights_only_checkpoints_carry_the_swap(trainer: MakeTrainer, tmp_path: Path) -> None:
    model = Net()
    running = trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
    running.fit(model, loader())
    running.save_checkpoint(tmp_path / "weights.ckpt", weights_only=True)
    assert same(acts.load_from_checkpoint(Net, tmp_path / "weights.ckpt"), model)


def test_a_loaded_model_goes_on_carrying_its_swap(
    swapped_run: tuple[Net, Path], trainer: MakeTrainer, tmp_path: Path
) -> None:
    loaded = acts.load_from_checkpoint(Net, swapped_run[1])
    running = trainer(max_epochs=2)
    running.fit(loaded, loader())
    running.save_checkpoint(tmp_path / "further.ckpt")
    assert same(acts.load_from_checkpoint(Net, tmp_path / "further.ckpt"), loaded)


def test_copies_and_pickles_carry_it_on_their_own(swapped_run: tuple[Net, Path]) -> None:
    loaded = acts.load_from_checkpoint(Net, swapped_run[1])
    for other in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        acts.restore(other)
        checkpoint = {"state_dict": other.state_dict()}
        other.on_save_checkpoint(checkpoint)
        assert "lightning_acts" not in checkpoint
        assert type(loaded.net[1]) is not nn.ReLU


def test_a_restored_model_saves_plainly(trainer: MakeTrainer, tmp_path: Path) -> None:
    model, _ = fitted(trainer, tmp_path, "mish")
    acts.restore(model)
    running = trainer()
    running.strategy.connect(model)
    running.save_checkpoint(tmp_path / "plain.ckpt")
    assert type(Net.load_from_checkpoint(tmp_path / "plain.ckpt").net[1]) is nn.ReLU


def test_a_checkpoint_without_a_swap_loads_as_ever(trainer: MakeTrainer, tmp_path: Path) -> None:
    model, path = fitted(trainer, tmp_path, None)
    loaded = acts.load_from_checkpoint(Net, path)
    assert type(loaded.net[1]) is nn.ReLU and same(loaded, model)
    with pytest.warns(UserWarning, match="from a model without swapped activations"):
        trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).test(
            Net(hidden=12), loader(), ckpt_path=path, verbose=False
        )


class Hooked(Net):
    """A model with hooks of its own."""

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        checkpoint["mine"] = 5

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        assert type(self) is Hooked
        assert not any("lightning_acts" in name for name in checkpoint["state_dict"])  # type: ignore[attr-defined]
        self.mine = checkpoint["mine"]


def test_the_models_own_hooks_run(trainer: MakeTrainer, tmp_path: Path) -> None:
    _, path = fitted(trainer, tmp_path, "mish", Hooked())
    assert acts.load_from_checkpoint(Hooked, path).mine == 5
    again = Hooked()
    trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})]).test(again, loader(), ckpt_path=path, verbose=False)
    assert again.mine == 5


class Wider(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class TestBadCheckpoints:
    def test_of_another_model(self, swapped_run: tuple[Net, Path]) -> None:
        with pytest.raises(acts.CheckpointError, match="saved.ckpt does not fit Wider.*another model"):
            acts.load_from_checkpoint(Wider, swapped_run[1])

    def test_of_another_size(self, swapped_run: tuple[Net, Path]) -> None:
        with pytest.raises(acts.CheckpointError, match="saved.ckpt does not fit Net(?s:.*)size mismatch"):
            acts.load_from_checkpoint(Net, swapped_run[1], hidden=13)

    def test_of_another_model_without_a_swap(self, trainer: MakeTrainer, tmp_path: Path) -> None:
        _, path = fitted(trainer, tmp_path, None)
        with pytest.raises(acts.CheckpointError, match="does not fit Wider; was it saved by another model"):
            acts.load_from_checkpoint(Wider, path)

    @pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
    def test_truncated(self, swapped_run: tuple[Net, Path], kept: float) -> None:
        _, path = swapped_run
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
        with pytest.raises(acts.CheckpointError, match="saved.ckpt can't be read: it is truncated, or no checkpoint"):
            acts.load_from_checkpoint(Net, path)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="none.ckpt"):
            acts.load_from_checkpoint(Net, tmp_path / "none.ckpt")

    def test_not_of_lightning(self, tmp_path: Path) -> None:
        torch.save({"weights": torch.ones(2)}, tmp_path / "other.ckpt")
        with pytest.raises(acts.CheckpointError, match="not a Lightning checkpoint"):
            acts.load_from_checkpoint(Net, tmp_path / "other.ckpt")

    def test_errors_of_the_model_are_its_own(self, swapped_run: tuple[Net, Path]) -> None:
        class Failing(Net):
            def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
                raise RuntimeError("no state_dict is wanted")

        with pytest.raises(RuntimeError, match="no state_dict is wanted") as caught:
            acts.load_from_checkpoint(Failing, swapped_run[1])
        assert not isinstance(caught.value, acts.CheckpointError)

    def test_with_code_in_it(self, swapped_run: tuple[Net, Path]) -> None:
        _, path = swapped_run
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["module"] = nn.Mish()
        torch.save(checkpoint, path)
        with pytest.raises(acts.CheckpointError, match="holds objects other than tensors and plain data"):
            acts.load_from_checkpoint(Net, path)

    def test_with_a_plan_of_a_newer_version(self, swapped_run: tuple[Net, Path]) -> None:
        _, path = swapped_run
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["lightning_acts"]["plans"][0]["version"] = 99
        torch.save(checkpoint, path)
        with pytest.raises(acts.CheckpointError, match="has version 99.*upgrade"):
            acts.load_from_checkpoint(Net, path)

    def test_with_an_activation_that_is_not_registered_here(self, swapped_run: tuple[Net, Path]) -> None:
        _, path = swapped_run
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["lightning_acts"]["plans"][0]["sites"][0]["replacement"] = "my_own_act"
        torch.save(checkpoint, path)
        with pytest.raises(acts.CheckpointError, match="'my_own_act'.*registers it imported"):
            acts.load_from_checkpoint(Net, path)

    @pytest.mark.parametrize("entry", [None, {}, {"plans": 3}])
    def test_with_a_damaged_entry(self, swapped_run: tuple[Net, Path], entry: object) -> None:
        _, path = swapped_run
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["lightning_acts"] = entry
        torch.save(checkpoint, path)
        with pytest.raises(acts.CheckpointError, match="saved.ckpt"):
            acts.load_from_checkpoint(Net, path)


def test_a_swap_of_ones_own_is_kept_when_asked_for(trainer: MakeTrainer, tmp_path: Path) -> None:
    model = Net(hidden=12)
    acts.swap(model, {"relu": "mish"})
    acts.keep_swaps(model)
    _, path = fitted(trainer, tmp_path, None, model)
    assert same(acts.load_from_checkpoint(Net, path), model)


class Rebuilt(Net):
    """Builds a part anew in every stage."""

    def setup(self, stage: str) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(self.net, nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)) if stage == "fit" else self.net
        if stage != "fit":
            self.net[2] = nn.ReLU()


def test_a_part_that_is_built_anew_is_swapped_anew(trainer: MakeTrainer, tmp_path: Path) -> None:
    model = Rebuilt(hidden=12)
    running = trainer(callbacks=[acts.ActivationSwap({"relu": "mish"})])
    running.fit(model, loader())
    running.save_checkpoint(tmp_path / "a.ckpt")
    running.test(model, loader(), ckpt_path=tmp_path / "a.ckpt", verbose=False)
    assert type(model.net[2]) is nn.Mish
    assert type(model.net[0][1]) is nn.Mish


def test_objects_in_a_trusted_checkpoint(swapped_run: tuple[Net, Path]) -> None:
    model, path = swapped_run
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["extra"] = nn.Mish()
    torch.save(checkpoint, path)
    with pytest.raises(acts.CheckpointError, match="weights_only=False trusts it"):
        acts.load_from_checkpoint(Net, path)
    assert same(acts.load_from_checkpoint(Net, path, weights_only=False), model)


def test_a_guard_of_an_earlier_version_is_known(swapped_run: tuple[Net, Path], trainer: MakeTrainer) -> None:
    model, path = swapped_run
    checkpoint = torch.load(path, weights_only=True)
    (guard,) = (name for name in checkpoint["state_dict"] if name.startswith("activations were swapped: "))
    del checkpoint["state_dict"][guard]
    earlier = "activations were swapped: load this checkpoint with lightning_acts.load_from_checkpoint, or else"
    checkpoint["state_dict"][earlier] = torch.empty(0)
    torch.save(checkpoint, path)
    assert same(acts.load_from_checkpoint(Net, path), model)
    running = trainer(callbacks=[acts.ActivationSwap({"relu": acts.spec_of(model.net[1])})])
    running.test(Net(hidden=12), loader(), ckpt_path=path, verbose=False)
    with pytest.raises(RuntimeError, match="lightning_acts.load_from_checkpoint"):
        Net.load_from_checkpoint(path)
