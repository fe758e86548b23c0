"""Checks of notebook 00: the gold answer of a row, what one question costs, and the share of right answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.protocol import reply_text
from motif_lib.records import Question
from motif_lib.samplers.base import Chat, Sampler, ScriptedSampler

Share = Callable[[Sequence[Question], Sampler, int], float]

BOXES = ("7", "8", "8", "7", "7")  # what the model answers in the last round; the right answer is 7
ASKED = [Question(f"{i} and what is 7?", "7", task="ledger") for i in range(len(BOXES))]


def check_gold_of(function: Callable[[str], str]) -> Result:
    """`function(answer)`: the gold answer in the `answer` column of a GSM8K row, as text."""
    return run(
        "gold_of",
        function,
        [
            Case(_plain, lambda f: f("=12\nday one buys 5=17\n#### 17"), "17"),
            Case(_thousands, lambda f: f("Half of 2,160.\n#### 1,080"), "1080"),
            Case("white space is left around the answer", lambda f: f("5 + 2\n####  7 \n"), "7"),
            Case(
                "a `####` in the work is taken for the mark: the last one counts",
                lambda f: f("#### Step 1\n3 + 4 = 7\n#### 7"),
                "7",
            ),
            Case("the sign is lost: an answer may be negative", lambda f: f("3 - 8\n#### -5"), "-5"),
            Case("the decimals are lost: an answer need not be whole", lambda f: f("5 / 2\n#### 2.5"), "2.5"),
            Case(
                "a number may have two commas: drop them all, and change nothing else",
                lambda f: f("A million and more.\n#### 1,234,567"),
                "1234567",
            ),
            Case("the zero is lost: drop commas and white space, no digits", lambda f: f("5 - 5\n#### 0"), "0"),
        ],
    )


def _plain(got: Any) -> str:
    if isinstance(got, int | float):
        return "give text, not a number: other tasks have answers such as \\frac{1}{2}"
    if isinstance(got, str) and "####" in got:
        return "the mark is still in it: the answer stands after `####`"
    if isinstance(got, str) and "=12" in got:
        return "this is the work before the mark: the answer stands after `####`"
    return "the answer is what stands after `####`"


def _thousands(got: Any) -> str:
    if got in ("080", "80", "1"):
        return "the number ends or begins at its comma: take all that stands after `####`, then drop the comma"
    return "a thousands separator is left in: `1,080` and `1080` would never be equal"


def check_replies_per_question(function: Callable[[int, int, int], int]) -> Result:
    """`function(m, k, n)`: replies that one question costs in a MOTIF step."""
    return run(
        "replies_per_question",
        function,
        [
            Case(_cost, lambda f: f(2, 5, 4), 32),
            Case("with one round there is nothing to roll out: m replies, whatever k is", lambda f: f(8, 4, 1), 8),
            Case("8 round-1 replies, and from each 4 futures of 2 rounds", lambda f: f(8, 4, 3), 72),
            Case(
                "right for small sizes only: every part of it is multiplied by m, the later rounds by k too",
                lambda f: f(10**6, 10**3, 10),
                9_001_000_000,
            ),
        ],
    )


def _cost(got: Any) -> str:
    known = {
        40: "round 1 is counted once for every future: the k futures share their first reply",
        30: "round 1 is left out: the m first replies are sampled too",
        42: "n - 1 rounds come after the first, not n",
        22: "n - 1 rounds come after the first, not n - 2",
        8: "the k futures are missing: each of the m replies is rolled out k times",
        17: "each of the m replies is rolled out k times: multiply by m",
        12: "each future has n - 1 rounds, not one",
        250: "the tree branches once, after round 1: k futures, each without further branches",
        36: "round 1 is counted in every later round: it is one reply, and only the k futures go on",
        16: "k futures of n - 1 rounds are k (n - 1) replies: multiply the two",
        48: "round 1 is counted in every round: it is one reply, and only the k futures go on",
    }
    return known.get(got, "one reply for each of the m, then k futures of n - 1 replies from each of them")


def check_share_right(function: Share) -> Result:
    """`function(questions, sampler, num_rounds)`: the share of the questions whose final answer is right."""
    ungraded = [Question("0 and what is 7?", "7", task="ledger"), Question("1 and what?", "a few", task="ledger")]
    three = [Question(f"{i} and what?", gold) for i, gold in enumerate(("7", "8", "7"))]
    return run(
        "share_right",
        function,
        [
            Case(_share, lambda f: f([*ASKED], ScriptedSampler(_last_box), 1), 0.6),
            Case(
                "ask in num_rounds rounds: give it to think",
                lambda f: [_replies(f, n) for n in (1, 3)],
                [len(BOXES), 3 * len(BOXES)],
            ),
            Case(
                "the final answer counts, trajectory.final: a box in an earlier round does not",
                lambda f: [f([*ASKED], ScriptedSampler(box), 3) for box in (_first_box, _last_box)],
                [0.0, 0.6],
            ),
            Case(
                "what cannot be graded, None, is a question like any other, and not answered right",
                lambda f: f(ungraded, ScriptedSampler(_last_box), 1),
                0.5,
            ),
            Case(_golds, lambda f: f(three, ScriptedSampler(_last_box), 1), 2 / 3),
            Case(
                "the same number in another spelling is right: let `verify` compare, not `==`",
                lambda f: f([Question("7.0 and what is 7?", "7")], _turns("7.0"), 1),
                1.0,
            ),
            Case(
                "each question is graded by the rules of its own task: give question.task to `verify`",
                lambda f: f([Question("Where?", "(1, 2)", task="math500")], _turns("(1, 2)"), 1),
                1.0,
            ),
            Case(
                "a question may stand in the list more than once: it counts each time",
                lambda f: f([ASKED[0]] * 3, _turns("7", "7", "8"), 1),
                2 / 3,
            ),
        ],
    )


def _turns(*answers: str) -> ScriptedSampler:
    """A sampler that boxes these answers in turn, whatever it is asked."""
    turns = cycle(answers)
    return ScriptedSampler(lambda chat: reply_text("work", rf"\boxed{{{next(turns)}}}"))


def _round(chat: Chat) -> tuple[int, bool]:
    """The question's number, and whether this is its last round."""
    text = chat[-1]["content"]
    return int(text.lstrip()[0]), any(f"Round {n} of {n}." in text for n in (1, 3))


def _last_box(chat: Chat) -> str:
    number, last = _round(chat)
    return reply_text("the number 7", f"\\boxed{{{BOXES[number]}}}" if last else "not done yet")


def _first_box(chat: Chat) -> str:
    return reply_text("work", r"\boxed{8}" if _round(chat)[1] else r"\boxed{7}")


def _replies(function: Share, num_rounds: int) -> int:
    sampler = ScriptedSampler(_last_box)
    function([*ASKED], sampler, num_rounds)
    return sum(sampler.calls)


_share = named(
    [
        (60.0, "give a share from 0 to 1, not percent"),
        (3, "give the share of the questions: divide by how many there are"),
        (0.4, "this is the share of wrong answers"),
        (
            1.0,
            "too many are right: digits that occur somewhere are no answer, and of a verdict only `.correct is True` "
            "counts",
        ),
    ],
    "count the questions whose final answer is right, and divide by the number of questions",
)

_golds = named(
    [
        (1 / 3, "each answer is compared with the gold of its own question"),
        (0.7, "give the share as it is, not rounded"),
        (0.67, "give the share as it is, not rounded"),
    ],
    "each question has a gold of its own; count the right ones, and divide by the number of questions",
)
