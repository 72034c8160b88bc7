"""Arguments and options that several verbs take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lightning_acts.cli import completion


@dataclass
class Common:
    """Options given before the verb; passed on as the object of the context."""

    debug: bool = False
    modules: tuple[str, ...] = ()


ConfigArguments = Annotated[
    list[str],
    typer.Argument(
        metavar="CONFIG... [KEY=VALUE...]",
        help="names or paths of configs, then overrides such as seed=1",
        autocompletion=completion.configs,
    ),
]
Folders = Annotated[
    list[Path] | None, typer.Option("--config-dir", help="a folder with your own configs; can be repeated")
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="torchvision:NAME, timm:NAME, hf:NAME_OR_FOLDER, package.module:callable, or the folder of a run",
        autocompletion=completion.models,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="shape of an example input: 1,3,224,224 or 1,16:long or mask=1,16:bool; repeat for several inputs",
    ),
]
Weights = Annotated[
    str | None, typer.Option(help="'default', a name the library knows, or a file; random weights if not given")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="the folder of a run", autocompletion=completion.runs)]
