#!/usr/bin/env python3
"""Writes docs/peers.md: every activation of every peer package, and which of ours it is, or why we leave it out.

A peer's activation counts as ours if it has one of our names and the same curve. All others stand in peers.yaml beside
this script, by package and name, as one of

    Name: spec                          the activation of ours with these parameters: the curves have to agree
    Name: {ours: spec, note: what}      likewise, with something else to be said
    Name: {ours: spec, at_first: what}  they agree as it is made, but what is trained or given is something else
    Name: {ours: spec, but: reason}     ours is another curve, and why
    Name: {out: reason}                 why there is none

A name with parentheses is an activation with options that its package has for it; it always stands there.

and the script fails where one is missing there, or where what is said there is no longer so. All packages have to be
installed: peer_packages.py says how.
"""

from __future__ import annotations

import argparse
import functools
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from peer_packages import PACKAGES, Factory, Package, package_of
from rich.console import Console
from torch import Tensor

import lightning_acts as acts
from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.factory import resolve

PAGE = Path(__file__).parents[1] / "docs" / "peers.md"
REASONS = Path(__file__).with_name("peers.yaml")

_HEAD = """# What other packages have

Made by `scripts/make_peers.py` from the packages themselves: every activation of each, and which one of ours it is. By
name and by curve, both evaluated on the same 1152 numbers from -6 to 6 in float64. *Same curve* means that ours gives
the same values as theirs, made without arguments but those that are shown; where ours has other defaults, the spec that
makes it the same. *At first* says that what is trained or given to theirs is something else. *Not the same* says what
differs, *left out* why there is none.
"""


@dataclass(frozen=True)
class Line:
    """One activation of a peer: our spec of it, or none; what is to be said of it."""

    name: str
    ours: str | None
    remark: str

    def __str__(self) -> str:
        remark = self.remark.replace("|", r"\|")  # which ends a cell
        return f"| `{self.name}` | {f'`{self.ours}`' if self.ours else '-'} | {remark} |"


def compared(activations: dict[str, Factory], reasons: dict[str, Any]) -> tuple[list[Line], list[str]]:
    """Return each activation of a package beside ours, and what is missing or wrong in what is said of it."""
    lines, faults = [], [f"{name}: the package has none of this name" for name in reasons.keys() - activations.keys()]
    for name, factory in activations.items():
        try:
            lines.append(_compare(name, factory, reasons.get(name)))
        except ValueError as error:
            faults.append(f"{name}: {error}")
    return lines, faults


def _compare(name: str, factory: Factory, said: Any) -> Line:
    own_name = name if "(" in name else name.rpartition(".")[2]
    definition = _of_name(own_name)
    theirs = evaluated(factory)
    agrees = definition is not None and same(theirs, curve(own_name))
    if said is None:
        if agrees:
            return Line(name, str(resolve(own_name)), "same curve")
        raise ValueError(_missing(definition, theirs))
    if agrees:
        raise ValueError("has our name and our curve: nothing need be said of it")
    spec, agree, remark = _read(said)
    if spec is None:
        found = like(theirs)
        if found:
            raise ValueError(f"is said to be left out, but has the curve of {', '.join(found)}")
        return Line(name, None, remark)
    acts.info(spec)
    if same(theirs, curve(spec)) != agree:
        state = "differ" if agree else "agree"
        shown = f"theirs: {_words(theirs)}; ours: {_words(curve(spec))}"
        raise ValueError(f"the curves of theirs and of {spec!r} {state}, other than is said; {shown}")
    return Line(name, spec, remark)


def _read(said: Any) -> tuple[str | None, bool, str]:
    """Return the spec of ours, whether the curves have to agree, and what is to be said."""
    match said:
        case str():
            return said, True, "same curve"
        case {"ours": str(spec), "note": str(what), **rest} if not rest:
            return spec, True, f"same curve; {what}"
        case {"ours": str(spec), "at_first": str(what), **rest} if not rest:
            return spec, True, f"same curve at first: {what}"
        case {"ours": str(spec), "but": str(reason), **rest} if not rest:
            return spec, False, f"not the same: {reason}"
        case {"out": str(reason), **rest} if not rest:
            return None, False, f"left out: {reason}"
    raise ValueError(
        f"{said!r} in {REASONS.name} is neither a spec, nor a mapping with ours and but, at_first or note, or out"
    )


