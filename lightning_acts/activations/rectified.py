"""Rectified activations: piecewise linear, the identity (or a line) on the right of zero."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedParameter

from lightning_acts.definition import learnable
from lightning_acts.elementary import (
    Pull,
    hypot,
    modulus,
    negative,
    positive,
    sigmoid,
    sin,
    softplus,
    softsign,
    total,
    where,
)
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "


def _between(low: float, high: float) -> Pull | None:
    """Return the derivative of clipping from the output; None where a half type rounds a bound, as it does the output."""
    bounds = torch.tensor([low, high], dtype=torch.float64)
    if any(not torch.equal(bounds.to(dtype).double(), bounds) for dtype in (torch.float16, torch.bfloat16)):
        return None
    return lambda gradient, y: torch.ops.aten.hardtanh_backward(gradient, y, low, high)


def _with_slope_on_the_left(negative_slope: float) -> Pull | None:
    """Return the derivative of a leaky ReLU from the output; None where that has one sign on both sides."""
    if negative_slope < 0:
        return None
    return lambda gradient, y: torch.ops.aten.leaky_relu_backward(gradient, y, negative_slope, True)


register(
    nn.ReLU,
    name="relu",
    aliases=["rectifier"],
    family="rectified",
    formula="max(0, x)",
    source="Fukushima 1969; Nair & Hinton 2010",
    claim="deep networks that train fast, with sparse activations",
    used_in=["AlexNet", "VGG", "ResNet", "the original Transformer"],
    functions=[F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_],
    notes=["torch's derivative at 0 is 0"],
)

register(
    nn.ReLU6,
    name="relu6",
    family="rectified",
    formula="min(max(0, x), 6)",
    source="Krizhevsky 2010; Howard et al. 2017, arXiv:1704.04861",
    used_in=["MobileNet", "MobileNetV2"],
    functions=[F.relu6],
    from_output=lambda: _between(0.0, 6.0),
    notes=["torch's derivative at 0 and at 6 is 0"],
)

register(
    nn.LeakyReLU,
    name="leaky_relu",
    aliases=["lrelu"],
    family="rectified",
    formula="max(0, x) + negative_slope * min(0, x)",
    source="Maas, Hannun & Ng 2013",
    used_in=["DCGAN's discriminator", "YOLOv3"],
    functions=[F.leaky_relu, F.leaky_relu_],
    from_output=_with_slope_on_the_left,
    variants={name: {"negative_slope": 1 / 3} for name in ("very_leaky_relu", "vlrelu")},
    notes=["torch and jax: negative_slope=0.01; keras.activations: 0.2; keras.layers.LeakyReLU: 0.3"],
)


class LazyPReLU(LazyModuleMixin, nn.PReLU):
    """A PReLU with one slope a channel that takes the number of channels from its first input."""

    cls_to_become = nn.PReLU
    weight: UninitializedParameter  # type: ignore[assignment]

    def __init__(self, init: float = 0.25) -> None:
        super().__init__(num_parameters=1, init=init)
        self.num_parameters = 0
        self.weight = UninitializedParameter()

    def initialize_parameters(self, input: Tensor) -> None:
        """Size the slopes by the channels of ``input``, as torch's PReLU counts them: dimension 1, or 1 below 2-d."""
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.weight.materialize((input.shape[1] if input.dim() > 1 else 1,))
                self.weight.fill_(self.init)
        self.num_parameters = self.weight.numel()


register(
    nn.PReLU,
    name="prelu",
    family="rectified",
    formula="max(0, x) + weight * min(0, x)",
    source="He et al. 2015, arXiv:1502.01852",
    used_in=["ESPCN", "PReLU-net"],
    functions=[F.prelu, torch.prelu, Tensor.prelu],
    requires={"the number of parameters must be at least 1": lambda num_parameters: num_parameters >= 1},
    notes=[
        "the weight is learned: one for all channels, or num_parameters, one a channel of dimension 1",
        "initial weight: torch 0.25, flax 0.01, keras 0",
        "its authors train it without weight decay",
    ],
    per_channel=LazyPReLU,
)


def _rrelu_in_evaluation(x: Tensor, lower: float, upper: float) -> Tensor:
    return F.leaky_relu(x, (lower + upper) / 2)


