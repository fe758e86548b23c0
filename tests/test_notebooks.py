"""What every notebook of the workbook must have. Their outputs are compared by nbval, see the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from motif_lib.classroom import build_notebooks
from motif_lib.classroom.build_notebooks import read_source
from motif_lib.classroom.workbook import MINUTES, PREPARE, badges, first_cell

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MAX_CELLS, MAX_LINES = 40, 12

EXERCISE = re.compile(r"^#+\s+Exercise", re.MULTILINE)
SOLUTION = re.compile(r"<details>\s*<summary>[^<]*solution", re.IGNORECASE)
TIME_AND_HARDWARE = re.compile(r"^.*\bminutes?\b.*\b(CPU|GPU)\b.*$", re.MULTILINE)
SEED = re.compile(r"seed\s*=\s*\d|seed\(\s*\d", re.IGNORECASE)
FOREIGN_IMAGE = re.compile(
    r"!\[[^\]]*\]\(\s*(?:https?:)?//(?!colab\.research\.google\.com/assets/)|<img[^>]+src=[\"']?(?:https?:)?//"
)


def faults(notebook: nbformat.NotebookNode, source: nbformat.NotebookNode) -> list[str]:
    """Everything that is wrong with a notebook, in words; its source is given for comparison."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    exercises = len(EXERCISE.findall(prose))
    wrong = {
        f"more than {MAX_CELLS} cells": len(notebook.cells) > MAX_CELLS,
        "no objectives: 'You will learn' in a markdown cell": "you will learn" not in prose.lower(),
        "no line that says how many minutes it takes, and on which CPU or GPU": not TIME_AND_HARDWARE.search(prose),
        "no seed is set": not any(SEED.search(cell.source) for cell in code),
        "a picture is linked from elsewhere": FOREIGN_IMAGE.search(prose),
        "metadata.widgets is stored": "widgets" in notebook.metadata,
        "fewer than two exercises: headings that start with 'Exercise'": exercises < 2,
        "an exercise without a folded solution": len(SOLUTION.findall(prose)) < exercises,
        "source and notebook are out of step: run python -m motif_lib.classroom.build_notebooks build": (
            [(c.cell_type, c.source) for c in notebook.cells] != [(c.cell_type, c.source) for c in source.cells]
        ),
    }
    found = [fault for fault, present in wrong.items() if present]
    for number, cell in enumerate(code, 1):
        lines = len([line for line in cell.source.splitlines() if line.strip()])
        if lines > MAX_LINES:
            found.append(f"code cell {number} has {lines} lines, more than {MAX_LINES}")
        if cell.source.strip() and cell.execution_count is None:
            found.append(f"code cell {number} was never run")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"code cell {number} ended in an error")
    return found


def test_there_are_notebooks():
    assert NOTEBOOKS, "no notebooks/*.ipynb: run python -m motif_lib.classroom.build_notebooks build"
    assert [n.stem for n in NOTEBOOKS] == sorted(p.stem for p in FOLDER.glob("*.py")), (
        "sources and notebooks do not pair"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path):
    assert not faults(nbformat.read(path, as_version=4), read_source(path.with_suffix(".py")))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_notebook_begins_with_the_same_cell(path):
    """A hosted runtime keeps its own torch and its own ipywidgets: so not the extra `notebook`, and no upgrade."""
    first = next(cell for cell in read_source(path).cells if cell.cell_type == "code")
    assert first.source == first_cell() and "pip" not in path.read_text(encoding="utf-8")


def test_an_address_is_written_into_the_notebook(tmp_path, monkeypatch):
    address = "git+https://github.com/someone/motif@v1"
    monkeypatch.setattr(build_notebooks, "first_cell", lambda: first_cell(address))
    monkeypatch.setattr(build_notebooks, "badges", lambda name: badges(name, address))
    (tmp_path / "00_x.py").write_text(f"# %% [markdown]\n# # Title\n#\n# Words.\n# %%\n{PREPARE}\n", encoding="utf-8")
    title, first = read_source(tmp_path / "00_x.py").cells
    assert f'"motif_lib @ {address}"' in first.source
    assert re.fullmatch(r"# Title\n\n\[Open in Colab\]\(\S+/00_x.ipynb\) .*\n\nWords.", title.source)


