from collections.abc import Callable
from pathlib import Path

import pytest

import lightning_acts as acts
from lightning_acts.catalogue import names
from lightning_acts.runs.reading import ConfigError
from lightning_acts.studies.plan import Choices, Range, plan

Write = Callable[..., str]


def test_a_plan_has_what_the_block_says(write: Write) -> None:
    found = plan([write()])
    assert found.candidates == ("relu", "mish", "leaky_relu")
    assert found.baseline == "relu"
    assert found.at == ("model.activation",)  # the config has no swap, and its model takes one activation
    assert found.objective.metric == "val/acc"
    assert found.objective.sign == 1  # from the config's own ModelCheckpoint
    assert found.space == {"model.lr": Range(1e-4, 1e-2, log=True)}
    assert not found.space["model.lr"].is_whole  # type: ignore[union-attr]
    assert found.parameters == {"leaky_relu": {"negative_slope": Range(0.01, 0.3)}}
    assert found.name.startswith("study-s0-")
    assert plan([write()], ["seed=7"]).name == found.name.replace("-s0-", "-s7-")
    assert (found.tries, found.compared, found.seeds, found.grid_runs) == (1, 3, (4, 7), 3 * 2 * 7)


def test_a_config_of_a_run_has_the_values_and_no_search(write: Write) -> None:
    found = plan([write()], ["trainer.max_epochs=2"])
    config = found.config(["leaky_relu(negative_slope=0.2)"], {"model.lr": 1e-05}, seed=7)
    assert config.data["model"]["activation"] == "leaky_relu(negative_slope=0.2)"
    assert config.data["model"]["lr"] == 1e-05
    assert config.data["seed"] == 7
    assert config.data["trainer"]["max_epochs"] == 2
    assert "search" not in config.data


def test_a_config_that_was_changed_meanwhile_is_refused(write: Write) -> None:
    found = plan([write()])
    write(finalists=2)
    with pytest.raises(ConfigError, match=r"study\.yaml: the config was changed while the study ran"):
        found.config(["relu"], {})


def test_the_place_is_that_of_the_only_swap(write: Write) -> None:
    assert plan([write("digits", space=None)]).at == ("swap.0.map.relu",)


def test_filters_are_those_of_ls(write: Write) -> None:
    found = plan(
        [write(activations={"family": "rectified", "match": "*_relu"}, parameters=None, budget={"trials": 18})]
    )
    assert "leaky_relu" in found.candidates
    assert found.candidates == tuple(name for name in acts.names(family="rectified") if name.endswith("_relu"))
    mixed = plan([write(activations=["tanh", {"match": "hard*wish"}], parameters=None)])
    assert mixed.candidates == ("tanh", "hardswish")


@pytest.mark.parametrize(
    ("metric", "sign"), [("val/loss", -1), ("val/f1_macro", 1), ("val/rmse", -1), ("train/top5_accuracy", 1)]
)
def test_the_direction_is_told_by_the_name(write: Write, metric: str, sign: int) -> None:
    assert plan([write(objective=metric)]).objective.sign == sign


def test_the_direction_of_costs_is_known_and_what_measures_them_is_added(write: Write) -> None:
    found = plan([write(objective=["val/acc", "cost/saved", {"metric": "cost/sparsity", "direction": "min"}])])
    assert [one.sign for one in found.objectives] == [1, -1, -1]
    assert found.objective.metric == "val/acc"
    assert found.pruner == "none"
    costs = found.config(["relu"], {}).data["callbacks"]["costs"]
    assert costs == {"_target_": "lightning_acts.callbacks.cost_monitor.CostMonitor", "metrics": ["cost/saved", "cost/sparsity"]}  # fmt: skip
    assert plan([write()]).pruner == "hyperband"
    own = ["callbacks.own._target_=lightning_acts.callbacks.cost_monitor.CostMonitor"]
    assert "costs" not in plan([write(objective="cost/saved")], own).config(["relu"], {}).data["callbacks"]
    with pytest.raises(ConfigError, match="cost/saved is not among the metrics of the config's CostMonitor"):
        plan([write(objective="cost/saved")], [*own, "callbacks.own.metrics=[cost/latency]"])
    with pytest.raises(ConfigError, match="cost/sparsity can't be measured in a compiled model"):
        plan([write(objective="cost/sparsity")], ["compile=true"])


def test_the_initialization_can_be_searched_for_where_each_activation_has_one(write: Write) -> None:
    found = plan([write(space={"initialization": [False, True]})])
    assert found.config(["mish"], {"initialization": True}).data["initialization"] is True
    config = write(activations=["relu", "softplus", "softmax"], parameters=None)
    with pytest.raises(ConfigError, match=r"study.yaml:\d+: initialization: softmax has no gain"):
        plan([config], ["initialization=true"])


def test_choices_and_whole_numbers(write: Write) -> None:
    found = plan([write(space={"data.batch_size": {"low": 16, "high": 64, "step": 16}, "model.lr": [0.01, 0.1]})])
    assert found.space["data.batch_size"] == Range(16, 64, step=16)
    assert found.space["data.batch_size"].is_whole  # type: ignore[union-attr]
    assert found.space["model.lr"] == Choices([0.01, 0.1])


