"""Verbs about activations: show, compare, check, gallery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lightning_acts.cli import completion
from lightning_acts.cli.arguments import Json
from lightning_acts.hints import counted
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import ConfigError, Problem


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="an activation, with parameters if you like: elu(alpha=0.5)", autocompletion=completion.activations
        ),
    ],
    picture: Annotated[Path | None, typer.Option(help="write a picture of it to this file")] = None,
    as_json: Json = False,
) -> None:
    """Show facts about an activation, its formula and its curve.

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
    names: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="two or more activations", autocompletion=completion.activations),
    ],
    out: Annotated[Path, typer.Option(help="picture to write")] = Path("compare.png"),
) -> None:
    """Compare activations with the first one, in value and derivatives, and plot all of them.

    `lightning-acts compare silu hardswish mish --out swishes.png`
    """
    from lightning_acts.factory import resolve
    from lightning_acts.reports.comparison import compare as compared
    from lightning_acts.reports.pictures import plot_activations

    first, *others = (resolve(_activation(name)) for name in names)
    if not others:
        raise ConfigError(Problem(None, "compare needs at least two activations: lightning-acts compare silu mish"))
    for comparison in [compared(other, against=first) for other in others]:
        typer.echo(str(comparison))
    typer.echo(f"picture: {plot_activations([first, *others], out)}")


def check(
    name: Annotated[
        str, typer.Argument(help="an activation, or package.module:function", autocompletion=completion.activations)
    ],
    deployed: Annotated[bool, typer.Option("--deployed", help="check with Inductor and ONNX Runtime too")] = False,
    as_json: Json = False,
) -> None:
    """Run the tests that our own activations pass on any activation: accuracy in every dtype, behavior throughout torch.

    `lightning-acts check mish` · `lightning-acts check my_package.my_module:my_activation --deployed`
    """
    from lightning_acts.catalogue import info
    from lightning_acts.checks import deployment
    from lightning_acts.checks.running import check_activation
    from lightning_acts.factory import resolve_pattern

    spec = resolve_pattern(_activation(name))
    definition = info(spec)
    typer.echo(f"checking {definition.name}; this takes a few seconds", err=True)
    for what in deployment.CHECKS if deployed else ():
        if (needed := deployment.missing(what)) is not None:
            typer.echo(f"{what} is not checked: it needs {needed}", err=True)
    defects = check_activation(definition, spec.parameters, deployed=deployed)
    if as_json:
        found = [{"check": defect.check, "what": defect.what} for defect in defects]
        typer.echo(json.dumps({"name": definition.name, "defects": found, "limits": dict(definition.limits)}, indent=2))
    else:
        for what, reason in definition.limits.items():
            typer.echo(f"declared limit: {what}: {reason}")
        for defect in defects:
            typer.echo(f"defect: {defect}")
        typer.echo(f"{definition.name}: {counted(len(defects), 'defect') if defects else 'no defects'}")
    if defects:
        raise typer.Exit(1)


def gallery(
    out: Annotated[Path, typer.Option(help="folder for the page")] = Path("gallery"),
    index: Annotated[
        Path | None, typer.Option(help="write a table in Markdown to this file instead", metavar="FILE.md")
    ] = None,
) -> None:
    """Write one page with the curves, formulas and facts of all activations, to search and filter offline.

    `lightning-acts gallery --out gallery` · `lightning-acts gallery --index docs/activations.md`
    """
    from lightning_acts.reports.gallery import write_gallery, write_index

    typer.echo(f"page: {write_gallery(out) if index is None else write_index(index)}")


def _activation(name: str) -> str:
    """Return a spec as it is; for an import path, the name of the registered activation it leads to."""
    path, colon, attribute = name.partition(":")
    if not colon or "(" in path:
        return name
    from lightning_acts.factory import resolve
    from lightning_acts.models import imported

    import_from_here()
    return str(resolve(imported(path, attribute)))
