"""A study: candidates are searched for, and the best of them compared over the same seeds, until it is decided."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_acts.catalogue import info
from lightning_acts.errors import ActsError
from lightning_acts.extras import require
from lightning_acts.files import write_whole
from lightning_acts.hints import counted, did_you_mean
from lightning_acts.registry import by_name
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import Config, split_arguments
from lightning_acts.runs.console import silenced
from lightning_acts.runs.folder import RunError, RunFolder
from lightning_acts.runs.importing import import_from_here
from lightning_acts.runs.listing import run_paths
from lightning_acts.runs.reading import ConfigError, shown_path
from lightning_acts.runs.training import Interrupted, evaluate, has_test
from lightning_acts.runs.variants import run_config, try_config
from lightning_acts.spec import ActivationSpec
from lightning_acts.studies.leaderboard import Candidate, Cost, Leaderboard
from lightning_acts.studies.page import page
from lightning_acts.studies.plan import Choices, Plan, Range, by_layer, plan, with_parameters
from lightning_acts.studies.progress import Progress
from lightning_acts.studies.sampling import EachFirst, is_first, places
from lightning_acts.studies.statistics import Look, levels, pareto_front

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

# Seconds between signs of life of a worker, and after which a worker without one is taken for dead.
_HEARTBEAT, _GRACE = 10, 60


# What one run is called.
_ONE_OF = {"trials": "trial", "finals": "run of the finals"}
# What helps where too much has failed.
_AGAIN = "the same command tries again what failed"


class StudyError(ActsError, RuntimeError):
    """A study can't come to an end."""


class _TooMany(ActsError):
    """A trial that another worker has begun as well."""


class _RunFailed(ActsError):
    """A run of a study ended with an error; the study goes on without it."""


def search(
    *config: str, out: str | Path = "studies", storage: str | None = None, config_dir: Sequence[str | Path] = ()
) -> Leaderboard:
    """Find out which activation is best for a config, and how sure that is.

    The block ``search`` of the config says what is tried; ``docs/evidence.md`` tells how. The study has a folder, whose
    name depends on the config: the same call goes on with it, and with ``storage`` joins it from other processes.

    Args:
        config: Names or paths of configs, then overrides such as ``"search.budget.trials=40"``.
        out: The folder in which that of the study is made.
        storage: The URL of the database that all workers share; default a file of SQLite in the study's folder.
        config_dir: Folders with your own configs.

    Raises:
        ConfigError: The config or its block ``search`` is wrong.
        StudyError: No trial of the baseline, or of any other activation, came to an end. Or an activation is registered
            where runs, which are processes of their own, can't find it.
        Interrupted: By Ctrl-C or SIGTERM; the same call goes on.

    Example:
        >>> import lightning_acts as acts
        >>> try:
        ...     acts.search("digits")
        ... except acts.ActsError as error:
        ...     print(str(error).partition(": ")[2])
        search is missing: it needs activations, objective and budget; see docs/evidence.md
    """
    import_from_here()
    planned = plan(*split_arguments(config), [Path(folder) for folder in config_dir])
    return Study(planned, Path(out), storage, _registered_in(planned.candidates)).run()


