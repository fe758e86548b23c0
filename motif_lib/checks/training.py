"""Checks of notebook 05: reading the signals of a training run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motif_lib.checks.base import Case, Result, named, run

BATCHES = [  # all right, all wrong, a group that differs, and one of four groups without signal
    ([2.0, 2.0], 2),
    ([0.0, 0.0], 2),
    ([2.0, 0.0], 2),
    ([2.0, 2.0, 0.0, 1.0, 2.0, 1.0, 0.0, 2.0], 2),
]
UNEQUAL = [(1.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, 1.0, 1.0, 0.0), (1.0, 1.0, 0.0, 0.0)]


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
                "all m rewards have to be equal: compare each with each, not only two of them",
                lambda f: [f(list(group), len(group)) for group in UNEQUAL],
                [0.0] * len(UNEQUAL),
            ),
            Case("rewards that differ a little do differ: their order teaches", lambda f: f([1.0, 1.01], 2), 0.0),
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
        ([1.0, 1.0, 0.0, 1.0], "give the share of the groups, not their number"),
    ]
    floats = [float(value) for value in got]
    return named(known, "count the groups whose m rewards are all equal, and divide by the number of groups")(floats)


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
