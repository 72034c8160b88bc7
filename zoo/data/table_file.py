"""Tables in files of the user's own: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from lightning_acts.extras import require
from lightning_acts.hints import counted, listed

from .column_file import ColumnFile
from .tabular import Table, TabularData


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
        >>> from pathlib import Path
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
        self.file = ColumnFile("TableFile", path, separator, decimal)
        self.target_name, self.task, self.missing, self.max_categories = target, task, missing, max_categories
        names = self.file.names
        self.file.check("target", [target])
        if columns is not None:
            self.file.check("columns", columns)
        self.columns = [name for name in names if name != target] if columns is None else list(columns)
        self.file.check("categorical", categorical, among=self.columns)
        self.categorical = set(categorical)
        if target in self.columns or not self.columns:
            raise ValueError(f"TableFile(columns={self.columns}): columns other than the target {target!r}")

    def table(self) -> Table:
        """Read the file: numbers as they are, text as categories."""
        frame = self.file.read(
            [*self.columns, self.target_name],
            "keep" if self.missing == "mean" else self.missing,
            "missing: drop leaves these rows out, missing: mean fills them",
        )
        unknown = int(frame[self.target_name].isna().sum())
        if unknown:
            raise ValueError(
                f"{self.file.path}: the target {self.target_name!r} is missing in {counted(unknown, 'row')}; "
                "missing: drop leaves them out"
            )
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
                f"{self.file.path}: column {column.name!r} holds {column.dtype}, neither numbers nor text: leave it out of columns"
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
                f"{self.file.path}: column {column.name!r} holds numbers, and {counted(int((~number).sum()), 'row')} of text: "
                f"{listed([repr(text) for text in others])}. Mend it, or list it under categorical"
            )

    def _numbers(self, column: Any) -> np.ndarray[Any, Any]:
        numbers: np.ndarray[Any, Any] = column.to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(numbers).any():
            raise ValueError(
                f"{self.file.path}: column {column.name!r} holds {counted(int(np.isinf(numbers).sum()), 'infinity')}"
            )
        return numbers

    def _categories(self, column: Any) -> list[str]:
        categories = sorted(_texts(column.dropna()).unique().tolist())
        if len(categories) > self.max_categories:
            raise ValueError(
                f"{self.file.path}: column {column.name!r} holds {len(categories):,} different texts, such as {categories[0]!r}, more "
                f"than max_categories={self.max_categories}: leave it out of columns, or allow as many"
            )
        return categories

    def _targets(self, column: Any) -> tuple[np.ndarray[Any, Any], list[str]]:
        if self.task == "regression":
            if not self._holds_numbers(column):
                raise ValueError(
                    f"{self.file.path}: the target {column.name!r} holds text; task: classification takes it"
                )
            return self._numbers(column), []
        return self.file.classes(column, "; task: regression takes numbers")


def _texts(column: Any) -> Any:
    """Return the texts of a column; of whole numbers without the .0 that a missing one beside them brings."""
    known = column.notna()
    if require("pandas", extra="tabular").api.types.is_float_dtype(column) and (column[known] % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").where(known)
