r"""`verify` and `verify_many`: from a reply and a gold answer to a `Verdict`.

Three answers are possible. True and False are certain; None says that the pair cannot be graded, because the gold
cannot be read. An answer that hits a limit of time, size or memory is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motif_lib.verify import latex
from motif_lib.verify.extract import MAX_CLAIM, claims
from motif_lib.verify.numeric import Number, contradicts, read_number, same_number
from motif_lib.verify.pool import Pair, grade_many

GRADINGS = ("number", "aime", "latex")
TASKS = {"ledger": "number", "gsm8k": "number", "gsm_symbolic": "number", "aime2024": "aime", "math500": "latex"}


@dataclass(frozen=True)
class Verdict:
    r"""Whether a reply is right, and why.

    Args:
        correct: None if it cannot be graded.
        reason: one sentence for a reader.
        answer: the claim of the reply, normalised; None if it makes none.
        gold: the gold answer, normalised.
    """

    correct: bool | None
    reason: str
    answer: str | None
    gold: str


def grading_of(name: str) -> str:
    """The grading with this name, or that of the task with this name.

    Raises:
        ValueError: for any other name; your own data set has to say how it is graded.
    """
    grading = TASKS.get(name, name)
    if grading not in GRADINGS:
        choice = ", ".join(map(repr, GRADINGS))
        raise ValueError(f"no grading {name!r}: give Question(..., grading=...), one of {choice}")
    return grading


def verify(reply: str, gold: str, grading: str = "number") -> Verdict:
    r"""Grade one reply.

    Args:
        reply: all the text of the last round, or a bare answer; `extract` says which part of it counts.
        gold: the reference answer, without `####` and without a box.
        grading: "number" and "aime" (a whole number from 0 to 999) are compared here and never leave this process;
            "latex" may ask the workers. A task of the package, such as "math500", stands for its grading.

    >>> verify(r"It is \boxed{1,000}.", "1000").correct
    True
    """
    return verify_many([reply], [gold], grading)[0]


def verify_many(replies: Sequence[str], golds: Sequence[str], grading: str | Sequence[str] = "number") -> list[Verdict]:
    """Grade a batch: pairs that plain comparison cannot decide go to the workers together, each distinct pair once.

    Args:
        replies: as in `verify`.
        golds: one for each reply.
        grading: of all replies, or one for each.

    Raises:
        ValueError: if there are not as many golds as replies.
        RuntimeError: if the worker process cannot start at all, which is a fault of the installation.
    """
    if len(replies) != len(golds):
        raise ValueError(f"{len(replies)} replies but {len(golds)} golds: give one gold for each reply")
    names = [grading] * len(replies) if isinstance(grading, str) else grading
    verdicts = [_compare(*given) for given in zip(replies, golds, map(grading_of, names), strict=True)]
    asked = list(dict.fromkeys(v for v in verdicts if not isinstance(v, Verdict)))
    graded = dict(zip(asked, grade_many(asked), strict=True))
    return [v if isinstance(v, Verdict) else Verdict(*graded[v], answer=v[1], gold=v[0]) for v in verdicts]


def _compare(reply: str, gold: str, grading: str) -> Verdict | Pair:
    """The verdict by plain comparison, or the pair that math-verify has to compare."""
    gold = latex.clean(gold[: MAX_CLAIM + 1])
    found, where = claims(reply)
    if not gold or len(gold) > MAX_CLAIM:
        return Verdict(None, f"the gold is empty or longer than {MAX_CLAIM} characters", None, gold[:MAX_CLAIM])
    if not found:
        return Verdict(False, where, None, gold)
    if sum(map(len, found)) > MAX_CLAIM:
        return Verdict(False, f"{where}, and it is longer than {MAX_CLAIM} characters", None, gold)
    cleaned = [latex.clean(claim) for claim in found]
    if "" in cleaned:
        return Verdict(False, "the answer is empty", None, gold)
    return _compare_latex(cleaned, gold) if grading == "latex" else _compare_numbers(cleaned, gold, grading)


def _compare_numbers(found: list[str], gold: str, grading: str) -> Verdict:
    wanted = read_number(gold, words=True)
    if wanted is None:
        return Verdict(None, "the gold must be a number", found[-1], gold)
    claims = [(claim, read_number(claim, words=True)) for claim in found]
    if unread := [claim for claim, number in claims if number is None]:
        return Verdict(False, "the answer is not a plain number", unread[0], str(wanted))
    numbers = [number for _, number in claims if number is not None]
    if len(set(numbers)) > 1:
        hedged = ", ".join(map(str, numbers))
        return Verdict(False, "several different boxes: a reply has one final answer", hedged, str(wanted))
    given = numbers[0]
    if grading == "aime" and (given.value.denominator != 1 or not 0 <= given.value <= 999):
        return Verdict(False, "not a whole number from 0 to 999", str(given), str(wanted))
    return number_verdict(given, wanted)


def number_verdict(given: Number, wanted: Number) -> Verdict:
    """The verdict on two numbers."""
    right = same_number(wanted, given)
    return Verdict(right, "the same number" if right else "a different number", str(given), str(wanted))


def _compare_latex(found: list[str], gold: str) -> Verdict | Pair:
    """Several different boxes are one list: right for the gold `-2,1`, wrong as a hedge."""
    claim = ", ".join(dict.fromkeys(found))
    for rule in (_same_text, _hedge, _numbers, _same_base, _same_words, _pattern):
        if verdict := rule(claim, gold):
            return verdict
    return gold, claim


def _same_text(claim: str, gold: str) -> Verdict | None:
    same = latex.key(claim) == latex.key(gold) or latex.same_integers(gold, claim)
    return Verdict(True, "the same text", claim, gold) if same else None


def _hedge(claim: str, gold: str) -> Verdict | None:
    r"""`\text{not } 5`, `5 \text{ (or 6)}`, `5 \ldots`, `5 = 6`: what math-verify would read as 5."""
    if contradicts(claim) or (latex.hedges(claim) and not latex.hedges(gold)):
        return Verdict(False, "it says more than one value, or not this one", claim, gold)
    return None


def _numbers(claim: str, gold: str) -> Verdict | None:
    wanted, given = read_number(gold, words=False), read_number(claim, words=False)
    return number_verdict(given, wanted) if wanted and given else None


def _same_base(claim: str, gold: str) -> Verdict | None:
    right = latex.same_base(latex.key(gold), latex.key(claim))
    if right is None:
        return None
    return Verdict(right, "the same digits and base" if right else "other digits or another base", claim, gold)


def _same_words(claim: str, gold: str) -> Verdict | None:
    text = latex.words(gold)
    if text is None:
        return None
    right = text == (latex.words(claim) or latex.words(rf"\text{{{claim}}}"))
    return Verdict(right, "the same words" if right else "other words", claim, gold)


def _pattern(claim: str, gold: str) -> Verdict | None:
    r"""A gold that goes on, such as `1, 2, \ldots, n`, is compared as written, which `_same_text` did."""
    return Verdict(False, "another pattern", claim, gold) if r"\ldots" in gold else None
