import itertools
import math
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import torch
from matplotlib.figure import Figure

from lightning_acts.reports import pictures


def test_activations_and_their_derivatives(tmp_path: Path, drawn: list[object]) -> None:
    path = pictures.plot_activations(["relu", "elu(alpha=0.5)"], tmp_path / "a.png")
    (figure,) = drawn
    value, slope, curvature = figure.axes  # type: ignore[attr-defined]
    assert [line.get_label() for line in value.get_lines()[:2]] == ["relu", "elu(alpha=0.5)"]
    x, y = value.get_lines()[1].get_data()
    assert y[0] == pytest.approx(0.5 * (torch.tensor(x[0]).exp().item() - 1))
    x, y = slope.get_lines()[0].get_data()
    assert (y[0], y[-1]) == (0, 1)
    x, y = curvature.get_lines()[1].get_data()  # of elu; torch gives relu's as none or as 0
    assert y[0] == pytest.approx(0.5 * torch.tensor(x[0]).exp().item())
    assert matplotlib.image.imread(path).std() > 0.01


def test_a_step_and_a_callers_module(tmp_path: Path, drawn: list[object]) -> None:
    module = torch.nn.PReLU()
    pictures.plot_activations([lambda x: (x > 0).to(x.dtype), module], tmp_path / "a.png")
    assert module.weight.dtype is torch.float32
    value, slope, _ = drawn[0].axes  # type: ignore[attr-defined]
    assert len(value.get_lines()) - len(slope.get_lines()) == 1


def finite(line: object) -> list[tuple[float, float]]:
    x, y = line.get_data()  # type: ignore[attr-defined]
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True) if a == a and b == b]


@pytest.mark.parametrize("activation", ["hardshrink", lambda x: x * (x.abs() > 0.5)])
def test_curves_leave_a_gap_where_the_function_jumps(activation: object, tmp_path: Path, drawn: list[object]) -> None:
    pictures.plot_activations([activation], tmp_path / "a.png")  # type: ignore[list-item]
    pictures.plot_comparison(
        *(pictures.curve_of(each, torch.linspace(-2, 2, 41, dtype=torch.float64)) for each in (activation, "relu")),  # type: ignore[arg-type]
        tmp_path / "b.png",
    )
    for figure in drawn:
        y = figure.axes[0].get_lines()[0].get_ydata()  # type: ignore[attr-defined]
        steps = [abs(after - before) for before, after in itertools.pairwise(y) if after == after and before == before]
        assert max(steps) < 0.11  # nothing leads from 0 to 0.5
        assert any(number != number for number in y)


def test_a_gap_in_the_derivative_at_a_kink(tmp_path: Path, drawn: list[object]) -> None:
    pictures.plot_activations(["relu"], tmp_path / "a.png")
    value, slope, _ = drawn[0].axes  # type: ignore[attr-defined]
    assert {y for _, y in finite(slope.get_lines()[0])} == {0.0, 1.0}
    assert any(y != y for y in slope.get_lines()[0].get_ydata()[1:-1])
    assert not any(y != y for y in value.get_lines()[0].get_ydata())


def test_a_pole_does_not_flatten_the_rest(tmp_path: Path, drawn: list[object]) -> None:
    pictures.plot_activations(["s_rrelu", "relu"], tmp_path / "a.png")
    low, high = drawn[0].axes[0].get_ylim()  # type: ignore[attr-defined]
    assert low < 0 < 5 < high < 100


def test_learning_curves(tmp_path: Path, drawn: list[object]) -> None:
    rows = [{"epoch": 0, "val/acc": 0.5}, {"epoch": 1, "val/acc": 0.75, "train/loss": 2.0}]
    pictures.plot_learning_curves({"relu": rows, "mish": []}, ["val/acc", "train/loss"], tmp_path / "b.svg")
    (figure,) = drawn
    accuracy, loss = figure.axes  # type: ignore[attr-defined]
    assert [list(values) for values in accuracy.get_lines()[0].get_data()] == [[1, 2], [0.5, 0.75]]
    assert [list(values) for values in loss.get_lines()[0].get_data()] == [[2], [2.0]]
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("values", "scale"),
    [((550.0, 0.01), "log"), ((2.0, 0.1), "linear"), ((5.0, 0.0), "linear"), ((5.0, -1e-3), "linear")],
)
def test_a_loss_that_falls_far_has_a_logarithmic_axis(
    values: tuple[float, float], scale: str, tmp_path: Path, drawn: list[object]
) -> None:
    rows = [{"epoch": epoch, "val/loss": value} for epoch, value in enumerate((*values, math.nan))]
    pictures.plot_learning_curves({"relu": rows}, ["val/loss"], tmp_path / "a.png")
    assert drawn[0].axes[0].get_yscale() == scale  # type: ignore[attr-defined]


