"""`motif demo`: on a CPU, in minutes, a model that cannot solve a problem in one context learns to solve it over three.

Four systems answer the same held-out Ledger problems: the base and both MOTIFs in three rounds of 60 tokens, GRPO as it
was trained, in one. Everything lands in a run folder; a demo that was stopped goes on, a finished one prints again.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from motif_lib.carry import Carry, progress_note
from motif_lib.evaluate import Report, compare, evaluate
from motif_lib.files import locked, write_text
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.samplers.open import load_sampler
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.side_by_side import side_by_side
from motif_lib.tasks import load_task
from motif_lib.training.recipe import Recipe, load_recipe
from motif_lib.training.run_folder import open_run, read_metrics
from motif_lib.training.runs import train_run

METHODS: dict[str, dict[str, Any]] = {
    "GRPO": {"num_rounds": 1, "max_completion_length": None},  # all the room that the window leaves
    "MOTIF round 1": {"credit": "first"},
    "MOTIF any round": {"credit": "any"},
}
TEST_SIZE = 200
SMOOTH = 5  # steps averaged in the learning curve


def run_demo(
    out: str | Path = "runs/demo", seed: int = 0, quick: bool = False, jobs: int | None = None
) -> dict[str, Report]:
    """Train and evaluate all methods, print the table, save the figures.

    Args:
        out: run folder.
        seed: of questions, sampling and training; two runs on one machine print the same table.
        quick: two training steps and 18 problems, to see that everything works.
        jobs: most runs at once, as in `side_by_side`.

    Returns:
        The report of each method.
    """
    started = time.perf_counter()
    recipe = load_recipe("cpu")
    recipe = recipe.with_train(max_steps=2) if quick else recipe
    with locked(out):
        out = open_run(out, {"demo": 1, "seed": seed, "quick": quick})
        reports = _run_methods(recipe, out, seed, quick, jobs)
        report_results(reports, out, time.perf_counter() - started)
    return reports


def _run_methods(recipe: Recipe, out: Path, seed: int, quick: bool, jobs: int | None) -> dict[str, Report]:
    """Train and evaluate the base and every method, side by side."""
    questions = load_task("ledger", split="test", size=18 if quick else TEST_SIZE, seed=seed, **recipe.dial)
    tasks = {"base": partial(evaluate_run, recipe, None, questions, out / "base" / "test", "base", seed)}
    for name, changes in METHODS.items():
        folder = out / name.lower().replace(" ", "-")
        tasks[name] = partial(run_method, recipe.with_train(**changes), folder, questions, name, seed)
    return side_by_side(tasks, jobs)


def run_method(recipe: Recipe, folder: Path, questions: Sequence[Question], name: str, seed: int) -> Report:
    """Train by a recipe, and evaluate."""
    if not train_run(recipe, folder, seed, title=name):
        raise KeyboardInterrupt  # which `train_run` has heard and told
    return evaluate_run(recipe, folder / "adapter", questions, folder / "test", name, seed)


def evaluate_run(
    recipe: Recipe,
    adapter: Path | None,
    questions: Sequence[Question],
    out: Path,
    name: str,
    seed: int,
    num_rounds: int | None = None,
    carry: Carry = progress_note,
) -> Report:
    """Evaluate a model of a recipe as it was trained: same rounds (or `num_rounds`), budget, temperature, stop rule."""
    config = recipe.config(out)
    sampler = load_sampler(recipe.model, adapter, config.max_completion_length, config.temperature, **recipe.load)
    rounds, stop = num_rounds or config.num_rounds, boxed if config.early_stop else None
    return evaluate(questions, sampler, rounds, carry=carry, name=name, path=out, batch_size=256, seed=seed, stop=stop)


def results_table(reports: dict[str, Report]) -> Table:
    """Accuracy with its interval by number of steps, a row each, and overall; four systems fit 80 columns."""
    lengths = [report.by("length") for report in reports.values()]
    rows = [(f"{n} steps", *(by[n].short for by in lengths)) for n in lengths[0]]
    rows.append(("all", *(report.accuracy.short for report in reports.values())))
    rows.append(("tokens", *(f"{report.tokens_per_question:.0f}" for report in reports.values())))
    notes = ["tokens: generated for a question, all rounds together"]
    return Table("Accuracy on held-out problems, sampled, % with 95 % interval", ("", *reports), rows, notes)


def smoothed(values: Sequence[float], width: int) -> list[float]:
    """Mean of the last `width` values at each point."""
    return [sum(values[max(0, i + 1 - width) : i + 1]) / min(i + 1, width) for i in range(len(values))]


def report_results(reports: dict[str, Report], out: Path, seconds: float) -> None:
    """Print the table and where to look next; save table and figures."""
    import rich

    table = results_table(reports)
    metrics = {name: read_metrics(out / name.lower().replace(" ", "-")) for name in METHODS}
    curves = {name: smoothed([entry["motif/accuracy"] for entry in log], SMOOTH) for name, log in metrics.items()}
    write_text(out / "table.txt", str(table) + "\n")
    write_text(out / "curves.json", json.dumps(curves) + "\n")
    by_length = {name: [(n, e.value, e.low, e.high) for n, e in r.by("length").items()] for name, r in reports.items()}
    plots.save(plots.accuracy_by_length(by_length), out / "accuracy_by_length.png")
    points = {name: list(enumerate(curve, 1)) for name, curve in curves.items()}
    axes = plots.learning_curves(points, ylabel=f"accuracy of the rollouts, mean of {SMOOTH} steps")
    plots.save(axes, out / "learning_curves.png")
    rich.print(table)
    for name in ("MOTIF round 1", "MOTIF any round"):
        rich.print(compare(reports["base"], reports[name]))
    adapter = shlex.quote(str(out / "motif-any-round" / "adapter"))
    print(
        f"{seconds:.0f} s. Figures: {out}/accuracy_by_length.png and learning_curves.png. Every reply: {out}/*/test/"
        f"items.jsonl.\nNext: open notebooks/00_start_here.ipynb, or ask the model yourself: "
        f"motif think --adapter {adapter} QUESTION"
    )
