"""Every activation against its textbook formula, written here a second time and evaluated with 50 digits."""

from collections.abc import Callable

import mpmath
import pytest
import torch
from mpmath import mpf
from torch import nn

import lightning_acts as acts

mpmath.mp.dps = 50


def sigma(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def softplus(x: mpf) -> mpf:
    return mpmath.log(1 + mpmath.exp(x))


SELU_SCALE, SELU_ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")

TEXTBOOK: dict[str, Callable[[mpf], mpf]] = {
    "identity": lambda x: x,
    "sigmoid": sigma,
    "tanh": mpmath.tanh,
    "softsign": lambda x: x / (1 + abs(x)),
    "logsigmoid": lambda x: mpmath.log(sigma(x)),
    "relu": lambda x: max(mpf(0), x),
    "relu6": lambda x: min(mpf(6), max(mpf(0), x)),
    "leaky_relu": lambda x: x if x > 0 else x * mpf(0.01),
    "leaky_relu(negative_slope=0.25)": lambda x: x if x > 0 else x / 4,
    "prelu": lambda x: x if x > 0 else x / 4,
    "prelu(init=0.5)": lambda x: x if x > 0 else x / 2,
    "rrelu": lambda x: x if x > 0 else x * (mpf(1) / 8 + mpf(1.0 / 3)) / 2,
    "elu": lambda x: x if x > 0 else mpmath.exp(x) - 1,
    "elu(alpha=0.5)": lambda x: x if x > 0 else (mpmath.exp(x) - 1) / 2,
    "celu(alpha=2.0)": lambda x: x if x > 0 else 2 * (mpmath.exp(x / 2) - 1),
    "celu": lambda x: x if x > 0 else mpmath.exp(x) - 1,
    "selu": lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * (mpmath.exp(x) - 1)),
    "silu": lambda x: x * sigma(x),
    "hardswish": lambda x: x * min(max(x + 3, mpf(0)), mpf(6)) / 6,
    "hardsigmoid": lambda x: min(max(x + 3, mpf(0)), mpf(6)) / 6,
    "general_hardsigmoid": lambda x: max(mpf(0), min(mpf(1), (x + 1) / 2)),
    "general_hardsigmoid(bias=0.5, divisor=4, min_value=-2, max_value=3)": lambda x: max(mpf(-2), min(mpf(3), (x + mpf(0.5)) / 4)),
    "softplus": softplus,
    "softplus(beta=2.0)": lambda x: softplus(2 * x) / 2,
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "gelu(approximate=tanh)": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))),
    "hardtanh": lambda x: min(max(x, mpf(-1)), mpf(1)),
    "threshold(threshold=0.5, value=0.25)": lambda x: x if x > 0.5 else mpf(0.25),
    "hardshrink": lambda x: x if abs(x) > 0.5 else mpf(0),
    "softshrink": lambda x: mpmath.sign(x) * max(abs(x) - mpf(0.5), mpf(0)),
    "tanhshrink": lambda x: x - mpmath.tanh(x),
}  # fmt: skip

GRID = [
    sign * x
    for x in (0.0, 1e-8, 0.01, 0.3, 0.5, 0.75, 1.0, 1.27, 2.0, 2.999, 3.0, 5.7, 6.0, 12.0, 30.0)
    for sign in (1.0, -1.0)
]


@pytest.mark.parametrize("spec", TEXTBOOK)
def test_value(spec: str) -> None:
    module = acts.create(spec).double().eval()
    x = torch.tensor(GRID, dtype=torch.float64)
    expected = torch.tensor([float(TEXTBOOK[spec](mpf(value))) for value in GRID], dtype=torch.float64)
    # torch's softplus is x itself beyond its threshold, off by exp(-20); everything else is exact to a few ulp of 1.
    torch.testing.assert_close(module(x), expected, rtol=1e-8 if "softplus" in spec else 1e-12, atol=1e-13)


