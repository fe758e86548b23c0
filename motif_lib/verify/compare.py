r"""Are two LaTeX answers equal by math-verify? Runs in the worker process; imports nothing of this project.

math-verify reads and compares. This adds what it has no option for: alternatives of inequalities, letters in both
cases, and values so small that it rounds all of them to zero.
"""

from __future__ import annotations

import re
from functools import reduce

_OR = re.compile(r"\\text\s*\{\s*or\s*\}|\\(?:lor|vee)(?![A-Za-z])|(?<![A-Za-z\\])or(?![A-Za-z])")
_RELATION = re.compile(r"[<>]|\\(?:leq?|geq?|lt|gt)(?![A-Za-z])")
_LETTER = re.compile(r"\\[A-Za-z]+|[A-Z]")


def parse(text: str) -> list:
    """What math-verify makes of one LaTeX answer: an empty list if it cannot be read."""
    from math_verify import LatexExtractionConfig, parse

    return parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)


def read(text: str) -> list:
    r"""As `parse`, and several inequalities as the set they describe: `x<1 \text{ or } x>3`."""
    from sympy import Intersection, Union

    if not _RELATION.search(text):
        return parse(text)
    for split, join in ((_OR.split, Union), (lambda text: text.split(","), either(Intersection, Union))):
        parts = [part for part in split(text) if part.strip()]
        if len(parts) > 1 and all(map(_RELATION.search, parts)):
            sets = [found[0].as_set() if (found := parse(part)) else None for part in parts]
            return [] if None in sets else [reduce(join, sets)]
    return parse(text)


def either(first, second):
    """A comma between inequalities means "and"; if nothing can satisfy both, it means "or"."""
    return lambda a, b: second(a, b) if first(a, b).is_empty else first(a, b)


def in_both_cases(text: str) -> bool:
    """Does the text use one letter in both cases, such as R and r?"""
    letters = set(re.sub(r"\\[A-Za-z]+|[A-Za-z]{3,}", "", text))  # neither commands nor words
    return any(letter.isupper() and letter.lower() in letters for letter in letters if letter.isascii())


def mark_capitals(text: str) -> str:
    """Give capitals names of their own: math-verify takes a capital and its small letter for the same."""
    return _LETTER.sub(lambda m: m[0] if m[0][0] == "\\" else f"{m[0].lower()}_{{0}}", text)


def differ(wanted, given) -> bool:
    """Are these exact numbers that differ by more than rounding? math-verify takes 10^-20 and 10^-21 for 0."""
    from sympy import Expr, Float

    if not all(isinstance(x, Expr) and x.is_number and not x.has(Float) for x in (wanted, given)):
        return False
    size = abs(wanted.evalf(20))
    return bool(size < 1e-6 and abs((wanted - given).evalf(20)) > size * 1e-9)


def grade(gold: str, answer: str, wanted: list | None = None) -> tuple[bool | None, str]:
    """Compare two LaTeX answers; the order matters to math-verify."""
    from math_verify import verify

    try:
        if in_both_cases(gold):
            gold, answer, wanted = mark_capitals(gold), mark_capitals(answer), None
        wanted, given = wanted or read(gold), read(answer)
        if not wanted:
            return None, "math-verify cannot read the gold"
        if not given:
            return False, "math-verify cannot read the answer"
        right = verify(wanted, given, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
        right = bool(right and not differ(wanted[0], given[0]))
        return right, "equal by math-verify" if right else "not equal by math-verify"
    except MemoryError:
        return False, "stopped: out of memory while comparing"
    except Exception as error:  # sympy raises anything on odd input: the pair is not equal, and the reason names it
        return False, f"math-verify cannot compare them ({type(error).__name__})"
