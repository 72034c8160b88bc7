"""Modules with a backend: what they stay, how they are copied and saved, and which backend runs when."""

import copy
import io
import pickle

import pytest
import torch
from steps import created, sample
from torch import nn
from torch.testing import assert_close

import lightning_acts as acts
from lightning_acts.kernels.backends import BACKENDS
from lightning_acts.kernels.compiling import CompiledKernel


@pytest.mark.parametrize("name", ["mish", "srelu", "tanh_soft"])
def test_copies_and_files(name: str) -> None:
    module = created(name, "lean")
    x = sample(2, 3, 4)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)]
    for one in copies:
        assert type(one) is type(module) and one.backend == "lean"  # type: ignore[union-attr]
        assert_close(one(x), module(x), rtol=0, atol=0)
    # What is saved does not depend on the backend.
    plain = created(name, "torch")
    plain.load_state_dict(module.state_dict())
    assert plain.state_dict().keys() == module.state_dict().keys()


def test_a_module_stays_what_it_is() -> None:
    mish = acts.create("mish", backend="lean")
    assert isinstance(mish, nn.Mish) and acts.spec_of(mish) == acts.spec_of(nn.Mish()) and repr(mish) == "Mish()"
    assert acts.create(mish, backend="torch") is mish and type(mish) is nn.Mish
    # A lazy one is sized by its first input, and keeps its backend.
    lazy = acts.create("srelu", backend="lean")
    lazy(sample(2, 5, 4))
    assert lazy.backend == "lean" and lazy.tr.shape == (5,)
    # Torch's own operator takes one kernel a pass and keeps one tensor.
    assert type(acts.create("relu", backend="compiled")) is nn.ReLU


def test_a_model_that_the_user_compiles_or_exports_sees_the_formula() -> None:
    model = nn.Sequential(nn.Linear(4, 4), acts.create("penalized_tanh", backend="compiled"))
    x = sample(3, 4)
    assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))
    nodes = torch.export.export(model.eval(), (x,)).graph.nodes
    assert any("tanh" in str(node.target) for node in nodes)


@pytest.mark.parametrize(
    ("name", "sizes", "compiled"),
    [
        ("star_relu", [10, 80_000, 90_000], [90_000]),  # four operations: from 87,382 elements on
        ("tanh_soft", [4_000, 30_000], [30_000]),  # many
        ("abs", [1_000_000], []),  # one operation of torch's, faster as it is
        ("logsigmoid", [1_000_000], []),  # torch's own, likewise
        ("mish", [100_000, 200_000], [200_000]),  # torch's own, but slower
        ("gelu", [1_000_000], []),  # torch's own, and as fast
        ("gelu_tanh", [200_000, 300_000], [300_000]),  # its other form is not
    ],
)
def test_auto_compiles_where_that_is_faster(
    name: str, sizes: list[int], compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    monkeypatch.setattr(CompiledKernel, "forward", lambda self, *t: ran.append(t[0].numel()) or t[0].clone())
    module = created(name, "auto")
    for size in sizes:
        module(torch.randn(1, 1, size))
    assert ran == compiled


def test_auto_knows_that_torch_is_fast_at_tanh_where_there_is_no_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(CompiledKernel, "forward", lambda self, *t: ran.append(torch.is_grad_enabled()) or t[0].clone())
    module, x = created("tanh_exp", "auto"), torch.randn(1, 1, 1_000_000)
    with torch.no_grad():
        module(x)
    assert not ran
    module(x.requires_grad_())
    assert len(ran) == 1


def test_an_activation_whose_parameter_moves_is_not_compiled_at_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledKernel, "forward", lambda *_: pytest.fail("compiled"))
    module = acts.create("general_hardsigmoid", backend="compiled")
    for bias in (1.0, 2.0):
        module.fix("bias", bias)  # type: ignore[operator]
        assert_close(module(sample(3)), acts.create("general_hardsigmoid", bias=bias)(sample(3)))


def test_there_is_no_such_backend() -> None:
    with pytest.raises(acts.SpecError, match="backend='compield': one of torch, eager, lean, compiled, auto.*compiled"):
        acts.create("mish", backend="compield")
    for given, near in {
        "lean(bits=5)": "lean\\(bits=4\\)",
        "lean(bits=0)": "lean\\(bits=1\\)",
        "lean(bit=2)": "lean\\(bits=2\\)",
        "compiled(bits=2)": "lean\\(bits=2\\)",
        "lean(bits=2": "lean\\(bits=2\\)",
    }.items():
        with pytest.raises(acts.SpecError, match=f"or lean\\(bits=N\\) with N from 1 to 4; did you mean '{near}'"):
            acts.create("mish", backend=given)
    for unusable in (2, ["lean"], True):
        with pytest.raises(acts.SpecError, match="one of torch"):
            acts.create("mish", backend=unusable)  # type: ignore[arg-type]
    with pytest.raises(acts.SpecError, match="Dropout is no registered activation"):
        acts.create(nn.Dropout(), backend="lean")
    assert BACKENDS == ("torch", "eager", "lean", "compiled", "auto")
