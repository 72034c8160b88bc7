#!/usr/bin/env python3
"""Time of activations by each backend and in other packages: a forward, and a step, which is a forward and a backward.

All ways to run an activation are timed in turn in the same rounds, with relu and a copy of the tensor; what is reported
are medians over the rounds of the times, and of their ratios to relu's and to the copy's. With one thread on a CPU the
time is that of the thread, so that other processes matter less, else that of the clock.

Results go to FOLDER/kernels.csv as they come: a run that was interrupted is resumed by the same command. The tables, in
FOLDER/kernels.md, and the picture, FOLDER/kernels.png, show all that the file has.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from benchmarks import (
    Results,
    Row,
    add_options,
    clock_of,
    elements,
    in_words,
    interleaved,
    machine_of,
    ratio,
    table,
    threads,
)
from make_peers import REASONS, compared
from peer_packages import Factory, Function, package_of
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.factory import resolve
from lightning_acts.files import replacing
from lightning_acts.kernels.backends import BACKENDS

PASSES = ("forward", "step")
KEY = ("machine", "threads", "dtype", "size", "activation")
COLUMNS = (*KEY, "pass", "implementation", "microseconds", "of_relu", "of_copy", "kept")
PEERS = ("timm", "torch_activation")
#: Halved by Liger's kernels too, which take a GPU.
GATED = ("geglu(approximate=tanh)", "swiglu")


@dataclass(frozen=True)
class Case:
    """One way to run an activation, and what it is given."""

    module: nn.Module
    inputs: tuple[Tensor, ...]

    def forward(self) -> Tensor:
        """Return its output."""
        output: Tensor = self.module(*self.inputs)
        return output

    def step(self, gradient: Tensor) -> Callable[[], object]:
        """Return a forward and a backward as a function without arguments."""
        leaves = [*self.inputs, *self.module.parameters()]
        return lambda: torch.autograd.grad(self.forward(), leaves, gradient, allow_unused=True)

    def kept(self) -> float:
        """Return how many tensors of the input's size are kept for the backward."""
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor.detach()  # an output that held itself would never be freed

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            self.forward()
        return sum(sizes.values()) / sum(entry.untyped_storage().nbytes() for entry in self.inputs)


def main(given: Sequence[str] | None = None) -> None:
    """Measure, and write tables and a picture."""
    arguments = _parsed(given)
    results = Results(arguments.output / "kernels.csv", COLUMNS, KEY)
    peers = {place: peers_of(place) for place in arguments.peers}
    settings = itertools.product(arguments.devices, arguments.dtypes, arguments.threads, arguments.sizes)
    for place, dtype, count, size in settings:
        if place.type != "cpu" and count != arguments.threads[0]:
            continue  # a GPU's kernels have no threads of the CPU
        torch.set_num_threads(count)
        setting = {"machine": machine_of(place), "threads": count if place.type == "cpu" else "", "dtype": dtype}
        for name in arguments.names:
            measured = {**setting, "size": size, "activation": name}
            if results.has(**measured):
                continue
            print(*measured.values(), sep="; ", file=sys.stderr, flush=True)
            cases = cases_of(name, size, getattr(torch, dtype), place, arguments.backends, peers)
            rows = measure(cases, arguments.rounds, clock_of(place, count))
            results.add({**measured, **row} for row in rows)
    text = tables(results.rows)
    with replacing(arguments.output / "kernels.md") as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    draw(results.rows, arguments.output / "kernels.png")
    print(text)


def _parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="specs of activations; default: all that ship")
    parser.add_argument(
        "--sizes", nargs="+", type=elements, default=[1 << 20], metavar="N", help="numbers of elements, as 1k 64M; 1M"
    )
    parser.add_argument(
        "--dtypes", nargs="+", choices=("float32", "bfloat16", "float16"), default=["float32"], help="float32"
    )
    parser.add_argument("--threads", nargs="+", type=threads, default=[1], metavar="N", help="on a CPU; or 'all'; 1")
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), help=f"default: {' '.join(BACKENDS)}")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=[place for place in PEERS if importlib.util.find_spec(place)],
        help="packages whose activation of the same curve is timed too; default: those that are installed",
    )  # fmt: skip
    add_options(parser, rounds=9, elsewhere="another choice of backends or peers takes")
    arguments = parser.parse_args(given)
    try:
        for spec in arguments.names:
            acts.create(spec)
        for backend in arguments.backends:
            acts.create("relu", backend=backend)
    except acts.SpecError as error:
        parser.error(str(error))
    arguments.names = arguments.names or shipped()
    return arguments


def shipped() -> list[str]:
    """Return the elementwise activations that can be made without arguments, GELU's other form, and two gates."""
    names = [*acts.names(kind="elementwise"), "gelu_tanh"]
    return [name for name in names if _has_defaults(name)] + list(GATED)


