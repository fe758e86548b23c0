"""The statistics against statsmodels, published formulas and simulation."""

from __future__ import annotations

from itertools import combinations, product
from math import isclose, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from motif_lib.evaluate import statistics
from motif_lib.evaluate.statistics import (
    bootstrap_interval,
    majority,
    mcnemar,
    mean_estimate,
    paired_estimate,
    pass_at_k,
    wilson,
)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 30), (2, 30), (7, 10), (188, 500), (243, 500), (500, 500)])
def test_wilson_agrees_with_statsmodels_and_the_formula(hits, n):
    found = wilson(hits, n)
    assert np.allclose((found.low, found.high), proportion_confint(hits, n, method="wilson"))
    p, z = hits / n, 1.959964
    centre, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert np.allclose(
        (found.low, found.high), [(centre + sign * half) / (1 + z * z / n) for sign in (-1, 1)], atol=1e-6
    )
    assert (found.value, found.n) == (p, n)


@pytest.mark.parametrize(("n", "p"), [(30, 0.1), (30, 0.5), (200, 0.37), (200, 0.95), (500, 0.486)])
def test_wilson_covers_the_truth_in_95_of_100_simulated_evaluations(n, p):
    hits = np.random.default_rng(0).binomial(n, p, size=4_000)
    intervals = {int(h): wilson(int(h), n) for h in np.unique(hits)}
    covered = np.mean([intervals[int(h)].low <= p <= intervals[int(h)].high for h in hits])
    assert 0.93 <= covered <= 0.98


def test_the_interval_of_several_samples_covers_the_truth_where_pooling_them_does_not(monkeypatch):
    """k = 8 samples of a question are alike: counted as n * k independent answers the interval is far too narrow."""
    monkeypatch.setattr(statistics, "RESAMPLES", 999)
    rng, n, k, trials = np.random.default_rng(1), 100, 8, 300
    ours = pooled = 0
    for _ in range(trials):
        hits = rng.binomial(k, rng.beta(0.5, 0.5, size=n))  # the mean of Beta(0.5, 0.5) is 0.5
        found, naive = mean_estimate(list(hits / k)), wilson(int(hits.sum()), n * k)
        ours += found.low <= 0.5 <= found.high
        pooled += naive.low <= 0.5 <= naive.high
    assert 0.91 <= ours / trials <= 0.98
    assert pooled / trials < 0.75


@pytest.mark.parametrize(("n", "only_a", "only_b"), [(200, 0.1, 0.2), (200, 0.02, 0.12), (30, 0.2, 0.2), (24, 0, 0.97)])
def test_the_paired_interval_covers_the_true_difference_in_95_of_100_simulated_comparisons(n, only_a, only_b):
    """Questions solved by one model alone with the chances given, else by both or by none."""
    draws = np.random.default_rng(3).multinomial(n, [only_a, only_b, 1 - only_a - only_b], size=2_000)
    found = {tuple(row): paired_estimate([-1] * row[0] + [1] * row[1] + [0] * row[2]) for row in draws.tolist()}
    covered = np.mean([found[tuple(row)].low <= only_b - only_a <= found[tuple(row)].high for row in draws.tolist()])
    assert 0.93 <= covered <= 0.998


def test_the_paired_interval_is_the_normal_one_with_half_a_question_more_in_each_cell():
    found, (a, b, n) = paired_estimate([-1] * 10 + [1] * 40 + [0] * 150), (10.5, 40.5, 202)
    half = 1.959964 * sqrt(a + b - (b - a) ** 2 / n) / n  # Agresti and Min 2005
    assert np.allclose((found.value, found.low, found.high), (0.15, (b - a) / n - half, (b - a) / n + half))


@settings(deadline=None)
@given(st.lists(st.integers(-4, 4).map(lambda quarters: quarters / 4), min_size=1, max_size=40))
def test_the_paired_interval_has_width_holds_the_mean_and_stays_in_its_range(differences):
    found = paired_estimate(differences)
    assert -1 <= found.low <= found.value <= found.high <= 1 and found.width > 0.02
    mirrored = paired_estimate([-d for d in differences])
    assert np.allclose((mirrored.low, mirrored.high), (-found.high, -found.low))


