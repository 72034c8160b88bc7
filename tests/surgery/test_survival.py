"""What a swapped model must survive: everything that torch does with models, against a twin edited by hand."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint_sequential

import lightning_acts as acts


class Block(nn.Module):
    """A module, a function and a method; the twin has modules only."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3, padding=1)
        self.act = nn.ReLU()
        self.b = nn.Conv2d(3, 3, 3, padding=1)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.b(self.act(self.a(x)).flip(1).relu()))


class Twin(Block):
    def __init__(self) -> None:
        super().__init__()
        self.act = self.relu_0 = self.relu_1 = nn.Mish()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu_0(self.b(self.relu_1(self.act(self.a(x)).flip(1))))


def pair() -> tuple[nn.Module, nn.Module, Tensor]:
    torch.manual_seed(0)
    model, x = nn.Sequential(Block(), Block()), torch.randn(2, 3, 8, 8)
    twin = nn.Sequential(Twin(), Twin())
    twin.load_state_dict(model.state_dict())
    report = acts.swap(model, {"relu": "mish"}, example_input=x)
    assert len(report.swapped) == 6 and not report.left
    return model, twin, x


def gradients(model: nn.Module, y: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(y.square().sum(), list(model.parameters())))


def assert_same(one: list[Tensor], other: list[Tensor]) -> None:
    assert len(one) == len(other)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_autocast() -> None:
    model, twin, x = pair()
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = model(x), twin(x)
    assert ours.dtype is torch.bfloat16 and torch.equal(ours, theirs)
    assert_same(gradients(model, ours.float()), gradients(twin, theirs.float()))


def test_half_precision_and_double() -> None:
    for dtype in (torch.bfloat16, torch.float64):
        model, twin, x = pair()
        assert torch.equal(model.to(dtype)(x.to(dtype)), twin.to(dtype)(x.to(dtype)))


