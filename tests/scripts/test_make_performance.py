import make_performance


def test_the_tables_of_the_page_are_current() -> None:
    found = make_performance.PAGE.read_text(encoding="utf-8")
    assert found == make_performance.page(), "docs/performance.md is out of date: run scripts/make_performance.py"
    for made in make_performance.parts().values():
        assert made in found and made.count("\n| ") > 5


def test_the_picture_is_there() -> None:
    assert (make_performance.DOCS / "images" / "performance.png").read_bytes().startswith(b"\x89PNG")
    assert "images/performance.png" in make_performance.PAGE.read_text(encoding="utf-8")
