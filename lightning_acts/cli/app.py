"""``lightning-acts``: one grammar for all verbs. torch is imported by the verbs that need it, when they run."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightning_acts.hints import shortened
from lightning_acts.runs.reading import ConfigError, Origin, Problem, shown_path

if TYPE_CHECKING:
    from torch import nn

    from lightning_acts.runs.checking import Checked
    from lightning_acts.runs.config import Config
    from lightning_acts.runs.folder import RunFolder

app = typer.Typer(
    name="lightning-acts",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Activation functions for PyTorch Lightning: train from YAML, swap activations, look at them.

    Results go to stdout, the rest to stderr. Exit status: 0; 1 failure; 2 usage or config; 3 some runs failed;
    130 interrupted.""",
)

ConfigArguments = Annotated[
    list[str], typer.Argument(metavar="CONFIG... [KEY=VALUE...]", help="names or paths of configs, then overrides")
]
Folders = Annotated[
    list[Path] | None, typer.Option("--config-dir", help="a folder of configs of your own; may be repeated")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="torchvision:NAME, timm:NAME, hf:NAME_OR_FOLDER, package.module:callable, or a run"
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="SHAPE", help="1,3,224,224 or 1,16:long or mask=1,16:bool; repeat it for several"),
]
Weights = Annotated[str | None, typer.Option(help="default, a name of weights, or a file; none if nothing is said")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="the folder of a run")]


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="a module, or a file, that registers activations; may be repeated"
        ),
    ] = None,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
) -> None:
    _DEBUG.append(debug)
    if end_with_stdin:
        from lightning_acts.runs import seeds

        seeds.end_with_stdin()
    for module in modules or []:
        _import(module)
        _IMPORTED.append(module)


_DEBUG: list[bool] = []
_IMPORTED: list[str] = []


