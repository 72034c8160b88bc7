import copy
import itertools
import pickle
import pkgutil
import re
import warnings
from datetime import datetime
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts import activations, registry
from lightning_acts.definition import REQUIRED
from lightning_acts.formula import parse

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
    spec = acts.ActivationSpec(name, parameters)
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
    assert str(acts.resolve("gelu-tanh")) == "gelu(approximate=tanh)"
    assert str(acts.resolve("gelu_tanh(approximate=none)")) == "gelu(approximate=none)"


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


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.ops.aten.relu, "relu"),
        (torch.ops.aten.leaky_relu_.default, "leaky_relu"),
        (torch.ops.aten._log_softmax.default, "log_softmax"),
        (torch._softmax, "softmax"),
        (torch._prelu_kernel, "prelu"),  # type: ignore[attr-defined]
    ],
)
def test_operations_and_private_functions_of_torch_go_by_their_public_names(function: Any, name: str) -> None:
    assert acts.info(function).name == name


def test_private_names_of_torch_are_not_shown() -> None:
    with pytest.raises(acts.SpecError, match="no activation 'fused_sdp_choice'") as refused:
        acts.info(torch._fused_sdp_choice)
    assert "_fused" not in str(refused.value)


def test_an_unregistered_function_is_a_module_that_copies_and_pickles() -> None:
    module = acts.create(scaled, scale=3.0)
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied(torch.ones(2)), torch.full((2,), 3.0))
        assert type(copied) is type(module)
    assert acts.spec_of(module) is None
    with pytest.raises(acts.SpecError, match="not registered"):
        acts.resolve(scaled)


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


def _compare(activation: Any) -> acts.Comparison:
    return acts.compare("relu", against=activation)


@pytest.mark.parametrize(("spec", "message"), BAD)
def test_bad_names_and_parameters_are_refused_with_the_reason(spec: str, message: str) -> None:
    with pytest.raises(acts.SpecError, match=message):
        acts.create(spec)
    with pytest.raises(acts.SpecError, match=message):
        acts.resolve(spec)


@pytest.mark.parametrize("asked", [acts.create, acts.resolve, acts.info, acts.gain, acts.nearest, _init, _compare])
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
        acts.resolve(nn.Dropout)
    with pytest.raises(acts.SpecError, match="under 'name'"):
        acts.create({"alpha": 1})
    with pytest.raises(acts.SpecError, match="alpha: given both in"):
        acts.create("elu(alpha=1)", alpha=2)
    with pytest.raises(acts.SpecError, match="is a module already"):
        acts.create(nn.ELU(), alpha=2)
    with pytest.raises(acts.SpecError, match="dictionary|dict"):
        acts.create("elu", alpha={"a": 1})


def test_names_filters() -> None:
    assert {"glu", "swiglu", "maxout"} <= set(acts.names(kind="gated"))
    assert {"prelu", "srelu"} <= set(acts.names(family="rectified", learnable=True)) and "relu" not in acts.names(
        learnable=True
    )
    assert "relu" in acts.names(family="rectified", monotone=True)
    assert "mish" not in acts.names(monotone=True)
    smooth = set(acts.names(bounded=True, smooth=True, zero_centred=True))
    assert {"tanh", "erf", "softsign"} <= smooth and not {"sigmoid", "hardtanh", "relu", "asinh"} & smooth
    cheap = set(acts.names(needs_exp=False, kind="elementwise"))
    assert {"relu", "squareplus", "pflu", "arctan"} <= cheap and not {"elu", "mish", "gelu", "erf"} & cheap
    assert "rrelu" in acts.names(stochastic=True) and "elastic_elu" in acts.names(stochastic=True, learnable=True)
    with pytest.raises(acts.SpecError, match="family 'rectifed'; did you mean 'rectified'"):
        acts.names(family="rectifed")


@pytest.mark.parametrize("name", acts.names())
def test_facts_are_complete_and_shown(name: str) -> None:
    definition = acts.info(name)
    shown = str(definition)
    assert definition.formula and definition.formula in shown
    assert definition.source and definition.source in shown
    for parameter in definition.parameters:
        assert parameter.name in shown


def test_info_takes_whatever_names_an_activation() -> None:
    for given in ("relu", nn.ReLU, nn.ReLU(inplace=True), F.relu, {"name": "relu"}):
        assert acts.info(given).name == "relu"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", sorted(set(acts.names(kind="elementwise")) - {"prelu", "rrelu", "threshold", "identity"})
)
def test_functions_by_which_it_is_recognised_compute_it(name: str) -> None:
    definition = acts.info(name)
    assert definition.functions
    module = acts.create(name).eval()
    for function in definition.functions:
        x = torch.randn(3, 4)
        torch.testing.assert_close(function(x.clone()), module(x).detach(), equal_nan=True)


