"""``lightning-acts``: one grammar for all verbs. torch is imported by the verbs that need it, when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lightning_acts.cli import activations, configs, listing, models, runs, studies
from lightning_acts.cli.arguments import Common
from lightning_acts.runs.console import errors_in_words
from lightning_acts.runs.importing import import_named


class _FlagsWithoutType:
    """Shows ``--json`` in the help as a flag, without the ``<bool>`` that typer puts behind it."""

    def get_params(self, context: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(context)  # type: ignore[misc]
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return parameters


class _Group(_FlagsWithoutType, TyperGroup):
    """All verbs."""


class _Verb(_FlagsWithoutType, TyperCommand):
    """One verb."""


app = typer.Typer(
    name="lightning-acts",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Activation functions for PyTorch Lightning: train from YAML, swap activations, look at them.

    Results go to stdout, everything else to stderr. Exit status: 0 success; 1 failure; 2 wrong usage or config;
    3 some runs failed; 130 interrupted.""",
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(version("lightning-acts"))
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks of errors")] = False,
    modules: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="a module or file that registers activations; can be repeated"),
    ] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    common = context.ensure_object(Common)
    common.debug, common.modules = debug, tuple(modules or ())
    for module in common.modules:
        import_named(module)


_VERBS: Mapping[str, Callable[..., None]] = {
    "train": runs.train,
    "resume": runs.resume,
    "eval": runs.evaluate,
    "predict": runs.predict,
    "export": runs.export,
    "report": runs.report,
    "search": studies.search,
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
    app.command(_name, cls=_Verb)(_verb)


def main() -> None:
    """Run a command; errors become messages and an exit status."""
    common = Common()
    with errors_in_words(lambda: common.debug):
        app(obj=common)
