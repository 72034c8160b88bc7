"""The life of a run: train, resume, evaluate, predict. Each is a list of steps."""

from __future__ import annotations

import contextlib
import csv
import functools
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from lightning_acts.callbacks.activation_swap import ActivationSwap
from lightning_acts.callbacks.checkpoint import check_checkpoint, load_into
from lightning_acts.callbacks.exact_resume import ExactResume
from lightning_acts.callbacks.initialization import Initialization
from lightning_acts.callbacks.loops import size_from
from lightning_acts.catalogue import info
from lightning_acts.errors import ActsError, SwapError
from lightning_acts.files import replacing, write_whole
from lightning_acts.models import weights_from_checkpoint
from lightning_acts.reports.pictures import (
    plot_activations,
    plot_learning_curves,
    plot_swaps,
)
from lightning_acts.runs import folder as folders
from lightning_acts.runs.checking import Checked, check_config, made_of
from lightning_acts.runs.config import Config, load, to_yaml
from lightning_acts.runs.console import logged_to, quiet, silenced
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.monitors import MonitorCheck, refuse_unlogged
from lightning_acts.runs.reading import ConfigError, KeyPath, Problem, dotted, shown_path
from lightning_acts.runs.recording import Recorder, WholeFiles
from lightning_acts.runs.trainer import REFUSALS, refused_arguments
from lightning_acts.spec import ActivationSpec
from lightning_acts.surgery import history
from lightning_acts.surgery.checkpoints import CheckpointError
from lightning_acts.surgery.finding.sites import find
from lightning_acts.surgery.site import UNKNOWN_ACTIVATION

#: What may differ when a run goes on: how long, and on what.
_MAY_CHANGE = {
    ("trainer", name)
    for name in (
        "max_epochs", "max_steps", "max_time", "accelerator", "devices", "num_nodes", "strategy", "profiler",
        "enable_progress_bar", "enable_model_summary", "log_every_n_steps", "detect_anomaly",
    )
}  # fmt: skip

#: What a checkpoint holds that a run goes on from.
_PARTS: Mapping[str, type] = {
    "epoch": int,
    "global_step": int,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}


#: Epoch and amount of a swap, where other activations begin to run.
_Moments: TypeAlias = list[tuple[float, float]]


class Interrupted(ActsError):
    """The run was stopped by Ctrl-C or SIGTERM; its folder can be resumed."""

    # Not a KeyboardInterrupt: the command line's library would end at it without the words.
    exit_status = 130


@dataclass(frozen=True)
class Result:
    """What came out of a run."""

    folder: RunFolder
    metrics: dict[str, float]
    epochs: int
    seconds: float


@dataclass(frozen=True)
class _Built:
    model: L.LightningModule
    data: L.LightningDataModule
    trainer: L.Trainer
    swaps: list[ActivationSwap]


def train(checked: Checked, out: Path, started: Callable[[RunFolder], None], *, tested: bool = True) -> Result:
    """Make a folder, train in it and, unless ``tested`` is False, test; ``started`` is told of the folder.

    Raises:
        ConfigError: Something that the config names refuses its arguments.
        RunError: The folder can't be made.
        Interrupted: By Ctrl-C or SIGTERM.
    """
    recorder = Recorder(RunFolder(out), lines=not _in_terminal())
    built = _build(checked, [recorder, MonitorCheck(checked)])
    folder = _new_folder(checked, built.model, out)
    if is_main():
        started(folder)
    with _held(folder):
        return _fit(checked, built, recorder, folder, None, tested)