class Study:
    """A plan that is carried out in a folder, by one process or by several that share a storage.

    Args:
        plan: What to do.
        out: The folder in which that of the study is made.
        storage: The URL of a database; default a file of SQLite in the study's folder.
        modules: Modules that register activations, by name or file.
        say: Takes the lines that tell how far the study is; default stderr, with a table below them in a terminal.
        heartbeat: Seconds between signs of life of a worker, and after which one is taken for dead.
    """

    def __init__(
        self,
        plan: Plan,
        out: Path,
        storage: str | None = None,
        modules: Iterable[str] = (),
        say: Callable[[str], None] | None = None,
        heartbeat: tuple[int, int] = (_HEARTBEAT, _GRACE),
    ) -> None:
        self.plan, self.modules, self.heartbeat = plan, tuple(modules), heartbeat
        self.progress = Progress(plan, say)
        self.say = self.progress.say
        self.optuna: Any = require("optuna", extra="search")
        self.folder = (out / plan.name).absolute()
        self.url = _checked_storage(storage or f"sqlite:///{self.folder / 'study.db'}")

    def run(self) -> Leaderboard:
        """Carry the plan out, or what is left of it, and write the leaderboard.

        Raises:
            StudyError: No trial of the baseline, or of any other activation, came to an end.
            Interrupted: By Ctrl-C or SIGTERM.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{shown_path(self.folder)} can't be made: {error.strerror}") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            self.optuna.logging.set_verbosity(self.optuna.logging.ERROR)
            with self.progress:
                return self._run()

    def _run(self) -> Leaderboard:
        self._try()
        searched = list(
            self._share("search", self.plan.budget.trials, self._trial, self._assigned, spent=self._spent).values()
        )
        finalists, baseline = self._finalists(searched), self.plan.baseline
        finals: dict[int, FrozenTrial] = {}
        shown: list[str] = []
        for seeds, level in zip(self.plan.seeds, levels(self.plan.seeds), strict=True):
            # What is shared out at once has a number that stays.
            first, run = len(finals), functools.partial(self._final, finalists, len(finals))
            named = functools.partial(self._finalist, finalists, first)
            added = self._share(f"finals-{seeds}", len(finalists) * seeds - first, run, named)
            finals |= {first + place: trial for place, trial in added.items()}
            scores: dict[str, list[float]] = {one.activation: [] for one in finalists}
            further = [one.metric for one in self.plan.objectives[1:]]
            beside: dict[str, dict[str, list[float]]] = {
                one.activation: {metric: [] for metric in further} for one in finalists
            }
            runs: dict[str, list[str]] = {one.activation: [] for one in finalists}
            for index, trial in sorted(finals.items()):
                if trial.value is not None:
                    name = self._pair(finalists, index)[0].activation
                    scores[name].append(trial.value)
                    for metric, value in trial.user_attrs["beside"].items():
                        beside[name][metric].append(value)
                    runs[name].append(f"finals/{index:04d}")
            # A finalist that failed with one of the seeds has no place beside those that did not.
            whole = [one for one in finalists if len(scores[one.activation]) == seeds]
            if len(whole) < 2 or baseline not in [one.activation for one in whole]:
                where = shown_path(self.folder / "finals")
                raise StudyError(
                    f"the baseline or all others failed in the finals, so nothing is compared: see {where}; {_AGAIN}"
                )
            table = [[self.plan.objective.sign * value for value in scores[one.activation]] for one in whole]
            look = Look.at([one.activation for one in whole], table, baseline, level, shown)
            shown = look.better_than_baseline
            self.say(f"after {seeds} seeds: {look.verdict}")
            if look.winner:
                break
        tests = self._tests(finalists, whole, seeds) if has_test(self.plan.checked) else {}
        board = Leaderboard.of(
            self.plan,
            look,
            whole,
            tests,
            searched,
            {"search": _cost(searched), "finals": _cost(finals.values())},
            runs,
            self.folder,
            beside,
            [one.activation for one in finalists if one not in whole],
        )
        board.write()
        write_whole(self.folder / "index.html", page(board, self.plan, searched))
        return board

    # Sharing work out

    @contextlib.contextmanager
    def _study(self, purpose: str) -> Iterator[optuna.Study]:
        interval, grace = self.heartbeat
        objectives = self.plan.objectives if purpose == "search" else self.plan.objectives[:1]
        storage = self._connected(
            # Several workers write: one waits for the other.
            engine_kwargs={"connect_args": {"timeout": 60}}
            if self.url.startswith("sqlite")
            else {"pool_pre_ping": True},
            heartbeat_interval=interval,
            grace_period=grace,
            heartbeat_stale_trial_callback=self.optuna.storages.RetryHeartbeatStaleTrialCallback(),
        )
        study: optuna.Study = self.optuna.create_study(
            storage=storage,
            study_name=f"{self.plan.name}-{purpose}",
            directions=["maximize" if one.sign > 0 else "minimize" for one in objectives],
            pruner=self._pruner(),
            load_if_exists=True,
        )
        study.sampler = cast("Any", EachFirst(self.optuna, self.plan, study.get_trials))
        try:
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()

    def _connected(self, **options: Any) -> Any:
        """Return the storage; of workers that make its tables at the same instant, all but one have to try again."""
        sqlalchemy = require("sqlalchemy", extra="search")
        for pause in (1, 2, 0):
            try:
                return self.optuna.storages.RDBStorage(self.url, **options)
            except (sqlalchemy.exc.SQLAlchemyError, self.optuna.exceptions.StorageInternalError) as error:
                reason = str(error.__cause__ or error).partition("\n")[0]
                time.sleep(pause)
        hidden = sqlalchemy.engine.make_url(self.url).render_as_string(hide_password=True)
        raise StudyError(f"--storage {hidden} can't be used: {reason}")

    def _pruner(self) -> Any:
        optuna = self.optuna
        if not self.plan.prunes:
            return optuna.pruners.NopPruner()
        if self.plan.pruner == "halving":
            return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=self.plan.epochs, reduction_factor=3)

    def _share(
        self,
        purpose: str,
        count: int,
        run: Callable[[optuna.Trial, int], float | Sequence[float]],
        name: Callable[[FrozenTrial, int], str | None] = lambda trial, place: None,
        *,
        spent: Callable[[Iterable[FrozenTrial]], bool] = lambda trials: False,
    ) -> dict[int, FrozenTrial]:
        """Have workers run ``count`` things, each once; returns how each ended, by its number, when all have.

        Args:
            purpose: Part of the name of the Optuna study whose trials these are.
            count: How many things there are.
            run: Runs one of them, by its number.
            name: Returns the activation of a trial, by its number.
            spent: Whether a budget ends the work earlier.
        """
        with self._study(purpose) as study:
            return self._shared(study, purpose, count, run, name, spent)

    def _shared(
        self,
        study: optuna.Study,
        purpose: str,
        count: int,
        run: Callable[[optuna.Trial, int], float | Sequence[float]],
        name: Callable[[FrozenTrial, int], str | None],
        spent: Callable[[Iterable[FrozenTrial]], bool],
    ) -> dict[int, FrozenTrial]:
        state = self.optuna.trial.TrialState

        def objective(trial: optuna.Trial) -> float | Sequence[float]:
            index = places(study.get_trials(deepcopy=False))[trial.number]
            if index >= count:  # workers that look at the same instant both begin what seems to be the last
                raise _TooMany
            start = time.perf_counter()
            try:
                return run(trial, index)
            except Interrupted:  # whoever goes on begins with it
                self.optuna.storages.RetryHeartbeatStaleTrialCallback()(study, study.get_trials()[trial.number])
                raise
            finally:
                trial.set_user_attr("seconds", time.perf_counter() - start)

        if purpose != "search" or not (self.folder / "finals").exists():  # else there might be other finalists
            self._retry_failed(study, count)
        while True:
            trials = study.get_trials(deepcopy=False)
            placed = [(place, trial) for place, trial in zip(places(trials), trials, strict=True) if place < count]
            self.progress.update(purpose, count, [(name(trial, place), trial) for place, trial in placed])
            waiting = any(trial.state == state.WAITING for trial in trials)
            if waiting or (sum(map(is_first, trials)) < count and not spent(trials)):
                study.optimize(objective, n_trials=1, catch=(_RunFailed, _TooMany))
            elif any(trial.state == state.RUNNING for trial in trials):  # of another worker, dead or alive
                time.sleep(1)
                self.optuna.storages.fail_stale_trials(study)
            else:
                return dict(placed)

    def _retry_failed(self, study: optuna.Study, count: int) -> None:
        """Give back what failed in an earlier call, unless other workers are at work."""
        trials, state = study.get_trials(), self.optuna.trial.TrialState
        if any(trial.state == state.RUNNING for trial in trials):
            return
        latest = {place: trial for place, trial in zip(places(trials), trials, strict=True) if place < count}
        for trial in latest.values():
            if trial.state == state.FAIL:
                self.optuna.storages.RetryHeartbeatStaleTrialCallback()(study, trial)

    # Searching

    def _try(self) -> None:
        """Have one batch of each stage run, before the first trial: with the baseline, and an activation of each other kind.

        Raises:
            ConfigError: That fails, or an objective is not logged.
        """
        with self._study("search") as study:
            if study.get_trials(deepcopy=False):
                return
        by_kind: dict[str, str] = {}
        for spec in (self.plan.baseline, *self.plan.candidates):
            by_kind.setdefault(info(ActivationSpec.parse(spec).name).kind, spec)
        metrics = [one.metric for one in self.plan.objectives]
        said = self.folder / "tried.log"
        for spec in by_kind.values():
            config = self.plan.config([spec] * len(self.plan.at), {})
            if not try_config(config, metrics, self.modules, said):
                failed = f"with {spec}, one batch of each stage can't be run: {_last_line(said)} (all of it: {shown_path(said)})"
                raise ConfigError(self.plan.checked.config.problem(("search",), f"search: {failed}"))

    def _spent(self, trials: Iterable[FrozenTrial]) -> bool:
        budget, cost = self.plan.budget, _cost(trials)
        return (budget.epochs is not None and cost.epochs >= budget.epochs) or (
            budget.hours is not None and cost.seconds >= 3600 * budget.hours
        )

    def _trial(self, trial: optuna.Trial, index: int) -> Sequence[float]:
        candidate = self._suggested(trial)
        for other in trial.study.get_trials(deepcopy=False, states=(self.optuna.trial.TrialState.COMPLETE,)):
            if other.params == trial.params:  # it would give the same
                repeated: Sequence[float] = other.values
                return repeated

        def watch(path: Path) -> bool:
            for step, value in self._new_values(trial, RunFolder(path)):
                trial.report(value, step)
                if step < self.plan.epochs and trial.should_prune():
                    return True
            return False

        prunes = len(self.plan.objectives) == 1  # Optuna takes values of epochs for one alone
        config = self.plan.config(candidate.specs, candidate.settings)
        folder = self._finished(trial, config, "trials", index, watch if prunes else None)
        if folder.status() != "finished":
            self.say(f"trial {index + 1}: {candidate}: pruned after {counted(len(folder.rows()), 'epoch')}")
            raise self.optuna.TrialPruned
        for step, value in self._new_values(trial, folder) if prunes else ():
            trial.report(value, step)
        values = [self._value(folder, one.metric) for one in self.plan.objectives]
        self.say(f"trial {index + 1}: {candidate}: {self._in_words(values)}")
        return values

    def _suggested(self, trial: optuna.Trial) -> Candidate:
        def suggest(name: str, one: Range | Choices) -> Any:
            if isinstance(one, Choices):
                # By its text, since it may be a list or a mapping.
                return json.loads(trial.suggest_categorical(name, [json.dumps(choice) for choice in one.choices]))
            if one.is_whole:
                return trial.suggest_int(name, int(one.low), int(one.high), step=int(one.step or 1), log=one.log)
            return trial.suggest_float(name, one.low, one.high, step=one.step, log=one.log)

        trial.suggest_categorical("activation", self.plan.candidates)
        settings = {key: suggest(key, one) for key, one in self.plan.space.items()}
        chosen = self.plan.assigned(trial.params)
        found = {
            activation: with_parameters(
                activation,
                {
                    key: suggest(f"{activation}.{key}", one)
                    for key, one in self.plan.parameters.get(activation, {}).items()
                },
            )
            for activation in chosen
        }
        others = {key: value for key, value in settings.items() if key not in self.plan.at}
        return Candidate(by_layer(chosen), tuple(found[activation] for activation in chosen), others)

    def _assigned(self, trial: FrozenTrial, place: int = 0) -> str | None:
        """Return the name under which what a trial has chosen is compared."""
        return by_layer(self.plan.assigned(trial.params)) or None

    def _new_values(self, trial: optuna.Trial, folder: RunFolder) -> Iterator[tuple[int, float]]:
        """Yield the objective of each epoch that was not reported yet, with the number of the epoch from 1 on."""
        known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        for row in folder.rows():
            step, value = int(row["epoch"]) + 1, row.get(self.plan.objective.metric, math.nan)
            if step not in known and math.isfinite(value):
                yield step, value

    def _in_words(self, values: Iterable[float]) -> str:
        objectives = zip(self.plan.objectives, values, strict=True)
        return ", ".join(f"{one.metric} {value:.4g}" for one, value in objectives)

    def _value(self, folder: RunFolder, metric: str) -> float:
        value = kept_value(self.plan, folder, metric)
        if not math.isfinite(value):
            self.say(f"{shown_path(folder.path)} failed: {metric} is {value}")
            raise _RunFailed
        return value

    def _finished(
        self, trial: optuna.Trial, config: Config, part: str, index: int, watch: Callable[[Path], bool] | None = None
    ) -> RunFolder:
        """Return the run of a config in its place in the study's folder: finished, or stopped by who watches it.

        The trial takes note of its epochs, which count if it fails too.
        """
        out = self.folder / part / f"{index:04d}"
        out.mkdir(parents=True, exist_ok=True)
        said = out / "said.log"
        folder = next((RunFolder(path) for path in reversed(run_paths(out, config.name))), None)
        if folder is None or folder.status() != "finished":
            watch = self.progress.watched(f"{_ONE_OF[part]} {index + 1}", watch)
            folder = run_config(config, folder, out, self.modules, tested=False, watch=watch, said=said)
        trial.set_user_attr("epochs", sum(len(RunFolder(path).rows()) for path in run_paths(out, config.name)))
        if folder is None:
            self.say(f"{_ONE_OF[part]} {index + 1} failed: {_last_line(said)} (all of it: {shown_path(said)})")
            raise _RunFailed
        return folder

    # Comparing

    def _finalists(self, trials: Sequence[FrozenTrial]) -> list[Candidate]:
        """Return the best of the activations with their best values, the baseline first.

        With several objectives, those on the Pareto front of all trials, with values on it, come before others.
        """
        sign, where = self.plan.objective.sign, shown_path(self.folder / "trials")
        whole = [trial for trial in trials if trial.state.name == "COMPLETE"]
        signs = [one.sign for one in self.plan.objectives]
        scores = [[sign * value for sign, value in zip(signs, trial.values, strict=True)] for trial in whole]
        front = {whole[index].number for index in pareto_front(scores)}
        best: dict[str, tuple[int, bool, float, FrozenTrial]] = {}
        for trial in trials:
            if trial.state.name == "FAIL":
                continue
            name, step = str(self._assigned(trial)), trial.last_step or 0
            ended = trial.state.name == "COMPLETE"
            value = trial.values[0] if ended else trial.intermediate_values[step]
            # Those that were pruned come last: the baseline is needed even if it always was.
            on_front = trial.number in front and name != self.plan.baseline
            found = (self.plan.epochs + 1 if ended else step, on_front, sign * value, trial)
            best[name] = max(best.get(name, found), found, key=lambda one: one[:3])
        if self.plan.baseline not in best:
            raise StudyError(f"no trial of the baseline {self.plan.baseline} ended: see {where}; {_AGAIN}")
        others = sorted(
            (name for name in best if name != self.plan.baseline), key=lambda name: best[name][:3], reverse=True
        )
        if not others:
            raise StudyError(f"no trial of any activation but the baseline ended: see {where}; {_AGAIN}")
        chosen = [self.plan.baseline, *others[: self.plan.finalists]]
        return [self._suggested(self.optuna.trial.FixedTrial(best[name][3].params)) for name in chosen]

    def _pair(self, finalists: Sequence[Candidate], index: int) -> tuple[Candidate, int]:
        """Return the finalist and the seed of a run; the seed of the config has been used by the search."""
        return finalists[index % len(finalists)], self.plan.checked.seed + 1 + index // len(finalists)

    def _finalist(self, finalists: Sequence[Candidate], first: int, trial: FrozenTrial, place: int) -> str:
        return self._pair(finalists, first + place)[0].activation

    def _final(self, finalists: Sequence[Candidate], first: int, trial: optuna.Trial, place: int) -> float:
        index = first + place
        candidate, seed = self._pair(finalists, index)
        folder = self._finished(trial, self.plan.config(candidate.specs, candidate.settings, seed), "finals", index)
        values = {one.metric: self._value(folder, one.metric) for one in self.plan.objectives}
        self.say(f"finals: {candidate}, seed {seed}: {self._in_words(values.values())}")
        value = values.pop(self.plan.objective.metric)
        trial.set_user_attr("beside", values)
        return value

    def _tests(self, finalists: Sequence[Candidate], whole: Sequence[Candidate], seeds: int) -> dict[str, list[float]]:
        """Return the test's metric that is named as the objective is, of each finalist, a value a seed."""
        metric = _tested(self.plan.objective.metric)

        def run(trial: optuna.Trial, index: int) -> float:
            (path,) = run_paths(self.folder / "finals" / f"{index:04d}", self.plan.checked.config.name)
            folder = RunFolder(path)
            with silenced():  # the line of a swap, once a run
                metrics = evaluate(check_config(folder.load_config(["trainer.enable_progress_bar=false"])), folder)
            if metric not in metrics:
                if index == 0:  # it is the same for all
                    near = did_you_mean(metric, metrics)
                    self.say(f"the test logs no {metric}{near} It logs: {', '.join(metrics) or 'nothing'}")
                raise _RunFailed
            return metrics[metric]

        ended = self._share("test", len(finalists) * seeds, run)
        values: dict[str, list[float]] = {one.activation: [] for one in whole}
        for index, trial in sorted(ended.items()):
            candidate, _ = self._pair(finalists, index)
            if trial.value is not None and candidate in whole:
                values[candidate.activation].append(trial.value)
        return values


