import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
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
    assert {left.why for left in again.left} == {"not in the plan"}


def test_a_plan_is_plain_strings() -> None:
    plan = acts.swap(mlp(), {"relu": "elu(alpha=0.5)", "tanh": None}, include="*").plan
    assert json.loads(json.dumps(plan.to_dict())) == plan.to_dict() == {
        "version": 1,
        "request": {"map": {"relu": "elu(alpha=0.5)", "tanh": None}, "include": ["*"], "exclude": [], "role": ["hidden"]},
        "sites": [{"paths": ["1"], "original": "relu", "replacement": "elu(alpha=0.5)"}],
    }  # fmt: skip


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def test_an_unknown_activation_is_planned_by_its_class() -> None:
    make = lambda: nn.Sequential(nn.Linear(2, 2), Sine(), nn.Linear(2, 2))  # noqa: E731
    plan = acts.swap(make(), {Sine: "mish"}).plan
    assert plan.sites[0].original == f"{__name__}.Sine"
    fresh = make()
    acts.swap(fresh, plan)
    assert type(fresh[1]) is nn.Mish


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


GOOD: dict[str, Any] = acts.swap(mlp(), {"relu": "mish"}).plan.to_dict()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**GOOD, "version": 2}, "has version 2.*up to 1.*newer.*upgrade"),
        ({}, "no version"),
        ([], "no version"),
        ({"version": 1}, "KeyError"),
        ({**GOOD, "sites": [{}]}, "KeyError"),
        ({**GOOD, "sites": 3}, "TypeError"),
        ({**GOOD, "request": {**GOOD["request"], "role": ["boss"]}}, "unknown role"),
    ],
)
def test_damaged_or_newer_plans(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(acts.SwapError, match=message):
        acts.Plan.from_dict(data)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(data))
    with pytest.raises(acts.SwapError, match="plan.json"):
        acts.Plan.load(path)


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
    with pytest.raises(FileNotFoundError):
        acts.Plan.load(tmp_path / "none.json")


def test_saving_replaces_a_file_whole(tmp_path: Path) -> None:
    plan = acts.swap(mlp(), {"relu": "mish"}).plan
    plan.save(tmp_path / "plan.json")
    plan.save(tmp_path / "plan.json")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
