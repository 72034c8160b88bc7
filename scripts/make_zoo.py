#!/usr/bin/env python3
"""Writes configs/README.md and docs/zoo.md: every config, model and data module that ships.

Parameters are counted in the model that a config builds; memory is the peak of a process that makes a dry run of it.
"""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import lightning as L
import yaml

from lightning_acts import zoo
from lightning_acts.files import write_whole
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load, named
from lightning_acts.runs.shipped import Head, read_head
from lightning_acts.runs.training import new_model

ROOT = Path(__file__).resolve().parents[1]
CONFIGS, ZOO = ROOT / "configs" / "README.md", ROOT / "docs" / "zoo.md"

_CONFIGS_HEAD = """\
# Shipped configs

Made by `scripts/make_zoo.py`. `lightning-acts train NAME` runs one, `lightning-acts cp NAME mine.yaml` copies it, and
`lightning-acts cat NAME` shows it with everything that its bases say.

*Expected* is the test metric of the best checkpoint: mean ± standard deviation over seeds 0, 1 and 2, as the head of the
file says. A test trains with seed 0 and checks that the result lies within four standard deviations, or within 2 % where
that is more. *Time* is that of one run. *Memory* is the peak of a process that runs one batch of each stage on a CPU.
"""
_ZOO_HEAD = """\
# The zoo

Made by `scripts/make_zoo.py` from the docstrings. Models and data modules of `lightning_acts.zoo`: use them from YAML
([configs](../configs/README.md), [runs](runs.md)), from Python, or as examples of how to write your own
([tutorial](tutorial.md)). Every model takes activations by spec, one for all hidden layers or one for each, or by a swap.
"""
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
_MEMORY = """
import resource, runpy, sys
sys.argv = ["lightning-acts", *sys.argv[1:]]
try:
    runpy.run_module("lightning_acts", run_name="__main__")
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    write_whole(CONFIGS, configs_page())
    write_whole(ZOO, zoo_page())


def configs_page() -> str:
    """Return the page of the configs; measures memory, which takes some seconds a config."""
    lines = [_CONFIGS_HEAD]
    for folder, members in groupby(named().items(), key=lambda item: item[0].partition("/")[0]):
        lines += [
            f"## {folder.capitalize()}\n",
            "| config | shows | parameters | expected | time | memory |",
            "|---|---|---|---|---|---|",
        ]
        lines += [config_row(name, path, peak_memory(name, read_head(path))) for name, path in members]
        lines.append("")
    return "\n".join(lines)


def config_row(name: str, path: Path, memory: str) -> str:
    """Return the row of a config."""
    head = read_head(path)
    expected = head.expected
    result = f"{expected.metric} {expected.mean:g} ± {expected.spread:g}" if expected else "not measured here"
    cells = [
        f"[`{path.stem}`]({name}.yaml)",
        head.about,
        f"{parameters(name):,}",
        result,
        expected.time if expected else "",
        memory,
    ]
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def parameters(name: str) -> int:
    """Return the number of parameters of the model that a config builds.

    Where the sizes are on the Hugging Face Hub, it is that of the dry run, which has the same.
    """
    config = load([name])
    if "hf:" in str(config.data["model"]):
        config = load([name], read_head(named()[name]).laptop)
    return sum(parameter.numel() for parameter in new_model(check_config(config)).parameters())


def peak_memory(name: str, head: Head) -> str:
    """Return the peak memory of a dry run, in gigabytes."""
    command = [sys.executable, "-c", _MEMORY, "train", name, "--dry-run", *head.laptop]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout.rpartition("peak ")[2])
    return f"{kilobytes / 2**20:.1f} GB"


def zoo_page() -> str:
    """Return the page of models and data modules."""
    members = {name: getattr(zoo, name) for name in zoo.__all__}
    models = {name: cls for name, cls in members.items() if issubclass(cls, L.LightningModule)}
    data = {name: cls for name, cls in members.items() if issubclass(cls, L.LightningDataModule)}
    used = used_by()
    lines = [_ZOO_HEAD, "## Models\n"]
    for name, cls in models.items():
        lines += entry(name, cls, used.get(name, []))
    lines.append("## Data\n")
    for name, cls in data.items():
        lines += entry(name, cls, used.get(name, []))
    return "\n".join(lines).rstrip() + "\n"


def entry(name: str, cls: type, configs: Iterable[str]) -> Iterator[str]:
    """Yield what a class is, its arguments, its source and the configs that use it."""
    sections = docstring_sections(inspect.getdoc(cls) or "")
    yield f"### {name}\n"
    yield f"{sections['']}\n"
    yield f"```python\n{name}{signature(cls)}\n```\n"
    for title in ("Shape", "Source"):
        if title in sections:
            yield f"{title}: {sections[title]}\n"
    listed = [f"[`{config.rpartition('/')[2]}`](../configs/{config}.yaml)" for config in configs]
    if listed:
        yield f"Configs: {', '.join(listed)}.\n"


def signature(cls: type) -> str:
    """Return the arguments of a constructor and their defaults, without types."""
    shown = [
        name if parameter.default is parameter.empty else f"{name}={parameter.default!r}".replace("'", '"')
        for name, parameter in inspect.signature(cls).parameters.items()
    ]
    text = f"({', '.join(shown)})"
    return text if len(text) < 90 else "(\n    " + ",\n    ".join(shown) + ",\n)"


def docstring_sections(text: str) -> dict[str, str]:
    """Return the sections of a docstring by their titles; what stands before them under the empty one."""
    sections, title = {"": ""}, ""
    for line in text.splitlines():
        if match := re.fullmatch(r"(Args|Attributes|Shape|Raises|Source|Example|Note):", line):
            title = match[1]
            sections[title] = ""
        else:
            sections[title] += line.strip() + "\n" if title else line + "\n"
    plain = {key: _ROLE.sub(r"`\1`", value).replace("``", "`").strip() for key, value in sections.items()}
    return {key: value.replace("\n", " ") if key else value for key, value in plain.items()}


def used_by() -> dict[str, list[str]]:
    """Return the configs that name a class, by its name."""
    found: dict[str, list[str]] = {}
    for name in named():
        for target in re.findall(r"lightning_acts\.zoo\.(\w+)", yaml.safe_dump(load([name]).data)):
            if name not in found.setdefault(target, []):
                found[target].append(name)
    return found


if __name__ == "__main__":
    main()
