"""Verbs about activations: show, compare, check, gallery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lightning_acts.cli.arguments import Json
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import ConfigError, Problem


def show(
    name: Annotated[str, typer.Argument(help="an activation, with parameters if you like: elu(alpha=0.5)")],
    picture: Annotated[Path | None, typer.Option(help="a file for a picture of it")] = None,
    as_json: Json = False,
) -> None:
    """Facts about an activation, its formula and its curve.

    `lightning-acts show mish` · `lightning-acts show "elu(alpha=0.5)" --picture elu.png`
    """
    from lightning_acts.cli.showing import activation_facts, draw_in_terminal
    from lightning_acts.reports.pictures import plot_activations

    activation = _activation(name)
    facts = activation_facts(activation)
    if as_json:
        typer.echo(json.dumps(facts.data, indent=2))
    else:
        typer.echo(facts.text)
        if facts.data["nearest"]:
            typer.echo(f"  {'nearest:':<12}{', '.join(facts.data['nearest'])}")
        draw_in_terminal(activation)
    if picture is not None:
        plot_activations([activation], picture)
        typer.echo(f"picture: {picture}", err=as_json)


def compare(
    names: Annotated[list[str], typer.Argument(metavar="A B...", help="activations")],
    out: Annotated[Path, typer.Option(help="the picture to write")] = Path("compare.png"),
) -> None:
    """How far activations are from the first one, in value and derivatives, and a picture of all of them.

    `lightning-acts compare silu hardswish mish --out swishes.png`
    """
    from lightning_acts.factory import resolve
    from lightning_acts.reports.comparison import compare as compared
    from lightning_acts.reports.pictures import plot_activations

    first, *others = (resolve(_activation(name)) for name in names)
    if not others:
        raise ConfigError(Problem(None, "compare needs two activations at least: lightning-acts compare silu mish"))
    for comparison in [compared(other, against=first) for other in others]:
        typer.echo(str(comparison))
    typer.echo(f"picture: {plot_activations([first, *others], out)}")


def check(
    name: Annotated[str, typer.Argument(help="an activation, or package.module:function")],
    deployed: Annotated[bool, typer.Option("--deployed", help="with Inductor and ONNX Runtime too")] = False,
    as_json: Json = False,
) -> None:
    """The tests that our own activations pass, on any: accuracy in every type, and behaviour in all of torch's uses.

    `lightning-acts check mish` · `lightning-acts check my_package.my_module:my_activation --deployed`
    """
    from lightning_acts.catalogue import info
    from lightning_acts.checks import deployment
    from lightning_acts.checks.running import check as run_checks
    from lightning_acts.factory import resolve_pattern

    spec = resolve_pattern(_activation(name))
    definition = info(spec)
    typer.echo(f"checking {definition.name}, which takes some seconds", err=True)
    for what in deployment.CHECKS if deployed else ():
        if (needed := deployment.missing(what)) is not None:
            typer.echo(f"{what} is not checked: it needs {needed}", err=True)
    defects = run_checks(definition, spec.parameters, deployed=deployed)
    if as_json:
        found = [{"check": defect.check, "what": defect.what} for defect in defects]
        typer.echo(json.dumps({"name": definition.name, "defects": found, "limits": dict(definition.limits)}, indent=2))
    else:
        for what, reason in definition.limits.items():
            typer.echo(f"declared limit: {what}: {reason}")
        for defect in defects:
            typer.echo(f"falls short: {defect}")
        typer.echo(f"{definition.name}: {len(defects)} defects" if defects else f"{definition.name}: without defects")
    if defects:
        raise typer.Exit(1)


def gallery(
    out: Annotated[Path, typer.Option(help="the folder of the page")] = Path("gallery"),
    index: Annotated[
        Path | None, typer.Option(help="a Markdown file: write the table of the docs there instead", metavar="FILE.md")
    ] = None,
) -> None:
    """One page of all activations, to search and to filter: curves, formulas, facts. It needs no network.

    `lightning-acts gallery --out gallery` · `lightning-acts gallery --index docs/activations.md`
    """
    from lightning_acts.reports.gallery import write_gallery, write_index

    typer.echo(f"page: {write_gallery(out) if index is None else write_index(index)}")


def _activation(name: str) -> str:
    """A spec as it is; for an import path the name of the registered activation to which it leads."""
    path, colon, attribute = name.partition(":")
    if not colon or "(" in path:
        return name
    from lightning_acts.factory import resolve
    from lightning_acts.models import imported

    import_from_here()
    return str(resolve(imported(path, attribute)))
