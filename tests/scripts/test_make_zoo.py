import re

import lightning as L
import make_zoo
import pytest

from lightning_acts import zoo
from lightning_acts.runs.config import named

PAGE = make_zoo.CONFIGS.read_text(encoding="utf-8")


def test_the_page_of_the_zoo_is_current() -> None:
    found = make_zoo.ZOO.read_text(encoding="utf-8")
    assert found == make_zoo.zoo_page(), "docs/zoo.md is out of date: run scripts/make_zoo.py"
    headings = re.findall(r"^### (\w+)$", found, re.MULTILINE)
    bases = (L.LightningModule, L.LightningDataModule)
    assert set(headings) == {name for name in zoo.__all__ if issubclass(getattr(zoo, name), bases)}


@pytest.mark.parametrize("name", named())
def test_the_row_of_each_config_is_current(name: str) -> None:
    row = make_zoo.config_row(name, named()[name], "MEMORY")
    # Memory depends on the machine.
    assert re.search(re.escape(row).replace("MEMORY", r"\d+\.\d GB"), PAGE), "run scripts/make_zoo.py"


def test_no_other_config_is_on_the_page() -> None:
    assert len(re.findall(r"^\| \[`", PAGE, re.MULTILINE)) == len(named())


def test_sections_of_a_docstring() -> None:
    text = "A net.\n\nIt says :class:`~a.b.C` and ``x``.\n\nArgs:\n    x: Number.\n\nShape:\n    ``(N)`` to\n    ``(M)``.\n"
    found = make_zoo.docstring_sections(text)
    assert found == {"": "A net.\n\nIt says `C` and `x`.", "Args": "x: Number.", "Shape": "`(N)` to `(M)`."}