@app.command()
def train(
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
        _train_seeds(config, seeds, out, config_dir or [], as_json)
        return
    checked = _checked(config, config_dir or [])
    from lightning_acts.runs import training

    if dry_run:
        typer.echo(training.dry_run(checked))
        return
    result = training.train(checked, out, lambda folder: typer.echo(f"run: {folder}", err=True))
    _show_result(result, as_json)


@app.command()
def resume(
    run: Run,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE...]")] = None,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted, or for longer.

    `lightning-acts resume runs/digits/20261124-120000-mish-s0-1a2b3c trainer.max_epochs=20`
    """
    from lightning_acts.runs.reading import dotted

    folder, old = _opened(run)
    _, new = _opened(run, overrides or [])
    checked = _check(new)
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


@app.command("eval")
def evaluate(run: Run, as_json: Json = False) -> None:
    """The metrics of a run's best checkpoint on the test data; stderr says which that is.

    `lightning-acts eval runs/digits/20261124-120000-mish-s0-1a2b3c --json`
    """
    from lightning_acts.runs import training

    folder, config = _opened(run)
    _say_checkpoint(folder)
    _show_metrics(training.evaluate(_check(config), folder), as_json)


@app.command()
def predict(
    run: Run,
    out: Annotated[Path, typer.Option(help="the file to write: .csv, or .pt for tensors")] = Path("predictions.csv"),
) -> None:
    """Write what a run's best checkpoint predicts for the data module's predict data.

    `lightning-acts predict runs/digits/20261124-120000-mish-s0-1a2b3c --out predictions.csv`
    """
    from lightning_acts.runs import training

    folder, config = _opened(run)
    _say_checkpoint(folder)
    count = training.predict(_check(config), folder, out)
    typer.echo(f"{count} predictions are in {out}")


@app.command()
def ls(
    what: Annotated[str, typer.Argument(help="configs, activations, models or data")] = "configs",
    pattern: Annotated[str, typer.Argument(metavar="[GLOB]")] = "*",
    family: Annotated[str | None, typer.Option(help="activations of this family")] = None,
    kind: Annotated[str | None, typer.Option(help="elementwise, normalising, gated, mixing or transfer")] = None,
    learnable: Annotated[bool | None, typer.Option(help="with trained parameters")] = None,
    stochastic: Annotated[bool | None, typer.Option(help="random in training")] = None,
    monotone: Annotated[bool | None, typer.Option(help="never decreasing")] = None,
    bounded: Annotated[bool | None, typer.Option(help="bounded on both sides")] = None,
    smooth: Annotated[bool | None, typer.Option(help="continuously differentiable")] = None,
    zero_centred: Annotated[bool | None, typer.Option(help="mean 0 for a normal input")] = None,
    needs_exp: Annotated[bool | None, typer.Option(help="made of exponentials")] = None,
    stability: Annotated[
        str | None, typer.Option(help="of the variance in depth: stable, marginal or unstable")
    ] = None,
    config_dir: Folders = None,
    as_json: Json = False,
) -> None:
    """What there is: configs, activations, models, data.

    `lightning-acts ls activations "*elu" --smooth` · `lightning-acts ls models "torchvision:*net*"`
    """
    filters = {
        "family": family,
        "kind": kind,
        "learnable": learnable,
        "stochastic": stochastic,
        "monotone": monotone,
        "bounded": bounded,
        "smooth": smooth,
        "zero_centred": zero_centred,
        "needs_exp": needs_exp,
        "stability": stability,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    if given and what != "activations":
        option = next(iter(given)).replace("_", "-")
        raise ConfigError(Problem(None, f"--{option} is for activations: lightning-acts ls activations --{option} ..."))
    listed = _listed(what, config_dir or [], given)
    found = {name: about for name, about in listed.items() if fnmatch.fnmatchcase(name, pattern)}
    if not found:
        raise ConfigError(Problem(None, f"none of the {len(listed)} {what} is like {pattern!r}"))
    if as_json:
        typer.echo(json.dumps([{"name": name, "about": about} for name, about in found.items()], indent=2))
        return
    width = max(map(len, found))
    for name, about in found.items():
        typer.echo(f"{name:<{width}}  {about}".rstrip())


@app.command()
def cat(
    config: Annotated[list[str] | None, typer.Argument(metavar="CONFIG... [KEY=VALUE...]")] = None,
    config_dir: Folders = None,
    schema: Annotated[bool, typer.Option("--schema", help="the JSON schema of configs, for editors")] = False,
    as_json: Json = False,
) -> None:
    """The resolved config, and where each value comes from.

    `lightning-acts cat digits trainer.max_epochs=3` · `lightning-acts cat --schema > schema.json`
    """
    if schema:
        from lightning_acts.runs.checking import json_schema

        typer.echo(json.dumps(json_schema(), indent=2))
        return
    if not config:
        raise ConfigError(Problem(None, "cat needs a config: lightning-acts cat digits"))
    from lightning_acts.runs.config import with_comments

    loaded = _loaded(config, config_dir or [])
    typer.echo(json.dumps(loaded.data, indent=2) if as_json else with_comments(loaded), nl=as_json)


@app.command()
def cp(
    name: Annotated[str, typer.Argument(help="a config that ships")],
    dest: Annotated[Path, typer.Argument(help="a file, or a folder")] = Path(),
) -> None:
    """Copy a config that ships, to make it one's own.

    `lightning-acts cp digits mine.yaml`
    """
    from lightning_acts.runs.config import find

    source = find(name)
    target = dest / source.name if dest.is_dir() else dest
    try:
        with target.open("x", encoding="utf-8") as file, source.open(encoding="utf-8") as original:
            shutil.copyfileobj(original, file)
    except FileExistsError:
        raise ConfigError(Problem(None, f"{target} exists, and is not overwritten")) from None
    except OSError as error:
        raise ConfigError(Problem(None, f"{target} can't be written: {error.strerror}")) from None
    typer.echo(target)


@app.command()
def validate(config: ConfigArguments, config_dir: Folders = None) -> None:
    """Check a config: every problem at once, nothing is built.

    `lightning-acts validate mine.yaml`
    """
    checked = _checked(config, config_dir or [])
    typer.echo(f"{checked.config.name}: all is well")


@app.command()
def inspect(
    model: Model,
    inputs: Inputs = None,
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Where a model applies activations, which, and in which role.

    `lightning-acts inspect torchvision:mobilenet_v3_small --input 1,3,224,224` · `lightning-acts inspect hf:my_bert --input 1,16:long`
    """
    from lightning_acts.cli.showing import site_tree

    example = _example(inputs or [])
    built = _built(model, weights)
    from lightning_acts.surgery.finding.sites import find

    sites = find(built.eval(), example)
    if as_json:
        typer.echo(json.dumps([site.to_dict() for site in sites], indent=2))
    else:
        site_tree(model, sites)


@app.command()
def swap(
    model: Model,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="OLD=NEW", help="relu=mish; OLD may be a path or pattern, NEW may be none; repeat it"
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="the plan of an earlier swap, in the place of --map")] = None,
    include: Annotated[list[str] | None, typer.Option(help="only sites on these paths: exact, glob or re:")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="no sites on these paths: exact, glob or re:")] = None,
    role: Annotated[list[str] | None, typer.Option(help="hidden (if nothing is said), gate, attention, output")] = None,
    share: Annotated[
        str | None, typer.Option(help="instances of a replacement: one for each call, place, site (default), or all")
    ] = None,
    write_back: Annotated[
        bool, typer.Option(help="write into the input what a call in place wrote there, where somebody reads it")
    ] = True,
    inputs: Inputs = None,
    weights: Weights = None,
    out: Annotated[
        Path | None,
        typer.Option(help="the weights: .pt or .safetensors, or a folder for models of transformers"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite what is there")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be swapped; write nothing")] = False,
    as_json: Json = False,
) -> None:
    """Swap activations of a model, show what was swapped and what was left, and write weights and swaps.

    The swaps are beside the weights, in `model.swap.json` for `model.pt`: wherever MODEL and weights are named, they
    come back with them.

    `lightning-acts swap torchvision:resnet18 --map relu=mish --weights default --out model.pt` ·
    `lightning-acts swap timm:efficientnet_b0 --map "silu=hardswish" --exclude "*.se.*" --dry-run`
    """
    if (mapping is None) == (plan is None):
        raise ConfigError(Problem(None, "swap needs --map or --plan, one of them: --map relu=mish"))
    if out is None and not dry_run:
        raise ConfigError(Problem(None, "swap needs a file for the weights, --out model.pt; or --dry-run"))
    pairs = dict(map(_pair, mapping or []))
    example = _example(inputs or [])
    from lightning_acts.models import check_target, save
    from lightning_acts.surgery.plan import Plan
    from lightning_acts.surgery.swapping import swap as make_swap

    loaded = None if plan is None else Plan.load(plan)
    if out is not None:
        check_target(out, force)
    built = _built(model, weights).eval()
    given: dict[str, Any] = {"include": include, "exclude": exclude, "role": role, "share": share}
    options = {name: value for name, value in given.items() if value}
    if not write_back:
        options["write_back"] = False
    report = make_swap(built, loaded or pairs, example_input=example, **options)
    typer.echo(report.to_json() if as_json else str(report))
    if out is not None and not dry_run:
        for what, path in save(built, out, overwrite=force).items():
            typer.echo(f"{what}: {path}", err=as_json)


