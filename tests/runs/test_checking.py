"""Values in configs against declared types: what Python's own signatures say is taken, and made where it must be."""

import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import torch
import torchvision

from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import collect
from lightning_acts.runs.reading import ConfigError

CLASS = """
import collections.abc, enum, os, pathlib, typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict
import lightning as L
import torch
from torch import nn
from lightning_acts.spec import ActivationSpec

class Color(enum.Enum):
    RED = "red"
    BLUE = 2

class Pair(NamedTuple):
    left: int
    right: int

class Options(TypedDict, total=False):
    width: int

class Model(L.LightningModule):
    def __init__(self, {parameter}): ...
"""
TAKEN: list[tuple[str, str, object]] = [
    ("p: int = None", "null", None),
    ("p: str = None", "null", None),
    ("p: Iterable[int]", "[1, 2]", [1, 2]),
    ("p: Collection[str]", "[a]", ["a"]),
    ("p: Iterable[str]", "{a: 1}", {"a": 1}),
    ("p: Mapping[str, float]", "{a: 1}", {"a": 1.0}),
    ("p: dict[int, float]", "{0: 8, 4: 4}", {0: 8.0, 4: 4.0}),
    ("p: set[int]", "[1, 2, 2]", {1, 2}),
    ("p: frozenset[str]", "[a]", frozenset({"a"})),
    ("p: Options", "{width: 1e2}", {"width": 100}),
    ("p: Options | None", "{width: 3}", {"width": 3}),
    ("p: Pair", "[1, 2]", (1, 2)),
    ("p: torch.Size", "[3, 4]", torch.Size([3, 4])),
    ("p: torch.dtype", "torch.float16", torch.float16),
    ("p: torch.dtype", "bfloat16", torch.bfloat16),
    ("p: torch.device", "cpu", torch.device("cpu")),
    ("p: os.PathLike", "a/b", "a/b"),
    ("p: pathlib.PurePosixPath", "a/b", PurePosixPath("a/b")),
    ("p: typing.Literal[1.0, 2.5]", "1", 1.0),
    ("p: bytes | str", "abc", "abc"),
]
REFUSED = [
    ("p: int", "null", "must be a whole number, not nothing"),
    ("p: Iterable[int]", "[a]", "must be a whole number, not 'a'"),
    ("p: Iterable[int]", "5", "must be .*, not 5"),
    ("p: dict[int, float]", "{a: 1}", "must be a whole number, not 'a'"),
    ("p: set[int]", "[a]", "must be a whole number, not 'a'"),
    ("p: Color", "red1", "must be one of RED, BLUE, not 'red1'"),
    ("p: Color", "REDD", "must be one of RED, BLUE, not 'REDD'; did you mean 'RED'"),
    ("p: torch.dtype", "float15", "must be dtype, not 'float15'"),
    ("p: Pair", "[1, 2, 3]", "must be a list, not a list|must be Pair"),
    ("p: Options", "{width: x}", "must be a whole number, not 'x'"),
]
SPEC = "typing.Annotated[str, ActivationSpec]"
SPECS = [
    (f"p: {SPEC}", "rellu", "model.p: there is no activation 'rellu'; did you mean 'relu'"),
    (f"p: {SPEC} | None = None", "elu(alfa=1)", "model.p: elu has no parameter 'alfa'"),
    (f"p: list[{SPEC}]", "[relu, rellu]", "model.p.1: there is no activation 'rellu'"),
]
TARGETS = ["p", "p: Any", "p: nn.Module", "p: object = None", "**more"]


def checked(parameter: str, value: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    name = f"checked_{folder.name}"
    (folder / f"{name}.py").write_text(CLASS.format(parameter=parameter))
    (folder / "c.yaml").write_text(
        f"model: {{_target_: {name}.Model, p: {value}}}\ndata: {{_target_: lightning_acts.zoo.Digits}}\n"
    )
    monkeypatch.syspath_prepend(folder)
    try:
        config = check_config(*collect([str(folder / "c.yaml")]))
        return sys.modules[name], config.model.arguments["p"] if config.model else None
    finally:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("parameter", "value", "expected"), TAKEN)
