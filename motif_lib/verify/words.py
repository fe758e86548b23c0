r"""The words around a number: a unit or a label changes nothing, `not`, `half of` or `plus two` make it another claim.

English has few words that change a number and endless units, so the few are listed, and any other word may be a unit.
"""

from __future__ import annotations

import re

SCALES = {"dozen": 12, "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_LIST = """
    or nor xor and/or either neither versus vs
    not no never isn't aren't is are was except without but wrong incorrect false
    minus negative plus divided multiplied squared cubed factorial modulo mod root
    half halves third thirds fourths fifths sixths sevenths eighths ninths tenths twelfths hundredths thousandths
    millionths billionths twice double triple
    least most almost nearly under below above around about roughly approximately
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
"""
CHANGING = frozenset(_LIST.split())
BEFORE = CHANGING | {"more", "less", "fewer", "over", "between", "from", "to", "up", "if", "than", "greater", "only"}

_POWER = r"(?:\s*\^\s*\{?-?[1-4]\}?|[1-4](?!\w))?"
_SIGN = r"(?:\^\\circ\s*(?:[CFK](?![A-Za-z]))?|[CFK](?![A-Za-z]))"
_WORD = rf"(?:[^\W\d_]{{2,}}(?:['’-][^\W\d_]+)*['’]?|[gmlLhsa](?![^\W\d_])|[^\x00-\x7f\W\d_]){_POWER}\.?"
_UNIT = re.compile(
    rf"[-,:(\[\"'’”/\s]*(?:{_SIGN}|(?:{_SIGN}\s*)?{_WORD}(?:[\s,/-]+{_WORD}){{0,11}})?[)\]\"'’”\s.,;:!]*"
)
_NAME = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def names(text: str) -> list[str]:
    return _NAME.findall(text.lower())


def changes(text: str, words: frozenset[str] = BEFORE) -> bool:
    """Does a word of this text change the number beside it?"""
    return not words.isdisjoint(names(text))


def is_unit(text: str) -> bool:
    r"""Is what follows a number its unit: `m^2`, `km/h`, ` (apples)`, `-inch`, `clips in April and May`?"""
    if text[:1] == "!" or not _UNIT.fullmatch(text):
        return False
    return not changes(text, CHANGING) and names(text)[:1] != ["and"]
