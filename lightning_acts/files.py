"""Files that are whole: written whole or not at all, and checked by their own checksums when read."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

#: What the name of a file ends with while it is written.
UNFINISHED = ".unfinished"


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; at the end that file is moved to ``path``, and on an error removed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     target = Path(folder, "a.txt")
        ...     with replacing(target) as unfinished:
        ...         _ = unfinished.write_text("whole")
        ...     target.read_text(), len(list(Path(folder).iterdir()))
        ('whole', 1)
    """
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}{UNFINISHED}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:  # on the disk before it has the name
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file so that it is there whole, or as it was before."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def damaged_record(file: IO[bytes]) -> str | None:
    """Find the first record of a zip archive, such as ``torch.save`` writes, whose checksum is wrong.

    ``torch.load`` does not look at the checksums: a flipped bit becomes another weight. Files of the old format, and
    those written without checksums, have none to look at.

    Raises:
        zipfile.BadZipFile: The archive is damaged in its structure.

    Example:
        >>> import io, torch
        >>> file = io.BytesIO()
        >>> torch.save(torch.ones(3), file)
        >>> damaged_record(file)
        >>> content = file.getvalue().replace(torch.ones(3).numpy().tobytes(), torch.zeros(3).numpy().tobytes())
        >>> damaged_record(io.BytesIO(content))
        'archive/data/0'
    """
    start = file.tell()
    try:
        file.seek(0)
        if file.read(4) != b"PK\x03\x04":
            return None
        with zipfile.ZipFile(file) as archive:
            if not any(record.CRC for record in archive.infolist()):
                return None
            return archive.testzip()
    finally:
        file.seek(start)


def json_ready(value: Any) -> Any:
    """Return data with words for the numbers that JSON has none for: None for nan, text for infinite ones.

    Example:
        >>> json_ready({"low": float("-inf"), "means": (1.0, float("nan"))})
        {'low': '-inf', 'means': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {key: json_ready(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(child) for child in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
