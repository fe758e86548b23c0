"""Is the reasoning robust? The same Ledger questions in other words, with other numbers, with a distraction.

A perturbation is a function from a `Ledger` problem and a random generator to the text of the new question and its
gold answer. Only Ledger questions are perturbed: of a question in free text the gold could not be computed again.
(The idea: GSM-Symbolic and GSM-NoOp, Mirzadeh et al. 2024, arXiv 2410.05229.)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from motif_lib.evaluate.compare import Comparison, compare
from motif_lib.evaluate.report import Report
from motif_lib.evaluate.run import evaluate, with_ids
from motif_lib.records import Question
from motif_lib.samplers.base import Sampler
from motif_lib.show.tables import Shown, Table
from motif_lib.tasks.ledger import DAYS, GAINS, ITEMS, LOSSES, NAMES, Ledger

Perturbation = Callable[[Ledger, random.Random], tuple[str, str]]  # -> (text, gold)


def paraphrased(problem: Ledger, rng: random.Random) -> tuple[str, str]:
    """Other sentences and other verbs of the same meaning; the numbers and their order stay."""
    verbs = tuple(rng.choice(GAINS if change > 0 else LOSSES) for change in problem.changes)
    same = replace(problem, verbs=verbs)
    events = " ".join(f"Day {DAYS[day]}: {problem.name} {same.event(day)}." for day in range(1, problem.days + 1))
    start = f"At the start {problem.name} has {problem.totals[0]} {problem.item}."
    return f"{start} {events} What is the number of {problem.item} now?", str(problem.totals[-1])


def renumbered(problem: Ledger, rng: random.Random) -> tuple[str, str]:
    """The same story with other numbers, drawn from the ranges of `ledger.draw`; the gold is computed anew."""
    gains = [change > 0 for change in problem.changes]
    while True:
        changes = tuple(rng.randint(1, 9) * (1 if gain else -1) for gain in gains)
        totals = tuple(accumulate(changes, initial=rng.randint(15, 60)))
        if all(10 <= total <= 99 for total in totals) and (changes, totals) != (problem.changes, problem.totals):
            other = replace(problem, changes=changes, totals=totals)
            return other.text, str(totals[-1])


def distracted(problem: Ledger, rng: random.Random) -> tuple[str, str]:
    """A sentence about somebody else's things before the question; it changes nothing."""
    name = rng.choice([name for name in NAMES if name != problem.name])
    item = rng.choice([item for item in ITEMS if item != problem.item])
    story, asked = problem.text.split(". ", 1)
    return f"{story}. {name} {rng.choice(GAINS + LOSSES)} {rng.randint(1, 9)} {item}. {asked}", str(problem.totals[-1])


PERTURBATIONS: dict[str, Perturbation] = {
    "paraphrased": paraphrased,
    "renumbered": renumbered,
    "distracted": distracted,
}


def perturb(questions: Sequence[Question], perturbation: Perturbation, seed: int = 0) -> list[Question]:
    """The questions perturbed, with the ids, lengths and tags that they had.

    Raises:
        ValueError: for a question that is not a Ledger problem.
    """
    changed = []
    for question in questions:
        try:
            problem = Ledger.read(question.text)
        except ValueError:
            raise ValueError(f"question {question.id!r} is not a Ledger problem: only those are perturbed") from None
        text, gold = perturbation(problem, random.Random(f"perturb-{seed}-{question.text}"))
        changed.append(replace(question, text=text, gold=gold))
    return changed


@dataclass(frozen=True, repr=False)
class Robustness(Shown):
    """The report on the questions as they are, and by kind of perturbation the paired comparison with it."""

    original: Report
    comparisons: dict[str, Comparison]

    def table(self) -> Table:
        """Accuracy on each kind, and its paired difference from the original."""
        rows = [("original", *self.original.accuracy.cells, "")]
        for kind, comparison in self.comparisons.items():
            rows.append((kind, *comparison.accuracies[1].cells, " ".join(comparison.difference.points)))
        columns = ("", "%", "95 % interval", "minus original, points")
        notes = [f"{kind}: {_shown(comparison)}." for kind, comparison in self.comparisons.items()]
        title = f"{self.original.name or 'Robustness'}, {len(self.original.items)} questions"
        return Table(title, columns, rows, notes + self.original.warnings)


def _shown(comparison: Comparison) -> str:
    if not comparison.conclusive:
        return "no difference shown"
    return "a drop is shown" if comparison.difference.value < 0 else "a gain is shown"


def robustness(
    questions: Sequence[Question],
    sampler: Sampler,
    num_rounds: int = 3,
    kinds: Mapping[str, Perturbation] = PERTURBATIONS,
    name: str = "",
    path: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Robustness:
    """Evaluate the questions as they are and perturbed in each way, and compare question by question.

    Args:
        questions: Ledger problems.
        sampler: the model.
        num_rounds: n.
        kinds: perturbations by name, your own among them.
        name: title.
        path: folder; each evaluation gets its own in it.
        seed: of the perturbations and of sampling.
        **options: `samples`, `carry`, `stop`, `batch_size` and `progress` of `evaluate`.
    """
    questions = with_ids(questions)

    def run(kind: str, asked: list[Question]) -> Report:
        place = Path(path) / kind if path is not None else None
        report = evaluate(asked, sampler, num_rounds, name=kind, path=place, seed=seed, **options)
        # pairs are by id and text: a perturbed item stands for the question that it was made from
        return replace(
            report, items=tuple(replace(i, question=q) for i, q in zip(report.items, questions, strict=True))
        )

    original = run("original", questions)
    perturbed = {kind: run(kind, perturb(questions, how, seed)) for kind, how in kinds.items()}
    return Robustness(
        replace(original, name=name), {kind: compare(original, report) for kind, report in perturbed.items()}
    )
