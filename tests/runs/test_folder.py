import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_acts.runs import folder as folders
from lightning_acts.runs.config import load
from lightning_acts.runs.folder import RunError, RunFolder


def test_each_run_has_a_folder_of_its_own(tmp_path: Path) -> None:
    config = load(["digits"])
    made = [folders.create_run(tmp_path, config, 3, "mish") for _ in range(3)]
    assert len({folder.path for folder in made}) == 3
    for folder in made:
        assert folder.path.parent.name == "digits"
        assert f"-mish-s3-{folders.digest(config)}" in folder.path.name
        assert folder.status() == "running"
        assert load([str(folder.config)]).data == config.data


def test_the_digest_is_that_of_the_config_but_for_the_seed() -> None:
    base = folders.digest(load(["digits"]))
    assert folders.digest(load(["digits"], ["seed=5"])) == base
    assert folders.digest(load(["digits"], ["data.batch_size=5"])) != base


def test_rows_of_metrics(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.rows() == []
    rows = [{"epoch": 0, "step": 5, "a": 0.1}, {"epoch": 1, "step": 10, "a": 1e-17, "val/b": float("nan")}]
    folder.write_rows(rows)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step,a,val/b\n0,5,0.1,\n1,10,1e-17,nan\n"
    again = folder.rows()
    assert again[0] == rows[0]
    assert str(again[1]) == str({"epoch": 1.0, "step": 10.0, "a": 1e-17, "val/b": float("nan")})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.set_status("running")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.set_status("finished")
    assert folder.status() == "running"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_place_that_is_full_or_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, words in ((28, "the disk is full"), (30, "it is not writable"), (13, "it is not writable")):

        def refused(*_: object, number: int = number, **__: object) -> None:
            raise OSError(number, "x", "runs")

        monkeypatch.setattr(Path, "mkdir", refused)
        with pytest.raises(RunError, match=words):
            folders.create_run(tmp_path, load(["digits"]), 0, "mish")


def test_the_lock_goes_with_its_process_even_if_a_worker_outlives_it(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from lightning_acts.runs.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).locked():\n"
        "    worker = os.fork()\n"
        "    if not worker: time.sleep(60)\n"
        "    print(worker, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        worker = int(holder.stdout.readline())
        try:
            with pytest.raises(RunError, match="in use"), RunFolder(tmp_path).locked():
                pass
            holder.kill()
            assert holder.wait() == -signal.SIGKILL
            with RunFolder(tmp_path).locked():
                pass
        finally:
            os.kill(worker, signal.SIGKILL)


def test_the_environment_is_plain_data() -> None:
    found = json.loads(json.dumps(folders.environment()))
    assert found["packages"]["torch"]
    assert found["python"]
