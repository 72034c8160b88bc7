"""``lightning-acts``: one grammar for all verbs. torch is imported by the verbs that need it, when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from lightning_acts.cli import activations, configs, listing, models, runs
from lightning_acts.cli.arguments import Common
from lightning_acts.runs.console import errors_in_words
from lightning_acts.runs.importing import import_named

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


@app.callback()
def _common(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="a module, or a file, that registers activations; may be repeated"
        ),
    ] = None,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
) -> None:
    common = context.ensure_object(Common)
    common.debug, common.modules = debug, tuple(modules or ())
    if end_with_stdin:
        from lightning_acts.runs import seeds

        seeds.end_with_stdin()
    for module in common.modules:
        import_named(module)


_VERBS: Mapping[str, Callable[..., None]] = {
    "train": runs.train,
    "resume": runs.resume,
    "eval": runs.evaluate,
    "predict": runs.predict,
    "ls": listing.ls,
    "cat": configs.cat,
    "cp": configs.cp,
    "validate": configs.validate,
    "inspect": models.inspect,
    "swap": models.swap,
    "verify": models.verify,
    "show": activations.show,
    "compare": activations.compare,
    "check": activations.check,
    "gallery": activations.gallery,
}
for _name, _verb in _VERBS.items():
    app.command(_name)(_verb)


def main() -> None:
    """The console script: runs a command, and turns errors into words and an exit status."""
    common = Common()
    with errors_in_words(lambda: common.debug):
        app(obj=common)
