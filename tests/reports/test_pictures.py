from pathlib import Path

import matplotlib.image
import pytest
import torch

from lightning_acts.reports import pictures


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every figure that is saved, so that a test can ask what was drawn."""
    figures: list[object] = []
    save = pictures._save
    monkeypatch.setattr(pictures, "_save", lambda figure, path: figures.append(figure) or save(figure, path))
    return figures


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


def test_learning_curves(tmp_path: Path, drawn: list[object]) -> None:
    rows = [{"epoch": 0, "val/acc": 0.5}, {"epoch": 1, "val/acc": 0.75, "train/loss": 2.0}]
    pictures.plot_learning_curves({"relu": rows, "mish": []}, ["val/acc", "train/loss"], tmp_path / "b.svg")
    (figure,) = drawn
    accuracy, loss = figure.axes  # type: ignore[attr-defined]
    assert [list(values) for values in accuracy.get_lines()[0].get_data()] == [[1, 2], [0.5, 0.75]]
    assert [list(values) for values in loss.get_lines()[0].get_data()] == [[2], [2.0]]
    assert (tmp_path / "b.svg").read_text().startswith("<?xml")


def test_confusion_matrices(tmp_path: Path, drawn: list[object]) -> None:
    matrix = torch.tensor([[3, 1], [0, 0]])
    pictures.plot_confusion_matrices({"relu": matrix, "mish": matrix}, tmp_path / "c.png")
    (figure,) = drawn
    for axes in figure.axes:  # type: ignore[attr-defined]
        assert axes.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
        assert [text.get_text() for text in axes.texts] == ["3", "1", "", ""]


def test_pyplots_list_of_figures_stays_empty(tmp_path: Path) -> None:
    from matplotlib import pyplot

    pictures.plot_activations(["relu"], tmp_path / "a.png")
    assert pyplot.get_fignums() == []