register(
    nn.RReLU,
    kernel=_rrelu_in_evaluation,
    name="rrelu",
    family="rectified",
    formula="where(x >= 0, x, (lower + upper) / 2 * x)",
    source="Xu et al. 2015, arXiv:1505.00853",
    functions=[F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_],
    requires={"lower must not be above upper": lambda lower, upper: lower <= upper},
    stochastic=True,
    limits={
        "memory formats": "torch's does not keep channels_last",
        "vmap": "torch has none for it",
        "onnx": "torch's exporter has none for it",
    },
    notes=[
        "in training the slope of each negative element is drawn from U(lower, upper)",
        "the paper divides by U(3, 8), whose mean is another slope",
    ],
)

register(
    nn.Hardtanh,
    name="hardtanh",
    aliases=["hard_tanh"],
    family="rectified",
    formula="min(max(min_val, x), max_val)",
    source="Collobert 2004",
    functions=[F.hardtanh, F.hardtanh_],
    from_output=lambda min_val, max_val: _between(min_val, max_val),
    requires={"min_val must be below max_val": lambda min_val, max_val: min_val < max_val},
)

register(
    nn.Threshold,
    name="threshold",
    family="rectified",
    formula="where(x > threshold, x, value)",
    source="torch.nn.Threshold",
    functions=[F.threshold, F.threshold_, torch.threshold, torch.threshold_],  # type: ignore[attr-defined]
)


