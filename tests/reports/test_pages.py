from pathlib import Path

from lightning_acts.reports.pages import GENERATOR, is_ours


def test_a_page_of_ours_is_known_by_its_head(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(f"<head>{GENERATOR}</head>")
    assert is_ours(page)
    page.write_text("<head></head>" + " " * 2000 + GENERATOR)
    assert not is_ours(page)
    assert not is_ours(tmp_path)
