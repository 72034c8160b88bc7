"""Runs that are not trained: their metrics are drawn from what a test says, and written as a run writes them."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning_acts.runs import folder
from lightning_acts.runs.folder import RunFolder, create_run
from lightning_acts.spec import ActivationSpec
from lightning_acts.studies import search
from lightning_acts.studies.plan import plan
from lightning_acts.studies.search import Study


def score(config: dict[str, Any], quality: dict[str, float]) -> float:
    """The quality of the activation, less for another learning rate than 0.003, and what its seed makes of it.

    With swaps, the qualities of what they bring are added up: ``mish1`` is that of mish in the second.
    """
    swaps = [new for swap in config.get("swap", []) for new in swap["map"].values()]
    names = [ActivationSpec.parse(one).name for one in swaps or [config["model"]["activation"]]]
    name = " ".join(names)
    seed = config.get("seed", 0)
    common = random.Random(seed).gauss(0, 0.02)
    own = random.Random(f"{name} {seed}").gauss(0, 0.005)
    off = abs(math.log10(config["model"].get("lr", 0.003) / 0.003))
    gained = sum(quality.get(one, 0.0) + quality.get(f"{one}{place}", 0.0) for place, one in enumerate(names))
    return 0.8 + gained - 0.02 * off + common + own


class Simulated:
    """Takes the place of ``run_config``, of the test, and of what tells whether there is one."""

    def __init__(self, quality: dict[str, float], pause: float = 0.0) -> None:
        self.quality, self.pause = quality, pause
        self.latency: dict[str, float] = {}
        self.runs: list[dict[str, Any]] = []
        self.before: Callable[[int], None] = lambda number: None
        self.breaks: Callable[[dict[str, Any], int], bool] = lambda config, epoch: False

    def run_config(
        self,
        config: Any,
        earlier: Any,
        out: Path,
        modules: Any = (),
        *,
        tested: bool = True,
        watch: Any = None,
        said: Any,
    ) -> RunFolder | None:
        assert not tested
        self.runs.append(config.data)
        made: RunFolder = earlier or create_run(out, config, config.data.get("seed", 0), "simulated")
        said.write_text("said by the run\n")
        self.before(len(self.runs))
        last, rows = score(config.data, self.quality), []
        if math.isnan(last):
            return None
        epochs = config.data["trainer"]["max_epochs"]
        for epoch in range(epochs):
            if self.breaks(config.data, epoch):
                made.set_status("failed")
                return None
            time.sleep(self.pause)
            value = last - (0.1 * 0.5**epoch if epoch + 1 < epochs else 0)
            rows.append({"epoch": epoch, "step": epoch, "val/acc": value, "val/loss": 1 - value})
            if epoch + 1 == epochs and "costs" in config.data["callbacks"]:
                spec = ActivationSpec.parse(config.data["model"]["activation"])
                rows[-1]["cost/latency"] = self.latency.get(spec.name, 1.0)
            made.write_rows(rows)
            if watch and watch(made.path):
                made.set_status("interrupted")
                return made
        made.set_status("finished")
        return made

    def evaluate(self, checked: Any, run: RunFolder) -> dict[str, float]:
        return {"test/acc": score(checked.config.data, self.quality) - 0.01}

    def install(self, patch: Callable[[Any, str, Any], None]) -> None:
        patch(search, "run_config", self.run_config)
        patch(search, "try_config", lambda *_: True)
        patch(search, "evaluate", self.evaluate)
        patch(search, "has_test", lambda checked: True)
        patch(folder, "environment", dict)  # it asks git


def main(config: str, out: str, kill_at: int, storage: str | None = None) -> None:
    """A worker of a study; kills itself in the middle of a run, if it is told in which, once another one runs beside it."""
    simulated = Simulated({"mish": 0.05}, pause=0.05)
    simulated.install(setattr)

    def before(number: int) -> None:
        if number == kill_at:
            while len(list(Path(out).glob("*/*/*/*/*/config.yaml"))) <= number:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)

    simulated.before = before
    Study(plan([config]), Path(out), storage, heartbeat=(1, 2)).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
