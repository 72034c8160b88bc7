"""The size of a fit that is told beforehand is that which the fit has."""

import math
from pathlib import Path
from typing import Any

import pytest
from test_scheduled_swaps import BATCHES, Net, loader, trainer

from lightning_acts.callbacks.loops import size_from, size_of


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_grad_batches": 3},
        {"max_steps": 5},
        {"epochs": -1, "max_steps": 6, "accumulate_grad_batches": 2},
    ],
    ids=str,
)
def test_is_what_a_fit_makes(options: dict[str, Any], tmp_path: Path) -> None:
    fit = trainer(tmp_path, **{"epochs": 2, **options})
    fit.fit(Net(), loader())
    steps, epochs = size_of(fit)
    assert epochs is not None
    assert fit.global_step == steps * epochs
    accumulated = options.get("accumulate_grad_batches", 1)
    assert steps == -(-BATCHES // accumulated)
    assert size_from(BATCHES, accumulated, fit.max_epochs or -1, fit.max_steps) == (steps, epochs)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((math.inf, 2, 3, -1), (math.inf, 3.0)),
        ((math.inf, 2, -1, 100), (math.inf, None)),
        ((8, 2, -1, -1), (4.0, None)),
        ((0, 2, 3, -1), (1.0, 3.0)),
    ],
)
def test_what_nobody_knows(size: tuple[Any, ...], expected: tuple[float, float | None]) -> None:
    assert size_from(*size) == expected