def _of_name(name: str) -> Definition | None:
    try:
        return acts.info(name)
    except acts.SpecError:
        return None


def _missing(definition: Definition | None, theirs: Tensor | str) -> str:
    known = f"we have {definition.name!r}, which is another curve" if definition else "we have none of this name"
    found = like(theirs)
    return f"{known}; by curve it is {', '.join(found) or 'none of ours'}; theirs: {_words(theirs)}. Say it in {REASONS.name}"


def _words(values: Tensor | str) -> str:
    return values if isinstance(values, str) else f"values of shape {tuple(values.shape)}"


@functools.cache
def _points() -> Tensor:
    """Return numbers from -6 to 6, in an order by which no dimension is monotone.

    Channels fit those of every activation.
    """
    order = torch.randperm(1152, generator=torch.Generator().manual_seed(0))
    return (torch.linspace(-6, 6, 1152, dtype=torch.float64) + 0.001)[order].view(8, 4, 6, 6)


def evaluated(factory: Factory) -> Tensor | str:
    """Return the values of an activation at the points, made without arguments; the reason in words if it has none."""
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            module = factory().double().eval()
            once, again = module(_points().clone()), module(_points().clone())
    except Exception as error:
        return f"{type(error).__name__}: {error}".split("\n")[0]
    if not isinstance(once, Tensor):
        return f"gives a {type(once).__name__}"
    return once.double() if same(once, again) else "random, in evaluation mode too"


@functools.cache
def curve(spec: str) -> Tensor | str:
    """Return the values of an activation of ours."""
    return evaluated(lambda: acts.create(spec))


def same(one: Tensor | str, other: Tensor | str) -> bool:
    """Check whether two activations have the same values, as far as constants kept in float32 allow."""
    if isinstance(one, str) or isinstance(other, str) or one.shape != other.shape:
        return False
    return torch.allclose(one.double(), other.double(), rtol=1e-5, atol=2e-6, equal_nan=True)


def like(theirs: Tensor | str) -> list[str]:
    """Our activations that have these values at their defaults."""
    made = [name for name in acts.names() if all(p.default is not REQUIRED for p in acts.info(name).parameters)]
    return [name for name in made if same(theirs, curve(name))]


def sections(packages: list[Package]) -> Iterator[tuple[str, list[str]]]:
    """Yield the part of the page about each package, and the faults."""
    reasons = yaml.safe_load(REASONS.read_text())
    for package in packages:
        print(f"{package.place} ...", file=sys.stderr)
        lines, faults = compared(package.load(), reasons.get(package.place, {}))
        out = sum(line.ours is None for line in lines)
        differ = sum(line.remark.startswith("not the same") for line in lines)
        begin = sum(line.remark.startswith("same curve at first") for line in lines)
        counts = (
            f"{len(lines)} activations: {len(lines) - out - differ - begin} with a curve of ours, {begin} at first, "
            f"{differ} not the same, {out} left out."
        )
        rows = "\n".join(map(str, sorted(lines, key=lambda line: line.name.lower())))
        yield (
            f"## {package}\n\n{counts}\n\n| theirs | ours | |\n|---|---|---|\n{rows}\n",
            [f"{package.place} {fault}" for fault in faults],
        )


def main() -> int:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is out of date")
    parser.add_argument("--package", help="this one alone, to the terminal")
    arguments = parser.parse_args()
    try:
        peers = [package_of(arguments.package)] if arguments.package else list(PACKAGES.values())[1:]
        parts, faults = zip(*sections(peers), strict=True)
    except ImportError as error:
        print(f"{error}: peer_packages.py says how to get the packages", file=sys.stderr)
        return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    found = [fault for part in faults for fault in part]
    for fault in found:
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(fault)
    page = "\n".join([_HEAD, *parts])
    if found:
        return 1
    if arguments.package:
        print(page)
    elif not arguments.check:
        PAGE.write_text(page)
    elif PAGE.read_text() != page:
        print(f"{PAGE} is out of date: run {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
