import random
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from lightning_acts.zoo import TableFile


@pytest.fixture
def frame() -> pandas.DataFrame:
    draw = random.Random(0)
    rows = 60
    return pandas.DataFrame(
        {
            "age": [draw.randint(20, 80) for _ in range(rows)],
            "city": [draw.choice(["Rome", "Oslo", "Bern"]) for _ in range(rows)],
            "code": [draw.choice([7, 9]) for _ in range(rows)],
            "member": [draw.random() > 0.5 for _ in range(rows)],
            "price": [draw.uniform(1, 9) for _ in range(rows)],
            "kind": ["dog", "cat", "cat"] * (rows // 3),
        }
    )


def written(frame: pandas.DataFrame, name: str = "a.csv", **options: object) -> str:
    if name.endswith(".parquet"):
        frame.to_parquet(name, **options)  # type: ignore[call-overload]
    else:
        frame.to_csv(name, **{"index": False, **options})  # type: ignore[arg-type]
    return name


def tensors(data: TableFile) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    data.setup()
    return {name: part.tensors for name, part in data._parts.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.csv", {}),
        ("a.csv.gz", {}),
        ("a.tsv", {"sep": "\t"}),
        ("a.parquet", {}),
        ("b.csv", {"index": True}),
    ],
)
def test_csv_and_parquet_hold_the_same(frame: pandas.DataFrame, name: str, options: dict[str, object]) -> None:
    data = TableFile(written(frame, name, **options), target="kind", categorical=["code"])
    found = tensors(data)
    assert data.feature_names == ["age", "city=Bern", "city=Oslo", "city=Rome", "code=7", "code=9", "member", "price"]
    assert data.class_names == ["cat", "dog"]
    ages = torch.cat([rows[:, 0] for rows, _ in found.values()])
    cities = torch.cat([rows[:, 1:4] for rows, _ in found.values()])
    kinds = torch.cat([labels for _, labels in found.values()])
    # Ages are put in order by their standardized values, so that rows can be told.
    order = np.argsort(frame["age"], kind="stable")
    assert torch.equal(ages.sort().values, ages[torch.argsort(ages)])
    assert np.corrcoef(ages.sort().values, frame["age"].to_numpy()[order])[0, 1] == pytest.approx(1)
    assert cities.sum(dim=0).tolist() == [(frame["city"] == city).sum() for city in ("Bern", "Oslo", "Rome")]
    assert kinds.bincount().tolist() == [40, 20]
    train = found["train"][0]
    torch.testing.assert_close(train[:, 0].mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(train[:, 0].std(correction=0), torch.tensor(1.0))


def test_regression_and_chosen_columns(frame: pandas.DataFrame) -> None:
    data = TableFile(written(frame), target="price", task="regression", columns=["member", "age"])
    found = tensors(data)
    assert data.feature_names == ["member", "age"]
    assert sorted(torch.cat([targets for _, targets in found.values()]).tolist()) == pytest.approx(
        sorted(frame["price"])
    )


def test_an_index_of_parquet_with_a_name_is_a_column(frame: pandas.DataFrame) -> None:
    data = TableFile(written(frame.set_index("age"), "a.parquet"), target="kind", columns=["age", "price"])
    data.setup()
    assert data.feature_names == ["age", "price"]


def test_european_csv(frame: pandas.DataFrame) -> None:
    path = written(frame, sep=";", decimal=",")
    with pytest.raises(ValueError, match="has no such column; perhaps separator: ';'?"):
        TableFile(path, target="kind")
    data = TableFile(path, target="kind", columns=["price"], separator=";", decimal=",")
    assert len(tensors(data)["test"][0]) == 15
    assert data.feature_names == ["price"]


def test_missing_values(frame: pandas.DataFrame) -> None:
    frame.loc[3, "age"] = None
    frame.loc[[3, 4], "city"] = None
    path = written(frame)
    columns = ["age", "city"]
    with pytest.raises(
        ValueError, match=r"a.csv lacks values in 2 rows, by column: age \(1\), city \(2\). missing: drop"
    ):
        TableFile(path, target="kind", columns=columns).setup()
    dropped = tensors(TableFile(path, target="kind", columns=columns, missing="drop"))
    assert sum(len(rows) for rows, _ in dropped.values()) == 58
    filled = tensors(TableFile(path, target="kind", columns=columns, missing="mean"))
    rows = torch.cat([rows for rows, _ in filled.values()])
    assert len(rows) == 60
    assert (rows[:, 1:].sum(dim=1) == 0).sum() == 2
    assert (rows == 0).all(dim=1).sum() == 1


def test_whole_numbers_stay_whole_beside_missing_ones(frame: pandas.DataFrame) -> None:
    frame.loc[3, "code"] = None
    path = written(frame)
    for missing, target, names in (("drop", "code", ["7", "9"]), ("mean", "kind", ["cat", "dog"])):
        data = TableFile(path, target=target, columns=["age"] if target == "code" else ["code"], missing=missing, categorical=["code"] if target == "kind" else [])  # type: ignore[arg-type]  # fmt: skip
        data.setup()
        assert data.class_names == names
    assert data.feature_names == ["code=7", "code=9"]
    with pytest.raises(ValueError, match="the target 'code' is missing in 1 row; missing: drop"):
        TableFile(path, target="code", missing="mean").setup()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "kinds"}, r"TableFile\(target='kinds'\): a.csv has no such column; did you mean 'kind'"),
        ({"columns": ["age", "prize"]}, r"TableFile\(columns='prize'\).*did you mean 'price'"),
        ({"columns": ["age", "kind"]}, "columns other than the target 'kind'"),
        ({"columns": []}, "columns other than the target 'kind'"),
        ({"columns": ["age", "age"]}, "a column is named twice"),
        ({"categorical": ["town"]}, r"TableFile\(categorical='town'\)"),
        ({"task": "regresion"}, "task='regresion'"),
        ({"missing": "ignore"}, "missing='ignore'"),
        ({"max_categories": 1}, "max_categories=1"),
        ({"path": "a.xlsx"}, r"a file .csv, .tsv, .txt, .parquet, .pq"),
    ],
)
def test_mistakes_that_are_told_at_once(frame: pandas.DataFrame, options: dict[str, object], message: str) -> None:
    Path("a.xlsx").touch()
    with pytest.raises(ValueError, match=message):
        TableFile(**{"path": written(frame), "target": "kind", **options})  # type: ignore[arg-type]


