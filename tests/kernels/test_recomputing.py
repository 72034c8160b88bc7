"""Kernels that keep their input alone: gradients as without them, of every order, and whatever torch.func makes of them."""

import pytest
import torch
from steps import ELEMENTWISE, created, kept, sample, step
from torch.testing import assert_close

import lightning_acts as acts


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
