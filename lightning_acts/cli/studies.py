"""Verbs about studies: search."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from lightning_acts.cli.arguments import Common, ConfigArguments, Folders, Json
from lightning_acts.runs.config import split_arguments
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import shown_path


def search(
    context: typer.Context,
    config: ConfigArguments,
    out: Annotated[Path, typer.Option(help="parent folder for the folder of the study")] = Path("studies"),
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="database that workers share; default SQLite in the study's folder"),
    ] = None,
    config_dir: Folders = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the plan and the smallest p-value in reach; write nothing")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find out which activation is best for a config, and how sure that is.

    The same command goes on with an interrupted study, and joins in one that runs.

    `lightning-acts search mine.yaml --dry-run` · `lightning-acts search mine.yaml search.budget.trials=40`
    """
    files, overrides = split_arguments(config)
    import_from_here()
    from lightning_acts.studies.plan import plan
    from lightning_acts.studies.search import Study

    planned = plan(files, overrides, config_dir or [])
    if dry_run:
        typer.echo(planned.in_words())
        return
    board = Study(planned, out, storage, context.ensure_object(Common).modules).run()
    if as_json:
        typer.echo(json.dumps(board.to_dict(), indent=2))
    else:
        board.show()
    typer.echo(f"study: {shown_path(board.folder)}", err=True)
    if board.failed:
        sys.exit(3)
