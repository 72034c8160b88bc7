import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
import yaml
from torch import Tensor, nn

import lightning_acts as acts


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def test_a_plan_makes_the_same_swap_on_a_fresh_model(tmp_path: Path) -> None:
    model = torchvision.models.resnet18()
    report = acts.swap(model, {"relu": "leaky_relu(negative_slope=0.2)"}, exclude="layer4.*")
    path = report.plan.save(tmp_path / "swap.json")
    fresh = torchvision.models.resnet18()
    fresh.load_state_dict(model.state_dict())
    again = acts.swap(fresh, acts.Plan.load(path))
    assert again.plan == report.plan
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(fresh.eval()(x), model.eval()(x))
    assert {left.obstacle for left in again.left} == {"not in the plan"}


def test_a_plan_is_plain_strings() -> None:
    plan = acts.swap(mlp(), {"relu": "elu(alpha=0.5)", "tanh": None}, include="*").plan
    assert json.loads(json.dumps(plan.to_dict())) == plan.to_dict() == {
        "version": 1,
        "request": {"map": {"relu": "elu(alpha=0.5)", "tanh": None}, "include": ["*"], "exclude": [], "role": ["hidden"], "share": "site", "write_back": True},
        "sites": [{"paths": ["1"], "original": "relu", "replacement": "elu(alpha=0.5)"}],
    }  # fmt: skip


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x) + torch.cos(2.0 * x)  # none that is registered


def test_an_unknown_activation_is_planned_by_its_class() -> None:
    make = lambda: nn.Sequential(nn.Linear(2, 2), Sine(), nn.Linear(2, 2))  # noqa: E731
    plan = acts.swap(make(), {Sine: "mish"}).plan
    assert plan.sites[0].original == f"{__name__}.Sine"
    fresh = make()
    acts.swap(fresh, plan)
    assert type(fresh[1]) is nn.Mish


