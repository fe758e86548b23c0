r"""Plain numbers, exactly: `1,000`, `$5`, `50\%`, `007`, `3 apples`, `1\frac{4}{5}`, `1.2 \times 10^{3}`, `.5`.

Everything here is regular expressions and `Fraction` on at most `MAX_CLAIM` characters: no sympy, no process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from motif_lib.verify.words import SCALES, changes, is_unit, names

_INT = r"(?:[1-9]\d{0,2}(?:,\d{3})+(?!\d)|[1-9]\d{0,2}(?:\ \d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_INT}(?:\.\d*)?|\.\d+)"
_EXPONENT = r"(?:[eE]|\s*(?:\\times|\\cdot|[x*])\s*10\s*\^)\{?\s*(?P<exponent>[+-]?\d{1,3})\s*\}?(?!\d)"
_NUMBER = re.compile(
    rf"""(?P<sign>[+-]?)\s*(?:
    (?:(?P<whole>\d+)\s*\+?)?\s*\\frac\{{\s*(?P<top>-?\s*{_DECIMAL})\s*\}}\{{\s*(?P<bottom>-?\s*{_DECIMAL})\s*\}}
  | (?:(?P<whole2>\d+)\s+)?(?P<top2>{_DECIMAL})\s*/\s*(?P<bottom2>{_DECIMAL})
  | (?P<plain>{_DECIMAL})(?:{_EXPONENT})?
)\s*""",
    re.VERBOSE,
)
_PERCENT = re.compile(r"%|\\text\{\s*(?:per ?cent(?:age)?|pct)\s*\}|(?:per ?cent(?:age)?|pct)\b", re.IGNORECASE)
_RELATION = re.compile(r"[<>~]|\\(?:[lgn]eq|lt|gt|neg|lnot|not|pm|mp|equiv|sim)(?![A-Za-z])|=>")
_EQUALS = re.compile(r"=|\\approx(?![A-Za-z])")
_LEFT_SIDE = re.compile(r"^[A-Za-z]\s*=\s*")
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_LEADING_TEXT = re.compile(r"^\\text\s*\{([^{}\d]*)\}\s*:?\s*")
_LABEL = re.compile(r"^[^\W\d_][^\W\d_ ]*(?: [^\W\d_]+){0,4}\s*:\s*")
_CURRENCY = re.compile(r"^(?:US|HK|NZ|CA|AU|A|C|S|R|Rs\.?|USD|EUR|GBP|INR|CNY|JPY)\s*(?=[-+]?[\d.])")
_QUOTES = "\"'“”‘’`*_ "
_BRACKETS = re.compile(r"(?:\(([^()]*)\)|\[([^\[\]]*)\]|\\\{([^{}]*)\\\})\s*")


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
        words: True in tasks whose answers are numbers: bare words after the number are its unit, and of
            `3 + 4 = 7` the last part counts. In LaTeX `2k` is a product and `x = 3y` an equation.
    """
    if not words:
        return _read_side(_LEFT_SIDE.sub("", text), words)
    sides = _EQUALS.split(text)
    if _RELATION.search(text) or any(map(_hedges, sides[:-1])):
        return None
    number = _read_side(sides[-1], words)
    others = (_read_side(side, words) for side in sides[:-1])
    return None if any(other and other != number for other in others) else number


def contradicts(text: str) -> bool:
    r"""Does it set two different numbers equal, as `5 = 6` or `5 \approx 6` do?"""
    numbers = [number for side in _EQUALS.split(text) if (number := _read_side(side, words=False))]
    return any(not same_number(numbers[0], number) and not _rounded(numbers[0], number) for number in numbers)


def _rounded(exact: Number, other: Number) -> bool:
    return abs(exact.value - other.value) * 100 < abs(exact.value)


def _hedges(side: str) -> bool:
    """Is a left side more than one value: `6, y`, `6 or x`?"""
    return changes(side) or re.search(r";|,(?!\d{3}(?!\d))", side) is not None


def _read_side(text: str, words: bool) -> Number | None:
    leading = _LEADING_TEXT.match(text := text.strip())
    if leading and changes(leading[1]):
        return None
    text = text[leading.end() :] if leading else text
    if words:
        text = re.sub(r"\s+", " ", _TEXT.sub(r" \1 ", text)).strip(_QUOTES)
    label = _LABEL.match(text)
    if label and changes(label[0]):
        return None
    text = _CURRENCY.sub("", text[label.end() :].strip(_QUOTES) if label else text)
    inside = _BRACKETS.match(text) if words else None
    if inside and (number := _read_side(next(part for part in inside.groups() if part is not None), words)):
        return number if is_unit(text[inside.end() :]) else None
    return _read_plain(text, words)


def _read_plain(text: str, words: bool) -> Number | None:
    match = _NUMBER.match(text)
    if match is None or (value := _value(match)) is None:
        return None
    unit = text[match.end() :]
    if text[match.end() - 1] == " ":
        unit = f" {unit}"
    percent = _PERCENT.match(unit.strip())
    scale = _scale(unit.strip()[percent.end() :] if percent else unit, words)
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
    """The factor that the text after a number stands for: 1 for a unit, 10^6 for `million`; None for anything else."""
    if not words and re.match(r"\s*[A-Za-z]{1,2}\b|[A-Za-z]", unit):
        return None  # 2k, 12 pi
    unit, scale = _TEXT.sub(r" \1 ", unit), 1
    while (named := names(unit)) and named[0] in SCALES and unit.lower().lstrip().startswith(named[0]):
        scale *= SCALES[named[0]]
        unit = unit.lstrip()[len(named[0]) :]
    return scale if is_unit(unit) else None


def same_number(gold: Number, claim: Number) -> bool:
    """Equal values. A percent sign on one side only may be meant either way: `50%` is 50 and 0.5.

    A gold without a finite decimal form, such as 1/3, also matches a decimal that agrees to five or more digits. A gold
    of 16 or more digits is a float that a program printed, and matches whatever rounds to the same float.
    """
    if gold.percent != claim.percent:
        plain, percent = (claim.value, gold.value) if gold.percent else (gold.value, claim.value)
        return plain in (percent, percent / 100)
    if gold.value == claim.value:
        return True
    if _is_printed_float(gold.value):
        return float(gold.value) == float(claim.value)
    return (
        not _is_finite(gold.value)
        and abs(gold.value - claim.value) < abs(gold.value) / 10**5
        and _is_finite(claim.value)
    )


def _is_printed_float(value: Fraction) -> bool:
    """Does it have over 12 decimals, and is it exactly what Python prints for a float?"""
    return (value * 10**12).denominator > 1 and abs(value) < 10**6 and Fraction(repr(float(value))) == value


def _is_finite(value: Fraction) -> bool:
    """Does the value have a finite decimal form? Only 2 and 5 divide its denominator then."""
    return 10 ** value.denominator.bit_length() % value.denominator == 0
