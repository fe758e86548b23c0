"""`note_reward`: a reward for the note itself, what its trajectory earns with it less what it earns without.

A counterfactual, as in ReSum (2606.13316): from the same state the next round is asked once with the note and once with
none. The second is the better yardstick than another question's note: that one leads to its own wrong answer, whatever
the note in question was worth, and a step of one question has no other.

In MOTIF nothing but the note passes, so what no note earns depends on the question and the round alone. It is sampled
once for all replies of a round, k futures in all. And it is a baseline, which moves no expected gradient: what is left
is that notes weigh 1 + `note_reward` against final replies. With `credit="first"` the group's mean takes the baseline
away and no final reply is trained, so that would be but another weight of the MOTIF reward. With "any" groups of notes
weigh more than groups of final replies; with "all", whose groups mix rounds, each round has a baseline besides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from motif_lib.records import Trace, Trajectory
from motif_lib.rewards.future import FutureAccuracy, mean_outcome


class NoteReward:
    """`note_reward(prompts, completions, ...) -> list[float | None]`, from minus to plus `outcome_reward`.

    Args:
        future: the MOTIF reward, which has to be called first: its futures are those with the note.

    None for a reply whose note nobody reads: that of the last round, or one that has ended its trajectory.
    """

    __name__ = "note_reward"

    def __init__(self, future: FutureAccuracy):
        self.future = future

    def __call__(self, prompts: Any = None, completions: Any = None, **columns: Any) -> list[float | None]:
        traces = self.future.traces
        silent = [silenced(trace, len(begun.replies)) for trace, begun in zip(traces, self.future.begun, strict=True)]
        asked = {key_of(begun): begun for begun in silent if begun}
        without = {key: mean_outcome(found.outcomes) for key, found in zip(asked, self.future.judge([*asked.values()]))}
        return [gain(trace, without[key_of(begun)]) if begun else None for trace, begun in zip(traces, silent)]


def silenced(trace: Trace, done: int) -> Trajectory | None:
    """The first `done` replies of a trace's futures, the last of which hands on nothing; None if no round follows."""
    future = trace.trajectories[0]
    if len(future.replies) <= done:
        return None
    return Trajectory(future.question, (*future.replies[: done - 1], replace(future.replies[done - 1], carried="")))


def key_of(begun: Trajectory) -> tuple[str, str, int]:
    """What the future of a reply without a note depends on: the question and the round."""
    return begun.question.text, begun.question.gold, len(begun.replies)


def gain(trace: Trace, without: float | None) -> float | None:
    """Mean outcome of a trace's futures, less that without the note; None if one of them could not be graded."""
    earned = mean_outcome(trace.outcomes)
    return None if earned is None or without is None else earned - without
