"""Carry-over probe: is it the note that makes the last round right?

The rounds before the last are run once. The last round is then answered four times from the same point, with another
note each time: the model's own, none, that of another question, and the true state of the work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from motif_lib.evaluate.compare import compare
from motif_lib.evaluate.report import Report
from motif_lib.evaluate.run import seed_sampler, with_ids
from motif_lib.evaluate.store import make_records
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import roll_out, think
from motif_lib.samplers.base import Sampler
from motif_lib.show.tables import Shown, Table

GoldNote = Callable[[Question, int], str]  # (question, number of rounds done) -> note


@dataclass(frozen=True, repr=False)
class Probe(Shown):
    """Reports by kind of note: "own", "empty", "shuffled", "gold"."""

    reports: dict[str, Report]

    def table(self) -> Table:
        """Accuracy with each note, and its paired difference from the model's own."""
        own, rows = self.reports["own"], []
        for kind, report in self.reports.items():
            apart = "" if report is own else " ".join(compare(own, report).difference.points)
            rows.append((f"{kind} note", *report.accuracy.cells, apart))
        columns = ("last round sees", "%", "95 % interval", "minus own, points")
        return Table(f"Carry-over probe, {len(own.items)} questions", columns, rows, own.warnings)


def carry_probe(
    questions: Sequence[Question], sampler: Sampler, num_rounds: int, gold_note: GoldNote, seed: int = 0
) -> Probe:
    """Accuracy with the model's own, an empty, a shuffled and a gold note in the last round.

    Args:
        questions: at least two, so that notes can be shuffled.
        sampler: reseeded for each last round where it has a method `seed(int)`: differences come from the note.
        num_rounds: n, at least 2.
        gold_note: `(question, rounds done) -> note`, such as `ledger_note`.
        seed: of sampling and of the shuffle.
    """
    questions = with_ids(questions)
    if num_rounds < 2 or len(questions) < 2:
        raise ValueError(f"{len(questions)} questions, num_rounds={num_rounds}: the probe needs at least 2 of each")
    seed_sampler(sampler, seed, 0)
    done = think(questions, sampler, num_rounds)
    own = [trajectory.replies[-2].carried for trajectory in done]
    notes = {
        "own": own,
        "empty": [""] * len(own),
        "shuffled": shuffled(own, seed),
        "gold": [gold_note(question, num_rounds - 1) for question in questions],
    }
    reports = {}
    for kind, given in notes.items():
        begun = [with_note(trajectory, note) for trajectory, note in zip(done, given, strict=True)]
        seed_sampler(sampler, seed, 1)
        records = make_records(roll_out(begun, sampler, num_rounds), [0] * len(begun))
        reports[kind] = Report.from_records({"name": f"{kind} note", "samples": 1}, records)
    return Probe(reports)


def shuffled(notes: Sequence[str], seed: int = 0) -> list[str]:
    """Every question gets another question's note: its successor's on a random circle."""
    circle = random.Random(seed).sample(range(len(notes)), len(notes))
    giver = dict(zip(circle, circle[1:] + circle[:1], strict=True))
    return [notes[giver[i]] for i in range(len(notes))]


def with_note(trajectory: Trajectory, note: str) -> Trajectory:
    """The trajectory up to its last round, with `note` handed to it."""
    *before, handing = trajectory.replies[:-1]
    return Trajectory(trajectory.question, (*before, replace(handing, carried=note)))
