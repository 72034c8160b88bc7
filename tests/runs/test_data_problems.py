"""What is wrong with data is told before a run has a folder."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lightning_acts.runs import training
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load
from lightning_acts.runs.reading import ConfigError
from lightning_acts.zoo import TableFile

CONFIG = """\
base: base/by_val_loss
model:
  _target_: lightning_acts.zoo.TabularClassifier
  in_features: 2
  num_classes: 2
data:
  _target_: lightning_acts.zoo.TableFile
  path: table.csv
  target: kind
trainer: {max_epochs: 1, accelerator: cpu, limit_train_batches: 1}
"""
ROWS = ["size,weight,kind", *(f"{number % 7},{number % 5},{'cat' if number % 2 else 'dog'}" for number in range(40))]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "_tensorboard", lambda *_: [])
    monkeypatch.setattr(training, "_draw", lambda *_: None)
    Path("mine.yaml").write_text(CONFIG)
    Path("table.csv").write_text("\n".join(ROWS))


def train(*overrides: str) -> list[Any]:
    started: list[Any] = []
    training.train(check_config(load(["mine.yaml"], overrides)), Path("runs"), started.append)
    return started


def refused(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        train(*overrides)
    assert not Path("runs").exists()
    with pytest.raises(ConfigError) as dry:
        training.dry_run(check_config(load(["mine.yaml"], overrides)))
    assert str(dry.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",3,dog", "mine.yaml:6: data: table.csv lacks values in 1 row, by column: size (1)"),
        ("inf,3,dog", "mine.yaml:6: data: table.csv: column 'size' holds 1 infinity"),
        ("1,3,dog,4", "mine.yaml:6: data: table.csv can't be read: Error tokenizing data"),
        ("small,3,dog", "mine.yaml:6: data: table.csv: column 'size' holds numbers, and 1 row of text: 'small'"),
        ("1,3,cow", "mine.yaml:6: data: TableFile: classes of fewer than 3 samples"),
    ],
)
def test_a_table(row: str, message: str) -> None:
    Path("table.csv").write_text("\n".join([*ROWS, row]))
    assert refused().startswith(message)


def test_sizes_that_are_not_the_models() -> None:
    assert refused("model.num_classes=3").startswith(
        "command line: model.num_classes=3: model: TabularClassifier(num_classes=3): TableFile has num_classes=2"
    )


def test_a_damaged_image() -> None:
    for name in ("cats", "dogs"):
        Path("images", name).mkdir(parents=True)
        for number in range(9):
            Image.new("RGB", (8, 8), (number, number, number)).save(Path("images", name, f"{number}.png"))
    Path("images/cats/3.png").write_bytes(b"no image")
    Path("mine.yaml").write_text(
        "base: images/cnn_digits\nmodel: {num_classes: 2, in_channels: 3}\n"
        "data: {_target_: lightning_acts.zoo.ImageFolder, folder: images, image_size: 8}\n"
    )
    assert refused().startswith("mine.yaml:3: data: images/cats/3.png can't be read as an image")


def test_data_are_read_once_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    table = TableFile.table
    monkeypatch.setattr(TableFile, "table", lambda self: read.append("") or table(self))
    assert len(train()) == 1
    assert len(read) == 1


def test_only_the_first_process_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others would fetch the same files at the same time."""
    checked = check_config(load(["mine.yaml"]))
    calls: list[str] = []
    monkeypatch.setattr(TableFile, "check", lambda self: calls.append(""))
    for first in (True, False):
        monkeypatch.setattr(training, "is_main", lambda first=first: first)
        training._build(checked, [])
    assert len(calls) == 1
