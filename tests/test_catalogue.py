import itertools
import pkgutil
import re
from datetime import datetime

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lightning_acts as acts
from lightning_acts import activations
from lightning_acts.definition import REQUIRED
from lightning_acts.factory import definition_of
from lightning_acts.formula import parse
from lightning_acts.measuring import measured
from lightning_acts.module import build


def test_names_filters() -> None:
    assert {"glu", "swiglu", "maxout"} <= set(acts.names(kind="gated"))
    assert {"prelu", "srelu"} <= set(acts.names(family="rectified", learnable=True)) and "relu" not in acts.names(
        learnable=True
    )
    assert "relu" in acts.names(family="rectified", monotone=True)
    assert "mish" not in acts.names(monotone=True)
    smooth = set(acts.names(bounded=True, smooth=True, zero_centered=True))
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


@pytest.mark.parametrize("name", ["relu", "pelu", "softmax"])
def test_an_entry_shows_its_definition_beside_its_measured_facts_and_stands_for_it(name: str) -> None:
    definition, entry = definition_of(name), acts.info(name)
    assert entry == definition and hash(entry) == hash(definition) and entry != definition_of("tanh")
    assert type(build(entry, {})) is type(acts.create(name))
    assert str(acts.spec_of(build(entry, {}))) == name
    shown = measured(definition)
    assert entry.rows() == {**definition.rows(), **(shown.rows() if shown else {})}
    assert entry.range == (shown and shown.range)


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
