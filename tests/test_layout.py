"""The architecture, in CONTRIBUTING's words: a file imports only what stands to the left of it, never in a circle."""

import ast
from pathlib import Path

import motif_lib

PACKAGE = Path(motif_lib.__file__).parent
ORDER = [
    "files runtime records protocol grpo show",
    "carry verify models",
    "tasks samplers",
    "rounds checks",
    "credit rewards evaluate classroom",
    "training widgets step",
    "studies tiny",
    "machine",
    "cli",
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms.split()}
FREE = {"__init__", "moved"}  # they name modules in order to find them, and import none of them


def files() -> dict[str, ast.Module]:
    """Every file of the package by its dotted name, parsed."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    named = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in named.items()}


def imports(tree: ast.Module) -> set[str]:
    """What a file imports of the package, dotted names below `motif_lib`; imports for the type checker do not count."""
    typed = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    skipped = {id(child) for node in typed for child in ast.walk(node)}
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("motif_lib.") for name in names if name.startswith("motif_lib.")}


def test_a_file_imports_only_what_stands_to_the_left_of_it():
    wrong = []
    for name, tree in files().items():
        room = name.partition(".")[0]
        for other in {found.partition(".")[0] for found in imports(tree)} - {room}:
            if room not in FREE and other in LEVEL and LEVEL[other] >= LEVEL[room]:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_circle_of_imports():
    trees = files()
    graph = {
        name: {module for found in imports(tree) for module in trees if f"{found}.".startswith(f"{module}.")} - {name}
        for name, tree in trees.items()
    }
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]
    assert graph == {}


def test_the_folder_list_is_the_architecture():
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert (loose | folders) - FREE - {"assets"} == LEVEL.keys()
    assert len(loose) <= 12 and len(folders) <= 16
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > 250} == {}
