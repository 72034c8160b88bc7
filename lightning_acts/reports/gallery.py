"""All activations on one page, made from the registry alone: HTML to look them up in, Markdown for the docs."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

import numpy
import torch
from torch import Tensor

from lightning_acts import catalogue
from lightning_acts.catalogue import Info
from lightning_acts.definition import REQUIRED, Definition
from lightning_acts.errors import ActsError
from lightning_acts.files import write_whole
from lightning_acts.formula import FormulaError, parse, to_mathml
from lightning_acts.measuring import Measured
from lightning_acts.registry import DEFINITIONS
from lightning_acts.reports.curves import Breaks, curve_of, grid, pieces
from lightning_acts.reports.pages import is_ours, written


class GalleryError(ActsError, FileExistsError):
    """The page would take the place of a file that is not ours."""


_GENERATED = "Generated from the registry; not to be edited."
_INDEX_COMMAND = "lightning-acts gallery --index docs/activations.md"
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7})")
_COSTS = ("arithmetic", "one transcendental", "several transcendentals")
_TAKES = {
    "normalizing": "Takes all values along a dimension, returns the same shape.",
    "gated": "Takes parts of its input as gates, returns another shape.",
    "mixing": "Looks at several channels or positions, returns the same shape.",
    "transfer": "A layer with weights of its own.",
}


def write_gallery(out: str | os.PathLike[str]) -> Path:
    """Write ``index.html``: every registered activation with its curve, formula and facts, to search and to filter.

    The page needs nothing but itself: no network, no other file, and JavaScript for the search only.

    Args:
        out: The folder of the page; made if it does not exist. A page that was written before is replaced.

    Returns:
        The path of the page.

    Raises:
        GalleryError: ``out`` is a file, or holds an ``index.html`` that is not one of ours.

    Example:
        ``write_gallery("gallery")`` writes ``gallery/index.html``.
    """
    folder = Path(out)
    path = folder / "index.html"
    if folder.exists() and not folder.is_dir():
        raise GalleryError(f"{folder} is a file: the gallery needs a folder")
    if path.exists() and not is_ours(path):
        raise GalleryError(f"{path} is not a gallery, and is not overwritten: choose another folder")
    definitions = [catalogue.info(name) for name in catalogue.names()]
    page = written(
        "gallery.html",
        count=len(definitions),
        families=_options(definition.family for definition in definitions),
        kinds=_options(definition.kind for definition in definitions),
        grid=_Plot.across(),
        cards="\n".join(map(_card, definitions)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)
    return path


def write_index(path: str | os.PathLike[str]) -> Path:
    """Write the docs' page of the activations that ship: a table in Markdown for each family.

    Args:
        path: The file. A page that was written before is replaced.

    Returns:
        Its path.

    Raises:
        GalleryError: There is another file of this name.

    Example:
        ``write_index("docs/activations.md")``
    """
    target = Path(path)
    if target.exists() and not (target.is_file() and _GENERATED in target.read_text(encoding="utf-8")):
        raise GalleryError(f"{target} is no such table, and is not overwritten: choose another file")
    definitions = [catalogue.info(name) for name in catalogue.names()]
    shipped = sorted((each for each in definitions if each.family != "user"), key=lambda each: (each.family, each.name))
    lines = [
        "# Activations",
        "",
        f"{_GENERATED} `{_INDEX_COMMAND}` writes it anew.",
        "",
        "All facts are measured at the default parameters. The gain is what weights are scaled by to keep the second moment",
        "of a standard normal signal; learnable parameters take `per=layer` or `per=channel` too. *unstable*: no gain keeps it over many layers, see [the guide](choosing.md).",
    ]
    for family, members in groupby(shipped, key=lambda each: each.family):
        lines += [
            "",
            f"## {_plain(family.replace('_', ' ')).capitalize()}",
            "",
            "| name | aliases | formula | parameters | range | monotone | smoothness | gain | source |",
            "|---|---|---|---|---|---|---|---|---|",
            *map(_table_row, members),
        ]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, "\n".join(lines) + "\n")
    return target


def _card(definition: Info) -> str:
    name, measured = definition.name, definition.measured
    others = ", ".join((*definition.aliases, *definition.variants))
    properties = "".join(f"<li>{escape(each)}</li>" for each in _properties(definition))
    facts = "".join(f"<dt>{escape(label)}</dt><dd>{value}</dd>" for label, value in _facts(definition).items())
    # About the width of the formula: cases stand below each other.
    long = " long" if max(map(len, (definition.formula or "").split("where("))) > 42 else ""
    required = [parameter.name for parameter in definition.parameters if parameter.default is REQUIRED]
    call = f'acts.create("{name}"{"".join(f", {parameter}=..." for parameter in required)})'
    return "\n".join(
        [
            f'<article class="card" id="{escape(name)}" {_data(definition)}>',
            f'<header><h2><a class="sought" href="#{escape(name)}">{escape(name)}</a></h2>',
            f'<span class="year">{definition.year or ""}</span></header>',
            f'<p class="about">{escape(definition.family.replace("_", " "))}{" · " if others else ""}'
            f'<span class="others sought">{escape(others)}</span></p>',
            _picture(definition, measured),
            f'<div class="formula{long}">{_formula(definition)}</div>',
            f'<ul class="properties" aria-label="Properties">{properties}</ul>',
            f'<p class="source sought">{_linked(definition.source or "no source")}</p>',
            f'<details><summary>Facts<span class="unseen"> about {escape(name)}</span></summary>',
            f'<p class="call"><code>{escape(call)}</code> <button type="button" class="copy" hidden>Copy</button></p>',
            f"<dl>{facts}</dl></details>",
            "</article>",
        ]
    )


def _data(definition: Info) -> str:
    """Return what the filters and the order of the page ask for."""
    measured = definition.measured
    holds = {
        "bounded": measured and measured.bounded,
        "smooth": measured and measured.smooth,
        "zero-centered": measured and measured.zero_centered,
        "no-exponential": measured and not measured.needs_exp,
        "stable": measured and measured.stability == "stable",
    }
    data = {
        "family": definition.family,
        "kind": definition.kind,
        "learnable": "yes" if definition.learnable else "no",
        "year": str(definition.year or ""),
        "cost": str(_COSTS.index(measured.cost)) if measured else "",
        "operations": str(len(measured.operations)) if measured else "",
        "monotone": _monotone(measured) if measured else "",
        "is": " ".join(key for key, does in holds.items() if does),
    }
    return " ".join(f'data-{key}="{escape(value)}"' for key, value in data.items())


def _monotone(measured: Measured) -> str:
    return "increasing" if measured.monotone else "decreasing" if measured.decreasing else "no"


def _properties(definition: Info) -> list[str]:
    measured = definition.measured
    found: list[str] = [] if definition.kind == "elementwise" else [definition.kind]
    if measured:
        monotone = _monotone(measured)
        found += [
            "not monotone" if monotone == "no" else monotone,
            *(["bounded"] if measured.bounded else []),
            "smooth" if measured.smooth else "jumps" if measured.jumps else "kinked",
            *(["zero-centered"] if measured.zero_centered else []),
            measured.cost,
        ]
    found += ["learnable"] if definition.learnable else []
    found += ["random in training"] if definition.stochastic else []
    return found


def _facts(definition: Info) -> dict[str, str]:
    """Return the facts as HTML."""
    module = definition.module_class
    pinned: dict[str, list[str]] = {}
    for name, values in definition.variants.items():
        pinned.setdefault(", ".join(f"{key}={value!r}" for key, value in values.items()), []).append(name)
    variants = (f"{', '.join(names)} ({values})" for values, names in pinned.items())
    facts = {
        "in code": f"<code>{escape(definition.formula)}</code>" if definition.formula else "",
        "aliases": escape(", ".join(definition.aliases)),
        "variants": _listed(variants),
        "parameters": _listed(map(str, definition.parameters)),
        "allowed": _listed(definition.requires),
        "kind": escape(definition.kind),
        "module": f"<code>torch.nn.{module.__name__}</code>" if module and _is_torchs(module) else "",
        "recommended for": f'<span class="sought">{_linked(definition.claim or "")}</span>' if definition.claim else "",
        "used in": f'<span class="sought">{escape(", ".join(definition.used_in))}</span>' if definition.used_in else "",
        "same curve": ", ".join(map(_link, definition.related)),
        "notes": _listed(definition.notes, "sought"),
        "limits": _listed(f"{what}: {reason}" for what, reason in definition.limits.items()),
        **{
            label: escape(value) for label, value in (definition.measured.rows() if definition.measured else {}).items()
        },
    }
    return {label: value for label, value in facts.items() if value}


def _is_torchs(module: type) -> bool:
    return module.__module__.startswith("torch.nn.")


def _link(name: str) -> str:
    found = DEFINITIONS.get(name)
    return f'<a href="#{escape(found.name)}">{escape(name)}</a>' if found else escape(name)


def _listed(texts: Iterable[str], style: str = "") -> str:
    entries = [f"<li>{_linked(text)}</li>" for text in texts]
    opening = f'<ul class="{style}">' if style else "<ul>"
    return f"{opening}{''.join(entries)}</ul>" if entries else ""


def _linked(text: str) -> str:
    """Escaped, with links to the papers that it names."""
    return _ARXIV.sub(r'<a href="https://arxiv.org/abs/\1" rel="noreferrer">arXiv:\1</a>', escape(text))


def _formula(definition: Definition) -> str:
    if definition.formula is None:
        return "<p>no formula</p>"
    try:
        parse(definition.formula)
    except FormulaError:  # in words, which wrap
        return f"<code>{escape(definition.formula)}</code>"
    return to_mathml(definition.formula)


def _options(values: Iterable[str]) -> str:
    return "".join(
        f'<option value="{escape(value)}">{escape(value.replace("_", " "))}</option>' for value in sorted(set(values))
    )


def _picture(definition: Definition, measured: Measured | None) -> str:
    if definition.kind != "elementwise":
        return f'<p class="takes">{_TAKES.get(definition.kind, "")}</p>'
    try:
        return _Plot.of(definition.name, measured).svg()
    except Exception as error:  # whatever a user's function does, the others have their cards
        return f'<p class="takes">No curve: {escape(str(error))}</p>'


@dataclass(frozen=True)
class _Plot:
    """A curve as SVG: its value and derivative on pieces between which they jump, and the heights that are shown."""

    name: str
    values: Sequence[tuple[Tensor, Tensor]]
    slopes: Sequence[tuple[Tensor, Tensor]]
    low: float
    high: float

    #: In the units of the picture: the frame of the curve, and the length of 1 on the x axis.
    left, top, width, height, unit, end = 34, 6, 300, 172, 30, 5
    #: Points are evaluated this close together, so that fast waves are seen; those that a straight line joins are
    #: drawn this far apart.
    fine, coarse = 1600, 16

    @classmethod
    def of(cls, name: str, measured: Measured | None) -> _Plot:
        """Return the plot of a registered activation at its defaults."""
        breaks = Breaks.of(measured) if measured else Breaks()
        x = grid(breaks.derivative, -cls.end, cls.end, cls.fine)
        curve = curve_of(name, x)
        slope = torch.full_like(x, torch.nan) if curve.derivative is None else curve.derivative
        low, high = _heights(x, curve.y, slope)
        return cls(name, pieces(x, curve.y, breaks.value), pieces(x, slope, breaks.derivative), low, high)

    def svg(self) -> str:
        """Return the picture."""
        step = _tick_step(self.high - self.low)
        ticks = [step * i for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]
        lines = "".join(f"M{self.left} {self._y(tick) + self.top:.1f}h{self.width}" for tick in ticks if tick)
        labels = "".join(
            f'<text x="{self.left - 5}" y="{self._y(tick) + self.top + 3.5:.1f}">{_number(tick)}</text>'
            for tick in ticks
        )
        frame = f'x="{self.left}" y="{self.top}" width="{self.width}" height="{self.height}"'
        return (
            f'<svg class="plot" viewBox="0 0 340 196" role="img" aria-label="Curve of {escape(self.name)}, and its '
            f'derivative"><use href="#ui-grid"/><path class="grid" d="{lines}"/>'
            f'<path class="axis" d="M{self.left} {self._y(0) + self.top:.1f}h{self.width}"/>'
            f'<g class="ticks">{labels}</g><svg {frame}><path class="slope" d="{self._path(self.slopes)}"/>'
            f'<path class="value" d="{self._path(self.values)}"/></svg></svg>'
        )

    @classmethod
    def across(cls) -> str:
        """Return what all pictures share: the y axis, the lines beside it, their numbers."""
        ticks = range(-4, 5, 2)
        at = {tick: cls.left + (tick + cls.end) * cls.unit for tick in ticks}
        bottom = cls.top + cls.height
        labels = "".join(f'<text x="{at[tick]}" y="{bottom + 14}">{_number(tick)}</text>' for tick in ticks)
        lines = "".join(f"M{at[tick]} {cls.top}V{bottom}" for tick in ticks if tick)
        return (
            f'<path class="grid" d="{lines}"/><path class="axis" d="M{at[0]} {cls.top}V{bottom}"/>'
            f'<g class="ticks across">{labels}</g>'
        )

    def _y(self, value: float) -> float:
        return (self.high - value) / (self.high - self.low) * self.height

    def _path(self, pieces: Sequence[tuple[Tensor, Tensor]]) -> str:
        # What lies far outside is cut off; numbers as large as these would make the page large too.
        span = self.high - self.low
        drawn = []
        for x, y in pieces:
            inside = y.clamp(self.low - span, self.high + span)
            kept = _needed(x, inside, self.coarse, tolerance=0.3 * span / self.height)
            points = zip(x[kept].tolist(), inside[kept].tolist(), strict=True)
            drawn.append(
                "M" + " ".join(f"{_short((at + self.end) * self.unit)} {_short(self._y(y))}" for at, y in points)
            )
        return "".join(drawn)


def _needed(x: Tensor, y: Tensor, step: int, tolerance: float) -> Tensor:
    """Choose the points to draw: each ``step``-th, and all between two of these where the curve leaves their chord."""
    some = sorted({*range(0, len(x), step), len(x) - 1})
    chord = torch.from_numpy(numpy.interp(x.numpy(), x[some].numpy(), y[some].numpy()))
    interval = torch.searchsorted(x[some], x, right=True)
    needed = torch.isin(interval, interval[(y - chord).abs() > tolerance])
    needed[some] = True
    return needed


def _heights(x: Tensor, y: Tensor, slope: Tensor) -> tuple[float, float]:
    """Lower and upper end of what is shown: the values, up to 5 or what they are near 0, and derivatives near them."""
    values, slopes = (each.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0) for each in (y, slope))
    most = max(5.0, values[x.abs() <= 1].abs().quantile(0.9).item())  # whatever a pole does
    low, high = min(0.0, max(-most, values.min().item())), max(0.0, min(most, values.max().item()))
    span = high - low or 1.0
    low, high = max(low - span, min(low, slopes.min().item())), min(high + span, max(high, slopes.max().item()))
    margin = max(0.06 * (high - low), 0.05)  # a curve that is all but 0 is drawn as 0
    return low - margin, high + margin


def _tick_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that 2 to 5 ticks fit."""
    most = span / 2.2
    power = 10.0 ** math.floor(math.log10(most))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= most)


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "&minus;")


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _table_row(definition: Info) -> str:
    facts = definition.measured.rows() if definition.measured else {}
    names = (*definition.aliases, *definition.variants)
    cells = [
        _code(definition.name),
        ", ".join(map(_code, names)),
        _code(definition.formula) if definition.formula else "",
        _plain(", ".join(str(each) for each in definition.parameters if each.name not in ("num_parameters", "per"))),
        _plain(facts.get("range", "")),
        _plain(facts.get("monotone", "")),
        _plain(definition.measured.smoothness if definition.measured else ""),
        _gain(definition.measured) if definition.measured else "",
        _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", _plain(definition.source or "")),
    ]
    return f"| {' | '.join(cells)} |"


def _gain(measured: Measured) -> str:
    return "none" if measured.forward_gain is None else f"{measured.forward_gain:.4g}, {measured.stability}"


def _plain(text: str) -> str:
    """``text`` so that Markdown shows it as it is, in a cell of a table."""
    return re.sub(r"([\\`*_\[|<~]|&(?=#?\w+;))", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}".replace("|", r"\|")
