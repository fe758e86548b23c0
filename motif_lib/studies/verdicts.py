"""What the recorded grids say: a row for each setting, with its effect, interval and verdict, all in one table.

    python -m motif_lib.studies.verdicts

A setting is compared with the nearest one before it in its grid, which is the base unless another one differs in fewer
settings: `early_stop, efficiency` is judged against `early_stop`, so that one switch at a time is turned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from motif_lib.evaluate.statistics import Estimate
from motif_lib.show.tables import Table
from motif_lib.studies.ablate import BASE, CellResult, Grid, first_asked, load_grid, minus_base, read_results
from motif_lib.studies.recorded import GRIDS, RECORDED

BETTER, WORSE, OPEN = "better", "worse", "not shown to differ"


@dataclass(frozen=True)
class Verdict:
    """One cell of a grid against another.

    Args:
        question: what it asks.
        source: where the question is from.
        cell: the cell's name.
        changes: the settings in which it differs from the other cell.
        against: those in which the other cell differs from the base, or `base`.
        effect: difference in accuracy.
        tokens: that a question took, all rounds together.
    """

    question: str
    source: str
    cell: str
    changes: str
    against: str
    effect: Estimate
    tokens: float

    @property
    def verdict(self) -> str:
        """`better` or `worse` only where the interval excludes zero."""
        return BETTER if self.effect.low > 0 else WORSE if self.effect.high < 0 else OPEN


def verdicts(grid: Grid, results: Sequence[CellResult]) -> list[Verdict]:
    """A verdict for each cell of a grid that has results, the base and the untrained model apart."""
    cells, found = grid.all_cells(), []
    asked = [(cell, switch) for switch in grid.switches for cell in grid.cells(switch) if cell != BASE]
    for cell, switch in asked:
        question, source = grid.asks.get(switch, (switch, ""))
        other = nearest(grid, cell)
        mine, others = first_asked(results, cell), first_asked(results, other)
        if mine and others:
            changes = _changes(cells[cell], cells[other])
            against = _changes(cells[other], grid.base) or BASE
            tokens = fmean(result.tokens for result in mine)
            found.append(Verdict(question, source, cell, changes, against, minus_base(mine, others), tokens))
    return found


def _changes(settings: dict[str, Any], others: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in settings.items() if value != others[key])


def nearest(grid: Grid, cell: str) -> str:
    """The cell before it that differs in the fewest settings, the first of several; of the first one the base."""
    cells = grid.all_cells()
    before = list(cells)[1 : list(cells).index(cell)]  # the untrained model is no setting
    return min(before, key=lambda other: sum(cells[other][key] != cells[cell][key] for key in grid.base))


def decisive(found: Sequence[Verdict]) -> list[Verdict]:
    """Those that are shown to differ, the largest effect first."""
    return sorted((v for v in found if v.verdict != OPEN), key=lambda v: -abs(v.effect.value))


def verdict_table(found: Sequence[Verdict], title: str = "One switch at a time") -> Table:
    """A row for each verdict; how sure it is stands below."""
    columns = ("question", "setting", "against", "points [95 % interval]", "tokens", "verdict", "from")
    rows = []
    for v in found:
        effect = " ".join(v.effect.points)
        rows.append((v.question, v.changes, v.against, effect, f"{v.tokens:.0f}", v.verdict, v.source))
    notes = [
        "points: of accuracy, the mean over the seeds of the difference of two runs with the same seed and questions; "
        "at each end the interval is the wider of Student's over the seeds and Newcombe's over all questions",
        "tokens: a question, all rounds; of settings that change nothing, one in twenty is called better or worse",
    ]
    return Table(title, columns, rows, notes)


def recorded_verdicts(*names: str, folder: Path = RECORDED) -> list[Verdict]:
    """The verdicts of these grids, by default of all, as far as they are recorded."""
    there = [name for name in names or GRIDS if (folder / name / "results.jsonl").exists()]
    return [verdict for name in there for verdict in verdicts(*read_recorded(name, folder))]


def read_recorded(name: str, folder: Path = RECORDED) -> tuple[Grid, list[CellResult]]:
    """A grid as it was recorded, with what today's asks, and its results."""
    grid, recorded = load_grid(name), json.loads((folder / name / "settings.json").read_text(encoding="utf-8"))
    if grid.settings() != recorded["ablation"]:
        grid = Grid(**recorded["ablation"], asks=grid.asks)
    return grid, read_results(folder / name / "results.jsonl")


if __name__ == "__main__":
    print(verdict_table(recorded_verdicts()))
