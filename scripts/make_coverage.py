"""Measures how much of each model in the collection is swapped, and writes docs/coverage.md.

Each model runs in a process of its own, within limits of time and memory. What was measured is kept as JSON lines under
build/, so that an interrupted run continues. Models of packages that are not installed keep the line that they have there.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery import history
from lightning_acts.surgery.example import Example
from lightning_acts.surgery.naming import type_name
from lightning_acts.surgery.rewriting.classes import base_of
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION
from lightning_acts.surgery.verifying import Census

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "surgery"))

import package_models  # type: ignore[import-not-found]
from model_collection import COLLECTION  # type: ignore[import-not-found]

PAGE = PROJECT / "docs" / "coverage.md"
CACHE = PROJECT / "build" / "coverage.jsonl"
#: What can be measured here, by name.
MODELS = {**COLLECTION, **package_models.MODELS}
#: What stands for "swapped": the first that the model does not use itself.
MARKERS = ("mish", "softplus", "hardswish", "celu", "softshrink")


def measure(name: str) -> dict[str, Any]:
    """Swap every hidden activation of one model, watch what runs, and restore it; models of packages also without an example."""
    entry = MODELS[name]
    torch.manual_seed(0)
    model, example = entry.make().eval(), entry.example()
    used = {activation for _, activation, _ in _executed(model, example, {})}
    marker = next(marker for marker in MARKERS if marker not in used)
    sites = acts.find(model, example)
    others = (site for site in sites if site.role != "hidden")
    row: dict[str, Any] = {
        "name": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "sites": dict(Counter(f"{site.kind} {site.role}" for site in sites)),
        "others": dict(Counter(f"{_bare(site.activation)} | {site.role} | {site.reason}" for site in others)),
        "marker": marker,
        **_tried(model, example, sites, marker, example),
    }
    if name in package_models.ALL:
        row["version"] = importlib.metadata.version(package_models.distribution(name))
        guessed = acts.find(model)
        tried = _tried(model, example, guessed, marker, None)
        why = {site["path"]: site["why"] for site in tried["left"]}
        row["without"] = {**tried, **_compared(sites, guessed, why, _noted(model, tried["notes"]))}
    return row


def _tried(model: nn.Module, example: Any, sites: list[acts.Site], marker: str, given: Any) -> dict[str, Any]:
    """Swap the hidden sites, with what is given as example input; watch a run of the example, and restore the model."""
    hidden = [site for site in sites if site.role == "hidden"]
    row: dict[str, Any] = {"hidden": len(hidden)}
    outputs = _outputs(model, example)
    keys, modules = list(model.state_dict()), list(model.modules())
    mapping = {
        UNKNOWN_ACTIVATION if site.activation == UNKNOWN_ACTIVATION else _bare(site.activation): marker
        for site in hidden
    }
    try:
        report = acts.swap(model, mapping, example_input=given) if mapping else None
    except acts.SwapError as error:
        report, row["refused"] = None, str(error)
    left = [(entry.site, entry.obstacle) for entry in report.left] if report else [(site, "") for site in sites]
    replacements = {entry.change.replacement: entry.path for entry in history.exchanges_of(model)}
    after = _executed(model, example, replacements)
    notes = list(report.notes) if report else []
    row |= {
        "swapped": len(report.swapped) if report else 0,
        "left": [{**site.to_dict(), "why": why} for site, why in left if site.role == "hidden"],
        "unseen": _unseen(after, [site for site, _ in left], {*replacements.values(), *_noted(model, notes)}),
        "notes": notes,
    }
    if report:
        try:
            row["verified"] = acts.verify(model, example).summary
        except acts.SwapError as error:
            row["disagrees"] = str(error)
        acts.restore(model)
    row["restored"] = (
        all(map(torch.equal, outputs, _outputs(model, example)))
        and list(model.state_dict()) == keys
        and all(a is b for a, b in zip(model.modules(), modules, strict=True))
    )
    return row


def _noted(model: nn.Module, notes: list[str]) -> set[str]:
    """Return the paths of the modules of classes that a note names: only a run shows what they apply."""
    classes = {note.partition(": ")[0] for note in notes if "example_input=" in note}
    return {path for path, module in model.named_modules() if type_name(base_of(type(module))) in classes}


def _compared(
    sites: list[acts.Site], guessed: list[acts.Site], why: dict[str, str], noted: set[str]
) -> dict[str, list[str]]:
    """Return what is said of each site without an example where that is not what is said with one."""
    known = {site.path: site for site in sites}
    # What a call is named may differ, as where its function is looked up by name.
    places = {site.location: site.path for site in sites if site.location}
    found: dict[str, list[str]] = {"doubt": [], "differing": []}
    for site in guessed:
        other = known.pop(site.path, None) or known.pop(places.get(site.location or "", ""), None)
        if other is None or (site.role, site.activation) != (other.role, other.activation):
            doubt = site.reason.startswith("in doubt") or "example_input=" in why.get(site.path, "")
            found["doubt" if doubt else "differing"].append(
                f"{site.path}: {_said(site)}, with an example {_said(other)}"
            )
    for site in known.values():
        found["doubt" if _owner(site)[0] in noted else "differing"].append(
            f"{site.path}: not found, with an example {_said(site)}"
        )
    return found


def _said(site: acts.Site | None) -> str:
    return f"{site.activation} as {site.role} ({site.reason})" if site else "not found"


def _bare(activation: str) -> str:
    return activation.partition("(")[0]


def _outputs(model: nn.Module, batch: Any) -> list[Tensor]:
    example = Example(model, batch)
    example.count(())
    return [torch.nan_to_num(leaf) for leaf in example.returned]


class _Watcher:
    """Watcher that takes a census of each pass."""

    def __init__(self, model: nn.Module, sites: dict[nn.Module, str]) -> None:
        self.taken: list[Census] = []
        self._model, self._sites = model, sites

    def look(self, forward: Callable[[], Any], training: bool) -> Any:
        census = Census(self._model, self._sites)
        with census:
            returned = forward()
        self.taken.append(census)
        return returned


def _executed(model: nn.Module, batch: Any, sites: dict[nn.Module, str]) -> dict[tuple[str, str, str], int]:
    """Return how often each activation runs, in eval and train mode together: by module, name, and last place."""
    found: dict[tuple[str, str, str], int] = {}
    for census in Example(model, batch).watch(lambda: _Watcher(model, sites)).taken:
        for path, operations in census.operations.items():
            activations = census.activations(path)
            # F.cross_entropy is a log_softmax too; a loss is no part of the model.
            activations["log_softmax"] -= operations["nll_loss_forward"] + operations["nll_loss2d_forward"]
            for name, count in (+activations).items():
                key = path, name, census.places[path, name]
                found[key] = found.get(key, 0) + count
    return found


def _unseen(executed: dict[tuple[str, str, str], int], left: Iterable[acts.Site], replaced: set[str]) -> list[str]:
    """Activations that run outside the replacements, and where no site was reported as left alone."""
    modules = {path for site in left if site.kind == "module" for path in site.paths}
    places = {site.location for site in left}
    owners: dict[str, set[str]] = {}
    for site in left:
        owner, function = _owner(site)
        owners.setdefault(owner, set()).update((_bare(site.activation), function))
    return [
        f"{path}: {name} ({count} times, {place})"
        for (path, name, place), count in executed.items()
        if path not in replaced
        and place not in places
        and not any(path == module or path.startswith(f"{module}.") for module in modules)
        and _bare(name) not in owners.get(path, set())
    ]


def _owner(site: acts.Site) -> tuple[str, str]:
    """Return the path of the module that has a site which is no module, and the function that it calls."""
    if site.kind == "attribute":
        return site.path.rpartition(".")[0], ""
    # owner/function/number, owner/function where it is within a kernel
    owner, _, function = re.sub(r"/\d+$", "", site.path).rpartition("/")
    return owner, function


def _in_a_process(name: str, seconds: float, gigabytes: float) -> dict[str, Any]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, gigabytes, sender))
    start = time.monotonic()
    process.start()
    sender.close()
    row: dict[str, Any] = {"name": name, "error": f"not done within {seconds:.0f} s"}
    if receiver.poll(seconds):
        try:
            row = receiver.recv()
        except EOFError:
            row["error"] = "the process ended: probably out of memory"
    process.kill()
    process.join()
    return {**row, "seconds": round(time.monotonic() - start, 1)}


def _child(name: str, gigabytes: float, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(gigabytes * 2**30),) * 2)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        row = measure(name)
    except Exception as error:
        row = {"name": name, "error": f"{type(error).__name__}: {error}"[:500]}
    sender.send(row)


def _cached() -> dict[str, dict[str, Any]]:
    lines = CACHE.read_text().splitlines() if CACHE.exists() else []
    return {row["name"]: row for row in map(json.loads, lines)}


def versions() -> str:
    """Return the versions of the packages whose models are measured."""
    import timm
    import torchvision
    import transformers

    return ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, torchvision, timm, transformers))


def write(rows: list[dict[str, Any]], command: str) -> None:
    """Write the page."""
    measured = [row for row in rows if "error" not in row]
    lines = [
        "# Coverage",
        "",
        f"Written by `{command}` on {date.today()} with {versions()}, Python {platform.python_version()}, on a CPU.",
        "",
        "Every hidden activation of each model is swapped for one that the model does not use. Sites are counted by kind and "
        "role as `find` reports them. *Observer* counts the executed ATen operations module by module, in eval and in train "
        "mode, before and after, and shares no code with `find`: it agrees if nothing but the replacements and the sites that "
        "the report left alone executes an activation, and if `verify` holds. What it sees beyond the report counts as a "
        "hidden site that was not swapped. *Restored*: outputs are equal to the bit, and the modules are the same objects.",
        "",
        "| | models | hidden sites | swapped | share | observer agrees | restored |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for group in [*dict.fromkeys(row["name"].split(":")[0] for row in rows), None]:
        part = [row for row in measured if group in (None, row["name"].split(":")[0])]
        there = sum(_hidden(row) for row in part)
        done = sum(row["swapped"] for row in part)
        lines.append(
            f"| {group or '**all**'} | {len(part)} | {there} | {done} | {_share(done, there)} "
            f"| {sum(_agrees(row) for row in part)} | {sum(map(_restored, part))} |"
        )
    lines += [
        "",
        "| model | sites by kind and role | hidden | swapped | share | observer | restored |",
        "|---|---|---:|---:|---:|---|---|",
        *(_line(row) for row in measured if "without" not in row),
    ]
    packages = [row for row in measured if "without" in row]
    lines += _packages(packages) if packages else []
    lines += ["", "## Exceptions", ""]
    for row in measured:
        texts = _exceptions(row)
        lines += [f"- **{row['name']}**: {'; '.join(texts)}"] if texts else []
    others: Counter[str] = Counter()
    for row in measured:
        others.update(row["others"])
    lines += ["", "## Sites that are not hidden", "", "| activation | role | reason | sites |", "|---|---|---|---:|"]
    lines += [f"| {kind} | {count} |" for kind, count in others.most_common()]
    failed = [row for row in rows if "error" in row]
    lines += ["", "## Not measured", ""] if failed else []
    lines += [f"- **{row['name']}**: {row['error']}" for row in failed]
    # Where packages and the project lie on this machine is nobody's concern.
    text = re.sub(r"[^\s`(]*/site-packages/", "", "\n".join(lines))
    for place in (PROJECT, *filter(None, sys.path)):
        text = text.replace(f"{place}{os.sep}", "")
    PAGE.write_text(f"{text}\n", encoding="utf-8")


def _line(row: dict[str, Any]) -> str:
    sites = ", ".join(f"{count} {kind}" for kind, count in sorted(row["sites"].items()))
    return (
        f"| {row['name']} | {sites} | {_hidden(row)} | {row['swapped']} | {_share(row['swapped'], _hidden(row))} "
        f"| {_word(row)} | {'yes' if _restored(row) else 'no'} |"
    )


def _packages(rows: list[dict[str, Any]]) -> list[str]:
    """Return the part of the page on models of packages, which are measured without an example too."""
    versions = dict.fromkeys(f"{package_models.distribution(row['name'])} {row['version']}" for row in rows)
    lines = [
        "",
        "## Packages",
        "",
        f"Installed by name from PyPI: {', '.join(versions)}.",
        "",
        "*Without an example*: what a swap does that is given the model alone. Sites that it swapped / sites that it left "
        "since only a run tells their role, which it calls in doubt / sites that have another role than with an example, or "
        "that are found in one of both ways only; then what the observer says of a run of that swapped model.",
        "",
        "| model | sites by kind and role | hidden | swapped | share | observer | restored | without an example | observer |",
        "|---|---|---:|---:|---:|---|---|---:|---|",
    ]
    for row in rows:
        without = row["without"]
        counts = without["swapped"], len(without["doubt"]), len(without["differing"])
        lines.append(f"{_line(row)} {' / '.join(map(str, counts))} | {_word(without)} |")
    return lines


def _exceptions(row: dict[str, Any]) -> list[str]:
    # Where nothing was swapped, the refusal has the reasons.
    reasons = Counter(": ".join(filter(None, (f"{s['activation']} ({s['kind']})", s["why"]))) for s in row["left"])
    texts = [f"{count} x {reason}" for reason, count in reasons.items()]
    texts += [f"seen by the observer alone: {place}" for place in row["unseen"][:8]]
    texts += [f"and {len(row['unseen']) - 8} more" for _ in row["unseen"][8:9]]
    texts += [row[key] for key in ("refused", "disagrees") if key in row]
    if without := row.get("without"):
        differing = Counter(text.partition(": ")[2] for text in without["differing"])
        guesses = [*_exceptions(without), *(f"{count} x {text}" for text, count in differing.items())]
        texts += [f"without an example: {'; '.join(guesses)}"] if guesses else []
    return texts


def _hidden(row: dict[str, Any]) -> int:
    return int(row["hidden"]) + len(row["unseen"])


def _word(row: dict[str, Any]) -> str:
    return "agrees" if _agrees(row) else "disagrees"


def _agrees(row: dict[str, Any]) -> bool:
    return not row["unseen"] and "disagrees" not in row


def _restored(row: dict[str, Any]) -> bool:
    return bool(row["restored"] and row.get("without", row)["restored"])


def _share(part: int, whole: int) -> str:
    # Rounded down: 100 % is all.
    return f"{math.floor(1000 * part / whole) / 10:.1f} %" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="globs on names such as 'timm:*'; all if none is given")
    parser.add_argument("--again", action="store_true", help="measure what is in the cache again")
    parser.add_argument("--jobs", type=int, default=1, help="models that are measured at a time")
    parser.add_argument("--seconds", type=float, default=900, help="limit for a model")
    parser.add_argument("--gigabytes", type=float, default=16, help="limit for a model")
    arguments = parser.parse_args()
    globs = arguments.models or ["*"]
    chosen = [name for name in MODELS if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]
    done = _cached()
    CACHE.parent.mkdir(exist_ok=True)
    missing = [name for name in chosen if arguments.again or name not in done or "error" in done[name]]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        waiting = [pool.submit(_in_a_process, name, arguments.seconds, arguments.gigabytes) for name in missing]
        for number, future in enumerate(as_completed(waiting), 1):
            row = future.result()
            done[row["name"]] = row
            with CACHE.open("a") as cache:
                cache.write(json.dumps(row) + "\n")
            result = row.get("error")
            result = result or f"{row['swapped']} of {_hidden(row)}, {_word(row)}"
            print(f"{number}/{len(missing)} {row['name']}: {result} ({row['seconds']} s)", flush=True)
    names = {**COLLECTION, **package_models.ALL}
    write([done[name] for name in names if name in done], " ".join(["scripts/make_coverage.py", *arguments.models]))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
