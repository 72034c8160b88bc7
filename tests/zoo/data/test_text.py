from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import BertTokenizer

from lightning_acts.models import ModelError
from lightning_acts.zoo.data.text import Passages, TextData, Vocabulary, words_of

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Numerals(TextData):
    """Numbers below 100 in words, even or odd."""

    def passages(self) -> Passages:
        texts = [f"{WORDS[tens]} {WORDS[ones]}" for tens in range(10) for ones in range(10)]
        return Passages(texts, [number % 2 for number in range(100)], ["even", "odd"])


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[:9]]))
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def tokens_of(data: TextData) -> dict[str, Sequence[torch.Tensor]]:
    data.setup()
    return {name: part.tensors for name, part in data._parts.items()}  # type: ignore[attr-defined]


def test_each_text_is_in_one_part_with_its_class() -> None:
    data = Numerals(length=4)
    found = tokens_of(data)
    assert {name: len(labels) for name, (_, labels) in found.items()} == {"train": 60, "val": 15, "test": 25}
    assert (data.num_classes, data.class_names) == (2, ["even", "odd"])
    tokens, labels = (torch.cat([part[index] for part in found.values()]) for index in (0, 1))
    assert len(tokens.unique(dim=0)) == 100
    assert (tokens[:, 2:] == 0).all()
    passages = data.passages()
    expected = dict(zip(map(tuple, data.encode(passages.texts).tolist()), passages.labels, strict=True))
    assert [expected[tuple(row)] for row in tokens.tolist()] == labels.tolist()


def test_words_are_known_from_the_training_part_alone() -> None:
    class Named(TextData):
        def passages(self) -> Passages:
            return Passages([f"number{number}" for number in range(20)], [number % 2 for number in range(20)], "ab")

    found = tokens_of(Named(length=1))
    assert sorted(found["train"][0].flatten().tolist()) == list(range(2, 14))
    assert (found["val"][0] == Vocabulary.unknown).all() and (found["test"][0] == Vocabulary.unknown).all()


def test_the_commonest_words_are_known() -> None:
    vocabulary = Vocabulary(["b a c", "C b; c"], size=4)
    assert vocabulary.words == ["c", "b"]
    assert vocabulary.encode(["C d b a b", "c", ""], length=3).tolist() == [[2, 1, 3], [2, 0, 0], [1, 0, 0]]
    assert words_of("Der _Müller_\n42!") == ["der", "_müller_", "42", "!"]


def test_a_tokenizer_of_transformers(tokenizer: Path) -> None:
    data = Numerals(length=6, tokenizer=f"hf:{tokenizer}")
    found = tokens_of(data)
    assert (data.vocab_size, data.padding) == (14, 0)
    assert data.encode(["Three four", "nine", "one " * 9]).tolist() == [
        [2, 8, 9, 3, 0, 0],
        [2, 1, 3, 0, 0, 0],
        [2, 6, 6, 6, 6, 3],
    ]
    assert (found["train"][0][:, 0] == 2).all() and (found["train"][0][:, 3] == 3).all()


def test_a_tokenizer_without_padding_is_refused(tokenizer: Path) -> None:
    without = BertTokenizer.from_pretrained(tokenizer)
    without.pad_token = None
    without.save_pretrained(tokenizer)
    with pytest.raises(ModelError, match=r"Numerals\(tokenizer='hf:.*'\): it has no token for padding"):
        Numerals(tokenizer=f"hf:{tokenizer}").setup()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, r"Numerals\(length=0\): at least 1"),
        ({"vocab_size": 2}, r"Numerals\(vocab_size=2\): at least 3"),
        ({"tokenizer": "bert"}, "'bert' names no tokenizer"),
        ({"tokenizer": "hf:./no/such"}, "hf:./no/such: there is no such folder"),
        ({"test_fraction": 1.0}, r"Numerals\(val_fraction=0.15, test_fraction=1.0\)"),
    ],
)
def test_mistakes_that_are_told_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Numerals(**options)  # type: ignore[arg-type]


def test_a_class_that_is_too_small() -> None:
    class Few(TextData):
        def passages(self) -> Passages:
            return Passages(list("abcdef"), [0, 0, 0, 0, 1, 1], ["many", "two"])

    with pytest.raises(
        ValueError, match=r"Few: classes of fewer than 3 samples can't be in all three parts: two \(2\)"
    ):
        Few().setup()
