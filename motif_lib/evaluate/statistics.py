"""How sure is a number? Intervals, paired tests and pass@k: scipy's wherever it has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, comb, floor

CONFIDENCE = 0.95
RESAMPLES = 9_999


@dataclass(frozen=True)
class Estimate:
    """A share, or a difference of two shares, with its 95 % interval, over `n` questions."""

    value: float
    low: float
    high: float
    n: int

    @property
    def width(self) -> float:
        return self.high - self.low

    @property
    def cells(self) -> tuple[str, str]:
        """A share in percent and its interval, for two cells of a table: `("37.6", "[33.5, 41.9]")`."""
        return f"{100 * self.value:.1f}", f"[{100 * self.low:.1f}, {100 * self.high:.1f}]"

    @property
    def points(self) -> tuple[str, str]:
        """A difference in percentage points and its interval: `("+1.9", "[-1.8, +5.6]")`."""
        return f"{100 * self.value:+.1f}", f"[{100 * self.low:+.1f}, {100 * self.high:+.1f}]"

    @property
    def short(self) -> str:
        """In whole percent, for tables of many columns: `38 [34, 42]`."""
        return f"{100 * self.value:.0f} [{100 * self.low:.0f}, {100 * self.high:.0f}]"

    def __str__(self) -> str:
        """In percent: `37.6 % [33.5, 41.9]`."""
        return " % ".join(self.cells)


def wilson(successes: int, n: int) -> Estimate:
    """Share of successes with the Wilson score interval (Wilson 1927), sound at 0, at 1 and for few questions."""
    from scipy.stats import binomtest

    if n < 1:
        raise ValueError(f"n={n}: an interval needs at least one question")
    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high), n)


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of the mean of `values`, one value for each question.

    Values that are all equal give an interval of width zero: the bootstrap cannot see beyond its sample.
    """
    import numpy as np
    from scipy.stats import bootstrap

    data = np.asarray(values, dtype=float)
    if data.size == 0:
        raise ValueError("no values: an interval needs at least one question")
    if np.ptp(data) == 0:
        return float(data[0]), float(data[0])
    result = bootstrap(
        (data,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=500,  # bounds the memory: 500 resamples at a time
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Mean of one value in [0, 1] for each question: Wilson for 0/1 values, else the bootstrap over questions.

    Where the values are all equal, and the bootstrap blind, the Wilson interval at the same mean stands in; it is the
    wider one, since no variable in [0, 1] spreads more than a 0/1 one.
    """
    n, mean = len(values), sum(values) / len(values) if values else 0.0
    if all(value in (0, 1) for value in values):
        return wilson(int(sum(values)), n)
    low, high = bootstrap_interval(values)
    if low == high:
        low, high = wilson(floor(mean * n), n).low, wilson(ceil(mean * n), n).high
    return Estimate(mean, low, high, n)


def paired_estimate(differences: Sequence[float]) -> Estimate:
    """Mean paired difference, one value in [-1, 1] for each question, with the interval of Agresti and Min (2005).

    It is the normal interval after half a question is added to each cell of the paired table: half a win, half a loss
    and one tie (Statistics in Medicine 24, 729-740). So it has width also where the values are all equal. Means of
    several samples get the same two questions more.
    """
    from scipy.stats import norm

    if not (n := len(differences)):
        raise ValueError("no values: an interval needs at least one question")
    total, squares = sum(differences), sum(d * d for d in differences) + 1
    middle = total / (n + 2)
    half = norm.ppf((1 + CONFIDENCE) / 2) * ((squares / (n + 2) - middle**2) / (n + 2)) ** 0.5
    return Estimate(total / n, float(max(-1, middle - half)), float(min(1, middle + half)), n)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar p-value: `only_a` questions only a solved, `only_b` only b; 1.0 if there are none."""
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p-value of a paired permutation test: is the mean difference zero?

    The generalisation of McNemar's test to means over several samples: each question's difference keeps or changes
    its sign with equal chance (exact for up to 13 questions, else `RESAMPLES` draws).
    """
    import numpy as np
    from scipy.stats import permutation_test

    data = np.asarray(differences, dtype=float)
    if not data.any():
        return 1.0

    def mean(sample, axis):  # scipy flips the signs of a single sample
        return sample.mean(axis=axis)

    rng = np.random.default_rng(seed)
    data = data[data != 0]  # zeros have no sign to flip
    if data.size == 1:
        return 1.0  # one question: both signs are as extreme
    result = permutation_test(
        (data,), mean, permutation_type="samples", n_resamples=RESAMPLES, batch=500, random_state=rng, vectorized=True
    )
    return float(min(1.0, result.pvalue))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Unbiased pass@k of one question from n samples (Chen et al. 2021, arXiv 2107.03374, equation 1)."""
    if not 1 <= k <= n:
        raise ValueError(f"k={k}: with {n} samples a question, k must be from 1 to {n}")
    return 1.0 - comb(n - correct, k) / comb(n, k)


def majority(answers: Sequence[Hashable | None]) -> int | None:
    """Index of the first sample that gave the most frequent answer; None if no sample gave one.

    Samples without an answer do not vote. Of answers with equally many votes the one sampled first wins.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    return answers.index(votes.most_common(1)[0][0]) if votes else None
