"""Sigmoid-like activations: bounded on both sides, or nearly so."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import (
    clip,
    double_exp,
    expm1,
    hypot,
    log_sigmoid,
    modulus,
    negative,
    normal_cdf,
    over_hypot,
    positive,
    sigmoid,
    sinc,
    softplus,
    softplus_rise,
    softsign,
    tanh,
    where,
)
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "

register(
    nn.Sigmoid,
    name="sigmoid",
    aliases=["logistic"],
    family="sigmoid",
    formula="1 / (1 + exp(-x))",
    source="classic",
    functions=[F.sigmoid, torch.sigmoid, torch.sigmoid_, torch.special.expit, Tensor.sigmoid, Tensor.sigmoid_],
    notes=["saturates on both sides, where its gradient vanishes"],
    claim="probabilities and gates",
    used_in=["LSTM", "GRU", "squeeze-and-excitation gates"],
    limits={"derivative": "torch computes it as y * (1 - y), which loses its digits where y is close to 1"},
)

register(
    nn.Tanh,
    name="tanh",
    family="sigmoid",
    formula="tanh(x)",
    source="classic",
    functions=(F.tanh, torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_),
    notes=["equals 2 * sigmoid(2 * x) - 1"],
    used_in=["LSTM", "LeNet-5", "BERT's pooler"],
    limits={"derivative": "torch computes it as 1 - y^2, which loses its digits where |y| is close to 1"},
)

register(
    nn.Softsign,
    kernel=softsign,
    name="softsign",
    aliases=["soft_sign"],
    family="sigmoid",
    formula="x / (1 + abs(x))",
    source="Bergstra et al. 2009; Glorot & Bengio 2010",
    functions=[F.softsign],
    notes=["saturates polynomially, slower than tanh"],
    limits={"derivative": "torch computes it as a difference, which loses its digits far out"},
)


@register(
    aliases=["heaviside", "step"],
    formula="where(x >= 0, 1, 0)",
    source="McCulloch & Pitts 1943",
    notes=["its derivative is 0 everywhere: nothing before it learns"],
)
def binary_step(x: Tensor) -> Tensor:
    return where(x < 0, 0.0, where(x >= 0, 1.0, x))


@register(
    aliases=["signum"],
    functions=[torch.sign, torch.sgn, Tensor.sign, Tensor.sign_, Tensor.sgn, Tensor.sgn_],
    formula="sign(x)",
    source="classic",
    notes=["sign(0) = 0; its derivative is 0 everywhere: see sign_ste for one that lets gradients through"],
    limits={"nan": "torch.sign gives 0"},
)
def sign(x: Tensor) -> Tensor:
    return torch.sign(x)


@register(
    aliases=["gaussian_cdf", "normal_cdf"],
    functions=[torch.special.ndtr],
    formula="Phi(x)",
    source="classic; " + _SURVEY + "3.2",
)
def probit(x: Tensor) -> Tensor:
    return normal_cdf(x)


@register(
    aliases=["gaussian_error_function"],
    functions=[torch.erf, torch.erf_, torch.special.erf, Tensor.erf, Tensor.erf_],
    formula="erf(x)",
    source="classic",
)
def erf(x: Tensor) -> Tensor:
    return torch.erf(x)


@register(
    aliases=["atan"],
    functions=[
        torch.atan,
        torch.arctan,
        torch.atan_,
        torch.arctan_,
        Tensor.atan,
        Tensor.arctan,
        Tensor.atan_,
        Tensor.arctan_,
    ],
    formula="atan(x)",
    source=_SURVEY + "3.2.4",
)
def arctan(x: Tensor) -> Tensor:
    return torch.atan(x)


@register(
    formula="atan(x) / ((1 + sqrt(2)) / 2)",
    source=_SURVEY + "3.2.4",
    notes=["scaled by (1 + sqrt(2)) / 2, which its name takes for the golden ratio"],
)
def arctan_gr(x: Tensor) -> Tensor:
    return torch.atan(x) / ((1 + math.sqrt(2)) / 2)


@register(aliases=["elliott_sigmoid"], formula="x / (2 * (1 + abs(x))) + 1 / 2", source="Elliott 1993")
def elliott(x: Tensor) -> Tensor:
    tail = 0.5 / (1 + modulus(x))
    return where(x >= 0, 1 - tail, tail)


@register(
    aliases=["mef"],
    formula="x / sqrt(x**2 + 1) + 1 / 2",
    source=_SURVEY + "3.8.11",
    notes=["its range is (-0.5, 1.5), not (0, 1)"],
)
def modified_elliott(x: Tensor) -> Tensor:
    return over_hypot(x, 1.0) + 0.5


@register(
    aliases=["inverse_square_root_unit"],
    formula="x / sqrt(1 + alpha * x**2)",
    source="Carlile et al. 2017, arXiv:1710.09967",
    requires={"alpha must be positive": lambda alpha: alpha > 0},
)
def isru(x: Tensor, alpha: float = 1.0) -> Tensor:
    return over_hypot(x, 1 / math.sqrt(alpha)) / math.sqrt(alpha)


@register(formula="a * x / (1 + sqrt(1 + (a * x)**2))", source="Duch & Jankowski 1999; " + _SURVEY + "3.2.25")
def rootsig(x: Tensor, a: float = 1.0) -> Tensor:
    return over_hypot(a * x, 1.0, k=1.0)


@register(
    aliases=["rootsig_plus"],
    formula="a * x / (1 + abs(a * x))",
    source=_SURVEY + "3.2.25",
    related=["softsign"],
)
def scaled_arg_softsign(x: Tensor, a: float = 1.0) -> Tensor:
    return softsign(a * x)


@register(aliases=["gd"], formula="2 * atan(tanh(x / 2))", source="Gudermann 1833")
def gudermannian(x: Tensor) -> Tensor:
    return 2 * torch.atan(tanh(0.5 * x))


@register(aliases=["symmetric_sigmoid"], formula="tanh(x / 2)", source="classic; " + _SURVEY + "3.2.26")
def bipolar_sigmoid(x: Tensor) -> Tensor:
    return tanh(0.5 * x)


@register(
    formula="4 * sigmoid(x) - 2",
    source="Xu, Huang & Li 2016, arXiv:1602.05980",
    related=["shape_autotuning_sigmoid"],
)
def scaled_sigmoid(x: Tensor) -> Tensor:
    return 2 * tanh(0.5 * x)


@register(aliases=["sss"], formula="sigmoid(a * (x - b))", source="Arai & Imamura; " + _SURVEY + "3.2.1")
def shifted_scaled_sigmoid(x: Tensor, a: float = 0.02, b: float = 600.0) -> Tensor:
    return sigmoid(a * (x - b))


@register(
    aliases=["variant_sigmoid_function", "vsf"],
    formula="a * sigmoid(b * x) - c",
    source=_SURVEY + "3.2.2",
    notes=["the source leaves the values open: ours are those of the sigmoid"],
    related=["sigmoid"],
)
def variant_sigmoid(x: Tensor, a: float = 1.0, b: float = 1.0, c: float = 0.0) -> Tensor:
    return a * sigmoid(b * x) - c


@register(
    aliases=["stanh", "scaled_tanh"],
    formula="a * tanh(b * x)",
    source="LeCun, Bottou, Orr & Mueller 1998",
    notes=["f(1) = 1 and f(-1) = -1"],
)
def lecun_tanh(x: Tensor, a: float = 1.7159, b: float = 2 / 3) -> Tensor:
    return a * tanh(b * x)


@register(formula="(sigmoid(x) + sigmoid(x + b)) / 2", source=_SURVEY + "3.2.3")
def bimodal_sigmoid(x: Tensor, b: float = 1.0) -> Tensor:
    return 0.5 * (sigmoid(x) + sigmoid(x + b))


@register(
    formula="sigmoid(x * (1 + a * abs(x)) / (1 + abs(x) * (1 + a * abs(x))))",
    source="Kocak & Ustundag Siray 2021; " + _SURVEY + "3.2.5",
    requires={"a must not be negative": lambda a: a >= 0},
)
def sigmoid_algebraic(x: Tensor, a: float = 1.0) -> Tensor:
    u = modulus(clip(x, -1e18, 1e18))  # beyond, the ratio is 1, and a square would overflow
    y = u * (1 + a * u)
    ratio = where(y < 1, y / (1 + y), 1 - 1 / (1 + y))
    return sigmoid(where(x >= 0, ratio, -ratio))


@register(
    aliases=["ts_sigmoid"],
    formula="sigmoid(x) * (sigmoid(x) + sigmoid(x - a) + sigmoid(x - b))",
    source="Kocak & Ustundag Siray 2021; " + _SURVEY + "3.2.6",
)
def triple_state_sigmoid(x: Tensor, a: float = 20.0, b: float = 40.0) -> Tensor:
    return sigmoid(x) * (sigmoid(x) + sigmoid(x - a) + sigmoid(x - b))


@register(
    aliases=["ils"],
    formula="where(x >= b, a * (x - b) + sigmoid(b), where(x <= -b, a * (x + b) + sigmoid(-b), sigmoid(x)))",
    source="Qin et al. 2018; " + _SURVEY + "3.2.7",
    requires={"b must be positive": lambda b: b > 0},
)
def improved_logistic_sigmoid(x: Tensor, a: float = 0.2, b: float = 2.0) -> Tensor:
    low = 1 / (1 + math.exp(b))
    inside = sigmoid(clip(x, -b, b))
    return where(x >= b, a * (x - b) + (1 - low), where(x <= -b, a * (x + b) + low, inside))


@register(formula="sigmoid(x) + a * x", source="Roodschild et al. 2020; " + _SURVEY + "3.2.8")
def siglin(x: Tensor, a: float = 0.1) -> Tensor:
    return sigmoid(x) + a * x


@register(
    aliases=["ptanh"],
    formula="where(x >= 0, tanh(x), a * tanh(x))",
    source="Xu, Huang & Li 2016, arXiv:1602.05980",
    claim="the best of 21 activations over eight tasks of language in Eger et al. 2018, arXiv:1901.02671",
)
def penalized_tanh(x: Tensor, a: float = 0.25) -> Tensor:
    t = tanh(x)
    return where(x >= 0, t, a * t)


@register(
    aliases=["srs", "saaaf"],
    formula="x / (x / alpha + exp(-x / beta))",
    source="Zhou et al. 2020, arXiv:2003.00547",
    notes=["has a pole once beta >= e * alpha"],
)
def soft_root_sign(
    x: Tensor,
    alpha: float = learnable(2.0, constraint="positive"),
    beta: float = learnable(3.0, constraint="positive"),
) -> Tensor:
    left = torch.exp(negative(x) / beta)
    right = torch.exp(-positive(x) / beta)
    below = positive(x) / alpha + right
    # Far out alpha less a small part, whose derivative keeps its digits.
    above = where(positive(x) > alpha * right, alpha * (1 - right / below), x / below)
    return where(x < 0, x * left / (1 + negative(x) * left / alpha), above)


@register(
    aliases=["sc"],
    formula="(softplus(alpha * x) - softplus(alpha * (x - 1))) / alpha",
    source="Klimek & Perelstein 2018, arXiv:1810.11509",
    requires={"alpha must be positive": lambda alpha: alpha > 0},
    notes=["a smooth form of clip(x, 0, 1)"],
)
def soft_clipping(x: Tensor, alpha: float = 50.0) -> Tensor:
    # On either side of 1/2 the form whose terms are small, for their difference is.
    y = where(x > 0.5, 1 - x, x)
    small = softplus_rise(y, alpha)
    return where(x > 0.5, 1 - small, small)


@register(
    formula="where(x >= 0, -a * expm1(-x / b), c * expm1(x / d))",
    source="Kong & Takatsuka 2017",
    requires={"b and d must be positive": lambda b, d: b > 0 and d > 0},
)
def hexpo(x: Tensor, a: float = 1.0, b: float = 1.0, c: float = 1.0, d: float = 1.0) -> Tensor:
    return where(x >= 0, -a * expm1(-positive(x) / b), c * expm1(negative(x) / d))


@register(
    aliases=["smoothstep"],
    formula="where(x >= a / 2, 1, where(x <= -a / 2, 0, -2 * x**3 / a**3 + 3 * x / (2 * a) + 1 / 2))",
    source=_SURVEY + "3.2.14",
    requires={"a must be positive": lambda a: a > 0},
)
def smooth_step(x: Tensor, a: float = 1.0) -> Tensor:
    t = (0.5 - modulus(x).clamp(max=a / 2) / a).clamp(min=0)  # from 1/2 in the middle to 0 at the ends
    tail = t * t * (3 - 2 * t)
    return where(x >= 0, 1 - tail, tail)


@register(
    formula="sinc(sigmoid(x))",
    source="Kocak et al. 2021; " + _SURVEY + "3.2.16",
    notes=["sinc(x) = sin(x) / x, without pi; decreasing"],
)
def sinc_sigmoid(x: Tensor) -> Tensor:
    return sinc(sigmoid(x))


@register(aliases=["sg"], formula="sigmoid(x) * exp(-exp(-x))", source=_SURVEY + "3.2.17")
def sigmoid_gumbel(x: Tensor) -> Tensor:
    return sigmoid(x) * torch.exp(-double_exp(-x))


@register(
    formula="(exp(x) - exp(-x)) / sqrt(2 * (exp(2 * x) + exp(-2 * x)))",
    source="Kumar & Sodhi; " + _SURVEY + "3.2.18",
)
def new_sigmoid(x: Tensor) -> Tensor:
    t = tanh(x)
    return t / torch.sqrt(2 * (1 + t * t)) * math.sqrt(2)


@register(
    formula="(2**(x / 2) - 2**(-x / 2)) / (2 * sqrt(2) * sqrt(2 * (2**x + 2**(-x))))",
    source=_SURVEY + "3.2.19",
)
def root2sigmoid(x: Tensor) -> Tensor:
    t = tanh(x * (math.log(2) / 2))
    return t / (2 * math.sqrt(2) * torch.sqrt(1 + t * t))


@register(aliases=["gumbel_cdf"], formula="exp(-exp(-x))", source="Gomes & Ludermir; " + _SURVEY + "3.2.20")
def loglog(x: Tensor) -> Tensor:
    return torch.exp(-double_exp(-x))


@register(
    aliases=["complementary_loglog"],
    formula="1 - exp(-exp(-x))",
    source=_SURVEY + "3.2.21",
    notes=["decreasing, as it is published; in statistics the link of this name is 1 - exp(-exp(x))"],
)
def cloglog(x: Tensor) -> Tensor:
    return -expm1(-double_exp(-x))


@register(aliases=["cloglogm"], formula="1 - 2 * exp(-0.7 * exp(-x))", source=_SURVEY + "3.2.21")
def modified_cloglog(x: Tensor) -> Tensor:
    # Its value at 0, rounded once, and what is added to it.
    start = 0.0068293924171809706
    return start - 2 * math.exp(-0.7) * expm1(-0.7 * expm1(-clip(x, low=-80.0)))


@register(
    formula="a * exp(-b * exp(-c * x))",
    source="Gompertz 1825",
    requires={"b and c must be positive": lambda b, c: b > 0 and c > 0},
    related=["loglog"],
)
def gompertz(x: Tensor, a: float = 1.0, b: float = 1.0, c: float = 1.0) -> Tensor:
    return a * torch.exp(-b * double_exp(-c * x))


@register(
    aliases=["multistate_af"],
    formula="a + sigmoid(x - b1) + sigmoid(x - b2)",
    source="Cai et al. 2015; " + _SURVEY + "3.2.24",
    notes=["the source leaves the places of its steps open"],
)
def msaf(x: Tensor, a: float = 0.0, b1: float = 1.0, b2: float = 2.0) -> Tensor:
    return a + sigmoid(x - b1) + sigmoid(x - b2)


@register(
    aliases=["symmetric_multistate_af"],
    formula="-1 + sigmoid(x) + sigmoid(x + a)",
    source=_SURVEY + "3.2.24",
    notes=["the source asks for a well below 0 and gives no value"],
)
def sym_msaf(x: Tensor, a: float = -2.0) -> Tensor:
    # 1 - sigmoid(x) is sigmoid(-x); near the left end the terms are small as they are.
    return where(x > 0, sigmoid(x + a) - sigmoid(-x), sigmoid(x) + sigmoid(x + a) - 1)


@register(
    aliases=["square_nonlinearity"],
    formula="where(x > 2, 1, where(x < -2, -1, x - sign(x) * x**2 / 4))",
    source="Wuraola & Patel 2018",
    claim="a cheap tanh",
)
def sqnl(x: Tensor) -> Tensor:
    y = clip(x, -2.0, 2.0)
    return y * (1 - 0.25 * y.abs())


@register(
    aliases=["square_logistic"],
    formula="where(x > 2, 1, where(x < -2, -1, x - sign(x) * x**2 / 4)) / 2 + 1 / 2",
    source="Wuraola et al. 2021; " + _SURVEY + "3.8.6",
)
def log_sqnl(x: Tensor) -> Tensor:
    tail = 0.125 * (2 - modulus(clip(x, -2.0, 2.0))) ** 2
    return where(x >= 0, 1 - tail, tail)


@register(
    formula="(x / (1 + abs(x)))**2 / 2 + x / (1 + abs(x)) / 2",
    source="Mishra; " + _SURVEY + "3.11",
    notes=["its minimum -1/8 lies at x = -1"],
)
def mishra(x: Tensor) -> Tensor:
    q = softsign(x)
    return 0.5 * q * where(x >= 0, 1 + q, 1 / (1 + negative(x).abs()))


@register(
    formula="1 - (1 + a * exp(x))**(-1 / a)",
    source="Aranda-Ordaz 1981; " + _SURVEY + "3.20",
    requires={"a must be positive": lambda a: a > 0},
)
def aranda_ordaz(x: Tensor, a: float = 2.0) -> Tensor:
    return -expm1(-softplus(x + math.log(a)) / a)


@register(
    aliases=["agumb"],
    formula="1 - (1 + a * exp(x))**(-1 / a)",
    source=_SURVEY + "4.16.7",
    related=["sigmoid"],
)
def adaptive_gumbel(x: Tensor, a: Tensor = learnable(1.0, constraint="positive")) -> Tensor:
    return -expm1(-softplus(x + torch.log(torch.as_tensor(a))) / a)


@register(
    formula="(1 + x / sqrt(x**2 + eps)) / 2",
    source="Pan et al.; " + _SURVEY + "4.55.2",
    requires={"eps must be positive": lambda eps: eps > 0},
)
def step_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    h = hypot(x, math.sqrt(eps))
    tail = 0.5 * (eps / (h + modulus(x))) / h
    return where(x >= 0, 1 - tail, tail)


@register(
    formula="x / sqrt(x**2 + eps)",
    source=_SURVEY + "4.55.2",
    requires={"eps must be positive": lambda eps: eps > 0},
)
def bipolar_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    return over_hypot(x, math.sqrt(eps))


@register(
    formula="x / (1 + sqrt(x**2 + eps))",
    source=_SURVEY + "4.55.17",
    requires={"eps must not be negative": lambda eps: eps >= 0},
)
def softsign_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    return over_hypot(x, math.sqrt(eps), k=1.0) if eps else softsign(x)


@register(
    aliases=["assf", "laaf_sigmoid"],
    formula="sigmoid(a * x)",
    source="Yamada & Yabuta 1992; " + _SURVEY + "4.3.3",
    related=["sigmoid"],
)
def adaptive_slope_sigmoid(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return sigmoid(a * x)


@register(
    aliases=["svaf", "laaf_tanh"],
    formula="tanh(a * x)",
    source="Jagtap, Kawaguchi & Karniadakis 2019, arXiv:1906.01170",
    claim="physics-informed networks: it speeds up their training",
    related=["tanh"],
)
def adaptive_slope_tanh(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return tanh(a * x)


@register(
    aliases=["adaptive_sigmoid"],
    formula="2 * (1 - exp(-a * x)) / (a * (1 + exp(-a * x)))",
    source="Yamada & Yabuta 1992; " + _SURVEY + "4.3",
    related=["scaled_sigmoid"],
)
def shape_autotuning_sigmoid(x: Tensor, a: float = learnable(1.0, constraint="positive")) -> Tensor:
    return 2 / a * tanh(0.5 * a * x)


@register(
    aliases=["generalized_hyperbolic_tangent"],
    formula="a * (1 - exp(-b * x)) / (1 + exp(-b * x))",
    source="Chen & Chang 1996; " + _SURVEY + "4.3.1",
    related=["bipolar_sigmoid"],
)
def generalized_tanh(
    x: Tensor, a: float = learnable(1.0, per="channel"), b: float = learnable(1.0, per="channel")
) -> Tensor:
    return a * tanh(0.5 * b * x)


@register(
    aliases=["psigmoid", "scaled_logistic_sigmoid"],
    formula="a * sigmoid(b * x)",
    source=_SURVEY + "4.3.6",
    related=["sigmoid"],
)
def parametric_sigmoid(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return a * sigmoid(b * x)


@register(
    aliases=["psf"],
    formula="sigmoid(x)**m",
    source="Chandra & Singh 2004; " + _SURVEY + "4.3.7",
    related=["sigmoid"],
)
def parametric_sigmoid_function(x: Tensor, m: float = learnable(1.0, constraint="positive")) -> Tensor:
    return torch.exp(clip(m * log_sigmoid(x), low=-800.0))


@register(
    formula="where(x < -a, -tanh(a) + b * (x + a), where(x > a, tanh(a) + b * (x - a), tanh(x)))",
    source=_SURVEY + "4.3.8",
)
def stac_tanh(x: Tensor, a: Tensor = learnable(1.0, constraint="positive"), b: float = learnable(0.1)) -> Tensor:
    a = torch.as_tensor(a, dtype=x.dtype, device=x.device)
    inside = torch.minimum(torch.maximum(x, -a), a)
    return tanh(inside) + b * where(x > a, x - a, where(x < -a, x + a, 0.0))


@register(
    formula="where(x <= a, (1 - tanh(a)**2) * (x - a) + tanh(a), "
    "where(x >= b, (1 - tanh(b)**2) * (x - b) + tanh(b), tanh(x)))",
    source="Wang et al. 2019; " + _SURVEY + "4.2.36",
    notes=["the source keeps a below -1.5 and b between 0 and 0.5"],
)
def reltanh(x: Tensor, a: Tensor = learnable(-1.5), b: Tensor = learnable(0.0)) -> Tensor:
    a, b = (torch.as_tensor(end, dtype=x.dtype, device=x.device) for end in (a, b))
    inside = tanh(torch.minimum(torch.maximum(x, a), b))
    left = torch.tanh(a) + (1 - torch.tanh(a) ** 2) * (x - a)
    right = torch.tanh(b) + (1 - torch.tanh(b) ** 2) * (x - b)
    return where(x <= a, left, where(x >= b, right, inside))


@register(
    aliases=["sigmoid_tanh"],
    formula="where(x >= 0, tanh(x / 2), tanh(x))",
    source="Guevara et al.; " + _SURVEY + "3.2.26",
    notes=["one of a family that joins two sigmoids at 0: the bipolar sigmoid on the right, tanh on the left"],
)
def saturated_pair_combo(x: Tensor) -> Tensor:
    return tanh(where(x >= 0, 0.5 * x, x))


@register(
    aliases=["silu_derivative"],
    formula="sigmoid(x) * (1 + x * (1 - sigmoid(x)))",
    source="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
    claim="value-based reinforcement learning",
)
def dsilu(x: Tensor) -> Tensor:
    return sigmoid(x) * (1 + x * sigmoid(-x))


@register(
    formula="(1 + erf((x - mu) / (sigma * sqrt(2)))) / 2",
    source="Ma et al. 2022, arXiv:2209.10655",
    notes=["a normal distribution function despite its name; stands in for the square of relu"],
    requires={"sigma must be positive": lambda sigma: sigma > 0},
    used_in=["Mega"],
)
def laplace(x: Tensor, mu: float = 0.707107, sigma: float = 0.282095) -> Tensor:
    return normal_cdf((x - mu) / sigma)


@register(
    aliases=["dynamic_tanh"],
    formula="gamma * tanh(alpha * x) + beta",
    source="Zhu et al. 2025, arXiv:2503.10622",
    notes=["stands in for layer normalization; gamma and beta are one a feature, of the last dimension"],
    claim="transformers without normalization",
    related=["bipolar_sigmoid"],
)
def dyt(
    x: Tensor,
    alpha: float = learnable(0.5, dim=-1),
    gamma: float = learnable(1.0, per="channel", dim=-1),
    beta: float = learnable(0.0, per="channel", dim=-1),
) -> Tensor:
    return gamma * tanh(alpha * x) + beta
