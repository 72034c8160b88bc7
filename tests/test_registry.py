from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
from torch import Tensor

import lightning_acts as acts
from lightning_acts import registry
from lightning_acts.definition import define


def scaled(x: Tensor, scale: float = 2.0) -> Tensor:
    return scale * x


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.ops.aten.relu, "relu"),
        (torch.ops.aten.leaky_relu_.default, "leaky_relu"),
        (torch.ops.aten._log_softmax.default, "log_softmax"),
        (torch._softmax, "softmax"),
        (torch._prelu_kernel, "prelu"),  # type: ignore[attr-defined]
    ],
)
def test_operations_and_private_functions_of_torch_go_by_their_public_names(function: Any, name: str) -> None:
    assert acts.info(function).name == name


def test_private_names_of_torch_are_not_shown() -> None:
    with pytest.raises(acts.SpecError, match="no activation 'fused_sdp_choice'") as refused:
        acts.info(torch._fused_sdp_choice)
    assert "_fused" not in str(refused.value)


@pytest.mark.parametrize(
    "name", sorted(set(acts.names(kind="elementwise")) - {"prelu", "rrelu", "threshold", "identity"})
)
def test_functions_by_which_it_is_recognized_compute_it(name: str) -> None:
    definition = acts.info(name)
    assert definition.functions
    module = acts.create(name).eval()
    for function in definition.functions:
        x = torch.randn(3, 4)
        torch.testing.assert_close(function(x.clone()), module(x).detach(), equal_nan=True)


class TestEntryPoints:
    def test_a_packages_activations_are_loaded(self, clean_registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
        point = EntryPoint("plugin", "tests_plugin_activation", "lightning_acts.activations")
        import sys
        import types

        plugin = types.ModuleType("tests_plugin_activation")
        monkeypatch.setitem(sys.modules, "tests_plugin_activation", plugin)
        monkeypatch.setattr(
            registry, "entry_points", lambda group: [point] if group == "lightning_acts.activations" else []
        )
        acts.register(scaled, name="from_plugin")
        registry._read_plugins()
        assert type(acts.create("from_plugin")).__name__ == "FromPlugin"

    def test_a_broken_package_is_named_and_takes_nothing_down(self, monkeypatch: pytest.MonkeyPatch) -> None:
        point = EntryPoint("broken", "no_such_module_anywhere", "lightning_acts.activations")
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])
        with pytest.warns(UserWarning, match="no_such_module_anywhere.*'broken'"):
            registry._read_plugins()
        assert acts.create("relu")


@pytest.mark.usefixtures("clean_registry")
def test_a_taken_name_is_refused_unless_overridden() -> None:
    def relu(x: Tensor) -> Tensor:
        return x

    with pytest.raises(ValueError, match="'relu' is already registered.*override=True"):
        acts.register(relu)
    with pytest.raises(ValueError, match="already registered \\(as silu\\)"):
        acts.register(relu, name="mine", aliases=["Swish"])
    acts.register(relu, override=True)
    assert acts.create("relu")(torch.tensor(-1.0)) == -1
    assert "rectifier" not in [alias for name in acts.names() for alias in acts.info(name).aliases]


@pytest.mark.usefixtures("clean_registry")
def test_override_takes_an_alias_and_leaves_the_rest() -> None:
    @acts.register(aliases=["first_of_a_test", "second_of_a_test"])
    def owner_of_a_test(x: Tensor) -> Tensor:
        return x

    module = acts.create("owner_of_a_test")
    acts.register(lambda x: -x, name="thief_of_a_test", aliases=["First-of-a-test"], override=True)
    assert acts.info("first_of_a_test").name == "thief_of_a_test"
    assert acts.info("second_of_a_test").name == "owner_of_a_test"
    assert acts.info("owner_of_a_test").aliases == ("second_of_a_test",)
    assert str(acts.spec_of(module)) == "owner_of_a_test"


def test_the_table_counts_every_change_of_names() -> None:
    table, definition = registry.Table(), define(scaled)
    table.add(definition, ["scaled_one", "other"])
    assert table["Scaled-One"] is definition and "other" in table and table.version == 1
    table.remove(["OTHER", "never there"])
    assert list(table) == ["scaledone"] and len(table) == 1 and table.version == 2


@pytest.mark.usefixtures("clean_registry")
def test_what_is_derived_from_the_table_follows_it() -> None:
    before = registry.version()
    acts.register(scaled, name="follows_of_a_test")
    assert registry.version() > before
    assert registry.by_target(scaled) is registry.by_name("follows_of_a_test") in registry.definitions()
    registry.DEFINITIONS.remove(["follows_of_a_test"])
    assert registry.registered(scaled) is None
