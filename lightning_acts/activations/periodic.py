"""Periodic and hyperbolic activations."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_acts.definition import learnable
from lightning_acts.elementary import asinh, clip, cos, modulus, negative, positive, sin, sinc, sinh, tanh, total, where
from lightning_acts.registry import register

_SURVEY = "Kunc & Klema 2024, arXiv:2402.09092, section "


@register(
    aliases=["siren"],
    formula="sin(omega * x)",
    source="Sitzmann et al. 2020, arXiv:2006.09661; Parascandolo, Huttunen & Virtanen 2017",
    notes=[
        "SIREN's omega; others use pi, or 1: see sin",
        "SIREN starts its first layer from U(-1 / n, 1 / n), the others from U(-b, b), b = sqrt(6 / n) / omega",
    ],
    claim="implicit neural representations: signals with their derivatives",
    used_in=["SIREN"],
)
def sine(x: Tensor, omega: float = 30.0) -> Tensor:
    return sin(omega * x)


@register(formula="sin(a * x) / 2 + 0.3", source=_SURVEY + "3.29", notes=["the source tries a from 0.2 to 4"])
def scaled_shifted_sine(x: Tensor, a: float = 0.2) -> Tensor:
    return 0.5 * sin(a * x) + 0.3


@register(
    name="sin",
    functions=[torch.sin, torch.sin_, Tensor.sin, Tensor.sin_],
    formula="sin(x)",
    source="classic; Parascandolo, Huttunen & Virtanen 2017",
    notes=["as torch.sin; with a frequency: see sine"],
)
def plain_sine(x: Tensor) -> Tensor:
    return torch.sin(x)


@register(
    aliases=["cos"],
    functions=[torch.cos, torch.cos_, Tensor.cos, Tensor.cos_],
    formula="cos(x)",
    source="classic",
    used_in=["random Fourier features"],
)
def cosine(x: Tensor) -> Tensor:
    return torch.cos(x)


@register(
    formula="1 - cos(x)",
    source=_SURVEY + "3.30",
    notes=["published as Cosine"],
)
def one_minus_cos(x: Tensor) -> Tensor:
    return 2 * torch.sin(0.5 * x) ** 2


@register(formula="cos(x) - x", source="Eger, Youssef & Gurevych 2018, arXiv:1901.02671")
def cosid(x: Tensor) -> Tensor:
    return torch.cos(x) - x


@register(formula="sin(x) - a * x", source="Chan et al.; " + _SURVEY + "3.32", notes=["the source tries 1, 1.5 and 2"])
def sinp(x: Tensor, a: float = 1.0) -> Tensor:
    if a != 1.0:
        return torch.sin(x) - a * x
    return where(x.abs() < 1, _sine_minus_identity(x), torch.sin(x) - x)


def _sine_minus_identity(x: Tensor) -> Tensor:
    """sin(x) - x for |x| < 1, by its Taylor series."""
    y = clip(x, -1.0, 1.0)
    square = y * y
    series = torch.ones_like(y)
    for n in (17, 15, 13, 11, 9, 7, 5):
        series = 1 - square / (n * (n - 1)) * series
    return -y * (square / 6) * series


@register(
    aliases=["x_plus_sin"],
    formula="x + sin(x)",
    source="Ziyin, Hartwig & Ueda 2020, arXiv:2006.08195",
    claim="periodic functions, with extrapolation",
)
def sin_plus_x(x: Tensor) -> Tensor:
    return x + torch.sin(x)


@register(
    formula="x + sin(alpha * x)**2 / alpha",
    source="Ziyin, Hartwig & Ueda 2020, arXiv:2006.08195",
    claim="periodic functions, with extrapolation",
    used_in=["Descript Audio Codec", "Stable Audio's autoencoder"],
    related=["snake_beta"],
)
def snake(x: Tensor, alpha: float = learnable(1.0, per="channel", constraint="positive")) -> Tensor:
    return x + sin(alpha * x) ** 2 / alpha


@register(
    formula="x + sin(alpha * x)**2 / beta",
    source="Lee et al. 2022, arXiv:2206.04658",
    used_in=["BigVGAN"],
    related=["snake"],
)
def snake_beta(
    x: Tensor,
    alpha: float = learnable(1.0, per="channel", constraint="positive"),
    beta: float = learnable(1.0, per="channel", constraint="positive"),
) -> Tensor:
    return x + sin(alpha * x) ** 2 / beta


@register(aliases=["gcu"], formula="x * cos(x)", source="Noel et al. 2021, arXiv:2108.12943")
def growing_cosine_unit(x: Tensor) -> Tensor:
    return x * torch.cos(x)


@register(aliases=["asu"], formula="x * sin(x)", source="Rahman et al. 2023, arXiv:2304.09759")
def amplifying_sine_unit(x: Tensor) -> Tensor:
    return x * torch.sin(x)


@register(
    name="sinc",
    formula="sinc(x)",
    source=_SURVEY + "3.35",
    notes=["sin(x) / x; torch.sinc is sin(pi x) / (pi x)"],
)
def cardinal_sine(x: Tensor) -> Tensor:
    return sinc(x)


@register(
    formula="a * sin(b * x) + c * cos(d * x)",
    source="Zhao, Ding & Prakash 2023, arXiv:2307.11833; Efe 2008",
    used_in=["PINNsFormer"],
)
def sincos(
    x: Tensor,
    a: float = learnable(1.0),
    b: float = learnable(1.0),
    c: float = learnable(1.0),
    d: float = learnable(1.0),
) -> Tensor:
    return a * sin(b * x) + c * cos(d * x)


@register(
    formula="sinh(a * x) + asinh(a * x)",
    source="Nader & Azar 2021; " + _SURVEY + "3.25",
    notes=["overflows soon; the source gives no value of a"],
)
def comb_h_sine(x: Tensor, a: float = 1.0) -> Tensor:
    return sinh(a * x) + asinh(a * x)


@register(
    formula="where(x > 0, sinh(x) / 3, x**3 / 4)",
    source="Parisi et al. 2021; " + _SURVEY + "3.27",
    notes=["overflows soon"],
)
def hyper_sinh(x: Tensor) -> Tensor:
    left = negative(x)
    return where(x > 0, sinh(positive(x)) / 3, left * (0.25 * (left * left)))


@register(formula="atan(x)**2 - x", source=_SURVEY + "3.28")
def arctid(x: Tensor) -> Tensor:
    return torch.atan(x) ** 2 - x


@register(
    formula="a * exp(x) * tanh(x)",
    source=_SURVEY + "3.40",
    notes=["overflows soon; the source gives no value of a"],
)
def etanh(x: Tensor, a: float = 1.0) -> Tensor:
    # The derivative of tanh is 0 long before the exponential overflows, and their product would be no number.
    return a * where(x > 25, torch.exp(x), torch.exp(clip(x, high=30.0)) * tanh(x))


@register(
    formula="a * (tanh(x**2) + relu(x))",
    source="Vijayaprabakaran & Sathiyamurthy 2022; " + _SURVEY + "3.40.1",
    notes=["found by an evolutionary search; the source gives no value of a"],
)
def evolved_tanh_relu(x: Tensor, a: float = 1.0) -> Tensor:
    y = where(x.abs() < 20, x, 20.0)
    return a * (tanh(y * y) + torch.relu(x))


@register(
    formula="tanh(beta * sin(omega * x))",
    source="Serrano et al. 2024, arXiv:2401.10967",
    notes=["a square wave for large beta; the source gives ranges"],
    claim="implicit neural representations",
)
def hosc(x: Tensor, beta: float = 8.0, omega: float = 1.0) -> Tensor:
    return tanh(beta * sin(omega * x))


@register(
    formula="sin(omega * (abs(x) + 1) * x)",
    source="Liu et al. 2023, arXiv:2312.02434",
    notes=["its authors' code lets no gradient through |x| + 1; its biases start from U(-k, k), k about 10"],
    claim="implicit neural representations with a wide spectrum",
)
def finer(x: Tensor, omega: float = 30.0) -> Tensor:
    return sin(omega * ((modulus(x) + 1) * x))


@register(
    formula="sin(sinh(2 * omega * x))",
    source="Gao & Jaiman 2024, arXiv:2410.04716",
    notes=["for the first layer; its argument overflows soon"],
)
def h_siren(x: Tensor, omega: float = 1.0) -> Tensor:
    return torch.sin(sinh(clip(2 * omega * x, -80.0, 80.0)))


@register(
    formula="sigmoid(a) * sin(x) + (1 - sigmoid(a)) * tanh(x) - b",
    source="Ferreira et al. 2021; " + _SURVEY + "4.27",
    aliases=["gln"],
    notes=["the source gives no initial values"],
)
def global_local_neuron(x: Tensor, a: Tensor = learnable(0.0), b: float = learnable(0.0)) -> Tensor:
    gate = torch.sigmoid(torch.as_tensor(a, dtype=x.dtype, device=x.device))
    return gate * torch.sin(x) + (1 - gate) * tanh(x) - b


@register(
    formula="x + sum(a[j] * (j + 1) * sin((j + 1) * x), j)",
    source="Jagtap et al. 2021, arXiv:2105.09513",
    notes=["Rowdy's sines on the identity, with c = 1; its authors start a at 0"],
    related=["identity"],
)
def rowdy(x: Tensor, a: tuple[float, ...] = learnable((0.0, 0.0, 0.0))) -> Tensor:
    waves = [height * (j * sin(j * x)) for j, height in enumerate(a, 1)]
    return x + total(waves)
