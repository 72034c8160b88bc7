"""Texts in files of the user's own: CSV and Parquet."""

from __future__ import annotations

from typing import Any, Literal

from lightning_acts.extras import require

from .column_file import ColumnFile
from .text import Passages, TextData


class TextFile(TextData):
    r"""A CSV or Parquet file of the user's own, with a text and its class in each row.

    The columns' names are checked at once, values in ``setup``. Classes are numbered in their order. A text that stands in
    several rows counts once, so that no part has one of another; it is an error if they have different classes.

    Args:
        path: The file: ``.csv``, ``.tsv`` or ``.txt``, packed (such as ``.csv.gz``) or not, or ``.parquet``.
        text: The column of the texts.
        target: The column of the classes.
        missing: What a row is that lacks the text or the class: an ``error``, or left out (``drop``).
        separator: Between the columns of a CSV file; by default a comma, for ``.tsv`` a tab.
        options: Those of :class:`~lightning_acts.zoo.data.text.TextData`.

    Raises:
        FileNotFoundError: There is no such file.
        ModelError: There is no such tokenizer, or it has no token for padding.
        ValueError: A column is missing, or holds what can't be used; a number is out of range.
        ImportError: pandas, or pyarrow for Parquet, is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "mails.csv")
        ...     rows = [f"spam,win {number} now\nham,see you at {number}\n" for number in range(10)]
        ...     _ = path.write_text("kind,mail\n" + "".join(rows))
        ...     data = TextFile(str(path), text="mail", target="kind", length=4)
        ...     data.setup()
        >>> data.class_names, len(data.test_dataloader().dataset)
        (['ham', 'spam'], 5)
    """

    def __init__(
        self,
        path: str,
        text: str = "text",
        target: str = "label",
        missing: Literal["error", "drop"] = "error",
        separator: str | None = None,
        length: int = 64,
        vocab_size: int = 4000,
        tokenizer: str | None = None,
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            length, vocab_size, tokenizer, batch_size, val_fraction, test_fraction, split_seed, num_workers
        )
        if missing not in ("error", "drop"):
            raise ValueError(f"TextFile(missing={missing!r}): one of error, drop")
        self.file = ColumnFile("TextFile", path, separator)
        self.file.check("text", [text])
        self.file.check("target", [target])
        if text == target:
            raise ValueError(f"TextFile(text={text!r}, target={target!r}): two columns")
        self.text_name, self.target_name, self.missing = text, target, missing

    def passages(self) -> Passages:
        """Read the file."""
        frame = self.file.read([self.text_name, self.target_name], self.missing, "missing: drop leaves these rows out")
        self._check_text(frame[self.text_name])
        frame = frame.drop_duplicates()
        twice = frame[self.text_name][frame[self.text_name].duplicated()]
        if len(twice):
            raise ValueError(f"{self.file.path}: {twice.iloc[0]!r} and others have more than one class")
        labels, class_names = self.file.classes(frame[self.target_name])
        return Passages(frame[self.text_name].tolist(), labels.tolist(), class_names)

    def _check_text(self, column: Any) -> None:
        types = require("pandas", extra="tabular").api.types
        if not (types.is_string_dtype(column) or types.is_object_dtype(column)):
            raise ValueError(f"{self.file.path}: column {column.name!r} holds {column.dtype}, not text")
