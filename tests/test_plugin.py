"""A package that brings an activation is one file, and everything else follows from it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
import torch
import lightning_acts as acts

@acts.register(source="a package", formula="x * sigmoid(slope * x)", aliases=["gate_of_a_plugin"])
def plugin_gate(x: torch.Tensor, slope: float = 3.0) -> torch.Tensor:
    return x * acts.functional.parametric_sigmoid(x, b=slope)
"""

USE = """
import torch
from torch import nn
import lightning_acts as acts

module = acts.create("gate-of-a-plugin(slope=2)")
x = torch.linspace(-3, 3, 7)
assert torch.allclose(module(x), x * torch.sigmoid(2 * x)) and repr(module) == "plugin_gate(slope=2)"
assert torch.equal(acts.functional.plugin_gate(x, slope=2.0), module(x))
measured = acts.info("plugin_gate").measured
assert measured.range[0] < 0 and measured.smoothness == "twice differentiable" and measured.forward_gain > 1
assert "plugin_gate" in acts.names(family="user", monotone=False)
model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
acts.swap(model, {"relu": "plugin_gate"})
assert str(acts.spec_of(model[1])) == "plugin_gate"
assert acts.nearest("plugin_gate", count=1)[0][1] < 0.1
"""

CONFIG = """
model: {_target_: lightning_acts.zoo.ImageClassifier, backbone: "timm:resnet10t", in_channels: 1}
data: {_target_: lightning_acts.zoo.Digits}
trainer: {max_epochs: 1}
swap: [{map: {relu: plugin_gate}}]
"""


def install(folder: Path, name: str, source: str, entry_point: str) -> None:
    """What pip leaves of a package of one file."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[lightning_acts.activations]\n{name} = {entry_point}\n")


def run(folder: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "100"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder in which the package is installed; its one file of code is all that was written for it."""
    install(tmp_path / "site", "plugin_of_a_test", MODULE, "plugin_of_a_test")
    assert [path.name for path in (tmp_path / "site").glob("**/*.py")] == ["plugin_of_a_test.py"]
    return tmp_path / "site"


def test_module_function_facts_look_up_and_swap(site: Path) -> None:
    run(site, "-W", "error", "-c", USE)


COMMANDS = """
import json, sys
from typer.testing import CliRunner
from lightning_acts.cli.app import app

def printed(arguments):
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout

print(json.dumps([printed(line.split()) for line in sys.argv[1:]]))
"""


def test_command_line_yaml_and_check(site: Path) -> None:
    Path("mine.yaml").write_text(CONFIG)
    lines = (
        "ls activations plugin*",
        "show gate_of_a_plugin --json",
        "check plugin_gate",
        "validate mine.yaml",
    )
    listed, shown, checked, validated = json.loads(run(site, "-c", COMMANDS, *lines).stdout)
    assert listed == "plugin_gate  x * sigmoid(slope * x)\n"
    facts = json.loads(shown)
    assert facts["source"] == "a package" and not facts["measured"]["monotone"]
    assert "plugin_gate: no defects" in checked
    assert "all is well" in validated


@pytest.mark.slow
def test_gallery(site: Path) -> None:
    run(site, "-m", "lightning_acts", "gallery", "--out", "pages")
    page = Path("pages/index.html").read_text("utf-8")
    assert 'id="plugin_gate" data-family="user"' in page and "a package" in page


OTHER = MODULE.replace("gate_of_a_plugin", "gate_of_another").replace("plugin_gate", "other_gate")
BROKEN = {
    "cannot_be_imported": ("import no_such_package_anywhere", "ModuleNotFoundError: No module named 'no_such_package"),
    "takes_a_name": (OTHER.replace("other_gate", "relu"), "'relu' is already registered (as relu)"),
    "takes_an_alias": (OTHER.replace("gate_of_another", "Swish"), "'Swish' is already registered (as silu)"),
}


def test_broken_packages_are_named_and_the_rest_works(site: Path) -> None:
    for name, (source, _) in BROKEN.items():
        install(site, name, source, name)
    code = (
        "import lightning_acts as acts; assert type(acts.create('swish')).__name__ == 'SiLU'; "
        "print(acts.create('relu'), acts.create('plugin_gate'), 'other_gate' in acts.names())"
    )
    done = run(site, "-c", code)
    assert done.stdout == "ReLU() plugin_gate False\n"
    for name, (_, reason) in BROKEN.items():
        (said,) = (line for line in done.stderr.splitlines() if f"activations of '{name}' " in line)
        assert f"activations of '{name}' (entry point '{name}') are missing: " in said and reason in said
    assert done.stderr.count("are missing") == len(BROKEN)


def test_what_is_registered_before_the_first_look_up_takes_no_name_of_ours(tmp_path: Path) -> None:
    code = """
import lightning_acts as acts
try:
    @acts.register
    def mish(x):
        return x
except ValueError as error:
    print(error)
print(acts.create("mish"))
"""
    done = run(tmp_path, "-c", code)
    assert done.stdout == "mish: 'mish' is already registered (as mish); override=True takes it away\nMish()\n"


def test_a_package_may_look_up_while_it_is_read(tmp_path: Path) -> None:
    source = MODULE + "\nassert acts.info('relu') and 'plugin_gate' in acts.names()\ndef all_of_it(): ...\n"
    install(tmp_path / "site", "plugin_of_a_test", source, "plugin_of_a_test:all_of_it")
    for first in ("", "import plugin_of_a_test; "):  # by itself, too
        run(tmp_path / "site", "-W", "error", "-c", f"{first}import lightning_acts as acts; acts.create('plugin_gate')")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    Path("sub").mkdir()
    Path("sub/own.py").write_text(MODULE)
    acts = ("-m", "lightning_acts")
    for given in ("sub/own.py", "sub.own"):
        listed = run(tmp_path, *acts, "--import", given, "ls", "activations", "plugin*").stdout
        assert listed == "plugin_gate  x * sigmoid(slope * x)\n"
    assert "there is no such file" in run(tmp_path, *acts, "--import", "owm.py", "ls", expect=2).stderr
