"""Ablations: one switch turned at a time, several seeds, one table and one figure with intervals.

    motif ablate --seeds 4

A grid is a YAML file (`grids/questions.yaml`): a recipe, a `base` of settings, and for each switch the values it takes
while all else stays as in the base. Each cell is a run folder with its evaluations, so a stopped ablation goes on. The
folder gets `results.jsonl`, one line for each seed, cell and number of rounds asked, a table and a figure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from motif_lib.carry import CARRIES, Carry, capped
from motif_lib.evaluate.statistics import CONFIDENCE, Estimate, wilson
from motif_lib.files import PACKAGE, write_text
from motif_lib.models.load import load_tokenizer
from motif_lib.records import Question, read_lines, to_lines
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.demo import evaluate_run
from motif_lib.studies.side_by_side import side_by_side
from motif_lib.tasks import load_task
from motif_lib.training.recipe import Recipe, load_recipe, load_yaml
from motif_lib.training.runs import open_run, train_run

FOLDER = PACKAGE / "studies" / "grids"
BASE, UNTRAINED = "base", "untrained"


@dataclass(frozen=True)
class Grid:
    """What an ablation varies.

    Args:
        recipe: name or path of the recipe that every cell starts from.
        base: settings of `MotifConfig`, and `carry`, of all cells; it names the value of every switch.
        switches: for each switch its values; a value may also be a mapping of several settings.
        rounds: numbers of rounds to ask with; by default as many as in training.
        questions: held-out questions, the same for all cells of a seed.
        note_tokens: most tokens of a note, the same for all carry strategies; by default no such cap.
        trained_on, asked: keyword arguments of `load_task` for both kinds of questions; by default the recipe's `dial`.
        asks: for each switch the question that it asks, and where that is from (`verdicts` tells the answers).
    """

    recipe: str
    base: dict[str, Any]
    switches: dict[str, list[Any]]
    rounds: list[int] = field(default_factory=list)
    questions: int = 100
    note_tokens: int | None = None
    trained_on: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    asks: dict[str, list[str]] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """All but the words of `asks`, which may be mended while it runs."""
        return {key: value for key, value in asdict(self).items() if key != "asks"}

    def cells(self, switch: str) -> dict[str, dict[str, Any]]:
        """All settings of each cell of a switch, by the cell's name; the cell that changes nothing is `base`."""
        cells = {}
        for value in self.switches[switch]:
            settings = value if isinstance(value, dict) else {switch: value}
            if missing := [key for key in settings if key not in self.base]:
                raise ValueError(f"{missing[0]} is varied, but not in base: give its usual value there")
            changes = {key: given for key, given in settings.items() if given != self.base[key]}
            name = ", ".join(f"{key}={given}" for key, given in changes.items())
            cells[name or BASE] = {**self.base, **settings}
        return cells

    def all_cells(self) -> dict[str, dict[str, Any]]:
        """The untrained model, the base, and every other cell once."""
        cells = {UNTRAINED: self.base, BASE: self.base}
        for switch in self.switches:
            cells |= self.cells(switch)
        return cells


@dataclass(frozen=True)
class CellResult:
    """One cell of one seed: `right` of `total` questions, asked in `rounds` rounds, at `tokens` a question."""

    seed: int
    cell: str
    settings: dict[str, Any]
    rounds: int
    right: int
    total: int
    tokens: float


def load_grid(name: str | Path) -> Grid:
    """A grid by name (`questions`) or by path.

    Raises:
        ValueError: if there is none, or a key, switch or carry strategy in it is unknown.
    """
    grid = load_yaml(Grid, name, FOLDER)
    carries = [settings["carry"] for settings in grid.all_cells().values() if "carry" in settings]
    if unknown := [carry for carry in carries if carry not in CARRIES]:
        raise ValueError(f"{name}: no carry strategy {unknown[0]!r}: choose from {', '.join(CARRIES)}")
    return grid


def run_ablation(
    grid: Grid, out: str | Path, seeds: Iterable[int] = (0, 1, 2), jobs: int | None = None
) -> list[CellResult]:
    """Train and evaluate every cell with every seed, `jobs` at once (`side_by_side`); returns and writes the results.

    Raises:
        ValueError: before anything is trained, if a cell has settings that nothing takes.
    """
    recipe = load_recipe(grid.recipe)
    asked, recipe = grid.asked or recipe.dial, replace(recipe, dial=grid.trained_on or recipe.dial)
    for settings in grid.all_cells().values():
        _with(recipe, settings).config(out)
    out, tasks = open_run(out, {"ablation": grid.settings()}), {}
    for seed in seeds:
        questions = load_task(recipe.task, split="test", size=grid.questions, seed=seed, **asked)
        for cell, settings in grid.all_cells().items():
            folder = out / f"seed{seed}" / re.sub(r"[^\w=.-]+", "_", cell)
            tasks[f"{cell}, seed {seed}"] = partial(_run_cell, grid, recipe, cell, settings, folder, seed, questions)

    def write(found: dict[str, list[CellResult]]) -> None:
        write_text(out / "results.jsonl", to_lines(chain.from_iterable(found.values())))

    results = list(chain.from_iterable(side_by_side(tasks, jobs, write).values()))
    write_results(grid, results, out)
    return results


