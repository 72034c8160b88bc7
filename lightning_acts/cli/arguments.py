"""Arguments and options that several verbs take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass
class Common:
    """What was said before the verb; the command line passes it on as the context's object."""

    debug: bool = False
    modules: tuple[str, ...] = ()


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
