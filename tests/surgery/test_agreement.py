"""Roles without an example beside those with one: each difference stands in ``role_differences.txt`` with its reason.

``python tests/surgery/test_agreement.py [NAME ...]`` writes the lines of all models, or of some, again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from model_collection import COLLECTION
from odd_models import CASES
from test_coverage import SAMPLE

import lightning_acts as acts

TABLE = Path(__file__).with_name("role_differences.txt")


def _differences(name: str) -> Iterator[str]:
    """Lines of the table: model, path, the roles without and with an example, and why it is another one without."""
    torch.manual_seed(0)
    if name.startswith("odd:"):
        case = CASES[name.removeprefix("odd:")]
        model, example = case.make(), case.inputs()
    else:
        entry = COLLECTION[name]
        model, example = entry.make(), entry.example()
    without, with_one = ({site.path: site for site in acts.find(model, given)} for given in (None, example))
    for path in without.keys() & with_one.keys():
        one, other = without[path], with_one[path]
        if one.role != other.role and other.calls != 0:
            yield f"{name} | {path} | {one.role} | {other.role} | {one.reason}"


def _listed(name: str) -> set[str]:
    return {line for line in TABLE.read_text().splitlines() if line.startswith(f"{name} | ")}


@pytest.mark.parametrize("name", [f"odd:{name}" for name in CASES])
def test_odd_models_have_the_roles_that_a_run_shows(name: str) -> None:
    try:
        found = set(_differences(name))
    except acts.SwapError as error:
        pytest.skip(str(error))
    assert found == _listed(name)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_the_collection(name: str) -> None:
    assert set(_differences(name)) == _listed(name)


@pytest.mark.sweep
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", [name for name in COLLECTION if name not in SAMPLE])
def test_the_collection(name: str) -> None:
    new = set(_differences(name)) - _listed(name)
    # What is left in doubt without a run is left, and so is what both leave; what would be swapped on a guess is not allowed.
    assert all(_is_in_doubt(line) or _is_left_by_both(line) for line in new), new


def _is_in_doubt(line: str) -> bool:
    _, _, without, _, reason = line.split(" | ")
    return without != "hidden" and "in doubt" in reason


def _is_left_by_both(line: str) -> bool:
    _, _, without, with_one, _ = line.split(" | ")
    return "hidden" not in (without, with_one)


def test_what_differs_is_in_doubt_without_a_run() -> None:
    for line in TABLE.read_text().splitlines():
        assert _is_in_doubt(line), f"{line}: swapped on a guess"


if __name__ == "__main__":
    names = sys.argv[1:] or [*(f"odd:{name}" for name in CASES), *COLLECTION]
    kept = [line for line in TABLE.read_text().splitlines() if line.partition(" | ")[0] not in names]
    for one in names:
        try:
            kept += _differences(one)
        except Exception as error:
            print(one, type(error).__name__, error, file=sys.stderr)
    TABLE.write_text("".join(f"{line}\n" for line in sorted(kept)))
