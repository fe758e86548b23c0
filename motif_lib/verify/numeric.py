r"""Plain numbers, exactly: `1,000`, `$5`, `50\%`, `007`, `3 apples`, `1\frac{4}{5}`, `1.2 \times 10^{3}`, `.5`.

Everything here is regular expressions and `Fraction` on at most `MAX_CLAIM` characters: no sympy, no process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_INT = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:\ \d{3})+|\d+)"
_DECIMAL = rf"(?:{_INT}(?:\.\d*)?|\.\d+)"
_EXPONENT = r"(?:[eE]|\s*(?:\\times|\\cdot|[x*])\s*10\s*\^)\{?\s*(?P<exponent>[+-]?\d{1,3})\s*\}?(?!\d)"
_NUMBER = re.compile(
    rf"""(?P<sign>[+-]?)\s*(?:
    (?P<whole>\d+)?\s*\\frac\{{\s*(?P<top>-?\s*{_DECIMAL})\s*\}}\{{\s*(?P<bottom>-?\s*{_DECIMAL})\s*\}}
  | (?:(?P<whole2>\d+)\s+)?(?P<top2>{_DECIMAL})\s*/\s*(?P<bottom2>{_DECIMAL})
  | (?P<plain>{_DECIMAL})(?:{_EXPONENT})?
)\s*""",
    re.VERBOSE,
)
_POWER = r"(?:\s*(?:\^\{?[23]\}?|[²³]))?"
_UNIT = re.compile(rf"(?:\^\\circ|\\text\{{([^{{}}\d]*)\}}{_POWER})")
_WORD = r"(?:[A-Za-z]{2,}|[gmlLhs](?![A-Za-z]))"
_WORDS = re.compile(rf"{_WORD}(?:[ /-]{_WORD}){{0,3}}{_POWER}")
_HEDGE = re.compile(r"\b(?:or|and|not)\b", re.IGNORECASE)
_PERCENT = re.compile(r"%|\\text\{\s*(?:per ?cent(?:age)?|pct)\s*\}|(?:per ?cent(?:age)?|pct)\b", re.IGNORECASE)
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_EQUALS = re.compile(r"(?<![<>!])=")
_LEFT_SIDE = re.compile(r"^[A-Za-z]\s*=\s*")
_LEADING_TEXT = re.compile(r"^\\text\{[^{}\d]*\}\s*")


@dataclass(frozen=True)
class Number:
    """An exact value; `percent` if it was written with a percent sign, which `value` does not divide by 100."""

    value: Fraction
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.value}{'%' if self.percent else ''}"


def read_number(text: str, words: bool) -> Number | None:
    """The number that a cleaned text (`latex.clean`) is, or None if it is anything else.

    Args:
        text: as `latex.clean` gives it.
        words: True in tasks whose answers are numbers: up to four bare words after the number are its unit, and of
            `3 + 4 = 7` the last part counts. In LaTeX `2k` is a product and `x = 3y` an equation.
    """
    text = _EQUALS.split(text)[-1] if words else _LEFT_SIDE.sub("", text)
    text = _LEADING_TEXT.sub("", text.strip())
    match = _NUMBER.match(text)
    if match is None:
        return None
    value, unit = _value(match), text[match.end() :]
    if value is None:
        return None
    percent = _PERCENT.match(unit)
    scale = _scale(unit[percent.end() :].strip() if percent else unit, words)
    return None if scale is None else Number(value * scale, bool(percent))


def _fraction(text: str) -> Fraction:
    return Fraction(re.sub(r"[,\s]", "", text).rstrip("."))


def _value(match: re.Match[str]) -> Fraction | None:
    """The value of a matched number; None for a division by zero."""
    if match["plain"]:
        value = _fraction(match["plain"]) * Fraction(10) ** int(match["exponent"] or 0)
    else:
        top, bottom = (_fraction(match[name] or match[name + "2"]) for name in ("top", "bottom"))
        if bottom == 0:
            return None
        value = int(match["whole"] or match["whole2"] or 0) + top / bottom
    return -value if match["sign"] == "-" else value


def _scale(unit: str, words: bool) -> int | None:
    """What the text after a number multiplies it by: 1 for a unit, 10^6 for `million`; None if it is no unit."""
    match = _UNIT.fullmatch(unit) or (_WORDS.fullmatch(unit) if words else None)
    if unit and (match is None or _HEDGE.search(unit)):
        return None
    named = re.findall(r"[a-z]+", unit.lower().replace("\\text", ""))
    return _SCALES.get(named[0], 1) if named else 1


def same_number(gold: Number, claim: Number) -> bool:
    """Equal values. A percent sign on one side only may be meant either way: `50%` is 50 and 0.5.

    A gold without a finite decimal form, such as 1/3, is also met by a decimal that agrees to five digits and more.
    """
    if gold.percent != claim.percent:
        plain, percent = (claim.value, gold.value) if gold.percent else (gold.value, claim.value)
        return plain in (percent, percent / 100)
    if gold.value == claim.value:
        return True
    return (
        not _is_finite(gold.value)
        and abs(gold.value - claim.value) < abs(gold.value) / 10**5
        and _is_finite(claim.value)
    )


def _is_finite(value: Fraction) -> bool:
    """Does the value have a finite decimal form? Only 2 and 5 divide its denominator then."""
    return 10 ** value.denominator.bit_length() % value.denominator == 0