def resume(checked: Checked, folder: RunFolder, *, tested: bool = True) -> Result:
    """Go on with a run where its last checkpoint was written, and test it unless ``tested`` is False.

    Raises:
        ConfigError: Something that the config names refuses its arguments.
        CheckpointError: The last checkpoint is damaged.
        RunError: The run is in use, can't be written to, or has lost a checkpoint.
        Interrupted: By Ctrl-C or SIGTERM.
    """
    with _held(folder):  # nothing is written before
        checkpoint = _to_go_on_from(checked, folder)
        former = folder.config.read_text(encoding="utf-8")
        same = load([str(folder.config)]).data == checked.config.data
        recorder = Recorder(folder, lines=not _in_terminal(), ends=same)
        # Killed before its first checkpoint, it begins anew.
        with weights_from_checkpoint() if checkpoint else contextlib.nullcontext():
            built = _build(checked, [recorder])
        if is_main():
            folder.remove_unfinished()
            write_whole(folder.config, to_yaml(checked.config.data))
        try:
            return _fit(checked, built, recorder, folder, checkpoint, tested)
        except CheckpointError:
            if is_main():
                write_whole(folder.config, former)
            raise


def dry_run(checked: Checked, metrics: Iterable[str] = ()) -> str:
    """Build everything, swap, run one batch of each stage, write nothing; returns what a run would do, in words.

    Args:
        checked: The config.
        metrics: What has to be logged, as the objectives of a search.

    Raises:
        ConfigError: Something that the config names refuses its arguments, or is never logged.
    """
    built = _build(checked, [], dry=True)
    with _refusals(checked.config) as refusals, refusals.of(()):
        built.trainer.fit(built.model, datamodule=built.data)
        logged = dict(built.trainer.callback_metrics)
        size = _size(checked, built.trainer)
        if has_test(checked):
            built.trainer.test(built.model, datamodule=built.data, verbose=False)
    refuse_unlogged(checked, logged, built.trainer, metrics)
    lines = [f"{type(built.model).__name__} with {_parameters(built.model):,} parameters, {type(built.data).__name__}"]
    lines += [str(swap.report) for swap in built.swaps if swap.report]
    lines += [f"{swap.request}: {swap.schedule.timeline(*size)}"
              for swap in built.swaps if not swap.schedule.is_at_start]  # fmt: skip
    lines.append(f"one batch of each stage ran; a run would train {checked.trainer.get('max_epochs', 1000)} epochs")
    return "\n".join(lines)


def _size(checked: Checked, trainer: L.Trainer) -> tuple[float, float | None]:
    """Return the steps of an epoch, infinite if nobody knows them, and the epochs of the run of this dry one."""
    options = checked.trainer
    limit = options.get("overfit_batches") or options.get("limit_train_batches")
    limit = 1.0 if limit is None else limit
    batches: float = math.inf
    loader: Any = trainer.train_dataloader
    if not isinstance(loader, (Mapping, list, tuple)):  # how long several are together, only a run tells
        with contextlib.suppress(TypeError):  # iterable data have no length
            batches = len(loader)
    if isinstance(limit, int):
        batches = min(batches, limit)
    elif math.isfinite(batches):
        batches = int(batches * limit)
    epochs, most = options.get("max_epochs"), options.get("max_steps", -1)
    if epochs is None:
        epochs = 1000 if most == -1 else -1
    return size_from(batches, options.get("accumulate_grad_batches", 1), epochs, most)


def evaluate(checked: Checked, folder: RunFolder) -> dict[str, float]:
    """Return the metrics of the best checkpoint on the test data.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, or of another model.
    """
    best = folder.best
    check_checkpoint(best)
    with weights_from_checkpoint():
        built = _build(checked, [])
    for what in _untested(type(built.model), type(built.data)):
        raise RunError(f"{what}: there is nothing to measure")
    (metrics, *_) = built.trainer.test(
        built.model, datamodule=built.data, ckpt_path=best, verbose=False, weights_only=True
    )
    return dict(metrics)


