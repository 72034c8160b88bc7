"""A config against the signatures of what it configures: every problem at once, before anything is built."""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import lightning as L
import torch
from lightning.pytorch.loggers import Logger

from lightning_acts.callbacks.activation_swap import ActivationSwap
from lightning_acts.callbacks.initialization import Initialization
from lightning_acts.errors import SwapError
from lightning_acts.extras import ImportPathError, import_name
from lightning_acts.factory import resolve
from lightning_acts.hints import did_you_mean
from lightning_acts.initialization import gain
from lightning_acts.models import ModelError, check_model
from lightning_acts.runs.coercion import coerce, shown, type_in_words
from lightning_acts.runs.config import GROUPS, Config
from lightning_acts.runs.reading import ConfigError, KeyPath, Problem, dotted
from lightning_acts.runs.targets import REFUSED, is_modeling, is_refused, is_refused_name
from lightning_acts.runs.trainer import refused_anywhere, refused_arguments
from lightning_acts.spec import ActivationSpec, SpecError
from lightning_acts.surgery.schedule import ScheduleError

#: What each group's _target_ has to be.
_BASES: Mapping[str, type] = {
    "model": L.LightningModule,
    "data": L.LightningDataModule,
    "optimizer": torch.optim.Optimizer,
    "scheduler": torch.optim.lr_scheduler.LRScheduler,
    "callbacks": L.Callback,
    "logger": Logger,
}
# Types whose values are written in a config as they are.
_PLAIN = (int, float, str, bool, bytes, complex, type(None), None)
# What a run sets itself.
_TAKEN = {"callbacks": "the group 'callbacks'", "logger": "the group 'logger'", "default_root_dir": "--out"}


@dataclass(frozen=True)
class Targeted:
    """A class that a config names, and its arguments, coerced to the declared types."""

    target: Callable[..., Any]
    arguments: dict[str, Any]

    def make(self, *positional: Any, **more: Any) -> Any:
        """Make it, and first what its arguments name."""
        made = {key: made_of(value) for key, value in self.arguments.items()}
        by_position = [
            made.pop(name)
            for name, parameter in list(_parameters(self.target).items())[len(positional) :]
            if parameter.kind is parameter.POSITIONAL_ONLY and name in made
        ]
        return self.target(*positional, *by_position, **made, **more)


@dataclass(frozen=True)
class Checked:
    """A config that has passed every check."""

    config: Config
    model: Targeted
    data: Targeted
    optimizer: Targeted | None
    scheduler: Targeted | None
    trainer: dict[str, Any]
    swap: list[dict[str, Any]]
    callbacks: dict[str, Targeted]
    logger: dict[str, Targeted]
    compile: dict[str, Any] | None
    initialization: dict[str, Any] | None
    seed: int


def check_config(config: Config, problems: Sequence[Problem] = ()) -> Checked:
    """Check a config against what it names.

    Args:
        config: The config.
        problems: What is known to be wrong with it already.

    Raises:
        ConfigError: With every problem, each with its origin.
    """
    checker = _Checker(config, problems)
    data = config.data
    for group in ("model", "data"):
        if data.get(group) is None:
            checker.add((group,), f"{group} is missing: give {group}._target_, or start from a config that ships")
    targets = {group: checker.group(group, data.get(group)) for group in ("model", "data", "optimizer", "scheduler")}
    for group in ("optimizer", "scheduler"):
        model = targets["model"]
        if targets[group] and model and group not in _parameters(model.target):
            checker.add((group,), f"{group}: {_name(model.target)} brings its own, and takes none from a config")
    trainer = checker.trainer(data.get("trainer"))
    swaps = checker.swaps(data.get("swap"))
    named = {group: checker.named(group, data.get(group)) for group in ("callbacks", "logger")}
    compiled = checker.compile(data.get("compile", False))
    initialization = checker.initialization(data.get("initialization", False), targets["model"], swaps)
    seed = checker.seed(data.get("seed", 0))
    checker.networks(targets["model"])
    checker.sizes(targets["model"], targets["data"])
    if checker.problems:
        raise ConfigError(*checker.problems)
    assert targets["model"]
    assert targets["data"]
    return Checked(
        config,
        targets["model"],
        targets["data"],
        targets["optimizer"],
        targets["scheduler"],
        trainer,
        swaps,
        named["callbacks"],
        named["logger"],
        compiled,
        initialization,
        seed,
    )


