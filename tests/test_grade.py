"""Filled, wrong, hanging, crashing and tampered notebooks: all are graded, none stops the grading of the others."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import nbformat
import pytest
from notebook_solutions import CODE, FOLDED, FOLDER

from motif_lib.checks.probe import checks_of
from motif_lib.classroom.build_notebooks import read_source
from motif_lib.classroom.grade import Grade, grade, grade_notebook, read_cells, summary, to_csv

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
IMPORT = "from motif_lib.checks import context as checks"
ROOM = "def room(prompt_tokens, budget, window):\n    return max(0, min(budget, window - prompt_tokens))"
CACHE = """def cache_bytes(config, tokens, bytes_per_number):
    width = config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * config.num_key_value_heads * width * tokens * bytes_per_number"""
CALLS = ["checks.check_room(room)", "checks.check_cache_bytes(cache_bytes)"]
SEVEN = "def room(*a): return 7"
RIGHT = [IMPORT, ROOM, CALLS[0], CACHE, CALLS[1]]


def write(path: Path, cells: list[str]) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def statuses(grades: list[Grade]) -> dict[str, str]:
    """Of the two exercises that the notebooks here fill in."""
    return {line.exercise: line.status for line in grades if line.exercise in ("room", "cache_bytes")}


@pytest.mark.parametrize(
    "cells, room, cache, run",
    [
        pytest.param(RIGHT, "ok", "ok", "ran", id="right"),
        pytest.param([IMPORT, ROOM.replace("max(0, ", "("), *RIGHT[2:]], "not quite", "ok", "ran", id="wrong"),
        pytest.param(["def room(*args): pass", *RIGHT[:1], *RIGHT[2:]], "not yet", "ok", "ran", id="a stub"),
        pytest.param([IMPORT, CACHE, CALLS[1]], "missing", "ok", "ran", id="a function is missing"),
        pytest.param([IMPORT, ROOM, CACHE, CALLS[1]], "missing", "ok", "ran", id="a check was deleted"),
        pytest.param(["1 / 0", "what?", *RIGHT], "ok", "ok", "code cell 1 raised ZeroDivisionError", id="a cell fails"),
        pytest.param(
            [IMPORT, "checks.run = lambda *a: print('ok: fine')", "room = cache_bytes = 1", *CALLS],
            "not quite", "not quite", "checks were changed: run", id="the runner is replaced in the topic",
        ),
        pytest.param(
            [IMPORT, "from motif_lib.checks import base\nbase.same = lambda *a: True", SEVEN, *RIGHT[2:]],
            "not quite", "ok", "checks were changed: same", id="the comparison is replaced",
        ),
        pytest.param(
            [IMPORT, "class checks:\n    check_room = check_cache_bytes = print", SEVEN, *RIGHT[2:]],
            "not quite", "ok", "checks were changed: checks", id="the checks are another object",
        ),
        pytest.param(
            [IMPORT, "import os\nos._exit(1)", *RIGHT], "not graded", "not graded", "the kernel died in code cell 2",
            id="the kernel dies",
        ),
        pytest.param(
            [IMPORT, ROOM, CACHE, "import builtins, os\nbuiltins.print = lambda *a, **k: os._exit(1)"],
            "not graded", "not graded", "the kernel died", id="the kernel dies at the probe",
        ),
        pytest.param(
            [IMPORT, "import builtins\nbuiltins.print = lambda *a, **k: None", *RIGHT[1:]],
            "not graded", "not graded", "the checks could not be read", id="print is gone",
        ),
        *(
            pytest.param(
                [IMPORT, f"import json\njson.dumps = lambda *a, **k: {said!r}", *RIGHT[1:]],
                "not graded", "not graded", "cannot be read", id=f"json says {said}",
            )
            for said in ("no json", "7", '{"grade": 1}')
        ),
    ],
)  # fmt: skip
def test_verdicts(tmp_path, cells, room, cache, run):
    grades = grade_notebook(write(tmp_path / "01.ipynb", cells), limit=60)
    assert statuses(grades) == {"room": room, "cache_bytes": cache}
    assert all(run in line.run for line in grades), grades


def test_a_hanging_cell_is_interrupted_and_the_rest_is_graded(tmp_path):
    cells = [IMPORT, "while True: pass", "def room(*a):\n    while True: pass", *RIGHT[3:], CALLS[0]]
    grades = grade_notebook(write(tmp_path / "01.ipynb", cells), limit=5)
    # the loop itself, the learner's own check of the loop, then ours: three time-outs, and the rest is not tried
    assert statuses(grades) == {"room": "timed out", "cache_bytes": "not graded"}
    assert grades[0].run == "code cell 2 took longer than 5 s"


def test_a_cell_that_cannot_be_interrupted_does_not_hang_the_grading(tmp_path):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    grades = grade_notebook(write(tmp_path / "01.ipynb", [*RIGHT, stubborn]), limit=3)
    assert set(statuses(grades).values()) <= {"not graded", "timed out"} and "took longer" in grades[0].run


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"cells": 3}', '{"nbformat": 4, "cells": [{}]}', None])
def test_a_file_that_is_not_a_notebook_is_one_line(tmp_path, content):
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    (line,) = grade_notebook(path)
    assert line.status == "not graded" and line.run.startswith("cannot be read: ")


@pytest.mark.parametrize("cells", [["1"], ["from motif_lib.checks import base as checks"], ["import motif_lib"]])
def test_without_the_import_of_its_checks_a_notebook_has_no_exercises(tmp_path, cells):
    with pytest.raises(ValueError, match="no cell says"):
        read_cells(write(tmp_path / "x.ipynb", cells))


@pytest.mark.parametrize("source", sorted(FOLDER.glob("0*.py")), ids=lambda path: path.stem)
def test_every_exercise_of_the_workbook_is_found(tmp_path, source):
    """Each check of a topic is called in its notebook, on a name: the grader finds all exercises and no others."""
    notebook = read_source(source)
    cells, topic = read_cells(write(tmp_path / "x.ipynb", [c.source for c in notebook.cells if c.cell_type == "code"]))
    called = re.findall(r"checks\.(check_\w+)\(\s*[A-Za-z_]\w*\s*\)", "\n".join(cells))
    assert sorted(called) == sorted(checks_of(topic)) and len(called) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name, size", [("03_rewards", 4), ("04_advantage_and_loss", 3)])
def test_a_filled_and_a_wrong_notebook_of_the_workbook(tmp_path, name, size):
    """The folded solutions pasted in, and the stubs as they are: in parallel, in the order given, and as CSV."""
    notebook = read_source(FOLDER / f"{name}.py")
    solved = [code for cell in notebook.cells for fold in FOLDED.findall(cell.source) for code in CODE.findall(fold)]
    stubs = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    filled, left = [], list(solved)
    for cell in stubs:
        filled.append(left.pop(0) if re.search(r"return None  # your", cell) else cell)
    assert not left and len(solved) == size
    wrong = [cell.replace("return None  # your turn", "return 7") for cell in stubs]
    paths = [write(tmp_path / f"{kind}.ipynb", cells) for kind, cells in
             (("filled", filled), ("stubs", stubs), ("wrong", wrong))]  # fmt: skip
    grades = grade([*paths, tmp_path / "none.ipynb"], jobs=2)
    by_file = [[line.status for line in grades if line.notebook == str(path)] for path in paths]
    assert by_file == [["ok"] * size, ["not yet"] * size, ["not quite"] * size]
    assert {line.run for line in grades if line.status == "ok"} == {"ran"}
    assert grades[-1].run.startswith("cannot be read") and f"{size} of {size}" in str(summary(grades))


def test_csv_is_safe_for_a_spreadsheet():
    text = to_csv([Grade("=cmd()", "room", "not quite", "-1, not\n1", "ran")])
    assert list(csv.reader(text.splitlines())) == [
        ["notebook", "exercise", "status", "message", "run"], ["'=cmd()", "room", "not quite", "'-1, not 1", "ran"]
    ]  # fmt: skip
