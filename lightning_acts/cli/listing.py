"""The verb ls, and the lists it shows."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lightning_acts.cli.arguments import Folders, Json
from lightning_acts.runs.reading import ConfigError, Problem


def ls(
    what: Annotated[str, typer.Argument(help="configs, activations, models or data")] = "configs",
    pattern: Annotated[str, typer.Argument(metavar="[GLOB]", help="only names that match")] = "*",
    family: Annotated[str | None, typer.Option(help="only activations of this family")] = None,
    kind: Annotated[str | None, typer.Option(help="elementwise, normalizing, gated, mixing or transfer")] = None,
    learnable: Annotated[bool | None, typer.Option(help="has trained parameters")] = None,
    stochastic: Annotated[bool | None, typer.Option(help="random in training")] = None,
    monotone: Annotated[bool | None, typer.Option(help="never decreasing")] = None,
    bounded: Annotated[bool | None, typer.Option(help="bounded on both sides")] = None,
    smooth: Annotated[bool | None, typer.Option(help="continuously differentiable")] = None,
    zero_centered: Annotated[bool | None, typer.Option(help="mean 0 for a standard normal input")] = None,
    needs_exp: Annotated[bool | None, typer.Option(help="computed with exponentials")] = None,
    stability: Annotated[
        str | None, typer.Option(help="variance in deep networks: stable, marginal or unstable")
    ] = None,
    config_dir: Folders = None,
    as_json: Json = False,
) -> None:
    """List configs, activations, models or data.

    `lightning-acts ls activations "*elu" --smooth` · `lightning-acts ls models "torchvision:*net*"`
    """
    filters = {
        "family": family,
        "kind": kind,
        "learnable": learnable,
        "stochastic": stochastic,
        "monotone": monotone,
        "bounded": bounded,
        "smooth": smooth,
        "zero_centered": zero_centered,
        "needs_exp": needs_exp,
        "stability": stability,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    if given and what != "activations":
        option = next(iter(given)).replace("_", "-")
        raise ConfigError(Problem(None, f"--{option} is for activations: lightning-acts ls activations --{option} ..."))
    there = listed(what, config_dir or [], given)
    found = {name: about for name, about in there.items() if fnmatch.fnmatchcase(name, pattern)}
    if not found:
        raise ConfigError(Problem(None, f"none of the {len(there)} {what} matches {pattern!r}"))
    if as_json:
        typer.echo(json.dumps([{"name": name, "about": about} for name, about in found.items()], indent=2))
        return
    width = max(map(len, found))
    for name, about in found.items():
        typer.echo(f"{name:<{width}}  {about}".rstrip())


def listed(what: str, folders: Sequence[Path], filters: dict[str, Any]) -> dict[str, str]:
    """Return the names of one kind, each with a short description."""
    from lightning_acts.hints import did_you_mean

    if what == "configs":
        from lightning_acts.runs.config import first_comment, named

        return {name: first_comment(path) for name, path in named(folders).items()}
    if what == "activations":
        from lightning_acts.catalogue import info, names

        return {name: info(name).formula or "" for name in names(**filters)}
    if what == "models":
        from lightning_acts.models import model_names

        return dict.fromkeys(model_names(), "")
    if what == "data":
        from lightning_acts.cli.showing import data_modules

        return data_modules()
    kinds = ("configs", "activations", "models", "data")
    raise ConfigError(
        Problem(None, f"there is no list of {what!r}{did_you_mean(what, kinds)} There are: {', '.join(kinds)}")
    )
