#!/usr/bin/env python3
"""Writes the tables of docs/performance.md and docs/images/performance.png from the results in docs/measurements.

Those are kernels.csv of bench_kernels.py and training.csv of bench_training.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import bench_kernels
import bench_training
from benchmarks import read

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
MEASUREMENTS = DOCS / "measurements"


def page() -> str:
    """Return the page with the tables of the results."""
    text = PAGE.read_text(encoding="utf-8")
    for name, made in parts().items():
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)"
        # A function, since a backslash means something in a text.
        text, count = re.subn(pattern, lambda at, made=made: f"{at[1]}\n{made}\n{at[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"{PAGE} has {count} places for the part {name}")
    return text


def parts() -> dict[str, str]:
    """Return what is made of the results, by the name of its place on the page."""
    kernels, training = (read(MEASUREMENTS / name) for name in ("kernels.csv", "training.csv"))
    setting = bench_kernels.main_setting(kernels)
    table = bench_kernels.times_table(bench_kernels.by_setting(kernels)[setting])
    return {
        "kernels": f"{bench_kernels.heading(setting)}:\n\n{table}",
        "settings": bench_kernels.settings_table(kernels),
        "training": bench_training.tables(training),
    }


def main() -> None:
    """Write the page and the picture."""
    PAGE.write_text(page(), encoding="utf-8")
    bench_kernels.draw(read(MEASUREMENTS / "kernels.csv"), DOCS / "images" / "performance.png")


if __name__ == "__main__":
    main()
