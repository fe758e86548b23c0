r"""The lenient score: is the last number of the reply right, wherever it stands?

As lm-evaluation-harness' "flexible-extract" for GSM8K: tags and boxes do not matter, nor whether the reply was cut off.
Beside the strict verdict it tells format from reasoning. A thousands comma, `$` and `%` belong to a number; a minus
sign does only where nothing stands before it, so that `20-2` ends in 2.
"""

from __future__ import annotations

import re
from fractions import Fraction

from motif_lib.verify import latex
from motif_lib.verify.core import TASKS, Verdict, number_verdict
from motif_lib.verify.extract import MAX_CLAIM, MAX_REPLY
from motif_lib.verify.numeric import Number, read_number

_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.)}\]%])[-−])?(?:\\?\$)?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
    r"(?P<percent> ?\\?%)?"
)


def last_number(reply: str) -> Number | None:
    """The last number in a text, None if there is none. Linear in the length; one of over `MAX_CLAIM` digits is none.

    >>> str(last_number("She pays 20 - 2 = $1,018.00 for 3 coats, so #### -1,018"))
    '-1018'
    """
    match = [None, *_NUMBER.finditer(reply[-MAX_REPLY:])][-1]
    if match is None or len(match["digits"]) > MAX_CLAIM:
        return None
    value = Fraction(match["digits"].replace(",", ""))
    return Number(-value if match["sign"] else value, bool(match["percent"]))


def verify_last_number(reply: str, gold: str, grading: str = "number") -> Verdict | None:
    """Grade the last number of a reply as `verify` grades a number; None if the gold is not a number.

    Args:
        reply: all the text of the last round.
        gold: as for `verify`.
        grading: as for `verify`. Under "latex" the gold has to be a bare number: `2k` is none.
    """
    wanted = read_number(latex.clean(gold[: MAX_CLAIM + 1]), words=TASKS.get(grading, grading) != "latex")
    if wanted is None:
        return None
    given = last_number(reply)
    return number_verdict(given, wanted) if given else Verdict(False, "no number in the reply", None, str(wanted))
