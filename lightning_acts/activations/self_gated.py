"""Self-gated activations: x times a smooth gate of x."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_acts.definition import learnable
from lightning_acts.elementary import (
    clip,
    cos,
    decay,
    double_exp,
    expm1,
    hypot,
    modulus,
    negative,
    normal_cdf,
    positive,
    sech,
    sigmoid,
    sin,
    softplus,
    softsign,
    tanh,
    tanh_softplus,
    where,
    with_slope,
)
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "
_VERMA = "Verma, Chug & Singh; " + _SURVEY

register(
    nn.SiLU,
    name="silu",
    family="self_gated",
    formula="x * sigmoid(x)",
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415; Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
    aliases=["swish", "sil"],
    functions=[F.silu],
    notes=["Swish with beta=1, which most libraries call swish; its minimum lies at x = -1.27846"],
    claim="found by a search over activations for image classification (Ramachandran et al. 2017)",
    used_in=["EfficientNet", "YOLOv5", "diffusion U-Nets", "LLaMA (SwiGLU)"],
    limits={"derivative": "torch computes it with 1 - sigmoid(x), which loses its digits for large x"},
)


_GELU_LINEAR = math.sqrt(8 / math.pi)
_GELU_CUBIC = 0.044715 * _GELU_LINEAR


def _gelu(x: Tensor, approximate: str) -> Tensor:
    return x * (0.5 * (1 + torch.erf(x * math.sqrt(0.5)))) if approximate == "none" else _gelu_tanh(x)


def _slope_of_gelu_tanh(x: Tensor) -> Tensor:
    x = x.clamp(-100.0, 100.0)  # beyond, the cube may overflow, and the slope is flat
    square = x * x
    e = torch.exp((x * (_GELU_LINEAR + _GELU_CUBIC * square)).clamp(max=80.0))
    inverse = 1 / (1 + e)
    return e * inverse * (1 + x * (_GELU_LINEAR + 3 * _GELU_CUBIC * square) * inverse)


@with_slope(_slope_of_gelu_tanh)
def _gelu_tanh(x: Tensor) -> Tensor:
    # A sigmoid of one exponential; to branch by the sign takes as long again, once compiled.
    e = torch.exp((x * (_GELU_LINEAR + _GELU_CUBIC * (x * x))).clamp(max=80.0))
    return x * (e / (1 + e))


register(
    nn.GELU,
    kernel=_gelu,
    name="gelu",
    family="self_gated",
    formula="x * Phi(x)",
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    functions=[F.gelu],
    requires={"approximate must be 'none' or 'tanh'": lambda approximate: approximate in ("none", "tanh")},
    variants={
        name: {"approximate": "tanh"}
        for name in (
            "gelu_tanh",
            "gelu_new",
            "gelu_fast",
            "gelu_accurate",
            "gelu_pytorch_tanh",
            "gelu_python_tanh",
            "sielu",
        )
    },
    aliases=["gelu_python"],
    notes=[
        "approximate=tanh: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), off by up to 4.7e-4",
        "torch and keras compute the exact form by default, jax.nn.gelu the tanh form",
        "its minimum lies at x = -0.75179",
    ],
    used_in=["BERT", "GPT-2", "ViT", "ConvNeXt"],
    limits={
        "value": "torch computes 1 + erf(x / sqrt(2)), which loses its digits for x below -4",
        "derivative": "torch computes 1 + erf(x / sqrt(2)), which loses its digits for x below -4",
        "infinity": "at infinity torch's vectorized float32 form gives NaN; in float64, or for one element, infinity",
    },
)


def _mish(x: Tensor) -> Tensor:
    return x * tanh_softplus(x)


register(
    nn.Mish,
    kernel=_mish,
    name="mish",
    family="self_gated",
    formula="x * tanh(softplus(x))",
    source="Misra 2019, arXiv:1908.08681",
    functions=[F.mish],
    notes=["its minimum lies at x = -1.19245"],
    used_in=["YOLOv4"],
    limits={"derivative": "torch computes it with 1 - tanh^2, which loses its digits for large x"},
)


@register(
    formula="x * sigmoid(beta * x)",
    source="Ramachandran, Zoph & Le 2017, arXiv:1710.05941",
    aliases=["psilu", "acon_a"],
    notes=["swish as it was published; with beta=1, as all libraries mean the word, it is silu"],
    related=["silu"],
)
def beta_swish(x: Tensor, beta: float = learnable(1.0)) -> Tensor:
    return x * sigmoid(beta * x)


@register(
    formula="beta * x * sigmoid(x)",
    source="Alcaide 2018, arXiv:1801.07145",
    notes=["its author tries values from 1 to 2"],
)
def e_swish(x: Tensor, beta: float = 1.5) -> Tensor:
    return x * (beta * sigmoid(x))


@register(
    formula="a * x * sigmoid(b * x)",
    source="Bodyanskiy & Kostiuk 2022; " + _SURVEY + "4.4.2",
    related=["silu"],
)
def ahaf(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return x * (a * sigmoid(b * x))


@register(
    formula="x * (sigmoid(a * x) - b) / (1 - b)",
    source=_SURVEY + "4.4.3",
    notes=["the source gives no initial values"],
)
def pssilu(x: Tensor, a: float = learnable(1.0), b: float = learnable(0.3, constraint=(-1.0, 1.0))) -> Tensor:
    return x * ((sigmoid(a * x) - b) / (1 - b))


@register(
    aliases=["sigmoid_gelu"],
    formula="x * sigmoid(1.702 * x)",
    source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
    notes=["off from gelu by up to 0.0203"],
    used_in=["CLIP", "GPT (by OpenAI)"],
)
def quick_gelu(x: Tensor) -> Tensor:
    return x * sigmoid(1.702 * x)


@register(
    formula="clip(x * Phi(x), low, high)",
    variants={"gelu_10": {"low": -10.0, "high": 10.0}},
    source="Wu et al. 2020, arXiv:2004.09602",
    requires={"low must be below high": lambda low, high: low < high},
    claim="integer quantization",
)
def clipped_gelu(x: Tensor, low: float = -10.0, high: float = 10.0) -> Tensor:
    return (x * normal_cdf(x)).clamp(low, high)


@register(
    aliases=["parametric_gelu"],
    formula="x * Phi(x / a)",
    source=_SURVEY + "4.9",
    related=["gelu"],
)
def pgelu(x: Tensor, a: float = learnable(1.0, constraint="positive")) -> Tensor:
    return x * normal_cdf(x / a)


@register(
    aliases=["symmetric_gelu"],
    formula="a * x * erf(x / sqrt(2))",
    source="Yu & Su 2019, arXiv:1911.03925",
    notes=["even; the source gives no value of a"],
)
def sgelu(x: Tensor, a: float = 1.0) -> Tensor:
    return x * (a * torch.erf(clip(x, -40.0, 40.0) * math.sqrt(0.5)))


@register(
    aliases=["cauchy_lu", "atlu"],
    formula="x * (atan(x) / pi + 1 / 2)",
    source="Huang 2024, arXiv:2405.20768; " + _SURVEY + "3.3.3",
    notes=["tends to -1 / pi on the left"],
)
def calu(x: Tensor) -> Tensor:
    return _calu(x)


def _angle(x: Tensor) -> Tensor:
    """atan(x) + pi / 2, without cancellation."""
    return torch.atan2(torch.ones_like(x), -x)


def _slope_of_calu(x: Tensor) -> Tensor:
    angle = 2 * _angle(x)  # twice of which x is the negative cotangent: the slope is (angle - sin(angle)) / (2 pi)
    small = clip(angle, high=1.0)
    square, series = small * small, torch.ones_like(x)
    for factor in (342.0, 272.0, 210.0, 156.0, 110.0, 72.0, 42.0, 20.0):
        series = 1 - square * (series / factor)
    return where(angle < 1, small * square / 6 * series, angle - torch.sin(angle)) / (2 * math.pi)


@with_slope(_slope_of_calu)
def _calu(x: Tensor) -> Tensor:
    x = x.clamp(min=-1e18)  # beyond, it is flat
    return x * (_angle(x) / math.pi)


@register(
    aliases=["laplace_lu"],
    formula="x * where(x >= 0, 1 - exp(-x) / 2, exp(x) / 2)",
    source=_SURVEY + "3.3.4",
)
def lalu(x: Tensor) -> Tensor:
    half = 0.5 * decay(-modulus(x))
    return x * where(x >= 0, 1 - half, half)


@register(
    aliases=["collapsing_lu"],
    formula="x / (1 - x * exp(-(x + exp(x))))",
    source="Vagerwal 2021, arXiv:2112.12078",
)
def colu(x: Tensor) -> Tensor:
    left, right = negative(x), clip(positive(x), high=80.0)
    e = torch.exp(clip(left, low=-800.0))
    falling = left * e / (e - left * torch.exp(-e))
    rising = x / (1 - right * torch.exp(-(right + torch.exp(right))))
    return where(x >= 0, rising, falling)


@register(
    aliases=["triple_state_swish"],
    formula="x * sigmoid(x) * (sigmoid(x) + sigmoid(x - a) + sigmoid(x - b))",
    source="Kocak et al. 2021; " + _SURVEY + "3.3.6",
    notes=["tends to 3 x; the source gives no values"],
)
def ts_swish(x: Tensor, a: float = 1.0, b: float = 2.0) -> Tensor:
    return x * (sigmoid(x) * (sigmoid(x) + sigmoid(x - a) + sigmoid(x - b)))


@register(
    formula="x * sigmoid(exp(-x))",
    source="Kocak et al. 2021; " + _SURVEY + "3.3.7",
    notes=["its gate falls from 1 to 1/2: x on the left, x / 2 on the right"],
)
def generalized_swish(x: Tensor) -> Tensor:
    return x * sigmoid(double_exp(-x))


@register(
    formula="exp(-x) * sigmoid(x)",
    source="Kocak et al. 2021; " + _SURVEY + "3.3.8",
    notes=["no swish but a sigmoid that decreases, 1 / (1 + exp(x)); published as ESwish, a name of e_swish too"],
)
def exponential_swish(x: Tensor) -> Tensor:
    return sigmoid(-x)


@register(
    formula="x * log(2 - exp(-exp(x)))",
    source="Kaytan, Aydilek & Yeroglu; " + _SURVEY + "3.3.10",
)
def gish(x: Tensor) -> Tensor:
    return x * torch.log1p(-expm1(-double_exp(x)))


@register(formula="x * log(1 + sigmoid(x))", source="Zhu et al. 2021", related=["lau"])
def logish(x: Tensor) -> Tensor:
    return x * torch.log1p(sigmoid(x))


@register(formula="a * x * log(1 + sigmoid(b * x))", source="Zhu et al. 2021")
def plogish(x: Tensor, a: float = 1.0, b: float = 10.0) -> Tensor:
    return x * (a * torch.log1p(sigmoid(b * x)))


@register(
    aliases=["logmoid"],
    formula="x * log(1 + a * sigmoid(b * x))",
    source=_SURVEY + "4.16.5",
    related=["logish"],
)
def lau(x: Tensor, a: float = learnable(1.0, constraint="positive"), b: float = learnable(1.0)) -> Tensor:
    return x * torch.log1p(a * sigmoid(b * x))


@register(formula="x * (1 - exp(-exp(x)))", source=_SURVEY + "3.3.12")
def loglogish(x: Tensor) -> Tensor:
    return x * -expm1(-double_exp(x))


@register(
    aliases=["expexpish", "gompertz_lu"],
    formula="x * exp(-exp(-x))",
    source="Das et al. 2025, arXiv:2502.03654; " + _SURVEY + "3.3.13",
)
def golu(x: Tensor) -> Tensor:
    return x * torch.exp(-double_exp(-x))


@register(formula="x * atan(x)", source=_SURVEY + "3.3.14")
def self_arctan(x: Tensor) -> Tensor:
    return x * torch.atan(x)


@register(formula="x * tanh(x * Phi(x))", source="Naveen 2022")
def phish(x: Tensor) -> Tensor:
    return x * tanh(x * normal_cdf(x))


@register(formula="x * tanh(sigmoid(x))", source="Mercioni & Holban; " + _SURVEY + "3.3.18")
def ts_relu(x: Tensor) -> Tensor:
    return x * tanh(sigmoid(x))


@register(formula="x * tanh(a * sigmoid(x))", aliases=["tsrelul"], source="Li et al.; " + _SURVEY + "4.4.7")
def psgu(x: Tensor, a: float = learnable(0.5)) -> Tensor:
    return x * tanh(a * sigmoid(x))


@register(
    formula="x * tanh(a * tanh(x / 2))",
    source="Mercioni & Holban; " + _SURVEY + "3.3.19",
    notes=["even"],
)
def tbs_relu(x: Tensor, a: float = 1.0) -> Tensor:
    return x * tanh(a * tanh(0.5 * x))


@register(formula="x * sigmoid(x * sigmoid(x))", source=_VERMA + "3.3.22", notes=["tends to x / 2 on the left"])
def double_silu(x: Tensor) -> Tensor:
    return x * sigmoid(x * sigmoid(x))


@register(formula="x * sigmoid(x) + exp(-x**2 - 1) / 4", source=_VERMA + "3.3.23")
def msilu(x: Tensor) -> Tensor:
    y = clip(x, -40.0, 40.0)
    return x * sigmoid(x) + 0.25 * torch.exp(-y * y - 1)


@register(formula="tanh(x * sigmoid(x))", source=_VERMA + "3.3.24")
def tsilu(x: Tensor) -> Tensor:
    return tanh(x * sigmoid(x))


@register(formula="atan(x * sigmoid(x))", aliases=["asilu"], source=_VERMA + "3.3.25")
def atsilu(x: Tensor) -> Tensor:
    return torch.atan(x * sigmoid(x))


@register(formula="x * sigmoid(atan(x))", source=_VERMA + "3.3.26")
def swat(x: Tensor) -> Tensor:
    return x * sigmoid(torch.atan(x))


@register(aliases=["rectified_hyperbolic_secant"], formula="x * sech(x)", source=_SURVEY + "3.3.27")
def rehsec(x: Tensor) -> Tensor:
    return x * sech(x)


@register(
    aliases=["soft_modulus_t"],
    formula="x * tanh(x / a)",
    source="Roy et al. 2019, arXiv:1901.05894",
    requires={"a must be positive": lambda a: a > 0},
    notes=["even; soft_modulus_t is it with a = 0.01"],
)
def lisht(x: Tensor, a: float = 1.0) -> Tensor:
    return x * tanh(x / a)


@register(
    formula="x * tanh(beta * softplus(x))",
    source="Misra 2019, code",
    notes=["the default is that of its author's package"],
)
def beta_mish(x: Tensor, beta: float = 1.5) -> Tensor:
    return x * tanh(beta * softplus(x))


@register(formula="x * tanh(softplus(x + beta))", source="Misra 2019, code")
def mila(x: Tensor, beta: float = -0.25) -> Tensor:
    return x * tanh_softplus(x + beta)


@register(
    formula="a * x * tanh(log(1 + sigmoid(b * x)))",
    source="Wang, Ren & Wang 2022",
)
def smish(x: Tensor, a: float = 1.0, b: float = 1.0) -> Tensor:
    s = sigmoid(b * x)
    return x * (a * softsign(s * (1 + 0.5 * s)))


@register(
    aliases=["tanhexp", "telu"],
    formula="x * tanh(exp(x))",
    source="Liu & Di 2020, arXiv:2003.09855; Fernandez & Mali 2024, arXiv:2412.20269",
    notes=["two papers, one curve: TanhExp and TeLU"],
)
def tanh_exp(x: Tensor) -> Tensor:
    return x * tanh(double_exp(x))


@register(formula="x * erf(softplus(x))", source="Nag et al. 2021, arXiv:2108.09598")
def serf(x: Tensor) -> Tensor:
    return x * torch.erf(softplus(x))


@register(formula="x * erf(a * softplus(b * x))", source="Biswas et al. 2021, arXiv:2109.04386")
def pserf(
    x: Tensor,
    a: float = learnable(1.25, constraint="positive"),
    b: float = learnable(0.85, constraint="positive"),
) -> Tensor:
    return x * torch.erf(a * softplus(b * x))


@register(formula="x * erf(a * exp(b * x))", source="Biswas et al. 2021, arXiv:2109.04386")
def erf_act(
    x: Tensor,
    a: float = learnable(0.75, constraint="positive"),
    b: float = learnable(0.75, constraint="positive"),
) -> Tensor:
    return x * torch.erf(a * torch.exp(clip(b * x, -800.0, 20.0)))


@register(formula="x * exp(x) / (exp(x) + 2)", source="Chai et al.; " + _SURVEY + "3.3.33")
def eanaf(x: Tensor) -> Tensor:
    return x * sigmoid(x - math.log(2))


@register(formula="x * sin(pi / 2 * sigmoid(x))", source=_SURVEY + "3.3.34")
def sin_sig(x: Tensor) -> Tensor:
    # Right of 0 the cosine of the complement, whose derivative does not cancel.
    gate = where(x > 0, torch.cos(math.pi / 2 * sigmoid(-x)), torch.sin(math.pi / 2 * sigmoid(x)))
    return x * gate


@register(
    formula="x * atan(a * pi * sigmoid(x))",
    source=_SURVEY + "4.4.9",
    notes=["its authors draw a from U(0.5, 0.75) in training"],
)
def pats(x: Tensor, a: float = 0.625) -> Tensor:
    return x * torch.atan(a * math.pi * sigmoid(x))


@register(
    formula="where(x >= (1 - b) / a, x, where(x >= -b / a, a * x**2 + b * x, 0))",
    source="Wu et al.; " + _SURVEY + "4.4.10",
    notes=["the source gives no initial values"],
)
def aqulu(
    x: Tensor,
    a: float = learnable(0.25, constraint="positive"),
    b: float = learnable(0.5, constraint="positive"),
) -> Tensor:
    inside = where((x >= (1 - b) / a) | (x < -b / a), 0.0, x)
    return where(x >= (1 - b) / a, x, inside * (a * inside + b))


@register(formula="(x + a * sin(b * x)) * sigmoid(x)", source="Paul et al. 2022")
def sinlu(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return (x + a * sin(b * x)) * sigmoid(x)


@register(
    formula="(x + a * cos(b * x)) * sigmoid(x)",
    source="Pishchik 2023; " + _SURVEY + "4.16.6",
    notes=["f(0) = a / 2"],
)
def coslu(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0)) -> Tensor:
    return (x + a * cos(b * x)) * sigmoid(x)


@register(
    aliases=["power_function_linear_unit"],
    formula="x / 2 * (1 + x / sqrt(1 + x**2))",
    source="Zhu et al. 2021",
    claim="a gate without exponentials",
)
def pflu(x: Tensor) -> Tensor:
    h = hypot(x, 1.0)
    tail = 0.25 / h / (0.5 * h + 0.5 * modulus(x))
    return x * where(x >= 0, 1 - tail, tail)


@register(
    formula="x / 2 * (1 + a * x / sqrt(1 + x**2))",
    source="Abdool & Dear 2023",
)
def swim(x: Tensor, a: float = 0.5) -> Tensor:
    return x * (0.5 + 0.5 * a * (x / hypot(x, 1.0)))


@register(
    aliases=["faster_power_function_linear_unit"],
    formula="where(x >= 0, x, x + x**2 / sqrt(1 + x**2))",
    source="Zhu et al. 2021",
)
def fpflu(x: Tensor) -> Tensor:
    h = hypot(x, 1.0)
    return where(x >= 0, x, 0.5 * (x / h) / (0.5 * h + 0.5 * modulus(x)))


@register(
    formula="x * (low + (high - low) / (c + q * exp(-b * x))**(1 / v))",
    source="Patwardhan et al. 2018, arXiv:1805.08878",
    requires={"c, q, b and v must be positive": lambda c, q, b, v: min(c, q, b, v) > 0},
    notes=["its gate is the curve of Richards; these defaults make it silu"],
    related=["silu"],
)
def aria(
    x: Tensor,
    low: float = 0.0,
    high: float = 1.0,
    b: float = 1.0,
    c: float = 1.0,
    q: float = 1.0,
    v: float = 1.0,
) -> Tensor:
    log_gate = -(softplus(math.log(q / c) - b * x) + math.log(c)) / v
    return x * (low + (high - low) * torch.exp(log_gate))


@register(
    formula="x * (1 + exp(-b * x))**(-a)",
    source="Patwardhan et al. 2018, arXiv:1805.08878",
    requires={"a and b must be positive": lambda a, b: a > 0 and b > 0},
)
def aria2(x: Tensor, a: float = 1.5, b: float = 2.0) -> Tensor:
    return x * torch.exp(-a * softplus(-b * x))


@register(
    aliases=["fts", "relu_swish"],
    formula="relu(x) * sigmoid(x) + t",
    source="Chieng et al. 2018, arXiv:1812.06247",
)
def flatten_t_swish(x: Tensor, t: float = -0.2) -> Tensor:
    return torch.relu(x) * sigmoid(x) + t


@register(
    aliases=["parametric_flatten_t_swish"],
    formula="relu(x) * sigmoid(x) + t",
    source="Chieng et al. 2020; " + _SURVEY + "4.10",
    related=["flatten_t_swish"],
)
def pfts(x: Tensor, t: float = learnable(-0.2, per="channel")) -> Tensor:
    return torch.relu(x) * sigmoid(x) + t


@register(
    aliases=["parametric_flatten_p_mish"],
    formula="relu(x) * tanh(softplus(x)) + p",
    source=_SURVEY + "4.11",
    notes=["the source gives no initial value"],
)
def pfpm(x: Tensor, p: float = learnable(-0.2, per="channel")) -> Tensor:
    return torch.relu(x) * tanh_softplus(x) + p


@register(aliases=["optimal_activation"], formula="relu(x) + x * sigmoid(x)", source=_SURVEY + "3.6.47")
def oaf(x: Tensor) -> Tensor:
    return torch.relu(x) + x * sigmoid(x)


@register(
    formula="where(x >= 0, x, x / (1 + a * exp(-b * x)))",
    source="Qureshi & Sarosh Umar; " + _SURVEY + "3.6.53",
    requires={"a and b must be positive": lambda a, b: a > 0 and b > 0},
)
def sara(x: Tensor, a: float = 0.5, b: float = 0.7) -> Tensor:
    return where(x >= 0, x, x * sigmoid(b * x - math.log(a)))


@register(
    aliases=["t_swish"],
    formula="where(x <= c, a * x * sigmoid(b * x), x)",
    source="Mercioni & Holban 2020; " + _SURVEY + "4.2.42",
    notes=["no gradient would reach c, which is fixed here"],
)
def p_swish(x: Tensor, a: float = learnable(1.0), b: float = learnable(1.0), c: float = 0.0) -> Tensor:
    return where(x <= c, x * (a * sigmoid(b * x)), x)


@register(formula="max(0, x * tanh(softplus(a * x)))", source="Mercioni & Holban 2020; " + _SURVEY + "4.2.40")
def sc_mish(x: Tensor, a: float = 1.0) -> Tensor:
    return torch.relu(x) * tanh_softplus(a * x)


@register(formula="max(0, x * sigmoid(x))", source="Mercioni & Holban 2021; " + _SURVEY + "4.2.41")
def sc_swish(x: Tensor) -> Tensor:
    return torch.relu(x) * sigmoid(x)


@register(
    formula="(1 - p) * x * sigmoid(beta * (1 - p) * x) + p * x",
    source="Ma et al. 2020, arXiv:2009.04759",
)
def acon_b(x: Tensor, p: float = learnable(0.25, per="channel"), beta: float = learnable(1.0, per="channel")) -> Tensor:
    return x * ((1 - p) * sigmoid(beta * (1 - p) * x) + p)


@register(
    formula="(p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x",
    source="Ma et al. 2020, arXiv:2009.04759",
    notes=["its authors' code starts p1 and p2 at random"],
    related=["silu"],
)
def acon_c(
    x: Tensor,
    p1: float = learnable(1.0, per="channel"),
    p2: float = learnable(0.0, per="channel"),
    beta: float = learnable(1.0, per="channel"),
) -> Tensor:
    return x * ((p1 - p2) * sigmoid(beta * (p1 - p2) * x) + p2)


@register(
    aliases=["smooth_maximum_unit"],
    formula="((1 + a) * x + (1 - a) * x * erf(mu * (1 - a) * x)) / 2",
    source="Biswas et al. 2021, arXiv:2111.04682",
    notes=["in its first version mu = 1e6 and a = 0.25, which half types can't hold"],
)
def smu(x: Tensor, a: float = 0.01, mu: float = learnable(2.5)) -> Tensor:
    # (1 + erf(z)) / 2 is the normal distribution at z sqrt(2), which keeps its digits on the left.
    return x * (a + (1 - a) * normal_cdf(mu * (1 - a) * math.sqrt(2) * x))


@register(
    aliases=["smooth_activation_unit"],
    formula="a * x + (1 - a) * (x * Phi(b * x) + exp(-(b * x)**2 / 2) / (b * sqrt(2 * pi)))",
    source="Biswas et al. 2021, arXiv:2109.13210",
    requires={"b must be positive": lambda b: b > 0},
    notes=["the exact Gaussian smoothing of a leaky relu; as printed, its last term lacks the factor 1 - a"],
)
def sau(x: Tensor, a: float = learnable(0.15), b: float = 20000.0) -> Tensor:
    y = clip(b * x, -40.0, 40.0)
    bump = torch.exp(-0.5 * y * y) / (b * math.sqrt(2 * math.pi))
    return x * (a + (1 - a) * normal_cdf(b * x)) + (1 - a) * bump


@register(
    formula="x / (1 + d * exp(-e * x))",
    source="Biswas et al. 2020, arXiv:2009.13501",
    related=["silu"],
)
def eis3(x: Tensor, d: Tensor = learnable(1.0, constraint="positive"), e: float = learnable(1.0)) -> Tensor:
    return x * sigmoid(e * x - torch.log(torch.as_tensor(d, dtype=x.dtype, device=x.device)))


@register(
    formula="tanh(a * x + b * exp(c * x)) * log(d + exp(x))",
    source="Biswas et al. 2020, arXiv:2009.03863",
    notes=["the source gives ranges, no initial values"],
)
def tanh_soft(
    x: Tensor,
    a: float = learnable(0.5),
    b: float = learnable(0.5),
    c: float = learnable(1.0, constraint="positive"),
    d: Tensor = learnable(0.1, constraint="positive"),
) -> Tensor:
    d = torch.as_tensor(d, dtype=x.dtype, device=x.device)
    right, left = positive(x), negative(x)
    rising = right + torch.log1p(d * torch.exp(-right))
    falling = where(x > -1, torch.log1p(d + expm1(left)), torch.log(d + torch.exp(left)))
    smooth = where(x >= 0, rising, falling)
    return tanh(a * x + b * double_exp(c * x)) * smooth


@register(
    formula="tanh(a * x) * softplus(x)",
    source="Biswas et al. 2020, arXiv:2009.03863",
    notes=["its authors recommend 0.87"],
)
def tanh_soft1(x: Tensor, a: float = learnable(0.87)) -> Tensor:
    return tanh(a * x) * softplus(x)


@register(
    formula="log(1 + exp(x) * tanh(a * x))",
    source="Biswas et al. 2020, arXiv:2009.03863",
    notes=["the source gives no initial value"],
)
def tanh_soft3(x: Tensor, a: float = learnable(0.85, constraint="positive")) -> Tensor:
    left, right = negative(x), positive(x)
    small = torch.log1p(torch.exp(clip(right, high=1.0)) * tanh(a * right))
    large = right + torch.log(torch.exp(-right) + tanh(a * clip(right, low=0.5)))
    falling = torch.log1p(torch.exp(left) * tanh(a * left))
    return where(x >= 0, where(x < 1, small, large), falling)


@register(
    formula="x * a * (1 + tanh(b * x))",
    source="Husain et al. 2019; " + _SURVEY + "4.16.2",
    notes=["the source gives no initial values"],
)
def pstanh(x: Tensor, a: float = learnable(0.5), b: float = learnable(1.0)) -> Tensor:
    return x * (2 * a * sigmoid(2 * b * x))


@register(
    formula="(alpha + tanh(beta * x)) * gamma * x",
    source="Kumar 2022, arXiv:2209.06119",
    notes=["at its defaults x * sigmoid(2 x)"],
    related=["parametric_aptx", "pstanh"],
)
def aptx(x: Tensor, alpha: float = 1.0, beta: float = 1.0, gamma: float = 0.5) -> Tensor:
    return x * (gamma * ((alpha - 1) + 2 * sigmoid(2 * beta * x)))


@register(
    aliases=["trainable_aptx"],
    formula="(alpha + tanh(beta * x)) * gamma * x",
    source="Kumar 2022, arXiv:2209.06119; the package aptx-activation, trainable=True",
    notes=["starts as aptx, x * sigmoid(2 x)"],
    related=["aptx"],
)
def parametric_aptx(
    x: Tensor, alpha: float = learnable(1.0), beta: float = learnable(1.0), gamma: float = learnable(0.5)
) -> Tensor:
    return aptx(x, alpha, beta, gamma)


@register(
    formula="x * sigmoid(beta * x) + alpha * tanh(x)",
    source="Seo et al. 2024, arXiv:2407.01012",
)
def swish_t(x: Tensor, beta: float = learnable(1.0), alpha: float = 0.1) -> Tensor:
    return x * sigmoid(beta * x) + alpha * tanh(x)


@register(
    aliases=["memristor_like"],
    formula="b * (1 / (0.25 * (1 + exp(-x)) + 0.75))**c * a * x",
    source="Yu et al. 2020; " + _SURVEY + "4.2.29",
)
def rmaf(x: Tensor, a: float = learnable(1.0), b: float = 1.0, c: float = 1.0) -> Tensor:
    # 1 + exp(-x) / 4 = 1 + exp(-x - log(4))
    exponent = -c * softplus(-x - math.log(4))
    return x * (a * b * (decay(exponent) if c >= 0 else torch.exp(exponent)))


@register(
    aliases=["psechsig"],
    formula="(x + a * sech(x + a * k)) * sigmoid(x)",
    source="Kozkurt et al.; " + _SURVEY + "3.2.22",
)
def sech_sig(x: Tensor, a: float = 1.0, k: float = 0.0) -> Tensor:
    return (x + a * sech(x + a * k)) * sigmoid(x)


@register(
    aliases=["ptanhsig"],
    formula="(x + a * tanh(x + a * k)) * sigmoid(x)",
    source="Kozkurt et al.; " + _SURVEY + "3.2.23",
)
def tanh_sig(x: Tensor, a: float = 1.0, k: float = 0.0) -> Tensor:
    return (x + a * tanh(x + a * k)) * sigmoid(x)


@register(
    aliases=["fractional_adaptive_linear_unit"],
    formula="x * sigmoid(b * x) + a * sigmoid(b * x) * (1 - x * sigmoid(b * x))",
    source="Zamora-Esquivel et al. 2022; " + _SURVEY + "4.19.4",
    notes=[
        "about the fractional derivative of order a of swish: itself for a = 0, its derivative for a = b = 1",
        "the source goes on to a = 2 by another formula, which as the survey prints it jumps at a = 1: a stays below 1",
    ],
)
def falu(
    x: Tensor, a: float = learnable(0.5, constraint=(0.0, 1.0)), b: float = learnable(1.0, constraint="positive")
) -> Tensor:
    gate = sigmoid(b * x)
    return gate * (x * (1 - a * gate) + a)


@register(
    aliases=["polynomial_universal"],
    formula="where(x > c, x**a, where(x < -c, 0, x**a * (c + x)**b / ((c + x)**b + (c - x)**b)))",
    source="Hwang & Kim; " + _SURVEY + "3.16",
    requires={
        "a must not be negative": lambda a: a >= 0,
        "b must be at least 1": lambda b: b >= 1,
        "c must be positive": lambda c: c > 0,
    },
    notes=["a = 0 makes it a sigmoid, a = 1 a swish that is exactly 0 and x beyond c"],
)
def puaf(x: Tensor, a: int = 1, b: float = 5.0, c: float = 10.0) -> Tensor:
    u = modulus(x).clamp(max=c)
    smaller = ((c - u) / (c + u)) ** b
    return where(x < -c, 0.0, x) ** a * where(x >= 0, 1 / (1 + smaller), smaller / (1 + smaller))


@register(
    formula="where(x >= b, 2 * (1 - a) * x + (2 * a - 1) * (x - b) * sigmoid(sign(x - c) * (abs(x - c) / d)**e), 0)",
    source=_SURVEY + "4.2.58",
    notes=["the source gives no initial values"],
)
def repsu(
    x: Tensor,
    a: float = learnable(0.8),
    b: float = learnable(0.0),
    c: float = learnable(0.0),
    d: float = learnable(1.0, constraint="positive"),
    e: float = learnable(1.0, constraint="positive"),
) -> Tensor:
    distance = modulus(x - c) / d
    steep = distance**e < 1e4  # beyond, the gate is 0 or 1
    power = where(steep, where((distance > 0) & steep, distance, 1.0) ** e, 1e4)
    gate = sigmoid(where(x > c, power, where(x < c, -power, 0.0)))
    return where(x < b, 0.0, 2 * (1 - a) * x + (2 * a - 1) * (x - b) * gate)


@register(
    aliases=["geu"],
    formula="Phi(x / a)",
    source=_SURVEY + "4.12",
    notes=["the gate of pgelu"],
    related=["probit"],
)
def gaussian_error_unit(x: Tensor, a: float = learnable(1.0, constraint="positive")) -> Tensor:
    return normal_cdf(x / a)