def predict(checked: Checked, folder: RunFolder, out: Path) -> int:
    """Write the predictions of the best checkpoint, a row a sample (``.csv``) or as tensors (``.pt``); returns how many.

    Raises:
        RunError: The file exists, its suffix is unknown, or the model or the data are not made for predictions.
        CheckpointError: The checkpoint is missing, damaged, or of another model.
    """
    if out.suffix not in (".csv", ".pt"):
        raise RunError(f"--out {out}: its suffix says how to write it, .csv or .pt")
    refuse_taken(out)
    best = folder.best
    check_checkpoint(best)
    with weights_from_checkpoint():
        built = _build(checked, [])
    model, data = type(built.model), type(built.data)
    if data.predict_dataloader is L.LightningDataModule.predict_dataloader:
        raise RunError(f"{data.__name__} has no predict_dataloader: there is nothing to predict for")
    try:
        batches: Any = built.trainer.predict(built.model, datamodule=built.data, ckpt_path=best, weights_only=True)
    except Exception as error:
        if model.predict_step is not L.LightningModule.predict_step:
            raise
        # Lightning's own gives the whole batch to the forward.
        raise RunError(
            f"{model.__name__} has no predict_step, and its forward can't take the batches of {data.__name__}: define one "
            f"({type(error).__name__}: {error})"
        ) from error
    if not batches or not all(isinstance(batch, Tensor) for batch in batches):
        raise RunError(f"{model.__name__}.predict_step does not give tensors: its predictions can't be written")
    rows = torch.cat(batches)
    with replacing(out) as unfinished:
        if out.suffix == ".pt":
            torch.save(rows, unfinished)
            return len(rows)
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            table = rows.reshape(len(rows), -1).tolist()
            writer.writerow(["sample", *range(len(table[0]))])
            writer.writerows([index, *row] for index, row in enumerate(table))
    return len(rows)


def refuse_taken(out: Path, *beside: Path) -> None:
    """Check that a file, and those beside it, can be written without overwriting any.

    Raises:
        RunError: One exists, or there is no folder for them.
    """
    for path in (out, *beside):
        if path.exists():
            what = "the file" if path == out else path
            raise RunError(f"--out {out}: {what} exists, and is not overwritten")
    if not out.parent.is_dir():
        raise RunError(f"--out {out}: there is no folder {out.parent}")


def trained_model(checked: Checked, folder: RunFolder) -> L.LightningModule:
    """Return the model of a run, with the swaps and the weights of its best checkpoint.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, or of another model.
    """
    model = new_model(checked)
    load_into(model, folder.best)
    return model


def model_of_run(path: str) -> L.LightningModule:
    """Return the model of the run in a folder, as :func:`trained_model` does; its classes may be in the current folder.

    Raises:
        RunError: There is no such run, or it is not complete.
        ConfigError: Its config is wrong.
        CheckpointError: Its best checkpoint is missing, damaged, or of another model.
    """
    import_from_here()
    folder = folders.open_run(path)
    return trained_model(check_config(folder.load_config()), folder)


def new_model(checked: Checked) -> L.LightningModule:
    """Return the model of a config as it is made, before any swap and without pretrained weights.

    Raises:
        ConfigError: Its class refuses its arguments.
    """
    with _refusals(checked.config) as refusals, refusals.of(("model",)), weights_from_checkpoint():
        model = _model(checked)
        model.configure_model()
    return model


def _model(checked: Checked) -> L.LightningModule:
    named = {"optimizer": checked.optimizer, "scheduler": checked.scheduler}
    makers = {name: target.make for name, target in named.items() if target is not None}
    model: L.LightningModule = checked.model.make(**makers)
    return model


def refused_changes(old: Config, new: Config) -> list[KeyPath]:
    """Return what differs between two configs that would make it another run."""
    found: list[KeyPath] = []
    for key in sorted({*old.data, *new.data}):
        before, after = old.data.get(key), new.data.get(key)
        if key != "trainer":
            found += [(key,)] if before != after else []
            continue
        names = sorted({*(before or {}), *(after or {})})
        changed = [name for name in names if (before or {}).get(name) != (after or {}).get(name)]
        found += [(key, name) for name in changed if (key, name) not in _MAY_CHANGE]
    return found


