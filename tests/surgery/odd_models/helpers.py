"""What the odd models keep in another file: helper functions, mixins, decorators, bases."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.functional import relu


class Net(nn.Module):
    """Two layers; the odd models differ in what they do between and after them."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)


class FarBase(Net):
    """The base of a model of another file, with the call."""

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)))


class FarMixin:
    """No module itself."""

    def activate(self, h: Tensor) -> Tensor:
        return relu(h)


def activated(h: Tensor) -> Tensor:
    return F.relu(h)


def gelu_by_erf(h: Tensor) -> Tensor:
    return h * 0.5 * (1.0 + torch.erf(h / math.sqrt(2.0)))


def relu_and_return(h: Tensor) -> Tensor:
    return F.relu_(h)


FORMULAS = {"gelu": gelu_by_erf}


def activated_deeper(h: Tensor) -> Tensor:
    return activated(h)


def activated_if(h: Tensor, yes: bool = True) -> Tensor:
    if not yes:
        return h
    return torch.relu(h)


def activated_in_place(h: Tensor) -> None:
    """Its caller goes on with the tensor that it gave."""
    F.relu_(h)


def countdown(h: Tensor, layer: nn.Module, depth: int) -> Tensor:
    return h if depth == 0 else countdown(F.relu(layer(h)), layer, depth - 1)


def even(h: Tensor, depth: int) -> Tensor:
    return h if depth == 0 else odd(F.relu(h) - 0.1, depth - 1)


def odd(h: Tensor, depth: int) -> Tensor:
    return h if depth == 0 else even(h * 0.9, depth - 1)


def apply_to(function: Callable[[Tensor], Tensor], h: Tensor) -> Tensor:
    return function(h)


def scaling_relu(factor: float) -> Callable[[Tensor], Tensor]:
    """Each call makes a new closure."""

    def scaled(h: Tensor) -> Tensor:
        return F.relu(h) * factor

    return scaled


class Activator:
    """A plain object that a model keeps."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def run(self, h: Tensor) -> Tensor:
        return F.relu(h) * self.factor


class CallableActivator:
    """A plain object that is called."""

    def __call__(self, h: Tensor) -> Tensor:
        return F.relu(h)


def logged(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A decorator as everybody writes it."""

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Tensor:
        return method(*args, **kwargs)

    return wrapper


def scaled_by(factor: float) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """A decorator with an argument."""

    def decorate(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any) -> Tensor:
            return method(self, *args) * factor

        return wrapper

    return decorate


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A context manager that decorates methods too."""
    yield


class Counted:
    """A decorator that is a class, with a state of its own."""

    def __init__(self, method: Callable[..., Tensor]) -> None:
        functools.update_wrapper(self, method)
        self.method = method

    def __get__(self, instance: Any, owner: type) -> Callable[..., Tensor]:
        return functools.partial(self.method, instance)


def lookup(name: str) -> Callable[[Tensor], Tensor]:
    return {"relu": F.relu, "tanh": torch.tanh}[name]


#: As in transformers' activations.py: classes, made when looked up.
CLASSES: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}
#: And ready modules.
READY: dict[str, nn.Module] = {name: cls() for name, cls in CLASSES.items()}
