import re
from pathlib import Path

import pytest

import lightning_acts as acts

DOCS = Path(acts.__file__).parents[1] / "docs"
GUIDES = "\n".join(path.read_text() for path in DOCS.glob("*.md") if path.name != "api.md")


@pytest.mark.parametrize("name", [*acts._EXPORTS, "functional"])
def test_every_public_name_is_in_a_guide(name: str) -> None:
    assert re.search(rf"\bacts\.{name}\b", GUIDES)


def test_there_are_about_thirty() -> None:
    assert len(acts._EXPORTS) <= 33
