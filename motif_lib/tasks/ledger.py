"""Ledger: offline word problems in GSM8K's schema, whose number of steps is a dial.

`Ann has 12 apples, on day one buys 5, on day two loses 3. How many apples does Ann have now?` One day is one step.
Problems are drawn from a seed; a hash of its text decides which split a problem belongs to, so splits are disjoint
whatever the seeds.

The wording is made for a tiny model: the name of a day is one token, and a worked day repeats the words of the
question (`day one buys 5`), so that looking an event up is just copying: going on as the same words did before.
"""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import dataclass
from itertools import accumulate, pairwise

from motif_lib.protocol import reply_text
from motif_lib.records import Question

NAMES = ("Ann", "Ben", "Cara", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ivy", "Jon")
ITEMS = ("apples", "coins", "books", "cards", "shells", "stamps", "pens", "eggs")
GAINS = ("buys", "finds", "gets", "earns")
LOSSES = ("loses", "sells", "uses", "drops")
DAYS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
SPLITS = ("train", "validation", "test")
DAYS_PER_ROUND = 4  # what fits the 60 tokens of a round


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

    def event(self, day: int) -> str:
        """What happens on a day, `buys 5`."""
        return f"{self.verbs[day - 1]} {abs(self.changes[day - 1])}"

    @property
    def text(self) -> str:
        """The question."""
        events = ", ".join(f"on day {DAYS[day]} {self.event(day)}" for day in range(1, self.days + 1))
        asked = f"How many {self.item} does {self.name} have now?"
        return f"{self.name} has {self.totals[0]} {self.item}, {events}. {asked}"

    @classmethod
    def read(cls, text: str) -> Ledger:
        """The problem of a question's text, the inverse of `text`.

        Raises:
            ValueError: if the text is not a Ledger question.
        """
        start = re.match(r"(\w+) has (\d+) (\w+),", text)
        events = re.findall(r"on day \w+ (\w+) (\d+)", text)
        if not start or not events:
            raise ValueError("not a Ledger question")
        changes = tuple(int(amount) if verb in GAINS else -int(amount) for verb, amount in events)
        totals = tuple(accumulate(changes, initial=int(start[2])))
        return cls(start[1], start[3], tuple(verb for verb, _ in events), changes, totals)

    def work(self, done: int = 0, until: int | None = None) -> str:
        """The worked days `done + 1 .. until`, a line each: `=12`, `day one buys 5=17`, `day two loses 3=14`.

        The first line repeats the total that the work starts from; a day costs at most 11 tokens.
        """
        until = self.days if until is None else until
        steps = [f"day {DAYS[day]} {self.event(day)}={self.totals[day]}" for day in range(done + 1, until + 1)]
        return "\n".join([f"={self.totals[done]}", *steps])

    def row(self) -> dict[str, str | int]:
        """The problem in GSM8K's schema, plus its length."""
        return {"question": self.text, "answer": f"{self.work()}\n#### {self.totals[-1]}", "length": self.days}


def note(problem: Ledger, day: int) -> str:
    """A full progress note; a finished problem is noted as its boxed answer."""
    total = problem.totals[day]
    return f"\\boxed{{{total}}}" if day == problem.days else f"{total} after day {DAYS[day]}"


def ledger_note(question: Question, rounds_done: int) -> str:
    """A gold note for `carry_probe`: the true state after `rounds_done` rounds of `DAYS_PER_ROUND` days each."""
    try:
        problem = Ledger.read(question.text)
    except ValueError:
        raise ValueError(f"question {question.id!r} is not a Ledger problem: give another gold_note") from None
    return note(problem, min(problem.days, rounds_done * DAYS_PER_ROUND))


def replies(question: Question, num_rounds: int) -> list[str]:
    """The replies of a perfect trajectory: in each round an equal share of the days, at least `DAYS_PER_ROUND`.

    Raises:
        ValueError: if the text is not a Ledger question.
    """
    problem = Ledger.read(question.text)
    share = max(DAYS_PER_ROUND, -(-problem.days // num_rounds))
    done = [min(problem.days, share * rounds) for rounds in range(num_rounds + 1)]
    return [reply_text(problem.work(was, now), note(problem, now)) for was, now in pairwise(done)]


def draw(rng: random.Random, days: int) -> Ledger:
    """Draw one problem of `days` steps; every total has two digits and every change has one."""
    totals, verbs, changes = [rng.randint(15, 60)], [], []
    for _ in range(days):
        amount = rng.randint(1, 9)
        gain = totals[-1] - amount < 10 or (totals[-1] + amount <= 99 and rng.random() < 0.55)
        verbs.append(rng.choice(GAINS if gain else LOSSES))
        changes.append(amount if gain else -amount)
        totals.append(totals[-1] + changes[-1])
    return Ledger(rng.choice(NAMES), rng.choice(ITEMS), tuple(verbs), tuple(changes), tuple(totals))


def split_of(problem: Ledger) -> str:
    """The split a problem belongs to."""
    return split_of_text(problem.text)


def split_of_text(text: str) -> str:
    """The split of a generated question: 5 % test, 5 % validation, the rest train, by a hash of its text."""
    return {0: "test", 1: "validation"}.get(zlib.crc32(text.encode()) % 20, "train")


def check_split(split: str) -> None:
    """Raise ValueError for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"split={split!r}: choose one of {', '.join(SPLITS)}")


def problems(split: str, size: int, seed: int = 0, steps: tuple[int, int] = (4, 12)) -> list[Ledger]:
    """`size` problems of one split; lengths take `steps[0]..steps[1]` in turn, so every length is equally common.

    Raises:
        ValueError: for an unknown split or an empty range of steps.
    """
    check_split(split)
    low, high = steps
    if not 1 <= low <= high < len(DAYS):
        raise ValueError(f"steps={steps}: give (low, high) with 1 <= low <= high <= {len(DAYS) - 1}")
    rng = random.Random(f"ledger-{split}-{seed}")
    found: list[Ledger] = []
    while len(found) < size:
        problem = draw(rng, low + len(found) % (high - low + 1))
        if split_of(problem) == split:
            found.append(problem)
    return found
