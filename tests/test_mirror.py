"""Tests mirror the source tree: each file has its test file, but for those that are listed with the reason."""

from pathlib import Path

import pytest

import lightning_acts

ROOT = Path(lightning_acts.__file__).parents[1]
#: Tests that run over the whole registry: accuracy, behavior, deployment, parameters.
FAMILIES = {
    path.relative_to(ROOT / "lightning_acts").as_posix() for path in (ROOT / "lightning_acts/activations").glob("*.py")
}
#: What these do is tested where it is used, file by file.
THROUGH_OTHERS = {
    "callbacks/first_batches.py": "callbacks/test_activation_swap.py",
    "cli/arguments.py": "cli/test_models.py",
    "cli/showing.py": "cli/test_activations.py",
    "runs/console.py": "runs/test_training.py",
    "runs/process.py": "runs/test_pausing.py",
    "runs/targets.py": "runs/test_checking.py",
    "runs/trainer.py": "runs/test_corpus.py",
    "runs/worker.py": "runs/test_variants.py",
    "surgery/checkpoints.py": "callbacks/test_kept_swaps.py",
    "surgery/exchanging/installing.py": "surgery/test_history.py",
    "surgery/finding/located.py": "surgery/finding/test_sites.py",
    "surgery/finding/observing.py": "surgery/finding/test_sites.py",
    "surgery/naming.py": "surgery/test_swapping.py",
    "surgery/recognizing/calls.py": "surgery/test_spellings.py",
    "surgery/recognizing/expressions.py": "surgery/recognizing/test_formulas.py",
    "surgery/rewriting/classes.py": "surgery/test_odd_models.py",
    "surgery/roles/usage.py": "surgery/test_agreement.py",
    "surgery/route.py": "surgery/test_plan.py",
}


def sources() -> list[tuple[str, str]]:
    """Files of the package and of the zoo, each with where its tests belong."""
    found = []
    for folder, tests in ((ROOT / "lightning_acts", ""), (ROOT / "zoo", "zoo/")):
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder).as_posix()
            if not name.rpartition("/")[2].startswith("__") and not name.startswith(("zoo/", "configs/")):
                parent, _, file = name.rpartition("/")
                found.append((name, f"{tests}{parent}/test_{file}".replace("//", "/").lstrip("/")))
    return found


@pytest.mark.parametrize(("source", "test"), sources())
def test_each_file_has_its_tests(source: str, test: str) -> None:
    if source in FAMILIES:
        return
    assert (ROOT / "tests" / test).exists() is (source not in THROUGH_OTHERS)


@pytest.mark.parametrize("test", sorted(set(THROUGH_OTHERS.values())))
def test_the_files_that_test_others_are_there(test: str) -> None:
    assert (ROOT / "tests" / test).exists()
