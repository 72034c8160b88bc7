"""Verbs about runs: train, resume, eval, predict."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightning_acts.cli.arguments import Common, ConfigArguments, Folders, Json, Run
from lightning_acts.cli.configs import check_arguments, check_loaded
from lightning_acts.runs.reading import ConfigError, Problem, shown_path

if TYPE_CHECKING:
    from lightning_acts.runs.config import Config
    from lightning_acts.runs.folder import RunFolder


def train(
    context: typer.Context,
    config: ConfigArguments,
    out: Annotated[Path, typer.Option(help="where folders of runs are made")] = Path("runs"),
    config_dir: Folders = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="build, swap, run one batch of each stage; write nothing")
    ] = False,
    seeds: Annotated[str | None, typer.Option(help="several runs, one after another: 0,1,2")] = None,
    as_json: Json = False,
) -> None:
    """Train, test and draw what a config says; everything is in one folder.

    `lightning-acts train digits` · `lightning-acts train digits swap.0.map.relu=silu trainer.max_epochs=3` ·
    `lightning-acts train mine.yaml --seeds 0,1,2`
    """
    if seeds is not None:
        _train_seeds(config, seeds, out, config_dir or [], as_json, context.ensure_object(Common))
        return
    checked = check_arguments(config, config_dir or [])
    from lightning_acts.runs import training

    if dry_run:
        typer.echo(training.dry_run(checked))
        return
    result = training.train(checked, out, lambda folder: typer.echo(f"run: {folder}", err=True))
    _show_result(result, as_json)


def resume(
    run: Run,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE...]")] = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted, or for longer.

    `lightning-acts resume runs/digits/20261124-120000-mish-s0-1a2b3c trainer.max_epochs=20`
    """
    from lightning_acts.runs.reading import dotted

    folder, old = open_run(run)
    _, new = open_run(run, overrides or [])
    checked = check_loaded(new)
    from lightning_acts.runs import training

    refused = training.refused_changes(old, new)
    if refused:
        raise ConfigError(
            *(
                Problem(new.origin(path), f"{dotted(path)}: a change makes it another run: train again")
                for path in refused
            )
        )
    if folder.status() == "finished" and new.data == old.data:
        epochs = folder.read("status.json").get("epochs")
        typer.echo(f"{folder} is finished, after {epochs} epochs; resume it for longer: trainer.max_epochs=N", err=True)
        return
    typer.echo(f"run: {folder}", err=True)
    _show_result(training.resume(checked, folder), as_json)


def evaluate(run: Run, as_json: Json = False) -> None:
    """The metrics of a run's best checkpoint on the test data; stderr says which that is.

    `lightning-acts eval runs/digits/20261124-120000-mish-s0-1a2b3c --json`
    """
    from lightning_acts.runs import training

    folder, config = open_run(run)
    _say_checkpoint(folder)
    _show_metrics(training.evaluate(check_loaded(config), folder), as_json)


def predict(
    run: Run,
    out: Annotated[Path, typer.Option(help="the file to write: .csv, or .pt for tensors")] = Path("predictions.csv"),
) -> None:
    """Write what a run's best checkpoint predicts for the data module's predict data.

    `lightning-acts predict runs/digits/20261124-120000-mish-s0-1a2b3c --out predictions.csv`
    """
    from lightning_acts.runs import training

    folder, config = open_run(run)
    _say_checkpoint(folder)
    count = training.predict(check_loaded(config), folder, out)
    typer.echo(f"{count} predictions are in {out}")


def open_run(run: str, overrides: Sequence[str] = ()) -> tuple[RunFolder, Config]:
    """The folder of a run, and its config under the name that it was started with."""
    from lightning_acts.runs import folder as folders
    from lightning_acts.runs.config import load

    folder = folders.open_run(run)
    return folder, dataclasses.replace(load([str(folder.config)], overrides), name=folder.name())


def _train_seeds(
    arguments: list[str], seeds: str, out: Path, folders: list[Path], as_json: bool, common: Common
) -> None:
    numbers = seeds.split(",")
    if not all(number.strip().isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
        raise ConfigError(Problem(None, f"--seeds {seeds}: different whole numbers with commas, such as 0,1,2"))
    checked = check_arguments(arguments, folders)
    from lightning_acts.runs.seeds import run_seeds

    options = [part for folder in folders for part in ("--config-dir", str(folder))]
    imports = [part for module in common.modules for part in ("--import", module)]
    table, failed = run_seeds(checked, [int(number) for number in numbers], arguments, options, out, imports)
    if as_json:
        typer.echo(json.dumps(table.to_dict(), indent=2))
    else:
        table.show()
    if failed:
        sys.exit(3)


def _say_checkpoint(folder: RunFolder) -> None:
    typer.echo(f"checkpoint: {shown_path(folder.best)}", err=True)


def _show_result(result: Any, as_json: bool) -> None:
    from lightning.pytorch.utilities import rank_zero_only

    if getattr(rank_zero_only, "rank", 0) != 0:
        return
    if as_json:
        typer.echo(
            json.dumps({"run": str(result.folder), "epochs": result.epochs, "metrics": result.metrics}, indent=2)
        )
    else:
        _show_metrics(result.metrics, as_json)
    typer.echo(f"run: {result.folder}", err=True)


def _show_metrics(metrics: dict[str, float], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(metrics, indent=2))
        return
    from lightning_acts.cli.showing import metrics_table

    metrics_table(metrics)