@app.command()
def verify(
    model: Model,
    inputs: Inputs = None,
    weights: Weights = None,
) -> None:
    """Prove the swaps of a model by what it executes, in eval and in train mode.

    `lightning-acts verify torchvision:resnet18 --weights model.pt --input 2,3,64,64` · `lightning-acts verify runs/digits/... --input 2,1,8,8`
    """
    example = _example(inputs or [])
    if example is None:
        raise ConfigError(Problem(None, "verify needs an input to run the model on: --input 2,3,64,64"))
    from lightning_acts.surgery.verifying import verify as verify_swaps

    typer.echo(str(verify_swaps(_built(model, weights), example)))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="an activation, with parameters if you like: elu(alpha=0.5)")],
    picture: Annotated[Path | None, typer.Option(help="a file for a picture of it")] = None,
    as_json: Json = False,
) -> None:
    """Facts about an activation, its formula and its curve.

    `lightning-acts show mish` · `lightning-acts show "elu(alpha=0.5)" --picture elu.png`
    """
    from lightning_acts.cli.showing import activation_facts, draw_in_terminal
    from lightning_acts.reports.pictures import plot_activations

    activation = _activation(name)
    facts = activation_facts(activation)
    if as_json:
        typer.echo(json.dumps(facts.data, indent=2))
    else:
        typer.echo(facts.text)
        if facts.data["nearest"]:
            typer.echo(f"  {'nearest:':<12}{', '.join(facts.data['nearest'])}")
        draw_in_terminal(activation)
    if picture is not None:
        plot_activations([activation], picture)
        typer.echo(f"picture: {picture}", err=as_json)


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="A B...", help="activations")],
    out: Annotated[Path, typer.Option(help="the picture to write")] = Path("compare.png"),
) -> None:
    """How far activations are from the first one, in value and derivatives, and a picture of all of them.

    `lightning-acts compare silu hardswish mish --out swishes.png`
    """
    from lightning_acts.factory import resolve
    from lightning_acts.reports.comparison import compare as compared
    from lightning_acts.reports.pictures import plot_activations

    first, *others = (resolve(_activation(name)) for name in names)
    if not others:
        raise ConfigError(Problem(None, "compare needs two activations at least: lightning-acts compare silu mish"))
    for comparison in [compared(other, against=first) for other in others]:
        typer.echo(str(comparison))
    typer.echo(f"picture: {plot_activations([first, *others], out)}")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="an activation, or package.module:function")],
    deployed: Annotated[bool, typer.Option("--deployed", help="with Inductor and ONNX Runtime too")] = False,
    as_json: Json = False,
) -> None:
    """The tests that our own activations pass, on any: accuracy in every type, and behaviour in all of torch's uses.

    `lightning-acts check mish` · `lightning-acts check my_package.my_module:my_activation --deployed`
    """
    from lightning_acts.catalogue import info
    from lightning_acts.checks import deployment
    from lightning_acts.checks.running import check as run_checks
    from lightning_acts.factory import resolve_pattern

    spec = resolve_pattern(_activation(name))
    definition = info(spec)
    typer.echo(f"checking {definition.name}, which takes some seconds", err=True)
    for what in deployment.CHECKS if deployed else ():
        if (needed := deployment.missing(what)) is not None:
            typer.echo(f"{what} is not checked: it needs {needed}", err=True)
    defects = run_checks(definition, spec.parameters, deployed=deployed)
    if as_json:
        found = [{"check": defect.check, "what": defect.what} for defect in defects]
        typer.echo(json.dumps({"name": definition.name, "defects": found, "limits": dict(definition.limits)}, indent=2))
    else:
        for what, reason in definition.limits.items():
            typer.echo(f"declared limit: {what}: {reason}")
        for defect in defects:
            typer.echo(f"falls short: {defect}")
        typer.echo(f"{definition.name}: {len(defects)} defects" if defects else f"{definition.name}: without defects")
    if defects:
        raise typer.Exit(1)


