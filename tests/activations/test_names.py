"""What other libraries call their activations: each name is one of ours, with the same curve or a stated difference."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
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


# The public functions of keras.activations 3.15.1 and of jax.nn 0.10.2 that are activations, as they computed these
# points themselves, in float64 and with their defaults; keras's threshold with 0.5 and 0.25.
RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("keras_and_jax.json").read_text())
# Where their defaults are others than ours.
OURS = {
    ("keras", "leaky_relu"): "leaky_relu(negative_slope=0.2)",
    ("keras", "log_softmax"): "log_softmax(dim=-1)",
    ("keras", "softmax"): "softmax(dim=-1)",
    ("keras", "threshold"): "threshold(threshold=0.5, value=0.25)",
    ("jax", "gelu"): "gelu(approximate=tanh)",
    ("jax", "log_softmax"): "log_softmax(dim=-1)",
    ("jax", "softmax"): "softmax(dim=-1)",
}
# Where ours is another function, or takes the last dimension where theirs takes all.
OTHERS = {("keras", "sparsemax"), ("jax", "logmeanexp"), ("jax", "logsumexp")}


@pytest.mark.parametrize(
    ("library", "name"), [(library, name) for library in ("keras", "jax") for name in RECORDED[library]]
)
def test_keras_and_jax(library: str, name: str) -> None:
    x = torch.tensor([RECORDED["points"]], dtype=torch.float64)
    theirs = torch.tensor(RECORDED[library][name], dtype=torch.float64)
    ours = made(OURS.get((library, name), name))(x).detach().flatten()
    agree = torch.allclose(ours, theirs, rtol=1e-6, atol=1e-7, equal_nan=True)
    assert agree == ((library, name) != ("keras", "sparsemax")), f"ours {ours.tolist()}, theirs {theirs.tolist()}"
    if {(library, name)} & (OURS.keys() | OTHERS) and name != "threshold":
        assert library in " ".join(acts.info(name).notes)


@pytest.mark.parametrize(
    ("given", "name"),
    [("ReLU", "relu"), ("leaky-relu", "leaky_relu"), ("LEAKYRELU", "leaky_relu"), ("swish", "silu"), ("linear", "identity"), ("bilinear", "bilinear_layer"), ("Log_Sigmoid", "logsigmoid"), ("Very-Leaky-ReLU", "leaky_relu")],
)  # fmt: skip
def test_names_without_regard_to_case_hyphen_underscore(given: str, name: str) -> None:
    assert acts.info(given).name == name