def _run_cell(
    grid: Grid, recipe: Recipe, cell: str, settings: dict[str, Any], folder: Path, seed: int, questions: list[Question]
) -> list[CellResult]:
    carry = _carry(settings, recipe, grid.note_tokens)
    recipe = _with(recipe, settings)
    title = f"{cell}, seed {seed}"
    if cell != UNTRAINED and not train_run(recipe, folder, seed, title=title, carry=carry):
        raise KeyboardInterrupt  # which `train_run` has heard and told
    adapter = None if cell == UNTRAINED else folder / "adapter"
    results = []
    for rounds in grid.rounds or [recipe.config(folder).num_rounds]:
        report = evaluate_run(recipe, adapter, questions, folder / f"test-{rounds}", title, seed, rounds, carry)
        right = sum(item.hits for item in report.items)
        results.append(CellResult(seed, cell, settings, rounds, right, len(report.items), report.tokens_per_question))
    return results


def _with(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """The recipe with a cell's settings of `MotifConfig`."""
    return recipe.with_train(**{key: value for key, value in settings.items() if key != "carry"})


def _carry(settings: dict[str, Any], recipe: Recipe, note_tokens: int | None) -> Carry:
    carry = CARRIES[settings.get("carry", "progress_note")]
    if note_tokens is None:
        return carry
    return capped(carry, load_tokenizer(recipe.model, recipe.load.get("revision")), note_tokens)


def over_seeds(results: Sequence[CellResult]) -> Estimate:
    """Mean accuracy over seeds. At each end, its 95 % interval is the wider of two: Student's over the seeds, and
    Wilson's over all their questions. A single seed has only the second."""
    shares = [result.right / result.total for result in results]
    mean, pooled = fmean(shares), wilson(sum(r.right for r in results), sum(r.total for r in results))
    half = _half_width(shares)
    return Estimate(mean, max(0, min(mean - half, pooled.low)), min(1, max(mean + half, pooled.high)), pooled.n)


def _half_width(values: Sequence[float]) -> float:
    """Half of Student's interval of the mean; 0 for a single value."""
    from scipy.stats import t

    n = len(values)
    return float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / n**0.5 if n > 1 else 0.0


def minus_base(results: Sequence[CellResult], bases: Sequence[CellResult]) -> Estimate:
    """Mean difference from the base, or another cell, seed by seed. At each end, its 95 % interval is the wider of two:
    Student's over the seeds, and Newcombe's (1998) from Wilson's of all questions, as if they were not paired."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    usual = {r.seed: r.right / r.total for r in bases}
    apart = [r.right / r.total - usual[r.seed] for r in results]
    mine, other = ([sum(r.right for r in rs), sum(r.total for r in rs)] for rs in (results, bases))
    pooled = mine[0] / mine[1] - other[0] / other[1]
    low, high = confint_proportions_2indep(*mine, *other, method="newcomb", compare="diff", alpha=1 - CONFIDENCE)
    mean, half = fmean(apart), _half_width(apart)
    below, above = max(half, pooled - low), max(half, high - pooled)
    return Estimate(mean, max(-1, mean - below), min(1, mean + above), mine[1])


def results_table(grid: Grid, results: Sequence[CellResult]) -> Table:
    """A row for each cell and number of rounds asked."""
    rows = []
    for cell in grid.all_cells():
        for rounds in dict.fromkeys(r.rounds for r in results if r.cell == cell):
            mine = [r for r in results if (r.cell, r.rounds) == (cell, rounds)]
            # by default every cell is asked as it was trained, the base with its own n
            bases = [r for r in results if r.cell == BASE and (r.rounds == rounds or not grid.rounds)]
            tokens = f"{fmean(r.tokens for r in mine):.0f}"
            by_seed = ", ".join(f"{100 * r.right / r.total:.1f}" for r in mine)
            apart = "" if cell == BASE else " ".join(minus_base(mine, bases).points)
            rows.append((cell, str(rounds), *over_seeds(mine).cells, apart, tokens, by_seed))
    seeds = len({r.seed for r in results})
    columns = ("", "n", "%", "95 % interval", "minus base, points", "tokens a question", "by seed")
    return Table(f"One switch at a time, {seeds} seeds, {grid.questions} questions each", columns, rows)


def figure(grid: Grid, results: Sequence[CellResult]) -> Any:
    """Accuracy of every cell with its interval, by switch: each asked as it was trained, or with the first n."""
    shown: dict[str, list[tuple[str, float, float, float]]] = {}
    for switch in grid.switches:
        shown[switch] = []
        for cell in grid.cells(switch):
            e = over_seeds(first_asked(results, cell))
            label = f"{switch}={grid.base.get(switch)} (base)" if cell == BASE else cell
            shown[switch].append((label, e.value, e.low, e.high))
    untrained = over_seeds(first_asked(results, UNTRAINED)).value
    return plots.intervals(shown, reference=untrained, reference_name=UNTRAINED)


def first_asked(results: Sequence[CellResult], cell: str) -> list[CellResult]:
    """The results of a cell, asked in the number of rounds that comes first."""
    mine = [result for result in results if result.cell == cell]
    return [result for result in mine if result.rounds == mine[0].rounds]


def write_results(grid: Grid, results: Sequence[CellResult], out: Path) -> None:
    """Print and save table and figure."""
    from rich import print

    table = results_table(grid, results)
    write_text(out / "table.txt", f"{table}\n")
    plots.save(figure(grid, results), out / "ablation.png")
    print(table)


def read_results(path: str | Path) -> list[CellResult]:
    """The lines of a `results.jsonl`."""
    return [CellResult(**json.loads(line)) for line in read_lines(path)]
