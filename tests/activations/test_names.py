"""What other libraries call their activations: each name is one of ours, with the same curve or a stated difference."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from timm.layers import create_act
from torch import Tensor, nn
from transformers.activations import ACT2FN

import lightning_acts as acts

X = torch.linspace(-8.03, 8.05, 2016, dtype=torch.float64).view(7, 4, 6, 12)
ARGUMENTS: dict[str, dict[str, Any]] = {"Threshold": {"threshold": 0.5, "value": 0.25}}
# Theirs hold constants in float32, and xielu its parameters in bfloat16.
TOLERANCE = {"xielu": 2e-2}


def values(function: Callable[[Tensor], Tensor]) -> Tensor:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Implicit dimension choice for")
        return function(X.clone())


def made(name: str, **parameters: Any) -> nn.Module:
    return acts.create(name, **parameters).double().eval()


@pytest.mark.parametrize("name", sorted(set(nn.modules.activation.__all__) - {"MultiheadAttention"}))
def test_torch(name: str) -> None:
    cls, given = getattr(nn, name), ARGUMENTS.get(name, {})
    ours = made(name, **given)
    assert type(ours) is cls
    assert acts.info(cls) is acts.info(name)
    torch.testing.assert_close(values(ours), values(cls(**given).double().eval()), rtol=0, atol=0)


@pytest.mark.parametrize("name", sorted({*create_act._ACT_LAYER_DEFAULT, *create_act._ACT_FN_DEFAULT}))
def test_timm(name: str) -> None:
    theirs = [create_act._ACT_LAYER_DEFAULT[name]().double().eval()]
    theirs += [create_act._ACT_FN_DEFAULT[name]] if name in create_act._ACT_FN_DEFAULT else []
    for one in theirs:
        torch.testing.assert_close(values(made(name)), values(one), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ACT2FN)
def test_transformers(name: str) -> None:
    tolerance = TOLERANCE.get(name, 1e-6)
    torch.testing.assert_close(values(made(name)), values(ACT2FN[name].double().eval()), rtol=tolerance, atol=tolerance)


# The public functions of keras.activations 3.15.1 and of jax.nn 0.10.2 that are activations. Their curves were compared
# with ours by scripts/make_peers.py: docs/peers.md shows each.
KERAS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid "
    "sparsemax squareplus swish tanh tanh_shrink threshold"
)
JAX = (
    "celu elu gelu glu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu log1mexp log_sigmoid log_softmax "
    "logmeanexp logsumexp mish relu relu6 selu sigmoid silu soft_sign softmax softplus sparse_plus sparse_sigmoid "
    "squareplus standardize swish tanh"
)
# Where their defaults are others than ours.
DIFFERENT = {
    "keras": ["leaky_relu", "log_softmax", "softmax", "sparsemax"],
    "jax": ["gelu", "log_softmax", "logmeanexp", "logsumexp", "softmax"],
}


@pytest.mark.parametrize(
    ("library", "name"), [("keras", name) for name in KERAS.split()] + [("jax", name) for name in JAX.split()]
)
def test_keras_and_jax(library: str, name: str) -> None:
    notes = " ".join(acts.info(name).notes)
    assert name not in DIFFERENT[library] or library in notes
    if name != "threshold":
        made(name)


@pytest.mark.parametrize(
    ("given", "name"),
    [("ReLU", "relu"), ("leaky-relu", "leaky_relu"), ("LEAKYRELU", "leaky_relu"), ("swish", "silu"), ("linear", "identity"), ("bilinear", "bilinear_layer"), ("Log_Sigmoid", "logsigmoid"), ("Very-Leaky-ReLU", "leaky_relu")],
)  # fmt: skip
def test_names_without_regard_to_case_hyphen_underscore(given: str, name: str) -> None:
    assert acts.info(given).name == name