def check_arguments(config: Config, path: KeyPath, given: dict[str, Any], target: Callable[..., Any]) -> dict[str, Any]:
    """Return what stands at a path of a config, coerced by the signature of what takes it as arguments.

    Raises:
        ConfigError: With every key that is unknown, missing or of another type.
    """
    checker = _Checker(config, ())
    arguments = checker.arguments(path, given, target)
    if checker.problems:
        raise ConfigError(*checker.problems)
    return arguments


def activation_arguments(model: Targeted) -> list[str]:
    """Return the arguments of a model that are declared to be one activation: ``Annotated[str, ActivationSpec]``."""
    return [name for name, hint in _hints(model.target, include_extras=True).items() if _is_activation(hint)]


def _is_activation(annotation: Any) -> bool:
    return any(ActivationSpec in getattr(kind, "__metadata__", ()) for kind in _kinds(annotation))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a config, by which an editor completes and checks: groups, Trainer's arguments, swaps."""
    target = {  # _target_ may come from a base
        "type": "object",
        "properties": {"_target_": {"type": "string", "description": "import path of a class"}},
    }
    named_targets = {"type": "object", "additionalProperties": {"anyOf": [target, {"type": "null"}]}}
    trainer: dict[str, Any] = {name: {} for name in _parameters(L.Trainer) if name not in _TAKEN}
    swap = {
        "type": "object",
        "required": ["map"],
        "properties": {name: {} for name in _parameters(ActivationSwap)},
        "additionalProperties": False,
    }
    kinds: dict[str, Any] = {
        "base": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        **dict.fromkeys(("model", "data", "optimizer", "scheduler"), target),
        **dict.fromkeys(("callbacks", "logger"), named_targets),
        "trainer": {"type": "object", "properties": trainer, "additionalProperties": False},
        "swap": {"anyOf": [swap, {"type": "array", "items": swap}]},
        "compile": {"type": ["boolean", "object"]},
        "initialization": {"type": ["boolean", "object"]},
        "seed": {"type": "integer", "minimum": 0},
        "search": {"type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lightning-acts config",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {**kinds[name], "description": about} for name, about in GROUPS.items()},
    }


def made_of(value: Any) -> Any:
    """Return a value of a checked config with everything in it made."""
    if isinstance(value, Targeted):
        return value.make()
    if isinstance(value, dict):
        return {key: made_of(child) for key, child in value.items()}
    if isinstance(value, list):
        return [made_of(child) for child in value]
    return value