@register(
    aliases=["slrelu", "prelu_plus"],
    formula="a * relu(x)",
    source="Seo et al. 2017; " + _SURVEY + "4.2.2",
    related=["relu"],
)
def positive_prelu(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return a * torch.relu(x)


@register(
    aliases=["brelu", "bounded_relu", "relun"],
    formula="clip(x, 0, a)",
    source="Liew, Khalil-Hani & Bakhteri 2016; " + _SURVEY + "3.6.16",
    requires={"a must be positive": lambda a: a > 0},
)
def relu_n(x: Tensor, a: float = 1.0) -> Tensor:
    return x.clamp(0.0, a)


@register(
    aliases=["trec"],
    formula="where(x > a, x, 0)",
    source="Konda, Memisevic & Krueger 2014, arXiv:1402.3337",
    claim="autoencoders without biases",
)
def thresholded_relu(x: Tensor, a: float = 1.0) -> Tensor:
    return where(x <= a, 0.0, x)


@register(
    formula="max(x, -1)",
    source="Clevert, Unterthiner & Hochreiter 2015, arXiv:1511.07289",
    related=["displaced_relu"],
)
def shifted_relu(x: Tensor) -> Tensor:
    return x.clamp(min=-1)


@register(
    aliases=["disrelu"],
    formula="max(x, -a)",
    source="Macedo et al. 2019; " + _SURVEY + "3.6.44",
    related=["shifted_relu"],
)
def displaced_relu(x: Tensor, a: float = 1.0) -> Tensor:
    return x.clamp(min=-a)


@register(
    aliases=["drlu"],
    formula="relu(x - a)",
    source="Shan, Li & Chen 2019; " + _SURVEY + "3.6.43",
    notes=["its authors use 0.06, 0.08 and 0.1"],
)
def delay_relu(x: Tensor, a: float = 0.08) -> Tensor:
    return torch.relu(x - a)


@register(
    aliases=["mlrelu"],
    formula="where(x + a > 0, x, -a * x)",
    source="Yang et al.; " + _SURVEY + "3.6.45",
    notes=["jumps at -a, as it is published; the source gives no value of a"],
)
def modified_leaky_relu(x: Tensor, a: float = 0.1) -> Tensor:
    return where(x > -a, x, -a * x)


@register(
    aliases=["olrelu"],
    formula="where(x >= 0, x, x * exp(-(u + l) / (u - l)))",
    source=_SURVEY + "3.6.2",
    requires={"u must be above l": lambda u, l: u > l},  # noqa: E741
)
def optimized_leaky_relu(x: Tensor, l: float = 3.0, u: float = 8.0) -> Tensor:  # noqa: E741 - the source's name
    return where(x >= 0, x, x * math.exp(-(u + l) / (u - l)))


@register(
    name="abs",
    aliases=["vrelu", "modulus"],
    functions=[torch.abs, torch.absolute, torch.abs_, Tensor.abs, Tensor.absolute, Tensor.abs_, Tensor.absolute_],
    formula="abs(x)",
    source=_SURVEY + "3.6.25",
)
def absolute(x: Tensor) -> Tensor:
    return torch.abs(x)


@register(
    aliases=["abslu"],
    formula="where(x >= 0, x, a * abs(x))",
    source=_SURVEY + "3.6.27",
    notes=["a leaky_relu with a negative slope of -a; the source gives only that a lies between 0 and 1"],
)
def absolute_linear_unit(x: Tensor, a: float = 0.5) -> Tensor:
    return where(x >= 0, x, -a * x)


@register(
    formula="max(abs(x) - a, 0)",
    source=_SURVEY + "3.6.26",
    requires={"a must not be negative": lambda a: a >= 0},
)
def pan(x: Tensor, a: float = 1.0) -> Tensor:
    return torch.relu(x.abs() - a)


@register(aliases=["mrelu"], formula="max(1 - abs(x), 0)", source=_SURVEY + "3.6.28", related=["tent"])
def mirrored_relu(x: Tensor) -> Tensor:
    return torch.relu(1 - x.abs())


@register(
    formula="max(a - abs(x), 0)",
    source="Rozsa & Boult 2019, arXiv:1908.02435",
    notes=["its authors decay a"],
    claim="robustness against adversarial examples",
    related=["mirrored_relu"],
)
def tent(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return torch.relu(a - x.abs())


@register(
    formula="where(x < 0, 0, where(x <= a / 2, x, where(x <= a, a - x, 0)))",
    source="Wang, Xu & Zhu 2022; " + _SURVEY + "4.2.28",
    requires={"a must be positive": lambda a: a > 0},
)
def hat(x: Tensor, a: float = 2.0) -> Tensor:
    return torch.relu(where(x <= a / 2, x, a - x))


@register(
    aliases=["lrtlu"],
    formula="where(x < 0, 0.2 * x, where(x <= a, x, where(x <= 2 * a, 2 * a - x, 0)))",
    source=_SURVEY + "3.6.29",
    requires={"a must be positive": lambda a: a > 0},
)
def lsptlu(x: Tensor, a: float = 1.0) -> Tensor:
    return where(x < 0, 0.2 * x, where(x <= a, x, torch.relu(2 * a - x)))


@register(
    formula="where(x > threshold, min(x, max_value), negative_slope * (x - threshold))",
    source="not known; the package keras, keras.activations.relu and keras.layers.ReLU",
    requires={
        "max_value must be positive": lambda max_value: max_value > 0,
        "threshold must not be negative": lambda threshold: threshold >= 0,
    },
    notes=["relu, leaky_relu, relu6 and a threshold in one; keras has None for an infinite max_value"],
    related=["relu"],
)
def general_relu(x: Tensor, negative_slope: float = 0.0, max_value: float = math.inf, threshold: float = 0.0) -> Tensor:
    return where(x > threshold, x.clamp(max=max_value), negative_slope * (x - threshold))


@register(
    aliases=["absolute_leaky_relu"],
    formula="max(abs(alpha * x), x)",
    source="Mastromichalakis 2020, arXiv:2012.07564; the package alrelu-torch",
    related=["parametric_alrelu"],
)
def alrelu(x: Tensor, alpha: float = 0.01) -> Tensor:
    return torch.maximum((alpha * x).abs(), x)


@register(
    aliases=["trainable_alrelu"],
    formula="max(abs(alpha * x), x)",
    source="not known; the package alrelu-torch, TrainableALReLU",
    related=["alrelu"],
)
def parametric_alrelu(x: Tensor, alpha: float = learnable(0.01)) -> Tensor:
    return torch.maximum((alpha * x).abs(), x)


@register(formula="a * x + relu(x)", source="Elakkiya & Dejey; " + _SURVEY + "3.6.33")
def li_relu(x: Tensor, a: float = 0.1) -> Tensor:
    return where(x > 0, (1 + a) * x, a * x)


@register(
    aliases=["blrelu"],
    formula="where(x <= 0, a * x, where(x < b, x, a * x + (1 - a) * b))",
    source=_SURVEY + "3.6.24",
    requires={"b must be positive": lambda b: b > 0},
)
def bounded_leaky_relu(x: Tensor, a: float = 0.1, b: float = 1.0) -> Tensor:
    return where(x <= 0, a * x, where(x < b, x, b + a * (x - b)))


@register(
    aliases=["power_af"],
    variants={
        "relu2": {"a": 2.0},
        "squared_relu": {"a": 2.0},
        "requ": {"a": 2.0},
        "relu3": {"a": 3.0},
        "recu": {"a": 3.0},
    },
    formula="relu(x)**a",
    source="So et al. 2021, arXiv:2109.08668, for a = 2; " + _SURVEY + "3.6.39",
    requires={"a must be at least 1": lambda a: a >= 1},
    used_in=["Primer", "Nemotron-4"],
)
def repu(x: Tensor, a: float = 2.0) -> Tensor:
    return torch.relu(x) ** a


@register(
    formula="a * relu(x)**b",
    source="Saha et al.; " + _SURVEY + "3.6.40",
    requires={"b must be at least 1": lambda b: b >= 1},
    notes=["the source gives no values"],
    related=["relu"],
)
def app_relu(x: Tensor, a: float = 1.0, b: float = 1.0) -> Tensor:
    return a * torch.relu(x) ** b


@register(
    formula="s * relu(x)**2 + b",
    source="Yu et al. 2022, arXiv:2210.13452",
    claim="fewer operations than gelu at the same quality",
    used_in=["MetaFormer baselines: CAFormer, ConvFormer"],
)
def star_relu(x: Tensor, s: float = learnable(0.8944), b: float = learnable(-0.4472)) -> Tensor:
    y = torch.relu(x)
    return s * y * y + b


@register(
    aliases=["eplaf"],
    formula="where(abs(x) >= 1, abs(x) - (1 - 1 / d), abs(x)**d / d)",
    source="Nasiri & Ghiasi-Shirazi; " + _SURVEY + "3.6.41",
    requires={"d must be at least 1": lambda d: d >= 1},
    related=["bfire"],
)
def even_power_linear(x: Tensor, d: float = 2.0) -> Tensor:
    u = modulus(x)
    return where(u >= 1, u - (1 - 1 / d), u.clamp(max=1) ** d / d)


@register(
    formula="a * where(x >= 0, x, 0.01 * x)",
    source="Maniatopoulos & Mitianoudis 2021; " + _SURVEY + "4.2.8",
    related=["leaky_relu"],
)
def lelelu(x: Tensor, a: float = learnable(1.0)) -> Tensor:
    return a * F.leaky_relu(x, 0.01)


@register(
    aliases=["dual_prelu"],
    formula="where(x >= 0, a * x, b * x)",
    source=_SURVEY + "4.2.20",
    related=["leaky_relu"],
)
def dprelu(x: Tensor, a: float = learnable(1.0, per="channel"), b: float = learnable(0.01, per="channel")) -> Tensor:
    return where(x >= 0, a * x, b * x)


@register(formula="where(x >= 0, a * x, b * x) + m", source=_SURVEY + "4.2.21")
def dual_line(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(0.01, per="channel"),
    m: float = learnable(-0.22, per="channel"),
) -> Tensor:
    return where(x >= 0, a * x, b * x) + m


@register(
    aliases=["adaptive_piecewise_linear_unit"],
    formula="where(x >= c, a * x + c * (1 - a), b * x + c * (1 - b))",
    source="Inturrisi et al. 2021; " + _SURVEY + "4.2.22",
    related=["leaky_relu"],
)
def pilu(
    x: Tensor,
    a: float = learnable(1.0, per="channel"),
    b: float = learnable(0.01, per="channel"),
    c: float = learnable(0.0, per="channel"),
) -> Tensor:
    return c + where(x >= c, a, b) * (x - c)


@register(
    formula="relu(x) + b",
    source="Qiu, Xu & Cai 2017, arXiv:1706.08098",
    notes=["published as FReLU, a name that the funnel activation has too"],
    related=["relu"],
)
def flexible_relu(x: Tensor, b: float = learnable(0.0, per="channel")) -> Tensor:
    return torch.relu(x) + b


@register(
    aliases=["adaptive_shifted_relu"],
    formula="a * relu(x) + b",
    source="Pishchik 2023; " + _SURVEY + "4.2.16",
    related=["relu"],
)
def shilu(x: Tensor, a: float = learnable(1.0, per="channel"), b: float = learnable(0.0, per="channel")) -> Tensor:
    return a * torch.relu(x) + b


@register(
    aliases=["react_prelu"],
    formula="where(x >= a, x - a, c * (x - a)) + b",
    source="Liu et al. 2020, arXiv:2003.03488",
    used_in=["ReActNet"],
    claim="binary networks",
    related=["prelu"],
)
def rprelu(
    x: Tensor,
    a: float = learnable(0.0, per="channel"),
    b: float = learnable(0.0, per="channel"),
    c: float = learnable(0.25, per="channel"),
) -> Tensor:
    return where(x >= a, x - a, c * (x - a)) + b


@register(
    aliases=["attention_relu"],
    formula="where(x >= 0, (1 + sigmoid(b)) * x, clip(a, 0.01, 0.99) * x)",
    source="Chen, Li & Xu 2020, arXiv:2006.13858",
    notes=["the slope on the right is 1.88 at first; beyond its bounds a gets no gradient"],
    claim="transfer learning and small learning rates",
)
def arelu(x: Tensor, a: Tensor = learnable(0.9), b: Tensor = learnable(2.0)) -> Tensor:
    a, b = (torch.as_tensor(entry, dtype=x.dtype, device=x.device) for entry in (a, b))
    return where(x >= 0, (1 + torch.sigmoid(b)) * x, a.clamp(0.01, 0.99) * x)


@register(
    aliases=["alternated_left_relu"],
    formula="where(x > 0, x, -a * x)",
    source="Curci, Mocanu & Pechenizkiy 2021, arXiv:2102.01732",
    notes=[
        "the sign of a alternates from layer to layer: give it to every other one; the source gives no single value"
    ],
)
def all_relu(x: Tensor, a: float = 0.1) -> Tensor:
    return where(x > 0, x, -a * x)


@register(
    aliases=["s_shaped_relu"],
    formula="where(x >= tr, tr + ar * (x - tr), where(x <= tl, tl + al * (x - tl), x))",
    source="Jin et al. 2015, arXiv:1512.07030",
    notes=["tl has to stay below tr; its authors start tr at a large percentile of the inputs"],
)
def srelu(
    x: Tensor,
    tr: float = learnable(1.0, per="channel"),
    ar: float = learnable(1.0, per="channel"),
    tl: float = learnable(0.0, per="channel"),
    al: float = learnable(0.1, per="channel"),
) -> Tensor:
    return where(x >= tr, tr + ar * (x - tr), where(x <= tl, tl + al * (x - tl), x))


@register(
    formula="where(x < min(a, b), x - 2 * min(a, b), where(x > max(a, b), x - 2 * max(a, b), -x))",
    source="Prach & Lampert 2023; " + _SURVEY + "4.33.1",
    claim="networks whose Lipschitz constant is 1",
)
def n_activation(x: Tensor, a: Tensor = learnable(-1.0), b: Tensor = learnable(1.0)) -> Tensor:
    a, b = (torch.as_tensor(entry, dtype=x.dtype, device=x.device) for entry in (a, b))
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return where(x < low, x - 2 * low, where(x > high, x - 2 * high, -x))


@register(
    aliases=["lisa"],
    formula="where(x >= 1, ar * x - ar + 1, where(x <= 0, al * x, x))",
    source=_SURVEY + "4.33.2",
    related=["srelu"],
)
def alisa(x: Tensor, ar: float = learnable(1.0), al: float = learnable(0.1)) -> Tensor:
    return where(x >= 1, 1 + ar * (x - 1), where(x <= 0, al * x, x))


@register(
    aliases=["piecewise_linear_unit"],
    formula="max(a * (x + b) - b, min(a * (x - b) + b, x))",
    source="Nicolae 2018, arXiv:1809.09534",
    requires={"a must lie between 0 and 1": lambda a: 0 <= a <= 1, "b must not be negative": lambda b: b >= 0},
    notes=["invertible for a > 0"],
)
def plu(x: Tensor, a: float = 0.1, b: float = 1.0) -> Tensor:
    return where(x > b, b + a * (x - b), where(x < -b, -b + a * (x + b), x))


@register(
    aliases=["aplu"],
    formula="relu(x) + sum(a[s] * relu(-x + b[s]), s)",
    source="Agostinelli et al. 2014, arXiv:1412.6830",
    notes=["as many hinges as a and b have elements; its authors decay both with 0.001"],
    requires={"a and b must have as many elements": lambda a, b: len(a) == len(b)},
)
def apl(
    x: Tensor,
    a: tuple[float, ...] = learnable((0.2, -0.1), per="channel"),
    b: tuple[float, ...] = learnable((-1.0, 1.0), per="channel"),
) -> Tensor:
    hinges = [height * torch.relu(place - x) for height, place in zip(a, b, strict=False)]
    return total([torch.relu(x), *hinges])


@register(
    aliases=["modified_mexican_relu"],
    formula="a * max(b - abs(x - c), 0) + (1 - a) * relu(x)",
    source=_SURVEY + "4.32.1",
    notes=["the source gives no initial values"],
)
def mmelu(
    x: Tensor, a: float = learnable(0.5, constraint=(0.0, 1.0)), b: float = learnable(1.0), c: float = learnable(0.0)
) -> Tensor:
    return a * torch.relu(b - (x - c).abs()) + (1 - a) * torch.relu(x)


@register(
    formula="where(x > 0, x, eps * (sin(x) - cos(x)))",
    source="Rodrigues 2018",
    notes=["jumps by eps at 0"],
)
def sine_relu(x: Tensor, eps: float = 0.0025) -> Tensor:
    return where(x > 0, x, eps * (torch.sin(x) - torch.cos(x)))


@register(formula="min(x, sin(x))", source=_SURVEY + "3.6.8")
def minsin(x: Tensor) -> Tensor:
    return where(x > 0, torch.sin(x), x)


@register(
    aliases=["variational_linear_unit", "pvlu"],
    formula="relu(x) + a * sin(b * x)",
    source="Gupta et al. 2021; " + _SURVEY + "3.6.9",
    notes=["the sources give no single value of a"],
)
def vlu(x: Tensor, a: float = 0.1, b: float = 1.0) -> Tensor:
    return torch.relu(x) + a * sin(b * x)


@register(
    aliases=["dlu"],
    formula="where(x >= 0, x, a * x / (1 + abs(x)))",
    source="Lin & Shen 2018; " + _SURVEY + "3.6.32",
    notes=["smooth at 0 for a = 1"],
    related=["polylu", "pfplus"],
)
def sign_relu(x: Tensor, a: float = 1.0) -> Tensor:
    return where(x >= 0, x, a * softsign(x))


@register(
    aliases=["natural_log_relu"],
    formula="log(1 + a * relu(x))",
    source="Liu et al. 2019, arXiv:1908.03682",
    requires={"a must be positive": lambda a: a > 0},
    claim="keeps the scale of activations alike from layer to layer",
)
def nlrelu(x: Tensor, a: float = 1.0) -> Tensor:
    far = x > 1e18 / a  # here the product may overflow
    return where(far, torch.log(where(far, x, 1.0)) + math.log(a), torch.log1p(a * where(far, 0.0, positive(x))))


@register(
    aliases=["parametric_rectified_nonlinear"],
    formula="where(x >= 0, x - a * log(1 + x), 0)",
    source="El Jaafari et al. 2021; " + _SURVEY + "3.6.15",
    requires={"a must be below 1": lambda a: a < 1},
)
def prenu(x: Tensor, a: float = 0.25) -> Tensor:
    right = positive(x)
    return where(x < 0, 0.0, right - a * torch.log1p(right))


@register(
    formula="where(x <= 0, x / (1 + abs(x)), where(x <= b, x, log(a * x + 1) + abs(log(a * b + 1) - b)))",
    source="Wang et al.; " + _SURVEY + "3.7.20",
    requires={"a and b must be positive": lambda a, b: a > 0 and b > 0},
)
def ls_relu(x: Tensor, a: float = 1.0, b: float = 1.0) -> Tensor:
    lift = abs(math.log(a * b + 1) - b)
    far = x > 1e30  # where a * x may overflow, and 1 counts for nothing beside it
    above = where(far, torch.log(where(far, x, 1.0)) + math.log(a or 1), torch.log1p(a * where(far, 0.0, positive(x))))
    return where(x <= 0, softsign(x), where(x <= b, x, above + lift))


@register(
    aliases=["bi_firing"],
    formula="where(abs(x) > a, abs(x) - a / 2, x**2 / (2 * a))",
    source="Li et al. 2013; " + _SURVEY + "3.21",
    requires={"a must be positive": lambda a: a > 0},
    notes=["Huber's function"],
    related=["even_power_linear"],
)
def bfire(x: Tensor, a: float = 1.0) -> Tensor:
    u = modulus(x)
    return where(u > a, u - a / 2, where(u > a, a, u) ** 2 / (2 * a))


@register(
    aliases=["bounded_bi_firing"],
    formula="min(where(abs(x) > a, abs(x) - a / 2, x**2 / (2 * a)), b)",
    source=_SURVEY + "3.21",
    requires={"a must be positive": lambda a: a > 0},
)
def bbfire(x: Tensor, a: float = 1.0, b: float = 5.0) -> Tensor:
    return bfire(x, a).clamp(max=b)


@register(
    formula="where(abs(x) <= 1, x**2 * (2 - abs(x)), abs(x))",
    source="Valles-Perez et al. 2023; " + _SURVEY + "3.6.30",
)
def soft_modulus_q(x: Tensor) -> Tensor:
    u = modulus(x)
    inner = where(u > 1, 1.0, u)
    return where(u <= 1, inner * inner * (2 - inner), u)


@register(
    aliases=["thresholded_linear_unit"],
    formula="max(x, tau)",
    source="Singh & Krishnan 2019, arXiv:1911.09737",
    notes=["made for filter response normalization"],
    related=["relu"],
)
def tlu(x: Tensor, tau: Tensor = learnable(0.0, per="channel")) -> Tensor:
    return torch.maximum(x, torch.as_tensor(tau, dtype=x.dtype, device=x.device))


@register(formula="max(x, sigmoid(x))", source=_SURVEY + "3.7", notes=["its kink lies at x = 0.659046"])
def maxsig(x: Tensor) -> Tensor:
    return torch.maximum(x, sigmoid(x))


@register(
    formula="(x + sqrt(x**2 + eps)) / 2 + (x - sqrt(x**2 + eps)) / (2 * sqrt((1 - x)**2 + eps))",
    source=_SURVEY + "4.55.18",
    requires={"eps must be positive": lambda eps: eps > 0},
)
def sign_relu_plus(x: Tensor, eps: float = 0.01) -> Tensor:
    h, decay = hypot(x, math.sqrt(eps)), hypot(1 - x, math.sqrt(eps))
    small = eps / (2 * (h + modulus(x)))  # (h - |x|) / 2 without cancellation
    large = 0.5 * h + 0.5 * modulus(x)
    # large / decay as 1 less a small part, whose derivative keeps its digits.
    rest = eps / (decay + 1 + modulus(x))
    below = small - 1 + (1 + rest - small) / decay
    far = where(x >= 0, large - small / decay, where(x < -1, below, small - large / decay))
    y = where(x.abs() < 0.5, x, 0.0)
    near = y + where(x >= 0, small, large) * ((y * (y - 2) + eps) / (decay + 1)) / decay
    return where(x.abs() < 0.5, near, far)


@register(
    formula="where(x >= 0, a * x + log(2), softplus(x))",
    source=_SURVEY + "3.6.14",
    aliases=["resp"],
)
def rectified_softplus(x: Tensor, a: float = 1.5) -> Tensor:
    return where(x >= 0, a * x + math.log(2), softplus(negative(x)))