def _build(checked: Checked, recorders: list[Callback], *, dry: bool = False) -> _Built:
    """Return everything that the config names, made; nothing is written."""
    quiet()
    config = checked.config
    L.seed_everything(checked.seed, workers=True, verbose=False)
    swaps = [ActivationSwap(**arguments) for arguments in checked.swap]
    initialization = [] if checked.initialization is None else [Initialization(**checked.initialization)]
    callbacks: list[Callback] = [*swaps, *initialization, ExactResume()]
    loggers: list[Logger] = []
    with _refusals(config) as refusals:
        with refusals.of(("model",)):
            model = _model(checked)
        with refusals.of(("data",)):
            data = checked.data.make()
        for name, target in checked.callbacks.items():
            with refusals.of(("callbacks", name)):
                callbacks.append(target.make())
        for name, target in checked.logger.items():
            with refusals.of(("logger", name)):
                loggers.append(target.make())
        make = functools.partial(_trainer, checked, callbacks, loggers, recorders)
        # A dry run makes one as a run would, too: fast_dev_run overrides arguments without checking them.
        with silenced() if dry else contextlib.nullcontext():
            trainer = refusals.of_trainer(functools.partial(make, writes=dry or bool(recorders)))
        if dry and trainer:
            trainer = make(set(), writes=False, fast_dev_run=True)
    assert trainer
    _check_data(config, model, data)
    return _Built(model, data, trainer, swaps)


def _check_data(config: Config, model: L.LightningModule, data: L.LightningDataModule) -> None:
    """Have data and model say what is wrong with the data, if they can: before anything is written or trained."""
    if not is_main():  # others read what the first one has fetched
        return
    with _refusals(config) as refusals, refusals.of(("data",)):
        getattr(data, "check", lambda: None)()
    with _refusals(config) as refusals, refusals.of(("model",)):
        getattr(model, "check_data", lambda data: None)(data)


def _trainer(
    checked: Checked,
    callbacks: list[Callback],
    loggers: list[Logger],
    recorders: list[Callback],
    without: set[str],
    *,
    writes: bool,
    **more: Any,
) -> L.Trainer:
    """Return the Trainer of a config, without some of its arguments and with more."""
    options = {key: made_of(value) for key, value in checked.trainer.items() if key not in without}
    own_bar = any(isinstance(callback, L.pytorch.callbacks.ProgressBar) for callback in callbacks)
    if _in_terminal() and options.get("enable_progress_bar") is not False and not own_bar:
        callbacks = [*callbacks, RichProgressBar()]
    options.setdefault("enable_progress_bar", _in_terminal() or own_bar)
    options.setdefault("enable_model_summary", False)
    plugins = options.pop("plugins", None) or []
    if writes:
        options["plugins"] = [*(plugins if isinstance(plugins, list) else [plugins]), WholeFiles()]
    else:
        callbacks = [callback for callback in callbacks if not isinstance(callback, ModelCheckpoint)]
        loggers, options["enable_checkpointing"] = [], False
        options["plugins"] = plugins
    options |= {"callbacks": [*callbacks, *recorders], "logger": loggers or False, **more}
    return L.Trainer(**options)


def _new_folder(checked: Checked, model: L.LightningModule, out: Path) -> RunFolder:
    if not is_main():  # only rank 0 makes it, and writes
        return RunFolder(out)
    return folders.create_run(out, checked.config, checked.seed, _label(checked, model))


@contextlib.contextmanager
def _held(folder: RunFolder) -> Iterator[None]:
    """Hold the lock of the folder, in the process that writes in it."""
    with folder.locked() if is_main() else contextlib.nullcontext():
        yield


