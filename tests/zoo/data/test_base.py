from collections import Counter
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import TensorDataset

from lightning_acts.zoo.data.base import ZooData, check_fractions, split


class Numbers(ZooData):
    read = 0

    def parts(self) -> dict[str, TensorDataset]:
        self.read += 1
        x = torch.arange(10)
        return {"train": TensorDataset(x[:7]), "val": TensorDataset(x[7:9]), "test": TensorDataset(x[9:])}


def test_the_parts_are_read_once() -> None:
    data = Numbers(batch_size=2)
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    assert data.read == 1
    assert [x.tolist() for (x,) in data.val_dataloader()] == [[7, 8]]
    assert (
        [x.tolist() for (x,) in data.test_dataloader()] == [x.tolist() for (x,) in data.predict_dataloader()] == [[9]]
    )


def test_a_last_smaller_batch_is_dropped_unless_it_is_all_there_is() -> None:
    for batch_size, batches in ((2, 3), (7, 1), (8, 1)):
        data = Numbers(batch_size=batch_size)
        data.setup()
        assert len(list(data.train_dataloader())) == batches


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"num_workers": -1}])
def test_mistakes(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"Numbers\((batch_size=0\): at least 1|num_workers=-1\): at least 0)"):
        Numbers(**options)


def test_fractions_leave_something_for_training() -> None:
    check_fractions("Numbers", val_fraction=0.5, test_fraction=0.4)
    for val, test in ((0.5, 0.5), (0.0, 0.1), (0.1, -0.1)):
        with pytest.raises(ValueError, match=rf"Numbers\(val_fraction={val}, test_fraction={test}\): each above 0"):
            check_fractions("Numbers", val_fraction=val, test_fraction=test)


def test_each_part_has_its_share_of_each_class() -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 20
    parts = split(100, 0.2, 0.3, seed=1, labels=labels)
    assert sorted(index for part in parts.values() for index in part) == list(range(100))
    counts = {part: Counter(labels[index] for index in members) for part, members in parts.items()}
    assert counts == {"train": {0: 25, 1: 15, 2: 10}, "val": {0: 10, 1: 6, 2: 4}, "test": {0: 15, 1: 9, 2: 6}}
    assert split(100, 0.2, 0.3, seed=1, labels=labels) == parts != split(100, 0.2, 0.3, seed=2, labels=labels)


def test_without_a_test_part() -> None:
    parts = split(10, 0.2, 0.0, seed=0)
    assert (len(parts["train"]), len(parts["val"]), parts["test"]) == (8, 2, [])


def test_a_class_too_small_to_split() -> None:
    with pytest.raises(ValueError, match="test_fraction=0.3 of 10: The least populated class"):
        split(10, 0.2, 0.3, seed=0, labels=[0] * 9 + [1])


class Sized(Numbers):
    def __init__(self, batch_size: int = 2, width: int = 3) -> None:
        super().__init__(batch_size)
        self.save_hyperparameters()


class Wide(L.LightningModule):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch: Any, batch_idx: int) -> None:
        return None

    def configure_optimizers(self) -> None:
        return None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_arguments_are_kept_but_not_logged_beside_those_of_a_model(tmp_path: Path) -> None:
    data = Sized(width=4)
    assert data.hparams == {"batch_size": 2, "width": 4}
    logger = CSVLogger(tmp_path)
    L.Trainer(
        accelerator="cpu", logger=logger, max_epochs=1, limit_val_batches=0, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(Wide(width=5), data)  # fmt: skip
    assert logger.experiment.hparams == {"width": 5}
