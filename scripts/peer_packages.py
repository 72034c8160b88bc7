"""The activations of other packages, all in one form: a name, and what makes a module of it.

Beside those of the development environment, packages are found wherever PYTHONPATH leads:

    pip install --no-deps --target peers torch_activation==1.0.0 plotly narwhals echoAI activations-plus entmax \\
        actix aptx-activation alrelu-torch keras absl-py h5py namex optree ml_dtypes jax jaxlib opt_einsum
    PYTHONPATH=peers scripts/check_registry.py --package torch_activation
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.hints import did_you_mean

Factory = Callable[[], nn.Module]


@dataclass(frozen=True)
class Package:
    """One package: where its activations are, what it is called on PyPI, and how they are listed."""

    place: str
    distribution: str
    activations: Callable[[], Iterator[tuple[str, Factory]]]

    def load(self) -> dict[str, Factory]:
        """Return its activations by name.

        Raises:
            ImportError: It is not installed.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, on import
            return dict(self.activations())

    def __str__(self) -> str:
        return f"{self.place} ({self.distribution} {version(self.distribution)})"


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


class _Jax(Function):
    """A function of jax, in the type of its input, for values only."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.from_numpy(numpy.array(self.function(*(entry.detach().numpy() for entry in inputs))))


def _lightning_acts() -> Iterator[tuple[str, Factory]]:
    for name in acts.names():
        yield name, partial(acts.create, name)


def _torch() -> Iterator[tuple[str, Factory]]:
    for name in nn.modules.activation.__all__:
        if name != "MultiheadAttention":  # a layer that stands in torch's file of activations
            yield name, getattr(nn, name)


def _timm() -> Iterator[tuple[str, Factory]]:
    from timm.layers import create_act

    yield from create_act._ACT_LAYER_DEFAULT.items()
    for name, function in create_act._ACT_FN_DEFAULT.items():
        if name not in create_act._ACT_LAYER_DEFAULT:
            yield name, partial(Function, function)
    yield "hard_mish(inplace=True)", partial(create_act._ACT_LAYER_DEFAULT["hard_mish"], inplace=True)


def _transformers() -> Iterator[tuple[str, Factory]]:
    from transformers.activations import ACT2FN

    for name in ACT2FN:
        yield name, partial(ACT2FN.__getitem__, name)


def _keras() -> Iterator[tuple[str, Factory]]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    activations = importlib.import_module("keras").activations
    for name in sorted(set(_public(activations)) - {"get", "serialize", "deserialize"}):
        yield name, partial(Function, getattr(activations, name))
    for name, options in (
        ("relu", {"negative_slope": 0.1}),
        ("relu", {"max_value": 4.0}),
        ("relu", {"threshold": 1.0}),
        ("relu", {"negative_slope": 0.1, "max_value": 4.0, "threshold": 1.0}),
        ("softmax", {"axis": (2, 3)}),
    ):
        yield _call(name, options), partial(Function, partial(getattr(activations, name), **options))


def _jax() -> Iterator[tuple[str, Factory]]:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    others = {"one_hot", "initializers", "dot_product_attention", "scaled_dot_general", "scaled_matmul"}
    for name in sorted(set(_public(jax.nn)) - others - {"get_scaled_dot_general_config"}):
        yield name, partial(_Jax, getattr(jax.nn, name))
    for name in ("softmax", "log_softmax"):
        yield _call(name, {"axis": (2, 3)}), partial(_Jax, partial(getattr(jax.nn, name), axis=(2, 3)))
        yield f"{name}(where=x > -3)", partial(_Jax, _masked(getattr(jax.nn, name)))


def _call(name: str, options: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"


def _masked(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda x: function(x, where=x > -3)


def _torch_activation() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("torch_activation")
    exported = {name: package._ACTIVATIONS[name]["class"] for name in package.get_all_activations()}
    yield from exported.items()
    # Those that another class of the same name has replaced, and those that are not registered.
    for place, cls in _classes(package):
        name = f"{place.split('.', 1)[1]}.{cls.__name__}"
        if cls is not exported.get(cls.__name__) and not inspect.isabstract(cls):
            yield name, cls


def _echo() -> Iterator[tuple[str, Factory]]:
    for _, cls in _classes(importlib.import_module("echoAI.Activation.Torch")):
        yield cls.__name__, cls
    for file, name in (("brelu", "BReLU"), ("maxout", "Maxout")):  # functions of autograd
        function = getattr(importlib.import_module(f"echoAI.Activation.Torch.{file}"), name)
        yield name, partial(Function, function.apply)


def _activations_plus() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("activations_plus")
    for name in package.__all__:
        yield name, getattr(package, name)


def _actix() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("actix")
    yield from package.torch_activations_map.items()


def _aptx() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("aptx_activation")
    yield "APTx", package.APTx
    yield "APTx(trainable=True)", partial(package.APTx, trainable=True)


def _alrelu() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("alrelu_torch")
    for name in ("ALReLU", "TrainableALReLU"):
        yield name, getattr(package, name)


def _entmax() -> Iterator[tuple[str, Factory]]:
    package = importlib.import_module("entmax")
    for name, cls in vars(package).items():
        if inspect.isclass(cls) and issubclass(cls, nn.Module) and not name.endswith("Loss"):
            yield name, cls


def _public(module: Any) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]


def _classes(package: Any) -> Iterator[tuple[str, Any]]:
    """Yield the module classes that a package's files define, with the file's name."""
    for found in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + "."), key=lambda entry: entry.name):
        try:
            module = importlib.import_module(found.name)
        except ImportError:  # it needs yet another package
            continue
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, nn.Module) and cls.__module__ == module.__name__:
                yield found.name, cls


PACKAGES = {
    package.place: package
    for package in (
        Package("lightning_acts", "lightning-acts", _lightning_acts),
        Package("torch.nn", "torch", _torch),
        Package("timm", "timm", _timm),
        Package("transformers", "transformers", _transformers),
        Package("keras.activations", "keras", _keras),
        Package("jax.nn", "jax", _jax),
        Package("torch_activation", "torch_activation", _torch_activation),
        Package("echoAI", "echoAI", _echo),
        Package("activations_plus", "activations-plus", _activations_plus),
        Package("entmax", "entmax", _entmax),
        Package("actix", "actix", _actix),
        Package("aptx_activation", "aptx-activation", _aptx),
        Package("alrelu_torch", "alrelu-torch", _alrelu),
    )
}


def package_of(name: str) -> Package:
    """Return the package of this name.

    Raises:
        ValueError: It is none of those that are known here.
    """
    if name not in PACKAGES:
        raise ValueError(
            f"no package {name!r} is known{did_you_mean(name, list(PACKAGES))} There are: {', '.join(PACKAGES)}"
        )
    return PACKAGES[name]
