"""Columns of CSV and Parquet files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from lightning_acts.extras import require
from lightning_acts.hints import counted, did_you_mean, listed

#: What becomes of a row that lacks a value.
Missing: TypeAlias = Literal["error", "drop", "keep"]

_CSV, _PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
# What pandas calls a column without a name, and an index in Parquet.
_NAMELESS = ("Unnamed: ", "__index_level_")
_PACKED = (".gz", ".bz2", ".xz", ".zip")


class ColumnFile:
    r"""A file with columns, whose names are known before its rows are read.

    Args:
        owner: The class that reads it, for messages.
        path: The file: ``.csv``, ``.tsv`` or ``.txt``, packed (such as ``.csv.gz``) or not, or ``.parquet``.
        separator: Between the columns of a CSV file; by default a comma, for ``.tsv`` a tab.
        decimal: The decimal point of a CSV file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is another kind of file, or can't be read.
        ImportError: pandas, or pyarrow for Parquet, is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pets.csv")
        ...     _ = path.write_text("kind,sound\ncat,meow\n")
        ...     ColumnFile("Pets", str(path)).names
        ['kind', 'sound']
    """

    def __init__(self, owner: str, path: str, separator: str | None = None, decimal: str = ".") -> None:
        self.owner, self.path, self.decimal = owner, Path(path).expanduser(), decimal
        self.separator = separator or ("\t" if ".tsv" in self.path.suffixes else ",")
        #: Names of the columns that have one.
        self.names = [name for name in self._names() if name and not name.startswith(_NAMELESS)]

    def check(self, argument: str, names: Sequence[str], among: Sequence[str] | None = None) -> None:
        """Check that there are columns of these names.

        Args:
            argument: The argument that names them, for messages.
            names: The names.
            among: The columns that are meant; by default all.

        Raises:
            ValueError: One is missing, or named twice.
        """
        known = self.names if among is None else among
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                if len(known) == 1:
                    other = next((sign for sign in ";\t|," if sign in known[0] and sign != self.separator), None)
                    hint = f"; perhaps separator: {other!r}?" if other else hint
                raise ValueError(
                    f"{self.owner}({argument}={name!r}): {self.path.name} has no such column{hint} "
                    f"Its columns: {listed(known, most=20)}"
                )
        twice = [name for name in known if list(known).count(name) > 1]
        if len(set(names)) < len(names) or twice:
            raise ValueError(f"{self.owner}({argument}={list(names)}): a column is named twice")

    def read(self, columns: Sequence[str], missing: Missing = "error", advice: str = "") -> Any:
        """Return a DataFrame of these columns.

        Args:
            columns: Their names.
            missing: What a row is that lacks a value: an ``error``, left out (``drop``), or kept (``keep``).
            advice: What the error says of it.

        Raises:
            ValueError: The file can't be read, lacks values or has no rows.
        """
        if self._is_parquet():
            with self._refusals():
                parquet = require("pyarrow.parquet", extra="tabular").read_table(self.path, columns=list(columns))
            frame = parquet.to_pandas(ignore_metadata=True)  # which may make a column the index
        else:
            frame = self._read_csv()[list(columns)]
        lacking = [f"{name} ({count:,})" for name, count in frame.isna().sum().items() if count]
        if missing == "error" and lacking:
            raise ValueError(
                f"{self.path} lacks values in {counted(int(frame.isna().any(axis=1).sum()), 'row')}, by column: "
                f"{listed(lacking, most=10)}. {advice}"
            )
        if missing == "drop":
            # What was whole numbers but for the missing ones is so again.
            frame = frame.dropna().convert_dtypes()
        if not len(frame):
            raise ValueError(f"{self.path} has no rows" + (" without missing values" if missing == "drop" else ""))
        return frame

    def classes(self, column: Any, advice: str = "") -> tuple[np.ndarray[Any, Any], list[str]]:
        """Return the values of a column as classes, which count them in their order, and the names of these.

        Args:
            column: A column that was read.
            advice: What the error says of too many values.

        Raises:
            ValueError: It has a single value, or too many for classes.
        """
        values = column.unique()
        if len(values) > max(20, len(column) // 10):
            raise ValueError(
                f"{self.path}: the target {column.name!r} holds {len(values):,} different values in "
                f"{len(column):,} rows: too many for classes{advice}"
            )
        if len(values) < 2:
            raise ValueError(f"{self.path}: the target {column.name!r} is {str(values[0])!r} in every row")
        ordered = sorted(values.tolist())
        number = {value: index for index, value in enumerate(ordered)}
        return np.asarray([number[value] for value in column]), [str(value) for value in ordered]

    def _names(self) -> list[str]:
        """Return the names of all columns of the file, without reading its rows."""
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.owner}(path={str(self.path)!r}): there is no such file in {Path.cwd()}")
        if self._is_parquet():
            with self._refusals():
                return list(require("pyarrow.parquet", extra="tabular").read_schema(self.path).names)
        return [str(name) for name in self._read_csv(nrows=0).columns]

    def _is_parquet(self) -> bool:
        suffixes = [suffix for suffix in self.path.suffixes[-2:] if suffix not in _PACKED]
        if not suffixes or suffixes[-1] not in (*_CSV, *_PARQUET):
            raise ValueError(f"{self.owner}(path={str(self.path)!r}): a file {', '.join((*_CSV, *_PARQUET))}")
        return suffixes[-1] in _PARQUET

    def _read_csv(self, **options: Any) -> Any:
        pandas = require("pandas", extra="tabular")
        with self._refusals():
            return pandas.read_csv(
                self.path, sep=self.separator, decimal=self.decimal, low_memory=False, skipinitialspace=True, **options
            )

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:  # of pandas and pyarrow too
            raise ValueError(f"{self.path} can't be read: {error}") from error
