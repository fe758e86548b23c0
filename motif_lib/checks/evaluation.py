"""Checks of notebook 06: intervals and paired tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from motif_lib.checks.base import Case, Result, run

Verdicts = Sequence[bool | None]


def check_interval(function: Callable[[int, int], tuple[float, float]]) -> Result:
    """`function(successes, n)`: the 95 % Wilson interval `(low, high)` of a share."""
    return run(
        "interval",
        function,
        [
            Case("give shares from 0 to 1, not percent", lambda f: max(f(15, 30)) <= 1, True),
            Case("give (low, high) in this order", lambda f: f(15, 30)[0] < f(15, 30)[1], True),
            Case(
                "0 right of 30 does not prove that the model never is: this is the Wald interval, whose width "
                "p (1 - p) / n is zero there",
                lambda f: f(0, 30)[1] > 0.01,
                True,
            ),
            Case(_width, lambda f: _rounded(f(250, 500)), [0.456, 0.544]),
            Case("a bound cannot be below 0", lambda f: _rounded(f(0, 30)), [0.0, 0.114]),
            Case(
                "the middle of the Wilson interval is not the share itself",
                lambda f: _rounded(f(2, 30)),
                [0.018, 0.213],
            ),
        ],
    )


def _rounded(pair: Sequence[float]) -> list[float]:
    return [round(float(value), 3) for value in pair]


def _width(got: list[float]) -> str:
    if got == [0.455, 0.545]:
        return "this is the Clopper-Pearson interval: sound, but wider than Wilson's; set method='wilson'"
    width = got[1] - got[0]
    if width < 0.07:
        return "too narrow: 95 % needs z = 1.96 standard errors on either side, not one"
    if width > 0.09:
        return "too wide: the standard error has a square root, and z = 1.96 is applied once"
    return "this is not the Wilson interval"


def check_p_value(function: Callable[[Verdicts, Verdicts], float]) -> Result:
    """`function(a, b)`: exact two-sided McNemar test on two lists of verdicts about the same questions."""
    return run(
        "p_value",
        function,
        [
            Case(
                "where the two never disagree there is no evidence: p is 1",
                lambda f: f([True, False], [True, False]),
                1.0,
            ),
            Case("None, cannot be graded, counts as wrong, like False", lambda f: f([None] * 6, [False] * 6), 1.0),
            Case(
                _paired,
                lambda f: f([False] * 6 + [True] * 94, [True] * 100),
                0.03125,
            ),
            Case(
                "the order of the two must not matter",
                lambda f: f([True] * 100, [False] * 6 + [True] * 94),
                0.03125,
            ),
            Case(
                "count both kinds of disagreement",
                lambda f: f([True] * 3 + [False] * 5, [False] * 3 + [True] * 5),
                0.7265625,
            ),
            Case(
                "a pair with a None is not left out: what cannot be graded is wrong, and the other may be right",
                lambda f: f([None] * 6, [True] * 6),
                0.03125,
            ),
        ],
    )


def _paired(got: float) -> str:
    if isinstance(got, float) and abs(got - 0.015625) < 1e-6:
        return "this is one-sided; a two-sided test asks about a difference in either direction"
    if isinstance(got, float) and 0.02 < got < 0.031:
        return "the questions are the same: compare them pair by pair, not as two independent samples"
    if isinstance(got, float) and got < 0.015:
        return "only the 6 questions on which the two differ are coin tosses; leave out those on which they agree"
    return "this is not the exact McNemar test"
