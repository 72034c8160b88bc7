"""Verbs about configs: cat, cp, validate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightning_acts.cli import completion
from lightning_acts.cli.arguments import ConfigArguments, Folders, Json
from lightning_acts.runs.config import split_arguments
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import ConfigError, Problem

if TYPE_CHECKING:
    from lightning_acts.runs.checking import Checked
    from lightning_acts.runs.config import Config


def cat(
    config: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONFIG... [KEY=VALUE...]",
            help="names or paths of configs, then overrides such as seed=1",
            autocompletion=completion.configs,
        ),
    ] = None,
    config_dir: Folders = None,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of configs, for editors")] = False,
    as_json: Json = False,
) -> None:
    """Show the resolved config, and where each value comes from.

    `lightning-acts cat digits trainer.max_epochs=3` · `lightning-acts cat --schema > schema.json`
    """
    if schema:
        from lightning_acts.runs.checking import json_schema

        typer.echo(json.dumps(json_schema(), indent=2))
        return
    if not config:
        raise ConfigError(Problem(None, "cat needs a config: lightning-acts cat digits"))
    from lightning_acts.runs.config import with_comments

    loaded = load_config(config, config_dir or [])
    typer.echo(json.dumps(loaded.data, indent=2) if as_json else with_comments(loaded), nl=as_json)


def cp(
    name: Annotated[str, typer.Argument(help="name of a shipped config", autocompletion=completion.configs)],
    dest: Annotated[Path, typer.Argument(help="file or folder to copy to")] = Path(),
) -> None:
    """Copy a shipped config to customize it.

    `lightning-acts cp digits mine.yaml`
    """
    from lightning_acts.runs.config import find_config

    source = find_config(name)
    target = dest / source.name if dest.is_dir() else dest
    try:
        with target.open("x", encoding="utf-8") as file, source.open(encoding="utf-8") as original:
            shutil.copyfileobj(original, file)
    except FileExistsError:
        raise ConfigError(Problem(None, f"{target} exists and is not overwritten")) from None
    except OSError as error:
        raise ConfigError(Problem(None, f"{target} can't be written: {error.strerror}")) from None
    typer.echo(target)


def validate(config: ConfigArguments, config_dir: Folders = None) -> None:
    """Check a config without building anything, and report every problem at once.

    `lightning-acts validate mine.yaml`
    """
    checked = check_arguments(config, config_dir or [])
    if "search" in checked.config.data:
        from lightning_acts.studies.plan import plan_checked

        plan_checked(checked, *split_arguments(config), config_dir or [])
    typer.echo(f"{checked.config.name}: all is well")


def load_config(arguments: Sequence[str], folders: Sequence[Path]) -> Config:
    """Load the config that names, paths and overrides describe."""
    config, problems = _collected(arguments, folders)
    if problems:
        raise ConfigError(*problems)
    return config


def check_arguments(arguments: Sequence[str], folders: Sequence[Path]) -> Checked:
    """Load and check the config that arguments describe, reporting every problem at once."""
    return check_loaded(*_collected(arguments, folders))


def check_loaded(config: Config, problems: Sequence[Problem] = ()) -> Checked:
    """Check a config; its classes may be in the current folder."""
    import_from_here()
    from lightning_acts.runs.checking import check_config

    return check_config(config, problems)


def _collected(arguments: Sequence[str], folders: Sequence[Path]) -> tuple[Config, list[Problem]]:
    from lightning_acts.runs.config import collect

    return collect(*split_arguments(arguments), folders)
