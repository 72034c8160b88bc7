"""What the registry adds to the start of a program that imports torch: medians of fresh processes, side by side.

``python scripts/bench_import.py [--runs 15]``
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_STEPS = {
    "import torch": "import torch",
    "import lightning_acts, after it": "import lightning_acts as acts",
    "the registry's modules": "acts.create",
    'the first acts.create("mish"), which reads all': 'acts.create("mish")',
    'the second acts.create("mish")': 'acts.create("mish")',
}


def main() -> None:
    """Print a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    timed = "\n".join(
        f"t = time.perf_counter(); {code}; times.append(time.perf_counter() - t)" for code in _STEPS.values()
    )
    code = f"import time; times = []\n{timed}\nprint(*times)"
    rows = []
    for number in range(runs + 1):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        if number:  # the first one fills the caches of files
            rows.append([float(value) * 1e3 for value in done.stdout.split()])
    columns = list(zip(*rows, strict=True))
    torch_median = statistics.median(columns[0])
    print(f"{'':<48}{'median':>10}{'least':>10}{'of torch':>10}   ({runs} processes)")
    for name, values in zip(_STEPS, columns, strict=True):
        median = statistics.median(values)
        print(f"{name:<48}{median:>7.1f} ms{min(values):>7.1f} ms{median / torch_median:>9.1%}")
    added = [sum(row[1:4]) for row in rows]
    print(
        f"{'all that is added up to the first activation':<48}{statistics.median(added):>7.1f} ms{min(added):>7.1f} ms"
    )


if __name__ == "__main__":
    main()
