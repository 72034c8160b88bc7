import re
from typing import Any

import make_peers
import peer_packages
import pytest
import torch
import yaml
from make_peers import compared
from peer_packages import Factory, Function
from torch import nn

import lightning_acts as acts

THEIRS: dict[str, Factory] = {
    "SiLU": nn.SiLU,
    "Swish": lambda: Function(lambda x: x * torch.sigmoid(1.5 * x)),  # our name, another curve
    "Rectifier6": nn.ReLU6,  # our curve, another name
    "Invented": lambda: Function(lambda x: torch.sin(x) * torch.exp(torch.cos(3 * x))),
    "Trained": lambda: nn.Sequential(nn.Identity(), nn.Tanh()),
    "Sized": lambda: nn.Linear(3),  # type: ignore[call-arg]
    "relu(in_place=True)": lambda: nn.ReLU(inplace=True),
}
SAID = {
    "Swish": "beta_swish(beta=1.5)",
    "Rectifier6": "relu6",
    "Invented": {"out": "nobody else has it"},
    "Trained": {"ours": "tanh", "at_first": "in a chain"},
    "Sized": {"ours": "linear_layer", "but": "can't be made without its size"},
    "relu(in_place=True)": {"ours": "relu", "note": "|x| is lost"},
}


def test_every_activation_is_ours_or_said_to_be_left_out() -> None:
    lines, faults = compared(THEIRS, SAID)
    assert faults == []
    assert [(line.name, line.ours, line.remark) for line in lines] == [
        ("SiLU", "silu", "same curve"),
        ("Swish", "beta_swish(beta=1.5)", "same curve"),
        ("Rectifier6", "relu6", "same curve"),
        ("Invented", None, "left out: nobody else has it"),
        ("Trained", "tanh", "same curve at first: in a chain"),
        ("Sized", "linear_layer", "not the same: can't be made without its size"),
        ("relu(in_place=True)", "relu", "same curve; |x| is lost"),
    ]
    assert str(lines[-1]) == r"| `relu(in_place=True)` | `relu` | same curve; \|x\| is lost |"


@pytest.mark.parametrize(
    ("name", "said", "fault"),
    [
        ("Swish", None, "we have 'silu', which is another curve; by curve it is none of ours"),
        ("Rectifier6", None, "we have none of this name; by curve it is relu6"),
        ("Invented", None, "we have none of this name; by curve it is none of ours"),
        ("Swish", "silu", "the curves of theirs and of 'silu' differ"),
        ("Swish", "beta_swish", "the curves of theirs and of 'beta_swish' differ"),
        ("Swish", {"ours": "beta_swish(beta=1.5)", "but": "steeper"}, "'beta_swish(beta=1.5)' agree"),
        ("Trained", {"ours": "erf", "at_first": "in a chain"}, "the curves of theirs and of 'erf' differ"),
        ("Swish", "swissh", "there is no activation 'swissh'; did you mean"),
        ("Rectifier6", {"out": "invented"}, "is said to be left out, but has the curve of relu6"),
        ("SiLU", "silu", "nothing need be said of it"),
        ("Sized", "linear_layer", "theirs: TypeError: Linear.__init__() missing"),
        ("Invented", {"why": "?"}, "is neither a spec, nor"),
    ],
)
def test_what_is_missing_or_no_longer_so_is_a_fault(name: str, said: Any, fault: str) -> None:
    reasons = {key: value for key, value in {**SAID, name: said}.items() if value is not None}
    _, faults = compared(THEIRS, reasons)
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}: ") and fault in faults[0]


def test_a_reason_for_what_the_package_has_not_is_a_fault() -> None:
    assert compared({"SiLU": nn.SiLU}, {"Gone": "relu"})[1] == ["Gone: the package has none of this name"]


@pytest.mark.parametrize("package", ["torch.nn", "timm", "transformers"])
def test_the_page_has_every_activation_of_the_installed_packages(package: str) -> None:
    reasons = yaml.safe_load(make_peers.REASONS.read_text()).get(package, {})
    lines, faults = compared(peer_packages.PACKAGES[package].load(), reasons)
    assert faults == []
    page = make_peers.PAGE.read_text()
    section = page[page.index(f"## {package} (") :].split("\n## ")[0]
    assert {f"`{line.name}`" for line in lines} <= set(section.split())


def test_what_the_page_calls_ours_exists() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|-) \| (.+) \|$", make_peers.PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 600
    for _, ours, remark in rows:
        assert bool(ours) != remark.startswith("left out: ")
        assert not ours or acts.info(ours)
