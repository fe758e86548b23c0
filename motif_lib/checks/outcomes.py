"""Check of notebook 03 on the reward of MOTIF, the mean outcome of a reply's futures.

The library's own is `rewards.future.mean_outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.checks.futures import STARTS, Begun, asked, begun
from motif_lib.protocol import reply_text
from motif_lib.records import Question, Trajectory
from motif_lib.samplers.base import Chat, Sampler, ScriptedSampler

Rewards = Callable[[Begun, Sampler, int, int], Sequence[float | None]]


@dataclass(frozen=True)
class Torn(Question):
    """Of its futures, in turn, one cannot be graded and one can: its gold is no number, but it is LaTeX."""

    turns: Iterator[str] = field(default_factory=lambda: cycle(("number", "latex")), repr=False, compare=False)

    @property
    def rules(self) -> str:
        return next(self.turns)


def check_future_reward(function: Rewards) -> Result:
    """`function(begun, sampler, k, n)`: for each begun trajectory the mean outcome of its own k futures, or None."""
    drawn = {"note a": "2111", "note b": "1222", "note c": "2222"}
    known = [
        ([6.0, 2.0, 8.0], "this is the sum of the outcomes: it grows with k; take the mean"),
        ([0.75, 0.25, 1.0], "this is the share of right answers: an outcome is points, 2 or 0; take their mean"),
        ([3.0, 1.0, 4.0], "an outcome is 2 or 0 already, the points of a right or wrong answer: no factor on top"),
        ([2.0, 2.0, 2.0], "0 is an outcome: leave out None only, and take the mean, not the best outcome"),
        ([0.0, 0.0, 2.0], "this is the worst outcome: what counts is how often the futures succeed"),
        ([0.0, 2.0, 2.0], "only one future of each reply counts here: take the mean of all k"),
        ([2.0, 0.0, 2.0], "take the mean of all k outcomes: no median, no vote, no single one"),
        ([4 / 3, 4 / 3, 4 / 3], "this is the mean over all replies: each reply has the mean of its own k futures"),
        (4 / 3, "one reward for each reply, not one for all of them"),
        ([1.0, 1.0, 2.0], "this is the mean of a whole group: each reply has the mean of its own k futures"),
        ([1.5, 0.5, 0.0], "each future is graded by the gold of its own question"),
        ([0.0, 0.0, 0.0], "round 1 has not answered yet: grade the last reply of each future, not the begun one"),
        ([[0.0, 2.0, 2.0, 2.0], [2.0, 0.0, 0.0, 0.0], [2.0] * 4], "these are the outcomes: now take their means"),
    ]

    def of_twins(function: Rewards) -> list[float]:
        """Of two equal begun replies: how many rewards there are, and their sum; which has which may differ."""
        rewards = judged(function, {"note a": "1122"}, STARTS[:1] * 2, k=2)[0]
        return [len(rewards), sum(rewards)]

    return run(
        "my_rewards",
        function,
        [
            Case(
                named(known, "the reward of a reply is the mean outcome of its own k futures"),
                lambda f: judged(f, drawn)[0],
                [1.5, 0.5, 2.0],
            ),
            Case(
                "k and n are arguments: with k=3 divide by 3, and with n=2 round 2 is the last",
                lambda f: judged(f, {"note a": "112", "note b": "212", "note c": "222"}, k=3, n=2)[0],
                [4 / 3, 2 / 3, 2.0],
            ),
            Case(
                "the futures end in round n, whatever n is: give it on",
                lambda f: judged(f, drawn, n=6)[1],
                [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)],
            ),
            Case(
                "all k futures end wrong: the reward is 0.0, and None only where nothing can be graded",
                lambda f: judged(f, {"note a": "2"}, STARTS[:1])[0],
                [0.0],
            ),
            Case(
                "no outcome can be graded: nobody knows how good the reply is, so its reward is None and not 0",
                lambda f: judged(f, drawn, [begun("?", "unknown", "note a"), STARTS[1]])[0],
                [None, 0.5],
                broken="an outcome is None where the gold cannot be read: leave it out before you take the mean",
            ),
            Case(
                named(
                    [
                        ([1.0], "None is neither right nor wrong: divide by the number of outcomes left, not by k"),
                        ([None], "some outcomes are None, not all: the reward is the mean of the others"),
                    ],
                    "leave None out, and take the mean of the outcomes that are left",
                ),
                lambda f: judged(f, {"note a": ["(1, 2)"]}, [Trajectory(Torn("?", "(1, 2)"), STARTS[0].replies)])[0],
                [2.0],
                broken="an outcome is None where the gold cannot be read: leave it out before you take the mean",
            ),
            Case("two replies may be equal: each has futures and a reward of its own", of_twins, [2, 2.0]),
        ],
    )


def judged(
    function: Rewards, drawn: Mapping[str, Sequence[str]], starts: Begun = STARTS, k: int = 4, n: int = 3
) -> tuple[Any, list[tuple[int, int]]]:
    """A learner's rewards where the futures of each note end in these answers, in turn; and the rounds that were asked.

    Every round hands on the note it was given, so that the last one still knows whose future it is.
    """
    turns, rounds = {note: cycle(answers) for note, answers in drawn.items()}, set()

    def answer(chat: Chat) -> str:
        note, round, total = asked(chat)
        rounds.add((round, total))
        return reply_text("work", note if round < total else rf"\boxed{{{next(turns.get(note, cycle('0')))}}}")

    return function(starts, ScriptedSampler(answer), k, n), sorted(rounds)
