from collections import Counter
from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lightning_acts.zoo import BreastCancer, Diabetes, Wine
from lightning_acts.zoo.data.tabular import Table, TabularData, standardized

TABLES = {
    BreastCancer: sklearn.datasets.load_breast_cancer,
    Wine: sklearn.datasets.load_wine,
    Diabetes: lambda: sklearn.datasets.load_diabetes(scaled=False),
}


def parts(data: TabularData) -> dict[str, tuple[Tensor, Tensor]]:
    data.setup()
    return {name: part.tensors for name, part in data._parts.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", TABLES)
def test_rows_are_standardized_by_the_training_part_alone(kind: type[TabularData]) -> None:
    data, bunch = kind(), TABLES[kind]()
    found = parts(data)
    assert data.feature_names == list(bunch.feature_names)
    assert data.in_features == bunch.data.shape[1]
    columns = found["train"][0].double()
    varied = ~((bunch.data == 0) | (bunch.data == 1)).all(axis=0)
    torch.testing.assert_close(columns.mean(0)[varied], torch.zeros(int(varied.sum())).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(columns.std(0, correction=0)[varied], torch.ones(int(varied.sum())).double())
    # Each row comes back in its original units, with its target, in one part.
    mean, std = bunch.data.mean(0), bunch.data.std(0)
    rows = np.concatenate([part[0].double() for part in found.values()])
    targets = np.concatenate([part[1] for part in found.values()])
    again = StandardScaler().fit_transform(rows) * std + mean
    one, other = (
        np.asarray(sorted(np.column_stack(both).round(3).tolist()))
        for both in ((again, targets), (bunch.data, bunch.target))
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("kind", [BreastCancer, Wine])
def test_each_part_has_its_share_of_each_class(kind: type[TabularData]) -> None:
    data, bunch = kind(), TABLES[kind]()
    found = parts(data)
    assert data.class_names == list(bunch.target_names)
    assert data.num_classes == len(bunch.target_names)
    whole = Counter(bunch.target.tolist())
    for _, targets in found.values():
        assert targets.dtype is torch.long
        for label, count in Counter(targets.tolist()).items():
            assert count == pytest.approx(len(targets) * whole[label] / len(bunch.target), abs=1)


def test_numbers_to_predict_stay_in_their_units() -> None:
    data = Diabetes()
    targets = parts(data)["train"][1].double()
    assert targets.min() >= 25
    assert data.target_mean == pytest.approx(targets.mean().item())
    assert data.target_std == pytest.approx(targets.std(correction=0).item())
    assert not hasattr(data, "num_classes")


def test_the_split_depends_on_its_seed_alone() -> None:
    torch.manual_seed(1)
    one = parts(Wine())["test"][0]
    torch.manual_seed(2)
    assert torch.equal(one, parts(Wine())["test"][0])
    assert not torch.equal(one, parts(Wine(split_seed=1))["test"][0])


def test_what_can_not_be_standardized() -> None:
    nan = torch.nan
    features = torch.tensor([[1.0, 5, 1, nan, 0], [3.0, 5, 0, nan, 1], [nan, 7, 0, 2, nan]])
    expected = torch.tensor([[-1.0, 0, 1, 0, -1], [1.0, 0, 0, 0, 1], [0.0, 0, 0, 0, 0]])
    assert torch.equal(standardized(features, [0, 1]), expected)


class Own(TabularData):
    def __init__(self, targets: list[int], **options: Any) -> None:
        super().__init__(**options)
        self.own = np.array(targets)

    def table(self) -> Table:
        return Table(np.zeros((len(self.own), 1)), self.own, ["x"], ["cat", "dog"])


def test_a_class_that_can_not_be_in_all_parts() -> None:
    with pytest.raises(
        ValueError, match=r"Own: classes of fewer than 3 samples can't be in all three parts: dog \(2\)"
    ):
        Own([0] * 10 + [1] * 2).setup()


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"num_workers": -1}, {"val_fraction": 0.0}, {"test_fraction": 0.9}]
)
def test_mistakes(options: dict[str, float]) -> None:
    with pytest.raises(
        ValueError, match=r"Wine\((batch_size=0|num_workers=-1|val_fraction=0.0|val_fraction=0.15, test_fraction=0.9)"
    ):
        Wine(**options)  # type: ignore[arg-type]


def test_arguments_are_kept() -> None:
    assert Wine(split_seed=3).hparams["split_seed"] == 3
