"""Exponential linear activations and their kin: a line on the right, on the left a curve that saturates or decays."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import (
    clip,
    decay,
    expm1,
    negative,
    over_hypot,
    positive,
    sigmoid,
    sinh,
    softplus,
    softsign,
    tanh,
    where,
)
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


register(
    nn.ELU,
    name="elu",
    family="exponential_linear",
    formula="where(x > 0, x, alpha * (exp(x) - 1))",
    source="Clevert, Unterthiner & Hochreiter 2015, arXiv:1511.07289",
    functions=[F.elu, F.elu_],
    notes=["smooth at 0 for alpha=1 only"],
    claim="mean activations closer to zero than relu's, so faster learning",
)

register(
    nn.CELU,
    name="celu",
    family="exponential_linear",
    formula="where(x > 0, x, alpha * (exp(x / alpha) - 1))",
    source="Barron 2017, arXiv:1704.07483",
    functions=[F.celu, F.celu_, torch.celu, torch.celu_],
    requires={"alpha must not be 0": lambda alpha: alpha != 0},
    notes=["continuously differentiable for every alpha", "elsewhere the name also means a concatenated ELU"],
    related=["elu"],
)

register(
    nn.SELU,
    name="selu",
    family="exponential_linear",
    formula="1.0507009873554804934 * where(x > 0, x, 1.6732632423543772848 * (exp(x) - 1))",
    source="Klambauer et al. 2017, arXiv:1706.02515",
    functions=[F.selu, F.selu_, torch.selu, torch.selu_],
    notes=["normalizes itself only with lecun_normal weights, and with AlphaDropout in place of Dropout"],
    claim="deep fully connected networks without normalization layers",
)


@register(
    aliases=["leaky_selu"],
    formula="where(x >= 0, a * x, a * b * expm1(x) + a * c * x)",
    source=_SURVEY + "3.7.12",
)
def lselu(x: Tensor, a: float = _SELU_SCALE, b: float = _SELU_ALPHA, c: float = 0.1) -> Tensor:
    return where(x >= 0, a * x, a * b * expm1(negative(x)) + a * c * x)


@register(
    aliases=["scaled_scaled_elu"],
    formula="where(x >= 0, a * x, a * b * expm1(c * x))",
    source=_SURVEY + "3.7.14",
    requires={"c must be positive": lambda c: c > 0},
    related=["selu"],
)
def sselu(x: Tensor, a: float = _SELU_SCALE, b: float = _SELU_ALPHA, c: float = 1.0) -> Tensor:
    left = clip(x, high=0.0)
    return a * positive(x) + a * b * expm1(c * left)


@register(
    aliases=["parametric_selu"],
    formula="where(x >= 0, a * x, a * b * expm1(x))",
    source=_SURVEY + "4.2.53",
    related=["selu"],
)
def pselu(
    x: Tensor,
    a: float = learnable(_SELU_SCALE, per="channel"),
    b: float = learnable(_SELU_ALPHA, per="channel"),
) -> Tensor:
    return a * positive(x) + a * b * expm1(clip(x, high=0.0))


@register(
    aliases=["leaky_parametric_selu", "lpselu_rp"],
    formula="where(x >= 0, a * x, a * b * expm1(x) + c * x) + m",
    source=_SURVEY + "4.2.54",
    notes=["m, learned too, is what LPSELU_RP adds"],
)
def lpselu(
    x: Tensor,
    a: float = learnable(_SELU_SCALE, per="channel"),
    b: float = learnable(_SELU_ALPHA, per="channel"),
    m: float = learnable(0.0, per="channel"),
    c: float = 0.01,
) -> Tensor:
    return where(x >= 0, a * x, a * b * expm1(negative(x)) + c * x) + m


@register(
    aliases=["shelu", "svelu"],
    formula="where(x + b >= 0, x + b, a * expm1(x + b)) + d",
    source="Grelsson & Felsberg 2018; " + _SURVEY + "4.2.56",
    related=["elu"],
)
def shifted_elu(x: Tensor, a: float = 1.0, b: float = 0.0, d: float = 0.0) -> Tensor:
    y = x + b
    return positive(y) + a * expm1(clip(y, high=0.0)) + d


@register(
    formula="where(x >= 0, a / b * x, a * expm1(x / b))",
    source="Trottier, Giguere & Chaib-draa 2016, arXiv:1605.09332",
    notes=["its authors keep a and b above 0.1"],
    related=["elu"],
)
def pelu(
    x: Tensor,
    a: float = learnable(1.0, per="channel", constraint="positive"),
    b: float = learnable(1.0, per="channel", constraint="positive"),
) -> Tensor:
    return a / b * positive(x) + a * expm1(clip(x, high=0.0) / b)


@register(
    formula="where(x >= 0, x, a * expm1(b * x))",
    source="Li et al. 2016, arXiv:1606.00305",
    notes=["comes with an initialization of its own"],
    related=["elu"],
)
def mpelu(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(1.0, per="channel", constraint="positive"),
) -> Tensor:
    return positive(x) + a * expm1(b * clip(x, high=0.0))


@register(
    aliases=["extended_elu"],
    formula="where(x >= c, x, expm1(a * x) / b)",
    source=_SURVEY + "4.2.44",
    notes=[
        "continuous where b * c = exp(a * c) - 1, as it is for c = 0; no gradient would reach c, which is fixed here"
    ],
    related=["elu"],
)
def edelu(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0), c: float = 0.0) -> Tensor:
    return where(x >= c, x, expm1(a * where(x >= c, 0.0, x)) / b)


@register(
    aliases=["fast_elu"],
    formula="where(x >= 0, x, a * (2**(x / log(2)) - 1))",
    source="Qiumei, Dan & Fenghua 2019; " + _SURVEY + "4.2.46",
    notes=["the power of two is the exponential, evaluated by a trick on bits: the curve is that of elu"],
    related=["elu"],
)
def felu(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return positive(x) + a * expm1(clip(x, high=0.0))


@register(
    aliases=["parametric_fast_elu"],
    formula="where(x >= 0, x + b, a * expm1(x) + b)",
    source=_SURVEY + "4.2.47",
    related=["elu"],
)
def pfelu(x: Tensor, a: float = learnable(1.0), b: float = learnable(0.0)) -> Tensor:
    return positive(x) + a * expm1(clip(x, high=0.0)) + b


@register(
    aliases=["parametric_deformable_elu"],
    formula="where(x >= 0, x, a * (max(1 + (1 - t) * x, 0)**(1 / (1 - t)) - 1))",
    source="Cheng et al. 2020",
    requires={"t must lie between 0 and 1": lambda t: 0 < t < 1},
    notes=["reaches -a at x = -1 / (1 - t)"],
)
def pdelu(x: Tensor, a: float = learnable(1.0, per="channel"), t: float = 0.9) -> Tensor:
    inside = where(x * (1 - t) > -0.5, negative(x), 0.0)
    near = expm1(torch.log1p((1 - t) * inside) / (1 - t))
    far = torch.relu(1 + (1 - t) * negative(x)) ** (1 / (1 - t)) - 1
    return where(x >= 0, x, a * where(x * (1 - t) > -0.5, near, far))


@register(
    formula="a * relu(x) + b * where(x > 0, x, expm1(x)) + (1 - a - b) * -where(x < 0, -x, expm1(-x))",
    source="Jie et al. 2021; " + _SURVEY + "4.2.49",
)
def p_e2_relu(x: Tensor, a: float = learnable(0.4), b: float = learnable(0.3)) -> Tensor:
    left, right = expm1(negative(x)), -expm1(-positive(x))
    c = 1 - a - b
    return where(x > 0, (a + b) * x + c * right, b * left + c * x)


@register(
    formula="a * x + (1 - a) * (where(x > 0, x, expm1(x)) - where(x < 0, -x, expm1(-x)))",
    source="Jie et al. 2021; " + _SURVEY + "4.2.49",
)
def p_e2_id(x: Tensor, a: float = learnable(0.5)) -> Tensor:
    both = where(x > 0, x - expm1(-positive(x)), x + expm1(negative(x)))
    return a * x + (1 - a) * both


@register(
    aliases=["adaptive_combination1"],
    formula="a * where(x >= 0, x, 0.01 * x) + (1 - a) * where(x > 0, x, expm1(x))",
    source="Qian et al. 2018; " + _SURVEY + "4.2.45",
)
def lrelu_elu_mix(x: Tensor, a: float = learnable(0.5)) -> Tensor:
    return where(x >= 0, x, a * 0.01 * x + (1 - a) * expm1(negative(x)))


@register(
    aliases=["adaptive_combination2"],
    formula="sigmoid(g * x) * where(x >= 0, x, s * x) + sigmoid(-g * x) * where(x >= 0, a / b * x, a * expm1(x / b))",
    source="Qian et al. 2018; " + _SURVEY + "4.2.45",
)
def gated_prelu_pelu(
    x: Tensor,
    g: float = learnable(1.0),
    s: float = learnable(0.25),
    a: float = learnable(1.0, constraint="positive"),
    b: float = learnable(1.0, constraint="positive"),
) -> Tensor:
    prelu = where(x >= 0, x, s * x)
    pelu_part = where(x >= 0, a / b * x, a * expm1(negative(x) / b))
    return sigmoid(g * x) * prelu + sigmoid(-g * x) * pelu_part


@register(
    aliases=["rectified_exponential_unit", "suish"],
    formula="where(x >= 0, x, x * exp(x))",
    source="Ying et al. 2019; " + _SURVEY + "3.6.49",
    notes=["its minimum -1/e lies at x = -1"],
    related=["preu"],
)
def reu(x: Tensor) -> Tensor:
    return x * decay(x)


@register(
    aliases=["parametric_reu"],
    formula="a * where(x >= 0, x, x * exp(b * x))",
    source="Ying et al. 2019; " + _SURVEY + "4.2.9",
    related=["reu"],
)
def preu(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(1.0, per="channel", constraint="positive"),
) -> Tensor:
    return a * (x * decay(b * x))


@register(
    aliases=["scaled_exponentially_regularized_linear_unit"],
    formula="lam * where(x >= 0, x, alpha * x * exp(x))",
    source="Zhang & Li 2018, arXiv:1807.10117",
    claim="self-normalizing networks with a response to large negative inputs that vanishes",
)
def serlu(x: Tensor, lam: float = 1.07862, alpha: float = 2.90427) -> Tensor:
    return where(x >= 0, lam * x, x * (lam * alpha * decay(x)))


@register(
    aliases=["exponential_linear_sigmoid_squashing"],
    formula="where(x >= 0, x * sigmoid(x), expm1(x) * sigmoid(x))",
    source="Basirat & Roth 2018, arXiv:1808.00783",
    notes=["found by a genetic search"],
)
def elish(x: Tensor) -> Tensor:
    return sigmoid(x) * where(x >= 0, x, expm1(negative(x)))


@register(
    aliases=["hard_exponential_linear_sigmoid_squashing"],
    formula="where(x >= 0, x, expm1(x)) * clip((x + 1) / 2, 0, 1)",
    source="Basirat & Roth 2018, arXiv:1808.00783",
)
def hard_elish(x: Tensor) -> Tensor:
    gate = where(x >= 1, 1.0, 0.5 * torch.relu(x + 1))
    return where(x >= 0, x, expm1(negative(x))) * gate


@register(
    formula="where(x > 1, x * sigmoid(x) * a + x, where(x >= 0, x, a * expm1(x)))",
    source="Kilicarslan & Celik 2021",
    notes=["jumps by 0.731 * a at x = 1, as it is published"],
)
def rsigelu(x: Tensor, a: float = 0.5) -> Tensor:
    return where(x > 1, x + a * (x * sigmoid(x)), where(x >= 0, x, a * expm1(negative(x))))


@register(
    formula="where(x > 1, x * sigmoid(x) * a + x, where(x >= 0, x, b * expm1(x)))",
    source="Kilicarslan & Celik 2021",
    notes=["jumps by 0.731 * a at x = 1, as it is published"],
    related=["rsigelu"],
)
def rsigelud(x: Tensor, a: float = 0.5, b: float = 0.5) -> Tensor:
    return where(x > 1, x + a * (x * sigmoid(x)), where(x >= 0, x, b * expm1(negative(x))))


@register(
    formula="where(x >= 0, a * x * clip((x + 1) / 2, 0, 1) + x, a * expm1(x))",
    source="Kilicarslan et al.; " + _SURVEY + "3.7.16",
    notes=["the source gives no value of a"],
)
def hard_srelue(x: Tensor, a: float = 0.5) -> Tensor:
    gate = where(x >= 1, 1.0, 0.5 * (positive(x) + 1))
    return where(x >= 0, x + a * x * gate, a * expm1(negative(x)))


@register(
    aliases=["difference_elu"],
    formula="where(x >= 0, x, a * (x * exp(x) - b * exp(b * x)))",
    source="Hu et al.; " + _SURVEY + "3.7.3",
    requires={"b must be positive": lambda b: b > 0},
    notes=["jumps by a * b at 0"],
)
def diff_elu(x: Tensor, a: float = 0.3, b: float = 0.1) -> Tensor:
    left = negative(x)
    return where(x >= 0, x, a * (left * torch.exp(left) - b * torch.exp(b * left)))


@register(
    aliases=["siglu", "max_tanh", "ptelu", "trelu"],
    formula="where(x >= 0, x, a * tanh(b * x))",
    source="Gupta & Duggal 2017; " + _SURVEY + "4.2.30",
    variants={"thlu": {"b": 0.5}},
    notes=["published under at least six names", "smooth at 0 where a * b = 1"],
)
def tanh_negative_linear(x: Tensor, a: float = 1.0, b: float = 1.0) -> Tensor:
    return positive(x) + a * tanh(b * clip(x, high=0.0))


@register(
    formula="where(x >= 0, x, where(x > a, tanh(x), tanh(a)))",
    source="Mercioni & Holban 2020; " + _SURVEY + "4.2.31",
    requires={"a must be negative": lambda a: a < 0},
)
def talu(x: Tensor, a: float = -0.75) -> Tensor:
    return where(x >= 0, x, tanh(x.clamp(min=a)))


@register(
    formula="where(x >= b, x, where(x > a, tanh(x), tanh(a)))",
    source="Mercioni & Holban 2020; " + _SURVEY + "4.2.32",
    notes=["jumps by b - tanh(b) at b; no gradient would reach b, which is fixed here"],
)
def ptalu(x: Tensor, a: Tensor = learnable(-0.75), b: float = 1.0) -> Tensor:
    a = torch.as_tensor(a, dtype=x.dtype, device=x.device)
    return where(x >= b, x, tanh(torch.maximum(x, a)))


@register(
    formula="where(x >= 0, x, a * erf(x))",
    source="Rajanand & Singh 2023; " + _SURVEY + "4.2.52",
)
def erf_relu(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return positive(x) + a * torch.erf(clip(x, high=0.0))


@register(
    formula="where(x >= 0, x, x / sqrt(1 + alpha * x**2))",
    source="Carlile et al. 2017, arXiv:1710.09967",
    aliases=["inverse_square_root_linear_unit"],
    requires={"alpha must be positive": lambda alpha: alpha > 0},
    claim="cheaper than elu",
)
def isrlu(x: Tensor, alpha: float = 1.0) -> Tensor:
    scale: float = alpha**-0.5
    return positive(x) + over_hypot(clip(x, high=0.0), scale) * scale


@register(
    aliases=["fplus", "polynomial_linear_unit"],
    formula="where(x >= 0, x, 1 / (1 - x) - 1)",
    source="Feng & Yang; " + _SURVEY + "3.7.4",
    related=["sign_relu"],
)
def polylu(x: Tensor) -> Tensor:
    return positive(x) + softsign(clip(x, high=0.0))


@register(
    formula="a * where(x >= 0, x, x / (1 - b * x))",
    source="Duan et al.; " + _SURVEY + "4.2.61",
    notes=["the source gives no initial values"],
    related=["sign_relu"],
)
def pfplus(
    x: Tensor, a: float = learnable(1.0, constraint="positive"), b: float = learnable(1.0, constraint="positive")
) -> Tensor:
    return a * (positive(x) + softsign(b * clip(x, high=0.0)) / b)


@register(
    aliases=["power_linear_unit"],
    formula="where(x >= 0, x, (1 - x)**(-a) - 1)",
    source="Li, Ding & Li 2018, arXiv:1802.00212",
    requires={"a must be positive": lambda a: a > 0},
    notes=["its authors try 1, 1.5 and 2"],
)
def polu(x: Tensor, a: float = 1.5) -> Tensor:
    return positive(x) + expm1(-a * torch.log1p(-clip(x, high=0.0)))


@register(
    aliases=["softplus_linear_unit"],
    formula="where(x >= 0, x, 2 * log((exp(x) + 1) / 2))",
    source="Zhao et al. 2018; " + _SURVEY + "3.6.13",
)
def slu(x: Tensor) -> Tensor:
    return positive(x) + 2 * torch.log1p(0.5 * expm1(clip(x, high=0.0)))


@register(
    formula="where(x >= 0, (a + 0.5) * x + 1 - exp(-x), x * sigmoid(x))",
    source="Pishchik 2023; " + _SURVEY + "4.2.39",
)
def delu(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    right = positive(x)
    return where(x >= 0, (a + 0.5) * right - expm1(-right), x * sigmoid(x))


@register(
    aliases=["square_linear_unit"],
    formula="where(x > 0, x, where(x < -2, -1, x + x**2 / 4))",
    source="Wuraola et al. 2021; " + _SURVEY + "3.8.2",
)
def sqlu(x: Tensor) -> Tensor:
    y = where(x < -2, -2.0, negative(x))
    return where(x > 0, x, y * (1 + 0.25 * y))


@register(
    formula="where(x >= 0, expm1(x), -expm1(-x))",
    source="Hafner et al. 2023, arXiv:2301.04104",
    notes=["the inverse of symlog; overflows soon"],
)
def symexp(x: Tensor) -> Tensor:
    return where(x >= 0, expm1(positive(x)), -expm1(-negative(x)))


@register(
    aliases=["sexp"],
    formula="a * expm1(b * x)",
    source="Husain et al. 2019; " + _SURVEY + "4.16.4",
    notes=["overflows soon"],
)
def scaled_exponential(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return a * expm1(b * x)


@register(
    aliases=["ssinh"],
    formula="a * sinh(b * x)",
    source="Husain et al. 2019; " + _SURVEY + "4.16.3",
    notes=["overflows soon"],
)
def scaled_sinh(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return a * sinh(b * x)


@register(
    aliases=["exp"],
    functions=[torch.exp, torch.exp_, Tensor.exp, Tensor.exp_],
    formula="exp(x)",
    source="classic",
    notes=["elsewhere the name also means exp(-x)"],
)
def exponential(x: Tensor) -> Tensor:
    return torch.exp(x)


@register(
    formula="where(x > 0, ap * x**2 + beta * x, an * (expm1(x) - x) + beta * x)",
    source="Huang & Schlag 2024, arXiv:2411.13010",
    notes=["the source stores softplus^-1 of ap, and of an - beta; here both are kept positive"],
    used_in=["Apertus"],
)
def xielu(
    x: Tensor,
    ap: float = learnable(0.8, constraint="positive"),
    an: float = learnable(0.8, constraint="positive"),
    beta: float = 0.5,
) -> Tensor:
    left = negative(x)
    # Far out the line as a whole, for its two parts may overflow where their sum does not.
    below = where(x > -1, an * (expm1(left) - left) + beta * left, an * expm1(left) - (an - beta) * left)
    return where(x > 0, x * (ap * positive(x) + beta), below)


@register(
    formula="a * tanh(b * x) + c * x",
    source="Shen et al. 2022; " + _SURVEY + "4.2.33",
    notes=["the source gives no initial value of c"],
    related=["tanh"],
)
def tanhlu(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(1.0, per="channel"),
    c: float = learnable(0.0, per="channel"),
) -> Tensor:
    return a * tanh(b * x) + c * x


@register(
    formula="x * tanh(where(a * x > 0, a * x, expm1(a * x)))",
    source="Mercioni & Holban 2020; " + _SURVEY + "4.2.34",
    notes=["published as TeLU, a name that tanh_exp has too"],
)
def telu_mercioni(x: Tensor, a: float = 1.0) -> Tensor:
    y = a * x
    return x * tanh(where(y > 0, y, expm1(negative(y))))


@register(
    formula="where(a > 0, expm1(a * x) / a + a, -log(1 - a * (x + a)) / a)",
    source="Godfrey & Gashler 2015, arXiv:1602.01321",
    requires={"a must not be 0: there it is the identity": lambda a: a != 0},
    notes=["not a number for x above 1 / a - a if a is negative; the source gives no initial value"],
)
def soft_exponential(x: Tensor, a: Tensor = learnable(0.5)) -> Tensor:
    a = torch.as_tensor(a, dtype=x.dtype, device=x.device)
    rising = where(a > 0, a, 1.0)
    falling = where(a > 0, -1.0, a)
    # What the other branch would overflow at has no part in its gradient.
    up, down = where(a > 0, x, 0.0), where(a > 0, 0.0, x)
    return where(a > 0, expm1(rising * up) / rising + a, -torch.log(1 - falling * (down + falling)) / falling)


@register(
    formula="(1 - a) * relu(x) + a * softplus(x)",
    source="Chen et al. 2019; " + _SURVEY + "3.19",
    aliases=["rsp"],
    requires={"a must lie between 0 and 1": lambda a: 0 <= a <= 1},
    notes=["a comes from the noise of the layer, and is no random number"],
)
def rand_softplus(x: Tensor, a: float = 0.5) -> Tensor:
    return (1 - a) * torch.relu(x) + a * softplus(x)
