"""Which folders count as runs, and in which order."""

from pathlib import Path

from lightning_acts.runs.listing import run_paths


def made(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.yaml").touch()
    return path


def test_runs_of_one_config_and_of_all(tmp_path: Path) -> None:
    late, early, other = made(tmp_path / "b" / "2"), made(tmp_path / "b" / "1"), made(tmp_path / "a" / "9")
    assert run_paths(tmp_path, "b") == [early, late]
    assert run_paths(tmp_path) == [other, early, late]


def test_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    run = made(tmp_path / "a" / "1")
    made(tmp_path / "a" / ".2-unfinished")
    made(tmp_path / ".trash" / "1")
    (tmp_path / "a" / "3").mkdir()
    (tmp_path / "a" / "4").touch()
    assert run_paths(tmp_path) == [run]


def test_no_folder_holds_no_runs(tmp_path: Path) -> None:
    assert run_paths(tmp_path / "nowhere") == [] == run_paths(tmp_path, "nowhere")
