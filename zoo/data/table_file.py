"""Tables in files of the user's own: CSV and Parquet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lightning_acts.extras import require
from lightning_acts.hints import counted, did_you_mean, listed

from .tabular import Table, TabularData

_CSV, _PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
# What pandas calls a column without a name, and an index in Parquet.
_NAMELESS = ("Unnamed: ", "__index_level_")
_PACKED = (".gz", ".bz2", ".xz", ".zip")


class TableFile(TabularData):
    r"""A CSV or Parquet file of the user's own, with a row for each sample.

    Columns are standardized as :class:`~lightning_acts.zoo.data.tabular.TabularData` says. A column of text becomes a
    column for each of its categories, 1 where a row has it, else 0. A column without a name, as pandas writes its index, is
    left out. Names of columns are checked at once, values in ``setup``.

    Args:
        path: The file: ``.csv``, ``.tsv`` or ``.txt``, packed (such as ``.csv.gz``) or not, or ``.parquet``.
        target: The column to predict.
        task: ``classification``: the target's values are classes, numbered in their order; ``regression``: numbers.
        columns: The columns to predict it from; by default all others.
        categorical: Columns of numbers that are names, such as codes: taken as text is.
        missing: What a row is that lacks a value: an ``error``; left out (``drop``); or given the ``mean`` of the training
            part, or for text no category. A row without a target is an error, or left out.
        max_categories: The most categories of a column; with more it is likely to be a name, or free text.
        separator: Between the columns of a CSV file; by default a comma, for ``.tsv`` a tab.
        decimal: The decimal point of a CSV file.
        batch_size: Rows a batch.
        val_fraction: The share of the rows for validation.
        test_fraction: The share of the rows for the test.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A column is missing, or holds what can't be used; a number is out of range.
        ImportError: pandas, or pyarrow for Parquet, is not installed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pets.csv")
        ...     _ = path.write_text("kind,weight,sound\n" + "cat,4.1,meow\ndog,20,bark\n" * 10)
        ...     data = TableFile(str(path), target="kind")
        ...     data.setup()
        >>> data.feature_names, data.class_names
        (['weight', 'sound=bark', 'sound=meow'], ['cat', 'dog'])
    """

    def __init__(
        self,
        path: str,
        target: str,
        task: Literal["classification", "regression"] = "classification",
        columns: Sequence[str] | None = None,
        categorical: Sequence[str] = (),
        missing: Literal["error", "drop", "mean"] = "error",
        max_categories: int = 50,
        separator: str | None = None,
        decimal: str = ".",
        batch_size: int = 32,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, val_fraction, test_fraction, split_seed, num_workers)
        for argument, value, words in (
            ("task", task, ("classification", "regression")),
            ("missing", missing, ("error", "drop", "mean")),
        ):
            if value not in words:
                raise ValueError(f"TableFile({argument}={value!r}): one of {', '.join(words)}")
        if max_categories < 2:
            raise ValueError(f"TableFile(max_categories={max_categories}): at least 2")
        self.path = Path(path).expanduser()
        self.target_name, self.task, self.missing, self.max_categories = target, task, missing, max_categories
        self.decimal = decimal
        self.separator = separator or ("\t" if ".tsv" in self.path.suffixes else ",")
        names = [name for name in self._names() if name and not name.startswith(_NAMELESS)]
        self._check_names(names, "target", [target])
        if columns is not None:
            self._check_names(names, "columns", columns)
        self.columns = [name for name in names if name != target] if columns is None else list(columns)
        self._check_names(self.columns, "categorical", categorical)
        self.categorical = set(categorical)
        if target in self.columns or not self.columns:
            raise ValueError(f"TableFile(columns={self.columns}): columns other than the target {target!r}")

    def _names(self) -> list[str]:
        """Return the names of all columns of the file, without reading its rows."""
        if not self.path.is_file():
            raise FileNotFoundError(f"TableFile(path={str(self.path)!r}): there is no such file in {Path.cwd()}")
        if self._is_parquet():
            with self._refusals():
                return list(require("pyarrow.parquet", extra="tabular").read_schema(self.path).names)
        return [str(name) for name in self._read_csv(nrows=0).columns]

    def _is_parquet(self) -> bool:
        suffixes = [suffix for suffix in self.path.suffixes[-2:] if suffix not in _PACKED]
        if not suffixes or suffixes[-1] not in (*_CSV, *_PARQUET):
            raise ValueError(f"TableFile(path={str(self.path)!r}): a file {', '.join((*_CSV, *_PARQUET))}")
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

    def _check_names(self, known: Sequence[str], argument: str, names: Sequence[str]) -> None:
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                if len(known) == 1:
                    other = next((sign for sign in ";\t|," if sign in known[0] and sign != self.separator), None)
                    hint = f"; perhaps separator: {other!r}?" if other else hint
                raise ValueError(
                    f"TableFile({argument}={name!r}): {self.path.name} has no such column{hint} "
                    f"Its columns: {listed(known, most=20)}"
                )
        twice = [name for name in known if list(known).count(name) > 1]
        if len(set(names)) < len(names) or twice:
            raise ValueError(f"TableFile({argument}={list(names)}): a column is named twice")

    def table(self) -> Table:
        """Read the file: numbers as they are, text as categories."""
        used = [*self.columns, self.target_name]
        if self._is_parquet():
            with self._refusals():
                parquet = require("pyarrow.parquet", extra="tabular").read_table(self.path, columns=used)
            frame = parquet.to_pandas(ignore_metadata=True)  # which may make a column the index
        else:
            frame = self._read_csv()[used]
        frame = self._without_missing(frame)
        if not len(frame):
            raise ValueError(f"{self.path} has no rows" + (" without missing values" if self.missing == "drop" else ""))
        features: list[np.ndarray[Any, Any]] = []
        names: list[str] = []
        for name in self.columns:
            if self._holds_numbers(frame[name]) and name not in self.categorical:
                features.append(self._numbers(frame[name]))
                names.append(name)
            else:
                categories = self._categories(frame[name])
                features += [np.asarray(_texts(frame[name]) == category, dtype=float) for category in categories]
                names += [f"{name}={category}" for category in categories]
        targets, class_names = self._targets(frame[self.target_name])
        return Table(np.stack(features, axis=1), targets, names, class_names)

    def _without_missing(self, frame: Any) -> Any:
        counts = frame.isna().sum()
        lacking = [f"{name} ({count:,})" for name, count in counts.items() if count]
        if self.missing == "error" and lacking:
            raise ValueError(
                f"{self.path} lacks values in {counted(int(frame.isna().any(axis=1).sum()), 'row')}, by column: "
                f"{listed(lacking, most=10)}. missing: drop leaves these rows out, missing: mean fills them"
            )
        if self.missing == "mean" and counts[self.target_name]:
            raise ValueError(
                f"{self.path}: the target {self.target_name!r} is missing in {counted(int(counts[self.target_name]), 'row')}; "
                "missing: drop leaves them out"
            )
        # What was whole numbers but for the missing ones is so again.
        return frame.dropna().convert_dtypes() if self.missing == "drop" else frame

    def _holds_numbers(self, column: Any) -> bool:
        """Return whether a column holds numbers, not text.

        Raises:
            ValueError: It holds neither, or some of both.
        """
        types = require("pandas", extra="tabular").api.types
        if types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
            return True
        texts = types.is_string_dtype(column) or types.is_object_dtype(column)
        if not texts and not isinstance(column.dtype, require("pandas", extra="tabular").CategoricalDtype):
            raise ValueError(
                f"{self.path}: column {column.name!r} holds {column.dtype}, neither numbers nor text: leave it out of columns"
            )
        if column.name not in self.categorical:
            self._check_text(column)
        return False

    def _check_text(self, column: Any) -> None:
        known = _texts(column.dropna())
        number = require("pandas", extra="tabular").to_numeric(known, errors="coerce").notna()
        if number.any():
            others = known[~number].unique().tolist()
            raise ValueError(
                f"{self.path}: column {column.name!r} holds numbers, and {counted(int((~number).sum()), 'row')} of text: "
                f"{listed([repr(text) for text in others])}. Mend it, or list it under categorical"
            )

    def _numbers(self, column: Any) -> np.ndarray[Any, Any]:
        numbers: np.ndarray[Any, Any] = column.to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(numbers).any():
            raise ValueError(
                f"{self.path}: column {column.name!r} holds {counted(int(np.isinf(numbers).sum()), 'infinity')}"
            )
        return numbers

    def _categories(self, column: Any) -> list[str]:
        categories = sorted(_texts(column.dropna()).unique().tolist())
        if len(categories) > self.max_categories:
            raise ValueError(
                f"{self.path}: column {column.name!r} holds {len(categories):,} different texts, such as {categories[0]!r}, more "
                f"than max_categories={self.max_categories}: leave it out of columns, or allow as many"
            )
        return categories

    def _targets(self, column: Any) -> tuple[np.ndarray[Any, Any], list[str]]:
        if self.task == "regression":
            if not self._holds_numbers(column):
                raise ValueError(f"{self.path}: the target {column.name!r} holds text; task: classification takes it")
            return self._numbers(column), []
        classes = column.unique()
        if len(classes) > max(20, len(column) // 10):
            raise ValueError(
                f"{self.path}: the target {column.name!r} holds {len(classes):,} different values in {len(column):,} rows: "
                "too many for classes; task: regression takes numbers"
            )
        if len(classes) < 2:
            raise ValueError(f"{self.path}: the target {column.name!r} is {str(classes[0])!r} in every row")
        ordered = sorted(classes.tolist())
        number = {value: index for index, value in enumerate(ordered)}
        return np.asarray([number[value] for value in column]), [str(value) for value in ordered]


def _texts(column: Any) -> Any:
    """Return the texts of a column; of whole numbers without the .0 that a missing one beside them brings."""
    known = column.notna()
    if require("pandas", extra="tabular").api.types.is_float_dtype(column) and (column[known] % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").where(known)
