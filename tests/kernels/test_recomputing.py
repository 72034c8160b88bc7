"""Kernels that keep their input alone: gradients as without them, of every order, and whatever torch.func makes of them."""

import pytest
import torch
import torch.nn.functional as F
from steps import ELEMENTWISE, created, kept, sample, step
from torch import nn
from torch.testing import assert_close

import lightning_acts as acts
from lightning_acts.checks.numerics import ULPS, measure_errors


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_lean_computes_the_same_and_keeps_the_input_alone(name: str) -> None:
    plain, lean = (created(name, backend, torch.float64) for backend in ("eager", "lean"))
    lean.load_state_dict(plain.state_dict())
    x, gradient = sample(50, 3, 3, dtype=torch.float64), sample(50, 3, 3, dtype=torch.float64, seed=1)
    if not acts.info(name).stochastic:
        for one, other in zip(step(lean, x, gradient), step(plain, x, gradient), strict=True):
            assert_close(one, other, rtol=1e-12, atol=1e-12, equal_nan=True)
    # Parameters are kept too, but do not grow with the input.
    wide = sample(5000, 3, 3, dtype=torch.float64)
    assert kept(lean.eval(), wide) <= 1.01


@pytest.mark.parametrize("backend", ["lean", "compiled"])
@pytest.mark.parametrize("name", ["mish", "tanh_soft", "apl"])
def test_derivatives_of_derivatives(name: str, backend: str) -> None:
    module = created(name, backend, torch.float64)
    x = sample(2, 3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch itself uses it for forward mode
@pytest.mark.parametrize("backend", ["lean", "compiled"])
def test_transforms_and_forward_mode(backend: str) -> None:
    plain, module = (created("tanh_soft", one, torch.float64) for one in ("torch", backend))
    x = sample(2, 3, 4, dtype=torch.float64)
    for transform in (
        lambda f: torch.func.jacrev(f)(x),
        lambda f: torch.func.jacfwd(f)(x),
        lambda f: torch.func.vmap(f)(x),
        lambda f: torch.func.vmap(torch.func.grad(lambda row: f(row).sum()))(x),
    ):
        assert_close(transform(module), transform(plain))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        slopes = [torch.autograd.forward_ad.unpack_dual(one(dual)).tangent for one in (module, plain)]
    assert_close(*slopes)
    x.requires_grad_()
    rows = torch.eye(24, dtype=torch.float64).view(24, 2, 3, 4)
    batched = [torch.autograd.grad(one(x), x, rows, is_grads_batched=True)[0] for one in (module, plain)]
    assert_close(*batched)


def test_an_input_that_was_changed_in_place_is_told() -> None:
    x = sample(2, 3, 4).requires_grad_()
    hidden = x * 1
    y = acts.create("tanh_soft", backend="lean")(hidden)
    hidden.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


BY_OUTPUT = [name for name in ELEMENTWISE if acts.info(name).from_output]


@pytest.mark.parametrize("name", BY_OUTPUT)
def test_the_output_tells_the_derivative(name: str) -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert measure_errors(acts.info(name), dtype, {}, "lean").derivative <= ULPS
    lean, plain = (acts.create(name, backend=backend).double() for backend in ("lean", "torch"))
    x = torch.linspace(-7.3137, 7.1713, 97, dtype=torch.float64).requires_grad_()
    assert_close(torch.autograd.grad(lean(x).sum(), x), torch.autograd.grad(plain(x).sum(), x), rtol=1e-8, atol=0)
    assert torch.autograd.gradcheck(lean, x) and torch.autograd.gradgradcheck(lean, x)
    rows = torch.eye(97, dtype=torch.float64)
    batched = [torch.autograd.grad(one(x), x, rows, is_grads_batched=True)[0] for one in (lean, plain)]
    assert_close(*batched, rtol=1e-8, atol=0)


@pytest.mark.parametrize("name", BY_OUTPUT)
def test_the_output_is_kept_once_for_the_next_layer_too(name: str) -> None:
    x = sample(1000, 20)
    tensors = {
        backend: kept(nn.Sequential(nn.Linear(20, 20), acts.create(name, backend=backend), nn.Linear(20, 20)), x)
        for backend in ("torch", "lean")
    }
    # The input of the first layer, and the output; weights are small.
    assert tensors["lean"] == pytest.approx(2, abs=0.05) and tensors["torch"] >= 2.95


def test_where_the_output_does_not_tell_the_derivative_the_input_is_kept() -> None:
    # Half types round these bounds, and what is clipped to them; a negative slope gives outputs of one sign.
    for spec, x in (("hardtanh(max_val=0.7)", 5.0), ("leaky_relu(negative_slope=-0.5)", -2.0)):
        leaf = torch.tensor([x], dtype=torch.bfloat16, requires_grad=True)
        (slope,) = torch.autograd.grad(acts.create(spec, backend="lean")(leaf).sum(), leaf)
        (expected,) = torch.autograd.grad(acts.create(spec)(leaf).sum(), leaf)
        assert_close(slope, expected, rtol=0, atol=0)
    assert F.hardtanh(torch.tensor(5.0, dtype=torch.bfloat16), -1.0, 0.7).item() < 0.7
