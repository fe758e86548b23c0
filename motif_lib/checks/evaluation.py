"""Checks of notebook 06: intervals, paired tests, and how many questions they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from motif_lib.checks.base import Case, Result, named, run

Verdicts = Sequence[bool | None]


def check_interval(function: Callable[[int, int], tuple[float, float]]) -> Result:
    """`function(successes, n)`: the 95 % Wilson interval `(low, high)` of a share."""
    return run(
        "interval",
        function,
        [
            Case(
                lambda got: (
                    f"give (low, high), not {got}" if got is not False else "give shares from 0 to 1, not percent"
                ),
                lambda f: _shares(f(15, 30)),
                True,
            ),
            Case("give (low, high) in this order", lambda f: f(15, 30)[0] < f(15, 30)[1], True),
            Case(
                "0 right of 30 does not prove that the model never is: this is the Wald interval, which has "
                "no width there",
                lambda f: f(0, 30)[1] > 0.01,
                True,
            ),
            Case(_wilson, lambda f: [*_rounded(f(250, 500)), *_rounded(f(2, 30))], [0.4563, 0.5437, 0.0185, 0.2132]),
            Case("for 0 of 30 the Wilson interval goes from 0 to 0.1135", lambda f: _rounded(f(0, 30)), [0.0, 0.1135]),
            Case("30 of 30 is the mirror image of 0 of 30", lambda f: _rounded(f(30, 30)), [0.8865, 1.0]),
            Case(
                "the formula is the same for few questions and for many",
                lambda f: [*_rounded(f(1, 3)), *_rounded(f(1990, 2000)), *_rounded(f(1, 2000))],
                [0.0615, 0.7923, 0.9908, 0.9973, 0.0001, 0.0028],
            ),
        ],
    )


def _shares(pair: Any) -> bool | str:
    return "an Estimate" if hasattr(pair, "low") else bool(max(pair) <= 1)


def _rounded(pair: Sequence[float]) -> list[float]:
    return [round(float(value), 4) for value in pair]


OTHER_INTERVALS = named(  # for 2 of 30
    [
        ([0.0082, 0.2207], "this is the Clopper-Pearson interval: sound, but wider than Wilson's; set method='wilson'"),
        ([0.0116, 0.2351], "this is Wilson's interval with a continuity correction: take the one without"),
        ([0.0141, 0.1971], "this is the Jeffreys interval: sound, but not Wilson's"),
        ([0.008, 0.2237], "this is the Agresti-Coull interval: Wilson's middle, but wider"),
    ],
    "",
)


def _wilson(got: list[float]) -> str:
    if other := OTHER_INTERVALS(got[2:]):
        return other
    width = got[1] - got[0]
    if width < 0.07:
        return "too narrow: 95 % needs z = 1.96 standard errors on either side, not one"
    if width > 0.09:
        return "too wide: the standard error has a square root, and z = 1.96 is applied once"
    if got[2] < 0:
        return "the middle of the Wilson interval is not the share itself: here a bound falls below 0"
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
                broken="two that never disagree toss no coin: p is 1",
            ),
            Case("None, cannot be graded, counts as wrong, like False", lambda f: f([None] * 6, [False] * 6), 1.0),
            Case(
                _paired,
                lambda f: f([False] * 6 + [True] * 94, [True] * 100),
                0.03125,
            ),
            Case(
                "a probability is at most 1: twice one tail counts the middle twice",
                lambda f: f([True, False], [False, True]),
                1.0,
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
            Case(
                "a question on which both are None tells nothing: both are wrong there",
                lambda f: f([None] * 4 + [False] * 6, [None] * 4 + [True] * 6),
                0.03125,
            ),
            Case("few differences are a test too: 4 of 4 give 0.125", lambda f: f([False] * 4, [True] * 4), 0.125),
            Case(
                "many differences too: take the exact test, not the chi-square approximation",
                lambda f: f([True] * 10 + [False] * 20, [False] * 10 + [True] * 20),
                0.09873714670538905,
            ),
        ],
    )


def check_share_shown(function: Callable[[float, float, int], float]) -> Result:
    """`function(only_a, only_b, n)`: share of simulated paired tests in which McNemar's exact p is below 0.05."""
    return run(
        "share_shown",
        function,
        [
            Case("give a share from 0 to 1, not percent", lambda f: f(0.1, 0.3, 200) <= 1, True),
            Case(_shown, lambda f: _near(f(0.1, 0.2, 200), 0.70), 0.70),
            Case("a gain for a is a difference too", lambda f: _near(f(0.2, 0.1, 200), 0.70), 0.70),
            Case("where no model is better, hardly any test may say so", lambda f: _near(f(0.1, 0.1, 200), 0.03), 0.03),
            Case("two that never differ show nothing: p is 1", lambda f: float(f(0.0, 0.0, 50)), 0.0),
            Case("a few questions show less: use n", lambda f: _near(f(0.05, 0.15, 60), 0.31), 0.31),
            Case(
                "b alone solves all n: p is 0.0625 for 5 of 5, 0.03125 for 6 of 6; draw n questions, and ask `mcnemar`",
                lambda f: [float(f(0.0, 1.0, n)) for n in (4, 5, 6)],
                [0.0, 0.0, 1.0],
            ),
            Case(_together, lambda f: _near(f(0.875, 0.125, 6), 0.45), 0.45),
            Case(
                "so few tests are luck: draw 400 or more",
                lambda f: _fewest([float(f(0.5, 0.2, n)) for n in range(20, 26)]) >= 200,
                True,
            ),
        ],
    )


def _near(got: float, exact: float) -> float:
    """The exact share where a simulation with 400 tests comes near it (within three standard errors), else `got`."""
    return exact if abs(got - exact) < 0.08 else got


def _together(got: float) -> str:
    if got < 0.3:
        return "a question is solved by a alone or by b alone, never both: draw the counts together, not one by one"
    return "draw n questions for each test, and 400 tests or more"


def _fewest(shares: list[float]) -> int:
    """The fewest tests that can have given these shares; 200 if it takes as many or more."""
    return next((n for n in range(1, 200) if all(abs(n * x - round(n * x)) < 1e-6 for x in shares)), 200)


def _shown(got: float) -> str:
    if abs(got - 0.30) < 0.08:
        return "this is the share of tests that show nothing: p below 0.05 is what counts"
    if abs(got - 0.80) < 0.03:
        return "the test is two-sided: `mcnemar` gives the p-value as it is"
    return "draw, for each test, how many of the n questions a alone, b alone and neither or both solve"


ALL_QUESTIONS = "only the 6 questions on which the two differ are coin tosses; leave out those on which they agree"
UNPAIRED = "the questions are the same: compare them pair by pair, not as two independent samples"
CHI_SQUARE = "this is the chi-square approximation; six coin tosses are few: take the exact binomial test"
_KNOWN = named(  # 6 questions only b solved, 94 both
    [
        (
            0.015625,
            "this is one-sided (or a mid-p value); a two-sided test asks about a difference in either direction",
        ),
        (0.014305878435429641, CHI_SQUARE),
        (0.041226833337163815, CHI_SQUARE),
        (0.028930282023157568, UNPAIRED),
        (0.038212624590957006, UNPAIRED),
        (0.01287964241265027, UNPAIRED),
    ],
    "this is not the exact McNemar test",
)


def _paired(got: float) -> str:
    return ALL_QUESTIONS if isinstance(got, float) and got < 1e-9 else _KNOWN(got)