@pytest.mark.parametrize("slash", ["/", "_"])
def test_train_and_val_of_one_metric_are_in_one_panel(slash: str, tmp_path: Path, drawn: list[object]) -> None:
    names = [f"val{slash}loss", f"val{slash}f1", f"train{slash}loss", "lr-AdamW", "trained"]
    rows = [{"epoch": epoch, **{name: float(number) for number, name in enumerate(names)}} for epoch in range(3)]
    pictures.plot_learning_curves({"mish": rows}, [*names, "never/logged"], tmp_path / "a.png")
    panels = {axes.get_title(): axes for axes in drawn[0].axes}  # type: ignore[attr-defined]
    assert list(panels) == ["loss", "f1", "lr-AdamW", "trained"]
    assert [line.get_ydata()[0] for line in panels["loss"].get_lines()] == [0, 2]
    assert len({line.get_linestyle() for line in panels["loss"].get_lines()}) == 2
    (legend,) = drawn[0].legends  # type: ignore[attr-defined]
    assert [text.get_text() for text in legend.get_texts()] == ["mish, val", "mish, train"]


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 150])
@pytest.mark.parametrize("first", [0, 4])
def test_ticks_are_whole_epochs(epochs: int, first: int, tmp_path: Path, drawn: list[object]) -> None:
    rows = [{"epoch": first + epoch, "val/acc": 0.5} for epoch in range(epochs)]
    pictures.plot_learning_curves({"relu": rows}, ["val/acc"], tmp_path / "a.png")
    (axes,) = drawn[0].axes  # type: ignore[attr-defined]
    low, high = axes.get_xlim()
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert shown
    assert all(tick == round(tick) for tick in shown)
    assert low < first + 1 and first + epochs < high


@pytest.mark.parametrize("count", [1, 2, 4, 5, 13])
def test_panels_stand_in_rows_that_a_page_holds(count: int, tmp_path: Path, drawn: list[object]) -> None:
    names = [f"metric_{number}" for number in range(count)]
    rows = [{"epoch": 0, **dict.fromkeys(names, 1.0)}]
    pictures.plot_learning_curves({"relu": rows}, names, tmp_path / "a.png")
    (figure,) = drawn
    assert len(figure.axes) == count  # type: ignore[attr-defined]
    assert figure.get_figwidth() <= 12  # type: ignore[attr-defined]


def test_runs_of_one_name_have_one_color(tmp_path: Path, drawn: list[object]) -> None:
    rows = [{"epoch": 0, "val/acc": 0.5}, {"epoch": 1, "val/acc": 0.75}]
    pictures.plot_learning_curves([("relu", rows), ("mish", rows), ("relu", rows)], ["val/acc"], tmp_path / "a.png")
    relu, mish, again = drawn[0].axes[0].get_lines()  # type: ignore[attr-defined]
    assert relu.get_color() == again.get_color() != mish.get_color()
    (legend,) = drawn[0].legends  # type: ignore[attr-defined]
    assert [text.get_text() for text in legend.get_texts()] == ["relu, val", "mish, val"]


def test_scores(tmp_path: Path, drawn: list[object]) -> None:
    groups = {"relu": {"test/acc": [0.5, 0.75], "test/f1": [0.25]}, "mish": {"test/acc": [1.0]}}
    pictures.plot_scores(groups, tmp_path / "a.png")
    accuracy, f1 = drawn[0].axes  # type: ignore[attr-defined]
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["relu", "mish"]
    points = [line.get_xydata().tolist() for line in accuracy.get_lines()]
    assert points == [[[0.5, 0.0], [0.75, 0.0]], [[0.625, 0.0]], [[1.0, 1.0]], [[1.0, 1.0]]]
    assert [line.get_xydata().tolist() for line in f1.get_lines()] == [[[0.25, 0.0]], [[0.25, 0.0]], []]


