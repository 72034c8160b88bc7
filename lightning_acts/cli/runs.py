"""Verbs about runs: train, resume, eval, predict, export, report."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightning_acts.cli import completion
from lightning_acts.cli.arguments import Common, ConfigArguments, Folders, Json, Run
from lightning_acts.cli.configs import check_arguments, check_loaded
from lightning_acts.hints import counted
from lightning_acts.runs.config import split_arguments
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import ConfigError, Problem, shown_path

if TYPE_CHECKING:
    from lightning_acts.runs.config import Config
    from lightning_acts.runs.folder import RunFolder


def train(
    context: typer.Context,
    config: ConfigArguments,
    out: Annotated[Path, typer.Option(help="parent folder for the folder of the run")] = Path("runs"),
    config_dir: Folders = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="build, swap and run one batch of each stage; write nothing")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option(help="run once for each seed and report mean and interval: 0,1,2")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train and test what a config describes, and plot the results, all in one folder.

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
    """Resume an interrupted run, or train a finished one for longer.

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
                Problem(
                    new.origin(path), f"{dotted(path)}: a resumed run can't change this: start a new one with train"
                )
                for path in refused
            )
        )
    if folder.status() == "finished" and new.data == old.data:
        epochs = folder.read("status.json").get("epochs")
        done = counted(epochs, "epoch") if isinstance(epochs, int) else "its last epoch"
        typer.echo(f"{folder} is finished after {done}; to train it for longer, add trainer.max_epochs=N", err=True)
        return
    typer.echo(f"run: {folder}", err=True)
    _show_result(training.resume(checked, folder), as_json)


def evaluate(run: Run, as_json: Json = False) -> None:
    """Evaluate the best checkpoint of a run on the test data.

    `lightning-acts eval runs/digits/20261124-120000-mish-s0-1a2b3c --json`
    """
    from lightning_acts.runs import training

    folder, config = open_run(run)
    _say_checkpoint(folder)
    _show_metrics(training.evaluate(check_loaded(config), folder), as_json)


def predict(
    run: Run,
    out: Annotated[Path, typer.Option(help="output file: .csv, or .pt for tensors")] = Path("predictions.csv"),
) -> None:
    """Write the predictions of a run's best checkpoint on the predict data of its data module.

    `lightning-acts predict runs/digits/20261124-120000-mish-s0-1a2b3c --out predictions.csv`
    """
    from lightning_acts.runs import training

    folder, config = open_run(run)
    _say_checkpoint(folder)
    count = training.predict(check_loaded(config), folder, out)
    typer.echo(f"{counted(count, 'prediction')} written to {out}")


def export(
    run: Run,
    out: Annotated[
        Path, typer.Option(help="output file: .onnx, .pt2 (torch.export), or .safetensors, with the swaps beside it")
    ] = Path("model.onnx"),
) -> None:
    """Export the model of a run's best checkpoint, and check the file by running it.

    `lightning-acts export runs/digits/20261124-120000-mish-s0-1a2b3c --out digits.onnx`
    """
    from lightning_acts.runs import exporting

    folder, config = open_run(run)
    _say_checkpoint(folder)
    typer.echo(exporting.export(check_loaded(config), folder, out))


def report(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="folders of finished runs", autocompletion=completion.runs)
    ],
    out: Annotated[Path, typer.Option(help="folder for the page, the pictures and the CSV file")] = Path("report"),
    as_json: Json = False,
) -> None:
    """Compare finished runs: a table, pictures, CSV, and an HTML page that needs nothing but itself.

    `lightning-acts report runs/digits/*`
    """
    from lightning_acts.runs.folder import open_run as open_folder
    from lightning_acts.runs.reporting import Report, Reported

    found = Report([Reported.of(open_folder(run)) for run in dict.fromkeys(runs)])
    page = found.write(out)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        found.show()
    typer.echo(f"page: {page}", err=True)


def open_run(run: str, overrides: Sequence[str] = ()) -> tuple[RunFolder, Config]:
    """Return the folder of a run, and its config."""
    from lightning_acts.runs import folder as folders

    folder = folders.open_run(run)
    return folder, folder.load_config(overrides)


def _train_seeds(
    arguments: list[str], seeds: str, out: Path, folders: list[Path], as_json: bool, common: Common
) -> None:
    numbers = seeds.split(",")
    if not all(number.strip().isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
        raise ConfigError(
            Problem(None, f"--seeds {seeds}: expected different whole numbers separated by commas, such as 0,1,2")
        )
    files, overrides = split_arguments(arguments)
    import_from_here()
    from lightning_acts.runs.variants import SeedTable, Variant, run_variants

    variants = {int(number): Variant(seed=int(number)) for number in numbers}
    outcome = run_variants(
        files,
        list(variants.values()),
        out,
        overrides=overrides,
        folders=folders,
        modules=common.modules,
    )
    table = SeedTable.of(
        {seed: outcome.finished[variant] for seed, variant in variants.items() if variant in outcome.finished}
    )
    if as_json:
        typer.echo(json.dumps(table.to_dict(), indent=2))
    else:
        table.show()
    if outcome.failed:
        sys.exit(3)


def _say_checkpoint(folder: RunFolder) -> None:
    typer.echo(f"checkpoint: {shown_path(folder.best)}", err=True)


def _show_result(result: Any, as_json: bool) -> None:
    from lightning_acts.runs.training import is_main

    if not is_main():
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