@app.command()
def gallery(
    out: Annotated[Path, typer.Option(help="the folder of the page")] = Path("gallery"),
    index: Annotated[
        Path | None, typer.Option(help="a Markdown file: write the table of the docs there instead", metavar="FILE.md")
    ] = None,
) -> None:
    """One page of all activations, to search and to filter: curves, formulas, facts. It needs no network.

    `lightning-acts gallery --out gallery` · `lightning-acts gallery --index docs/activations.md`
    """
    from lightning_acts.reports.gallery import write_gallery, write_index

    typer.echo(f"page: {write_gallery(out) if index is None else write_index(index)}")


def main() -> None:
    """The console script: runs a command, and turns errors into words and an exit status."""
    with _errors_in_words():
        app()


@contextlib.contextmanager
def _errors_in_words() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader of our output has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if any(_DEBUG):
            raise
        own = type(error).__module__.startswith("lightning_acts.")
        in_words = str(error) if own or isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        hint = "" if own else "\n(lightning-acts --debug, before the verb, shows where)"
        typer.echo(shortened(in_words) + hint, err=True)
        # Ours are ValueErrors where what was given is wrong.
        sys.exit(getattr(error, "exit_status", 2 if own and isinstance(error, ValueError) else 1))


def _loaded(arguments: Sequence[str], folders: Sequence[Path]) -> Config:
    config, problems = _collected(arguments, folders)
    if problems:
        raise ConfigError(*problems)
    return config


def _collected(arguments: Sequence[str], folders: Sequence[Path]) -> tuple[Config, list[Problem]]:
    from lightning_acts.runs.config import collect

    is_override = [
        ("=" in argument or argument.startswith("~")) and not Path(argument).exists() for argument in arguments
    ]
    files = [argument for argument, override in zip(arguments, is_override, strict=True) if not override]
    overrides = [argument for argument, override in zip(arguments, is_override, strict=True) if override]
    if not files:
        raise ConfigError(
            Problem(Origin("command line"), "a config is needed before its overrides: train digits seed=1")
        )
    return collect(files, overrides, folders)


def _checked(arguments: Sequence[str], folders: Sequence[Path]) -> Checked:
    return _check(*_collected(arguments, folders))


def _check(config: Config, problems: Sequence[Problem] = ()) -> Checked:
    _import_from_here()
    from lightning_acts.runs.checking import check_config

    return check_config(config, problems)


def _built(model: str, weights: str | None) -> nn.Module:
    """The model that MODEL names, which may be a run."""
    _import_from_here()
    if not Path(model).is_dir():
        from lightning_acts.models import build

        return build(model, weights=weights)
    if weights is not None:
        raise ConfigError(Problem(None, f"--weights {weights}: {model} is a run, and has weights of its own"))
    from lightning_acts.runs import training

    folder, config = _opened(model)
    return training.trained_model(_check(config), folder)


def _opened(run: str, overrides: Sequence[str] = ()) -> tuple[RunFolder, Config]:
    """The folder of a run, and its config under the name that it was started with."""
    from lightning_acts.runs import folder as folders
    from lightning_acts.runs.config import load

    folder = folders.open_run(run)
    return folder, dataclasses.replace(load([str(folder.config)], overrides), name=folder.name())


