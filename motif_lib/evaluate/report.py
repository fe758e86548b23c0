"""The result of an evaluation: who was right, how sure that is, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motif_lib.evaluate import statistics, store
from motif_lib.evaluate.statistics import Estimate
from motif_lib.records import Question
from motif_lib.show.tables import Shown, Table
from motif_lib.verify.lenient import verify_last_number

WIDE = 0.20  # an interval wider than this gets a warning: it cannot tell apart what is usually compared


@dataclass(frozen=True)
class Item:
    """One question and its samples; every tuple has one entry a sample.

    Args:
        question: what was asked.
        correct: True, False, or None where the answer cannot be graded (it counts as wrong).
        answers: the normalised answer, None where there is none.
        reasons: why the verdict is what it is.
        tokens: completion tokens of all rounds, summaries counted.
        prompt_tokens: prompt tokens of the same.
        lenient: True also where only the last number of the final reply is right, in whatever format; where the gold
            is not a number, the strict verdict.
        lenient_answers: what was read for `lenient`: the answer of a correct sample, else the last number.
        cut: the final reply reached its budget and has no end; empty where nobody knows.
    """

    question: Question
    correct: tuple[bool | None, ...]
    answers: tuple[str | None, ...]
    reasons: tuple[str, ...]
    tokens: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    lenient: tuple[bool, ...]
    lenient_answers: tuple[str | None, ...]
    cut: tuple[bool, ...] = ()

    @property
    def hits(self) -> int:
        """Number of correct samples."""
        return sum(correct is True for correct in self.correct)

    @property
    def score(self) -> float:
        """Share of correct samples."""
        return self.hits / len(self.correct)


@dataclass(frozen=True, repr=False)
class Report(Shown):
    """Accuracy with its interval, and tokens spent. Shows itself as a table; `Report.load` reads it from disk."""

    name: str
    settings: dict[str, Any]
    items: tuple[Item, ...]

    @classmethod
    def from_records(cls, settings: dict[str, Any], records: Sequence[store.Record]) -> Report:
        """Gather the lines of `items.jsonl`: `settings["samples"]` consecutive lines belong to one question."""
        k = settings["samples"]
        items = tuple(_item(records[i : i + k]) for i in range(0, len(records), k))
        return cls(settings["name"], settings, items)

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read the report of a finished evaluation from its folder, with the verdicts given then."""
        return cls.from_records(*store.read_run(path))

    @property
    def samples(self) -> int:
        """Samples of each question, k."""
        return len(self.items[0].correct)

    @property
    def accuracy(self) -> Estimate:
        """Share of correct samples (pass@1; with k samples avg@k), 95 % interval over questions."""
        return statistics.mean_estimate([item.score for item in self.items])

    @property
    def lenient(self) -> Estimate:
        """As `accuracy`, by the lenient score; what it has above `accuracy` is format, or a reply that was cut off."""
        return self.leniently().accuracy

    def leniently(self) -> Report:
        """This report with the lenient verdicts in place of the strict ones, to `compare`, to group or to vote."""
        items = (replace(item, correct=item.lenient, answers=item.lenient_answers) for item in self.items)
        return Report(f"{self.name} (lenient)", self.settings, tuple(items))

    def pass_at_k(self, k: int) -> Estimate:
        """Chance that one of k samples is right: the unbiased estimate, averaged over questions."""
        return statistics.mean_estimate([statistics.pass_at_k(self.samples, item.hits, k) for item in self.items])

    def voted(self) -> Report:
        """This report after a majority vote: one answer for each question, at the cost of all its samples."""
        if self.samples == 1:
            return self
        return Report(f"{self.name} (majority of {self.samples})", self.settings, tuple(map(_vote, self.items)))

    def by(self, key: str) -> dict[Any, Estimate]:
        """Accuracy by "length" or by a tag such as "level", in order; questions without the key are left out."""
        groups: dict[Any, list[float]] = {}
        for item in self.items:
            value = item.question.length if key == "length" else item.question.tags.get(key)
            if value is not None:  # a tag may be anything that JSON holds, lists too
                groups.setdefault(value if isinstance(value, str | int | float) else str(value), []).append(item.score)
        order = None if all(isinstance(value, int | float) for value in groups) else str
        return {value: statistics.mean_estimate(groups[value]) for value in sorted(groups, key=order)}

    @property
    def tokens_per_question(self) -> float:
        """Completion tokens spent on a question, all rounds and samples together."""
        return sum(sum(item.tokens) for item in self.items) / len(self.items)

    @property
    def tokens_per_correct(self) -> float:
        """Completion tokens spent for each correct answer; infinite if none is."""
        hits = sum(item.hits for item in self.items)
        return sum(sum(item.tokens) for item in self.items) / hits if hits else math.inf

    @property
    def prompt_tokens_per_question(self) -> float:
        """Prompt tokens read for a question, all rounds and samples together."""
        return sum(sum(item.prompt_tokens) for item in self.items) / len(self.items)

    @property
    def ungradable(self) -> int:
        """Samples whose verdict is None."""
        return sum(correct is None for item in self.items for correct in item.correct)

    @property
    def no_room(self) -> int:
        """Samples whose prompt left no room for the reply."""
        return sum(reason == store.NO_ROOM for item in self.items for reason in item.reasons)

    @property
    def cut(self) -> int:
        """Samples whose final reply was cut off at its budget."""
        return sum(map(sum, (item.cut for item in self.items)))

    @property
    def warnings(self) -> list[str]:
        """What a reader of the accuracy must know."""
        warnings, width = [], self.accuracy.width
        if width > WIDE:
            warnings.append(
                f"Few questions ({len(self.items)}): the interval is {100 * width:.0f} points wide, "
                "smaller differences cannot be seen."
            )
        if self.ungradable:
            warnings.append(f"{self.ungradable} of {self._replies} answers cannot be graded: counted as wrong.")
        if self.no_room:
            warnings.append(f"{self.no_room} of {self._replies} prompts do not fit the window: counted as wrong.")
        if 2 * self.cut > self._replies:
            warnings.append(
                f"{self.cut} of {self._replies} final replies were cut off: give them more tokens, or more rounds."
            )
        return warnings

    @property
    def _replies(self) -> int:
        return len(self.items) * self.samples

    def table(self) -> Table:
        """Accuracy overall, by length and by tag; costs and warnings below."""
        k = self.samples
        rows = [("accuracy" if k == 1 else f"avg@{k}", self.accuracy)]
        if any(sum(item.lenient) != item.hits for item in self.items):  # the same number twice teaches nothing
            rows.append(("lenient (last number)", self.lenient))
        if k > 1:
            rows += [(f"pass@{k}", self.pass_at_k(k)), (f"majority of {k}", self.voted().accuracy)]
        rows += [(f"{key} {value}", estimate) for key in self._keys() for value, estimate in self.by(key).items()]
        cells = [(label, *estimate.cells, str(estimate.n)) for label, estimate in rows]
        per_correct = f"{self.tokens_per_correct:,.0f}" if math.isfinite(self.tokens_per_correct) else "none correct"
        cost = (
            f"Tokens per question: {self.tokens_per_question:,.0f} generated, "
            f"{self.prompt_tokens_per_question:,.0f} read; per correct answer: {per_correct}."
        )
        return Table(self.name, ("", "%", "95 % interval", "questions"), cells, [cost, *self.warnings])

    def _keys(self) -> list[str]:
        tags = dict.fromkeys(key for item in self.items for key in item.question.tags)
        return ["length", *tags]