def test_a_filter_leaves_out_what_needs_a_parameter(write: Write) -> None:
    found = plan([write(activations={"family": "rectified"}, parameters=None, budget={"trials": 400})])
    assert "relu" in found.candidates
    assert "threshold" in names(family="rectified")
    assert "threshold" not in found.candidates


@pytest.mark.parametrize("override", ["trainer.max_epochs=-1", "trainer={max_steps: 4}"])
def test_epochs_have_to_be_known(write: Write, override: str) -> None:
    with pytest.raises(ConfigError, match=r"trainer.max_epochs: a search counts in epochs"):
        plan([write()], ["~trainer.max_epochs", override] if "steps" in override else [override])


def test_what_is_used_at_one_depth_and_when_can_be_searched_for(write: Write) -> None:
    space = {"swap.1.map.relu": ["relu", "mish"], "swap.0.at.epoch": {"low": 0, "high": 2}}
    swaps = [
        'swap=[{map: {relu: mish}, include: ["*layer1*"], at: {epoch: 1}}, {map: {relu: relu}, include: ["*layer2*"]}]'
    ]
    found = plan([write("digits", space=space, at="swap.0.map.relu")], swaps)
    config = found.config(["leaky_relu"], {"swap.1.map.relu": "mish", "swap.0.at.epoch": 2})
    first, second = config.data["swap"]
    assert (first["map"], first["at"], second["map"]) == ({"relu": "leaky_relu"}, {"epoch": 2}, {"relu": "mish"})


SWAPS = 'swap=[{map: {relu: relu}, include: ["*layer1*"]}, {map: {relu: relu}, include: ["*layer2*"]}]'
LAYERS = ["swap.0.map.relu", "swap.1.map.relu"]


