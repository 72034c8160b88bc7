from pathlib import Path

import pandas
import pytest

from lightning_acts.zoo.data.column_file import ColumnFile


@pytest.fixture
def file() -> ColumnFile:
    pandas.DataFrame({"a": [1, None, 3], "b": ["x", "y", "x"]}).to_csv("a.csv")  # with an index
    return ColumnFile("Mine", "a.csv")


def test_names_are_known_before_rows_are_read(file: ColumnFile) -> None:
    Path("b.csv").write_text("a,b\n1,2\n1,2,3\n")
    assert file.names == ColumnFile("Mine", "b.csv").names == ["a", "b"]
    with pytest.raises(ValueError, match="b.csv can't be read"):
        ColumnFile("Mine", "b.csv").read(["a"])


def test_rows_that_lack_values(file: ColumnFile) -> None:
    with pytest.raises(ValueError, match=r"a.csv lacks values in 1 row, by column: a \(1\). Mend it."):
        file.read(["a", "b"], advice="Mend it.")
    assert file.read(["a", "b"], "drop").values.tolist() == [[1, "x"], [3, "x"]]
    assert file.read(["a", "b"], "keep")["a"].isna().tolist() == [False, True, False]
    assert file.read(["b"])["b"].tolist() == ["x", "y", "x"]


def test_classes_are_numbered_in_their_order(file: ColumnFile) -> None:
    numbers, names = file.classes(pandas.Series([10, 9, 10]))
    assert (numbers.tolist(), names) == ([1, 0, 1], ["9", "10"])
    with pytest.raises(ValueError, match="holds 40 different values in 40 rows: too many for classes; ask again"):
        file.classes(pandas.Series(range(40)), "; ask again")


def test_names_are_looked_for_among_others(file: ColumnFile) -> None:
    file.check("text", ["b"])
    with pytest.raises(ValueError, match=r"Mine\(text='c'\): a.csv has no such column.*Its columns: a, b"):
        file.check("text", ["c"])
    with pytest.raises(ValueError, match=r"Mine\(text='b'\)"):
        file.check("text", ["b"], among=["a"])
