"""Data that processes load: the batches of each data module are those without them, from the middle of an epoch too."""

from typing import Any

import pytest
import torch
from lightning_utilities.core.apply_func import apply_to_collection
from small_runs import RUNS, small_run
from torch import Tensor

#: A run for each data module.
NAMES = list({run[2]: name for name, run in RUNS.items()}.values())


def epoch(name: str, workers: int, skipped: int = 0, context: str = "fork") -> list[Any]:
    _, data = small_run(name, 4, {"train": 13, "val": 2, "test": 2})
    data.num_workers = workers
    loader: Any = data.train_dataloader()
    if workers:
        loader.multiprocessing_context = context
    if skipped:
        loader.load_state_dict({"epoch": 0, "given": skipped, "processes": 1})
    # Those of workers lie in memory that goes with them.
    return [apply_to_collection(batch, Tensor, torch.clone) for batch in loader]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_batches_are_those_without_workers(name: str) -> None:
    whole = epoch(name, 0)
    assert len(whole) == 3
    torch.testing.assert_close(epoch(name, 2), whole, rtol=0, atol=0)
    torch.testing.assert_close(epoch(name, 2, skipped=2), whole[2:], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ImageSegmenter", "LanguageModel", "TabularClassifier logits", "ImplicitField"])
def test_workers_may_be_spawned(name: str) -> None:
    torch.testing.assert_close(epoch(name, 1, skipped=1, context="spawn"), epoch(name, 0)[1:], rtol=0, atol=0)
