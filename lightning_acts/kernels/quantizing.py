"""A function whose backward keeps its derivative alone, rounded to a few levels and packed into as many bits."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import torch
from torch import Tensor

from lightning_acts.errors import ActsError
from lightning_acts.kernels.recomputing import EagerKernel, Formula

# Points at which a derivative is weighed: as likely as values of a normal distribution with this standard deviation, since
# the scale of what an activation will be given is not known. Levels lose little with inputs of half and of twice that.
_POINTS, _DEVIATION = 512, 2.0
# Where else a derivative is looked at, for slopes that begin far out.
_FAR = (10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e5)


class DerivativeError(ActsError, RuntimeError):
    """A derivative was asked for that is not kept."""


class QuantizedKernel(EagerKernel):
    """A formula of one tensor whose forward is exact, and whose derivative is rounded to at most ``2 ** bits`` levels.

    Args:
        formula: The formula.
        bits: The most bits that are kept an element; fewer where the derivative has fewer values.

    Source:
        Novikov et al. 2022, Few-Bit Backward: Quantized Gradients of Activation Functions for Memory Footprint Reduction,
        arXiv:2202.00441; here intervals with the same level share it, so that a derivative that comes back to a value, as
        hardtanh's and GELU's do, takes fewer.
    """

    def __init__(self, formula: Formula, bits: int) -> None:
        super().__init__(formula)
        self._most = 2**bits

    @functools.cached_property
    def levels(self) -> tuple[float, ...]:
        """The values that a derivative is rounded to, ascending."""
        with torch.inference_mode(False), torch.autocast("cpu", enabled=False):
            quantiles = (torch.arange(_POINTS, dtype=torch.float64, device="cpu") + 0.5) / _POINTS
            near = _slopes(self.formula, _DEVIATION * torch.special.ndtri(quantiles))[1]
            far = torch.tensor(_FAR, dtype=torch.float64, device="cpu")
            everywhere = torch.cat([near, _slopes(self.formula, torch.cat([-far, far]))[1]])
            distinct = torch.unique(everywhere[everywhere.isfinite()])
            if len(distinct) <= self._most:
                return tuple(distinct.tolist()) or (0.0,)
            return optimal_levels(near[near.isfinite()], self._most)

    @property
    def bits(self) -> int:
        """The bits that are kept an element."""
        return (len(self.levels) - 1).bit_length()

    def differentiable(self, *tensors: Tensor) -> Tensor:
        """Return the formula of the tensor, with what its backward needs."""
        return Quantized.apply(self, *tensors)  # type: ignore[no-any-return]

    def rounded(self, slopes: Tensor) -> Tensor:
        """Return the number of the level that is nearest to each derivative; of the lowest for NaN."""
        codes = torch.zeros(slopes.shape, dtype=torch.uint8, device=slopes.device)
        for lower, upper in itertools.pairwise(self.levels):
            codes += (slopes > (lower + upper) / 2).view(torch.uint8)
        return codes


class Quantized(torch.autograd.Function):
    """A quantized kernel as a differentiable function: ``Quantized.apply(kernel, input)``."""

    @staticmethod
    def forward(ctx: Any, kernel: QuantizedKernel, input: Tensor) -> Tensor:
        """Run the formula, and save its rounded derivative in the order in which memory holds the input."""
        output, slopes = _slopes(kernel.formula, input)
        ctx.kernel, ctx.shape, ctx.order = kernel, input.shape, input.dim_order()
        codes = kernel.rounded(slopes.permute(ctx.order).reshape(-1))
        ctx.save_for_backward(pack(codes, kernel.bits))
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """Multiply the gradient by the rounded derivative.

        Raises:
            DerivativeError: A graph of it is asked for: the second derivative is not kept.
        """
        if torch.is_grad_enabled():
            raise DerivativeError(
                "backend='lean(bits=...)' keeps the first derivative alone: create_graph=True takes backend='lean'"
            )
        kernel, shape, order = ctx.kernel, ctx.shape, ctx.order
        (packed,) = ctx.saved_tensors
        dtype = torch.promote_types(gradient.dtype, torch.float32)  # as precise as torch's own are with half types
        levels = _placed(kernel.levels, dtype, packed.device)
        slopes = levels.index_select(0, unpack(packed, kernel.bits, math.prod(shape)).int())
        inverse = sorted(range(len(order)), key=order.__getitem__)
        slopes = slopes.view([shape[dim] for dim in order]).permute(inverse)
        return None, (gradient * slopes).to(gradient.dtype)


@functools.cache  # a GPU would wait for each copy
def _placed(levels: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(levels, dtype=dtype, device=device)


def _slopes(formula: Formula, input: Tensor) -> tuple[Tensor, Tensor]:
    """Return an elementwise function of a tensor, and its derivative at each element."""
    # Hooks on saved tensors are for what stays, not for what lives as long as this call.
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(_itself, _itself):
        leaf = input.detach().requires_grad_()
        output = formula(leaf)
        if output is leaf:
            return input, torch.ones_like(input)
        if not output.requires_grad:  # constant: sign, step
            return output, torch.zeros_like(input)
        (slopes,) = torch.autograd.grad(output, leaf, torch.ones_like(output), materialize_grads=True)
    return output.detach(), slopes


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def optimal_levels(values: Tensor, count: int) -> tuple[float, ...]:
    """Return the levels for which the mean squared distance of each value to the nearest of them is least, ascending.

    Clusters of values on a line are intervals of them in order, so that dynamic programming over their ends finds the best.

    Args:
        values: ``(N,)``, N at least ``count``.
        count: How many levels.
    """
    values = values.double().sort().values
    zero = values.new_zeros(1)
    # The center keeps the differences of sums precise.
    center = values.mean()
    sums, squares = (torch.cat([zero, ((values - center) ** power).cumsum(0)]) for power in (1, 2))
    ends = torch.arange(len(values) + 1, dtype=torch.float64, device=values.device)
    # cost[i, j]: the squared distances of values i to j from their mean.
    sizes = ends - ends[:, None]
    cost = squares - squares[:, None] - (sums - sums[:, None]) ** 2 / sizes
    cost.masked_fill_(sizes <= 0, math.inf)
    best, starts = cost[0], []
    for _ in range(count - 1):
        best, start = (best[:, None] + cost).min(dim=0)
        starts.append(start)
    cuts = [len(values)]
    for start in reversed(starts):
        cuts.append(int(start[cuts[-1]]))
    bounds = [0, *reversed(cuts)]
    return tuple(values[begin:end].mean().item() for begin, end in itertools.pairwise(bounds))


def pack(codes: Tensor, bits: int) -> Tensor:
    """Return codes of so many bits in bytes, ``ceil(N / 8)`` of them for each bit.

    Args:
        codes: ``(N,)``, uint8.
        bits: Of each.

    Example:
        >>> pack(torch.tensor([1, 0, 3], dtype=torch.uint8), bits=2)
        tensor([[5],
                [4]], dtype=torch.uint8)
    """
    rows = torch.nn.functional.pad(codes, (0, -len(codes) % 8)).view(8, -1)
    planes = (rows >> _shifts(bits, codes)[:, None, None]) & 1
    return (planes << _shifts(8, codes)[:, None]).sum(dim=1, dtype=torch.uint8)


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """Return the ``count`` codes that :func:`pack` has packed."""
    planes = (packed[:, None] >> _shifts(8, packed)[:, None]) & 1
    codes = (planes << _shifts(bits, packed)[:, None, None]).sum(dim=0, dtype=torch.uint8)
    return codes.flatten()[:count]


def _shifts(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, dtype=torch.uint8, device=like.device)