def test_a_picture_is_inside_the_notebook(tmp_path):
    (tmp_path / "p.png").write_bytes(b"picture")
    (tmp_path / "x.py").write_text(
        "# %% [markdown]\n# Look: ![what it shows](p.png) and `[a](p.png)`\n", encoding="utf-8"
    )
    (cell,) = read_source(tmp_path / "x.py").cells
    assert cell.source == "Look: ![what it shows](data:image/png;base64,cGljdHVyZQ==) and `[a](p.png)`"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_picture_says_what_it_shows(path):
    for words in re.findall(r"!\[([^\]]*)\]\(", path.read_text(encoding="utf-8").replace("\n# ", " ")):
        assert len(words) > 80, f"an alternative text tells all that the picture tells: {words!r}"


def test_the_minutes_are_the_same_everywhere():
    """In the package, near the top of each notebook, and in the README's table."""
    stated = {}
    for path in FOLDER.glob("*.py"):
        stated[path.stem] = int(re.search(r"\b(\d+) minutes? on two CPU cores", path.read_text(encoding="utf-8"))[1])
    table = dict(
        re.findall(r"\| `(0\d_\w+)` \|.*\| (\d+) \|", (FOLDER.parent / "README.md").read_text(encoding="utf-8"))
    )
    assert stated == MINUTES == {name: int(minutes) for name, minutes in table.items()}


GOOD = """# %% [markdown]
# # A notebook
# You will learn what a good one looks like.
#
# About 2 minutes on two CPU cores.
# %%
seed = 0
# %% [markdown]
# ## Exercise 1
# <details><summary>Solution</summary>one</details>
# %% [markdown]
# ## Exercise 2
# <details><summary>A solution</summary>two</details>
# %%
print(seed)
"""


@pytest.mark.parametrize(
    "old, new, fault",
    [
        pytest.param("", "", None, id="good"),
        pytest.param("You will learn", "This is about", "objectives", id="objectives"),
        pytest.param("About 2 minutes on two CPU cores.", "It is short.", "how many minutes", id="minutes"),
        pytest.param("2 minutes on two CPU cores", "2 minutes", "how many minutes", id="hardware"),
        pytest.param("seed = 0", "size = 0", "no seed", id="seed"),
        pytest.param("what a good", "![x](https://example.org/x.png) what", "linked from elsewhere", id="image"),
        pytest.param("what a good", '<img alt="" src="//example.org/x.png">', "linked from elsewhere", id="img tag"),
        pytest.param("## Exercise 2", "## Task 2", "fewer than two exercises", id="exercises"),
        pytest.param("<summary>Solution", "<summary>Hint", "folded solution", id="solution"),
        pytest.param("seed = 0", "seed = 0\n" * 13, "13 lines", id="long cell"),
        pytest.param("seed = 0", "seed = 0\n" + "# %%\n1\n" * 40, "more than 40 cells", id="many cells"),
    ],
)
def test_faults_of_a_source(tmp_path, old, new, fault):
    notebook = made(tmp_path, GOOD.replace(old, new) if old else GOOD)
    found = faults(notebook, read_source(tmp_path / "good.py"))
    assert (fault is None and not found) or any(fault in text for text in found), found


def made(folder: Path, text: str) -> nbformat.NotebookNode:
    """A notebook as if it had been run."""
    (folder / "good.py").write_text(text)
    notebook = read_source(folder / "good.py")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    return notebook


def test_faults_of_a_notebook(tmp_path):
    notebook = made(tmp_path, GOOD)
    notebook.metadata["widgets"] = {}
    first, last = (cell for cell in notebook.cells if cell.cell_type == "code")
    first.execution_count = None
    last.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="x", traceback=[])]
    last.source += "  # edited"
    found = " ".join(faults(notebook, read_source(tmp_path / "good.py")))
    for fault in ("metadata.widgets", "code cell 1 was never run", "code cell 2 ended in an error", "out of step"):
        assert fault in found
