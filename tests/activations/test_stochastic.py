"""Random activations in training, against the distributions that they are said to draw from."""

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

import lightning_acts as acts

SAMPLES = 20_000


def draws(spec: str, x: float) -> Tensor:
    """Outputs in training for one input: an element, a sample and a channel of its own each."""
    torch.manual_seed(0)
    module = acts.create(spec).double().train()
    return module(torch.full((SAMPLES, 1), x, dtype=torch.float64)).detach().flatten()


def assert_distributed(values: Tensor, distribution: Callable[[float], float]) -> None:
    """By the test of Kolmogorov and Smirnov; one in a million samples of the right distribution would fail."""
    assert stats.kstest(values.numpy(), distribution).pvalue > 1e-6


def share(values: Tensor, expected: float) -> None:
    """A share of samples, within five standard deviations."""
    assert abs(values.double().mean().item() - expected) < 5 * math.sqrt(expected * (1 - expected) / SAMPLES)


def normal(mean: float, deviation: float) -> Callable[[float], float]:
    return stats.norm(mean, deviation).cdf


def uniform(one: float, other: float) -> Callable[[float], float]:
    low, high = sorted((one, other))
    return stats.uniform(low, high - low).cdf


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("x", [-1.0, 0.0, 2.0])
def test_noise_before_the_relu(x: float) -> None:
    for spec, deviation in (("noisy_relu", math.sqrt(sigmoid(x))), ("rt_relu(sigma=0.5)", 0.5)):
        y = draws(spec, x)
        share(y == 0, stats.norm.cdf(-x / deviation))
        above = stats.norm.cdf(-x / deviation)
        if (y > 0).sum() > 100:
            assert_distributed(
                y[y > 0], lambda v, d=deviation, below=above: (stats.norm.cdf((v - x) / d) - below) / (1 - below)
            )


def test_the_side_is_drawn() -> None:
    y = draws("rt_prelu(sigma=0.5)", -0.3)
    share(y == -0.3, stats.norm.cdf(-0.3 / 0.5))
    assert set(y.tolist()) == {-0.3, -0.3 * 0.25}


@pytest.mark.parametrize("spec", ["elastic_relu(alpha=0.2)", "elastic_prelu(alpha=0.2)"])
def test_the_right_side_is_stretched(spec: str) -> None:
    assert_distributed(draws(spec, 3.0), uniform(3 * 0.8, 3 * 1.2))
    left = {"elastic_relu(alpha=0.2)": 0.0, "elastic_prelu(alpha=0.2)": -0.25}[spec]
    assert set(draws(spec, -1.0).tolist()) == {left}


def test_elastic_elu() -> None:
    k = draws("elastic_elu(eps=0.6)", 2.0) / 2
    assert k.min() >= 0 and k.max() <= 2
    # N(1, s^2), s ~ U(0, eps): the variance is E[s^2] = eps^2 / 3; few are cut at 0 and 2.
    assert abs(k.mean().item() - 1) < 0.01 and abs(k.var().item() - 0.6**2 / 3) < 0.01
    assert stats.kurtosis(k.numpy()) > 0.5  # a mixture of normal distributions, not one of them
    torch.testing.assert_close(draws("elastic_elu", -1.0), torch.full((SAMPLES,), math.expm1(-1.0)).double())


@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_probact(x: float) -> None:
    assert_distributed(draws("probact(sigma=0.3)", x), normal(max(x, 0.0), 0.3))


@pytest.mark.parametrize(("spec", "offset"), [("rrelu", 0.0), ("s_rrelu", 1 / (1 - 2.0) ** 2)])
def test_slopes_of_rrelu(spec: str, offset: float) -> None:
    assert_distributed(draws(f"{spec}(lower=0.1, upper=0.4)", -2.0) - offset, uniform(-0.2, -0.8))
    offset = 0.0 if spec == "rrelu" else 1 / 9
    assert draws(spec, 2.0).unique().item() == pytest.approx(2.0 + offset)


@pytest.mark.parametrize("x", [-2.0, 0.0, 1.0])
def test_stochastic_binary(x: float) -> None:
    y = draws("stochastic_binary", x).round(decimals=9)
    assert set(y.tolist()) == {0.0, 1.0}
    share(y, sigmoid(x))
    point = torch.tensor(x, requires_grad=True)
    acts.create("stochastic_binary").train()(point).backward()
    assert point.grad is not None and point.grad.item() == pytest.approx(sigmoid(x) * sigmoid(-x))


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_draws_by_softmax(hard: bool) -> None:
    torch.manual_seed(0)
    logits = torch.tensor([0.0, 1.0, -1.0, 0.5], dtype=torch.float64)
    y = acts.create("gumbel_softmax", hard=hard, tau=0.5).train()(logits.expand(SAMPLES, 4))
    torch.testing.assert_close(y.sum(-1), torch.ones(SAMPLES, dtype=torch.float64))
    if hard:
        assert set(y.round(decimals=9).unique().tolist()) == {0.0, 1.0}
    for choice, probability in enumerate(torch.softmax(logits, 0).tolist()):
        share(y.argmax(-1) == choice, probability)


def test_one_draw_a_channel() -> None:
    torch.manual_seed(0)
    x = torch.full((3, 4, 5, 6), 2.0)
    for name in ("rt_relu", "elastic_elu"):
        y = acts.create(name).train()(x).detach()
        assert torch.equal(y, y[:, :, :1, :1].expand(y.shape))
        assert len(y[:, :, 0, 0].unique()) == 12


def test_every_random_activation_is_here_and_none_is_random_in_evaluation() -> None:
    shipped = {name for name in acts.names(stochastic=True) if acts.info(name).family != "user"}
    tested = {
        "noisy_relu", "rt_relu", "rt_prelu", "elastic_relu", "elastic_prelu", "elastic_elu", "probact", "rrelu",
        "s_rrelu", "stochastic_binary", "gumbel_softmax",
    }  # fmt: skip
    assert shipped == tested
    x = torch.randn(4, 3, 5)
    for name in shipped:
        module = acts.create(name).eval()
        assert torch.equal(module(x), module(x)), name