def test_entries_with_one_curve_are_related() -> None:
    """Synonyms are one entry with aliases, unless they differ in what is trained: then they name each other."""
    order = torch.randperm(1152, generator=torch.Generator().manual_seed(0))
    x = torch.linspace(-29.03, 29.07, 1152, dtype=torch.float64)[order].view(8, 4, 6, 6)
    curves = {}
    for name in set(acts.names()) - {"sparse_softmax"}:
        definition = acts.info(name)
        if all(parameter.default is not REQUIRED for parameter in definition.parameters):
            guesses = any(parameter.name == "dim" and parameter.default is None for parameter in definition.parameters)
            curves[name] = acts.create(name, **({"dim": -1} if guesses else {})).double().eval()(x).detach()

    def groups(pairs: list[tuple[str, str]]) -> set[frozenset[str]]:
        member = {name: {name} for name in curves}
        for one, other in pairs:
            if member[one] is not member[other]:
                member[one] |= member[other]
                for name in member[one]:
                    member[name] = member[one]
        return {frozenset(names) for names in member.values()}

    equal = [
        (one, other)
        for one, other in itertools.combinations(curves, 2)
        if curves[one].shape == curves[other].shape
        and torch.allclose(curves[one], curves[other], rtol=1e-6, atol=1e-6, equal_nan=True)
    ]
    related = [(name, other) for name in curves for other in acts.info(name).related]
    assert groups(equal) == groups(related)
    assert len(groups(equal)) + len(set(acts.names()) - set(curves)) > 300  # entries that differ at their defaults


@pytest.mark.parametrize("name", [name for name in acts.names() if acts.info(name).family != "user"])
def test_formula_source_family_and_year(name: str) -> None:
    definition = acts.info(name)
    assert definition.formula and definition.source
    parse(definition.formula)
    assert definition.family in {module.name for module in pkgutil.iter_modules(activations.__path__)}
    # A publication with its year, an arXiv id, a library, or the words that say why there is none.
    assert re.search(
        r"\b(1[89]|20)\d\d\b|classic|torch\.|jax\.|timm|transformers|Theano|section \d|not known", definition.source
    )
    assert definition.year is None or 1800 < definition.year <= datetime.now().year
    for year, submitted in re.findall(r"(\d{4}), arXiv:(\d{2})\d{2}\.\d{4,5}", definition.source):
        assert abs(int(year) - 2000 - int(submitted)) <= 1


def test_the_year_of_a_survey_is_not_that_of_the_publication() -> None:
    assert acts.info("abs").year is None and "2024" in (acts.info("abs").source or "")
    assert acts.info("elliott").year == 1993 and acts.info("silu").year == 2016
    assert acts.info("rootsig").year == 1999


def test_nearest() -> None:
    found = dict(acts.nearest("mish", count=30))
    assert "mish" not in found and list(found.values()) == sorted(found.values())
    assert found["silu"] < 0.1 and "silu" in found
    # By hand, on a fine grid.
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    weights = torch.exp(-(z**2) / 2) / torch.exp(-(z**2) / 2).sum()
    expected = (((F.mish(z) - F.silu(z)) ** 2) * weights).sum().sqrt().item()
    assert abs(found["silu"] - expected) < 1e-8
    assert acts.nearest(lambda x: torch.tanh(x) + 0.01, count=40)[0][1] <= 0.011
    assert acts.nearest("swish", count=1)[0][1] == 0
    with pytest.raises(acts.SpecError, match="not elementwise"):
        acts.nearest("softmax2d")


class TestEntryPoints:
    def test_a_packages_activations_are_loaded(self, clean_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
        point = EntryPoint("plugin", "tests_plugin_activation", "lightning_acts.activations")
        import sys
        import types

        plugin = types.ModuleType("tests_plugin_activation")
        monkeypatch.setitem(sys.modules, "tests_plugin_activation", plugin)
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [point] if group == "lightning_acts.activations" else []
        )
        acts.register(scaled, name="from_plugin")
        registry._read_plugins()
        assert type(acts.create("from_plugin")).__name__ == "FromPlugin"

    def test_a_broken_package_is_named_and_takes_nothing_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        point = EntryPoint("broken", "no_such_module_anywhere", "lightning_acts.activations")
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])
        with pytest.warns(UserWarning, match="no_such_module_anywhere.*'broken'"):
            registry._read_plugins()
        assert acts.create("relu")


def test_no_warning_when_everything_is_made() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, (_, parameters) in TORCH_CLASSES.items():
            acts.create(name, **parameters)
        acts.create("prelu(per=channel)")
