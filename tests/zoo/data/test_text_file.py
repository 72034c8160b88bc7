import pandas
import pytest
import torch

from lightning_acts.zoo import TextFile


@pytest.fixture
def frame() -> pandas.DataFrame:
    texts = [f"{'win' if number % 3 else 'see you at'} {number}" for number in range(60)]
    return pandas.DataFrame({"mail": texts, "kind": ["spam" if number % 3 else "ham" for number in range(60)]})


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.parquet"])
def test_csv_and_parquet_hold_the_same(frame: pandas.DataFrame, name: str) -> None:
    if name == "a.parquet":
        frame.to_parquet(name)
    else:
        frame.to_csv(name, index=False, sep="\t" if name == "a.tsv" else ",")
    data = TextFile(name, text="mail", target="kind", length=4)
    assert data.passages().texts == frame["mail"].tolist()
    data.setup()
    assert (data.class_names, data.num_classes) == (["ham", "spam"], 2)
    train = data._parts["train"].tensors  # type: ignore[attr-defined]
    (win,) = data.encode(["win"])[:, 0]
    assert torch.equal((train[0] == win).any(dim=1), train[1] == 1)
    assert [len(part) for part in data._parts.values()] == [36, 9, 15]  # type: ignore[arg-type]


def test_what_stands_twice_counts_once(frame: pandas.DataFrame) -> None:
    pandas.concat([frame, frame[:20]]).to_csv("a.csv")
    assert len(TextFile("a.csv", "mail", "kind").passages().texts) == 60
    frame.loc[60] = [frame["mail"][0], "spam"]
    frame.to_csv("a.csv")
    with pytest.raises(ValueError, match="a.csv: 'see you at 0' and others have more than one class"):
        TextFile("a.csv", "mail", "kind").setup()


def test_missing_values(frame: pandas.DataFrame) -> None:
    frame.loc[[1, 2], "mail"] = None
    frame.loc[2, "kind"] = None
    frame.to_csv("a.csv")
    with pytest.raises(ValueError, match=r"lacks values in 2 rows, by column: mail \(2\), kind \(1\). missing: drop"):
        TextFile("a.csv", "mail", "kind").setup()
    assert len(TextFile("a.csv", "mail", "kind", missing="drop").passages().texts) == 58


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "mails"}, r"TextFile\(text='mails'\): a.csv has no such column; did you mean 'mail'"),
        ({"target": "kinds"}, r"TextFile\(target='kinds'\): a.csv has no such column; did you mean 'kind'"),
        ({"text": "kind"}, r"TextFile\(text='kind', target='kind'\): two columns"),
        ({"missing": "mean"}, "missing='mean'"),
        ({"separator": ";"}, "perhaps separator: ','?"),
        ({"length": 0}, r"TextFile\(length=0\)"),
    ],
)
def test_mistakes_that_are_told_at_once(frame: pandas.DataFrame, options: dict[str, object], message: str) -> None:
    frame.to_csv("a.csv")
    with pytest.raises(ValueError, match=message):
        TextFile(**{"path": "a.csv", "text": "mail", "target": "kind", **options})  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"TextFile\(path='b.csv'\): there is no such file"):
        TextFile("b.csv")


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("mail", range(60), "a.csv: column 'mail' holds int64, not text"),
        ("kind", range(60), "the target 'kind' holds 60 different values in 60 rows: too many for classes$"),
        ("kind", ["ham"] * 58 + ["spam"] * 2, r"TextFile: classes of fewer than 3 samples .*: spam \(2\)"),
    ],
)
def test_values_that_can_not_be_used(frame: pandas.DataFrame, column: str, values: list[object], message: str) -> None:
    frame[column] = values
    frame.to_csv("a.csv")
    with pytest.raises(ValueError, match=message):
        TextFile("a.csv", "mail", "kind").setup()
