import json

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 4), nn.Tanh())


def test_the_report_is_plain_data_and_a_table() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.net(x))

    report = acts.swap(Net(), {"relu": "mish"}, example_input=torch.randn(2, 4))
    data = json.loads(report.to_json())
    assert [(entry["path"], entry["now"]) for entry in data["swapped"]] == [("net.1", "net.1"), ("relu/0", "relu_0")]
    assert data["swapped"][0]["calls"] == data["swapped"][1]["calls"] == 1
    assert {entry["path"]: entry["obstacle"] for entry in data["left"]} == {
        "net.3": "not in the mapping",
        "net.5": "not in the mapping",
    }
    shown = str(report)
    for text in ("net.1", "relu/0", f"{__file__}:", "mish", "not swapped"):
        assert text in shown
    assert report.summary.startswith("swapped relu -> mish at 2 sites; left: ")


def test_the_table_takes_no_brackets_for_markup() -> None:
    model = nn.Sequential(nn.ModuleDict({"[red]": nn.ReLU()}))
    assert "0.[red]" in str(acts.swap(model, {"relu": "mish"}))


def test_a_replacement_without_a_spec_has_no_plan() -> None:
    class Own(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(x)

    report = acts.swap(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {"relu": Own()})
    assert report.to_dict()["plan"] is None
    with pytest.raises(acts.SwapError, match="no plan can name .*Own"):
        _ = report.plan


def test_undo_gives_back_the_very_module() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), relu)
    report = acts.swap(model, {"relu": "mish"})
    report.undo()
    assert model[1] is relu
    with pytest.raises(acts.SwapError):
        report.undo()