def test_no_such_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"TableFile\(path='b.csv'\): there is no such file in /"):
        TableFile("b.csv", target="kind")


@pytest.mark.parametrize(
    ("column", "values", "options", "message"),
    [
        ("age", ["?", *map(str, range(59))], {}, "column 'age' holds numbers, and 1 row of text: '\\?'. Mend it"),
        ("city", [f"town {number}" for number in range(60)], {}, "column 'city' holds 60 different texts"),
        ("price", [float("inf"), *range(59)], {}, "column 'price' holds 1 infinity"),
        ("kind", range(60), {}, "the target 'kind' holds 60 different values in 60 rows: too many for classes"),
        ("kind", ["cat"] * 60, {}, "the target 'kind' is 'cat' in every row"),
        (
            "kind",
            ["cat"] * 58 + ["dog"] * 2,
            {},
            r"classes of fewer than 3 samples can't be in all three parts: dog \(2\)",
        ),
        ("price", ["dear"] * 60, {"target": "price", "task": "regression"}, "the target 'price' holds text"),
    ],
)
def test_values_that_can_not_be_used(frame: pandas.DataFrame, column: str, values: list[object], options: dict[str, object], message: str) -> None:  # fmt: skip
    frame[column] = values
    with pytest.raises(ValueError, match=message):
        TableFile(**{"path": written(frame), "target": "kind", **options}).setup()  # type: ignore[arg-type]


def test_dates_are_refused(frame: pandas.DataFrame) -> None:
    frame["age"] = pandas.date_range("2020-01-01", periods=60)
    with pytest.raises(ValueError, match="column 'age' holds datetime64.*neither numbers nor text"):
        TableFile(written(frame, "a.parquet"), target="kind").setup()


@pytest.mark.parametrize(("name", "content"), [("a.csv", b""), ("a.csv", b"a,b\n1,2\n1,2,3\n"), ("a.parquet", b"a,b")])
def test_damaged_files(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} can't be read"):
        TableFile(name, target="b").setup()


def test_a_file_without_rows() -> None:
    Path("a.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match=r"a.csv has no rows"):
        TableFile("a.csv", target="b").setup()
