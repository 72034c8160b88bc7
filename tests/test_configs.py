"""The configs that ship: each runs, and gives what its head comment says."""

from pathlib import Path

import pytest

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load, named
from lightning_acts.runs.shipped import read_head

CONFIGS = named()
MEASURED = [name for name, path in CONFIGS.items() if read_head(path).expected]
pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")]


def missing_data(error: BaseException | None) -> bool:
    """Whether somebody's data are not on this machine, which has no network."""
    return error is not None and (isinstance(error, FileNotFoundError) or missing_data(error.__cause__))


def test_names_are_unique_without_their_folders() -> None:
    assert len({path.stem for path in CONFIGS.values()}) == len(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_one_batch_of_each_stage_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = read_head(CONFIGS[name])
    try:
        said = training.dry_run(check_config(load([name], [*head.laptop, "trainer.accelerator=cpu"])))
    except Exception as error:
        if missing_data(error):
            pytest.skip(str(error))
        raise
    assert "one batch of each stage ran" in said
    assert not list(tmp_path.glob("runs"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_a_run_gives_what_the_head_comment_says(name: str, tmp_path: Path) -> None:
    expected = read_head(CONFIGS[name]).expected
    assert expected is not None
    checked = check_config(load([name], ["trainer.accelerator=cpu", "trainer.devices=1"]))
    try:
        result = training.train(checked, tmp_path, lambda folder: None)
    except Exception as error:
        if missing_data(error):
            pytest.skip(str(error))
        raise
    low, high = expected.band
    assert low <= result.metrics[expected.metric] <= high
    assert list(result.folder.plots.glob("*.png"))
