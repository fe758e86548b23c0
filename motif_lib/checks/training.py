"""Checks of notebook 05: reading the signals of a training run."""

from __future__ import annotations

from collections.abc import Callable

from motif_lib.checks.base import Case, Result, run


def check_groups_without_signal(function: Callable[..., float]) -> Result:
    """`function(rewards, m)`: the share of groups whose m rewards are all equal; groups stand one after the other."""
    return run(
        "groups_without_signal",
        function,
        [
            Case(
                "a group is m rewards that follow each other, not every m-th one",
                lambda f: f([2.0, 0.0, 2.0, 0.0], 2),
                0.0,
            ),
            Case(
                "a group that is right throughout teaches as little as one that is wrong throughout",
                lambda f: f([2.0, 2.0], 2),
                1.0,
            ),
            Case("give the share of the groups, not their number", lambda f: f([1.0] * 6, 2), 1.0),
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
        ],
    )


def check_smoothed(function: Callable[..., list[float]]) -> Result:
    """`function(values, width)`: at each step the mean of the last `width` values, or of all where there are fewer."""
    return run(
        "my_smoothed",
        function,
        [
            Case("give one value for each step, the first ones too", lambda f: len(f([3.0, 3.0, 3.0], 2)), 3),
            Case(
                "the first steps have fewer than `width` values behind them: divide by how many there are",
                lambda f: f([3.0, 3.0, 3.0], 2),
                [3.0, 3.0, 3.0],
            ),
            Case("look back only: a curve that knows the next step cannot be drawn live", _before_a_jump, [0.0, 0.0]),
            Case("forget what is older than `width` steps", lambda f: f([9.0, 0.0, 0.0], 2)[-1], 0.0),
            Case("this is not the mean of the last `width` values", lambda f: f([4.0, 0.0, 2.0], 3), [4.0, 2.0, 2.0]),
        ],
    )


def _before_a_jump(function: Callable[..., list[float]]) -> list[float]:
    return list(function([0.0, 0.0, 6.0], 3)[:2])
