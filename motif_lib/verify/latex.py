r"""One spelling for LaTeX that means the same: `\dfrac`, `\left(`, thin spaces, `\mbox`, `$`, degree signs."""

from __future__ import annotations

import re

_REWRITES = [
    (re.compile(pattern), by)
    for pattern, by in (
        (r",\\!\s*|\{,\}", ","),  # 10,\!080 and 10{,}080
        (r"(?<!\\)\\[!,;:>]|\\(?:thin|med|thick)space(?![A-Za-z])|[\u200b-\u200f\u2060\ufeff]", ""),
        (r"(?<!\\)\\ |~|\\q?quad(?![A-Za-z])|[\u00a0\u2000-\u200a\u202f]", " "),
        (r"\\?[$€£¥₹]|(?<!\\)\\[()\[\]]|\*\*", ""),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])|\\(?:displaystyle|textstyle)(?![A-Za-z])", ""),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (
            r"\\frac\s*(\d|\{[^{}]*\})\s*(\d|\{[^{}]*\})",
            lambda m: rf"\frac{{{m[1].strip('{}')}}}{{{m[2].strip('{}')}}}",
        ),
        (r"\\math(?:rm|bf|it)\s*\{(\w)\}", r"\1"),  # the number e, a vector
        (r"\\(?:mbox|textbf|textrm|textit|textnormal|mathrm|mathbf|rm|bf)\s*\{", r"\\text{"),
        (r"\\text\s*\{([^{}\\A-Za-z]*)\}", r"\1"),  # \text{25}
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])|°", r"^\\circ"),
        (r"\\%", "%"),
        (r"\\([lgn])e(?![A-Za-z])", r"\\\1eq"),
        (r"[−–﹣－]", "-"),
        (r"×", r"\\times "),
        (r"\s+", " "),
    )
]
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_BASE = re.compile(r"(\d+)_\{?(\d+)\}?")


def clean(text: str) -> str:
    """The text in one spelling, still LaTeX, on one line; this is what a `Verdict` shows."""
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    return text.strip().rstrip(".").strip()


def key(cleaned: str) -> str:
    """What two cleaned texts are compared by: no braces around one sign, no space unless it stands between digits."""
    return re.sub(r"(?<!\d) | (?!\d)", "", re.sub(r"([_^])\{(\w)\}", r"\1\2", cleaned))


def words(cleaned: str) -> str | None:
    r"""`\text{(C)}` as `c`, `\text{Evelyn}` as `evelyn`; None where there is more than words, so a formula."""
    plain = _TEXT.sub(r"\1", cleaned).strip()
    plain = plain[1:-1] if re.fullmatch(r"\([A-Za-z]\)", plain) else plain
    is_text = "\\text" in cleaned and re.fullmatch(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*", plain)
    return plain.casefold() if is_text else None


def same_base(gold: str, claim: str) -> bool | None:
    """`52_8` against `52_{8}` or `52`: None unless the gold is a number with a base."""
    wanted, given = _BASE.fullmatch(gold), _BASE.fullmatch(claim)
    if wanted is None:
        return None
    return wanted.groups() == given.groups() if given else claim == wanted[1]
