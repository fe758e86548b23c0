"""Carry-over probe: is it the note that makes the last round right?

The rounds before the last are run once. The last round is then answered four times from the same point, with another
note each time: the model's own, none, that of another question, and the true state of the work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from motif_lib.carry import Carry, asking_with_room, progress_note
from motif_lib.evaluate.compare import compare
from motif_lib.evaluate.report import Report
from motif_lib.evaluate.run import seed_sampler, with_ids
from motif_lib.evaluate.store import make_records
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import next_prompt, roll_out, think
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
    done = first_rounds(questions, sampler, num_rounds, seed=seed)
    own = [trajectory.replies[-2].carried for trajectory in done]
    notes = {
        "own": own,
        "empty": [""] * len(own),
        "shuffled": shuffled(own, seed),
        "gold": [gold_note(trajectory.question, num_rounds - 1) for trajectory in done],
    }
    return Probe(last_round_with(notes, done, sampler, num_rounds, seed))


def note_use(
    questions: Sequence[Question], sampler: Sampler, num_rounds: int, carry: Carry = progress_note, seed: int = 0
) -> dict[str, Report]:
    """Accuracy with the model's own note in the last round, the full history, none, and a shuffled note.

    How far "own" lies above "shuffled" says how much the note is used, how far below "full history" what it leaves out.

    Args:
        questions, sampler, num_rounds, seed: as in `carry_probe`.
        carry: what passes between the rounds before the last.

    Returns:
        Reports by kind of note. The full history is the replies of all rounds before, in full; of one that does not
        fit the window the end.
    """
    done = first_rounds(questions, sampler, num_rounds, carry, seed)
    own = [trajectory.replies[-2].carried for trajectory in done]
    notes = {
        "own": own,
        "full history": [_history(trajectory, sampler, num_rounds) for trajectory in done],
        "none": [""] * len(own),
        "shuffled": shuffled(own, seed),
    }
    return last_round_with(notes, done, sampler, num_rounds, seed)


def first_rounds(
    questions: Sequence[Question], sampler: Sampler, num_rounds: int, carry: Carry = progress_note, seed: int = 0
) -> list[Trajectory]:
    """Whole trajectories of at least two questions in at least two rounds; what is asked of them is their notes."""
    questions = with_ids(questions)
    if num_rounds < 2 or len(questions) < 2:
        raise ValueError(f"{len(questions)} questions, num_rounds={num_rounds}: the probe needs at least 2 of each")
    seed_sampler(sampler, seed, 0)
    return think(questions, sampler, num_rounds, asking_with_room(carry, sampler))


def last_round_with(
    notes: Mapping[str, Sequence[str]], done: Sequence[Trajectory], sampler: Sampler, num_rounds: int, seed: int = 0
) -> dict[str, Report]:
    """The last round of each trajectory answered anew from the same point, once with each kind of note."""
    reports = {}
    for kind, given in notes.items():
        begun = [with_note(trajectory, note) for trajectory, note in zip(done, given, strict=True)]
        seed_sampler(sampler, seed, 1)
        records = make_records(roll_out(begun, sampler, num_rounds), [0] * len(begun))
        reports[kind] = Report.from_records({"name": f"{kind} note", "samples": 1}, records)
    return reports


def _history(trajectory: Trajectory, sampler: Any, num_rounds: int) -> str:
    """The replies before the last round in full, or as much of their end as leaves room for the last reply."""
    text = "\n".join(reply.text.strip() for reply in trajectory.replies[:-1])
    leaves_room = getattr(sampler, "leaves_room", lambda chats: [True])
    while text and not all(leaves_room([next_prompt(with_note(trajectory, text), num_rounds)])):
        text = text[1 + len(text) // 16 :]
    return text


def shuffled(notes: Sequence[str], seed: int = 0) -> list[str]:
    """Every question gets another question's note: its successor's on a random circle."""
    circle = random.Random(seed).sample(range(len(notes)), len(notes))
    giver = dict(zip(circle, circle[1:] + circle[:1], strict=True))
    return [notes[giver[i]] for i in range(len(notes))]


def with_note(trajectory: Trajectory, note: str) -> Trajectory:
    """The trajectory up to its last round, with `note` handed to it."""
    *before, handing = trajectory.replies[:-1]
    return Trajectory(trajectory.question, (*before, replace(handing, carried=note)))