class _Checker:
    def __init__(self, config: Config, problems: Sequence[Problem]) -> None:
        self.config = config
        self.problems = list(problems)
        self._unread = [problem.path for problem in problems if problem.path]

    def add(self, path: KeyPath, message: str) -> None:
        # A value that could not be read is told once, not as a wrong value too.
        if not any(path[: len(unread)] == unread for unread in self._unread):
            self.problems.append(self.config.problem(path, message))

    def group(self, group: str, value: Any) -> Targeted | None:
        return None if value is None else self.target((group,), value, _BASES[group])

    def named(self, group: str, value: Any) -> dict[str, Targeted]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add((group,), f"{group} holds names with a _target_ each, not {shown(value)}")
            return {}
        found = {
            name: self.target((group, name), child, _BASES[group]) for name, child in value.items() if child is not None
        }
        return {name: target for name, target in found.items() if target is not None}

    def target(self, path: KeyPath, value: Any, base: type | None, annotation: Any = Any) -> Targeted | None:
        if not isinstance(value, dict):
            self.add(path, f"{dotted(path)} holds a _target_ and its arguments, not {shown(value)}")
            return None
        name = value.get("_target_")
        if not isinstance(name, str):
            meant = [key for key in value if key != "_target_" and did_you_mean(str(key), ["_target_"]) != "."]
            hint = f"; is {meant[0]} meant for it?" if meant else ""
            self.add(path, f"{dotted(path)} needs _target_, the import path of a class{hint}")
            return None
        if is_refused_name(name) and base is None:
            self.add((*path, "_target_"), f"{dotted((*path, '_target_'))}: {name} {REFUSED}")
            return None
        try:
            found = import_target(name)
        except ConfigError as error:
            for problem in error.problems:
                self.add((*path, "_target_"), f"{dotted((*path, '_target_'))}: {problem.message}")
            return None
        if base is not None and not (isinstance(found, type) and issubclass(found, base)):
            self.add((*path, "_target_"), f"{dotted((*path, '_target_'))}: {name} is no {_name(base)}")
            return None
        if base is None and (is_refused(found) or not (is_modeling(found, name) or _is_asked_for(found, annotation))):
            self.add((*path, "_target_"), f"{dotted((*path, '_target_'))}: {name} {REFUSED}")
            return None
        arguments = {key: child for key, child in value.items() if key != "_target_"}
        skip = 1 if base in (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler) else 0
        if base is None and not _fits(found, name, annotation):
            self.add((*path, "_target_"), f"{dotted(path)}: must be {type_in_words(annotation)}, not what {name} makes")
            return None
        return Targeted(found, self.arguments(path, arguments, found, skip))

    def arguments(
        self, path: KeyPath, given: dict[str, Any], target: Callable[..., Any], skip: int = 0
    ) -> dict[str, Any]:
        """Return the arguments in ``given``, coerced by the signature of ``target``.

        The first ``skip`` are not for a config.
        """
        parameters = _parameters(target)
        for name in list(parameters)[:skip]:
            del parameters[name]
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        known = {
            name: parameter
            for name, parameter in parameters.items()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        }
        coerced: dict[str, Any] = {}
        for name, value in given.items():
            here = (*path, name)
            if name not in known and not open_ended:
                listed = ", ".join(known) or "none"
                hint = did_you_mean(name, known, prefix=f"{dotted(path)}.")
                self.add(here, f"unknown key {dotted(here)}{hint} {_name(target)} takes: {listed}")
                continue
            annotation = _hints(target).get(name, Any) if name in known else Any
            if name in known and known[name].default is None:
                annotation = Union[annotation, None]  # many write ``width: int = None``
            coerced[name] = self.value(here, value, annotation)
            self.specs(here, value, _hints(target, include_extras=True).get(name, Any))
        missing = [
            name for name, parameter in known.items() if parameter.default is parameter.empty and name not in given
        ]
        # Where an override has removed it, or named a class that needs it, that is to blame.
        removed = [(*path, name) for name in missing if (*path, name) in self.config.origins]
        target_path = (*path, "_target_")
        if missing:
            named = f"{dotted(path)}: {_name(target)} needs {', '.join(missing)}"
            self.add(removed[0] if removed else target_path if target_path in self.config.origins else path, named)
        return coerced

    def value(self, path: KeyPath, value: Any, annotation: Any) -> Any:
        if isinstance(value, dict) and "_target_" in value:
            return self.target(path, value, None, annotation)
        if isinstance(value, (dict, list)) and _has_target(value):
            # What holds targets is checked member by member.
            items: Any = value.items() if isinstance(value, dict) else enumerate(value)
            made = [(key, self.value((*path, key), child, _member(annotation))) for key, child in items]
            return dict(made) if isinstance(value, dict) else [child for _, child in made]
        try:
            coerced = coerce(value, annotation)
        except TypeError as error:
            self.add(path, f"{dotted(path)}: {error}")
            return value
        if isinstance(coerced, dict):
            return {key: self.value((*path, str(key)), child, Any) for key, child in coerced.items()}
        if isinstance(coerced, list):
            return [self.value((*path, index), child, Any) for index, child in enumerate(coerced)]
        return coerced

    def specs(self, path: KeyPath, value: Any, annotation: Any) -> None:
        """Add what is wrong with specs of activations, where they are declared: ``Annotated[str, ActivationSpec]``."""
        if isinstance(value, list):
            for index, child in enumerate(value):
                self.specs((*path, index), child, _member(annotation))
        elif isinstance(value, str) and _is_activation(annotation):
            try:
                resolve(value)
            except SpecError as error:
                self.add(path, f"{dotted(path)}: {error}")

    def trainer(self, value: Any) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.add(("trainer",), f"trainer holds arguments of lightning's Trainer, not {shown(value)}")
            return {}
        for name in [name for name in value if name in _TAKEN]:
            self.add(("trainer", name), f"trainer.{name} is not for a config: use {_TAKEN[name]}")
        given = {name: child for name, child in value.items() if name not in _TAKEN}
        coerced = self.arguments(("trainer",), given, L.Trainer)
        plain = {name: child for name, child in self.right(("trainer",), coerced).items() if not _is_targeted(child)}
        for name, message in refused_anywhere(plain):
            path = ("trainer", name) if name else ("trainer",)
            self.add(path, f"{dotted(path)}: {message}")
        return coerced

    def right(self, path: KeyPath, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments below a path with which nothing is wrong so far."""
        wrong = [problem.path[: len(path) + 1] for problem in self.problems if problem.path]
        return {name: value for name, value in arguments.items() if (*path, name) not in wrong}

    def swaps(self, value: Any) -> list[dict[str, Any]]:
        entries = [] if value is None else [value] if isinstance(value, dict) else value
        if not isinstance(entries, list):
            self.add(("swap",), f"swap is a list of {_words(ActivationSwap)}, not {shown(value)}")
            return []
        checked = []
        for index, entry in enumerate(entries):
            path: KeyPath = ("swap",) if isinstance(value, dict) else ("swap", index)
            if not isinstance(entry, dict):
                self.add(path, f"{dotted(path)} holds {_words(ActivationSwap)}, not {shown(entry)}")
                continue
            before = len(self.problems)
            arguments = self.arguments(path, entry, ActivationSwap)
            right = self.right(path, arguments)
            for old, new in right.pop("map", {}).items():
                self.pair(path, old, new)
            for name, child in right.items():
                beside = {"blend": right["blend"]} if name == "order" and "blend" in right else {}
                error: Exception | str | None = _refusal({"map": {"relu": "relu"}, **beside, name: child})
                if error is None and name == "where" and not _is_own_function(child):
                    error = f"where={child!r} {REFUSED}"
                if error is not None:
                    key = error.key if isinstance(error, ScheduleError) else None
                    self.add((*path, name) if key is None else (*path, name, key), f"{dotted(path)}: {error}")
            if len(self.problems) == before and (error := _refusal(arguments)) is not None:
                self.add((*path, "map"), f"{dotted(path)}: {error}")
            checked.append(arguments)
        return checked

    def pair(self, path: KeyPath, old: str, new: Any) -> None:
        """Add what is wrong with an activation, with each parameter of the other, or with both together."""
        with contextlib.suppress(SpecError):
            spec = ActivationSpec.parse(new) if isinstance(new, str) else None
            new = {"name": spec.name, **spec.parameters} if spec else new
        names = [name for name in new if name != "name"] if isinstance(new, dict) and "name" in new else []

        def make(without: set[str]) -> ActivationSwap:
            kept = {name: value for name, value in new.items() if name not in without} if names else new
            return ActivationSwap(map={"relu": kept})

        # Each mistake is told, not only the first; what is wrong with both together, if each alone is right.
        if (both := _refusal({"map": {old: new}})) is not None:
            alone = [_refusal({"map": {old: "relu"}}), *(error for _, error in refused_arguments(make, names))]
            for error in [error for error in alone if error is not None] or [both]:
                self.add((*path, "map", old), f"{dotted(path)}: {error}")

    def compile(self, value: Any) -> dict[str, Any] | None:
        if isinstance(value, bool) or value is None:
            return {} if value else None
        if not isinstance(value, dict):
            self.add(("compile",), f"compile is true, false or arguments of torch.compile, not {shown(value)}")
            return None
        arguments = self.arguments(("compile",), value, torch.compile, skip=1)
        backend = arguments.get("backend", "inductor")
        if isinstance(backend, str) and backend != "inductor":  # listing them imports the compiler
            existing = torch.compiler.list_backends(exclude_tags=())
            if backend not in existing:
                near = did_you_mean(backend, existing)
                self.add(("compile", "backend"), f"compile.backend: there is no backend {backend!r}{near}")
        return arguments

    def initialization(
        self, value: Any, model: Targeted | None, swaps: Sequence[dict[str, Any]]
    ) -> dict[str, Any] | None:
        path: KeyPath = ("initialization",)
        if value is None or value is False:
            return None
        if value is not True and not isinstance(value, dict):
            self.add(path, f"initialization is true, false or arguments of init_, not {shown(value)}")
            return None
        before = len(self.problems)
        arguments = {} if value is True else self.arguments(path, value, Initialization)
        if len(self.problems) > before or model is None:
            return None
        if model.arguments.get("pretrained"):
            self.add(path, "initialization: it would overwrite the pretrained weights of model.pretrained")
        if "activation" in arguments:
            specs = [arguments["activation"]]
        else:
            swapped = [new for swap in swaps for new in swap.get("map", {}).values()]
            specs = swapped or [model.arguments.get(name) for name in activation_arguments(model)]
        for spec in specs:
            if isinstance(spec, str):  # others, and the model's own, a fit knows
                try:
                    gain(spec, arguments.get("mode", "forward"))
                except SpecError as error:
                    self.add(path, f"initialization: {error}")
        return arguments

    def seed(self, value: Any) -> int:
        try:
            seed = coerce(value, int)
        except TypeError as error:
            self.add(("seed",), f"seed: {error}")
            return 0
        if not 0 <= seed < 2**32:
            self.add(("seed",), f"seed: {seed} does not lie between 0 and 2**32 - 1")
        return int(seed)

    def networks(self, model: Targeted | None) -> None:
        """Mistyped names of models are mistakes in the config, and found before the data are."""
        for argument in ("backbone", "encoder"):
            name = model.arguments.get(argument) if model else None
            if isinstance(name, str) and ":" in name:
                try:
                    check_model(name)
                except (ModelError, ImportError) as error:
                    self.add(("model", argument), f"model.{argument}: {error}")

    def sizes(self, model: Targeted | None, data: Targeted | None) -> None:
        """Add sizes that differ from those of the data's class, for models that can tell, as those of the zoo."""
        compare = getattr(model.target, "wrong_sizes", None) if model and data else None
        if model and data and callable(compare):
            defaults = {name: parameter.default for name, parameter in _parameters(model.target).items()}
            for name, message in compare({**defaults, **model.arguments}, data.target).items():
                self.add(("model", name), f"model.{name}: {message}")


def _refusal(swap: dict[str, Any]) -> Exception | None:
    """Return what is wrong with a swap, if anything is."""
    try:
        ActivationSwap(**swap)
    except (SpecError, SwapError, TypeError, ValueError) as error:
        return error
    return None


def _is_targeted(value: Any) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, Targeted) or any(map(_is_targeted, children))


