"""Modules that may be missing: packages that are only needed for some things, and what import paths name."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

from lightning_acts.errors import ActsError
from lightning_acts.hints import did_you_mean


class ImportPathError(ActsError, ImportError):
    """An import path leads nowhere."""

    exit_status = 2


def require(module: str, *, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: The module, such as ``"torchvision.models"``.
        extra: The extra of this package that installs it.

    Raises:
        ImportError: It is not installed; the message says how to install it. A package that is installed, but broken,
            raises its own error.

    Example:
        >>> require("json", extra="vision").dumps([1])
        '[1]'
        >>> require("no_such_package.part", extra="vision")
        Traceback (most recent call last):
        ...
        ImportError: no_such_package is not installed: pip install 'lightning-acts[vision]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise ImportError(f"{package} is not installed: pip install 'lightning-acts[{extra}]'", name=package) from None


def import_module(module: str, hint: str = "") -> ModuleType:
    """Import a module by its name.

    Args:
        module: The name.
        hint: What the error says after the module that is missing.

    Raises:
        ImportPathError: There is no such module. A module that fails to import raises its own error.

    Example:
        >>> import_module("no_such_package.part", hint="; see --import")
        Traceback (most recent call last):
        ...
        lightning_acts.extras.ImportPathError: there is no module 'no_such_package'; see --import
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ImportPathError(f"there is no module {error.name!r}{hint}") from None


def import_name(module: str, name: str, hint: str = "") -> Any:
    """Import what has a name in a module, such as a class, or ``Class.method``.

    Args:
        module: The module.
        name: The name, with dots for what is within a class.
        hint: What the error says after a module that is missing.

    Raises:
        ImportPathError: There is no such module, or it has no such name. A module that fails to import raises its own
            error.

    Example:
        >>> import json
        >>> import_name("json", "JSONDecoder.decode")(json.JSONDecoder(), "[1]")
        [1]
    """
    found: Any = import_module(module, hint)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ImportPathError(f"{module} has no {name!r}{did_you_mean(part, _public_names(found))}")
        found = getattr(found, part)
    return found


def _public_names(owner: Any) -> list[str]:
    """Return the names of what an object offers, without modules: some import others on first use."""
    return [
        name
        for name in dir(owner)
        if not name.startswith("_") and not inspect.ismodule(inspect.getattr_static(owner, name, None))
    ]
