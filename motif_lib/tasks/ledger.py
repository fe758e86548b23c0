"""Ledger: offline word problems in GSM8K's schema, whose number of steps is a dial.

`Ann has 12 apples. Day 1: buys 5. Day 2: loses 3. How many apples does Ann have now?` One day is one step. Problems are
drawn from a seed; which split a problem belongs to is decided by a hash of its text, so splits are disjoint whatever
the seeds.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

NAMES = ("Ann", "Ben", "Cara", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ivy", "Jon")
ITEMS = ("apples", "coins", "books", "cards", "shells", "stamps", "pens", "eggs")
GAINS = ("buys", "finds", "gets", "earns")
LOSSES = ("loses", "sells", "uses", "drops")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Ledger:
    """One problem: `totals[d]` is what is left after day d, `totals[0]` the start."""

    name: str
    item: str
    verbs: tuple[str, ...]
    changes: tuple[int, ...]
    totals: tuple[int, ...]

    @property
    def days(self) -> int:
        return len(self.changes)

    @property
    def text(self) -> str:
        events = " ".join(f"Day {d}: {v} {abs(c)}." for d, (v, c) in enumerate(zip(self.verbs, self.changes), 1))
        return f"{self.name} has {self.totals[0]} {self.item}. {events} How many {self.item} does {self.name} have now?"

    def work(self, done: int = 0, until: int | None = None) -> str:
        """The worked days `done + 1 .. until`, a line each: `=12`, `1: +5=17`, `2: -3=14`, at most 9 tokens a day.

        The first line repeats the total that the work starts from. In a line the change follows the number of the day
        at once, as in the question: a small model looks it up there far sooner than behind the old total (our run: with
        `1:12+5=17` it had not learned it after 128,000 examples).
        """
        until = self.days if until is None else until
        steps = [f"{day}: {self.changes[day - 1]:+d}={self.totals[day]}" for day in range(done + 1, until + 1)]
        return "\n".join([f"={self.totals[done]}", *steps])

    def row(self) -> dict[str, str | int]:
        """The problem in GSM8K's schema, plus its length."""
        return {"question": self.text, "answer": f"{self.work()}\n#### {self.totals[-1]}", "length": self.days}


def draw(rng: random.Random, days: int) -> Ledger:
    """Draw one problem of `days` steps; every total stays within 0..99 and every change within 1..9."""
    totals, verbs, changes = [rng.randint(5, 40)], [], []
    for _ in range(days):
        amount = rng.randint(1, 9)
        gain = totals[-1] < amount or (totals[-1] + amount <= 99 and rng.random() < 0.55)
        verbs.append(rng.choice(GAINS if gain else LOSSES))
        changes.append(amount if gain else -amount)
        totals.append(totals[-1] + changes[-1])
    return Ledger(rng.choice(NAMES), rng.choice(ITEMS), tuple(verbs), tuple(changes), tuple(totals))


def split_of(problem: Ledger) -> str:
    """The split a problem belongs to: 5 % test, 5 % validation, the rest train, by a hash of its text."""
    bucket = zlib.crc32(problem.text.encode()) % 20
    return {0: "test", 1: "validation"}.get(bucket, "train")


def problems(split: str, size: int, seed: int = 0, steps: tuple[int, int] = (4, 12)) -> list[Ledger]:
    """`size` problems of one split; lengths go round `steps[0]..steps[1]` in turn, so every length is equally common.

    Raises:
        ValueError: for an unknown split or an empty range of steps.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r}: choose one of {', '.join(SPLITS)}")
    low, high = steps
    if not 1 <= low <= high:
        raise ValueError(f"steps={steps}: give (low, high) with 1 <= low <= high")
    rng = random.Random(f"ledger-{split}-{seed}")
    found: list[Ledger] = []
    while len(found) < size:
        problem = draw(rng, low + len(found) % (high - low + 1))
        if split_of(problem) == split:
            found.append(problem)
    return found