def test_confusion_matrices(tmp_path: Path, drawn: list[object]) -> None:
    matrix = torch.tensor([[3, 1], [0, 0]])
    pictures.plot_confusion_matrices({"relu": matrix, "mish": matrix}, tmp_path / "c.png", ["cat", "dog"])
    (figure,) = drawn
    *matrices, bar = figure.axes  # type: ignore[attr-defined]
    assert bar.get_ylabel() == "share of the true class"
    for axes, name in zip(matrices, ("relu", "mish"), strict=True):
        assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
        assert [text.get_text() for text in axes.texts] == ["3", "1", "", ""]
        assert axes.get_title() == f"{name}: accuracy 0.7500"
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            assert [label.get_text() for label in labels] == ["cat", "dog"]


@pytest.mark.parametrize("classes", [2, 10, 20, 30, 100, 1000])
def test_labels_of_classes_do_not_overlap(classes: int, tmp_path: Path, drawn: list[object]) -> None:
    names = [f"the class with the number {number}" for number in range(classes)]
    pictures.plot_confusion_matrices({"relu": torch.eye(classes)}, tmp_path / "c.png", names)
    figure = drawn[0]
    figure.draw_without_rendering()  # type: ignore[attr-defined]
    axes = figure.axes[0]  # type: ignore[attr-defined]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 >= below.y1 - 2 for above, below in itertools.pairwise(boxes))
    assert axes.get_yticklabels()[0].get_text() == "the class with the …"
    assert bool(axes.texts) == (classes <= 20)


