from pathlib import Path

import pytest
import torch

from lightning_acts.zoo import Prose


def test_every_character_is_in_one_part_and_each_is_followed_by_the_next(tmp_path: Path) -> None:
    text = "".join(chr(33 + number % 90) for number in range(1001))
    (tmp_path / "a.txt").write_text(text)
    data = Prose(str(tmp_path / "a.txt"), context=20, batch_size=4, val_fraction=0.2, test_fraction=0.3)
    data.setup()
    blocks = {}
    for part, count in (("train", 25), ("val", 10), ("test", 15)):
        dataset = data._parts[part]
        assert len(dataset) == count  # type: ignore[arg-type]
        for tokens, following in dataset:  # type: ignore[attr-defined]
            assert torch.equal(tokens[1:], following[:-1])
            blocks[data.decode([*tokens.tolist(), following[-1].item()])] = part
    assert len(blocks) <= 50
    assert all(block in text for block in blocks)


def test_tokens_are_those_of_ascii() -> None:
    data = Prose()
    assert data.vocab_size == 97
    text = "".join(map(chr, range(32, 127))) + "\n"
    assert data.decode(data.encode(text)) == text
    assert data.encode("é\t") == [96, 96]
    assert data.decode([96]) == "\N{REPLACEMENT CHARACTER}"


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Prose\(path='no.txt'\): there is no such file"):
        Prose("no.txt").setup()
    with pytest.raises(ValueError, match=r"Prose\(context=0\)"):
        Prose(context=0)
    (tmp_path / "a.txt").write_text("abc")
    with pytest.raises(ValueError, match="3 characters are 0 blocks, too few for three parts"):
        Prose(str(tmp_path / "a.txt")).setup()
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(ValueError, match="is not text in UTF-8"):
        Prose(str(tmp_path / "b.txt")).setup()
