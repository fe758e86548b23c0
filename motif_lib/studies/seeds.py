"""The paper's claims re-made at small scale: base, vanilla GRPO and MOTIF, several seeds, accuracy against questions.

    motif experiment --out runs/experiment --seeds 3

Each method is trained as in the demo; every checkpoint answers the same held-out problems. The paper says that MOTIF
needs 15 % of the samples: `SHARE` of the training questions is one of the checkpoints. The folder holds
`results.jsonl`, one line for each seed, method and number of questions, a table and a figure; a stopped experiment
goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean

from motif_lib.evaluate import Report
from motif_lib.files import write_text
from motif_lib.records import Question, read_lines, to_lines
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.demo import METHODS, TEST_SIZE, evaluate_run, folder_of, longest_that_fits
from motif_lib.studies.side_by_side import side_by_side
from motif_lib.tasks import load_task
from motif_lib.training.checkpoints import checkpoints, step_of
from motif_lib.training.recipe import Recipe, load_recipe
from motif_lib.training.runs import open_run, train_run

SHARE = 0.15  # abstract of the paper: "only 15% of samples"


@dataclass(frozen=True)
class SeedResult:
    """Accuracy of one checkpoint: `questions` training questions seen (0 is the base), `right` of `total` answered.

    `long_right` of `long_total` are those whose question and work do not fit one window.
    """

    seed: int
    method: str
    questions: int
    right: int
    total: int
    long_right: int
    long_total: int


def run_experiment(
    out: str | Path, seeds: Sequence[int] = (0, 1, 2), recipe: Recipe | None = None, jobs: int | None = None
) -> list[SeedResult]:
    """Train every method with every seed and evaluate its checkpoints, `jobs` at once (`side_by_side`); returns and
    writes the results."""
    recipe = recipe or load_recipe("cpu")
    steps = max(1, round(SHARE * recipe.train["max_steps"]))
    recipe = recipe.with_train(save_steps=steps, save_total_limit=None)
    out = open_run(out, {"experiment": 1, "recipe": recipe.settings()})
    started, tasks = time.perf_counter(), {}
    for seed in seeds:
        questions = load_task("ledger", split="test", size=TEST_SIZE // 2, seed=seed, **recipe.dial)
        for name, changes in METHODS.items():
            folder = folder_of(out / f"seed{seed}", name)
            method = recipe.with_train(**changes)
            tasks[f"{name}, seed {seed}"] = partial(_run_method, method, folder, name, seed, questions)

    def write(found: dict[str, list[SeedResult]]) -> None:
        write_text(out / "results.jsonl", to_lines(chain.from_iterable(found.values())))

    results = list(chain.from_iterable(side_by_side(tasks, jobs, write).values()))
    write_results(results, out, time.perf_counter() - started)
    return results


def _run_method(recipe: Recipe, folder: Path, name: str, seed: int, questions: Sequence[Question]) -> list[SeedResult]:
    if not train_run(recipe, folder, seed, title=f"{name}, seed {seed}"):
        raise KeyboardInterrupt  # which `train_run` has heard and told
    per_step = recipe.config(folder).questions_per_step
    adapters, fits = {step_of(path): path for path in checkpoints(folder)}, longest_that_fits(questions, recipe.model)
    results = []
    for step, adapter in [(0, None), *sorted(adapters.items())]:
        title = f"{name}, seed {seed}, step {step}"
        report = evaluate_run(recipe, adapter, questions, folder / f"test-{step}", title, seed)
        results.append(_result(report, seed, name, step * per_step, fits))
    return results


def _result(report: Report, seed: int, method: str, questions: int, fits: int) -> SeedResult:
    hits = [item.hits for item in report.items]
    long = [item.hits for item in report.items if (item.question.length or 0) > fits]
    return SeedResult(seed, method, questions, sum(hits), len(hits), sum(long), len(long))


def methods_of(results: Sequence[SeedResult]) -> list[str]:
    """The methods in order."""
    return list(dict.fromkeys(r.method for r in results))


def by_seed(results: Sequence[SeedResult], method: str, questions: int, long: bool = False) -> list[float]:
    """The accuracy of each seed, on all problems or on those that do not fit one window."""
    found = [r for r in results if r.method == method and r.questions == questions]
    return [r.long_right / r.long_total if long else r.right / r.total for r in found]


def curve(results: Sequence[SeedResult], method: str) -> list[tuple[int, float, float, float]]:
    """For each number of training questions: mean, lowest and highest accuracy of the seeds."""
    asked = sorted({r.questions for r in results if r.method == method})
    accuracies = [(questions, by_seed(results, method, questions)) for questions in asked]
    return [(questions, fmean(seeds), min(seeds), max(seeds)) for questions, seeds in accuracies]


def mean_and_range(seeds: Sequence[float]) -> str:
    """In percent: `91.0 (89.5 to 93.0)`."""
    return f"{100 * fmean(seeds):.1f} ({100 * min(seeds):.1f} to {100 * max(seeds):.1f})"


def results_table(results: Sequence[SeedResult], long: bool = False) -> Table:
    """A row for each number of questions; in a cell the mean over seeds and the range of the seeds."""
    methods = methods_of(results)
    rows = [
        (str(questions), *(mean_and_range(by_seed(results, method, questions, long)) for method in methods))
        for questions in sorted({r.questions for r in results})
    ]
    what = "problems that do not fit one window" if long else "all problems"
    return Table(f"Accuracy on {what}, %: mean (range over seeds)", ("training questions", *methods), rows)


def answers(results: Sequence[SeedResult]) -> list[str]:
    """Does MOTIF with 15 % of the questions reach GRPO with all of them, in each seed?"""
    most = max(r.questions for r in results)
    few = min((r.questions for r in results if r.questions), key=lambda q: abs(q - SHARE * most))
    score = {(r.seed, r.method, r.questions): r.right / r.total for r in results}
    seeds = sorted({r.seed for r in results})
    lines = []
    for method in (m for m in methods_of(results) if m != "GRPO"):
        reached = sum(score[s, method, few] >= score[s, "GRPO", most] for s in seeds)
        lines.append(f"{method} with {few} questions reaches GRPO with {most} in {reached} of {len(seeds)} seeds.")
    return lines


def write_results(results: Sequence[SeedResult], out: Path, seconds: float) -> None:
    """Print and save table, answers and figure."""
    from rich import print

    tables, text = [results_table(results), results_table(results, long=True)], "\n".join(answers(results))
    write_text(out / "table.txt", f"{tables[0]}\n{tables[1]}\n{text}\nWall time of this call: {seconds:.0f} s\n")
    axes = plots.accuracy_by_length({method: curve(results, method) for method in methods_of(results)})
    axes.set(xlabel="training questions", ylabel="accuracy (range of the seeds)")
    plots.save(axes, out / "accuracy_by_questions.png")
    print(*tables, text, sep="\n")


def read_results(path: str | Path) -> list[SeedResult]:
    """The lines of a `results.jsonl`."""
    return [SeedResult(**json.loads(line)) for line in read_lines(path)]
