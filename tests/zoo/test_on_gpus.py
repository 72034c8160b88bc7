"""Models of the zoo on CUDA: each for a batch in bfloat16, and on two GPUs as on one."""

from pathlib import Path

import pytest
import torch
from small_runs import RUNS, small_run
from trainers import on_one_and_two_processes, quiet

#: With "cpu" the tests run where there is no GPU.
ACCELERATOR = "gpu"
_COUNT = torch.cuda.device_count() if ACCELERATOR == "gpu" else 2
pytestmark = [
    *([pytest.mark.gpu] if ACCELERATOR == "gpu" else []),
    pytest.mark.skipif(_COUNT < 1, reason="needs a GPU"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.mark.parametrize("name", RUNS)
def test_a_batch_of_each_stage_in_bfloat16(name: str) -> None:
    model, data = small_run(name, 12, {"train": 12, "val": 12, "test": 12})
    trainer = quiet(accelerator=ACCELERATOR, devices=1, precision="bf16-mixed", max_epochs=1)
    trainer.fit(model, data)
    assert all(value.isfinite() for value in trainer.callback_metrics.values())
    (tested,) = trainer.test(model, data, verbose=False)
    assert all(torch.tensor(value).isfinite() for value in tested.values())
    model.cpu()
    (alone,) = quiet().test(model, data, verbose=False)
    losses = [key for key in tested if key.endswith("loss")]
    for key in losses:
        assert tested[key] == pytest.approx(alone[key], rel=0.03, abs=0.03), key


@pytest.mark.skipif(_COUNT < 2, reason="needs two GPUs")
def test_two_are_as_one(tmp_path: Path) -> None:
    body = f"""
import test_two_processes
def measure(trainer):
    return test_two_processes.measure(trainer, accelerator={ACCELERATOR!r})
"""
    one, two = on_one_and_two_processes(body, tmp_path, timeout=580)
    for name in RUNS:
        assert two[name]["equal"], name
        assert two[name]["metrics"] == pytest.approx(one[name]["metrics"], rel=1e-3, abs=1e-3), name
