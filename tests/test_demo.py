"""What the demo prints."""

from __future__ import annotations

import io

from rich.console import Console

from motif_lib.demo import METHODS, results_table
from motif_lib.evaluate import Item, Report
from motif_lib.records import Question


def test_the_table_of_all_systems_fits_a_terminal_of_80_columns():
    """At its widest: all of 22 questions a length solved."""
    questions = [Question(f"q{i}", "1", id=str(i), length=4 + i % 9) for i in range(198)]
    items = tuple(Item(q, (True,), ("1",), ("",), (1_234,), (9,)) for q in questions)
    text = io.StringIO()
    table = results_table({name: Report(name, {}, items) for name in ("base", *METHODS)})
    Console(file=text, width=80, color_system=None, force_jupyter=False).print(table)
    lines = text.getvalue().splitlines()
    assert sum("100 [85, 100]" in line for line in lines) == 9, "a row each, none of them wrapped"
    row = next(line for line in lines if line.startswith("│ 12 steps"))
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["12 steps", *["100 [85, 100]"] * 4]
    assert next(line for line in lines if line.startswith("│ tokens")).count("1234") == 4
