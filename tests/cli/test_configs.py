import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from lightning_acts.runs import config as configs

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_cp_never_overwrites(tmp_path: Path, run: Run) -> None:
    run("cp", "digits")
    assert (tmp_path / "digits.yaml").read_text() == configs.find_config("digits").read_text()
    (tmp_path / "digits.yaml").write_text("mine")
    assert "not overwritten" in run("cp", "digits", expect=2).stderr
    assert (tmp_path / "digits.yaml").read_text() == "mine"
    assert "can't be written" in run("cp", "digits", "nowhere/x.yaml", expect=2).stderr


def test_cat_shows_origins_and_reads_back(tmp_path: Path, run: Run) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.yaml").write_text("seed: 7\ntrainer: {max_epochs: 3}\n")
    done = run("cat", "digits", "mine", "trainer.max_epochs=5", "--config-dir", "own")
    assert "max_epochs: 5" in done.stdout
    assert "# command line: trainer.max_epochs=5" in done.stdout
    assert "# own/mine.yaml:1" in done.stdout
    loaded = configs.load(["digits"])
    assert yaml.safe_load(configs.with_comments(loaded)) == loaded.data


@pytest.mark.parametrize("name", configs.named())
def test_every_config_that_ships_is_valid_and_says_what_it_is(name: str, run: Run) -> None:
    assert configs.first_comment(configs.named()[name])
    assert "all is well" in run("validate", name).stdout
    schema = json.loads(run("cat", "--schema").stdout)
    jsonschema.validate(configs.load([name]).data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"trainer": {"max_epoch": 1}}, schema)