def _has_target(value: dict[str, Any] | list[Any]) -> bool:
    children = value.values() if isinstance(value, dict) else value
    return any(isinstance(child, (dict, list)) and ("_target_" in child or _has_target(child)) for child in children)


def _member(annotation: Any) -> Any:
    """Return the declared type of what a container holds; Any where none is declared."""
    members = [
        typing.get_args(kind)[-1]
        for kind in _kinds(annotation)
        if typing.get_origin(kind) in (list, dict, set, collections.abc.Sequence, collections.abc.Mapping)
        and typing.get_args(kind)
    ]
    return Union[tuple(members)] if members else Any


def _kinds(annotation: Any) -> list[Any]:
    """Return the members of a union, or the annotation alone."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [kind for member in typing.get_args(annotation) for kind in _kinds(member)]
    return [annotation]


def _is_asked_for(target: Any, annotation: Any) -> bool:
    """Return whether a parameter is declared to take instances of this very class, or of one above it."""
    kinds = [kind for kind in _kinds(annotation) if isinstance(kind, type) and kind not in (object, *_PLAIN)]
    return isinstance(target, type) and any(
        _is_subclass(target, kind) for kind in kinds if kind.__module__ not in ("typing", "collections.abc", "builtins")
    )


def _fits(target: Any, name: str, annotation: Any) -> bool:
    """Return whether what a class or function makes can be what a parameter is declared to take, as far as one sees."""
    made = target if isinstance(target, type) else _hints(target).get("return")
    kinds = _kinds(annotation)
    if Any in kinds:
        return True
    if all(kind in _PLAIN for kind in kinds):
        return False
    classes = [kind for kind in kinds if isinstance(kind, type) and typing.get_origin(kind) is None]
    if not isinstance(made, type) or len(classes) < len(kinds) or object in classes:
        return True
    return any(_is_subclass(made, kind) for kind in classes)


def _is_own_function(name: str) -> bool:
    """Return whether a function of a site, ``module:function``, is one that a config may name."""
    path = name.replace(":", ".")
    return is_modeling(import_target(path), path)


def _is_subclass(made: type, kind: type) -> bool:
    try:
        return issubclass(made, kind)
    except TypeError:  # a protocol that can't be asked
        return True


def import_target(name: str) -> Any:
    """Return the class or function at an import path.

    Raises:
        ConfigError: There is none.
    """
    module_name, _, attribute = name.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(Problem(None, f"{name!r} is no import path, such as package.module.Class"))
    near = did_you_mean(module_name, ["lightning_acts.zoo", "lightning.pytorch.callbacks", "lightning.pytorch.loggers"])
    where = (
        f" (looked up in the current folder, {Path.cwd()}, and in what is installed; a file elsewhere is named by "
        "lightning-acts --import FILE.py, before the verb)"
    )
    try:
        found = import_name(module_name, attribute, near + where)
    except ImportPathError as error:
        raise ConfigError(Problem(None, str(error))) from error
    except Exception as error:
        raise ConfigError(Problem(None, f"{module_name} can't be imported: {type(error).__name__}: {error}")) from error
    if not callable(found):
        raise ConfigError(Problem(None, f"{name} is no class or function"))
    return found


def _parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(target).parameters)
    except ValueError:
        return {"kwargs": inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)}


def _words(target: Callable[..., Any]) -> str:
    *names, last = _parameters(target)
    return f"{', '.join(names)} and {last}"


def _hints(target: Callable[..., Any], include_extras: bool = False) -> dict[str, Any]:
    function: Any = vars(target).get("__init__", target.__init__) if isinstance(target, type) else target  # type: ignore[misc]
    try:
        return typing.get_type_hints(function, include_extras=include_extras)
    except Exception:  # names that exist only while types are checked: such a signature tells names, not types
        return {}


def _name(target: Any) -> str:
    return getattr(target, "__name__", repr(target))
