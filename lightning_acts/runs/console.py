"""What is said while a run goes, and what is not."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from lightning_acts.errors import ActsError
from lightning_acts.hints import shortened

# Hints at hardware and workers, Lightning's advertisements, and what we say ourselves.
_UNWANTED = (
    "GPU available",
    "TPU available",
    "HPU available",
    "litlogger",
    "litmodels",
    "`Trainer.fit` stopped",
    "`Trainer.validate` stopped",
    "Restoring states",
    "Restored all states",
    "Loaded model weights",
    "to estimate number of stepping batches",
    "Running in `fast_dev_run` mode",
    "Detected KeyboardInterrupt",
)
_UNWANTED_WARNINGS = (
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    ".*treespec.*",
    ".*exists and is not empty.*",
    ".*is not resumable.*",
    ".*Be aware that when using `ckpt_path`.*",
    ".*Using `DistributedSampler` with the dataloaders.*",
    ".*`ModelCheckpoint\\(monitor=.*not found in the returned metrics.*",
)
# Its packages share one logger, whose name is that of the one that was imported last.
_LIGHTNING = ("lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")


def quiet() -> None:
    """Leave out what does not concern the reader."""
    for message in _UNWANTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    for package in _LIGHTNING:
        for name in (package, f"{package}.utilities.rank_zero", f"{package}.utilities.seed"):
            logging.getLogger(name).addFilter(_is_wanted)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Show no warning and no log message for the length of a block."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable()
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Append what is said to a file, warnings too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_is_wanted)
    loggers = [logging.getLogger(name) for name in (*_LIGHTNING, "py.warnings")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def errors_in_words(debug: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Turn an error into words and an exit status; where ``debug`` says so, it is raised as it is."""
    try:
        yield
    except BrokenPipeError:  # the reader of our output has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug():
            raise
        own = isinstance(error, ActsError)
        in_words = str(error) if own or isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        hint = "" if own else "\n(lightning-acts --debug, before the verb, shows where)"
        print(shortened(in_words) + hint, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_status if isinstance(error, ActsError) else 1)


def _is_wanted(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(text in message for text in _UNWANTED)