def test_declared_types_are_taken(
    parameter: str, value: str, expected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = checked(parameter, value, tmp_path, monkeypatch)
    assert found == expected
    assert isinstance(found, type(expected))


@pytest.mark.parametrize(("value", "member"), [("RED", "RED"), ("red", "RED"), ("2", "BLUE")])
def test_enums_by_name_and_by_value(value: str, member: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, found = checked("p: Color", value, tmp_path, monkeypatch)
    assert found is module.Color[member]


def test_an_alias_of_an_enum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = checked(
        "p: nn.Module", "{_target_: torchvision.models.resnet18, weights: DEFAULT}", tmp_path, monkeypatch
    )
    assert found.arguments["weights"] is torchvision.models.ResNet18_Weights.DEFAULT


@pytest.mark.parametrize(("parameter", "value", "message"), REFUSED)
def test_other_values_are_refused(
    parameter: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=f"c.yaml:1: model.p.*: ({message})"):
        checked(parameter, value, tmp_path, monkeypatch)


@pytest.mark.parametrize(("parameter", "value", "message"), SPECS)
def test_specs_of_activations_are_checked_where_they_are_declared(
    parameter: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=f"c.yaml:1: {message}"):
        checked(parameter, value, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(f"p: {SPEC}", "Swish"), (f"p: {SPEC} | None", "null"), ("p: str", "rellu"), (f"p: {SPEC} | bool", "true")],
)
def test_other_values_are_not_taken_for_specs(
    parameter: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = checked(parameter, value, tmp_path, monkeypatch)
    assert found == {"null": None, "true": True}.get(value, value)


@pytest.mark.parametrize("parameter", TARGETS)
@pytest.mark.parametrize("value", ["{_target_: torch.nn.ReLU}", "{_target_: lightning_acts.create, activation: mish}"])
def test_a_target_stands_wherever_no_type_forbids_it(
    parameter: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = checked(parameter, value, tmp_path, monkeypatch)
    assert isinstance(found.make(), torch.nn.Module)


@pytest.mark.parametrize("value", ["[{_target_: torch.nn.ReLU}]", "{a: {_target_: torch.nn.ReLU}}"])
def test_targets_in_containers_without_declared_members(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, found = checked("p", value, tmp_path, monkeypatch)
    (target,) = found.values() if isinstance(found, dict) else found
    assert isinstance(target.make(), torch.nn.ReLU)


def test_a_target_of_another_type_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="must be Optimizer, not what torch.nn.ReLU makes"):
        checked("p: torch.optim.Optimizer", "{_target_: torch.nn.ReLU}", tmp_path, monkeypatch)


def test_sizes_that_differ_from_those_of_the_data() -> None:
    with pytest.raises(ConfigError) as caught:
        check_config(*collect(["cnn_digits"], ["model.num_classes=7", "~model.in_channels"]))
    assert [str(problem) for problem in caught.value.problems] == [
        "command line: model.num_classes=7: model.num_classes: ImageClassifier(num_classes=7): Digits has num_classes=10",
        "command line: ~model.in_channels: model.in_channels: ImageClassifier(in_channels=3): Digits has in_channels=1",
    ]


def test_sizes_of_data_that_only_a_run_knows_are_not_compared() -> None:
    check_config(*collect(["wine_residual"], ["model.in_features=7"]))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["initialization=3"], "initialization is true, false or arguments of init_, not 3"),
        (["initialization={mod: forward}"], "unknown key initialization.mod; did you mean 'initialization.mode'"),
        (["initialization={mode: sideways}"], "initialization.mode: must be one of 'forward'"),
        (["initialization={activation: mush}"], "initialization.activation: .*did you mean 'mish'"),
        (["initialization=true", "model.activation=softmax"], "initialization: softmax has no gain"),
        (["initialization=true", "model.activation=relu", "swap=[{map: {relu: softmax}}]"], "softmax has no gain"),
    ],
)
def test_an_initialization_is_checked(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_config(*collect(["cnn_digits"], overrides))


def test_an_initialization_holds_arguments() -> None:
    def checked(*overrides: str) -> object:
        return check_config(*collect(["cnn_digits"], overrides)).initialization

    assert checked() is checked("initialization=false") is None
    assert checked("initialization=true") == {}
    assert checked("initialization={mode: backward}") == {"mode": "backward"}
