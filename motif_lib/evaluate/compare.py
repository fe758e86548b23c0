"""Is one report better than another? Paired on the questions both answered, and never said without evidence."""

from __future__ import annotations

from dataclasses import dataclass

from motif_lib.evaluate import statistics
from motif_lib.evaluate.report import Item, Report
from motif_lib.evaluate.statistics import Estimate
from motif_lib.show.tables import Shown, Table

ALPHA = 0.05


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Report b against report a on the same questions.

    Args:
        names: of a and b.
        accuracies: of a and b, on the shared questions.
        difference: mean of b minus a, with its 95 % interval (`statistics.paired_estimate`).
        p_value: of the exact McNemar test, or with several samples a question a paired sign-flip test.
        test: name of that test.
        only_a: questions on which a scores higher.
        only_b: questions on which b scores higher.
        unpaired: questions that stand in only one of the reports.
    """

    names: tuple[str, str]
    accuracies: tuple[Estimate, Estimate]
    difference: Estimate
    p_value: float
    test: str
    only_a: int
    only_b: int
    unpaired: int

    @property
    def conclusive(self) -> bool:
        """True if the interval excludes zero and the test agrees."""
        return (self.difference.low > 0 or self.difference.high < 0) and self.p_value < ALPHA

    @property
    def verdict(self) -> str:
        """What follows, in a sentence; it says "better" only if `conclusive`."""
        d, (a, b) = self.difference, self.names
        if abs(d.value) < 1e-9:  # means of several samples may differ in the last bit
            return f"{a} and {b} scored the same: no difference is shown."
        lower, higher = (a, b) if d.value > 0 else (b, a)
        if self.conclusive:
            return f"{higher} is better than {lower}: the interval excludes zero, and the {self.test} agrees."
        why = "the interval of the difference includes zero"
        if not d.low <= 0 <= d.high:
            why = f"the {self.test} does not reach p < {ALPHA}, although the interval of the difference excludes zero"
        return f"{higher} scored higher than {lower}, but that may be chance: {why}."

    def table(self) -> Table:
        """Both accuracies and their difference in points."""
        rows = [(name, *estimate.cells) for name, estimate in zip(self.names, self.accuracies, strict=True)]
        rows.append(("difference, points", *self.difference.points))
        counts = f"{self.names[0]} alone ahead on {self.only_a}, {self.names[1]} alone on {self.only_b}"
        notes = [self.verdict, f"{self.difference.n} questions in both: {counts}; {self.test}: p = {self.p_value:.3g}."]
        if self.unpaired:
            notes.append(f"{self.unpaired} questions stand in only one report: left out.")
        return Table("Paired comparison", ("", "%", "95 % interval"), rows, notes)


def compare(a: Report, b: Report) -> Comparison:
    """Compare two reports question by question.

    One sample a question: exact McNemar test. Several: the questions' mean scores, by a sign-flip test. The interval
    of the difference b - a is Agresti and Min's in both cases.

    Raises:
        ValueError: if no question stands in both, or one id names two different questions.
    """
    pairs = _pairs(a, b)
    scores_a, scores_b = [item.score for item, _ in pairs], [item.score for _, item in pairs]
    differences = [y - x for x, y in zip(scores_a, scores_b, strict=True)]
    only_a, only_b = sum(d < 0 for d in differences), sum(d > 0 for d in differences)
    single = a.samples == b.samples == 1
    p_value = statistics.mcnemar(only_a, only_b) if single else statistics.sign_flip(differences)
    return Comparison(
        (a.name or "a", b.name or "b"),
        (statistics.mean_estimate(scores_a), statistics.mean_estimate(scores_b)),
        statistics.paired_estimate(differences),
        p_value,
        "exact McNemar test" if single else "sign-flip test",
        only_a,
        only_b,
        len(a.items) + len(b.items) - 2 * len(pairs),
    )


def _pairs(a: Report, b: Report) -> list[tuple[Item, Item]]:
    other = {item.question.id: item for item in b.items}
    pairs = [(item, other[item.question.id]) for item in a.items if item.question.id in other]
    if not pairs:
        raise ValueError("the two reports share no question id: evaluate both on the same questions")
    for x, y in pairs:
        if (x.question.text, x.question.gold) != (y.question.text, y.question.gold):
            raise ValueError(
                f"id {x.question.id!r} names different questions in the two reports: they cannot be paired"
            )
    return pairs