def test_channels_last() -> None:
    model, twin, x = pair()
    model, twin = model.to(memory_format=torch.channels_last), twin.to(memory_format=torch.channels_last)
    y = model(x.to(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y, twin(x.to(memory_format=torch.channels_last)))


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing(reentrant: bool) -> None:
    model, twin, x = pair()
    given = x.clone().requires_grad_()
    ours = checkpoint_sequential(model, 2, given, use_reentrant=reentrant)
    assert_same(gradients_by_backward(model, ours), gradients(twin, twin(x)))


def gradients_by_backward(model: nn.Module, y: Tensor) -> list[Tensor]:
    y.square().sum().backward()  # a reentrant checkpoint takes no autograd.grad
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


def test_functional_call_and_per_sample_gradients() -> None:
    model, twin, x = pair()
    parameters = {name: parameter * 0.5 for name, parameter in model.named_parameters()}
    ours, theirs = (torch.func.functional_call(one, parameters, (x,)) for one in (model, twin))
    assert torch.equal(ours, theirs)

    def loss(one: nn.Module) -> Any:
        return lambda given, sample: torch.func.functional_call(one, given, (sample[None],)).square().sum()

    given = {name: parameter.detach() for name, parameter in model.named_parameters()}
    per_sample = [torch.func.vmap(torch.func.grad(loss(one)), in_dims=(None, 0))(given, x) for one in (model, twin)]
    for name in given:
        torch.testing.assert_close(per_sample[0][name], per_sample[1][name])


def test_tied_weights_stay_tied() -> None:
    model, _, _ = pair()
    assert model[0].b.weight is model[0].a.weight
    assert len(list(model.parameters())) == 6


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_jit_trace() -> None:
    model, twin, x = pair()
    traced = torch.jit.trace(model, (x,))
    assert torch.equal(traced(x), twin(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_jit_script_is_refused_in_words() -> None:
    model, _, _ = pair()
    with pytest.raises(acts.SwapError, match=r"torch.jit.script reads the original source of Block"):
        torch.jit.script(model)


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model, twin, x = pair()
    path = tmp_path / "model.onnx"
    torch.onnx.export(model.eval(), (x,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), twin(x).detach(), rtol=1e-4, atol=1e-5)


def test_a_compiled_model_follows_swap_and_restore() -> None:
    model, twin, x = pair()
    acts.restore(model)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    original = compiled(x)
    acts.swap(compiled, {"relu": "mish"}, example_input=x)
    assert torch.equal(compiled(x), twin(x)) and not torch.equal(original, twin(x))
    acts.restore(compiled)
    assert torch.equal(compiled(x), original)


def test_state_dicts_go_both_ways() -> None:
    model, twin, x = pair()
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    twin.load_state_dict(torch.load(buffer, weights_only=True))
    fresh = nn.Sequential(Block(), Block())
    assert set(fresh.state_dict()) == set(model.state_dict())
    fresh.load_state_dict(model.state_dict())
    acts.restore(model)
    assert torch.equal(fresh(x), model(x))


def test_learnable_replacements_have_stable_keys() -> None:
    model = nn.Sequential(Block())
    before = set(model.state_dict())
    acts.swap(model, {"relu": "prelu"})
    assert set(model.state_dict()) - before == {"0.act.weight", "0.relu_0.weight", "0.relu_1.weight"}
    assert before <= set(model.state_dict())


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (nn.DataParallel, "wrapped in DataParallel"),
        (torch.optim.swa_utils.AveragedModel, "AveragedModel averages the parameters of another model"),
        (lambda model: torch.jit.trace(model, torch.zeros(1, 3, 8, 8)), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_wrappers_are_refused_in_words(wrap: Any, words: str) -> None:
    with pytest.raises(acts.SwapError, match=words):
        acts.swap(wrap(nn.Sequential(Block())), {"relu": "mish"})


@pytest.mark.filterwarnings("ignore")  # torch.ao is deprecated
def test_quantized_layers_are_left_as_they_are() -> None:
    quantized = torch.ao.nn.quantized.ReLU6()
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU6(), nn.Conv2d(3, 3, 1), quantized, nn.Conv2d(3, 3, 1))
    report = acts.swap(model, {"relu6": "mish"})
    assert [entry.site.path for entry in report.swapped] == ["1"] and model[3] is quantized


SCRIPT = """
import multiprocessing, sys, torch
import torch.nn.functional as F
import lightning_acts as acts
from torch import nn

def doubled(x):
    return 2 * F.relu(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(doubled(F.relu(self.a(x))))

def child(net, x, expected):
    assert torch.allclose(net(x), expected, atol=1e-6)
    assert not [site for site in acts.find(net) if site.activation == "relu"]
    acts.restore(net)
    assert torch.allclose(net(x), net.b(2 * F.relu(F.relu(net.a(x)))), atol=1e-6)

if __name__ == "__main__":
    net, x = Net(), torch.randn(3, 4)
    assert len(acts.swap(net, {"relu": "tanh"}).swapped) == 2
    acts.save_swaps(net, "swap.json")
    torch.save(net.state_dict(), "net.pt")
    process = multiprocessing.get_context("spawn").Process(target=child, args=(net, x, net(x).detach()))
    process.start()
    process.join()
    sys.exit(process.exitcode)
"""


@pytest.mark.slow
def test_a_class_of_the_script_that_runs(tmp_path: Path) -> None:
    """It goes to a process that is spawned; its swaps are made again where the script is imported."""
    (tmp_path / "train_it.py").write_text(SCRIPT)
    later = (
        "import torch, lightning_acts as acts, train_it\n"
        "net, x = train_it.Net(), torch.randn(3, 4)\n"
        "acts.load_swaps(net, 'swap.json')\n"
        "net.load_state_dict(torch.load('net.pt'))\n"
        "assert torch.allclose(net(x), net.b(2 * torch.tanh(torch.tanh(net.a(x)))), atol=1e-6)\n"
    )
    for arguments in (["train_it.py"], ["-m", "train_it"], ["-c", later]):
        subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True, timeout=300)
