"""Compiled kernels: every formula, layout and type as without compiling; and where there is no compiler."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from steps import ELEMENTWISE, SAMPLE, created, kept, sample, step
from torch.testing import assert_close

import lightning_acts as acts
from lightning_acts.kernels import backends
from lightning_acts.kernels.compiling import CompiledKernel

_LONG = ["tanh_soft", "srelu", "variable_af", "apl"]


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        # Three compilations of a long formula take ten seconds and more.
        pytest.param(name, backend, marks=pytest.mark.slow if backend == "compiled" and name in _LONG else ())
        for name in SAMPLE
        for backend in ("eager", "lean", "compiled")
    ],
)
def test_layouts_and_types(name: str, backend: str) -> None:
    base = sample(2, 3, 5, 7)
    expanded = sample(2, 3, 1, 7).expand(2, 3, 5, 7)
    for x in (
        base,
        base.to(memory_format=torch.channels_last),
        base.transpose(2, 3)[:, :, ::2],
        expanded,
        base[:1, :, :1, :1],
    ):
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            plain = created(name, "torch", dtype)
            run = created(name, backend, dtype)
            given = x.to(dtype)
            gradient = sample(*given.shape, dtype=dtype, seed=1)
            tolerance = {torch.float32: 2e-5, torch.float64: 1e-12, torch.bfloat16: 3e-2}[dtype]
            for one, other in zip(step(run, given, gradient), step(plain, given, gradient), strict=True):
                assert one.dtype == other.dtype and one.shape == other.shape
                assert_close(one, other, rtol=tolerance, atol=tolerance)
            assert run(given).stride() == plain(given).stride()


@pytest.mark.parametrize(
    "name",
    # All of them take an hour where nothing is in torch's cache yet.
    [
        pytest.param(name, marks=pytest.mark.sweep if at % 36 else pytest.mark.slow)
        for at, name in enumerate(ELEMENTWISE)
    ],
)
def test_compiled_computes_the_same_and_keeps_the_input_alone(name: str) -> None:
    plain, compiled = (created(name, backend, torch.float64).eval() for backend in ("eager", "compiled"))
    compiled.load_state_dict(plain.state_dict())
    x, gradient = sample(50, 3, 3, dtype=torch.float64), sample(50, 3, 3, dtype=torch.float64, seed=1)
    if name == "h_siren":  # of sin(sinh(2 x)) far from 0, the last digit of sinh decides
        x = x / 3
    for one, other in zip(step(compiled, x, gradient), step(plain, x, gradient), strict=True):
        assert_close(one, other, rtol=1e-10, atol=1e-10, equal_nan=True)
    assert kept(compiled, sample(5000, 3, 3, dtype=torch.float64)) <= 1.01


GATED = [name for name in acts.names(kind="gated", family="gated") if not acts.info(name).learnable]


@pytest.mark.parametrize("backend", ["lean", "compiled"])
@pytest.mark.parametrize("dim", [1, -1])
@pytest.mark.parametrize(
    "name", ["swiglu", *(pytest.param(name, marks=pytest.mark.slow) for name in ("crelu", "maxout"))]
)
def test_what_halves_or_doubles_a_dimension(name: str, dim: int, backend: str) -> None:
    base = sample(2, 6, 5, 4)
    for x in (base, base.to(memory_format=torch.channels_last), base.transpose(1, 2)[:, ::2].transpose(1, 2)):
        plain, run = acts.create(name, dim=dim), acts.create(name, dim=dim, backend=backend)
        gradient = sample(*plain(x).shape, seed=1)
        for one, other in zip(step(run, x, gradient), step(plain, x, gradient), strict=True):
            assert_close(one, other)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in GATED if name != "glu"])
def test_gated_ones_keep_their_input_alone(name: str) -> None:
    plain, compiled = (acts.create(name, backend=backend) for backend in ("torch", "compiled"))
    x = sample(50, 6, 10)
    gradient = sample(*plain(x).shape, seed=1)
    for one, other in zip(step(compiled, x, gradient), step(plain, x, gradient), strict=True):
        assert_close(one, other)
    assert kept(compiled, x) <= 1.01


@pytest.mark.parametrize("backend", ["lean", "compiled", "auto"])
def test_what_the_formula_refuses_is_not_for_want_of_a_compiler(backend: str) -> None:
    unavailable = CompiledKernel.unavailable
    module = acts.create("swiglu", backend=backend)
    for x, words in ((sample(200, 401), "size 401 is odd"), (torch.tensor(1.0), "the input has 0 dimensions")):
        with pytest.raises(ValueError, match=words):
            module(x.requires_grad_())
    assert CompiledKernel.unavailable is unavailable
    assert_close(module(sample(200, 400)), acts.create("swiglu")(sample(200, 400)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_keep_the_derivatives_that_they_are_given(dtype: torch.dtype) -> None:
    # By its operations alone the derivative would be 0 times infinity.
    x = torch.tensor([-torch.finfo(dtype).max, -1.0, 1.0], dtype=dtype).repeat(2)
    plain, compiled = (
        step(created("serlu", backend, dtype), x, torch.ones_like(x)) for backend in ("torch", "compiled")
    )
    assert plain[1][0] == 0
    for one, other in zip(compiled, plain, strict=True):
        assert_close(one, other)


@pytest.mark.parametrize("backend", ["lean", "compiled"])
def test_under_autocast(backend: str) -> None:
    plain, run = created("tanh_soft", "torch"), created("tanh_soft", backend)
    linear = torch.nn.Linear(8, 64)
    x = sample(600, 8)
    with torch.autocast("cpu", torch.bfloat16):
        expected, y = plain(linear(x)), run(linear(x))
    assert y.dtype == expected.dtype == torch.bfloat16
    assert_close(y, expected, rtol=2e-2, atol=2e-2)
    for parameter in (linear.weight, linear.bias):
        one, other = (torch.autograd.grad(out.float().sum(), parameter, retain_graph=True)[0] for out in (y, expected))
        assert_close(one, other, rtol=5e-2, atol=0.5)


FORK = """
import multiprocessing, torch, lightning_acts as acts

