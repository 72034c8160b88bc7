"""Derivatives in few bits: the best levels there are, as many bytes as said, forwards and exact cases to the bit."""

import copy
import itertools
import pickle

import pytest
import torch
import torch.nn.functional as F
from steps import created, kept, sample, step
from torch import Tensor, nn
from torch.testing import assert_close

import lightning_acts as acts
from lightning_acts.kernels.quantizing import DerivativeError, QuantizedKernel, optimal_levels, pack, unpack

BITS = (1, 2, 3, 4)


def derivative(name: str, x: Tensor) -> Tensor:
    """As torch's own differentiation has it."""
    x = x.detach().clone().requires_grad_()
    (slopes,) = torch.autograd.grad(acts.create(name)(x).sum(), x)
    return slopes


def distance(values: Tensor, levels: tuple[float, ...]) -> float:
    """The mean squared distance of values to the nearest levels."""
    return float((values[:, None] - torch.tensor(levels, dtype=values.dtype)).square().amin(dim=1).mean())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_levels_are_those_of_the_best_of_all_partitions(count: int) -> None:
    values = derivative("gelu", sample(11, dtype=torch.float64))
    partitions = [
        [values.sort().values[begin:end] for begin, end in itertools.pairwise((0, *cuts, len(values)))]
        for cuts in itertools.combinations(range(1, len(values)), count - 1)
    ]
    best = min(partitions, key=lambda parts: sum(float((part - part.mean()).square().sum()) for part in parts))
    assert optimal_levels(values, count) == pytest.approx([float(part.mean()) for part in best], abs=1e-12)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "tanh", "sin"])