class Refuses(nn.Module):
    """Takes its modules and functions on ways that a swap would not change."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.act, self.function = nn.Linear(2, 2), nn.ReLU(), F.elu
        self.kept = [self.act]

    def forward(self, x: Tensor) -> Tensor:
        x = self.function(self.kept[0](self.linear(x)))
        return x if self.function is F.elu else -x


@pytest.mark.parametrize(
    ("path", "original", "why", "example"),
    [
        ("act", "relu", "kept[0] holds it too", None),
        ("act", "relu", "kept[0] holds it too", torch.ones(3, 2)),
        ("function", "elu", "compares it with another", None),  # an example shows the call, which can be replaced
    ],
)
def test_what_a_swap_refuses_a_plan_does_too(path: str, original: str, why: str, example: Tensor | None) -> None:
    model = Refuses()
    before, attributes = list(model.modules()), dict(vars(model))
    with pytest.raises(acts.SwapError) as refused:
        acts.swap(model, {path: "mish"}, example_input=example)
    site = {"paths": [path], "original": original, "replacement": "mish"}
    plan = acts.Plan.from_dict({"version": 1, "request": {"map": {original: "mish"}}, "sites": [site]})
    with pytest.raises(acts.SwapError) as planned:
        acts.swap(model, plan, example_input=example)
    (words,) = (left.split(": ", 1)[1] for left in str(planned.value).split(". ") if left.startswith(f"{path}: "))
    assert why in words and words in str(refused.value)
    assert list(model.modules()) == before and vars(model) == attributes


@pytest.mark.parametrize(
    "other",
    [
        nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 8), nn.Tanh()),
        nn.Sequential(nn.Linear(4, 8)),
        nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU()),
    ],
)
def test_another_model_is_refused_and_unchanged(other: nn.Module) -> None:
    plan = acts.swap(mlp(), {"relu": "mish"}).plan
    before = list(other.modules())
    with pytest.raises(acts.SwapError, match="another model.*1: the plan has relu, the model"):
        acts.swap(other, plan)
    assert all(a is b for a, b in zip(before, other.modules(), strict=True))


def test_options_have_no_place_beside_a_plan() -> None:
    plan = acts.swap(mlp(), {"relu": "mish"}).plan
    with pytest.raises(acts.SwapError, match="no place beside"):
        acts.swap(mlp(), plan, exclude="1")


class Calls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.linear(x))  # type: ignore[no-any-return]


GOOD: dict[str, Any] = acts.swap(mlp(), {"relu": "mish"}).plan.to_dict()


def blended(state: Any) -> dict[str, Any]:
    """The good plan with a state of its blend."""
    return {**GOOD, "sites": [{**GOOD["sites"][0], "blend": state}]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**GOOD, "version": 2}, "has version 2.*up to 1.*newer.*upgrade"),
        ({**GOOD, "version": 0}, "version: 0 is not a version"),
        ({**GOOD, "version": -5}, "version: -5 is not a version"),
        ({**GOOD, "version": True}, "version: True is not a version"),
        ({**GOOD, "version": 1.0}, "version: 1.0 is not a version"),
        ({**GOOD, "version": "1"}, "version: '1' is not a version"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "paths": []}]}, r"sites\[0\].paths is empty"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "paths": [""]}]}, r"sites\[0\].paths\[0\]: '' is empty"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "paths": ["1", "1"]}]}, r"sites\[0\].paths: '1' is named twice"),
        ({**GOOD, "sites": GOOD["sites"] * 2}, r"sites\[1\].paths: '1' is named twice, by sites\[0\] too"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "original": " "}]}, r"sites\[0\].original: ' ' is empty"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "paths": ["a" * 10**6]}, 3]}, r"sites\[1\] holds paths, original"),
        ({}, "no version"),
        ([], "no version"),
        ({"version": 1}, "not a plan of a swap: no 'request'"),
        ({**GOOD, "sites": [{}]}, r"sites\[0\] has no 'paths'"),
        ({**GOOD, "sites": 3}, "sites is a list, not 3"),
        ({**GOOD, "site": []}, "no key 'site'; did you mean 'sites'"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "paths": [1]}]}, r"sites\[0\].paths\[0\]: 1 is not a text; put it in quotes"),
        ({**GOOD, "sites": [{**GOOD["sites"][0], "replacment": "x"}]}, r"no key 'sites\[0\].replacment'; did you mean 'replacement'"),
        (blended(3), r"sites\[0\].blend holds amount, path, not 3"),
        (blended({}), r"sites\[0\].blend has no 'amount'"),
        (blended({"amount": 1.5}), r"sites\[0\].blend.amount: 1.5 is not between 0 and 1"),
        (blended({"amount": float("nan")}), r"sites\[0\].blend.amount: nan is not a number"),
        (blended({"amount": True}), r"sites\[0\].blend.amount: True is not a number"),
        (blended({"amount": "0.5"}), r"sites\[0\].blend.amount: '0.5' is not a number"),
        (blended({"amout": 0.5}), r"no key 'sites\[0\].blend.amout'; did you mean 'amount'"),
        (blended({"amount": 0.5, "path": {"parameter": "slope", "start": 0.1}}), r"sites\[0\].blend.path has no 'end'"),
        (blended({"amount": 0.5, "path": {"parameter": 3, "start": 0.1, "end": 1}}), r"blend.path.parameter: 3 is not a text"),
        (blended({"amount": 0.5, "path": {"parameter": "slope", "start": "x", "end": 1}}), r"blend.path.start: 'x' is not a number"),
        ({**GOOD, "request": {**GOOD["request"], "role": ["boss"]}}, "request: there is no role 'boss'. The roles: hidden"),
        ({**GOOD, "request": {**GOOD["request"], "map": {"relu": 3}}}, "request.map: .*holds 3, which is not a text"),
        ({**GOOD, "request": {**GOOD["request"], "share": "none"}}, "request: share='none': one instance for each 'call'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("name", "write"), [("plan.json", json.dumps), ("plan.yaml", yaml.safe_dump)])
def test_damaged_or_newer_plans(
    data: Any, message: str, name: str, write: Callable[[Any], str], tmp_path: Path
) -> None:
    with pytest.raises(acts.SwapError, match=message):
        acts.Plan.from_dict(data)
    (tmp_path / name).write_text(write(data))
    with pytest.raises(acts.SwapError, match=f"{name}.*{message}"):
        acts.Plan.load(tmp_path / name)


def test_a_plan_with_a_wrong_replacement() -> None:
    data = {**GOOD, "sites": [{**GOOD["sites"][0], "replacement": "mishh"}]}
    model = mlp()
    with pytest.raises(acts.SpecError, match="mishh"):
        acts.swap(model, acts.Plan.from_dict(data))
    assert type(model[1]) is nn.ReLU


def test_files_that_are_no_plans(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("{")
    with pytest.raises(acts.SwapError, match="plan.json is not JSON"):
        acts.Plan.load(path)
    (tmp_path / "plan.yml").write_text("a: [")
    with pytest.raises(acts.SwapError, match="plan.yml is not YAML"):
        acts.Plan.load(tmp_path / "plan.yml")
    for name, text, words in [
        ("deep.json", "[" * 100_000, "is nested too deep"),
        ("deep.yaml", "[" * 5_000, "is nested too deep"),
        ("digits.json", '{"version": ' + "1" * 5_000 + "}", "is not JSON"),
        ("large.yaml", "# \n" * 11_000_000, "33,000,000 bytes"),
    ]:
        (tmp_path / name).write_text(text)
        with pytest.raises(acts.SwapError, match=f"{name}.* {words}"):
            acts.Plan.load(tmp_path / name)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(acts.SwapError, match="folder.json is a folder"):
        acts.Plan.load(tmp_path / "folder.json")
    with pytest.raises(FileNotFoundError):
        acts.Plan.load(tmp_path / "none.json")
    with pytest.raises(acts.SwapError, match=r"plan.txt: the suffix .* .json, .yaml or .yml"):
        acts.Plan.from_dict(GOOD).save(tmp_path / "plan.txt")


def test_a_call_is_named_once() -> None:
    data = acts.swap(Calls(), {"relu": "mish"}).plan.to_dict()
    (site,) = data["sites"]
    twice = {**data, "sites": [site, {**site, "paths": ["relu/7"], "replacement": "tanh"}]}
    with pytest.raises(acts.SwapError, match=r"sites\[1\].paths: 'relu/7' is named twice, by sites\[0\] too"):
        acts.Plan.from_dict(twice)


@pytest.mark.parametrize("suffix", ["json", "yaml", "yml"])
def test_files_give_back_what_was_saved(suffix: str, tmp_path: Path) -> None:
    model = nn.Sequential(*mlp(), nn.ModuleDict({"on": nn.Sequential(nn.ReLU(), nn.Linear(2, 2))}))
    model[5].forward = lambda x: model[5]["on"](x)
    plan = acts.swap(model, {"relu": "leaky_relu(negative_slope=0.2)", "tanh": None}).plan
    assert [site.paths for site in plan.sites] == [("1",), ("5.on.0",)]  # all of them traps of YAML 1.1
    assert acts.Plan.load(plan.save(tmp_path / f"swap.{suffix}")) == plan


def test_a_plan_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "swap.yaml").write_text(
        "version: 1\nrequest: {map: {relu: mish}}\nsites:\n- {paths: ['1'], original: relu, replacement: mish}\n"
    )
    model = mlp()
    acts.swap(model, acts.Plan.load(tmp_path / "swap.yaml"))
    assert type(model[1]) is nn.Mish


def test_saving_replaces_a_file_whole(tmp_path: Path) -> None:
    plan = acts.swap(mlp(), {"relu": "mish"}).plan
    plan.save(tmp_path / "plan.json")
    plan.save(tmp_path / "plan.json")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    "state",
    [{"amount": 0.0}, {"amount": 1 / 3}, {"amount": 0.5, "path": {"parameter": "beta", "start": 0.5, "end": 1e-05}}],
)
def test_states_of_blends_go_through_files(state: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    plan = acts.Plan.from_dict(blended(state))
    assert acts.Plan.load(plan.save(tmp_path / f"plan.{suffix}")) == plan
    assert plan.to_dict()["sites"][0]["blend"] == state


def test_a_parameter_that_the_replacement_does_not_have() -> None:
    plan = acts.Plan.from_dict(blended({"amount": 0.5, "path": {"parameter": "beta", "start": 1, "end": 2}}))
    model = mlp()
    with pytest.raises(acts.SwapError, match="has no fixed number 'beta'"):
        acts.swap(model, plan)
    assert type(model[1]) is nn.ReLU
