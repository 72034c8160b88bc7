#!/usr/bin/env python3
"""Time and peak memory of a training step of whole models with their own activation and with others, by backend.

The models are torchvision's ResNet-50, whose ReLU works in place, and the zoo's GPT, with GELU; sizes are small, so that
a CPU is enough. For each activation the model with its own one, the same with ReLU that does not work in place, and the
swapped ones are run in turn in the same rounds; what is reported are medians over the rounds of the ratio to the model
with its own. Memory is what a step allocates at its peak beyond what was there before it, gradients of the weights
included: on a CPU by the allocations that torch's profiler records, on a GPU by torch.cuda.max_memory_allocated.

Results go to FOLDER/training.csv as they come: a run that was interrupted is resumed by the same command. The table, in
FOLDER/training.md, shows all that the file has.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reads it once, and has nothing to say here

import torch
from benchmarks import Results, Row, add_options, at_least_one, clock_of, interleaved, machine_of, ratio, table, threads
from torch import Tensor, nn
from torchvision.models import resnet50

import lightning_acts as acts
from lightning_acts.files import replacing
from lightning_acts.zoo import LanguageModel

KEY = ("machine", "threads", "model", "activation")
COLUMNS = (*KEY, "backend", "milliseconds", "megabytes", "of_time", "of_memory")
#: Composed of several operations each; none is torch's own.
TEN = (
    "penalized_tanh", "squareplus", "tanh_exp", "phish", "elish", "smish", "logish", "serf", "aria2", "lisht",
)  # fmt: skip
BACKENDS = ("torch", "lean", "lean(bits=2)", "auto")
OWN, NOT_IN_PLACE = "its own", "relu, not in place"


@dataclass(frozen=True)
class Subject:
    """A model that is trained: how it is made, what it is given, and the activation that it has."""

    make: Callable[[], nn.Module]
    example: Callable[[int], Tensor]
    activation: str

    def step(self, place: torch.device, batch: int, spec: str = OWN, backend: str = "torch") -> Callable[[], None]:
        """Return a training step of the model, with another activation if one is given."""
        torch.manual_seed(0)
        model, x = self.make().to(place), self.example(batch).to(place)
        if spec == NOT_IN_PLACE and self.activation == "relu":
            for module in model.modules():
                if isinstance(module, nn.ReLU):
                    module.inplace = False
        elif spec != OWN:
            spec = "relu" if spec == NOT_IN_PLACE else spec
            acts.swap(model, {self.activation: spec}, backend=backend)

        def step() -> None:
            loss: Tensor = model(x).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            model.zero_grad()

        return step


SUBJECTS = {
    "ResNet-50": Subject(lambda: resnet50(num_classes=10), lambda batch: torch.randn(batch, 3, 64, 64), "relu"),
    "GPT": Subject(
        lambda: LanguageModel(width=128, depth=4, context=128), lambda batch: torch.randint(97, (batch, 128)), "gelu"
    ),
}


def main(given: Sequence[str] | None = None) -> None:
    """Measure, and write a table."""
    arguments = _parsed(given)
    results = Results(arguments.output / "training.csv", COLUMNS, KEY)
    for place, name, spec in itertools.product(arguments.devices, arguments.models, arguments.names):
        torch.set_num_threads(arguments.threads)
        count = arguments.threads if place.type == "cpu" else ""
        measured = {"machine": machine_of(place), "threads": count, "model": name, "activation": spec}
        if results.has(**measured):
            continue
        print(*measured.values(), sep="; ", file=sys.stderr, flush=True)
        clock = clock_of(place, arguments.threads)
        rows = measure(SUBJECTS[name], spec, arguments.backends, place, arguments.batch, arguments.rounds, clock)
        results.add({**measured, **row} for row in rows)
    text = tables(results.rows)
    with replacing(arguments.output / "training.md") as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    print(text)


def _parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=TEN, metavar="NAME", help=f"specs; default: {' '.join(TEN)}")
    parser.add_argument("--models", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), help="both")
    parser.add_argument("--backends", nargs="+", default=BACKENDS, metavar="BACKEND", help=" ".join(BACKENDS))
    parser.add_argument("--batch", type=at_least_one, default=8, metavar="N", help="8")
    parser.add_argument("--threads", type=threads, default=1, metavar="N", help="on a CPU; or 'all'; 1")
    add_options(parser, rounds=5, elsewhere="other backends or another batch take")
    arguments = parser.parse_args(given)
    try:
        for spec, backend in itertools.product(arguments.names, arguments.backends):
            acts.create(spec, backend=backend)
    except acts.SpecError as error:
        parser.error(str(error))
    return arguments


def measure(
    subject: Subject,
    spec: str,
    backends: Sequence[str],
    place: torch.device,
    batch: int,
    rounds: int,
    clock: Callable[[], float],
) -> list[Row]:
    """Return a row for the model with its own activation, with ReLU not in place, and with a spec by each backend."""
    steps = {own: subject.step(place, batch, own) for own in (OWN, NOT_IN_PLACE)}
    steps |= {backend: subject.step(place, batch, spec, backend) for backend in backends}
    times = interleaved(steps, rounds, clock)
    memory = {label: peak_memory(step, place) for label, step in steps.items()}
    return [
        {
            "backend": label,
            "milliseconds": statistics.median(times[label]) * 1e3,
            "megabytes": memory[label] / 2**20,
            "of_time": ratio(times[label], times[OWN]),
            "of_memory": memory[label] / memory[OWN],
        }
        for label in steps
    ]


def peak_memory(step: Callable[[], object], place: torch.device) -> int:
    """Return the bytes that a step allocates at its peak, beyond what was there before it."""
    if place.type != "cpu":
        torch.cuda.reset_peak_memory_stats(place)
        before = torch.cuda.memory_allocated(place)
        step()
        return torch.cuda.max_memory_allocated(place) - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    recorded: Any = profile.profiler
    events = [event for event in recorded.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return int(max(itertools.accumulate((event.nbytes() for event in events), initial=0)))


def tables(rows: Sequence[dict[str, str]]) -> str:
    """Return a section in Markdown for each machine and model."""
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault((row["model"], row["threads"], row["machine"]), []).append(row)
    parts = []
    for (model, count, machine), its in found.items():
        cores = f"{count} thread{'s' * (count != '1')}, " if count else ""
        parts.append(f"### {model}, {cores}{machine}\n\n{ratios_table(its)}")
    return "\n\n".join(parts)


def ratios_table(rows: Sequence[dict[str, str]]) -> str:
    """Return the table of one model: time and peak memory of each activation, in times those of the model's own."""
    labels = list(dict.fromkeys(row["backend"] for row in rows if row["backend"] != OWN))
    values = {(row["activation"], row["backend"]): (float(row["of_time"]), float(row["of_memory"])) for row in rows}
    names = list(dict.fromkeys(row["activation"] for row in rows))

    lines = [[f"`{name}`", *(_pair([values.get((name, label))]) for label in labels)] for name in names]
    medians = [_pair([values.get((name, label)) for name in names]) for label in labels]
    return table(["time / peak memory", *labels], [*lines, ["*median*", *medians]])


def _pair(found: Sequence[tuple[float, float] | None]) -> str:
    measured = [pair for pair in found if pair]
    return " / ".join(f"{statistics.median(numbers):.2f}" for numbers in zip(*measured, strict=True)) or "-"


if __name__ == "__main__":
    main()