def test_layers_take_one_each(write: Write) -> None:
    found = plan([write("digits", at=LAYERS)], [SWAPS])
    first, second = found.config(["relu", "mish"], {}).data["swap"]
    assert (first["map"], second["map"]) == ({"relu": "relu"}, {"relu": "mish"})
    assert found.space["swap.1.map.relu"] == Choices(["relu", "mish", "leaky_relu"])
    assert found.assigned({"activation": "mish", "swap.1.map.relu": '"relu"', "model.lr": 0.1}) == ("mish", "relu")
    assert found.assigned({"activation": "mish"}) == ()
    assert (found.assignments, found.compared, found.grid_runs) == (9, 4, 9 * 7)
    words = found.in_words()
    assert "3 activations at swap.0.map.relu, swap.1.map.relu, baseline relu" in words
    assert "finals: 4 assignments of activations to layers over 4 or 7 seeds" in words
    assert "varied: swap.1" not in words


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([*LAYERS, "swap.2.map.relu"], r"study.yaml:\d+: swap is a list of 2: '2' is none of its indices"),
        ([LAYERS[0], "swap.1.mop.relu"], r"study.yaml:\d+: unknown key swap.1.mop; did you mean 'swap.1.map'"),
        ([LAYERS[0], LAYERS[0]], "search.at.1: swap.0.map.relu stands twice"),
        ([], "search.at: it is a key, or a list of them, and empty"),
    ],
)
def test_what_is_wrong_with_layers_is_told(write: Write, at: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan([write("digits", at=at, space=None)], [SWAPS])


@pytest.mark.parametrize("override", ["initialization=true", "search.space.initialization=[false,true]"])
def test_weights_can_not_be_initialized_for_layers_that_differ(write: Write, override: str) -> None:
    with pytest.raises(ConfigError, match=r"search.at: initialization is for the one activation that a model has"):
        plan([write("digits", at=LAYERS, space=None)], [SWAPS, override])
    assert plan([write("digits", at=LAYERS, space=None)], [SWAPS, "initialization={activation: relu}"]).at == tuple(
        LAYERS
    )


def test_the_words_name_the_smallest_p(write: Write) -> None:
    words = plan([write(seeds=[5, 12], budget={"trials": 12, "hours": 2})]).in_words()
    assert "12 trials of 3 epochs at most, 2 hours in all; each activation 2 times at least" in words
    assert "after 5 seeds: smallest p 0.062, level 0.027, of one comparison 0.013: nothing can be decided" in words
    assert "after 12 seeds: smallest p 0.00049" in words
    assert words.endswith("can be decided")
    words = plan(
        [write(seeds=6, activations=["relu", "mish", "leaky_relu", "tanh"])], ["trainer.max_epochs=2"]
    ).in_words()
    assert words.endswith("whether one is better than all others can be decided, a single comparison can't")
    assert "pruner hyperband, which runs of fewer than 3 epochs leave nothing to do" in words


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"activations": ["relu", "mush"]}, r"study.yaml:5: search.activations.1: .*mush.*did you mean 'mish'"),
        ({"activations": ["relu"], "parameters": None}, "two or more are compared, and this is relu"),
        ({"activations": ["relu", "mish", "relu"]}, r"study.yaml:\d+: search.activations.2: relu stands twice"),
        (
            {"activations": ["relu", "leaky_relu", "leaky_relu(negative_slope=0.01)"], "parameters": None},
            r"search.activations.2: leaky_relu\(negative_slope=0.01\) is leaky_relu, which stands here too",
        ),
        ({"activations": {"famly": "rectified"}}, "unknown key search.activations.famly; did you mean 'search.activations.family'"),
        ({"activations": {"family": "rectifed"}}, "rectified"),
        ({"objektive": "val/acc"}, "unknown key search.objektive; did you mean 'search.objective'"),
        ({"objective": None}, "needs objective"),
        ({"objective": ["val/acc", "cost/latncy"]}, r"study.yaml:\d+: search.objective.1: .*; did you mean 'cost/latency'"),
        ({"objective": ["val/acc", "val/acc"]}, "search.objective.1: val/acc stands twice"),
        ({"objective": []}, "search.objective: it is a metric, or a list of them"),
        ({"objective": ["val/acc", "val/loss"], "pruner": "halving"}, r"study.yaml:\d+: search.pruner: halving: with several objectives"),
        ({"objective": "test/acc"}, "search.objective: test/acc would choose by the test data"),
        ({"objective": "val/thing"}, r"is a larger val/thing better\? Write \{metric: val/thing, direction: max\}"),
        ({"budget": {"trial": 3}}, "unknown key search.budget.trial; did you mean 'search.budget.trials'"),
        ({"budget": {"trials": 0}}, "search.budget.trials: 0 is not above 0"),
        ({"budget": {"trials": 2}}, r"study.yaml:\d+: search.budget.trials: 2 is too few: each of 3 activations is tried once"),
        ({"budget": {"trials": 6, "epochs": 8}}, "search.budget.epochs: 8 is too few: each of 3 activations is tried, for 3 epochs"),
        ({"space": {"seed": [1, 2]}}, "search.space.seed: seeds tell luck from merit"),
        ({"space": {"search.seeds": [2, 3]}}, "search.space.search.seeds: it is not part of a run"),
        ({"space": {"model.lr": {"low": 0, "high": 1}}}, r"low: 0 and high: 1 are whole .* write 0.0 and 1.0 .*, or \[0, 1\]"),
        ({"space": {"data.batch_size": {"low": 8.0, "high": 32.0}}}, r"study.yaml:\d+: data.batch_size: must be a whole number"),
        ({"activations": {"family": "gated"}}, "no elementwise activation is like this; .* is: give kind: gated"),
        ({"activations": 3}, "must be a list with text or a mapping each or a mapping"),
        ({"baseline": "miss"}, "search.baseline: .*did you mean 'mish'"),
        ({"baseline": "silu"}, "silu is not among the activations"),
        ({"seeds": [10, 5]}, r"search.seeds: numbers of seeds, 2 or more and increasing"),
        ({"seeds": 1}, "search.seeds"),
        ({"pruner": "hyperbend"}, "search.pruner: must be one of 'hyperband'"),
        ({"space": {"model.lrr": [1, 2]}}, r"study.yaml:\d+: unknown key model.lrr; did you mean 'model.lr'"),
        ({"space": {"model.lr": {"low": 1, "high": 0.1}}}, "search.space.model.lr: low: 1 is not less than high: 0.1"),
        ({"space": {"model.lr": {"low": 0, "high": 0.1, "log": True}}}, "a range with log begins above 0"),
        ({"space": {"data.batch_size": {"low": 16, "high": 64, "step": 0}}}, "search.space.data.batch_size: step: 0 is not above 0"),
        ({"space": {"model.activation": ["relu", "tanh"]}}, "search.space.model.activation: it takes the activations that are compared"),
        ({"space": {"model.lr": {"lo": 0, "high": 0.1}}}, "unknown key search.space.model.lr.lo; did you mean"),
        ({"space": {"model.lr": 3}}, "search.space.model.lr: holds low, high, log, step, not 3"),
        ({"parameters": {"leaky": {}}}, "leaky is not among the activations; did you mean 'leaky_relu'"),
        ({"parameters": {"leaky_relu": {"slope": [0.1, 0.2]}}}, r"study.yaml:\d+: model.activation: .*slope"),
        ({"at": "model.activatoin"}, r"study.yaml:\d+: unknown key model.activatoin; did you mean 'model.activation'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(write: Write, block: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan([write(**block)])


def test_a_config_without_a_search_is_refused() -> None:
    Path("plain.yaml").write_text("base: cnn_digits\n")
    with pytest.raises(ConfigError, match="search is missing: it needs activations, objective and budget"):
        plan(["plain.yaml"])


def test_several_places_need_a_word(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"search.at is needed: the key .*such as swap.0.map.relu or swap.0.map.tanh"):
        plan([write("digits", space=None)], ["swap.0.map.tanh=tanh"])
