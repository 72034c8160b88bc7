"""Activations that work in place, against twins whose forward writes the other activation in place by hand."""

from __future__ import annotations

import copy
import importlib.util
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
def softplus_(x, inplace=True): return x.copy_(F.softplus(x.clone()))
torch.Tensor.softplus_ = lambda x: softplus_(x)
def helper(h):
    ACT(h)
    return h
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.drop = nn.Linear(4, 4), nn.Linear(4, 4), nn.Dropout(0.5)
        self.flag = True
"""

# The body of a forward, and who reads what is written: nobody, the variable alone, or others. ACT and .act_ stand for
# the activation in place.
FORWARDS = {
    "rebound": ("h = self.a(x); h = ACT(h); return self.b(h)", "nobody"),
    "returned": ("return self.b(ACT(self.a(x)))", "nobody"),
    "dropped": ("h = self.a(x); ACT(h); return self.b(h)", "name"),
    "another name, both read": ("h = self.a(x); k = ACT(h); return self.b(h + k)", "name"),
    "written again under the other name": ("h = self.a(x); k = ACT(h); k.add_(1); return self.b(h + k)", "name"),
    "a chain": ("h = self.a(x); k = h.mul_(2).act_(); return self.b(h + k)", "others"),
    "a chain that nobody reads": ("h = self.a(x); k = h.mul_(2).act_(); return self.b(k)", "nobody"),
    "a chain whose result is dropped": ("h = self.a(x); h.add_(1).mul_(2).act_(); return self.b(h)", "others"),
    "a view": ("h = self.a(x); ACT(h.view(-1)); return self.b(h)", "others"),
    "a flattened one": ("h = self.a(x); k = ACT(torch.flatten(h)); return self.b(h) + k.sum()", "others"),
    "a part": ("h = self.a(x); ACT(h[:, :2]); return self.b(h)", "others"),
    "a chunk": ("h = self.a(x); p, q = h.chunk(2, 1); p = ACT(p); return self.b(h)", "others"),
    "an alias before": ("h = self.a(x); skip = h; h = ACT(h); return self.b(h) + skip", "others"),
    "an alias of the alias": ("h = self.a(x); k = h; skip = k.view(-1, 4); k = ACT(k); return self.b(k) + skip", "others"),
    "a skip that is not an alias": ("skip = x; h = self.a(x); h = ACT(h); return self.b(h) + skip", "nobody"),
    "a name given again": ("skip = x; x = self.a(x); x = ACT(x); return self.b(x) + skip", "nobody"),
    "kept in a list": ("h = self.a(x); kept = []; kept.append(h); h = ACT(h); return self.b(h) + kept[0]", "others"),
    "kept in a dict": ("h = self.a(x); kept = {'h': h}; h = ACT(h); return self.b(h) + kept['h']", "others"),
    "kept in an attribute": ("h = self.a(x); self.kept = h; h = ACT(h); return self.b(h) + self.kept", "others"),
    "of an attribute": ("self.kept = self.a(x); h = self.kept; ACT(h); return self.b(self.kept)", "others"),
    "dropout before it": ("h = self.a(x); k = ACT(self.drop(h)); return self.b(h) + k", "others"),
    "F.dropout before it": ("h = self.a(x); k = ACT(F.dropout(h, 0.5, self.training)); return self.b(h) + k", "others"),
    "a helper": ("h = self.a(x); helper(h); return self.b(h)", "others"),
    "in a loop": ("for layer in (self.a, self.b):\n    x = layer(x)\n    x = ACT(x)\nreturn x", "nobody"),
    "in a loop, dropped": ("for layer in (self.a, self.b):\n    x = layer(x)\n    ACT(x)\nreturn x", "name"),
    "in a loop, read in the next": ("h = self.a(x); s = 0\nfor _ in range(2):\n    s = s + ACT(h)\nreturn self.b(s)", "name"),
    "either way": ("if self.flag:\n    h = self.a(x)\nelse:\n    h = x + 1\nk = ACT(h)\nreturn self.b(k)", "nobody"),
    "one way leaves the input": ("h = x\nif self.flag:\n    h = self.a(x)\nACT(h)\nreturn self.b(h) + x", "others"),
    "in a with": ("with torch.enable_grad():\n    h = self.a(x)\n    ACT(h)\nreturn self.b(h)", "name"),
    "in a comprehension": ("hs = [self.a(x)]; ks = [ACT(h) for h in hs]; return self.b(hs[0] + ks[0])", "others"),
    "a lambda": ("h = self.a(x); f = lambda t: ACT(t); f(h); return self.b(h)", "others"),
    "walrus": ("k = ACT(h := self.a(x)); return self.b(h + k)", "others"),
    "either of two": ("h, k = self.a(x), self.b(x); ACT(h if self.flag else k); return h + k", "others"),
    "twice": ("h = self.a(x); ACT(h); h.mul_(-1); ACT(h); return self.b(h)", "name"),
}  # fmt: skip


def imported(body: str, into: Path, name: str, act: str) -> ModuleType:
    text = HEAD + "    def forward(self, x):\n" + textwrap.indent(body, " " * 8)
    file = into / f"{name}.py"
    file.write_text(text.replace("ACT(", f"{act}(").replace(".act_(", f".{act.rpartition('.')[2]}("), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{name}_of_{into.name}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models(body: str, into: Path) -> tuple[nn.Module, nn.Module]:
    """The model with ReLU, and its twin with softplus."""
    torch.manual_seed(0)
    model: nn.Module = imported(body, into, "model", "torch.relu_").Net()
    twin: nn.Module = imported(body, into, "twin", "softplus_").Net()
    twin.load_state_dict(model.state_dict())
    return model.eval(), twin.eval()


X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


def outcome(model: nn.Module) -> tuple[Tensor, Tensor]:
    x = X.clone()
    with torch.no_grad():
        return model(x), x  # the input may have been written into


@pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])
@pytest.mark.parametrize("name", FORWARDS)
def test_what_was_written_is_read(name: str, example: Tensor | None, tmp_path: Path) -> None:
    body, readers = FORWARDS[name]
    model, twin = models(body, tmp_path)
    before = outcome(model)
    report = acts.swap(model, {"relu": "softplus"}, example_input=example)
    assert len(report.swapped) == body.count("ACT(") + body.count(".act_(") + body.count("helper(")
    torch.testing.assert_close(outcome(model), outcome(twin), rtol=0, atol=0)
    assert any("written into the input" in note for note in report.notes) is (readers == "others")
    for copied in (copy.deepcopy(model),):
        torch.testing.assert_close(outcome(copied), outcome(twin), rtol=0, atol=0)
    acts.restore(model)
    torch.testing.assert_close(outcome(model), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (_, readers) in FORWARDS.items()
        if readers != "others" and "ul_(" not in FORWARDS[name][0] and "add_(" not in FORWARDS[name][0]
    ],
)
def test_where_no_other_reads_it_nothing_is_written(name: str, tmp_path: Path) -> None:
    """Backward hooks forbid it."""
    model, _ = models(FORWARDS[name][0], tmp_path)
    acts.swap(model, {"relu": "softplus"})
    model.get_submodule("a").register_full_backward_hook(lambda module, into, out: None)
    model(X.clone().requires_grad_()).sum().backward()


def test_an_input_that_the_caller_still_holds() -> None:
    class Act(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu_(x)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.act, self.b = nn.Linear(4, 4), Act(), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            return self.b(self.act(h)) + h  # type: ignore[no-any-return]

    report = acts.swap(Net().eval(), {"relu": "relu"})
    assert "act worked in place" in " ".join(report.notes)  # an activation module by its curve
    report = acts.swap(Net().eval(), {"relu": "relu"}, example_input=X)
    assert "work in place (act)" in " ".join(report.notes)
    model = Net().eval()
    model.act.inner = nn.Linear(4, 4)  # now it is a layer, which calls one
    before = outcome(model)
    report = acts.swap(model, {"relu": "relu"})
    torch.testing.assert_close(outcome(model), before, rtol=0, atol=0)
    assert [note.partition(":")[0] for note in report.notes] == ["act/relu/0"]


class Block(nn.Module):
    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.a, self.act, self.b, self.drop = nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Dropout()
        self.body = nn.Sequential(first, nn.ReLU(inplace=True), nn.Linear(4, 4))


class Skip(Block):
    def __init__(self, first: nn.Module) -> None:
        super().__init__(first)
        del self.act

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.body(h) + h  # type: ignore[no-any-return]


class Dropped(Block):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        self.act(h)
        return self.b(h)  # type: ignore[no-any-return]


class BehindDropout(Block):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(self.act(self.drop(h))) + h  # type: ignore[no-any-return]


class OfTheCaller(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(x)) + self.a(x)  # type: ignore[no-any-return]


class Harmless(Block):
    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h = self.act(h)
        h = self.act(self.b(h))
        return self.body(h) + h  # type: ignore[no-any-return]


@pytest.mark.parametrize("first", [nn.Identity, nn.Dropout, lambda: nn.Linear(4, 4)])
@pytest.mark.parametrize("cls", [Skip, Dropped, BehindDropout, OfTheCaller, Harmless])
def test_a_module_that_worked_in_place_is_named_where_its_input_may_be_read(cls: type[Block], first: type) -> None:
    model = cls(first()).eval()
    before = outcome(model)
    report = acts.swap(model, {"relu": "relu"})
    differs = not torch.equal(outcome(model)[0], before[0])
    named = any("worked in place" in note for note in report.notes)
    assert named or not differs
    assert named is ("Linear" not in repr(model.body[0]) or cls not in (Skip, Harmless))


@pytest.mark.parametrize("call", ["torch.clamp(h, min=0, out=r)", "torch.sigmoid(h, out=r)", "torch.tanh(h, **{'out': r})"])  # fmt: skip
@pytest.mark.parametrize("example", [None, X], ids=["without an example", "with one"])
def test_a_call_that_writes_elsewhere_is_left(call: str, example: Tensor | None, tmp_path: Path) -> None:
    model, _ = models(f"h = self.a(x); r = torch.full_like(h, 7.0)\n{call}\nreturn self.b(r)", tmp_path)
    before = outcome(model)
    with pytest.raises(acts.SwapError, match="out="):
        acts.swap(model, dict.fromkeys(["relu", "sigmoid", "tanh"], "mish"), role=acts.surgery.site.ROLES, example_input=example)  # fmt: skip
    torch.testing.assert_close(outcome(model), before, rtol=0, atol=0)


@pytest.mark.parametrize("call", ["F.softmax(h, 1, dtype=T)", "torch.softmax(h, 1, T)", "F.softmax(h, 1, 3, T)"])  # fmt: skip
def test_the_type_that_a_call_names_is_that_of_its_result(call: str, tmp_path: Path) -> None:
    model, _ = models(f"h = self.a(x)\nreturn {call}".replace("T)", "torch.float64)"), tmp_path)
    expected = torch.softmax(model.get_submodule("a")(X).double() * 1.0, 1)
    acts.swap(model, {"softmax": "softmax"}, role="output")
    assert model(X).dtype is torch.float64
    torch.testing.assert_close(model(X), expected, rtol=0, atol=0)


class InDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.act = nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.a(x)
        held = {"h": h}
        result: Tensor = self.b(self.act(held["h"])) + h
        return result


def test_what_a_dictionary_shares_may_be_read_again() -> None:
    report = acts.swap(InDict(), {"relu": "relu"})
    assert any("act worked in place" in note for note in report.notes)
