"""Modules of the user's, by their name and by their file."""

import sys
from pathlib import Path

import pytest

from lightning_acts.runs.importing import import_from_here, import_named
from lightning_acts.runs.reading import ConfigError


@pytest.fixture(autouse=True)
def _as_it_was(own_modules: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path) != Path.cwd()])


def test_a_file_brings_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "of_a_test"
    folder.mkdir()
    (folder / "neighbor_of_a_test.py").write_text("value = 3")
    (folder / "own_of_a_test.py").write_text("from neighbor_of_a_test import value")
    import_named("of_a_test/own_of_a_test.py")
    assert sys.modules["own_of_a_test"].value == 3


def test_a_name_is_looked_up_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "package_of_a_test").mkdir()
    (tmp_path / "package_of_a_test" / "own.py").write_text("value = 4")
    import_named("package_of_a_test.own")
    assert sys.modules["package_of_a_test.own"].value == 4


def test_the_current_folder_is_added_once() -> None:
    import_from_here()
    import_from_here()
    assert sys.path.count(str(Path.cwd())) == 1 and sys.path[0] == str(Path.cwd())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("owm.py", "^--import owm.py: there is no such file$"),
        ("owm_of_a_test", "^--import owm_of_a_test: there is no module 'owm_of_a_test'$"),
        ("lightning_acts.owm.part", "^--import lightning_acts.owm.part: there is no module 'lightning_acts.owm'$"),
    ],
)
def test_what_is_not_there_is_said(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        import_named(given)


def test_errors_of_the_module_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "faulty_of_a_test.py").write_text("1 / 0")
    (tmp_path / "lacking_of_a_test.py").write_text("import no_such_package_of_a_test")
    with pytest.raises(ZeroDivisionError):
        import_named("faulty_of_a_test")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_of_a_test"):
        import_named("lacking_of_a_test")
