"""Files are written whole or not at all, and a flipped bit is seen."""

import io
import json
from pathlib import Path

import pytest
import torch

from lightning_acts.files import damaged_record, json_ready, replacing, write_whole


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_whole(target, "old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as unfinished:
        unfinished.write_text("half")
        assert target.read_text() == "old"
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    write_whole(target, "new")
    assert target.read_text() == "new"


@pytest.mark.parametrize("bit", range(8))
def test_each_flipped_bit_is_seen(bit: int) -> None:
    weights, file = torch.arange(1.0, 5.0), io.BytesIO()
    torch.save(weights, file)
    content = bytearray(file.getvalue())
    content[content.index(weights.numpy().tobytes()) + 6] ^= 1 << bit
    damaged = io.BytesIO(content)
    assert not torch.equal(torch.load(io.BytesIO(content)), weights)  # torch doesn't look
    damaged.seek(3)
    assert str(damaged_record(damaged)).endswith("/data/0")
    assert damaged.tell() == 3
    assert damaged_record(file) is None


def test_other_formats_have_no_checksums() -> None:
    file = io.BytesIO()
    torch.save(torch.ones(2), file, _use_new_zipfile_serialization=False)
    assert damaged_record(file) is None


def test_json_has_words_for_all_numbers() -> None:
    given = {"interval": (float("nan"), float("inf")), "rows": [{"low": -float("inf")}], "mean": 1.5, "name": "inf"}
    expected = {"interval": [None, "inf"], "rows": [{"low": "-inf"}], "mean": 1.5, "name": "inf"}
    assert json.loads(json.dumps(json_ready(given), allow_nan=False)) == expected