def work(queue, x):
    torch.set_num_threads(1)  # as a DataLoader's worker does
    with torch.no_grad():
        queue.put(acts.create("penalized_tanh", backend="compiled")(x).sum().item())

if __name__ == "__main__":
    torch.set_num_threads(2)
    x = torch.linspace(-3, 3, 1 << 20)
    here = acts.create("penalized_tanh", backend="compiled")(x).sum().item()
    forked = multiprocessing.get_context("fork")
    queue = forked.Queue()
    process = forked.Process(target=work, args=(queue, x))
    process.start()
    assert abs(queue.get(timeout=60) - here) < 1, "differs"
    process.join()
    print("ALL WELL")
"""


@pytest.mark.slow
def test_a_forked_process_runs_what_was_compiled_before(tmp_path: Path) -> None:
    (tmp_path / "fork.py").write_text(FORK)
    done = subprocess.run([sys.executable, "fork.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "ALL WELL" in done.stdout, done.stderr


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(CompiledKernel, "unavailable", False)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: fails)
    backends._kernel.cache_clear()
    yield
    backends._kernel.cache_clear()


@pytest.mark.usefixtures("without_compiler")
def test_without_a_compiler_auto_does_without_and_compiled_says_so() -> None:
    x, gradient = sample(20_000, 3, 3), sample(20_000, 3, 3, seed=1)
    auto = created("tanh_soft", "auto")
    with pytest.warns(UserWarning, match="can't be compiled here.*no C\\+\\+ compiler"):
        results = step(auto, x, gradient)
    for one, other in zip(results, step(created("tanh_soft", "torch"), x, gradient), strict=True):
        assert_close(one, other)
    with pytest.raises(acts.ActsError, match="tanh_soft can't be compiled here: .*no C\\+\\+ compiler.*backend='auto'"):
        acts.create("tanh_soft", backend="compiled")(x)
