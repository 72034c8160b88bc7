"""Every snippet of the guide to swaps during training runs, in order, and prints what its comments say."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import lightning_acts as acts
from lightning_acts.runs.checking import check_config
from lightning_acts.runs.config import load

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "scheduled-swaps.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*the fit ends before that")  # which the guide shows resumed
def test_python(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "scheduled_swaps"}
    for number, snippet in enumerate(snippets("python")):
        file = tmp_path / f"snippet_{number}.py"  # calls are found in the source
        file.write_text(snippet)
        exec(compile(snippet, str(file), "exec"), names)
        said = [line for line in capsys.readouterr().out.splitlines() if line]
        promised = re.findall(r"^print\(.*\)  # (.*)$", snippet, flags=re.MULTILINE)
        assert said == promised


#: The tests that hold each row of the table of ways to run.
HELD = {
    "one device, several optimizers, manual optimization, clipping, accumulation": [
        "test_scheduled_swaps::TestAgainstATwinByHand::test_a_blend_equals_the_twin_to_the_bit",
        "test_scheduled_swaps::TestOtherCallbacks::test_manual_optimization_with_two_optimizers",
        "test_ways_to_run::TestOptimizers::test_clipped_gradients",
        "test_ways_to_run::TestOptimizers::test_accumulation_that_changes",
    ],
    "any scheduler of torch; LBFGS; optimizers of other packages": [
        "test_ways_to_run::TestOptimizers::test_schedulers_with_a_value_a_group",
        "test_ways_to_run::TestOptimizers::test_lbfgs",
        "test_ways_to_run::TestOptimizers::test_packages_of_others",
    ],
    "DDP, also with `find_unused_parameters` or `static_graph`": ["test_ways_to_run::test_two_processes"],
    "DDP by spawn, fork or in a notebook": [
        "test_copies::test_a_fork_leaves_what_one_process_does",
        "test_copies::test_two_processes_by_spawn",
    ],
    "FSDP, FSDP2 (`ModelParallelStrategy`)": [
        "test_ways_to_run::test_sharded_on_two_processes",
        "test_on_gpus::test_two_gpus",
    ],
    "DeepSpeed": ["test_ways_to_run::TestRefused::test_deepspeed_before_anything_is_changed"],
    "`torch.compile`": ["test_ways_to_run::TestCompiled::test_compiles_once_a_change"],
    "`bf16-mixed`, `16-mixed`, `bf16-true`, `16-true`, `64-true`": [
        "test_ways_to_run::TestPrecision::test_fits",
        "test_ways_to_run::TestPrecision::test_scaled_losses",
    ],
    "`EMAWeightAveraging`, `StochasticWeightAveraging`": [
        "test_ways_to_run::TestOtherCallbacks::test_validates_with_averaged_weights",
        "test_ways_to_run::TestOtherCallbacks::test_stochastic_averages_from_the_middle_of_a_blend",
    ],
    "`BaseFinetuning`, `BackboneFinetuning`": [
        "test_ways_to_run::TestOtherCallbacks::test_a_frozen_backbone_thaws",
        "test_ways_to_run::TestOtherCallbacks::test_lightning_s_own_thawing_of_a_backbone",
    ],
    "finders of learning rates and batch sizes, `overfit_batches`, `fast_dev_run`, limits": [
        "test_ways_to_run::TestOtherCallbacks::test_the_finder_of_batch_sizes",
        "test_ways_to_run::TestOtherCallbacks::test_the_finder_of_learning_rates_as_a_callback",
        "test_ways_to_run::TestLoops::test_overfit_batches",
        "test_ways_to_run::TestLoops::test_fast_dev_run",
        "test_ways_to_run::TestLoops::test_limits",
    ],
    "`validate`, `test`, `predict` alone": [
        "test_ways_to_run::TestLoops::test_other_stages_run_the_originals",
        "test_scheduled_swaps::TestCheckpoints::test_any_checkpoint_is_tested_with_its_own_activations",
    ],
    "`configure_model`, also with layers from the meta device": [
        "test_ways_to_run::TestLoops::test_layers_from_the_meta_device",
    ],
    "several fits of one Trainer, one callback on several Trainers": [
        "test_ways_to_run::TestLoops::test_one_trainer_fits_further",
        "test_ways_to_run::TestLoops::test_one_callback_on_two_trainers",
    ],
    "LightningCLI, configs of Hydra, Fabric, the package `pytorch_lightning`": [
        "test_ways_to_run::TestOtherLoops::test_the_command_line_of_lightning",
        "test_ways_to_run::TestOtherLoops::test_containers_of_omegaconf",
        "test_ways_to_run::TestOtherLoops::test_fabric",
        "test_packages::test_all_with_the_other_name",
    ],
    "loaders without a length": ["test_ways_to_run::TestLoops::test_a_loader_without_length"],
}


def test_each_row_of_ways_to_run_is_held_by_tests() -> None:
    (table,) = re.findall(r"^## Ways to run\n(.*?)^## ", GUIDE, flags=re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)
    assert rows == ["with", *HELD]
    for test in (test for tests in HELD.values() for test in tests):
        file, *names = test.split("::")
        body: list[ast.stmt] = ast.parse((Path(__file__).parents[1] / "callbacks" / f"{file}.py").read_text()).body
        for name in names:
            found = [node for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name]
            assert found, test
            body = found[0].body


def test_yaml(tmp_path: Path) -> None:
    (snippet,) = snippets("yaml")
    file = tmp_path / "config.yaml"
    file.write_text(snippet)
    (swap,) = check_config(load([str(file)])).swap
    assert acts.ActivationSwap(**swap).schedule.length == 3