def test_counts_that_are_shares_are_written_as_such(tmp_path: Path, drawn: list[object]) -> None:
    pictures.plot_confusion_matrices({"relu": torch.tensor([[0.75, 0.25], [0.5, 0.5]])}, tmp_path / "c.png", ["one"])
    axes = drawn[0].axes[0]  # type: ignore[attr-defined]
    assert [text.get_text() for text in axes.texts] == ["0.75", "0.25", "0.50", "0.50"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1"]  # one name for two classes


def test_parity(tmp_path: Path, drawn: list[object]) -> None:
    pairs = torch.tensor([[1.0, 2.0], [5.0, 4.0], [3.0, 3.0]])
    pictures.plot_parity({"relu": pairs}, tmp_path / "a.png", "price")
    value, rest = drawn[0].axes  # type: ignore[attr-defined]
    assert value.get_title() == "price"
    points, diagonal = value.get_lines()
    assert [list(values) for values in points.get_data()] == [[2, 4, 3], [1, 5, 3]]
    assert [list(values) for values in diagonal.get_data()] == [[2, 4], [2, 4]]
    assert list(rest.get_lines()[0].get_ydata()) == [-1, 1, 0]


def test_of_very_many_points_some_are_drawn(tmp_path: Path, drawn: list[object]) -> None:
    pictures.plot_parity({"relu": torch.randn(12_001, 2)}, tmp_path / "a.png")
    assert 4000 <= len(drawn[0].axes[0].get_lines()[0].get_xdata()) <= 5000  # type: ignore[attr-defined]


@pytest.mark.parametrize("channels", [1, 3])
def test_matches(channels: int, tmp_path: Path, drawn: list[object]) -> None:
    torch.manual_seed(0)
    pairs = [(torch.rand(channels, 8, 4), torch.rand(channels, 8, 4)) for _ in range(10)]
    probabilities, labels = torch.linspace(0.05, 0.95, 10), torch.arange(10) % 2
    pictures.plot_matches(pairs, probabilities, labels, tmp_path / "a.png", "halves")
    (figure,) = drawn
    assert len(figure.axes) == 10  # type: ignore[attr-defined]
    wrong = [axes.spines["left"].get_visible() for axes in figure.axes]  # type: ignore[attr-defined]
    assert wrong == [(probability > 0.5) != label for probability, label in zip(probabilities, labels, strict=True)]
    assert figure.get_suptitle().startswith("halves\nwhat is true, and the probability")  # type: ignore[attr-defined]
    assert figure.axes[1].get_title() == "same: 0.15"  # type: ignore[attr-defined]
    shown = torch.tensor(figure.axes[0].images[0].get_array().tolist())  # type: ignore[attr-defined]
    torch.testing.assert_close(shown[:, :4].reshape(8, 4, -1), pairs[0][0].expand(3, -1, -1).movedim(0, 2))
    torch.testing.assert_close(shown[:, -4:].reshape(8, 4, -1), pairs[0][1].expand(3, -1, -1).movedim(0, 2))


def test_pyplots_list_of_figures_stays_empty(tmp_path: Path) -> None:
    from matplotlib import pyplot

    pictures.plot_activations(["relu"], tmp_path / "a.png")
    assert pyplot.get_fignums() == []


def test_a_suffix_under_which_no_picture_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a.pgn: a picture is a file .*\.png.*; did you mean 'png'"):
        pictures.plot_activations(["relu"], tmp_path / "a.pgn")
    assert not list(tmp_path.iterdir())


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curves.png"
    path.write_text("before")

    def failing(self: Figure, target: Path, **options: Any) -> None:
        target.write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setattr(Figure, "savefig", failing)
    with pytest.raises(OSError, match="the disk is full"):
        pictures.plot_activations(["mish"], path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_rows_of_images(tmp_path: Path, drawn: list[object]) -> None:
    images = torch.rand(3, 1, 4, 4)
    pictures.plot_image_rows({"image": images, "reconstruction": images[:2] + 5}, tmp_path / "a.png", "mish")
    figure: Any = drawn[0]
    assert figure.get_suptitle() == "mish"
    assert [axes.get_ylabel() for axes in figure.axes] == ["image", "", "", "reconstruction", "", ""]
    shown = figure.axes[1].images[0]
    torch.testing.assert_close(torch.tensor(shown.get_array()).float(), images[1, 0])
    assert shown.get_clim() == (0, 1)
    assert figure.axes[3].images[0].get_array().max() == 1  # cut off, not scaled
    assert not figure.axes[5].images


def test_a_sheet_of_images(tmp_path: Path, drawn: list[object]) -> None:
    images = torch.rand(5, 3, 4, 6)
    pictures.plot_image_sheet(images, tmp_path / "a.png", "samples")
    figure: Any = drawn[0]
    (axes,) = figure.axes
    sheet = torch.tensor(axes.images[0].get_array()).float()
    assert sheet.shape == (9, 20, 3)
    torch.testing.assert_close(sheet[5:, 7:13].movedim(-1, 0), images[4])
    assert (sheet[5:, 14:] == 1).all() and (sheet[4] == 1).all()


def test_segmentations(tmp_path: Path, drawn: list[object]) -> None:
    truth = torch.tensor([[[0, 1], [1, -1]], [[0, 0], [0, 0]]])
    predicted = torch.tensor([[[0, 1], [2, 2]], [[0, 0], [0, 0]]])
    names = ["background", "cat", "dog", "bird"]
    pictures.plot_segmentations(torch.rand(2, 3, 2, 2), truth, predicted, tmp_path / "a.png", names, "relu")
    figure: Any = drawn[0]
    assert [axes.get_ylabel() for axes in figure.axes] == ["image", "", "truth", "", "prediction", ""]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["background", "cat", "dog"]
    masks = [figure.axes[index].images[0] for index in (2, 4)]
    assert masks[0].get_array().mask.tolist() == [
        [False, False],
        [False, True],
    ]  # nothing is drawn where there is no truth
    assert masks[1].get_array().tolist() == predicted[0].tolist()
    assert masks[0].get_clim() == masks[1].get_clim() == (-0.5, 3.5)
    colors = [patch.get_facecolor() for patch in legend.get_patches()]
    assert colors == [masks[0].cmap(masks[0].norm(number)) for number in range(3)]
    assert len(set(pictures._class_colors(21))) == 21


@pytest.mark.parametrize(
    ("shape", "names", "panels"), [((20, 1), (), 2), ((4, 6, 3), (), 4), ((4, 6, 1), ("x", "t"), 6)]
)
def test_a_field_beside_the_truth(
    shape: tuple[int, ...], names: tuple[str, ...], panels: int, tmp_path: Path, drawn: list[object]
) -> None:
    truth = torch.linspace(-1, 1, 20 if len(shape) == 2 else 4 * 6 * shape[-1]).reshape(shape)
    axes = [torch.linspace(0, end, size) for end, size in zip((2, 3), shape[:-1], strict=False)]
    coordinates = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    pictures.plot_field(truth + 0.25, truth, tmp_path / "a.png", "sine", coordinates, names)
    panes = drawn[0].axes  # type: ignore[attr-defined]
    assert len(panes) == panels
    error = panes[1].get_lines()[0].get_ydata() if len(shape) == 2 else panes[2].images[0].get_array().flatten()
    assert list(error) == pytest.approx([0.25] * len(error), abs=1e-6)
    if names:
        assert (panes[0].get_xlabel(), panes[0].get_ylabel()) == ("x", "t")
        assert panes[0].images[0].get_extent() == [0, 2, 0, 3]
        assert panes[0].images[0].get_array().tolist() == truth[..., 0].T.tolist()
