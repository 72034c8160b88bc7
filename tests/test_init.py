import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_acts


@pytest.mark.parametrize("name", lightning_acts._EXPORTS)
def test_every_public_name_loads(name: str) -> None:
    assert getattr(lightning_acts, name).__name__ == name
    assert name in dir(lightning_acts)


def test_dir_shows_public_names_alone() -> None:
    assert lightning_acts.swap  # kept among the globals once it was used
    assert dir(lightning_acts) == sorted([*lightning_acts._EXPORTS, "functional"])


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    tree = ast.parse(Path(lightning_acts.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == {name: f"lightning_acts.{module}" for name, module in lightning_acts._EXPORTS.items()}


def test_no_package_shares_its_name_with_a_public_function() -> None:
    folder = Path(lightning_acts.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(lightning_acts._EXPORTS)


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="'lightning_acts' has no attribute 'swop'"):
        lightning_acts.swop  # type: ignore[attr-defined]  # noqa: B018


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_is_light() -> None:
    assert not imported_by("import lightning_acts") & {"torch", "lightning", "matplotlib", "torchvision", "timm", "transformers", "optuna", "rich"}  # fmt: skip


@pytest.mark.slow
def test_no_public_name_brings_an_optional_package() -> None:
    # The callbacks and what stands above them import lightning, and that imports whatever torchmetrics finds.
    names = [
        name for name, module in lightning_acts._EXPORTS.items() if not module.startswith(("callbacks", "studies"))
    ]
    imported = imported_by("import lightning_acts; " + "; ".join(f"lightning_acts.{name}" for name in names))
    assert "torch" in imported
    assert not imported & {"matplotlib", "torchvision", "timm", "transformers", "optuna", "sklearn", "lightning"}


def test_nothing_below_the_callbacks_imports_lightning() -> None:
    folder = Path(lightning_acts.__file__).parent
    for path in folder.rglob("*.py"):
        if {"callbacks", "runs", "studies", "cli"} & set(path.relative_to(folder).parts):
            continue
        modules = [
            alias.name if isinstance(node, ast.Import) else node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        ]
        assert not [module for module in modules if module.split(".")[0] == "lightning"], path