def kept_value(plan: Plan, folder: RunFolder, metric: str) -> float:
    """Return a metric of the epoch that is kept as the best; of the last one where nothing says which is.

    Raises:
        ConfigError: The run has not logged it.
    """
    rows = folder.rows()
    measured = [row for row in rows if metric in row]
    if not measured:
        logged = dict.fromkeys(name for row in rows for name in row if name not in ("epoch", "step"))
        raise ConfigError(
            plan.checked.config.problem(
                ("search", "objective"),
                f"search.objective: {metric!r} is never logged{did_you_mean(metric, logged)} Logged: {', '.join(logged)}",
            )
        )
    kept = measured[-1]
    for one in plan.checked.callbacks.values():
        monitor, mode = one.arguments.get("monitor"), one.arguments.get("mode", "min")
        with_it = [row for row in measured if monitor in row]
        if isinstance(one.target, type) and issubclass(one.target, ModelCheckpoint) and with_it:
            kept = (max if mode == "max" else min)(with_it, key=lambda row: row[str(monitor)])
    return kept[metric]


def _checked_storage(url: str) -> str:
    """Return the URL of a database with its driver, which is there.

    Raises:
        StudyError: It is none, or the driver is missing.
    """
    sqlalchemy = require("sqlalchemy", extra="search")
    if url.startswith("postgresql://"):  # which driver that stands for depends on the version of SQLAlchemy
        url = url.replace("postgresql", "postgresql+psycopg", 1)
    try:
        dialect = sqlalchemy.engine.make_url(url).get_dialect()
    except sqlalchemy.exc.ArgumentError as error:
        raise StudyError(
            f"--storage {url}: {error}; a database has a URL such as postgresql://user@host/studies"
        ) from None
    try:
        dialect.import_dbapi()
    except ModuleNotFoundError as error:
        extra = ": pip install 'lightning-acts[postgresql]'" if error.name == "psycopg" else ""
        raise StudyError(f"--storage {url.partition(':')[0]}: {error.name} is not installed{extra}") from None
    return url