def _to_go_on_from(checked: Checked, folder: RunFolder) -> Path | None:
    """Return the last checkpoint, whole and with the best one beside it.

    None for a run that was stopped before its first.
    """
    if folder.last.exists():
        checkpoint = check_checkpoint(folder.last)
        for part, kind in _PARTS.items():
            if not isinstance(checkpoint.get(part), kind):
                found = f"is of type {type(checkpoint[part]).__name__}" if part in checkpoint else "is missing"
                raise CheckpointError(f"{shown_path(folder.last)} can't be resumed from: its part {part!r} {found}")
        done, limit = len(folder.rows_in(checkpoint)), checked.trainer.get("max_epochs")
        if limit is not None and 0 <= limit < done:
            said = f"trainer.max_epochs: {limit} is less than the {done} epochs that the run has behind it"
            raise ConfigError(checked.config.problem(("trainer", "max_epochs"), said))
        best = folder.recorded_best(checkpoint)
        others = [path for path in folder.checkpoints.glob("*.ckpt") if path != folder.last]
        # Killed between a new best and the last one, the run has removed the former best, and makes the new one again.
        if best and not best[0].exists() and not others:
            raise RunError(f"{shown_path(best[0])} is missing, which {folder.last.name} names as the best: put it back")
        if best and best[0].exists():
            check_checkpoint(best[0])
        return folder.last
    status = folder.read("status.json")
    # An epoch is counted before its checkpoint is written.
    epochs = status.get("epochs", 0) - 1 if isinstance(status, dict) else 0
    for path in folder.checkpoints.glob("*.ckpt"):
        # The first epoch may have brought a best one before its end.
        epochs = max(epochs, check_checkpoint(path).get("epoch", 0))
    if epochs > 0 or folder.status() == "finished" or folder.metrics.exists():
        raise RunError(
            f"{shown_path(folder.last)} is missing, though the run has whole epochs behind it: put the file back, or train "
            "again from the start"
        )
    return None


def _label(checked: Checked, model: L.LightningModule) -> str:
    """Return the names of the activations that a run swaps in, or else of those that its model has."""
    rights = [right for swap in checked.swap for right in swap["map"].values() if right is not None]
    specs = [right["name"] if isinstance(right, dict) else str(right) for right in rights] or _activations(model)
    return "+".join(dict.fromkeys(ActivationSpec.parse(spec).name for spec in specs)) or "unswapped"


def _activations(model: L.LightningModule) -> list[str]:
    """Return the specs of a model's hidden activations, or of its gated ones if there are no others."""
    known = [site for site in find(model) if site.activation != UNKNOWN_ACTIVATION]
    hidden = [site.activation for site in known if site.role == "hidden"]
    gates = [site.activation for site in known if site.role == "gate"]
    gated = [spec for spec in gates if info(ActivationSpec.parse(spec).name).kind == "gated"]
    return list(dict.fromkeys(hidden or gated))


def _fit(
    checked: Checked, built: _Built, recorder: Recorder, folder: RunFolder, checkpoint: Path | None, tested: bool
) -> Result:
    recorder.folder = folder
    main = is_main()
    trainer = built.trainer
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            callback.dirpath = str(folder.checkpoints)
    if main:
        trainer.loggers = [*trainer.loggers, *_tensorboard(folder)]
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        if main:
            stack.enter_context(logged_to(folder.log))
            folder.set_status("running")
        try:
            if checked.compile is not None:
                # The forward alone: steps log, and count with metrics.
                built.model.compile(**checked.compile)
            with _told_of(checkpoint, recorder):
                trainer.fit(built.model, datamodule=built.data, ckpt_path=checkpoint, weights_only=True)
            moments = [swap.moments for swap in built.swaps]  # the test loads those of the best checkpoint
            scores = _test(built, folder) if tested else {}
        except (KeyboardInterrupt, SystemExit) as error:
            if main:
                folder.set_status("interrupted", epochs=_epochs(trainer))
            raise Interrupted(f"interrupted; go on with: lightning-acts resume {folder}") from error
        except BaseException as error:
            if main:
                with contextlib.suppress(OSError):
                    folder.set_status("failed", epochs=_epochs(trainer), error=f"{type(error).__name__}: {error}")
            raise
        metrics = {**_last_metrics(folder), **scores} if main else scores
        result = Result(folder, metrics, _epochs(trainer), time.perf_counter() - start)
        if main:
            _conclude(checked, built, result, moments)
    return result