def _has_defaults(name: str) -> bool:
    try:
        acts.create(name)
    except acts.SpecError:
        return False
    return True


def peers_of(place: str) -> dict[str, Factory]:
    """Return the activations of a package that have the curve of one of ours, by the spec of ours."""
    activations = package_of(place).load()
    reasons = yaml.safe_load(REASONS.read_text(encoding="utf-8")).get(place, {})
    lines, _ = compared(activations, reasons)
    return {
        _canonical(line.ours): activations[line.name]
        for line in reversed(lines)  # the first one of a curve counts
        if line.ours and line.remark.partition(";")[0] == "same curve" and "inplace" not in line.name
    }


def _canonical(spec: str) -> str:
    return str(resolve(spec))


def cases_of(
    name: str,
    size: int,
    dtype: torch.dtype,
    place: torch.device,
    backends: Iterable[str],
    peers: dict[str, dict[str, Factory]],
) -> dict[str, Case]:
    """Return the ways to run an activation, by what they are called, behind relu and a copy."""
    x = (torch.randn(1, 1, size, generator=torch.Generator().manual_seed(0)) * 2).to(place, dtype).requires_grad_()
    modules: dict[str, Any] = {"relu": nn.ReLU(), "copy": Function(torch.clone)}
    for backend in backends:
        modules[backend] = acts.create(name, backend=backend)
    for package, activations in peers.items():
        if factory := activations.get(_canonical(name)):
            modules[package] = factory()
    cases = {label: Case(module.to(place, dtype), (x,)) for label, module in modules.items()}
    if name in GATED and place.type == "cuda":
        if importlib.util.find_spec("liger_kernel"):
            halves = tuple(half.detach().contiguous().requires_grad_() for half in x.chunk(2, dim=-1))
            cases["liger_kernel"] = Case(Function(_liger(name)), halves)
        else:
            print("Liger's kernels are not there: liger_kernel is not installed", file=sys.stderr)
    return cases


def _liger(name: str) -> Callable[..., Tensor]:
    """Return Liger's kernel, which takes value and gate apart."""
    module = importlib.import_module(f"liger_kernel.ops.{name.partition('(')[0]}")
    function = module.LigerSiLUMulFunction if name == "swiglu" else module.LigerGELUMulFunction
    return lambda value, gate: function.apply(gate, value)


