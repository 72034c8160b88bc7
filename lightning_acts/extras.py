"""Modules that may be missing: packages that are only needed for some things, and what import paths name."""

from __future__ import annotations

import importlib
from types import ModuleType


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


def is_missing(module: str, error: ModuleNotFoundError) -> bool:
    """Return whether a module itself is missing, and not what it imports: that is the module's own error.

    Example:
        >>> is_missing("mine.models", ModuleNotFoundError(name="mine"))
        True
        >>> is_missing("mine.models", ModuleNotFoundError(name="torch_of_mine"))
        False
    """
    return error.name is not None and f"{module}.".startswith(f"{error.name}.")
