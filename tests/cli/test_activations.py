import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import pytest
from click.testing import Result

from lightning_acts import catalogue
from lightning_acts.models import ModelError
from lightning_acts.spec import SpecError

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_show_and_compare(invoke: Callable[..., Result]) -> None:
    shown = invoke("show", "elu(alpha=0.5)", "--picture", "elu.png").stdout
    assert "alpha * (exp(x) - 1)" in shown
    assert "⠉" in shown or "⣀" in shown or "⡠" in shown
    assert json.loads(invoke("show", "mish", "--json").stdout)["formula"] == "x * tanh(softplus(x))"
    assert "largest difference in value:      0.278" in invoke("compare", "relu", "silu", "--out", "c.png").stdout
    for name in ("elu.png", "c.png"):
        assert matplotlib.image.imread(name).std() > 0.01


OWN = """
import torch
import lightning_acts as acts

@acts.register(formula="x * sigmoid(beta * x)", source="this file")
def own_swish(x: torch.Tensor, beta: float = 1.5) -> torch.Tensor:
    return x * acts.functional.parametric_sigmoid(x, b=beta)

@acts.register(formula="log(1 + exp(x))", source="this file")
def naive_softplus(x: torch.Tensor) -> torch.Tensor:
    return torch.log(1 + torch.exp(x))

def not_registered(x: torch.Tensor) -> torch.Tensor:
    return x
"""


@pytest.mark.usefixtures("clean_registry")
def test_check_and_show_of_ones_own(invoke: Callable[..., Result], tmp_path: Path, run: Run) -> None:
    (tmp_path / "own_acts.py").write_text(OWN)
    assert "own_swish: no defects" in run("check", "own_acts:own_swish").stdout
    done = invoke("check", "own_acts:naive_softplus", expect=1).stdout
    assert "defect: value: the value at 1000.0 in float64 is not finite" in done
    assert "naive_softplus: " in done and "defects" in done
    found = json.loads(invoke("check", "hardsigmoid", "--json").stdout)
    assert found["defects"] == [] and "second derivative" in found["limits"]
    with pytest.raises(SpecError, match="not registered"):
        invoke("check", "own_acts:not_registered")
    with pytest.raises(ModelError, match="did you mean 'own_swish'"):
        invoke("check", "own_acts:own_swsh")
    shown = invoke("show", "own_acts:own_swish").stdout
    assert "range:      [-0.18" in shown and "this file" in shown


def test_gallery(invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "names", lambda: ["mish", "softmax"])  # all of them take a while
    assert invoke("gallery", "--out", "pages").stdout == "page: pages/index.html\n"
    page = (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert 'id="mish"' in page and 'id="softmax"' in page
    assert invoke("gallery", "--index", "acts.md").stdout == "page: acts.md\n"
    assert "| `mish` |" in (tmp_path / "acts.md").read_text("utf-8")
