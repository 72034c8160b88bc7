"""Tables: rows of numbers with a class or a number to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from lightning_acts.extras import require

from .base import ZooData, check_classes, check_fractions, split


@dataclass(frozen=True)
class Table:
    """Columns of numbers, before they are standardized.

    Args:
        features: ``(N, in_features)``, in which NaN is what is missing.
        targets: ``(N,)``: classes counted from 0, or numbers.
        feature_names: Names of the columns.
        class_names: Names of the classes; none where the targets are numbers.
    """

    features: np.ndarray[Any, Any]
    targets: np.ndarray[Any, Any]
    feature_names: Sequence[str]
    class_names: Sequence[str] = ()


class TabularData(ZooData):
    """Rows of a table in three parts, with the same share of each class.

    Columns have mean 0 and deviation 1 in the training part, but for those that are 0 or 1 throughout, which stay so. What
    is missing is the mean, 0; so is a column that does not vary in the training part, for nothing can be learned of it.
    Targets are classes, or numbers in their own units; ``target_mean`` and ``target_std``, of the training part, are for
    models that scale them.

    ``in_features``, ``feature_names``, ``num_classes`` and ``class_names`` are known after ``setup``. A subclass defines
    :meth:`table`.

    Args:
        batch_size: Rows a batch.
        val_fraction: The share of the rows for validation.
        test_fraction: The share of the rows for the test.
        split_seed: Seed of the split.
        num_workers: Processes that load batches.

    Raises:
        ValueError: A number is out of range.
    """

    #: What is predicted, for pictures.
    target_name = ""

    in_features: int
    feature_names: Sequence[str]
    num_classes: int
    class_names: Sequence[str]
    target_mean: float
    target_std: float

    def __init__(
        self,
        batch_size: int = 16,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
        split_seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        check_fractions(type(self).__name__, val_fraction=val_fraction, test_fraction=test_fraction)
        self.save_hyperparameters()
        self.val_fraction, self.test_fraction, self.split_seed = val_fraction, test_fraction, split_seed

    def table(self) -> Table:
        """Return the whole table, before it is split: the same in every process."""
        raise NotImplementedError(f"{type(self).__name__} has no table")

    def parts(self) -> Mapping[str, Dataset[Any]]:
        """Read, split and standardize the table."""
        table = self.table()
        self.feature_names, self.in_features = list(table.feature_names), len(table.feature_names)
        if table.class_names:
            self.class_names, self.num_classes = list(table.class_names), len(table.class_names)
            check_classes(type(self).__name__, table.targets.tolist(), table.class_names)
        labels = table.targets.tolist() if table.class_names else None
        indices = split(len(table.targets), self.val_fraction, self.test_fraction, self.split_seed, labels)
        features = standardized(torch.tensor(table.features, dtype=torch.float64), indices["train"]).float()
        targets = torch.tensor(table.targets, dtype=torch.long if table.class_names else torch.float32)
        if not table.class_names:
            training = table.targets[indices["train"]]
            self.target_mean, self.target_std = float(training.mean()), float(training.std()) or 1.0
        return {part: TensorDataset(features[members], targets[members]) for part, members in indices.items()}


class BreastCancer(TabularData):
    """569 tumors by 30 measures of their cells, malignant or benign, which come with scikit-learn.

    Args:
        options: Those of :class:`TabularData`.

    Raises:
        ValueError: A number is out of range.

    Source:
        Street, Wolberg & Mangasarian 1993, Breast Cancer Wisconsin (Diagnostic), UCI.

    Example:
        >>> data = BreastCancer(batch_size=32)
        >>> data.setup()
        >>> rows, classes = next(iter(data.train_dataloader()))
        >>> rows.shape, data.class_names
        (torch.Size([32, 30]), ['malignant', 'benign'])
    """

    def table(self) -> Table:
        """Return the table of scikit-learn."""
        return _classes_of(require("sklearn.datasets", extra="tabular").load_breast_cancer())


class Wine(TabularData):
    """178 wines by 13 chemical measures, of three growers, which come with scikit-learn.

    Args:
        options: Those of :class:`TabularData`.

    Raises:
        ValueError: A number is out of range.

    Source:
        Aeberhard & Forina 1992, Wine, UCI.

    Example:
        >>> data = Wine()
        >>> data.setup()
        >>> data.in_features, data.num_classes
        (13, 3)
    """

    def table(self) -> Table:
        """Return the table of scikit-learn."""
        return _classes_of(require("sklearn.datasets", extra="tabular").load_wine())


class Diabetes(TabularData):
    """442 patients by 10 measures, and how far their diabetes went on in a year, which come with scikit-learn.

    Args:
        options: Those of :class:`TabularData`.

    Raises:
        ValueError: A number is out of range.

    Source:
        Efron, Hastie, Johnstone & Tibshirani 2004, Least Angle Regression, arXiv:math/0406456.

    Example:
        >>> data = Diabetes()
        >>> data.setup()
        >>> data.feature_names[:3], round(data.target_mean)
        (['age', 'sex', 'bmi'], 149)
    """

    target_name = "disease progression"

    def table(self) -> Table:
        """Return the table of scikit-learn, in its original units: its scaled one was scaled by all rows."""
        bunch = require("sklearn.datasets", extra="tabular").load_diabetes(scaled=False)
        return Table(bunch.data, bunch.target, list(bunch.feature_names))


def standardized(features: Tensor, training: Sequence[int]) -> Tensor:
    """Return columns of mean 0 and deviation 1 in the training part.

    NaN, and columns that do not vary in the training part, become 0. Columns that are 0 or 1 throughout stay so.

    Args:
        features: ``(N, columns)``.
        training: The rows of the training part.

    Example:
        >>> standardized(torch.tensor([[1.0, 0.0, 5.0], [3.0, 1.0, 5.0], [torch.nan, 0.0, 6.0]]), [0, 1])
        tensor([[-1.,  0.,  0.],
                [ 1.,  1.,  0.],
                [ 0.,  0.,  0.]])
    """
    train = features[training]
    known = ~train.isnan()
    count = known.sum(dim=0).clamp(min=1)
    mean = train.nansum(dim=0) / count
    std = ((train - mean).square().nansum(dim=0) / count).sqrt()
    varies = torch.where(known, train, -torch.inf).amax(dim=0) > torch.where(known, train, torch.inf).amin(dim=0)
    binary = ((features == 0) | (features == 1)).all(dim=0)
    scaled = torch.where(binary, features, (features - mean) / std)
    return torch.where(varies, scaled, 0.0).nan_to_num(0.0)


def _classes_of(bunch: Any) -> Table:
    return Table(bunch.data, bunch.target, list(bunch.feature_names), [str(name) for name in bunch.target_names])
