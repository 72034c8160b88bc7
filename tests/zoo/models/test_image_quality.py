import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lightning_acts.zoo.models.image_quality import frechet_distance, image_quality, precision_and_recall


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    other = (
        torch.randn(50, 5, generator=generator, dtype=torch.float64) @ torch.randn(5, 5, generator=generator).double()
    )
    return one, other + 0.5


def test_frechet_distance_by_scipys_root(samples: tuple[Tensor, Tensor]) -> None:
    one, other = (sample.numpy() for sample in samples)
    first, second = np.cov(one.T), np.cov(other.T)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(*samples).item() == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(samples[0], samples[0]).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("neighbors", [1, 3])
def test_precision_and_recall_by_scikit_learns_neighbors(samples: tuple[Tensor, Tensor], neighbors: int) -> None:
    def share(points: Tensor, others: Tensor) -> float:
        radii = NearestNeighbors(n_neighbors=neighbors + 1).fit(others).kneighbors(others)[0][:, -1]
        distances = np.linalg.norm(points.numpy()[:, None] - others.numpy()[None], axis=2)
        return float((distances <= radii).any(1).mean())

    real, generated = samples
    precision, recall = precision_and_recall(real, generated, neighbors)
    assert precision.item() == pytest.approx(share(generated, real))
    assert recall.item() == pytest.approx(share(real, generated))


def test_images_that_are_all_alike_have_no_recall() -> None:
    real = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    same = image_quality(real, real.flip(0))
    assert {name: round(value.item(), 6) for name, value in same.items()} == {
        "frechet_pca": 0, "precision": 1, "recall": 1,
    }  # fmt: skip
    alike = image_quality(real, real[:1].expand(40, 1, 4, 4) + 1e-4 * torch.rand(40, 1, 4, 4))
    assert alike["precision"] == 1
    assert alike["recall"] <= 1 / 40
    assert alike["frechet_pca"] > 0.5
