"""Normalizing activations of masked, empty, infinite and very large rows: as softmax does, row by row."""

import math

import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts

SPARSE = ["sparsemax", "entmax15", "entmax", "entmax(alpha=1.2)", "entmax(alpha=3)"]
LIKE_SOFTMAX = ["softmax(dim=-1)", "beta_softmax", *SPARSE]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LIKE_SOFTMAX)
def test_masked_scores_are_left_out(name: str, dtype: torch.dtype) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    masked = torch.cat([x, torch.full((3, 4), -math.inf, dtype=dtype)], -1).requires_grad_()
    y = acts.create(name)(masked)
    torch.testing.assert_close(
        y[:, :5], acts.create(name)(x), rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-6
    )
    assert not y[:, 5:].any()
    (slope,) = torch.autograd.grad((y * torch.arange(9)).sum(), masked)
    assert slope.isfinite().all()


@pytest.mark.parametrize("row", [[0.0, math.nan, 0.0], [-math.inf] * 3, [0.0, math.inf, 0.0]])
@pytest.mark.parametrize("name", LIKE_SOFTMAX)
def test_a_row_without_a_result_is_nan_and_disturbs_no_other(name: str, row: list[float]) -> None:
    x = torch.tensor([[1.0, 2.0, 2.5], row], requires_grad=True)
    y = acts.create(name)(x)
    assert y[1].isnan().all()
    torch.testing.assert_close(y[0], acts.create(name)(x[0]))
    (slope,) = torch.autograd.grad(y[0, 0], x)
    assert slope[0].isfinite().all()


@pytest.mark.parametrize(
    "name",
    [
        *LIKE_SOFTMAX,
        "log_softmax(dim=-1)",
        "square_softmax",
        "sink_softmax",
        "l2_normalize",
        "standardize",
        "poly_norm",
    ],
)
def test_empty_rows(name: str) -> None:
    for shape in ((2, 0), (0, 3), (0, 0)):
        assert acts.create(name)(torch.zeros(shape)).shape == shape


@pytest.mark.parametrize("name", SPARSE)
def test_very_large_scores(name: str) -> None:
    y = acts.create(name)(torch.tensor([[3e38, -3e38, 0.0], [-3e38, -3e38, -3.4e38]]))
    torch.testing.assert_close(y, torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))


@pytest.mark.parametrize("scale", [1.0, 1e10, 1e25, 1e38])
@pytest.mark.parametrize("name", ["standardize", "poly_norm"])
def test_squares_that_overflow(name: str, scale: float) -> None:
    x = scale * torch.tensor([[1.0, -2.0, 0.5, 3.0]], requires_grad=True)
    y = acts.create(name)(x)
    # float64 has room for the sixth power of 1e38.
    z = x.detach().double()
    if name == "standardize":
        expected = (z - z.mean(-1, keepdim=True)) / (z.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    else:
        expected = (
            torch.zeros(()) + sum(z**i / ((z**i) ** 2).mean(-1, keepdim=True).add(1e-6).sqrt() for i in (1, 2, 3)) / 3
        )
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sparsemax", "entmax15", "entmax"])
def test_against_the_package(name: str) -> None:
    entmax = pytest.importorskip("entmax")

    x = 3 * torch.randn(7, 11, dtype=torch.float64)
    x[2, 3:8] = -math.inf
    theirs = {"sparsemax": entmax.sparsemax, "entmax15": entmax.entmax15, "entmax": entmax.entmax_bisect}[name](
        x, dim=-1
    )
    torch.testing.assert_close(acts.create(name)(x), theirs, rtol=1e-6, atol=1e-9)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.q(x) @ self.k(x).transpose(-1, -2)
        hidden = torch.ones(6, 6, dtype=torch.bool).triu(1)
        weights: Tensor = scores.masked_fill(hidden, -math.inf).softmax(-1) @ self.v(x)
        return weights


@pytest.mark.parametrize("name", SPARSE)
def test_causal_attention_trains(name: str) -> None:
    torch.manual_seed(0)
    x, model = torch.randn(2, 6, 4), Attention()
    acts.swap(model, {"softmax": name}, role="attention", example_input=x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = (model(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_winners_and_groups() -> None:
    y = acts.create("k_wta(share=0.4)")(torch.tensor([[1.0, math.nan, 3.0, 2.0, 0.0], [1.0, 5.0, 3.0, 2.0, 0.0]]))
    torch.testing.assert_close(y, torch.tensor([[0, math.nan, 3, 0, 0], [0, 5, 3, 0, 0.0]]), equal_nan=True)
    with pytest.raises(ValueError, match="the input has 0 dimensions"):
        acts.create("groupsort")(torch.tensor(1.0))
