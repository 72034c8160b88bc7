"""``python -m lightning_acts.runs.worker FOLDER``: the process that runs the request in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_acts.runs.console import errors_in_words
from lightning_acts.runs.importing import import_from_here, import_named
from lightning_acts.runs.process import end_with_stdin, read_request, tell_folder

if TYPE_CHECKING:
    from lightning_acts.runs.folder import RunFolder


def main(exchange: Path) -> None:
    """Train, resume or try as the request says, and tell which folder the run has."""
    end_with_stdin()  # before torch is imported, which takes seconds
    request = read_request(exchange)
    import_from_here()
    for module in request.modules:
        import_named(module)
    from lightning_acts.runs import training
    from lightning_acts.runs.checking import check_config
    from lightning_acts.runs.folder import RunFolder

    def started(folder: RunFolder) -> None:
        tell_folder(exchange, folder.path)
        folder.write("env.json", {**folder.read("env.json"), "command": list(request.command)})
        _say(folder)

    checked = check_config(request.config, ())
    if request.dry:
        training.dry_run(checked, request.metrics)
        return
    if request.resumed is None:
        result = training.train(checked, request.out, started, tested=request.tested)
    else:
        folder = RunFolder(request.resumed)
        tell_folder(exchange, folder.path)
        _say(folder)
        result = training.resume(checked, folder, tested=request.tested)
    _say(result.folder)


def _say(folder: RunFolder) -> None:
    from lightning_acts.runs.training import is_main

    if is_main():
        print(f"run: {folder}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    with errors_in_words():
        try:
            main(Path(sys.argv[1]))
        except KeyboardInterrupt:  # before the training has begun
            sys.exit(130)
