"""Notebooks from their sources: `python -m motif_lib.classroom.build_notebooks build|check [notebooks/NAME.py ...]`.

A source `notebooks/NAME.py` (py:percent) is what people edit; `NAME.ipynb` beside it is run from it and kept with its
outputs. `build` writes it, and changes no byte where nothing changed. `check` runs the source, writes nothing, and
fails where sources or outputs differ from the notebook. What may differ is in `tests/sanitize.cfg`, which nbval uses
too. The outputs of a cell tagged `nbval-ignore-output` (plots of times) may be anything, and are kept until its source
changes. Run it in the root of the repository.
"""

from __future__ import annotations

import argparse
import base64
import difflib
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motif_lib.classroom.solutions import with_bodies
from motif_lib.classroom.workbook import PREPARE, badges, first_cell
from motif_lib.files import write_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

FREE = "nbval-ignore-output"  # tag of a cell whose outputs may differ
TIMEOUT = 600  # seconds a cell may take
PICTURE = re.compile(r"(!\[[^\]]*\])\(([^():]+\.png)\)")  # in a text cell: a file beside the source
# Models and data come with the package: a notebook that asks for the network must fail here, not in a classroom.
# Hashes order sets; threads change the last digits of sums.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "2",
    "PYTHONHASHSEED": "0",
}

Sanitize = Callable[[str], str]


def read_source(path: Path) -> NotebookNode:
    """A py:percent file as a notebook without outputs; address, solutions' bodies and pictures are written in here."""
    import jupytext

    notebook = jupytext.read(path)
    notebook.metadata = type(notebook.metadata)(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        if cell.source == PREPARE:
            cell.source = first_cell()
        if cell.cell_type == "markdown":
            cell.source = with_bodies(cell.source)
            cell.source = PICTURE.sub(lambda found: f"{found[1]}({_inside(path.parent / found[2])})", cell.source)
    if links := badges(path.stem):
        notebook.cells[0].source = notebook.cells[0].source.replace("\n", f"\n\n{links}\n", 1)
    return notebook


def _inside(picture: Path) -> str:
    """A PNG as a data URI. Colab has no files beside a notebook and shows neither attachments nor SVG in its text."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute a notebook in a folder and drop what changes from run to run.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    from nbclient import NotebookClient

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    NotebookClient(
        notebook,
        timeout=TIMEOUT,
        startup_timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    notebook.metadata.pop("widgets", None)  # without its state GitHub calls the notebook invalid, with it it is huge
    notebook.metadata.language_info = {"name": "python"}  # no version
    return _number_models(notebook)


def _number_models(notebook: NotebookNode) -> NotebookNode:
    """Number the widget models, whose ids are random, in the order in which they appear."""
    import nbformat

    text = nbformat.writes(notebook)
    for number, model in enumerate(dict.fromkeys(re.findall(r'"model_id": "([0-9a-f]{32})"', text))):
        text = text.replace(model, f"{number:032x}")
    return nbformat.reads(text, as_version=4)


def sanitizer(path: Path) -> Sanitize:
    """The replacements of an nbval sanitize file, all in one function."""
    from nbval.plugin import get_sanitize_patterns

    patterns = get_sanitize_patterns(path.read_text(encoding="utf-8"))

    def sanitize(text: str) -> str:
        for pattern, replacement in patterns:
            text = re.sub(pattern, replacement, text)
        return text

    return sanitize


def comparable(cell: NotebookNode, sanitize: Sanitize, pictures: bool) -> list[str]:
    """What of a code cell's outputs must not change, line by line. Pictures differ in bytes from machine to machine."""
    outputs = json.loads(json.dumps(cell.get("outputs", [])))
    for output in outputs:
        output.pop("execution_count", None)
        for kind in output.get("data", {}):
            if kind.startswith("image/") and not pictures:
                output["data"][kind] = "(a picture)"
    return sanitize(json.dumps(outputs, indent=1, ensure_ascii=False, sort_keys=True)).replace("\\n", "\n").splitlines()


def keep_outputs(new: NotebookNode, old: NotebookNode, sanitize: Sanitize, pictures: bool) -> None:
    """If a cell and its outputs are the same, but for times and the like, keep the outputs it had."""
    before = {cell.source: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in new.cells:
        same = before.get(cell.source) if cell.cell_type == "code" else None
        if same is None or not same.get("outputs"):
            continue
        free = FREE in cell.metadata.get("tags", [])
        if free or comparable(cell, sanitize, pictures) == comparable(same, sanitize, pictures):
            cell.outputs = same.outputs
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = cell.execution_count


def render(source: Path, sanitize: Sanitize, pictures: bool = True) -> str:
    """The text of the notebook that a source makes, with what is kept of the notebook beside it."""
    import nbformat

    notebook, target = run(read_source(source), source.parent), source.with_suffix(".ipynb")
    if target.exists():
        keep_outputs(notebook, nbformat.read(target, as_version=4), sanitize, pictures)
    return nbformat.writes(notebook) + "\n"


def build(source: Path, sanitize: Sanitize) -> bool:
    """Write the notebook of a source."""
    write_text(source.with_suffix(".ipynb"), render(source, sanitize))
    return True


def check(source: Path, sanitize: Sanitize) -> bool:
    """Whether the notebook is what its source makes now; says what differs."""
    target = source.with_suffix(".ipynb")
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    new = render(source, sanitize, pictures=False)
    before, now = (text.replace("<tr>", "\n<tr>").splitlines() for text in (old, new))  # a table is one long line
    difference = difflib.unified_diff(before, now, str(target), "now", lineterm="", n=2)
    print("\n".join(line[:600] for line in difference), end="\n" if old != new else "")
    return old == new


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 if a notebook fails to run, or differs."""
    parser = argparse.ArgumentParser(
        prog="python -m motif_lib.classroom.build_notebooks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("action", choices=["build", "check"])
    parser.add_argument("files", nargs="*", type=Path, help="sources; all of notebooks/*.py if not given")
    parser.add_argument("--sanitize", type=Path, default=Path("tests/sanitize.cfg"))
    given = parser.parse_args(arguments)
    files = given.files or sorted(Path("notebooks").glob("*.py"))
    if not files:
        parser.error("no notebooks/*.py here: run it in the root of the repository, or name the sources")
    sanitize, action, failed = sanitizer(given.sanitize), {"build": build, "check": check}[given.action], 0
    for source in files:
        fine = _tell(action, source.with_suffix(".py"), sanitize)
        failed += not fine
        print(f"{source.stem}: {'ok' if fine else 'FAILED'}", flush=True)
    return int(failed > 0)


def _tell(action: Callable[[Path, Sanitize], bool], source: Path, sanitize: Sanitize) -> bool:
    from nbclient.exceptions import CellControlSignal, DeadKernelError

    try:
        return action(source, sanitize)
    except (CellControlSignal, DeadKernelError) as error:  # a cell failed, took too long, or ended the kernel
        print(f"{source}: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(main())
