"""Softplus-like activations: smooth forms of rectifiers, of moduli and of steps, and logarithms."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import (
    asinh,
    clip,
    expm1,
    hypot,
    log_cosh,
    log_sigmoid,
    modulus,
    negative,
    positive,
    softplus,
    total,
    where,
    with_slope,
)
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
_EPS = {"eps must be positive": lambda eps: eps > 0}

register(
    nn.Softplus,
    name="softplus",
    family="softplus",
    formula="log(1 + exp(beta * x)) / beta",
    source="Dugas et al. 2001",
    functions=[F.softplus],
    from_output=lambda beta, threshold: lambda gradient, y: -gradient * torch.expm1(-beta * y),
    requires={"beta must not be 0": lambda beta: beta != 0},
    notes=["torch switches to x where beta * x > threshold: off by 2e-9 in float64 there, second derivative 0"],
    used_in=["NeuS (beta=100)", "mip-NeRF", "scale parameters of distributions"],
    limits={
        "value": "beyond the threshold torch gives x, off by 2e-9 in float64",
        "derivative": "beyond the threshold torch gives 1, off by 2e-9 in float64",
    },
)

register(
    nn.LogSigmoid,
    kernel=log_sigmoid,
    name="logsigmoid",
    aliases=["log_sigmoid"],
    family="softplus",
    formula="-log(1 + exp(-x))",
    source="classic",
    functions=[F.logsigmoid],
    from_output=lambda: lambda gradient, y: -gradient * torch.expm1(y),
    limits={
        "memory formats": "torch's does not keep channels_last",
        "onnx": "exported as log(sigmoid(x)), which is minus infinity for very negative inputs",
    },
)


@register(
    aliases=["ssp"],
    formula="log(1 + exp(x)) - log(2)",
    source="Schutt et al. 2017, arXiv:1706.08566",
    used_in=["SchNet"],
    claim="atomistic networks, which need smooth potentials",
)
def shifted_softplus(x: Tensor) -> Tensor:
    # From the side on which log(2) is not taken from something large.
    return positive(x) + torch.log1p(0.5 * expm1(-modulus(x)))


@register(
    aliases=["psoftplus"],
    formula="a * (softplus(x) - b)",
    source="Sun et al. 2020; " + _SURVEY + "3.18",
    notes=["b is log(2), so that f(0) = 0"],
)
def parametric_softplus(x: Tensor, a: float = 1.5, b: float = 0.6931471805599453) -> Tensor:
    return a * (shifted_softplus(x) + (math.log(2) - b))


@register(
    aliases=["softpp"],
    formula="softplus(a * x) + x / b - log(2)",
    source="Ciuparu, Nagy-Dabacan & Muresan 2020",
    requires={"a and b must not be 0": lambda a, b: a != 0 and b != 0},
)
def soft_plus_plus(x: Tensor, a: float = 1.0, b: float = 2.0) -> Tensor:
    return shifted_softplus(a * x) + x / b


@register(
    formula="(x + sqrt(x**2 + b)) / 2",
    source="Barron 2021, arXiv:2112.11687",
    requires={"b must be positive": lambda b: b > 0},
    notes=["b = 4 in jax and keras", "b = 4 * log(2)^2 gives the value of softplus at 0"],
    claim="a softplus without exponentials",
    from_output=lambda b: lambda gradient, y: gradient / (1 + (math.sqrt(b / 4) / y).square()),
)
def squareplus(x: Tensor, b: float = 4.0) -> Tensor:
    h, u = hypot(x, math.sqrt(b)), modulus(x)
    return where(x >= 0, 0.5 * h + 0.5 * u, 0.25 * b / (0.5 * h + 0.5 * u))


@register(
    formula="where(x <= -1, 0, where(x >= 1, x, (x + 1)**2 / 4))",
    source="Blondel, Martins & Niculae 2019, arXiv:1901.02324",
    related=["smelu"],
)
def sparse_plus(x: Tensor) -> Tensor:
    return where(x >= 1, x, 0.25 * torch.relu(where(x >= 1, 1.0, x) + 1) ** 2)


@register(
    aliases=["smooth_relu"],
    formula="where(x <= -beta, 0, where(x >= beta, x, (x + beta)**2 / (4 * beta)))",
    source="Shamir et al. 2022, arXiv:2202.06499",
    requires={"beta must be positive": lambda beta: beta > 0},
    notes=["Huber's hinge"],
    claim="reproducible predictions",
    related=["sparse_plus"],
)
def smelu(x: Tensor, beta: float = 1.0) -> Tensor:
    return where(x >= beta, x, torch.relu(where(x >= beta, beta, x) + beta) ** 2 / (4 * beta))


@register(
    formula="where(x <= -0.5, 0, where(x >= 0.5, x, (x + 0.5)**2 / 2))",
    source="Wuraola, Patel & Nguang 2021",
    notes=["as in its authors' code; the survey prints another middle part, which jumps"],
)
def sq_softplus(x: Tensor) -> Tensor:
    return smelu(x, 0.5)


@register(
    formula="where(x > 0, x + x**2 / 32, where(x < -2, 0, x + x**2 / 2))",
    source="Wuraola, Patel & Nguang 2021; " + _SURVEY + "3.8.3",
)
def squish(x: Tensor) -> Tensor:
    left = where(x < -2, -2.0, negative(x))
    return where(x > 0, x * (1 + positive(x) / 32), left * (1 + 0.5 * left))


@register(
    formula="where(x > 0, x, where(x < -2, 0, x + x**2 / 2))",
    source="Wuraola, Patel & Nguang 2021; " + _SURVEY + "3.8.4",
    related=["hard_mish"],
)
def sqreu(x: Tensor) -> Tensor:
    left = where(x < -2, -2.0, negative(x))
    return where(x > 0, x, left * (1 + 0.5 * left))


@register(
    aliases=["sqrtsoftplus"],
    formula="sqrt(softplus(x))",
    source="transformers, DeepSeek V4's router",
)
def sqrt_softplus(x: Tensor) -> Tensor:
    # On the left exp(x / 2) times a factor that stays close to 1: neither underflows under a root.
    left = negative(x)
    e = torch.exp(left)
    ratio = where(e < 1e-3, 1 - e / 2 + e * e / 3 - e**3 / 4 + e**4 / 5, torch.log1p(e) / where(e < 1e-3, 1.0, e))
    return where(x > 0, torch.sqrt(softplus(positive(x))), torch.exp(0.5 * left) * torch.sqrt(ratio))


@register(
    aliases=["bent_id"],
    formula="(sqrt(x**2 + 1) - 1) / 2 + x",
    source=_SURVEY + "3.10",
)
def bent_identity(x: Tensor) -> Tensor:
    h = hypot(x, 1.0)
    return x + 0.5 * x * (x / (h + 1))


@register(
    aliases=["bendable_linear_unit"],
    formula="a * (sqrt(x**2 + 1) - 1) + x",
    source="Godfrey 2019; " + _SURVEY + "4.2.37",
    notes=["the source gives no initial value"],
)
def blu(x: Tensor, a: float = learnable(0.25, per="channel", constraint=(-1.0, 1.0))) -> Tensor:
    return x + a * x * (x / (hypot(x, 1.0) + 1))


@register(aliases=["vrelu_plus", "mollified_abs"], formula="sqrt(x**2 + eps)", source=_SURVEY + "4.55.4", requires=_EPS)
def smooth_abs(x: Tensor, eps: float = 0.01) -> Tensor:
    return hypot(x, math.sqrt(eps))


@register(
    aliases=["lrelu_plus"],
    formula="((1 + a) * x + sqrt(((1 - a) * x)**2 + mu**2)) / 2",
    source="Biswas et al. 2021, arXiv:2111.04682; " + _SURVEY + "4.55.3",
    notes=["mu is so small that it has the curve of leaky_relu with a slope of 0.25"],
    related=["prelu"],
)
def smu1(x: Tensor, a: float = 0.25, mu: Tensor = learnable(4.352665993287951e-09)) -> Tensor:
    # In a half type mu is 0.
    mu = torch.as_tensor(mu, dtype=x.dtype, device=x.device).abs().clamp(min=1e-18)
    h, u = hypot((1 - a) * x, mu), modulus((1 - a) * x)
    rest = mu * (mu / (h + u))
    return where(x >= 0, x + 0.5 * rest, a * x + 0.5 * rest)


@register(
    formula="x + (sqrt((x - a)**2 + eps) - sqrt((x + a)**2 + eps)) / 2",
    source=_SURVEY + "4.55.5",
    requires=_EPS,
)
def soft_shrink_plus(x: Tensor, a: float = 0.5, eps: float = 0.01) -> Tensor:
    beyond = _spread(modulus(x), abs(a), eps)
    return x * ((beyond + (abs(a) - a)) / (beyond + abs(a)))


def _rest(y: Tensor, eps: float) -> Tensor:
    """sqrt(y^2 + eps) - |y|."""
    return 0.5 * eps / (0.5 * hypot(y, math.sqrt(eps)) + 0.5 * modulus(y))


def _spread(u: Tensor, a: float, eps: float) -> Tensor:
    """Return the mean of sqrt((u - a)^2 + eps) and sqrt((u + a)^2 + eps), less a; for u and a that are not negative."""
    far = positive(u - a) + 0.5 * (_rest(u - a, eps) + _rest(u + a, eps))
    if not 0 < a < 1e9:  # its fourth power has to be finite
        return far
    # Around 0 the derivatives of the two nearly cancel: there it is written as a function of u^2, without differences.
    near = u < 0.5 * a
    square = where(near, u, 0.0) ** 2
    least = 2 * eps * (square + a * a) + eps * eps
    more = least / (torch.sqrt((square - a * a) ** 2 + least) + a * a - square)
    lift = 0.5 * (eps + more)
    return where(near, lift / (torch.sqrt(a * a + lift) + a), far)


def _rounded_clip(x: Tensor, t: float | Tensor, eps: float) -> Tensor:
    """Return the quotient of x and the mean of sqrt((x - t)^2 + eps) and sqrt((x + t)^2 + eps).

    Far out as 1 less a small part.
    """
    root = math.sqrt(eps)
    edge = t + 0.5 * root
    near = x.abs() < edge
    start = where(near, x, 0.0)
    u = modulus(where(near, edge, x))
    end = 1 - (_rest(u - t, eps) + _rest(u + t, eps)) / (hypot(u - t, root) + hypot(u + t, root))
    mean = 0.5 * hypot(start - t, root) + 0.5 * hypot(start + t, root)
    return where(near, start / mean, where(x >= 0, end, -end))


@register(
    formula="-a + (sqrt((x - a)**2 + eps) + sqrt((x + a)**2 + eps)) / 2",
    source=_SURVEY + "4.55.6",
    requires=_EPS,
    notes=["the source gives no value of a"],
)
def pan_plus(x: Tensor, a: float = 0.5, eps: float = 0.01) -> Tensor:
    return _spread(modulus(x), abs(a), eps) + (abs(a) - a)


@register(
    formula="(1 + sqrt(x**2 + eps) - sqrt((x - 1)**2 + eps)) / 2",
    source=_SURVEY + "4.55.7",
    requires=_EPS,
    notes=["a smooth clip(x, 0, 1)"],
)
def brelu_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    # Before the functions that use it: torch.compile reads what they close over when they are made.
    far = math.sqrt(torch.finfo(x.dtype).max) / 4

    def roots(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = x.clamp(-far, far)  # beyond, it is flat, and a square may overflow
        return x, x - 1, torch.sqrt(x * x + eps), torch.sqrt((x - 1).square() + eps)

    def slope(x: Tensor) -> Tensor:
        x, y, h, k = roots(x)
        # Between 0 and 1 both terms are positive; elsewhere they nearly cancel, so that they are put in one fraction.
        apart = eps * (x + y) / (h * k * (x * k + y * h))
        return 0.5 * where((x - 0.5).abs() < 0.5, x / h - y / k, apart)

    @with_slope(slope)
    def value(x: Tensor) -> Tensor:
        x, y, h, k = roots(x)
        # x + sqrt(x^2 + eps) without cancellation, and the same of x - 1.
        rises = total([2 * F.relu(x), 2 * F.relu(y), eps / (h + x.abs()), eps / (k + y.abs())])
        return rises / (2 * (h + k))

    return value(x)


@register(
    formula="a * x + (a - 1) / 2 * (sqrt((x - t)**2 + eps) - sqrt((x + t)**2 + eps))",
    source=_SURVEY + "4.55.8",
    requires=_EPS,
    notes=["a smooth srelu, symmetric; the source gives no initial values"],
)
def srelu_plus(
    x: Tensor, a: float = learnable(0.1), t: Tensor = learnable(1.0, constraint="positive"), eps: float = 0.01
) -> Tensor:
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    return a * x + (1 - a) * (t * _rounded_clip(x, t, eps))


@register(
    formula="(x + sqrt(x**2 + eps)) / 2 + (expm1(x) / a + sqrt((expm1(x) / a)**2 + eps)) / 2",
    source=_SURVEY + "4.55.13",
    requires={**_EPS, "a must be positive": lambda a: a > 0},
    notes=["as it is published it grows like exp(x): no smooth elu; overflows soon"],
)
def elu_plus(x: Tensor, a: float = 1.0, eps: float = 0.01) -> Tensor:
    steep = where(x > 42, expm1(x) / a, _smooth_relu(expm1(clip(x, high=44.0)) / a, eps))
    return _smooth_relu(x, eps) + steep


def _smooth_relu(y: Tensor, eps: float) -> Tensor:
    """(y + sqrt(y^2 + eps)) / 2."""
    return positive(y) + 0.5 * _rest(y, eps)


@register(
    formula="log(1 - exp(-x))",
    source="Maechler 2012; jax.nn.log1mexp",
    notes=["for positive inputs; not a number for others"],
    limits={"first derivative": "defined for positive inputs only"},
)
def log1mexp(x: Tensor) -> Tensor:
    near = torch.log(-expm1(-clip(x, high=1.0)))
    return where(x < 0.7, near, torch.log1p(-torch.exp(-clip(x, 0.5, 800.0))))


@register(
    formula="(sqrt((x + 1)**2 + eps) - sqrt((x - 1)**2 + eps)) / 2",
    source=_SURVEY + "4.55.9",
    requires=_EPS,
    notes=["a smooth hardtanh"],
)
def hard_tanh_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    return _rounded_clip(x, 1.0, eps)


@register(
    formula="x * (1 + ((x - a) / sqrt((x - a)**2 + eps) - (x + a) / sqrt((x + a)**2 + eps)) / 2)",
    source=_SURVEY + "4.55.10",
    requires={**_EPS, "a must not be negative": lambda a: a >= 0},
)
def hard_shrink_plus(x: Tensor, a: float = 0.5, eps: float = 0.01) -> Tensor:
    u = modulus(x)
    above, below = _tail(u + a, eps), _tail(u - a, eps)
    return 0.5 * x * (where(u >= a, 2 - below, below) + above)


def _tail(y: Tensor, eps: float) -> Tensor:
    """1 - |y| / sqrt(y^2 + eps)."""
    h = hypot(y, math.sqrt(eps))
    return 0.5 * eps / h / (0.5 * h + 0.5 * modulus(y))


@register(
    formula="(x + x**2 / sqrt(x**2 + eps)) / 2",
    source=_SURVEY + "4.55.14",
    requires=_EPS,
)
def swish_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    tail = 0.5 * _tail(x, eps)
    return x * where(x >= 0, 1 - tail, tail)


@register(
    formula="x * log(1 + (1 + x / sqrt(x**2 + eps)) / 2)",
    source=_SURVEY + "4.55.16",
    requires=_EPS,
)
def logish_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    tail = 0.5 * _tail(x, eps)
    return x * torch.log1p(where(x >= 0, 1 - tail, tail))


@register(
    formula="log(1 + a**(b * x)) / (b * log(a))",
    source=_SURVEY + "4.24",
    requires={"a must be above 1": lambda a: a > 1, "b must be positive": lambda b: b > 0},
    notes=["a softplus with beta = b * log(a): its parameters are not independent, so they are fixed here"],
)
def generalized_relu(x: Tensor, a: float = 2.0, b: float = 1.0) -> Tensor:
    beta = b * math.log(a)
    return softplus(beta * x) / beta


@register(
    formula="sqrt((x - a)**2 + b**2)",
    source=_SURVEY + "4.25",
    notes=["the source gives no initial values"],
)
def multiquadric(
    x: Tensor, a: float = learnable(0.0, per="channel"), b: Tensor = learnable(1.0, per="channel")
) -> Tensor:
    return hypot(x - a, b)


@register(aliases=["log_cosh"], formula="log(cosh(x))", source="classic")
def logcosh(x: Tensor) -> Tensor:
    return log_cosh(x)


@register(
    formula="where(x >= 0, log(cosh(x) + x * cosh(x / 2)), log(cosh(x)) + x)",
    source="Abdel-Nabi et al. 2023; " + _SURVEY + "3.37",
)
def hclsh(x: Tensor) -> Tensor:
    return _hclsh(x)


def _slope_of_hclsh(x: Tensor) -> Tensor:
    right = x.clamp(0.0, 3e3)  # beyond, it is 1
    e, square = torch.exp(-0.5 * right), torch.exp(-2 * x.abs())
    sum, difference = e + e**3, e - e**3
    rising = (1 - square) + (sum + 0.5 * right * difference)
    return where(x < 0, 2 * square, rising) / ((1 + square) + right * sum)


@with_slope(_slope_of_hclsh)
def _hclsh(x: Tensor) -> Tensor:
    # exp(x) / 2 times something on the right, whose two terms tend to -2x and 2x at 0, beside x.
    right = x.clamp(0.0, 3e3)
    e = torch.exp(-0.5 * right)
    return F.relu(x) + torch.log1p(0.5 * (torch.expm1(-2 * x.abs()) + right * (e * (1 + e * e))))


@register(
    aliases=["universal_activation"],
    formula="softplus(a * (x + b) + c * x**2) - softplus(d * (x - b)) + e",
    source="Yuen, Hoang, Dong & Lu 2020, arXiv:2011.03842",
    notes=["the initial values are those of its sigmoid, rounded to one digit"],
)
def uaf(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(0.5, per="channel"),
    c: float = learnable(0.0, per="channel"),
    d: float = learnable(1.0, per="channel"),
    e: float = learnable(0.0, per="channel"),
) -> Tensor:
    rising, falling = a * (x + b) + x * (c * x), d * (x - b)
    # softplus(y) = y + softplus(-y): the parts that grow are taken from each other first.
    far = (a - d) * x + (a + d) * b + x * (c * x) + (softplus(-rising) - softplus(-falling))
    return where((rising > 0) & (falling > 0), far, softplus(rising) - softplus(falling)) + e


@register(
    aliases=["laf", "logarithmic", "signed_log1p"],
    formula="where(x >= 0, log(1 + x), -log(1 - x))",
    source="Hafner et al. 2023, arXiv:2301.04104; Bilski 2000",
    used_in=["DreamerV3"],
    claim="targets of any scale",
)
def symlog(x: Tensor) -> Tensor:
    y = torch.log1p(modulus(x))
    return where(x >= 0, y, -y)


@register(
    name="asinh",
    aliases=["arcsinh"],
    functions=[
        torch.asinh,
        torch.arcsinh,
        torch.asinh_,
        torch.arcsinh_,
        Tensor.asinh,
        Tensor.arcsinh,
        Tensor.asinh_,
        Tensor.arcsinh_,
    ],
    formula="asinh(x)",
    source="classic",
    notes=["a smooth symlog"],
)
def plain_asinh(x: Tensor) -> Tensor:
    return torch.asinh(x)


@register(
    aliases=["sqrt"],
    formula="sign(x) * sqrt(abs(x))",
    source="Yang et al. 2018; " + _SURVEY + "3.9",
    notes=["its slope at 0 is infinite; 0 is computed there"],
)
def signed_sqrt(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.sqrt(where(x == 0, 1.0, x.abs()))


@register(
    aliases=["modified_arcsinh"],
    formula="asinh(x) * sqrt(abs(x)) / 12",
    source="Parisi 2020",
)
def m_arcsinh(x: Tensor) -> Tensor:
    u = modulus(x)
    root = where(u > 0, torch.sqrt(where(u > 0, u, 1.0)), 0.0)  # no infinite slope at 0
    return asinh(x) * root / 12