def _item(records: Sequence[store.Record]) -> Item:
    trajectories, verdicts = [*map(store.trajectory_of, records)], [record["verdict"] for record in records]
    question = trajectories[0].question
    lenient = [_lenient(question, record) for record in records]
    return Item(
        question,
        tuple(verdict["correct"] for verdict in verdicts),
        tuple(verdict["answer"] for verdict in verdicts),
        tuple(verdict["reason"] for verdict in verdicts),
        tuple(trajectory.tokens for trajectory in trajectories),
        tuple(trajectory.prompt_tokens for trajectory in trajectories),
        tuple(correct for correct, _ in lenient),
        tuple(answer for _, answer in lenient),
        tuple(last["tokens"] > 0 and not last["finished"] for last in (record["replies"][-1] for record in records)),
    )


def _lenient(question: Question, record: store.Record) -> tuple[bool, str | None]:
    """The lenient verdict and what it read, from the stored text of the final reply: no file holds them."""
    strict = record["verdict"]
    if strict["correct"]:
        return True, strict["answer"]
    verdict = verify_last_number(record["replies"][-1]["text"], question.gold, question.rules)
    return (verdict.correct is True, verdict.answer) if verdict else (False, strict["answer"])


def _vote(item: Item) -> Item:
    """The strict and the lenient answers vote apart from each other."""
    strict, lenient = statistics.majority(item.answers), statistics.majority(item.lenient_answers)
    none = "no sample gave an answer"
    return Item(
        item.question,
        (False if strict is None else item.correct[strict],),
        (None if strict is None else item.answers[strict],),
        (none if strict is None else item.reasons[strict],),
        (sum(item.tokens),),
        (sum(item.prompt_tokens),),
        (lenient is not None and item.lenient[lenient],),
        (None if lenient is None else item.lenient_answers[lenient],),
    )
