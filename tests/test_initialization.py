"""Gains against closed forms; layers and deep networks that keep their signal, and those that can't."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor, nn

import lightning_acts as acts

E, PI = math.e, math.pi


@pytest.mark.parametrize(
    ("spec", "forward", "backward"),
    [
        ("relu", math.sqrt(2), math.sqrt(2)),  # He et al. 2015
        ("leaky_relu(negative_slope=0.5)", math.sqrt(2 / 1.25), math.sqrt(2 / 1.25)),
        ("identity", 1, 1),
        ("abs", 1, 1),
        ("square", 1 / math.sqrt(3), 1 / 2),  # E[z^4] = 3
        ("exponential", 1 / E, 1 / E),  # E[exp(2z)] = e^2
        ("gaussian", 3**0.25, (3**1.5) ** 0.5),  # E[exp(-z^2)], E[z^2 exp(-z^2)]
        ("sine(omega=1)", (2 / (1 - E**-2)) ** 0.5, (2 / (1 + E**-2)) ** 0.5),
        ("erf", (2 / PI * math.asin(2 / 3)) ** -0.5, (4 / PI / math.sqrt(5)) ** -0.5),
    ],
)
def test_gains_in_closed_form(spec: str, forward: float, backward: float) -> None:
    assert acts.gain(spec) == pytest.approx(forward, rel=1e-9)
    assert acts.gain(spec, mode="backward") == pytest.approx(backward, rel=1e-9)


def test_seven_digits_that_are_known() -> None:
    assert acts.gain("selu") == pytest.approx(1, abs=1e-9)  # its constants were chosen so
    assert acts.gain("tanh") == pytest.approx(1.5925374, abs=1e-6)
    assert acts.gain("binary_step") == pytest.approx(math.sqrt(2), rel=1e-12)


@pytest.mark.parametrize(
    ("spec", "mode", "message"),
    [
        ("binary_step", "backward", r"no backward gain: E\[f'\(z\)\^2\] is 0"),
        ("log1mexp", "forward", r"no forward gain: E\[f\(z\)\^2\] is nan"),
        ("s_rrelu", "forward", r"no forward gain: E\[f\(z\)\^2\] is inf"),  # a pole at -1
        ("signed_sqrt", "backward", r"no backward gain: E\[f'\(z\)\^2\] is inf"),
        ("softmax", "forward", r"no curve of real numbers \(normalizing\)"),
        ("swiglu", "forward", r"no curve of real numbers \(gated\)"),
    ],
)
def test_where_there_is_no_gain_the_reason_is_given(spec: str, mode: str, message: str) -> None:
    with pytest.raises(acts.SpecError, match=message):
        acts.gain(spec, mode=mode)  # type: ignore[arg-type]
    layer = nn.Linear(3, 3)
    before = layer.weight.clone()
    with pytest.raises(acts.SpecError, match=message):
        acts.init_(layer, spec, mode=mode)  # type: ignore[arg-type]
    assert torch.equal(layer.weight, before)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="'forward' or 'backward'"):
        acts.gain("relu", mode="fan_in")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'normal' or 'uniform'"):
        acts.init_(nn.Linear(2, 2), "relu", distribution="xavier")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ReLU holds no linear or convolutional layer"):
        acts.init_(nn.ReLU(), "relu")
    with pytest.raises(ValueError, match="before its first input"):
        acts.init_(nn.LazyLinear(3), "relu")
    weighted = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="weight of a Linear is parametrized"):
        acts.init_(weighted, "relu")


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(256, 64),
    "conv": lambda: nn.Conv2d(64, 32, 3),
    "conv with groups and stride": lambda: nn.Conv2d(64, 128, 4, groups=4, stride=2),
    "transposed": lambda: nn.ConvTranspose2d(64, 16, 3),
    "transposed with groups and stride": lambda: nn.ConvTranspose2d(64, 32, 4, groups=2, stride=2),
}


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_keeps_signal_and_gradient(name: str, distribution: str) -> None:
    torch.manual_seed(0)
    layer = LAYERS[name]()
    x = torch.randn((512, 256) if name == "linear" else (16, 64, 24, 24))
    module = acts.create("gelu")
    assert acts.init_(layer, "gelu", distribution=distribution) is layer  # type: ignore[arg-type]
    assert layer.bias.abs().max() == 0 and layer.weight.requires_grad
    y = layer(module(x))
    inner = y if name == "linear" else y[..., 3:-3, 3:-3]  # away from the edges
    assert inner.square().mean().item() == pytest.approx(1, abs=0.1)

    acts.init_(layer, "gelu", mode="backward", distribution=distribution)  # type: ignore[arg-type]
    x.requires_grad_()
    y = layer(module(x))
    y.backward(torch.randn_like(y))
    assert x.grad is not None
    inner = x.grad if name == "linear" else x.grad[..., 5:-5, 5:-5]
    assert inner.square().mean().item() == pytest.approx(1, abs=0.1)


def test_all_layers_within_and_nothing_else() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.Sequential(nn.Conv1d(8, 8, 1), nn.PReLU()))
    others = {name: value.clone() for name, value in model.state_dict().items() if name[0] != "0" and "2.0" not in name}
    acts.init_(model, "relu")
    for name, value in others.items():
        assert torch.equal(model.state_dict()[name], value)


def through(spec: str, seed: int, layers: int = 50, width: int = 512) -> Tensor:
    """The sums in the last layer of an MLP for 64 independent inputs, ``(64, width)``; those in the first have variance 1."""
    torch.manual_seed(seed)
    activation = acts.create(spec).eval()
    z = torch.randn(64, width)
    with torch.no_grad():
        for _ in range(layers):
            z = acts.init_(nn.Linear(width, width), spec)(activation(z))
    return z


# Stable and, but for a few, with the mean 0.
KEPT = (
    "arctan asinh bipolar_plus bipolar_sigmoid displaced_relu erf erf_relu finer gaussian_derivative gudermannian hardtanh "
    "hexpo isrlu isru lecun_tanh linq lpselu lselu mexican_hat minsin modified_cloglog morlet new_sigmoid plu rehsec "
    "reltanh root2sigmoid rootsig selu serlu sign signed_sqrt sin sin_plus_x sine soft_root_sign softsign sqlu sqnl "
    "srelu_plus stac_tanh symlog talu tanh"
)


@pytest.mark.parametrize("spec", KEPT.split())
def test_fifty_layers_without_normalization_keep_the_variance(spec: str) -> None:
    z = through(spec, seed=0)
    over_neurons, over_inputs = z.square().mean(1), z.var(0).mean()
    assert over_neurons.min() > 0.5 and over_neurons.max() < 2  # of each input
    assert 0.5 < over_inputs < 2


@pytest.mark.parametrize("spec", ["sigmoid", "softplus", "gaussian", "hardsigmoid"])
def test_where_the_mean_is_not_0_inputs_become_alike(spec: str) -> None:
    z = through(spec, seed=0)
    over_neurons = z.square().mean(1)
    assert over_neurons.min() > 0.5 and over_neurons.max() < 2
    assert z.var(0).mean() < 0.01
    assert acts.info(spec).measured.stability == "stable"  # type: ignore[union-attr]


# No gain can do it: near the variance 1 a deviation grows, by the power that is measured.
UNSTABLE: dict[str, Callable[[float], float]] = {
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "square": lambda x: x * x,
    "tanhshrink": lambda x: x - math.tanh(x),
    "softshrink": lambda x: math.copysign(max(abs(x) - 0.5, 0), x),
    "exponential": math.exp,
}


@pytest.mark.parametrize("spec", UNSTABLE)
def test_where_no_gain_can_keep_the_variance_it_is_named(spec: str) -> None:
    assert spec in acts.names(stability="unstable")
    assert "no gain keeps the variance over many layers" in str(acts.info(spec))

    def second_moment(variance: float) -> float:
        """E[f(sqrt(variance) z)^2], by another quadrature and another implementation."""
        f, scale = UNSTABLE[spec], math.sqrt(variance)
        density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * PI)  # noqa: E731
        return sum(quad(lambda z: f(scale * z) ** 2 * density(z), *ends)[0] for ends in ((-12, -1), (-1, 1), (1, 12)))

    # A layer makes q of gain^2 * second_moment(q): 1 stays 1, and whatever the gain its relative change is the growth.
    step = 1e-3
    growth = math.log(second_moment(1 + step) / second_moment(1 - step)) / math.log((1 + step) / (1 - step))
    assert acts.info(spec).measured.growth == pytest.approx(growth, rel=1e-4)  # type: ignore[union-attr]
    assert growth > 1.05
    over_neurons = through(spec, seed=0).square().mean(1)
    assert not (over_neurons.min() > 0.5 and over_neurons.max() < 2)


def test_relu_is_marginal() -> None:
    assert {"relu", "leaky_relu", "abs", "identity"} <= set(acts.names(stability="marginal"))
    assert acts.info("relu").measured.growth == pytest.approx(1, abs=1e-9)  # type: ignore[union-attr]
    # Wide layers keep its variance; the deviations of narrow ones add up, to a factor of exp(+-0.7) at width 512.
    assert through("relu", seed=0, layers=10, width=2048).square().mean(1).min() > 0.5
    spread = [through("relu", seed=seed, layers=50, width=64).square().mean().log().item() for seed in range(20)]
    assert torch.tensor(spread).std() > 1