def _say_checkpoint(folder: RunFolder) -> None:
    typer.echo(f"checkpoint: {shown_path(folder.best)}", err=True)


def _pair(text: str) -> tuple[str, str | None]:
    """``OLD=NEW``, split at the last ``=`` outside parentheses: both may have parameters."""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if text[at] == "=" and depth == 0:
            new = text[at + 1 :]
            return text[:at], None if new.lower() == "none" else new
    raise ConfigError(Problem(None, f"--map {text}: OLD=NEW, such as relu=mish"))


_INPUT = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<sizes>[1-9]\d*(?:,[1-9]\d*)*)(?::(?P<dtype>\w+))?")


def _example(texts: Sequence[str]) -> Any:
    """Zeros of the given shapes and types: a tensor, a tuple of them, or a mapping where they are named."""
    if not texts:
        return None
    parsed = [_INPUT.fullmatch(text.replace(" ", "")) for text in texts]
    for text, match in zip(texts, parsed, strict=True):
        if match is None:
            raise ConfigError(
                Problem(None, f"--input {text}: a shape is whole numbers with commas, such as 1,3,224,224 or 1,16:long")
            )
    import torch

    found: list[tuple[str | None, Any]] = []
    for text, match in zip(texts, parsed, strict=True):
        assert match is not None
        dtype = getattr(torch, match["dtype"] or "float32", None)
        if not isinstance(dtype, torch.dtype):
            raise ConfigError(
                Problem(None, f"--input {text}: torch has no type {match['dtype']!r}; long, say, or bool")
            )
        found.append((match["name"], torch.zeros([int(size) for size in match["sizes"].split(",")], dtype=dtype)))
    names = [name for name, _ in found]
    if None not in names and len(set(names)) == len(names):
        return dict(found)
    if any(names):
        raise ConfigError(Problem(None, f"--input {' --input '.join(texts)}: all have a name of their own, or none"))
    return found[0][1] if len(found) == 1 else tuple(tensor for _, tensor in found)


def _activation(name: str) -> str:
    """A spec as it is; for an import path the name of the registered activation to which it leads."""
    path, colon, attribute = name.partition(":")
    if not colon or "(" in path:
        return name
    from lightning_acts.factory import resolve
    from lightning_acts.models import imported

    _import_from_here()
    return str(resolve(imported(path, attribute)))


def _import(module: str) -> None:
    """Import a module of the user's by its name or its file."""
    import importlib

    path = Path(module)
    name = path.stem if path.suffix == ".py" else module
    if path.suffix == ".py":
        if not path.is_file():
            raise ConfigError(Problem(None, f"--import {module}: there is no such file"))
        sys.path.insert(0, str(path.parent.resolve()))
    _import_from_here()
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(Problem(None, f"--import {module}: there is no module {error.name!r}")) from None


def _import_from_here() -> None:
    """Import paths are looked up in the current folder too, as python -m does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _listed(what: str, folders: Sequence[Path], filters: dict[str, Any]) -> dict[str, str]:
    from lightning_acts.hints import did_you_mean

    if what == "configs":
        from lightning_acts.runs.config import first_comment, named

        return {name: first_comment(path) for name, path in named(folders).items()}
    if what == "activations":
        from lightning_acts.catalogue import info, names

        return {name: info(name).formula or "" for name in names(**filters)}
    if what == "models":
        from lightning_acts.models import names as model_names

        return dict.fromkeys(model_names(), "")
    if what == "data":
        from lightning_acts.cli.showing import data_modules

        return data_modules()
    kinds = ("configs", "activations", "models", "data")
    raise ConfigError(
        Problem(None, f"there is no list of {what!r}{did_you_mean(what, kinds)} There are: {', '.join(kinds)}")
    )


def _train_seeds(arguments: list[str], seeds: str, out: Path, folders: list[Path], as_json: bool) -> None:
    numbers = seeds.split(",")
    if not all(number.strip().isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
        raise ConfigError(Problem(None, f"--seeds {seeds}: different whole numbers with commas, such as 0,1,2"))
    checked = _checked(arguments, folders)
    from lightning_acts.runs.seeds import run_seeds

    options = [part for folder in folders for part in ("--config-dir", str(folder))]
    imports = [part for module in _IMPORTED for part in ("--import", module)]
    table, failed = run_seeds(checked, [int(number) for number in numbers], arguments, options, out, imports)
    if as_json:
        typer.echo(json.dumps(table.to_dict(), indent=2))
    else:
        table.show()
    if failed:
        sys.exit(3)


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
