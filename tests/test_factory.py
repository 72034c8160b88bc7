import copy
import pickle
import re
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.factory import resolve
from lightning_acts.reports.comparison import Comparison
from lightning_acts.spec import ActivationSpec

TORCH_CLASSES: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "identity": (nn.Identity, {}),
    "sigmoid": (nn.Sigmoid, {}),
    "tanh": (nn.Tanh, {}),
    "logsigmoid": (nn.LogSigmoid, {}),
    "relu": (nn.ReLU, {}),
    "relu6": (nn.ReLU6, {}),
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": 0.3}),
    "prelu": (nn.PReLU, {"num_parameters": 3, "init": 0.1}),
    "rrelu": (nn.RReLU, {"lower": 0.1, "upper": 0.2}),
    "elu": (nn.ELU, {"alpha": 0.7}),
    "celu": (nn.CELU, {"alpha": 0.7}),
    "selu": (nn.SELU, {}),
    "silu": (nn.SiLU, {}),
    "hardswish": (nn.Hardswish, {}),
    "hardsigmoid": (nn.Hardsigmoid, {}),
    "softplus": (nn.Softplus, {"beta": 2.0, "threshold": 10.0}),
    "mish": (nn.Mish, {}),
    "gelu": (nn.GELU, {"approximate": "tanh"}),
    "softmax": (nn.Softmax, {"dim": 1}),
    "log_softmax": (nn.LogSoftmax, {"dim": 1}),
    "hardtanh": (nn.Hardtanh, {"min_val": -2.0, "max_val": 3.0}),
    "threshold": (nn.Threshold, {"threshold": 0.5, "value": 1.0}),
    "hardshrink": (nn.Hardshrink, {"lambd": 0.3}),
    "softshrink": (nn.Softshrink, {"lambd": 0.3}),
    "tanhshrink": (nn.Tanhshrink, {}),
    "softsign": (nn.Softsign, {}),
    "softmin": (nn.Softmin, {"dim": 1}),
    "softmax2d": (nn.Softmax2d, {}),
    "glu": (nn.GLU, {"dim": 1}),
    "linear_layer": (nn.Linear, {"in_features": 3, "out_features": 2, "bias": False}),
    "bilinear_layer": (nn.Bilinear, {"in1_features": 3, "in2_features": 4, "out_features": 2, "bias": False}),
}


@pytest.mark.parametrize("name", TORCH_CLASSES)
def test_torchs_own_class_with_its_parameters(name: str) -> None:
    cls, parameters = TORCH_CLASSES[name]
    by_keyword = acts.create(name, **parameters)
    by_mapping = acts.create({"name": name, **parameters})
    spec = ActivationSpec(name, parameters)
    by_spec, by_string = acts.create(spec), acts.create(str(spec))
    hand_made = cls(**parameters)
    for made in (by_keyword, by_mapping, by_spec, by_string):
        assert type(made) is cls
        assert repr(made) == repr(hand_made)
    assert acts.spec_of(by_keyword) == spec


@pytest.mark.parametrize(
    "name",
    [name for name, (cls, _) in TORCH_CLASSES.items() if name not in ("threshold", "linear_layer", "bilinear_layer")],
)
def test_torchs_defaults(name: str) -> None:
    assert repr(acts.create(name)) == repr(TORCH_CLASSES[name][0]())
    assert str(acts.spec_of(acts.create(name))) == name


def test_every_class_of_torch_is_in_the_table() -> None:
    classes = {name: acts.info(name).module_class for name in acts.names()}
    of_torch = {name for name, cls in classes.items() if cls and cls.__module__.startswith("torch.")}
    assert of_torch == set(TORCH_CLASSES)
    not_activations = {"MultiheadAttention"}
    for cls in set(nn.modules.activation.__all__) - not_activations:
        assert acts.info(cls).module_class is getattr(nn, cls)


def test_variant_name_pins_a_parameter() -> None:
    assert acts.create("gelu_tanh").approximate == "tanh"
    assert str(resolve("gelu-tanh")) == "gelu(approximate=tanh)"
    assert str(resolve("gelu_tanh(approximate=none)")) == "gelu(approximate=none)"


def test_other_forms() -> None:
    module = nn.Mish()
    assert acts.create(module) is module
    assert type(acts.create(nn.ELU, alpha=2.0)) is nn.ELU
    assert type(acts.create(nn.Flatten)) is nn.Flatten
    assert type(acts.create(F.relu)) is nn.ReLU
    assert type(acts.create(torch.tanh)) is nn.Tanh
    x = torch.randn(5)
    assert torch.equal(acts.create(lambda x: 3 * x)(x), 3 * x)
    assert torch.equal(acts.create(torch.sin)(x), torch.sin(x))


