"""`motif demo`: on a CPU, in minutes, a model learns to solve problems that its window cannot hold.

Five systems answer the same held-out Ledger problems: the untrained model and GRPO in one round that may fill the
window, the untrained model and two kinds of MOTIF in three rounds. Everything lands in a run folder; a demo that was
stopped goes on, a finished one prints again.
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
from motif_lib.evaluate.statistics import mean_estimate
from motif_lib.files import locked, write_text
from motif_lib.models.load import load_tokenizer, resolve
from motif_lib.protocol import messages
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.samplers.open import load_sampler
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.side_by_side import side_by_side
from motif_lib.tasks import ledger, load_task
from motif_lib.training.recipe import Recipe, load_recipe
from motif_lib.training.run_folder import open_run, read_metrics
from motif_lib.training.runs import train_run

WHOLE_WINDOW: dict[str, Any] = {"num_rounds": 1, "max_completion_length": None}
BASES: dict[str, dict[str, Any]] = {"base, one round": WHOLE_WINDOW, "base, three rounds": {}}
METHODS: dict[str, dict[str, Any]] = {
    "GRPO": WHOLE_WINDOW,
    "MOTIF round 1": {"credit": "first"},  # the paper's, with k = 4 futures for each reply
    "MOTIF all rounds": {"credit": "all", "num_trajectories": 1},  # whole trajectories share their outcome
}
TEST_SIZE = 300  # 33 of each length
SMOOTH = 5  # steps averaged in the learning curve


def run_demo(
    out: str | Path = "runs/demo", seed: int = 0, quick: bool = False, jobs: int | None = None
) -> dict[str, Report]:
    """Train and evaluate all methods, print the table, save the figures.

    Args:
        out: run folder.
        seed: of questions, sampling and training; two runs on one machine print the same table.
        quick: two training steps and 30 problems, to see that everything works.
        jobs: most runs at once, as in `side_by_side`.

    Returns:
        The report of each method.
    """
    started = time.perf_counter()
    recipe = load_recipe("cpu")
    recipe = recipe.with_train(max_steps=2) if quick else recipe
    with locked(out):
        out = open_run(out, {"demo": 1, "seed": seed, "quick": quick})
        questions = load_task("ledger", split="test", size=30 if quick else TEST_SIZE, seed=seed, **recipe.dial)
        reports = _run_methods(recipe, out, seed, questions, jobs)
        fits = longest_that_fits(questions, recipe.model)
        report_results(reports, out, fits, time.perf_counter() - started)
    return reports


def _run_methods(
    recipe: Recipe, out: Path, seed: int, questions: Sequence[Question], jobs: int | None
) -> dict[str, Report]:
    """Evaluate the untrained model, train and evaluate every method, side by side; what takes longest begins first."""
    tasks = {}
    for name, changes in reversed(METHODS.items()):  # GRPO is the shortest
        method = recipe.with_train(**changes)
        tasks[name] = partial(run_method, method, folder_of(out, name), questions, name, seed)
    for name, changes in BASES.items():
        asked = recipe.with_train(**changes)
        tasks[name] = partial(evaluate_run, asked, None, questions, folder_of(out, name) / "test", name, seed)
    reports = side_by_side(tasks, jobs)
    return {name: reports[name] for name in (*BASES, *METHODS)}


def folder_of(out: Path, name: str) -> Path:
    """The folder of a system: `base, one round` has `base-one-round`."""
    return out / name.lower().replace(",", "").replace(" ", "-")


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
    """Evaluate a model of a recipe, greedily, with its rounds (or `num_rounds`), budget and stop rule of training."""
    config = recipe.config(out)
    sampler = load_sampler(recipe.model, adapter, config.max_completion_length, temperature=0.0, **recipe.load)
    rounds, stop = num_rounds or config.num_rounds, boxed if config.early_stop else None
    return evaluate(questions, sampler, rounds, carry=carry, name=name, path=out, batch_size=256, seed=seed, stop=stop)


def longest_that_fits(questions: Sequence[Question], model: str) -> int:
    """Most steps of the Ledger problems whose prompt and full work share one window of a model; 0 if none do."""
    from transformers import AutoConfig

    tokenizer, window = load_tokenizer(model), AutoConfig.from_pretrained(resolve(model)).max_position_embeddings
    chats = [messages(question.text, 1, 1) for question in questions]
    prompts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    work = [ledger.replies(question, 1)[0] + tokenizer.eos_token for question in questions]
    tokens = tokenizer([prompt + reply for prompt, reply in zip(prompts, work)])["input_ids"]
    fits = [question.length or 0 for question, ids in zip(questions, tokens) if len(ids) <= window]
    return max(fits, default=0)


def results_table(reports: dict[str, Report], fits: int) -> Table:
    """A row for each system: accuracy on problems of up to `fits` steps, on longer ones, and overall; tokens."""
    rows = []
    for name, report in reports.items():
        short = [item.score for item in report.items if (item.question.length or 0) <= fits]
        long = [item.score for item in report.items if (item.question.length or 0) > fits]
        cells = [mean_estimate(scores).short if scores else "-" for scores in (short, long)]
        rows.append((name, *cells, report.accuracy.short, f"{report.tokens_per_question:.0f}"))
    columns = ("", f"to {fits} steps", f"from {fits + 1}", "all", "tokens")
    notes = [
        f"question and work of up to {fits} steps fit one window",
        "tokens: generated for a question, in all rounds",
    ]
    return Table("Accuracy on held-out problems, greedy, % with 95 % interval", columns, rows, notes)


def smoothed(values: Sequence[float], width: int) -> list[float]:
    """Mean of the last `width` values at each point."""
    return [sum(values[max(0, i + 1 - width) : i + 1]) / min(i + 1, width) for i in range(len(values))]


def report_results(reports: dict[str, Report], out: Path, fits: int, seconds: float) -> None:
    """Print the table and where to look next; save table and figures."""
    import rich

    table = results_table(reports, fits)
    metrics = {name: read_metrics(folder_of(out, name)) for name in METHODS}
    curves = {name: smoothed([entry["motif/accuracy"] for entry in log], SMOOTH) for name, log in metrics.items()}
    write_text(out / "table.txt", str(table) + "\n")
    write_text(out / "curves.json", json.dumps(curves) + "\n")
    by_length = {name: [(n, e.value, e.low, e.high) for n, e in r.by("length").items()] for name, r in reports.items()}
    plots.save(plots.accuracy_by_length(by_length, fits=fits), out / "accuracy_by_length.png")
    points = {name: list(enumerate(curve, 1)) for name, curve in curves.items()}
    axes = plots.learning_curves(points, ylabel=f"accuracy of the rollouts, mean of {SMOOTH} steps")
    plots.save(axes, out / "learning_curves.png")
    rich.print(table)
    for name in ("MOTIF round 1", "MOTIF all rounds"):
        rich.print(compare(reports["GRPO"], reports[name]))
    adapter = shlex.quote(str(folder_of(out, "MOTIF all rounds") / "adapter"))
    print(
        f"{seconds:.0f} s. Figures: {out}/accuracy_by_length.png and learning_curves.png. Every reply: {out}/*/test/"
        f"items.jsonl.\nNext: open notebooks/00_start_here.ipynb, or ask the model yourself: "
        f"motif think --adapter {adapter} QUESTION"
    )
