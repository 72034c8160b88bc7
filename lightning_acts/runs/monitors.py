"""Metrics that callbacks monitor, held against those that are logged."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import lightning as L

from lightning_acts.callbacks.packages import overrides
from lightning_acts.hints import did_you_mean
from lightning_acts.runs.checking import Checked
from lightning_acts.runs.reading import ConfigError, KeyPath, Problem, dotted

_LIBRARIES = ("lightning.", "pytorch_lightning.", "lightning_acts.", "torch.", "torchmetrics.", "builtins")


class MonitorCheck(L.Callback):
    """Refuses a monitor after the first batch of a run, where it is not logged and nothing may log it later.

    Args:
        checked: The config, whose callbacks have the monitors.
    """

    def __init__(self, checked: Checked) -> None:
        self._checked: Checked | None = checked
        self._logged: set[str] = set()
        self._validated = False

    def on_sanity_check_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note what a validation logs."""
        self._logged = set(trainer.callback_metrics)
        self._validated = True

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Add what a batch logs, and check."""
        checked, self._checked = self._checked, None
        if checked is None or not (self._validated or not trainer.enable_validation):
            return
        if overrides(pl_module, "on_train_epoch_end") or any(map(_has_own_epoch_end, trainer.callbacks)):  # type: ignore[attr-defined]
            return
        for result in trainer.fit_loop.epoch_loop._results.values():
            name = result.meta.name
            self._logged |= {name, *((f"{name}_step", f"{name}_epoch") if result.meta.forked else ())}
        refuse_unlogged(checked, self._logged, trainer)


def refuse_unlogged(
    checked: Checked, logged: Iterable[str], trainer: L.Trainer, objectives: Iterable[str] = ()
) -> None:
    """Refuse a config in which a callback monitors, a swap waits for, or a search compares what is not logged.

    Args:
        checked: The config.
        logged: The names that were logged in a batch of each stage.
        trainer: The trainer, whose modules and callbacks may log later what their source names.
        objectives: The metrics that a search compares.

    Raises:
        ConfigError: With every such monitor.
    """
    logged = sorted(logged)
    modules = [module for module in trainer.lightning_module.modules() if isinstance(module, L.LightningModule)]
    classes = {
        cls
        for logger in (*modules, *trainer.callbacks)  # type: ignore[attr-defined]
        for cls in type(logger).__mro__
        if not f"{cls.__module__}.".startswith(_LIBRARIES)
    }
    wanted = [(name, dotted(path), checked.config.origin(path)) for path, name in _monitors(checked)]
    wanted += [(name, "search.objective", None) for name in objectives]  # the config of a trial has no search
    unlogged = [
        Problem(
            origin,
            f"{key}: {name!r} is never logged{did_you_mean(name, logged)} Logged: {', '.join(logged) or 'nothing'}",
        )
        for name, key, origin in wanted
        if isinstance(name, str) and name not in logged and not _may_be_logged(name, classes)
    ]
    if unlogged:
        raise ConfigError(*unlogged)


def _monitors(checked: Checked) -> Iterator[tuple[KeyPath, Any]]:
    """Yield what callbacks monitor and swaps wait for, each with its key in the config."""
    for name, target in checked.callbacks.items():
        yield ("callbacks", name, "monitor"), target.arguments.get("monitor")
    is_list = isinstance(checked.config.data.get("swap"), list)
    for index, swap in enumerate(checked.swap):
        if isinstance(at := swap.get("at"), dict):
            yield ("swap", *([index] if is_list else []), "at", "metric"), at.get("metric")


def _has_own_epoch_end(callback: L.Callback) -> bool:
    """Return whether a callback of the user's has a method that runs when an epoch ends."""
    return not type(callback).on_train_epoch_end.__module__.startswith(_LIBRARIES)


def _may_be_logged(name: str, classes: Iterable[type]) -> bool:
    """Return whether a string in the source of some classes, or one that is put together there, may be a name."""
    names = {name, name.removesuffix("_step"), name.removesuffix("_epoch")}
    return any(pattern.fullmatch(known) for cls in classes for pattern in _strings_of(cls) for known in names)


def _strings_of(cls: type) -> Iterator[re.Pattern[str]]:
    """Patterns for the strings in the source of a class; for all strings where it can't be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        yield re.compile(".*")
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
            pattern = _pattern(node)
            if pattern.replace(".+", ""):
                yield re.compile(pattern)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.compile(re.escape(node.value))


def _pattern(node: ast.expr) -> str:
    match node:
        case ast.Constant(str(text)):
            return re.escape(text)
        case ast.JoinedStr():
            return "".join(map(_pattern, node.values))
        case ast.BinOp(op=ast.Add()):
            return _pattern(node.left) + _pattern(node.right)
    return ".+"
