"""Calls in a graph, a script or a kernel: where there is no Python source to rewrite, or none that may be."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odd_models.case import case
from odd_models.trees import HandWritten
from odd_models.twins import Beside, Half, Twice, Twin


@case("torch.ops.aten.relu", Half, kinds="module", left="aten|relu")
class CallsAten(Beside):
    def last(self, h: Tensor) -> Tensor:
        return torch.ops.aten.relu(h)


class ReluFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        ctx.save_for_backward(h)
        return F.relu(h)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


class HalfWithFunction(Twin):
    def forward(self, x: Tensor) -> Tensor:
        return ReluFunction.apply(self.b(self.act(self.a(x))))


@case("autograd.Function", HalfWithFunction, kinds="module", left="autograd")
class CallsAutogradFunction(Beside):
    """Its backward is relu's: another forward would get wrong gradients."""

    def last(self, h: Tensor) -> Tensor:
        return ReluFunction.apply(h)


def _script(thing: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated, and still there
        return torch.jit.script(thing)


def _scripted_relu(h: Tensor) -> Tensor:
    return F.relu(h)


_script_function = _script(_scripted_relu)


@case("torch.jit.script of a function", Half, kinds="module", left="script")
class CallsScriptFunction(Beside):
    def last(self, h: Tensor) -> Tensor:
        return _script_function(h)


@case("a ScriptModule", Half, kinds="module", left="script")
class HoldsScriptModule(Beside):
    def __init__(self) -> None:
        super().__init__()
        self.scripted = _script(HandWritten())

    def last(self, h: Tensor) -> Tensor:
        return self.scripted(h)


exec(compile("class NoSource(Beside):\n    def last(self, h):\n        return F.relu(h)\n", "<generated>", "exec"))


case("a class without source", Twice, 2, kinds="", left="source", otherwise=Half)(lambda: globals()["NoSource"]())


class TraceMe(Beside):
    def last(self, h: Tensor) -> Tensor:
        return F.relu(h)


@case("fx.GraphModule", Twice, 2, kinds="module function")
def graph_module() -> nn.Module:
    return torch.fx.symbolic_trace(TraceMe())
