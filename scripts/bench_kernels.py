#!/usr/bin/env python3
"""Time of a training step of activations by each backend, in times that of ReLU, and how many tensors are kept.

scripts/bench_kernels.py [NAME ...] [--size 1048576] [--threads 1] [--rounds 9] [--dtype float32] [--device cpu]

All of a row are measured in turn in the same rounds; ratios are medians over the rounds, of the time of the thread on a
CPU, so that other processes matter less, and of the clock with several threads or on a GPU.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.kernels.backends import BACKENDS


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=acts.names(kind="elementwise"))
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"))
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def step_of(module: nn.Module, x: Tensor, gradient: Tensor) -> Callable[[], object]:
    """Return a forward and a backward of a module as a function without arguments."""
    leaves = [x, *module.parameters()]
    return lambda: torch.autograd.grad(module(x), leaves, gradient, allow_unused=True)


def kept(module: nn.Module, x: Tensor) -> float:
    """Return how many tensors of the input's size are kept for the backward."""
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x)
    return sum(sizes.values()) / x.untyped_storage().nbytes()


def measured(steps: list[Callable[[], object]], rounds: int, clock: Callable[[], float]) -> list[float]:
    """Return the median over rounds of the time of each step, in times that of the first."""
    for step in steps:  # compiles, and fills caches
        step()
        step()
    ratios: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        times = []
        for step in steps:
            begin = clock()
            step()
            times.append(clock() - begin)
        for ratio, taken in zip(ratios, times, strict=True):
            ratio.append(taken / times[0])
    return [statistics.median(ratio) for ratio in ratios]


def main() -> None:
    """Print a table in Markdown, and the medians over its rows."""
    given = parsed()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.thread_time() if device.type == "cpu" and given.threads == 1 else time.perf_counter()

    dtype = getattr(torch, given.dtype)
    x = torch.randn(1, 1, given.size, device=device).mul(2).to(dtype).requires_grad_()
    gradient = torch.randn_like(x)
    relu, copy = step_of(nn.ReLU(), x, gradient), x.clone
    print(f"{torch.__version__}, {device}, {given.threads} threads, {given.size} elements, {given.dtype}\n")
    print("| activation | copy |", " | ".join(BACKENDS), "| kept by torch | kept by lean |")
    print("|---" * (len(BACKENDS) + 4) + "|", flush=True)
    rows: list[list[float]] = []
    for name in given.names:
        try:
            modules = [acts.create(name, backend=backend).to(device=device, dtype=dtype) for backend in BACKENDS]
        except acts.SpecError:  # it has no defaults
            continue
        for module in modules:
            module(x)  # sizes the lazy ones
        ratios = measured([relu, copy, *(step_of(module, x, gradient) for module in modules)], given.rounds, clock)
        row = [*ratios[1:], kept(modules[0], x), kept(modules[BACKENDS.index("lean")], x)]
        rows.append(row)
        print(f"| {name} |", " | ".join(f"{value:.2f}" for value in row), "|", flush=True)
    print("| *median* |", " | ".join(f"{statistics.median(column):.2f}" for column in zip(*rows, strict=True)), "|")


if __name__ == "__main__":
    main()
