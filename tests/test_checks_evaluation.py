"""The checks of notebook 06: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import math

import pytest
from notebook_solutions import solution
from scipy.stats import binomtest, fisher_exact

from motif_lib.checks import evaluation


def wald(successes, n, z=1.96, root=math.sqrt):
    p = successes / n
    half = z * root(p * (1 - p) / n)
    return p - half, p + half


def from_scipy(method, scale=1.0):
    def interval(successes, n):
        found = binomtest(successes, n).proportion_ci(0.95, method=method)
        return scale * found.low, scale * found.high

    return interval


def wilson_by_hand(successes, n, z=1.96, centred=True):
    p, shrink = successes / n, 1 + z**2 / n
    middle = (p + z**2 / (2 * n)) / shrink if centred else p
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / shrink
    return middle - half, middle + half


INTERVALS = {
    "not percent": from_scipy("wilson", scale=100),
    "in this order": lambda k, n: from_scipy("wilson")(k, n)[::-1],
    "Wald": wald,
    "z = 1.96": lambda k, n: wilson_by_hand(k, n, z=1.0),
    "square root": lambda k, n: wilson_by_hand(k, n, z=1.96**2),
    "Clopper-Pearson": from_scipy("exact"),
    "not the Wilson interval": lambda k, n: wilson_by_hand(k, n, z=1.9),
    "below 0": lambda k, n: wilson_by_hand(k, n, centred=False),
    "the middle": lambda k, n: wald(k, n) if 0 < k < n else wilson_by_hand(k, n),
}


def table(a, b):
    only_a = sum(x is True and y is not True for x, y in zip(a, b))
    only_b = sum(y is True and x is not True for x, y in zip(a, b))
    return only_a, only_b


def exact(successes, n):
    return binomtest(successes, n).pvalue if n else 1.0


def unequal(a, b):
    only_a, only_b = table(a, b)
    return exact(only_b, sum(x != y for x, y in zip(a, b)))


def one_sided(a, b):
    only_a, only_b = table(a, b)
    return binomtest(only_b, only_a + only_b, alternative="greater").pvalue if only_a + only_b else 1.0


def unpaired(a, b):
    right_a, right_b = sum(x is True for x in a), sum(y is True for y in b)
    return float(fisher_exact([[right_a, len(a) - right_a], [right_b, len(b) - right_b]]).pvalue)


def all_questions(a, b):
    only_a, only_b = table(a, b)
    return exact(only_b, len(a)) if only_b else 1.0


P_VALUES = {
    "there is no evidence": lambda a, b: 0.0,
    "counts as wrong": unequal,
    "one-sided": one_sided,
    "pair by pair": unpaired,
    "leave out those on which they agree": all_questions,
    "which of the two comes first": lambda a, b: exact(table(a, b)[1], sum(table(a, b))) if table(a, b)[1] else 1.0,
    "a None is not left out": lambda a, b: unequal(*zip(*[p for p in zip(a, b) if None not in p] or [(True, True)])),
    "both kinds of disagreement": lambda a, b: 0.5 ** (max(table(a, b)) - 1) if sum(table(a, b)) else 1.0,
}


def test_stubs_and_solutions():
    assert evaluation.check_interval(lambda *_: None).status == "not yet"
    assert evaluation.check_p_value(lambda *_: None).status == "not yet"
    assert evaluation.check_interval(solution("06", "interval")).status == "ok"
    assert evaluation.check_p_value(solution("06", "p_value")).status == "ok"
    assert evaluation.check_interval(wilson_by_hand).status == "ok"  # the formula is as good as scipy


@pytest.mark.parametrize("named, wrong", INTERVALS.items(), ids=INTERVALS)
def test_mistakes_with_intervals(named, wrong):
    result = evaluation.check_interval(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", P_VALUES.items(), ids=P_VALUES)
def test_mistakes_with_p_values(named, wrong):
    result = evaluation.check_p_value(wrong)
    assert result.status == "not quite" and named in result.message