def test_bootstrap_agrees_with_the_normal_approximation_on_many_values():
    values = np.random.default_rng(2).normal(0.1, 0.6, size=2_000)
    half = 1.959964 * values.std() / sqrt(values.size)
    low, high = bootstrap_interval(values)
    assert np.allclose((low, high), (values.mean() - half, values.mean() + half), atol=0.1 * half)
    assert (low, high) == bootstrap_interval(values), "the same seed gives the same interval"


@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 1.0])
def test_equal_values_do_not_claim_certainty(value):
    found = mean_estimate([value] * 8)
    assert found.low <= value <= found.high and found.width > 0.2


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (5, 0), (0, 6), (10, 25), (30, 31), (80, 120)])
def test_mcnemar_agrees_with_statsmodels_and_is_symmetric(a, b):
    expected = statsmodels_mcnemar([[40, a], [b, 7]], exact=True).pvalue if a + b else 1.0
    assert isclose(mcnemar(a, b), expected) and isclose(mcnemar(b, a), expected)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (5, 0), (2, 9), (6, 6), (8, 30)])
def test_sign_flip_is_mcnemar_on_single_answers(a, b):
    differences = [-1.0] * a + [1.0] * b + [0.0] * 20
    tolerance = 1e-9 if a + b <= 13 else 0.003  # beyond 13 it is drawn, not enumerated
    assert isclose(statistics.sign_flip(differences), mcnemar(a, b), abs_tol=tolerance)


@pytest.mark.parametrize(
    "differences",
    [
        [0.25, 0.5],
        [0.25, 0.5, -0.75],
        [0.125, 0.25, 0.0, 1.0, 0.5, 0.375],
        [-0.5, -0.25, -1.0, 0.125, -0.75, 0.0, -0.5],
    ],
)
def test_sign_flip_of_means_is_the_share_of_all_flips_that_are_as_extreme(differences):
    """Enumerated: every pattern of signs is equally likely if neither model is better (Fisher 1935)."""
    total = abs(sum(differences))
    flips = [abs(sum(s * d for s, d in zip(signs, differences))) for signs in product((-1, 1), repeat=len(differences))]
    assert isclose(statistics.sign_flip(differences), sum(flip >= total for flip in flips) / len(flips))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n):
    for correct in range(n + 1):
        samples = [True] * correct + [False] * (n - correct)
        for k in range(1, n + 1):
            subsets = list(combinations(samples, k))
            assert isclose(pass_at_k(n, correct, k), sum(map(any, subsets)) / len(subsets))


@pytest.mark.parametrize(
    ("n", "correct", "k"), [(200, 1, 1), (200, 13, 10), (200, 13, 100), (200, 190, 11), (200, 0, 50)]
)
def test_pass_at_k_agrees_with_the_product_of_chen_et_al(n, correct, k):
    product = 1.0 if n - correct < k else 1.0 - np.prod(1.0 - k / np.arange(n - correct + 1, n + 1))
    assert isclose(pass_at_k(n, correct, k), product, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["1", "2", "2"], 1),
        (["1", "2"], 0),
        ([None, None, "3"], 2),
        ([None, "4", "5", "5", None, None], 2),
        ([None, None], None),
    ],
)
def test_majority_names_the_first_sample_of_the_most_frequent_answer(answers, winner):
    assert majority(answers) == winner


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: wilson(0, 0), "at least one question"),
        (lambda: bootstrap_interval([]), "at least one question"),
        (lambda: mean_estimate([]), "at least one question"),
        (lambda: paired_estimate([]), "at least one question"),
        (lambda: pass_at_k(4, 1, 5), "k must be from 1 to 4"),
        (lambda: pass_at_k(4, 1, 0), "k must be from 1 to 4"),
    ],
)
def test_nothing_to_estimate_is_an_error(call, says):
    with pytest.raises(ValueError, match=says):
        call()