def test_levels_are_better_than_evenly_spaced_ones_and_moved_ones(name: str, bits: int) -> None:
    count = 2**bits
    values = derivative(name, 2 * torch.randn(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    levels = QuantizedKernel(acts.create(name), bits).levels
    low, high = values.min(), values.max()
    even = tuple((low + (high - low) * (torch.arange(count) + 0.5) / count).tolist())
    assert len(levels) == count and distance(values, levels) < distance(values, even)
    # A local optimum too: each is the mean of what is nearest to it, but for the sample.
    nearest = (values[:, None] - values.new_tensor(levels)).abs().argmin(dim=1)
    means = torch.stack([values[nearest == at].mean() for at in range(count)])
    assert_close(means, values.new_tensor(levels), rtol=0, atol=0.03)


def test_three_bits_of_gelu_are_as_good_as_the_published_ones() -> None:
    # Intervals of the input with a level each, 8 of them, by which GELU loses no accuracy in arXiv:2202.00441: the least
    # error of 8 intervals on [-10, 10], found here by moving bounds and levels in turn, until nothing moves.
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    slopes = derivative("gelu", x)
    best = torch.inf
    for spread in (0.5, 1.0, 1.5, 2.0):
        cuts = (torch.linspace(-spread, spread, 7, dtype=torch.float64) * 500 + 10_000).long().tolist()
        for _ in range(200):
            parts = list(itertools.pairwise((0, *cuts, len(x))))
            for at in range(7):
                (begin, _), (_, end) = parts[at], parts[at + 1]
                sums, squares = slopes[begin:end].cumsum(0), slopes[begin:end].square().cumsum(0)
                size = torch.arange(1, end - begin + 1)
                left = squares - sums**2 / size
                right = (squares[-1] - squares) - (sums[-1] - sums) ** 2 / (end - begin - size).clamp(min=1)
                cuts[at] = begin + int((left + right).argmin()) + 1
                parts = list(itertools.pairwise((0, *cuts, len(x))))
        error = sum(float((slopes[b:e] - slopes[b:e].mean()).square().sum()) for b, e in parts)
        best = min(best, error / len(x))
    ours = distance(slopes, optimal_levels(slopes[::20], 8))
    assert ours <= best


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("size", [1, 7, 8, 1001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_so_many_bits_are_kept_an_element(bits: int, size: int, dtype: torch.dtype) -> None:
    x = sample(size).to(dtype)
    kept_bytes = kept(created("gelu", f"lean(bits={bits})"), x) * x.untyped_storage().nbytes()
    assert kept_bytes == pytest.approx(bits * -(-size // 8))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("size", [1, 8, 13, 100])
def test_codes_come_back(bits: int, size: int) -> None:
    codes = torch.randint(2**bits, (size,), dtype=torch.uint8, generator=torch.Generator().manual_seed(size))
    assert torch.equal(unpack(pack(codes, bits), bits, size), codes)


# Each with the bits that suffice.
EXACT = {
    "identity": 0,
    "sign": 0,
    "relu": 1,
    "leaky_relu": 1,
    "abs": 1,
    "relu6": 1,
    "hardtanh": 1,
    "hardtanh(min_val=-300, max_val=1e4)": 1,
    "hardsigmoid": 1,
    "hardshrink": 1,
    "softshrink": 1,
    "bounded_leaky_relu": 1,
    "threshold": 1,
    "pan": 2,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", EXACT)
def test_straight_pieces_are_exact_to_the_bit(name: str, dtype: torch.dtype) -> None:
    bits = max(EXACT[name], 1)
    # With every kink of these among them.
    kinks = torch.tensor([-6, -3, -1, -0.5, 0, 0.1, 0.5, 1, 3, 6, -torch.inf, torch.inf, torch.nan])
    x = torch.cat([sample(1000), 300 * sample(100), kinks]).to(dtype)
    gradient = sample(*x.shape, dtype=dtype, seed=1)
    plain, few = created(name, "torch", dtype), created(name, f"lean(bits={bits})", dtype)
    one, other = step(few, x, gradient), step(plain, x, gradient)
    assert_close(one[0], other[0], rtol=0, atol=0, equal_nan=True)
    there = ~x.isnan() & ((x != 0) | (name != "abs"))  # torch's abs has a third slope at 0 alone
    assert_close(one[1][there], other[1][there], rtol=0, atol=0)
    # More bits than needed are not kept.
    assert kept(created(name, "lean(bits=4)"), sample(800)) == EXACT[name] / 32


def test_hard_swish_is_not_exact_and_more_bits_come_nearer() -> None:
    x, gradient = sample(4000), torch.ones(4000)
    exact = step(created("hardswish", "torch"), x, gradient)[1]
    errors = [
        float((step(created("hardswish", f"lean(bits={bits})"), x, gradient)[1] - exact).square().mean())
        for bits in BITS
    ]
    assert 0 < errors[3] < errors[2] / 2 < errors[1] / 4 < errors[0] / 8


# The bound: the root mean square of what is lost of a derivative, in parts of that of the derivative, for normal inputs.
@pytest.mark.parametrize(("bits", "bound"), [(1, 0.37), (2, 0.17), (3, 0.09), (4, 0.045)])
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "elu", "tanh", "softplus", "penalized_tanh"])
def test_the_forward_is_exact_and_the_gradient_within_its_bound(name: str, bits: int, bound: float) -> None:
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    gradient = sample(20_000, seed=1)
    plain, few = created(name, "eager"), created(name, f"lean(bits={bits})")
    (y, exact), (output, rounded) = step(plain, x, gradient), step(few, x, gradient)
    assert torch.equal(output, y)
    assert (rounded - exact).square().mean().sqrt() <= bound * exact.square().mean().sqrt()
    # Along the exact one it is as long, but for the square of that.
    assert abs((rounded * exact).sum() / exact.square().sum() - 1) <= bound**2 + 0.002
    # Every element has the nearest level there is.
    levels = QuantizedKernel(plain, bits).levels
    slopes = derivative(name, x)
    nearest = (slopes[:, None] - torch.tensor(levels)).abs().amin(dim=1)
    assert_close((step(few, x, torch.ones_like(x))[1] - slopes).abs(), nearest, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layouts(dtype: torch.dtype) -> None:
    base = sample(2, 3, 5, 7).to(dtype)
    module = created("silu", "lean(bits=2)", dtype)
    flat = base.flatten()
    expected = step(module, flat, torch.ones_like(flat))[1]
    by_value = dict(zip(flat.tolist(), expected.tolist(), strict=True))
    for x in (
        base,
        base.to(memory_format=torch.channels_last),
        base.transpose(2, 3)[:, :, ::2],
        base[:, :, :1].expand(2, 3, 5, 7),
        base[0, 0, 0, 0],
    ):
        for gradient in (torch.ones_like(x), torch.ones(x.shape, dtype=dtype)):
            slopes = step(module, x, gradient)[1]
            assert [by_value[value] for value in x.flatten().tolist()] == slopes.flatten().tolist()
            assert module(x).stride() == F.silu(x).stride()


def test_autocast() -> None:
    layer, x = nn.Linear(4, 4), sample(3, 4)
    gradients = []
    for backend in ("torch", "lean(bits=1)"):
        with torch.autocast("cpu", torch.bfloat16):
            output = created("leaky_relu", backend)(layer(x))
        assert output.dtype is torch.bfloat16
        gradients.append(torch.autograd.grad(output.float().sum(), layer.weight)[0])
    assert_close(*gradients, rtol=0, atol=0)


def test_nothing_is_not_a_number_that_torch_would_not_make_one() -> None:
    x = torch.tensor([torch.nan, torch.inf, -torch.inf, 1.0])
    y, slopes = step(created("silu", "lean(bits=2)"), x, torch.ones(4))
    assert_close(y, F.silu(x), rtol=0, atol=0, equal_nan=True)
    assert slopes.isfinite().all()
    assert step(created("relu", "lean(bits=1)"), torch.empty(0, 3), torch.empty(0, 3))[1].shape == (0, 3)


def test_a_model_learns_with_it_and_it_is_saved_and_copied_as_any_other() -> None:
    torch.manual_seed(0)
    module = acts.create("leaky_relu(negative_slope=0.2)", backend="lean( bits = 1 )")
    assert isinstance(module, nn.LeakyReLU) and module.backend == "lean(bits=1)"  # type: ignore[attr-defined]
    model = nn.Sequential(nn.Linear(3, 8), module, created("mish", "lean(bits=3)"), nn.Linear(8, 1))
    for one in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [one[at].backend for at in (1, 2)] == ["lean(bits=1)", "lean(bits=3)"]
        assert str(acts.spec_of(one[1])) == "leaky_relu(negative_slope=0.2)"
        assert one.state_dict().keys() == model.state_dict().keys()
    x = torch.randn(64, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(100):
        checkpointed = torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False)
        loss = (checkpointed - x.square().sum(dim=1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 5


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch itself uses it for forward mode
def test_where_the_plain_formula_runs() -> None:
    module, plain = created("mish", "lean(bits=1)", torch.float64), nn.Mish()
    x = sample(6, dtype=torch.float64)
    for transform in (torch.func.jacrev, torch.func.jacfwd, torch.func.vmap):
        assert_close(transform(module)(x), transform(plain)(x))
    exported = torch.export.export(nn.Sequential(module), (x,))
    assert any("mish" in str(node.target) for node in exported.graph.nodes)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert_close(step(module, x, x)[0], plain(x))
    leaf = x.clone().requires_grad_()
    assert_close(torch.autograd.grad(compiled(leaf).sum(), leaf)[0], derivative("mish", x))
    in_place = acts.create("relu(inplace=True)", backend="lean(bits=1)")
    assert torch.equal(in_place(x.clone()), x.relu())
    with torch.inference_mode():
        assert_close(module(x), plain(x))


def test_a_second_derivative_is_refused() -> None:
    x = sample(5).requires_grad_()
    with pytest.raises(DerivativeError, match="keeps the first derivative alone: create_graph=True takes"):
        torch.autograd.grad(created("silu", "lean(bits=2)")(x).sum(), x, create_graph=True)
    rows = torch.eye(5)
    (batched,) = torch.autograd.grad(created("relu", "lean(bits=1)")(x), x, rows, is_grads_batched=True)
    assert torch.equal(batched, rows * (x > 0))


@pytest.mark.parametrize("name", ["prelu", "tanh_soft", "srelu"])
def test_one_that_learns_is_refused(name: str) -> None:
    said = f"backend='lean\\(bits=2\\)': {name}: the gradient of its parameters needs its input; backend='lean'"
    with pytest.raises(acts.SpecError, match=said):
        acts.create(name, backend="lean(bits=2)")
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with pytest.raises(acts.SpecError, match=said):
        acts.swap(model, {"relu": name}, backend="lean(bits=2)")
    with pytest.raises(acts.SpecError, match=said):  # before anything starts
        acts.ActivationSwap({"relu": name}, at=0.5, backend="lean(bits=2)")
    assert type(model[1]) is nn.ReLU


@pytest.mark.usefixtures("clean_registry")
def test_random_ones_and_classes_of_ones_own_stay() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    acts.register(Scaled, name="scaled_class_example")
    for name in ("rrelu", "softmax", "scaled_class_example"):
        module = acts.create(name, backend="lean(bits=2)")
        assert type(module) is type(acts.create(name))
