"""Verbs about models: inspect, swap, verify."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightning_acts.cli import completion
from lightning_acts.cli.arguments import Inputs, Json, Model, Weights
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.reading import ConfigError, Problem

if TYPE_CHECKING:
    from torch import nn


def inspect(
    model: Model,
    inputs: Inputs = None,
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Show where a model applies activations, which ones, and in which role.

    `lightning-acts inspect torchvision:mobilenet_v3_small --input 1,3,224,224` · `lightning-acts inspect hf:my_bert --input 1,16:long`
    """
    from lightning_acts.cli.showing import site_tree

    example = _example(inputs or [])
    built = build_model(model, weights)
    from lightning_acts.surgery.finding.sites import find

    sites = find(built.eval(), example)
    if as_json:
        typer.echo(json.dumps([site.to_dict() for site in sites], indent=2))
    else:
        site_tree(model, sites)


def swap(
    context: typer.Context,
    model: Model,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OLD=NEW",
            help="relu=mish; OLD can be a path or a pattern, NEW can be none; can be repeated",
            autocompletion=completion.pairs,
        ),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="a file of earlier swaps, such as model.swap.json, instead of --map")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="only sites on these paths: exact, glob or re:REGEX; can be repeated")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="no sites on these paths: exact, glob or re:REGEX; can be repeated")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="roles to swap: hidden (default), gate, attention, output; can be repeated")
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(help="one instance of the replacement per call, place or site (default), or one for all"),
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="only sites for which this function is true")
    ] = None,
    write_back: Annotated[
        bool | None,
        typer.Option(help="after an in-place call, write the result into its input too if that is read later"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="how the replacements are run: torch, eager, lean, lean(bits=2), compiled or auto"),
    ] = None,
    inputs: Inputs = None,
    weights: Weights = None,
    out: Annotated[
        Path | None,
        typer.Option(help="file for the weights: .pt or .safetensors, or a folder for transformers models"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite existing files")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be swapped; write nothing")] = False,
    as_json: Json = False,
) -> None:
    """Swap activations of a model, report what was swapped and what was left, and write weights and swaps.

    The swaps are written beside the weights, to `model.swap.json` for `model.pt`, and are made again whenever those
    weights are loaded.

    `lightning-acts swap torchvision:resnet18 --map relu=mish --weights default --out model.pt` ·
    `lightning-acts swap timm:efficientnet_b0 --map "silu=hardswish" --exclude "*.se.*" --dry-run`
    """
    if (mapping is None) == (plan is None):
        raise ConfigError(Problem(None, "swap needs either --map or --plan, for example --map relu=mish"))
    if out is None and not dry_run:
        raise ConfigError(Problem(None, "swap needs a file for the weights, such as --out model.pt; or --dry-run"))
    pairs = dict(map(_pair, mapping or []))
    example = _example(inputs or [])
    from lightning_acts.models import check_target, save
    from lightning_acts.surgery.request import OPTIONS
    from lightning_acts.surgery.saving import read_plans
    from lightning_acts.surgery.swapping import replay
    from lightning_acts.surgery.swapping import swap as make_swap

    plans = [] if plan is None else read_plans(plan)
    if out is not None:
        check_target(out, force)
    built = build_model(model, weights).eval()
    options: Any = {name: context.params[name] for name in OPTIONS if context.params[name] not in (None, ())}
    if len(plans) > 1:
        if options or example is not None:
            raise ConfigError(
                Problem(None, f"{plan} holds {len(plans)} swaps, beside which no other option has a place")
            )
        reports = replay(built, plans)
    else:
        reports = [make_swap(built, plans[0] if plans else pairs, example_input=example, **options)]
    for report in reports:
        typer.echo(report.to_json() if as_json else str(report))
    if out is not None and not dry_run:
        for what, path in save(built, out, overwrite=force).items():
            typer.echo(f"{what}: {path}", err=as_json)


def verify(
    model: Model,
    inputs: Inputs = None,
    weights: Weights = None,
) -> None:
    """Verify the swaps of a model by the operations it executes, in eval and in train mode.

    `lightning-acts verify torchvision:resnet18 --weights model.pt --input 2,3,64,64` · `lightning-acts verify runs/digits/... --input 2,1,8,8`
    """
    example = _example(inputs or [])
    if example is None:
        raise ConfigError(Problem(None, "verify needs an input to run the model on: --input 2,3,64,64"))
    from lightning_acts.surgery.verifying import verify as verify_swaps

    typer.echo(str(verify_swaps(build_model(model, weights), example)))


def build_model(model: str, weights: str | None) -> nn.Module:
    """Build the model that MODEL names; it may be a run."""
    if not Path(model).is_dir():
        import_from_here()
        from lightning_acts.models import build

        return build(model, weights=weights)
    if weights is not None:
        raise ConfigError(Problem(None, f"--weights {weights}: {model} is a run and has its own weights"))
    from lightning_acts.runs.training import model_of_run

    return model_of_run(model)


def _pair(text: str) -> tuple[str, str | None]:
    """Split ``OLD=NEW`` at the last ``=`` outside parentheses: both may have parameters."""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if text[at] == "=" and depth == 0:
            new = text[at + 1 :]
            return text[:at], None if new.lower() == "none" else new
    raise ConfigError(Problem(None, f"--map {text}: expected OLD=NEW, such as relu=mish"))


_INPUT = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<sizes>[1-9]\d*(?:,[1-9]\d*)*)(?::(?P<dtype>\w+))?")


def _example(texts: Sequence[str]) -> Any:
    """Return zeros of the given shapes and types: a tensor, a tuple, or a mapping if they are named."""
    if not texts:
        return None
    parsed = [_INPUT.fullmatch(text.replace(" ", "")) for text in texts]
    for text, match in zip(texts, parsed, strict=True):
        if match is None:
            raise ConfigError(Problem(None, f"--input {text}: expected a shape, such as 1,3,224,224 or 1,16:long"))
    import torch

    found: list[tuple[str | None, Any]] = []
    for text, match in zip(texts, parsed, strict=True):
        assert match is not None
        dtype = getattr(torch, match["dtype"] or "float32", None)
        if not isinstance(dtype, torch.dtype):
            raise ConfigError(
                Problem(None, f"--input {text}: torch has no type {match['dtype']!r}; use long or bool, for example")
            )
        found.append((match["name"], torch.zeros([int(size) for size in match["sizes"].split(",")], dtype=dtype)))
    names = [name for name, _ in found]
    if None not in names and len(set(names)) == len(names):
        return dict(found)
    if any(names):
        raise ConfigError(
            Problem(None, f"--input {' --input '.join(texts)}: give each input its own name, or none of them")
        )
    return found[0][1] if len(found) == 1 else tuple(tensor for _, tensor in found)