def scaled(x: Tensor, scale: float = 2.0) -> Tensor:
    return scale * x


def test_an_unregistered_function_is_a_module_that_copies_and_pickles() -> None:
    module = acts.create(scaled, scale=3.0)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied(torch.ones(2)), torch.full((2,), 3.0))
        assert type(copied) is type(module)
    assert acts.spec_of(module) is None
    with pytest.raises(acts.SpecError, match="not registered"):
        resolve(scaled)


BAD = [
    ("mishh", "'mishh'; did you mean 'mish'.*acts.names\\(\\) lists all"),
    ("zzzzzz", "no activation 'zzzzzz'\\. acts.names\\(\\) lists"),
    ("elu(alfa=1)", "no parameter 'alfa'; did you mean 'alpha'\\?.*alpha=1.0, inplace=False.*acts.info\\('elu'\\)"),
    ("mish(beta=1)", "mish has no parameter 'beta'.*inplace=False"),
    ("elu(alpha='x')", "alpha must be a number, not str"),
    ("elu(alpha=True)", "alpha must be a number, not bool"),
    ("elu(inplace=1)", "inplace must be True or False"),
    ("softmax(dim=0.5)", "dim must be a whole number or None"),
    ("softplus(beta=0)", "beta must not be 0"),
    ("celu(alpha=0)", "alpha must not be 0"),
    ("general_hardsigmoid(divisor=0)", "divisor must not be 0"),
    ("general_hardsigmoid(min_value=2)", "min_value=2, max_value=1.0\\): min_value must not be above max_value"),
    ("hardtanh(min_val=1)", "min_val must be below max_val"),
    ("rrelu(lower=0.5)", "lower must not be above upper"),
    ("prelu(num_parameters=0)", "number of parameters must be at least 1"),
    ("prelu(num_parameters=-2)", "number of parameters must be at least 1"),
    ("prelu(per=layer, num_parameters=3)", "per=channel takes 3"),
    ("prelu(per=neuron)", "one of 'layer', 'channel'"),
    ("gelu(approximate=foo)", "'none' or 'tanh'"),
    ("linear_layer", "needs in_features, out_features"),
    ("linear_layer(in_features=0, out_features=1)", "in_features must be at least 1"),
    ("threshold(value=1.0)", "needs threshold"),
    ("softshrink(lambd=-1)", "lambd must not be negative"),
]


def _init(activation: Any) -> nn.Module:
    return acts.init_(nn.Linear(2, 2), activation)


def _compare(activation: Any) -> Comparison:
    return acts.compare("relu", against=activation)


@pytest.mark.parametrize(("spec", "message"), BAD)
def test_bad_names_and_parameters_are_refused_with_the_reason(spec: str, message: str) -> None:
    with pytest.raises(acts.SpecError, match=message):
        acts.create(spec)
    with pytest.raises(acts.SpecError, match=message):
        resolve(spec)


@pytest.mark.parametrize("asked", [acts.create, resolve, acts.info, acts.gain, acts.nearest, _init, _compare])
@pytest.mark.parametrize(
    "nothing",
    [
        *(None, "", " ", 0, 1.5, True, (), [], {}, {"name": None}, set(), b"relu", ..., object(), torch.ones(2), nn),
        *(int, type(None), Exception, nn.Module, nn.ModuleList, nn.Module(), nn.ModuleDict(), print, "None", "null"),
    ],
)
def test_what_names_nothing_is_refused(asked: Any, nothing: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        asked(nothing)
    words = "names no activation|not a registered|not a spec|no activation|not registered|under 'name'|its input"
    assert re.search(words, str(refused.value))


def test_bad_kinds_of_argument() -> None:
    with pytest.raises(TypeError, match="<class 'torch.nn.modules.dropout.Dropout'> is not registered"):
        resolve(nn.Dropout)
    with pytest.raises(acts.SpecError, match="under 'name'"):
        acts.create({"alpha": 1})
    with pytest.raises(acts.SpecError, match="alpha: given both in"):
        acts.create("elu(alpha=1)", alpha=2)
    with pytest.raises(acts.SpecError, match="is a module already"):
        acts.create(nn.ELU(), alpha=2)
    with pytest.raises(acts.SpecError, match="dictionary|dict"):
        acts.create("elu", alpha={"a": 1})


def test_no_warning_when_everything_is_made() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, (_, parameters) in TORCH_CLASSES.items():
            acts.create(name, **parameters)
        acts.create("prelu(per=channel)")