def measure(cases: dict[str, Case], rounds: int, clock: Callable[[], float]) -> list[Row]:
    """Return a row for each case and pass; none for those that can't run."""
    for label, case in list(cases.items()):
        try:
            with torch.no_grad():
                output = case.forward()  # sizes the lazy ones
            case.step(torch.ones_like(output))()
        except Exception as error:  # there may be no compiler; other packages may raise anything
            print(f"{label}: {str(error).splitlines()[0]}", file=sys.stderr)
            del cases[label]
    x = cases["relu"].inputs[0]
    # A clock is too coarse for one small tensor.
    repeats = min(100, max(1, (1 << 19) // x.numel()))
    forwards: dict[str, Callable[[], object]] = {label: case.forward for label, case in cases.items()}
    steps = {label: case.step(torch.ones_like(case.forward())) for label, case in cases.items()}
    forwards["copy"] = steps["copy"] = x.detach().clone  # one read and one write, in a step too
    rows: list[Row] = []
    for name, timed in (("forward", forwards), ("step", steps)):
        with torch.set_grad_enabled(name == "step"):
            times = interleaved(timed, rounds, clock, repeats, untimed=1)
        rows += [
            {
                "pass": name,
                "implementation": label,
                "microseconds": statistics.median(taken) * 1e6,
                "of_relu": ratio(taken, times["relu"]),
                "of_copy": ratio(taken, times["copy"]),
                "kept": "" if label == "copy" or name == "forward" else cases[label].kept(),
            }
            for label, taken in times.items()
        ]
    return rows


Setting = tuple[str, str, str, str]


def by_setting(rows: Iterable[dict[str, str]]) -> dict[Setting, list[dict[str, str]]]:
    """Return the rows of each machine, number of threads, type and size."""
    found: dict[Setting, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault((row["machine"], row["threads"], row["dtype"], row["size"]), []).append(row)
    return found


def heading(setting: Setting) -> str:
    """Return a setting in words."""
    machine, count, dtype, size = setting
    cores = f"{count} thread{'s' * (count != '1')}, " if count else ""
    return f"{in_words(int(size))} {dtype}, {cores}{machine}"


def tables(rows: Sequence[dict[str, str]]) -> str:
    """Return a section in Markdown for each setting."""
    return "\n\n".join(f"## {heading(setting)}\n\n{times_table(found)}" for setting, found in by_setting(rows).items())


def times_table(rows: Sequence[dict[str, str]]) -> str:
    """Return the table of one setting: forward and step of each activation, in times that of relu."""
    ratios = _ratios(rows)
    kept = {(row["activation"], row["implementation"]): row["kept"] for row in rows if row["pass"] == "step"}
    labels = list(dict.fromkeys(row["implementation"] for row in rows if row["implementation"] != "relu"))
    head = ["times relu's, forward / step", *labels, "kept"]
    lines = []
    for name in dict.fromkeys(row["activation"] for row in rows):
        cells = [_pair([ratios.get((name, label, which)) for which in PASSES]) for label in labels]
        keeps = [f"{float(text):.2g}" if (text := kept.get((name, label))) else "-" for label in ("torch", "lean")]
        lines.append([f"`{name}`", *cells, " / ".join(keeps)])
    medians = []
    for label in labels:
        columns = [[v for (_, found, way), v in ratios.items() if (found, way) == (label, which)] for which in PASSES]
        medians.append(_pair([statistics.median(column) if column else None for column in columns]))
    return table(head, [*lines, ["*median*", *medians, ""]])


def _ratios(rows: Iterable[dict[str, str]]) -> dict[tuple[str, str, str], float]:
    return {(row["activation"], row["implementation"], row["pass"]): float(row["of_relu"]) for row in rows}


def _pair(values: Iterable[float | None]) -> str:
    return " / ".join("-" if value is None else f"{value:.3g}" for value in values).replace("- / -", "-")


def settings_table(rows: Iterable[dict[str, str]]) -> str:
    """Return how long ``auto`` takes in times torch's and other packages', for each setting, over its activations."""
    lines = []
    for setting, found in by_setting(rows).items():
        for other in ("torch", *PEERS, "liger_kernel"):
            pairs = [shares_of(found, "auto", other, which) for which in PASSES]
            if all(pairs):
                middles = " / ".join(f"{statistics.median(shares.values()):.2f}" for shares in pairs)
                least = " / ".join(f"{min(shares.values()):.2f}" for shares in pairs)
                most = " / ".join(
                    f"{max(shares.values()):.2f} (`{max(shares, key=shares.__getitem__)}`)" for shares in pairs
                )
                words = heading(setting).removesuffix(f", {setting[0]}")
                lines.append([words, other, str(len(pairs[0])), middles, least, most])
    return table(["auto, forward / step", "in times", "activations", "median", "least", "most"], lines)


def shares_of(rows: Iterable[dict[str, str]], label: str, other: str, which: str) -> dict[str, float]:
    """Return by activation how long a pass takes run one way, in times another."""
    ratios = _ratios(rows)
    return {
        name: value / ratios[name, other, which]
        for (name, found, way), value in ratios.items()
        if (found, way) == (label, which) and (name, other, which) in ratios
    }


def main_setting(rows: Iterable[dict[str, str]]) -> Setting:
    """Return the setting with the most activations."""
    settings = by_setting(rows)
    return max(settings, key=lambda setting: len({row["activation"] for row in settings[setting]}))


COLORS = {
    "torch": "#D55E00",
    "eager": "#E69F00",
    "lean": "#56B4E9",
    "compiled": "#009E73",
    "auto": "#0072B2",
    "timm": "#CC79A7",
    "torch_activation": "#000000",
}


def draw(rows: Sequence[dict[str, str]], path: Path) -> Path:
    """Draw how long a step takes at the setting with most activations, by their share, and how backends compare by size."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    settings, setting = by_setting(rows), main_setting(rows)
    ratios = {
        (name, label): value for (name, label, which), value in _ratios(settings[setting]).items() if which == "step"
    }
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for label, color in COLORS.items():
        values = sorted(value for (_, way), value in ratios.items() if way == label)
        if values:
            ranks = [(place + 1) / len(values) for place in range(len(values))]
            left.step(values, ranks, where="post", color=color, label=f"{label}, of {len(values)}", linewidth=1.8)
    left.set(xscale="log", xlabel="time of a step, in times relu's", ylabel="share of activations", ylim=(0, 1))
    left.set_title(heading(setting).partition(";")[0])
    sizes = {int(other[3]): found for other, found in settings.items() if other[:3] == setting[:3]}
    for label in ("eager", "lean", "compiled", "auto"):
        shares = {size: shares_of(found, label, "torch", "step") for size, found in sorted(sizes.items())}
        everywhere = set.intersection(*(set(its) for its in shares.values()))
        if everywhere:
            medians = [statistics.median(its[name] for name in everywhere) for its in shares.values()]
            right.plot(list(shares), medians, "o-", color=COLORS[label], label=label, linewidth=1.8)
    right.axhline(1.0, color="0.4", linewidth=1)
    right.set(xscale="log", yscale="log", xlabel="elements", ylabel="time of a step, in times torch's")
    for set_formatter in (right.yaxis.set_major_formatter, right.yaxis.set_minor_formatter):
        set_formatter(ScalarFormatter())
    right.set_title("median over the activations measured at each size")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=110, format="png")
    return path


if __name__ == "__main__":
    main()
