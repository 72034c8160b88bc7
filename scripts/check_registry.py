#!/usr/bin/env python3
"""Defects of activations: of our registry and, probed by the same code, of other packages, side by side.

Every activation is made without arguments and called with numbers between -1e4 and 1e4, of the shape (8, 4, 6, 6), so
that those that look at channels or at several numbers take it too. Packages that are not installed are said to be:
peer_packages.py tells how to get them. The exit status is 1 if ours has a defect that it does not declare.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import pickle
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from peer_packages import PACKAGES, Factory, package_of
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.definition import REQUIRED

DEFAULT = ("lightning_acts", "torch_activation", "timm", "transformers")
ARGUMENTS, FORWARD = "can't be made without arguments", "fails in forward"
#: What ours don't do, as their facts say.
DECLARED = {
    "sparse_softmax": (FORWARD,),  # takes sparse tensors only
    "log1mexp": ("NaN gradient in float32", "NaN gradient in float16"),  # defined for positive numbers only
}


def probe(factory: Factory) -> dict[str, str]:
    """Return what is wrong with an activation: the name of each check that it fails, and what was seen.

    One that can't be made or called fails that alone: nothing else can be known of it.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, check in ((ARGUMENTS, _make), (FORWARD, _forward)):
            if seen := _seen(check, factory):
                return {name: seen}
        return {name: seen for name, check in CHECKS.items() if (seen := _seen(check, factory))}


def _seen(check: Callable[[Factory], Any], factory: Factory) -> str | None:
    torch.manual_seed(0)
    try:
        check(factory)
    except Exception as error:
        return f"{type(error).__name__}: {error}".strip().split("\n")[0][:300]
    return None


def points(dtype: torch.dtype = torch.float32) -> Tensor:
    """Return numbers of every size between -1e4 and 1e4, zeros and usual kinks among them, in random order.

    Each time anew.
    """
    return _points().to(dtype, copy=True)


@functools.cache
def _points() -> Tensor:
    kinks = torch.tensor([0.0, -0.0, 0.5, 1, 2, 3, 6, 20, 88, 1e4, 1e-4], dtype=torch.float64)
    sizes = torch.logspace(-4, 4, 576 - len(kinks), dtype=torch.float64)
    positive = torch.cat([kinks, sizes])
    order = torch.randperm(1152, generator=torch.Generator().manual_seed(0))
    return torch.cat([positive, -positive])[order].view(8, 4, 6, 6).float()


def _make(factory: Factory) -> nn.Module:
    return factory()


def _forward(factory: Factory) -> Tensor:
    y = factory().eval()(points())
    assert isinstance(y, Tensor), f"gives a {type(y).__name__}"
    return y


def _gradient(dtype: torch.dtype) -> Callable[[Factory], None]:
    def check(factory: Factory) -> None:
        module, x = factory().eval().to(dtype), points(dtype).requires_grad_()
        y = module(x.clone())  # a leaf can't be changed in place
        if not y.requires_grad:
            return
        (slope,) = torch.autograd.grad(y, x, torch.ones_like(y), allow_unused=True)
        if slope is not None:
            _none(x, slope.isnan(), "NaN")

    return check


def _finite(dtype: torch.dtype) -> Callable[[Factory], None]:
    def check(factory: Factory) -> None:
        x = points(dtype)
        torch.manual_seed(0)
        module = factory().eval()
        with torch.no_grad():
            true = copy.deepcopy(module).double()(x.double())
            torch.manual_seed(0)
            y = module.to(dtype)(x.clone())
        wrong = true.isfinite() & (true.abs() < torch.finfo(dtype).max) & ~y.isfinite()
        if x.shape == y.shape:
            _none(x, wrong, "not finite")
        assert not wrong.any(), "not finite"

    return check


def _none(x: Tensor, wrong: Tensor, what: str) -> None:
    at = x.detach()[wrong]
    assert not len(at), f"{what} at {len(at)} of {x.numel()} numbers, as {at[at.abs().argmin()].item():.6g}"


def _type(factory: Factory) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        y = factory().eval().to(dtype)(points(dtype))
        assert y.dtype == dtype, f"{dtype} becomes {y.dtype}"