def _epochs(trainer: L.Trainer) -> int:
    """Return the epochs that are whole."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    return int(progress.processed)


@contextlib.contextmanager
def _told_of(checkpoint: Path | None, recorder: Recorder) -> Iterator[None]:
    """Name the checkpoint in what goes wrong before the first batch after it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        if checkpoint is None or recorder.begun or isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{shown_path(checkpoint)} can't be resumed from: {type(error).__name__}: {error}"
        ) from error


def _test(built: _Built, folder: RunFolder) -> dict[str, float]:
    """Return the metrics of the best checkpoint on the test data; none where there are no test data."""
    if any(_untested(type(built.model), type(built.data))):
        return {}
    # The other processes don't know the folder.
    best = built.trainer.strategy.broadcast(str(folder.best) if is_main() else "")
    (metrics, *_) = built.trainer.test(
        built.model, datamodule=built.data, ckpt_path=best, verbose=False, weights_only=True
    )
    return dict(metrics)


def has_test(checked: Checked) -> bool:
    """Return whether the classes of a config have a test."""
    return not any(_untested(checked.model.target, checked.data.target))


def _untested(model: Any, data: Any) -> Iterator[str]:
    """Yield what a test needs and the classes of a model and of its data don't have."""
    for made, base, name in (
        (model, L.LightningModule, "test_step"),
        (data, L.LightningDataModule, "test_dataloader"),
    ):
        if getattr(made, name) is getattr(base, name):
            yield f"{made.__name__} has no {name}"


def _conclude(checked: Checked, built: _Built, result: Result, moments: list[_Moments]) -> None:
    """Everything that a finished run leaves: swaps, pictures, metrics."""
    folder, model = result.folder, built.model
    plans = [swap.plan.to_dict() for swap in history.swaps_of(model) if swap.plan is not None]
    reports = [swap.report.to_dict() for swap in built.swaps if swap.report is not None]
    folder.write("swap.json", {"plans": plans, "reports": reports})
    _draw(checked, built, result, moments)
    folder.write(
        "summary.json",
        {
            "config": checked.config.name,
            "seed": checked.seed,
            "activation": _label(checked, model),
            "epochs": result.epochs,
            "parameters": _parameters(model),
            "seconds": round(result.seconds, 3),
            "best": str(folder.best.relative_to(folder.path)),
            "metrics": result.metrics,
        },
    )
    folder.set_status("finished", epochs=result.epochs)


def _parameters(model: L.LightningModule) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _draw(checked: Checked, built: _Built, result: Result, moments: list[_Moments]) -> None:
    try:
        rows = result.folder.rows()
        names = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in ("epoch", "step")]
        label, plots = _label(checked, built.model), result.folder.plots
        if rows:
            _draw_swaps(built, rows, moments, plots / "swaps.png")
        names = [name for name in names if not name.startswith(("swap/", "sites/"))]
        if rows and names:
            plot_learning_curves({label: rows}, names, plots / "metrics.png")
        _draw_results(built.model, plots, label)
        swapped_in = [
            site.replacement for swap in history.swaps_of(built.model) if swap.plan for site in swap.plan.sites
        ]
        before = [site.original for swap in history.swaps_of(built.model) if swap.plan for site in swap.plan.sites]
        with contextlib.suppress(ValueError):  # a softmax has no curve
            used = list(dict.fromkeys([*before, *swapped_in])) or _activations(built.model)
            if used:
                plot_activations(used, plots / "activations.png")
        _show_in_tensorboard(built.trainer, plots)
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)  # noqa: T201


