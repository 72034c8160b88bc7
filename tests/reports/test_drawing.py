from pathlib import Path

import pytest

from lightning_acts.reports import drawing


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (3, 1), (4, 2), (5, 2)])
def test_panels_stand_in_rows(count: int, rows: int) -> None:
    figure, panels = drawing.panels(count, 4.0, 3.0)
    assert len(panels) == len(figure.axes) == count
    assert figure.get_figheight() == 3.0 * rows


def test_a_legend_has_each_label_once() -> None:
    figure, panels = drawing.panels(2, 4.0, 3.0)
    for axes in panels:
        drawing.line(axes, [0, 1], [0, 1], "relu", 0)
    drawing.line(panels[1], [0, 1], [1, 0], "mish", 1)
    drawing.legend(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["relu", "mish"]


def test_lines_of_one_number_look_alike_and_others_do_not() -> None:
    _, (axes,) = drawing.panels(1, 4.0, 3.0)
    for index in (0, 1, 0):
        drawing.line(axes, [0, 1], [0, 1], "x", index)
    first, second, again = axes.get_lines()
    assert first.get_color() == again.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_a_picture_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    figure = drawing.new_figure(2, 2)
    with pytest.raises(ValueError, match=r"a\.pgn: a picture is a file .*did you mean 'png'"):
        drawing.save(figure, tmp_path / "a.pgn")
    assert drawing.save(figure, tmp_path / "new" / "a.png").is_file()


def test_long_names_are_shortened() -> None:
    assert drawing.shortened("relu") == "relu"
    assert drawing.shortened("leaky_relu(negative_slope=0.25)", 10) == "leaky_rel…"
