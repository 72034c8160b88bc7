"""Every spelling that PyTorch has for an activation, as its own database of operators lists them."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import lightning_acts as acts
from lightning_acts.hints import canonical

pytest.importorskip("expecttest", reason="PyTorch's database of operators imports it")
from torch.testing._internal.common_methods_invocations import op_db

#: What a call takes beyond its input.
ARGUMENTS = {"softmax": "-1", "log_softmax": "-1", "softmin": "-1", "prelu": "self.weight"}
#: Operators of a name that the registry gives to another function, or that take weights or draw random values.
OTHERS = {"linear", "exponential", "heaviside", "sinc", "sqrt", "logsumexp"}

CLASS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear({out}, 8)
        self.weight = nn.Parameter(torch.tensor([0.25]))

    def forward(self, x):
        h = self.a(x)
        return self.b({call})
"""


def _base(operator: Any) -> str:
    return str(operator.name).rpartition(".")[2]


#: Asking for one that is not known takes a search for the nearest names.
KNOWN = {canonical(name) for entry in acts.names() for name in acts.info(entry).all_names}


def _is_activation(operator: Any) -> bool:
    if canonical(_base(operator)) not in KNOWN or _base(operator) in OTHERS or operator.name.startswith("signal."):
        return False
    try:
        acts.create(_base(operator))
    except acts.SpecError:
        return False
    return True


OPERATORS = {operator.name: operator for operator in op_db if _is_activation(operator)}


def spellings(operator: Any) -> Iterator[str]:
    """Yield every call of an operator on ``h``: functions, aliases, methods, in place, operators of ATen."""
    base = _base(operator)
    arguments = ARGUMENTS.get(base, "")
    given = f"h, {arguments}" if arguments else "h"
    names = dict.fromkeys([operator.name, *(alias.name for alias in operator.aliases)])
    for name in names:
        yield f"torch.{name}({given})"
        leaf = name.rpartition(".")[2]
        if not name.startswith(("masked", "special")):
            for owner, path in ((torch, "torch"), (F, "torch.nn.functional")):
                yield from (f"{path}.{form}({given})" for form in (leaf, f"{leaf}_") if hasattr(owner, form))
        for form in (leaf, f"{leaf}_"):
            if hasattr(torch._C.TensorBase, form):  # not what other tests set
                yield from (f"h.{form}({arguments})", f"torch.Tensor.{form}({given})")
    for name in {base, operator.aten_name, *(name.rpartition(".")[2] for name in names)}:
        for form in (name, f"{name}_"):
            if "." not in form and hasattr(torch.ops.aten, form):
                yield f"torch.ops.aten.{form}({given})"
                if "default" in getattr(torch.ops.aten, form).overloads():
                    yield f"torch.ops.aten.{form}.default({given})"


def test_the_database_knows_the_activations() -> None:
    assert {"nn.functional.relu", "nn.functional.gelu", "sigmoid", "tanh", "sin", "erf", "softmax"} <= set(OPERATORS)


@pytest.mark.parametrize("name", OPERATORS)
def test_every_spelling_is_a_site(name: str, tmp_path: Path) -> None:
    operator, x = OPERATORS[name], torch.randn(2, 8)
    tried, missed = 0, []
    for index, call in enumerate(sorted(set(spellings(operator)))):
        model = _made(
            CLASS.format(call=call, out=4 if _base(operator) == "glu" else 8), tmp_path / f"spelled_{index}.py"
        )
        try:
            model(x)
        except (RuntimeError, TypeError):  # not a form that can be called like this
            continue
        tried += 1
        missed += [(call, way) for way, example in (("read", None), ("run", x)) if not acts.find(model, example)]
    assert tried and not missed


@pytest.mark.parametrize(
    ("call", "spec"),
    [
        ("_softmax(h, -1, False)", "softmax"),
        ("_safe_softmax(h, -1)", "softmax"),
        ("_log_softmax.default(h, -1, False)", "log_softmax"),
        ("_prelu_kernel(h, torch.full((8,), 0.2))", "prelu"),
    ],
)
def test_operators_of_a_decomposed_graph(call: str, spec: str, tmp_path: Path) -> None:
    model = _made(CLASS.format(call=f"torch.ops.aten.{call}", out=8), tmp_path / f"private_{spec}{len(call)}.py")
    for example in (None, torch.randn(2, 8)):
        assert [site.activation for site in acts.find(model, example)] == [spec]


def test_a_run_does_not_count_what_it_does_not_show(tmp_path: Path) -> None:
    model = _made(CLASS.format(call="torch.ops.aten.relu(h)", out=8), tmp_path / "counted.py")
    (site,) = acts.find(model, torch.randn(2, 8))
    assert site.calls is None


def _made(code: str, file: Path) -> nn.Module:
    file.write_text(code)
    spec = importlib.util.spec_from_file_location(f"{file.parent.name}_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    model: nn.Module = module.Net()
    return model