def _draw_results(model: L.LightningModule, plots: Path, label: str) -> None:
    """Let a model draw its results, if it has a method for that; a run is not lost because of a picture."""
    draw = getattr(model, "plot_results", None)
    if not callable(draw):
        return
    try:
        draw(plots, label)
    except ImportError:
        raise
    except Exception as error:
        print(f"{type(model).__name__}.plot_results failed: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201


def _show_in_tensorboard(trainer: L.Trainer, plots: Path) -> None:
    """Show each picture of a folder in TensorBoard, too."""
    from matplotlib.image import imread

    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            for path in sorted(plots.glob("*.png")):
                logger.experiment.add_image(path.stem, imread(path), trainer.global_step, dataformats="HWC")
            logger.save()


def _draw_swaps(built: _Built, rows: list[dict[str, Any]], moments: list[_Moments], path: Path) -> None:
    """Draw scheduled swaps over time, with the metric that one waits for, or that the best checkpoint is chosen by."""
    drawn = {}
    for swap, changes in zip(built.swaps, moments, strict=True):
        if not swap.schedule.is_at_start:
            ends = [(row["epoch"] + 1, row[swap.metric]) for row in rows if swap.metric in row]
            drawn[f"{swap.request} at {swap.schedule}"] = sorted([(0.0, 0.0), *ends, *changes])
    if not drawn:
        return
    waited_for = [swap.schedule.condition.metric for swap in built.swaps if swap.schedule.condition is not None]
    watched = [each.monitor for each in built.trainer.checkpoint_callbacks if isinstance(each, ModelCheckpoint)]
    readings = {
        name: [(row["epoch"] + 1, row[name]) for row in rows if name in row] for name in (*waited_for, *watched)
    }
    metric = next(((name, points) for name, points in readings.items() if name and points), None)
    plot_swaps(drawn, path, rows[-1]["step"] / (rows[-1]["epoch"] + 1), metric)


def _last_metrics(folder: RunFolder) -> dict[str, float]:
    rows = folder.rows()
    return {name: value for name, value in rows[-1].items() if name not in ("epoch", "step")} if rows else {}


def _tensorboard(folder: RunFolder) -> list[Logger]:
    try:
        return [TensorBoardLogger(folder.path, name="tensorboard", version="")]
    except ModuleNotFoundError:  # an extra; metrics.csv is there in any case
        return []


def is_main() -> bool:
    """Return whether this process is the first of a run."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def _in_terminal() -> bool:
    return sys.stderr.isatty()


class _Refusals:
    """What classes that a config names say about their arguments, each with its place in the config."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.problems: list[Problem] = []
        self.cause: Exception | None = None

    @contextlib.contextmanager
    def of(self, path: KeyPath) -> Iterator[None]:
        """Note a refusal by what stands at ``path``, and go on to the next."""
        try:
            yield
        except REFUSALS as error:
            path = path or (("swap",) if isinstance(error, SwapError) else ())
            where = f"{dotted(path)}: " if path else ""
            self.problems.append(self.config.problem(self._named_in(str(error), path), f"{where}{error}"))
            self.cause = error

    def of_trainer(self, make: Callable[[set[str]], L.Trainer]) -> L.Trainer | None:
        """Make a Trainer, or note every argument that it refuses and return None."""
        try:
            return make(set())
        except REFUSALS:
            names = self.config.data["trainer"]
            overridden = [name for name in names if self._is_overridden(("trainer", name))]
            for name, error in refused_arguments(make, names, overridden):
                path: KeyPath = ("trainer", name) if name else ("trainer",)
                self.problems.append(self.config.problem(path, f"{dotted(path)}: {error}"))
                self.cause = error
        return None

    def _named_in(self, message: str, path: KeyPath) -> KeyPath:
        """Return the argument below a path that a message names, an overridden one first.

        The path where it names none.
        """
        below = [known for known in self.config.origins if known and known[:-1] == path and isinstance(known[-1], str)]
        named = [known for known in below if re.search(rf"\b{re.escape(str(known[-1]))}\b", message)]
        named.sort(key=lambda known: not self._is_overridden(known))
        return named[0] if named and path else path

    def _is_overridden(self, path: KeyPath) -> bool:
        return str(self.config.origins.get(path)).startswith("command line")


@contextlib.contextmanager
def _refusals(config: Config) -> Iterator[_Refusals]:
    """Collect refusals for the length of a block, and raise all of them at its end."""
    refusals = _Refusals(config)
    yield refusals
    if refusals.problems:
        raise ConfigError(*refusals.problems) from refusals.cause
