"""Each model of the zoo in each precision that a CPU offers: trained, validated, tested; results are those of float32."""

import functools
import math
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from small_runs import RUNS, small_run
from trainers import quiet

#: Metrics that a small change of outputs changes little.
SMOOTH = ("loss", "mse", "mae", "psnr", "reconstruction", "kl", "perplexity", "relative_error")


def half_mixed() -> dict[str, Any]:
    """Asked by name, Lightning takes bfloat16 on a CPU. The usual first scale of losses would leave out all steps here."""
    return {"plugins": [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=8.0))]}


PRECISIONS = {
    "bf16-mixed": {"precision": "bf16-mixed"},
    "16-mixed": None,
    "bf16-true": {"precision": "bf16-true"},
    "16-true": {"precision": "16-true"},
    "64-true": {"precision": "64-true"},
}


def results(name: str, **options: Any) -> dict[str, float]:
    model, data = small_run(name, 12, {"train": 24, "val": 13, "test": 13})
    trainer = quiet(max_epochs=1, **options)
    trainer.fit(model, data)
    measured = {key: value.item() for key, value in trainer.callback_metrics.items()}
    (tested,) = trainer.test(model, data, verbose=False)
    predicted: Any = trainer.predict(model, data)
    assert all(batch.isfinite().all() for batch in predicted)
    return {**measured, **tested}


@functools.cache
def in_single(name: str) -> dict[str, float]:
    return results(name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", RUNS)
def test_results_are_those_of_single_precision(name: str, precision: str) -> None:
    found, expected = results(name, **(PRECISIONS[precision] or half_mixed())), in_single(name)
    assert set(found) == set(expected)
    assert all(map(math.isfinite, found.values()))
    smooth = [key for key in expected if key.endswith(SMOOTH)]
    assert smooth
    # Two derivatives of a field in 8 bits are a few percent off.
    tolerance = 0.06 if precision == "bf16-true" else 0.02
    for key in smooth:
        assert found[key] == pytest.approx(expected[key], rel=tolerance, abs=0.02), key
