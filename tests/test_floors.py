"""Who imports whom: each file only what stands on a lower floor, and at its head."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import lightning_acts

PACKAGE = Path(lightning_acts.__file__).parent
#: From the ground up; those of one line may not import each other.
FLOORS = [
    "errors files hints",
    "extras spec",
    "definition elementary formula",
    "registry",
    "module activations",
    "kernels",
    "factory",
    "measuring parameters",
    "catalogue initialization optimizers",
    "functional checks surgery.operations surgery.site surgery.wrappers surgery.turns surgery.ledger surgery.blend surgery.fast_paths surgery.naming",
    "surgery.route surgery.source surgery.patterns surgery.example surgery.schedule",
    "surgery.sides",
    "surgery.request",
    "surgery.plan surgery.recognizing",
    "surgery.rewriting",
    "surgery.roles surgery.history",
    "surgery.finding surgery.report surgery.blending",
    "surgery.checkpoints",
    "surgery.exchanging surgery.verifying",
    "surgery.swapping",
    "surgery.saving surgery.scheduling surgery.optimizing reports",
    "callbacks models",
    "runs",
    "studies",
    "cli",
    "__main__",
]
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor.split()}
# They start before torch is imported: what they run is imported then.
LAZY = ("lightning_acts.cli.", "lightning_acts.runs.worker")


def unit(module: str) -> str:
    """The floor's name of a module: its folder in the package, two steps deep within surgery."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[0] == "surgery" else parts[0]


def modules() -> dict[str, Path]:
    paths = [path for path in PACKAGE.rglob("*.py") if not {"zoo", "configs"} & set(path.relative_to(PACKAGE).parts)]
    names = {".".join(("lightning_acts", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in paths}
    return {name: path for name, path in names.items() if not name.endswith("__init__")}


MODULES = modules()


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Names of the modules of the package that a file imports, and whether at its head; without those for types alone."""
    tree = ast.parse(path.read_text())
    for_types = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("lightning_acts")
            and node not in for_types
        ):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module), node in tree.body


def test_each_file_imports_from_lower_floors_alone() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, path in MODULES.items()
        for imported, _ in imports(path)
        if imported in MODULES and unit(imported) != unit(name) and HEIGHT[unit(imported)] >= HEIGHT[unit(name)]
    ]
    assert not wrong


def test_there_is_no_circle() -> None:
    graph = {name: {imported for imported, _ in imports(path) if imported in MODULES} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_imports_stand_at_the_head() -> None:
    late = [
        f"{name} imports {imported} late"
        for name, path in MODULES.items()
        for imported, at_head in imports(path)
        if not at_head and not name.startswith(LAZY)
    ]
    assert not late


def test_verification_knows_nothing_of_finding_and_matching() -> None:
    graph = {name: {imported for imported, _ in imports(path)} for name, path in MODULES.items()}
    reached, waiting = set(), ["lightning_acts.surgery.verifying"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph.get(name, ())
    assert not [name for name in reached if unit(name) in ("surgery.finding", "surgery.exchanging")]
