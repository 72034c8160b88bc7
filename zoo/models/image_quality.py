"""How like real images generated ones are, without a pretrained network: that would have to be downloaded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def image_quality(real: Tensor, generated: Tensor, components: int = 32, neighbors: int = 3) -> dict[str, Tensor]:
    """Return the Fréchet distance, precision and recall of generated images, on principal components of the real ones.

    Args:
        real: ``(N, ...)``, more than ``neighbors``.
        generated: ``(M, ...)``, more than ``neighbors``.
        components: Principal components at most.
        neighbors: Of :func:`precision_and_recall`.

    Returns:
        ``frechet_pca``, ``precision`` and ``recall``.
    """
    real, generated = (images.flatten(1).double() for images in (real, generated))
    center = real.mean(dim=0)
    _, _, directions = torch.linalg.svd(real - center, full_matrices=False)
    one, other = ((images - center) @ directions[:components].T for images in (real, generated))
    precision, recall = precision_and_recall(one, other, neighbors)
    return {"frechet_pca": frechet_distance(one, other), "precision": precision, "recall": recall}


def frechet_distance(one: Tensor, other: Tensor) -> Tensor:
    r"""Return the Fréchet distance between normal distributions with the means and covariances of two samples.

    .. math:: \|m_1 - m_2\|^2 + \operatorname{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    It is 0 for equal moments, whatever else differs. Between features of an Inception network it is called FID; between
    others it can't be compared with that.

    Args:
        one: ``(N, features)``.
        other: ``(M, features)``.

    Source:
        Dowson & Landau 1982, J. Multivariate Analysis 12; Heusel et al. 2017, arXiv:1706.08500.

    Example:
        >>> x = torch.randn(50, 3, dtype=torch.float64)
        >>> round(frechet_distance(x, x + 2).item(), 3)
        12.0
    """
    first, second = (_root_of_covariance(sample.double()) for sample in (one, other))
    # The trace of the root of C1 C2 is the sum of the singular values of the product of their roots.
    overlap = torch.linalg.svdvals(first @ second).sum()
    shift = (one.double().mean(dim=0) - other.double().mean(dim=0)).square().sum()
    distance: Tensor = shift + first.square().sum() + second.square().sum() - 2 * overlap
    return distance


def _root_of_covariance(sample: Tensor) -> Tensor:
    _, deviations, directions = torch.linalg.svd(sample - sample.mean(dim=0), full_matrices=False)
    root: Tensor = directions.T * deviations @ directions / math.sqrt(len(sample) - 1)
    return root


def precision_and_recall(real: Tensor, generated: Tensor, neighbors: int = 3) -> tuple[Tensor, Tensor]:
    """Return the share of generated samples that lie among real ones, and of real ones that lie among generated ones.

    A sample lies among others if it is no farther from one of them than that one's nearest neighbor number
    ``neighbors``. Low precision means bad samples; low recall means that kinds of real ones are missing.

    Args:
        real: ``(N, features)``.
        generated: ``(M, features)``.
        neighbors: Which neighbor's distance is the radius around a sample.

    Source:
        Kynkäänniemi et al. 2019, arXiv:1904.06991.

    Example:
        >>> x = torch.arange(10.0).unsqueeze(1)
        >>> [share.item() for share in precision_and_recall(x, x[:2].repeat(5, 1), neighbors=2)]
        [1.0, 0.20000000298023224]
    """
    return _share_among(generated, real, neighbors), _share_among(real, generated, neighbors)


def _share_among(samples: Tensor, others: Tensor, neighbors: int) -> Tensor:
    # A sample is its own nearest; and distances of all pairs at once would fill the memory.
    radii = torch.cat([torch.cdist(part, others).kthvalue(neighbors + 1).values for part in _parts(others)])
    return torch.cat([(torch.cdist(part, others) <= radii).any(dim=1) for part in _parts(samples)]).float().mean()


def _parts(samples: Tensor) -> Sequence[Tensor]:
    return samples.chunk(math.ceil(len(samples) / 1000))