def _unchanged(factory: Factory) -> None:
    for training in (False, True):
        x = points()
        factory().train(training)(x)
        assert torch.equal(x, points()), f"in {'training' if training else 'evaluation'}"


def _compile(factory: Factory) -> None:
    torch.compiler.reset()
    module = factory().eval()
    module(points())  # what sizes itself by its first input does that before
    torch.compile(module, backend="eager", fullgraph=True)(points())


def _copies(factory: Factory) -> None:
    module = factory().eval()
    torch.manual_seed(0)
    expected = module(points())
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.manual_seed(0)
        y = twin(points())
        assert torch.equal(y.nan_to_num(), expected.nan_to_num()), "the copy gives other values"


CHECKS: dict[str, Callable[[Factory], Any]] = {
    "NaN gradient in float32": _gradient(torch.float32),
    "NaN gradient in float16": _gradient(torch.float16),
    "not finite in float32": _finite(torch.float32),
    "not finite in float16": _finite(torch.float16),
    "breaks torch.compile": _compile,
    "changes its input": _unchanged,
    "does not keep the type": _type,
    "no deepcopy or pickle": _copies,
}


def probe_package(name: str, console: Console) -> dict[str, Any] | None:
    """Return all activations of a package; None, after saying so, if it is not installed."""
    package = package_of(name)
    try:
        activations = package.load()
    except ImportError as error:
        console.print(f"{name} is not installed ({error}): skipped")
        return None
    faults: dict[str, dict[str, str]] = {check: {} for check in (ARGUMENTS, FORWARD, *CHECKS)}
    for activation, factory in track(activations.items(), f"{name:<17}", console=console):
        for check, seen in probe(factory).items():
            faults[check][activation] = seen
    return {"version": version(package.distribution), "activations": len(activations), "faults": faults}


def declared(check: str, name: str) -> bool:
    """Return whether one of ours says of itself that it can't pass: to need arguments by its signature is no defect."""
    if check == ARGUMENTS:
        return any(entry.default is REQUIRED for entry in acts.info(name).parameters)
    return check in DECLARED.get(name, ())


def undeclared(faults: dict[str, dict[str, str]]) -> list[str]:
    """Return the defects of ours."""
    return [
        f"{name}: {check}: {seen}"
        for check, names in faults.items()
        for name, seen in names.items()
        if not declared(check, name)
    ]


def table(results: dict[str, dict[str, Any]]) -> Table:
    """Return the packages side by side: how many of their activations fail each check."""
    drawn = Table(box=box.SIMPLE_HEAD)
    drawn.add_column("", no_wrap=True)
    for name, result in results.items():
        drawn.add_column(f"{name}\n{result['version']}", justify="right", no_wrap=True)
    drawn.add_row("activations", *(str(result["activations"]) for result in results.values()))
    for check in (ARGUMENTS, FORWARD, *CHECKS):
        drawn.add_row(check, *(_count(name, check, result["faults"][check]) for name, result in results.items()))
    return drawn


def _count(package: str, check: str, failing: dict[str, str]) -> str:
    by_nature = sum(declared(check, name) for name in failing) if package == "lightning_acts" else 0
    return f"{len(failing) - by_nature}" + (f" and {by_nature} declared" if by_nature else "")


def main() -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--package", action="append", metavar="NAME", help=f"one of {', '.join(PACKAGES)}; may be given several times"
    )
    parser.add_argument("--names", action="store_true", help="also the activations that fail, with what was seen")
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    arguments = parser.parse_args()
    errors = Console(stderr=True, highlight=False, markup=False)
    results = {}
    try:
        for name in arguments.package or DEFAULT:
            package_of(name)
        for name in arguments.package or DEFAULT:
            if result := probe_package(name, errors):
                results[name] = result
    except ValueError as error:
        errors.print(str(error))
        return 2
    if arguments.json:
        print(json.dumps(results, indent=1))
    else:
        console = Console(highlight=False, markup=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
        console.print(table(results))
        for name, result in results.items() if arguments.names else ():
            for check, failing in result["faults"].items():
                for activation, seen in failing.items():
                    console.print(f"{name} {activation}: {check}: {seen}")
    ours = undeclared(results["lightning_acts"]["faults"]) if "lightning_acts" in results else []
    for defect in ours:
        errors.print(f"a defect of ours: {defect}")
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
