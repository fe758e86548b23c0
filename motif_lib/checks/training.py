"""Checks of notebook 05: in which groups is there anything to learn, in a log and before a training?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.protocol import reply_text
from motif_lib.records import Question
from motif_lib.samplers.base import Chat, Sampler, ScriptedSampler

Silent = Callable[[Sequence[Question], Sampler, int, int], dict[int, float]]

BATCHES = [  # all right, all wrong, a group that differs, and one of four groups without signal
    ([2.0, 2.0], 2),
    ([0.0, 0.0], 2),
    ([2.0, 0.0], 2),
    ([2.0, 2.0, 0.0, 1.0, 2.0, 1.0, 0.0, 2.0], 2),
]
UNEQUAL = [
    (1.0, 0.0, 2.0),
    (1.0, 1.0, 0.0),
    (1.0, 0.0, 1.0),
    (0.0, 1.0, 1.0),
    (0.0, 1.0, 1.0, 0.0),
    (1.0, 1.0, 0.0, 0.0),
]


def check_groups_without_signal(function: Callable[..., float]) -> Result:
    """`function(rewards, m)`: the share of groups whose m rewards are all equal; groups stand one after the other."""
    return run(
        "groups_without_signal",
        function,
        [
            Case(_shares, lambda f: [f(*batch) for batch in BATCHES], [1.0, 1.0, 0.0, 0.25]),
            Case(
                "compare a reward with those of its own group: a spread over the whole batch is no signal",
                lambda f: f([0.0, 0.0, 2.0, 2.0], 2),
                1.0,
            ),
            Case(
                "rewards are means over k plus format rewards: all-equal groups can stand at any value",
                lambda f: f([0.75, 0.75, 1.5, 2.0], 2),
                0.5,
            ),
            Case(
                "all m rewards have to be equal: compare each with each, not only two of them, nor one with the mean",
                lambda f: [f(list(group), len(group)) for group in UNEQUAL],
                [0.0] * len(UNEQUAL),
            ),
            Case("rewards that differ a little do differ: their order teaches", lambda f: f([1.0, 1.001], 2), 0.0),
            Case(
                "equal rewards may have a spread of 1e-16, as their mean is rounded: compare the rewards themselves",
                lambda f: [f([reward] * m, m) for reward, m in ((0.7, 7), (0.1, 3))],
                [1.0, 1.0],
            ),
        ],
    )


def _shares(got: Any) -> str:
    known = [
        ([0.0, 0.0, 1.0, 0.75], "this is the share of groups that do teach something; asked is that of the others"),
        ([100.0, 100.0, 0.0, 25.0], "give a share from 0 to 1, not percent"),
        ([0.0, 1.0, 0.0, 0.0], "a group that is right throughout teaches as little as one that is wrong throughout"),
        ([1.0, 0.0, 0.0, 0.25], "a group that is wrong throughout teaches as little as one that is right throughout"),
        ([1.0, 1.0, 0.0, 0.5], "a group is m rewards that follow each other, not every m-th one"),
        ([1.0, 1.0, 0.0, 0.0], "look at each group by itself: a group is m rewards that follow each other"),
        (
            [1.0, 1.0, 0.0, 1.0],
            "give the share of the groups, not their number (or is the list sorted? That mixes groups)",
        ),
    ]
    floats = [float(value) for value in got]
    return named(known, "count the groups whose m rewards are all equal, and divide by the number of groups")(floats)


def check_silent_by_length(function: Silent) -> Result:
    """`function(questions, sampler, num_rounds, m)`: by length, the share of questions with m equal outcomes."""
    east = Question("Where?", r"\text{east}", task="math500", length=4)
    turns = cycle((r"\boxed{\text{east}}", r"\boxed{\text{west}}"))
    return run(
        "silent_by_length",
        function,
        [
            Case(
                _silent,
                lambda f: f(_asked("4 rrr", "12 www", "4 rwr", "4 rrr", "4 www"), scripted(), 1, 3),
                {4: 0.75, 12: 1.0},
            ),
            Case(
                "ask each question m times, num_rounds rounds each",
                lambda f: [_replies(f, rounds, m) for rounds, m in ((1, 2), (3, 4))],
                [4, 24],
            ),
            Case(
                "only the final answer counts, trajectory.final: that of an earlier round may be another",
                lambda f: f(_asked("4 rw"), scripted(), 2, 2),
                {4: 1.0},
            ),
            Case(
                lambda got: (
                    "keep a length whose share is 0.0"
                    if set(got) == {9}
                    else "questions of one length need not follow each other"
                ),
                lambda f: f(_asked("9 rr", "4 rw", "9 rw", "4 wr"), scripted(), 1, 2),
                {9: 0.5, 4: 0.0},
            ),
            Case(
                _golds,
                lambda f: f(_asked("4 rr", "4 ww", "4 ww", golds=("7", "17", "8")), scripted(), 1, 2),
                {4: 2 / 3},
            ),
            Case(
                "each question is graded by the rules of its own task: give question.task to `verify`",
                lambda f: f([east], ScriptedSampler(lambda chat: reply_text("work", next(turns))), 1, 2),
                {4: 0.0},
            ),
            Case(
                "a question may stand in the list more than once: it is asked m times, and counts, each time",
                lambda f: f(_asked("4 rrrw") * 2, scripted(), 1, 2),
                {4: 0.5},
            ),
        ],
    )


def _asked(*scripts: str, golds: Sequence[str] = ()) -> list[Question]:
    """Questions whose text says how long they are and how their trajectories end."""
    return [
        Question(f"{i} {script}", gold, id=str(i), task="ledger", length=int(script.split()[0]))
        for i, (script, gold) in enumerate(zip(scripts, golds or cycle("7")))
    ]


def scripted() -> ScriptedSampler:
    """A sampler that answers the n-th trajectory of a question as the n-th letter of its text says.

    Each wrong answer is another one; a second round begins with the first letter again.
    """
    seen: Counter[str] = Counter()

    def answer(chat: Chat) -> str:
        found = re.search(r"\d+ \d+ ([rw]+)", chat[-1]["content"])
        script = found[1] if found else "w"
        seen[chat[-1]["content"]] += 1
        time = seen[chat[-1]["content"]]
        number = 7 if script[(time - 1) % len(script)] == "r" else 10 * time + 7
        return reply_text("work", rf"\boxed{{{number}}}")

    return ScriptedSampler(answer)


def _replies(function: Silent, num_rounds: int, m: int) -> int:
    sampler = scripted()
    function(_asked("4 rw", "5 rw"), sampler, num_rounds, m)
    return sum(sampler.calls)


def _silent(got: Any) -> str:
    known: list[tuple[Any, str]] = [
        ({4: 0.25, 12: 0.0}, "this is the share of questions with signal; asked is that of the silent ones"),
        ({4: 0.5, 12: 0.0}, "all wrong is as silent as all right, in whatever words: compare the outcomes"),
        ({4: 0.25, 12: 1.0}, "all right is as silent as all wrong"),
        ({4: 75.0, 12: 100.0}, "give shares from 0 to 1, not percent"),
        ({4: 3, 12: 1}, "give the share of the questions of a length, not their number"),
        ({4: 0.0, 12: 1.0}, "look at each question by itself: a group is the m trajectories of one question"),
        ({4: 0.0, 12: 0.0}, "a group is the m trajectories of one question, not one of each question"),
    ]
    if not isinstance(got, dict):
        return "give a dict: from each length to a share"
    return named(known, "for each length: the questions whose m outcomes are all equal, by the number of questions")(
        got
    )


_golds = named(
    [
        ({4: 1.0}, "each answer is compared with the gold of its own question"),
        ({4: 0.7}, "give the shares as they are, not rounded"),
        ({4: 0.67}, "give the shares as they are, not rounded"),
    ],
    "each question has a gold of its own: its m outcomes say whether it is silent",
)