def _registered_in(specs: Iterable[str]) -> list[str]:
    """Return the modules in which one's own activations are registered.

    Raises:
        StudyError: It is the program that runs.
    """
    found = []
    for spec in specs:
        name = ActivationSpec.parse(spec).name
        module = by_name(name).target.__module__
        if module == "__main__":
            raise StudyError(
                f"{name} is registered in the program that runs, and each run is a process of its own: "
                "register it in a module, and import that"
            )
        if module.partition(".")[0] not in ("lightning_acts", "torch"):
            found.append(module)
    return list(dict.fromkeys(found))


def _tested(metric: str) -> str:
    """Return the name that a test has for a metric of the validation.

    Example:
        >>> _tested("val/acc"), _tested("valid_loss"), _tested("acc")
        ('test/acc', 'test_loss', 'test/acc')
    """
    renamed, count = re.subn(r"^(val|valid|validation)(?=[/_.-])", "test", metric)
    return renamed if count else f"test/{metric.rpartition('/')[2]}"


def _last_line(said: Path) -> str:
    return "".join(said.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:])


def _cost(trials: Iterable[FrozenTrial]) -> Cost:
    """Return what trials have cost so far."""
    known = [trial.user_attrs for trial in trials if "epochs" in trial.user_attrs]
    return Cost(len(known), sum(one["epochs"] for one in known), sum(one.get("seconds", 0.0) for one in known))
