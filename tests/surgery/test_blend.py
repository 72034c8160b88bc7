"""The module in which one activation takes over from another, against the sum written by hand."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from lightning_acts.surgery.blend import Blend, ParameterPath

X = torch.linspace(-3, 3, 24).view(2, 3, 4)


@pytest.mark.parametrize("amount", [0.25, 0.5, 1 / 3, 0.9999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_run_between_the_ends(amount: float, dtype: torch.dtype) -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    assert blend.set(amount)
    x = X.to(dtype)
    expected = (1 - amount) * torch.relu(x) + amount * nn.functional.mish(x)
    assert torch.equal(blend(x), expected)
    assert blend(x).dtype is dtype


def test_half_types_stay_so() -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    blend.set(1 / 3)
    half = blend(X.bfloat16())
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half.float(), blend(X), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(("amount", "runs"), [(0.0, "old"), (1.0, "new")])
def test_one_alone_runs_at_an_end(amount: float, runs: str) -> None:
    called: list[str] = []
    blend = Blend(nn.ReLU(), nn.Mish())
    for name, module in blend.named_children():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    blend.set(0.5)
    blend.set(amount)
    blend(X)
    assert called == [runs]
    assert blend.present is getattr(blend, runs)


def test_set_tells_whether_others_run() -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    assert [blend.set(amount) for amount in (0.0, 0.1, 0.2, 1.0, 1.0, 0.0)] == [False, True, False, True, False, True]


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_what_is_no_part(amount: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Blend(nn.ReLU(), nn.Mish()).set(amount)


def test_one_that_works_in_place_does_not_change_what_the_other_reads() -> None:
    blend = Blend(nn.ReLU(inplace=True), nn.Tanh())
    blend.set(0.5)
    x = X.clone().requires_grad_()
    out = blend(x + 0)
    assert torch.equal(out, 0.5 * torch.relu(X) + 0.5 * torch.tanh(X))
    out.sum().backward()
    assert torch.allclose(x.grad, 0.5 * (X > 0) + 0.5 * (1 - torch.tanh(X) ** 2))


def test_neither_averages_nor_checkpoints_see_the_amount() -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    assert list(blend.buffers()) == []
    assert blend.state_dict() == {}


def test_idle_parameters_need_no_gradient() -> None:
    blend = Blend(nn.PReLU(), nn.PReLU())
    blend.old.weight.requires_grad_(True)
    seen = []
    for amount in (0.0, 0.5, 1.0):
        blend.set(amount)
        blend.freeze_idle()
        seen.append((blend.old.weight.requires_grad, blend.new.weight.requires_grad))
    assert seen == [(True, False), (True, True), (False, True)]
    blend.unfreeze()
    assert blend.old.weight.requires_grad


def test_those_frozen_before_stay_so() -> None:
    old = nn.PReLU().requires_grad_(False)
    blend = Blend(old, nn.PReLU())
    blend.freeze_idle()
    blend.unfreeze()
    assert not old.weight.requires_grad


def test_copies_are_apart() -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    blend.set(0.5)
    copied = copy.deepcopy(blend)
    blend.set(0.75)
    assert torch.equal(copied(X), 0.5 * torch.relu(X) + 0.5 * nn.functional.mish(X))


def test_a_copy_freezes_its_own_parameters() -> None:
    copied = copy.deepcopy(blend := Blend(nn.PReLU(), nn.PReLU()))
    copied.freeze_idle()
    assert not copied.new.weight.requires_grad
    assert blend.new.weight.requires_grad


@pytest.mark.parametrize("device", ["meta"])
def test_moves(device: str) -> None:
    blend = Blend(nn.PReLU(), nn.Mish())
    blend.set(0.5)
    assert blend.to(device)(X.to(device)).shape == X.shape


def test_a_parameter_moves() -> None:
    blend = Blend(nn.ReLU(), nn.LeakyReLU(), ParameterPath("negative_slope", 0.5, 0.1))
    assert torch.equal(blend(X), torch.relu(X))
    for amount, slope in ((0.25, 0.4), (0.5, 0.3), (1.0, 0.1)):
        blend.set(amount)
        torch.testing.assert_close(blend(X), nn.functional.leaky_relu(X, slope))


def test_its_words() -> None:
    blend = Blend(nn.ReLU(), nn.Mish())
    blend.set(0.25)
    assert "amount=0.25" in repr(blend)


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("make", [nn.Mish, nn.PReLU])
def test_a_model_leaves_torch_with_its_blend(make: Callable[[], nn.Module], amount: float, tmp_path: Path) -> None:
    blend = Blend(nn.ReLU(), make())
    blend.set(amount)
    model, x = nn.Sequential(nn.Linear(4, 4), blend, nn.Linear(4, 2)).eval(), torch.randn(3, 4)
    expected = model(x)
    assert torch.equal(torch.fx.symbolic_trace(model)(x), expected)
    assert torch.equal(torch.export.export(model, (x,)).module()(x), expected)
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), expected.detach(), rtol=1e-4, atol=1e-5)


def test_compiled_code_serves_all_amounts() -> None:
    torch._dynamo.reset()  # all nn.Sequential share 8 compilations, which the tests before may have taken
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    blend = Blend(nn.ReLU(), nn.Mish())
    compiled = torch.compile(nn.Sequential(blend), backend=backend, dynamic=False)
    for amount in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        blend.set(amount)
        torch.testing.assert_close(compiled(X), blend(X))
    assert len(graphs) == 3  # the old one, both, the new one
