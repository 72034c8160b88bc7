import importlib
import json
import math
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

SEARCH = {
    "activations": ["relu", "mish", "leaky_relu"],
    "parameters": {"leaky_relu": {"negative_slope": {"low": 0.01, "high": 0.3}}},
    "space": {"model.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
    "objective": "val/acc",
    "budget": {"trials": 6},
    "seeds": [4, 7],
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a config with a search over the small network of digits; keys given as None are left out."""

    def write(base: str = "cnn_digits", **search: object) -> str:
        block = {key: value for key, value in {**SEARCH, **search}.items() if value is not None}
        text = yaml.safe_dump({"base": base, "search": block, "trainer": {"max_epochs": 3}}, sort_keys=False)
        (tmp_path / "study.yaml").write_text(text)
        return "study.yaml"

    return write


@pytest.fixture
def simulate(tmp_path: Path, own_modules: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Lets runs be simulated, with the quality of each activation."""
    shutil.copy(Path(__file__).parent / "simulated.py", tmp_path)
    module = importlib.import_module("simulated")

    def simulate(**quality: float) -> Any:
        simulated = module.Simulated(quality)
        simulated.install(monkeypatch.setattr)
        return simulated

    return simulate


@pytest.fixture
def found(write: Callable[..., str], tmp_path: Path) -> Callable[..., Any]:
    """Makes the leaderboard, the plan and the trials of a study with mish above relu, from a config like ``write``'s.

    A learning rate near 0.001 is good, and nothing else matters for a trial; the last two were pruned and failed.
    """
    optuna = pytest.importorskip("optuna")
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    from lightning_acts.runs.folder import RunFolder
    from lightning_acts.studies.leaderboard import Candidate, Cost, Leaderboard
    from lightning_acts.studies.plan import Choices, plan
    from lightning_acts.studies.statistics import Look

    def distribution(one: Any) -> Any:
        if isinstance(one, Choices):
            return CategoricalDistribution([json.dumps(choice) for choice in one.choices])
        return FloatDistribution(one.low, one.high, log=one.log)

    def found(base: str = "cnn_digits", count: int = 20, overrides: Sequence[str] = (), **search: object) -> Any:
        planned = plan([write(base, **search)], overrides)
        generator, trials = random.Random(0), []
        names = list(planned.candidates)
        spread = {"activation": CategoricalDistribution(names)}
        spread |= {key: distribution(one) for key, one in planned.space.items()}
        for number in range(count):
            params = {
                key: generator.choice(one.choices) if hasattr(one, "choices") else 10 ** generator.uniform(-4, -2)
                for key, one in spread.items()
            }
            params["activation"] = names[number % len(names)]
            score = 0.9 - 0.1 * abs(math.log10(params.get("model.lr", 0.001) / 0.001))
            made = {"params": params, "distributions": spread}
            if number == count - 1:
                trials.append(optuna.trial.create_trial(**made, state=optuna.trial.TrialState.FAIL))
            elif number == count - 2:
                state = optuna.trial.TrialState.PRUNED
                trials.append(optuna.trial.create_trial(**made, state=state, value=0.99, intermediate_values={1: 0.99}))
            else:
                trials.append(optuna.trial.create_trial(**made, value=score))
        draws = np.random.default_rng(0)
        finalists = ["relu", "mish", *[name for name in names if name not in ("relu", "mish")][:1]]
        scores = 0.8 + draws.normal(0, 0.02, 5) + np.array([0, 0.05, -0.05])[: len(finalists), None]
        runs: dict[str, list[str]] = {}
        for place, name in enumerate(finalists):
            for seed in range(5):
                run = f"finals/{len(finalists) * seed + place:04d}"
                folder = RunFolder(tmp_path / run / "study" / "run")
                folder.path.mkdir(parents=True)
                score = float(scores[place, seed])
                folder.write_rows(
                    [{"epoch": epoch, "step": epoch, "val/acc": score - 0.1 * (2 - epoch)} for epoch in range(3)]
                )
                cost = {"seconds": 2.0 + place + seed / 100, "parameters": 1000}
                folder.write("summary.json", {**cost, "metrics": {}})
                runs.setdefault(name, []).append(run)
        settings = {"model.lr": 0.00123456} if "model.lr" in planned.space else {}
        board = Leaderboard.of(
            planned,
            Look.at(finalists, scores, "relu", 0.05),
            [Candidate(name, (name,), settings) for name in finalists],
            {},
            trials,
            {"search": Cost(20, 50, 100.0), "finals": Cost(15, 45, 90.0)},
            runs,
            tmp_path,
            {
                name: {one.metric: [5.0 - place] * 5 for one in planned.objectives[1:]}
                for place, name in enumerate(finalists)
            },
        )
        return board, planned, trials

    return found
