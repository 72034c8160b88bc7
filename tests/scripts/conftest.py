import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lightning_acts

SCRIPTS = Path(lightning_acts.__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))  # scripts import each other as they do when they are started


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Check that a benchmark's main refuses arguments with certain words, and has written nothing."""

    def check(main: Callable[[list[str]], None], arguments: list[str], words: str) -> None:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--output", str(tmp_path / "new")])
        assert left.value.code == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / "new").exists()

    return check
