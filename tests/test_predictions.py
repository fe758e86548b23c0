"""Every prediction of the workbook is closed: after the result a paragraph says what came out, and why.

A prediction is a paragraph that begins with `*Predict`, its closing one that begins with `*What came out:*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from notebook_solutions import FOLDER

from motif_lib.classroom.build_notebooks import read_source

EXERCISE = re.compile(r"#+\s+Exercise")
OPEN, CLOSED = "*Predict", "*What came out:*"


def paragraphs(cells: Sequence[NotebookNode]) -> Iterator[str]:
    """The paragraphs of the text cells, in order; a code cell is one empty paragraph."""
    for cell in cells:
        yield from [""] if cell.cell_type == "code" else map(str.strip, re.split(r"\n\s*\n", cell.source))


def unclosed(cells: Sequence[NotebookNode]) -> list[str]:
    """The predictions without a result, or without a closing paragraph before the next prediction or exercise."""
    found, waits, ran = [], "", False
    for text in [*paragraphs(cells), f"{OPEN} the end"]:
        if text.startswith(OPEN) or EXERCISE.match(text):
            found += [waits] if waits else []
            waits, ran = (text if text.startswith(OPEN) else ""), False
        elif OPEN in text:
            found.append(f"begin a paragraph with it: {text}")
        elif text.startswith(CLOSED):
            found += [] if waits and ran else [f"closes nothing: {text}"]
            waits = ""
        ran = ran or not text
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("0*.py")), ids=lambda path: path.stem)
def test_every_prediction_is_closed(path):
    cells = read_source(path).cells
    assert any(text.startswith(OPEN) for text in paragraphs(cells)), "no prediction at all"
    assert not unclosed(cells), "\n\n".join(unclosed(cells))


ASK, TOLD, RUN = f"Words.\n\n{OPEN}:* more?", f"{CLOSED} more.\n\nWords.", "run()"


@pytest.mark.parametrize(
    ("cells", "faults"),
    [
        ([ASK, RUN, TOLD], 0),
        ([ASK, RUN, "Words.", RUN, TOLD, ASK, RUN, TOLD], 0),
        ([ASK, RUN, "More came out."], 1),
        ([ASK, TOLD], 1),  # told before it is run
        ([ASK, RUN, ASK, RUN, TOLD], 1),
        ([ASK, RUN, "### Exercise 1: x", TOLD], 2),
        ([ASK, RUN, f"Words. {CLOSED} more."], 1),
        ([f"Words. {OPEN}:* more?", RUN], 1),
        ([RUN, TOLD], 1),
    ],
)
def test_what_counts_as_closed(cells, faults):
    made = [new_code_cell(text) if text == RUN else new_markdown_cell(text) for text in cells]
    assert len(unclosed(made)) == faults
