"""What a swap costs: swapped models against their hand-edited twins, and the time that finding and swapping takes.

Each round runs the swapped model, its twin, and a second copy of the twin, in random order. The ratio of two identical
models is the control: what it shows is noise, and a cost is only what lies beyond it.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision.models as vision
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import t as student
from torch import Tensor, nn

import lightning_acts as acts

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "surgery"))

import hand_edited  # type: ignore[import-not-found]


def transformer(activation: Callable[[Tensor], Tensor] = F.relu) -> nn.Module:
    layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, activation=activation, batch_first=True)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)


def transformer_by_hand(model: nn.Module) -> nn.Module:
    twin = transformer(F.mish)
    twin.load_state_dict(model.state_dict())
    return twin


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], nn.Module], tuple[int, ...]]] = {
    "Inception v3": (
        lambda: vision.inception_v3(init_weights=False, aux_logits=False),
        hand_edited.edited,
        (2, 3, 160, 160),
    ),
    "ResNet-50": (vision.resnet50, hand_edited.edited, (2, 3, 128, 128)),
    "transformer": (transformer, transformer_by_hand, (8, 64, 64)),
}


def forward(model: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        model(x)


def training_step(model: nn.Module, x: Tensor) -> None:
    model.zero_grad()
    loss: Tensor = model(x).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]


def seconds(step: Callable[[nn.Module, Tensor], None], model: nn.Module, x: Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    step(model, x)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interval(times: list[tuple[float, float]]) -> str:
    """Return the geometric mean of the ratios, with the interval that holds it with a confidence of 95 %."""
    logarithms = [math.log(one / other) for one, other in times]
    mean = statistics.fmean(logarithms)
    half = float(student.ppf(0.975, len(times) - 1)) * statistics.stdev(logarithms) / math.sqrt(len(times))
    return f"{math.exp(mean):.4f} [{math.exp(mean - half):.4f}, {math.exp(mean + half):.4f}]"


def compare(compiled: bool, rounds: int, device: str, show: Callable[..., None]) -> None:
    for name, (make, by_hand, shape) in CASES.items():
        torch.manual_seed(0)
        model, x = make(), torch.randn(shape, device=device)
        twin = by_hand(model).to(device)
        acts.swap(model.to(device), {"relu": "mish"})
        models: list[nn.Module] = [model, twin, copy.deepcopy(twin)]
        if compiled:
            for entry in models:
                entry.compile()
        for step, training in ((forward, False), (training_step, True)):
            for entry in models:
                entry.train(training)
                for _ in range(3):
                    step(entry, x)
            times = []
            for _ in track(range(rounds), f"{name}, {step.__name__}", transient=True, console=Console(stderr=True)):
                order = random.sample(range(3), 3)
                taken = {index: seconds(step, models[index], x) for index in order}
                times.append([taken[index] for index in range(3)])
            show(
                name,
                step.__name__.replace("_", " "),
                "compiled" if compiled else "eager",
                f"{1000 * statistics.median(entry[1] for entry in times):.2f}",
                interval([(swapped, twin) for swapped, twin, _ in times]),
                interval([(again, twin) for _, twin, again in times]),
            )


def many_modules() -> nn.Module:
    """Return a model of 10,000 modules."""
    blocks = [nn.Sequential(nn.Linear(1, 1), nn.LayerNorm(1), nn.ReLU()) for _ in range(2499)]
    model = nn.Sequential(*blocks, nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    assert len(list(model.modules())) == 10_000
    return model


def finding(console: Console) -> None:
    acts.find(nn.Sequential(nn.Linear(1, 1), nn.ReLU()))  # reads the definitions
    resnet, large = CASES["ResNet-50"][0](), many_modules()

    def timed(action: Callable[[], object]) -> float:
        start = time.perf_counter()
        action()
        return 1000 * (time.perf_counter() - start)

    def swapping() -> float:
        taken = timed(lambda: acts.swap(large, {"relu": "mish"}))
        acts.restore(large)
        return taken

    table = Table("without an example", "first, ms", "median of later, ms")
    measures: dict[str, Callable[[], float]] = {
        "find, ResNet-50": lambda: timed(lambda: acts.find(resnet)),
        "find, 10,000 modules": lambda: timed(lambda: acts.find(large)),
        "swap, 10,000 modules": swapping,
    }
    for label, measure in measures.items():
        first, *later = (measure() for _ in range(8))
        table.add_row(label, f"{first:.1f}", f"{statistics.median(later):.1f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true", help="also under torch.compile")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console()
    finding(console)
    table = Table("model", "step", "mode", "twin, ms", "swapped / twin", "control: twin / twin", title="95 % intervals")
    for compiled in (False, True) if arguments.compile else (False,):
        compare(compiled, arguments.rounds, arguments.device, table.add_row)
    console.print(table)


if __name__ == "__main__":
    main()