@pytest.mark.parametrize("spec", TEXTBOOK)
def test_derivative(spec: str) -> None:
    points = [-6.5, -3.5, -2.2, -1.4, -0.7, -0.2, 0.2, 0.7, 1.4, 2.2, 3.5, 6.5]  # no kink of any of them
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(acts.create(spec).double().eval()(x).sum(), x)
    expected = [float(mpmath.diff(TEXTBOOK[spec], mpf(value))) for value in points]
    # torch's hardsigmoid has 1/6 in float32 as its slope in every type: a fact that its definition notes.
    rtol = 1e-7 if spec == "hardsigmoid" else 1e-8
    torch.testing.assert_close(derivative, torch.tensor(expected, dtype=torch.float64), rtol=rtol, atol=1e-10)


def test_rrelu_draws_between_its_bounds_in_training() -> None:
    torch.manual_seed(0)
    slopes = -acts.create("rrelu(lower=0.2, upper=0.4)").train()(-torch.ones(20_000))
    assert slopes.min() >= 0.2 and slopes.max() <= 0.4
    assert abs(slopes.mean().item() - 0.3) < 0.002 and abs(slopes.std().item() - 0.2 / 12**0.5) < 0.002


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_family(dim: int) -> None:
    x = torch.randn(4, 5, dtype=torch.float64)
    exponentials = torch.tensor([[float(mpmath.exp(mpf(v))) for v in row] for row in x.tolist()], dtype=torch.float64)
    expected = exponentials / exponentials.sum(dim, keepdim=True)
    torch.testing.assert_close(acts.create("softmax", dim=dim)(x), expected)
    torch.testing.assert_close(acts.create("log_softmax", dim=dim)(x), expected.log())
    torch.testing.assert_close(acts.create("softmin", dim=dim)(-x), expected)


class TestSparseSoftmax:
    def test_unspecified_values_count_as_minus_infinity(self) -> None:
        dense = torch.tensor([[1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.5, 1.5, 2.5, 3.5]], dtype=torch.float64)
        mask = dense != 0
        for dim in (0, 1, -1):
            result = acts.create("sparse_softmax", dim=dim)(dense.to_sparse())
            assert result.layout is torch.sparse_coo
            expected = torch.softmax(dense.masked_fill(~mask, -torch.inf), dim).nan_to_num(0.0)
            torch.testing.assert_close(result.to_dense(), expected)

    def test_a_specified_zero_counts_as_zero(self) -> None:
        x = torch.sparse_coo_tensor([[0, 0], [0, 2]], [0.0, 0.0], (1, 3), check_invariants=True)
        assert torch.equal(acts.create("sparse_softmax(dim=1)")(x).to_dense(), torch.tensor([[0.5, 0.0, 0.5]]))

    def test_gradients(self) -> None:
        x = torch.tensor([[1.0, 0.0, 3.0]], dtype=torch.float64).to_sparse().requires_grad_()
        acts.create("sparse_softmax(dim=1)")(x).to_dense()[0, 0].backward()
        p = torch.softmax(torch.tensor([1.0, 3.0], dtype=torch.float64), 0)[0]
        assert x.grad is not None
        torch.testing.assert_close(x.grad.to_dense()[0, 0], p * (1 - p))

    def test_other_inputs_are_refused(self) -> None:
        with pytest.raises(ValueError, match="to_sparse.*strided.*see softmax"):
            acts.create("sparse_softmax")(torch.ones(2, 2))
        with pytest.raises(ValueError, match="dim=2.*2 dimensions"):
            acts.create("sparse_softmax(dim=2)")(torch.ones(2, 2).to_sparse())


def test_transfer_layers_compute_their_formulas() -> None:
    linear = acts.create("linear_layer(in_features=3, out_features=2)")
    x = torch.randn(4, 3)
    torch.testing.assert_close(linear(x), torch.einsum("ni,oi->no", x, linear.weight) + linear.bias)
    bilinear = acts.create("bilinear(in1_features=3, in2_features=5, out_features=2)")
    y = torch.randn(4, 5)
    torch.testing.assert_close(bilinear(x, y), torch.einsum("ni,oij,nj->no", x, bilinear.weight, y) + bilinear.bias)
    assert isinstance(linear, nn.Linear) and isinstance(bilinear, nn.Bilinear)


def test_glu_halves_a_dimension() -> None:
    x = torch.randn(2, 6)
    torch.testing.assert_close(acts.create("glu(dim=1)")(x), x[:, :3] * torch.sigmoid(x[:, 3:]))
