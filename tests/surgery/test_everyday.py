"""Functions with many other uses, such as sin, exp and abs: activations where they stand between layers alone."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.omega, self.act = 30.0, torch.sin
        self.scale = nn.Parameter(torch.zeros(8))
        self.register_buffer("freqs", torch.arange(8.0))


def siren(x: Tensor) -> Tensor:
    return torch.sin(30 * x)


class Siren(Base):
    def forward(self, x):
        return self.b(torch.sin(30 * self.a(x)))


class OwnOmega(Base):
    def forward(self, x):
        return self.b(torch.sin(self.omega * self.a(x)))


class Method(Base):
    def forward(self, x):
        return self.b((2.5 * self.a(x)).sin_())


class Attribute(Base):
    def forward(self, x):
        return self.b(self.act(self.a(x)))


class Helper(Base):
    def forward(self, x):
        return self.b(siren(self.a(x)))


class Snake(Base):
    def forward(self, x):
        h = self.a(x)
        return self.b(h + torch.sin(0.7 * h) ** 2 / 0.7)


class Exponential(Base):
    def forward(self, x):
        return self.b(self.a(x).exp())


class Residual(Base):
    def forward(self, x):
        return self.b(x + torch.atan(self.a(x)))


class Square(Base):
    def forward(self, x):
        return self.b(torch.square(self.a(x)))


class ErrorFunction(Base):
    def forward(self, x):
        return self.b(torch.erf(self.a(x)))


class PositionalEncoding(Base):
    def forward(self, x):
        encoding = torch.sin(torch.arange(8.0)[:, None] * self.freqs)
        return self.b(self.a(x) + encoding[: x.shape[0]])


class TimeEmbedding(Base):
    def forward(self, t):
        angles = t[:, :4] * self.freqs[:4]
        return self.b(self.a(torch.cat([angles.sin(), angles.cos()], -1)))


class Rotary(Base):
    def forward(self, x):
        cos, sin = self.freqs.cos(), self.freqs.sin()
        q, k = self.a(x), self.b(x)
        q, k = q * cos + q.flip(-1) * sin, k * cos + k.flip(-1) * sin
        return self.c((q @ k.T) @ x)


class Variational(Base):
    def forward(self, x):
        mean, log_variance = self.a(x), self.b(x)
        return self.c(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))


class SoftmaxWrittenOut(Base):
    def forward(self, x):
        scores = self.a(x)
        weights = torch.exp(scores - scores.amax(-1, keepdim=True))
        return self.c(weights / weights.sum(-1, keepdim=True) * self.b(x))


class Loss(Base):
    def forward(self, x):
        return torch.abs(self.b(self.a(x)) - x).mean() + self.scale.exp().sum()


class Norm(Base):
    def forward(self, x):
        h = self.a(x)
        h = h * torch.rsqrt(h.square().mean(-1, keepdim=True) + 1e-6)
        return self.b(h / h.abs().amax(-1, keepdim=True))


class KeptForSomethingElse(Base):
    def forward(self, x):
        return self.b(self.a(x)) + self.act(self.freqs)


HIDDEN = {
    Siren: "sine",
    OwnOmega: "sin",
    Method: "sine(omega=2.5)",
    Attribute: "sin",
    Helper: "sine",
    Snake: "snake(alpha=0.7)",
    Exponential: "exponential",
    Residual: "arctan",
    Square: "square",
    ErrorFunction: "erf",
}
OTHER = [
    PositionalEncoding,
    TimeEmbedding,
    Rotary,
    Variational,
    SoftmaxWrittenOut,
    Loss,
    Norm,
    KeptForSomethingElse,
]


@pytest.mark.parametrize("example", [None, torch.randn(3, 8)], ids=["source", "run"])
@pytest.mark.parametrize(("cls", "spec"), HIDDEN.items())
def test_between_layers_they_are_hidden(cls: Callable[[], nn.Module], spec: str, example: Tensor | None) -> None:
    (site,) = acts.find(cls(), example)
    assert (site.activation, site.role) == (spec, "hidden")


@pytest.mark.parametrize("example", [None, torch.randn(3, 8)], ids=["source", "run"])
@pytest.mark.parametrize("cls", OTHER)
def test_elsewhere_they_are_none(cls: Callable[[], nn.Module], example: Tensor | None) -> None:
    assert acts.find(cls(), example) == []


@pytest.mark.parametrize("cls", [Siren, Method, Helper])
def test_a_swap_takes_the_place_of_the_sine_with_its_frequency(cls: Callable[[], Base]) -> None:
    model, x = cls(), torch.randn(3, 8)
    before = model(x)
    report = acts.swap(model, {"sine": "tanh"})
    torch.testing.assert_close(model(x), model.b(torch.tanh(model.a(x))), rtol=0, atol=0)
    report.undo()
    torch.testing.assert_close(model(x), before, rtol=0, atol=0)


def test_sin_is_torchs_and_sine_is_sirens() -> None:
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    assert acts.info("sin") is acts.info(torch.sin) is acts.info(torch.Tensor.sin_)
    torch.testing.assert_close(acts.create("sin")(x), torch.sin(x), rtol=0, atol=0)
    for name in ("sine", "siren"):
        torch.testing.assert_close(acts.create(name)(x), torch.sin(30 * x), rtol=0, atol=0)
    model = OwnOmega()
    acts.swap(model, {torch.sin: "relu"})
    torch.testing.assert_close(model(x.float()[:8]), model.b(F.relu(30 * model.a(x.float()[:8]))), rtol=0, atol=0)


def test_frequencies_of_modules_are_read_to_the_last_digit_that_matters() -> None:
    class Sine(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(math.e * x)

    model = nn.Sequential(nn.Linear(2, 2), Sine(), nn.Linear(2, 2))
    assert [site.activation for site in acts.find(model)] == ["sine(omega=2.7182818)"]


class OfSquare(Base):
    def forward(self, x):
        return self.b(torch.exp(-(self.a(x) ** 2)))


class MethodOfSquare(Base):
    def forward(self, x):
        h = self.a(x)
        return self.b((-h * h).exp())


class ByHand(Base):
    def forward(self, x):
        h = self.a(x).exp()
        return self.b(h / h.sum(-1, keepdim=True))


class OfScores(Base):
    def forward(self, x):
        q = self.a(x)
        h = torch.exp(q - q.amax(-1, keepdim=True))
        return self.b((h / h.sum(-1, keepdim=True)) @ q.T @ q)


WAYS = pytest.mark.parametrize("example", [None, torch.randn(8, 8)], ids=["read", "run"])


@WAYS
@pytest.mark.parametrize("make", [OfSquare, MethodOfSquare])
def test_a_part_of_an_unknown_formula_is_left(make: Callable[[], nn.Module], example: Tensor | None) -> None:
    with pytest.raises(acts.SwapError, match="part of a formula of which no activation is known"):
        acts.swap(make(), {"exponential": "relu"}, example_input=example)


@WAYS
@pytest.mark.parametrize("make", [ByHand, OfScores])
def test_the_exponential_of_a_softmax_by_hand_is_none(make: Callable[[], nn.Module], example: Tensor | None) -> None:
    assert [site.role for site in acts.find(make(), example) if site.role == "hidden"] == []
