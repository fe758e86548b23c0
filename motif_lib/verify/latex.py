r"""One spelling for LaTeX that means the same: `\dfrac`, `\left(`, thin spaces, `\mbox`, `$`, degree signs, `12pi`.

The tables are read from top to bottom; each line is one habit of writing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction

from motif_lib.verify.words import changes

ARG = r"\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"  # one argument, with braces up to two deep in it
_END = r"(?![A-Za-z])"  # of a command's name
_FUNCTION = r"(?:arc)?(?:sin|cos|tan)|cot|sec|csc|log|ln|exp"
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_FONTS = r"text(?:bf|it|tt|sf|sc|sl)|emph|math(?:bf|it|sf|tt)|boldsymbol|bm|pmb|underline|overbrace"
_SIZES = r"tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|displaystyle|textstyle"
_LAYOUT = r"aligned|align\*?|gathered|gather\*?|split|equation\*?"
_FRACTION_PART = r"\d|\{[^{}]*\}"

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def _font(match: re.Match[str]) -> str:
    r"""`\textbf{Evelyn}` stays text; `\mathbf{x+1}` and `\textbf{25}` are just bold mathematics."""
    return rf"\text{{{match[1]}}}" if re.search(r"[^\W\d_]{2}", re.sub(r"\\[A-Za-z]+", "", match[1])) else match[1]


def _repeating(match: re.Match[str]) -> str:
    r"""`0.1\overline{6}` as `\frac{1}{6}`."""
    fixed = match["fixed"] or ""
    cycle = match["bar"] or match["dot"] or match["round"] or match["dots"]
    ninths = int("9" * len(cycle)) * 10 ** len(fixed)
    value = int(match["whole"] or 0) + Fraction(int(fixed or 0), 10 ** len(fixed)) + Fraction(int(cycle), ninths)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _vulgar(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[0]).split("⁄")
    return rf"\frac{{{top}}}{{{bottom}}}"


def _rules(*rules: Rule) -> list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]:
    return [(re.compile(pattern), by) for pattern, by in rules]


_TYPED = _rules(  # what is typed instead of LaTeX
    (r"(?<![\w)}*])(\*\*|__|\*|`)(?=\S)([^*`]+?)\1", r"\2"),  # markdown
    (r"(?<=[\w)}])\s*\*\*\s*(-?\d+|[A-Za-z]|(?=[({]))", lambda m: f"^{{{m[1]}}}" if m[1] else "^"),  # x**2
    ("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda m: f"^{{{''.join(_RAISED[c] for c in m[0])}}}"),
    ("[¼½¾⅐-⅞]", _vulgar),
    ("[−‐‑‒–—―⁃﹣－]", "-"),
    (r"\\minus" + _END, "-"),
    ("π", r"\\pi "),
    ("∞", r"\\infty "),
    (r"∅|\\varnothing" + _END, r"\\emptyset "),
    ("×", r"\\times "),
    ("≤|=<", r"\\leq "),
    ("≥", r"\\geq "),
    ("≠|/=|=/=|!=", r"\\neq "),
    ("≈", r"\\approx "),
    (r"√\s*(\d+(?:\.\d+)?|[A-Za-z])", r"\\sqrt{\1}"),
    (r"(?:√|(?<![A-Za-z])\\?sqrt)\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![A-Za-z\\])[pP]i(?![A-Za-z])", r"\\pi "),
    (rf"(?<![A-Za-z\\])({_FUNCTION})(?=\s*\(|_)", r"\\\1"),
    (r"(?<=[\w)}])\s*\*\s*(?=[\w({\\])", r"\\cdot "),
    ("[°˚º]", r"^\\circ "),
    (r"\\'", "'"),
    ("[。．]$", ""),
)
_LATEX = _rules(  # what LaTeX has several commands for
    (r"\\\\\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\]", r"\\\\"),  # row spacing
    (rf"\\begin\s*\{{(?:{_LAYOUT})\}}|\\end\s*\{{(?:{_LAYOUT})\}}", ""),
    (r"&\s*=|=\s*&", "="),
    (r"(?:\\\\|\\newline)\s*$", ""),
    (rf"\\(?:tag|label|hspace|vspace|phantom|require|color|textcolor)\*?{ARG}", ""),
    (r",\\!\s*|\{,\}", ","),  # 10,\!080 and 10{,}080
    (r"(?<!\\)\\[!,;:>]|\\(?:thin|med|thick)space(?![A-Za-z])|[\u200b-\u200f\u2060\ufeff]", ""),
    (r"(?<!\\)\\ |~|\\q?quad(?![A-Za-z])|[\u00a0\u2000-\u200a\u202f]", " "),
    (r"(?<=\d)(?:\s*\\?[$€£¥₹¢])+\s*(?=\d)", ";"),  # 2$3 is not 23
    (r"\\?[$€£¥₹¢₽₫₩₪₱₦]|(?<!\\)\\[()\[\]]", ""),
    (rf"\\(?:left|right|[bB]igg?[lr]?|{_SIZES}){_END}", ""),
    (rf"\\(?:rm|bf|it|tt|sf|sc|em){_END}(?!\s*\{{)", ""),
    (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
    (
        rf"\\frac\s*({_FRACTION_PART})\s*({_FRACTION_PART})",
        lambda m: rf"\frac{{{m[1].strip('{}')}}}{{{m[2].strip('{}')}}}",
    ),
    (r"\\math(?:bb|cal|frak|scr)\s*\{(\d[^{}]*)\}", r"\1"),  # around letters they make other names
    (r"\\(?:dot|bar)\s*(\d)", r"\\overline{\1}"),
    (
        r"(?P<whole>\d+)?\.(?P<fixed>\d{1,40}?)?(?:\\(?:overline|bar)\s*\{\s*(?P<bar>\d{1,40})\s*\}"
        r"|\\dot\s*\{(?P<dot>\d)\}|\((?P<round>\d{1,40})\)"
        r"|(?P<dots>\d{1,6})(?P=dots){2,6}\s*(?:\.\.\.|…|\\l?dots(?![A-Za-z])))",
        _repeating,
    ),
    (r"\\math(?:rm|bf|it)\s*\{(\w)\}|\\text\s*\{(i)\}", r"\1\2"),  # the number e, a vector
    (r"\\(?:mbox|textrm|textnormal|mathrm|operatorname|rm|bf)\s*\{", r"\\text{"),
    (r"\\text\s*\{([^{}]*)\\text\s*\{([^{}]*)\}\s*\}", r"\\text{\1\2}"),
    (r"\\text\s*\{([^{}\\A-Za-z]*)\}", r"\1"),  # \text{25}
    (r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![A-Za-z])", r"^\\circ "),
    (r"\\l(?:floor|ceil)\s*(-?\d+)\s*\\r(?:floor|ceil)" + _END, r"\1"),
    (r"\\%", "%"),
    (r"\\([lgn])e(?![A-Za-z])", r"\\\1eq"),
    (r"\\not\s*=", r"\\neq "),
    (r"\\underbrace" + ARG, r"\1"),
    (r"\{([+-])\}", r"\1"),
    (r"\{\{([^{}]*)\}\}", r"{\1}"),
    (r"\((\d+)\)_", r"\1_"),
    (r"\\\{\s*[A-Za-z]\s*(?:\\in\s*\\mathbb\s*\{?R\}?|\\in\s*R)?\s*(?:\\mid|\||:)(.*[<>]|.*\\[lg]eq?.*)\\\}", r"\1"),
    (r"\+\s*-", "-"),
    (r"(?<=[\w}])\s+(?:[ckm]?m|in|ft|yd|mi)\s*\^\{?[23]\}?$", ""),  # cm^3
    (r"\s+", " "),
)
_FONT = re.compile(rf"\\(?:{_FONTS})(?![A-Za-z])" + ARG)
_PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z]{2})")  # escaped twice on its way here
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_BASE = re.compile(r"([0-9A-Z]+)_\{?(\d+)\}?")
_INTEGERS = re.compile(r"-?\d+(?:,\s*-?\d+)+")


def clean(text: str) -> str:
    """The text in one spelling, still LaTeX, on one line; this is what a `Verdict` shows."""
    if _PLAIN.fullmatch(text):  # as are nearly all golds and most answers
        return text
    if r"\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    for pattern, by in _TYPED:
        text = pattern.sub(by, text)
    while (plain := _FONT.sub(_font, text)) != text:  # each pass takes one level away
        text = plain
    for pattern, by in _LATEX:
        text = pattern.sub(by, text)
    return _without_braces(text.strip().rstrip(".,;").strip())


def _without_braces(text: str) -> str:
    """`{42}` and `{{42}}` as `42`: braces around the whole text only group."""
    while re.fullmatch(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", text):
        text = text[1:-1].strip()
    return text


def key(cleaned: str) -> str:
    """How two cleaned texts are compared: no braces around a single sign, no spaces except between digits."""
    return re.sub(r"(?<!\d) | (?!\d)", "", re.sub(r"([_^])\{(\w)\}", r"\1\2", cleaned))


def words(cleaned: str) -> str | None:
    r"""`\text{(C)}` as `c`, `\text{Evelyn}` as `evelyn`; None if there is more than words: a formula."""
    plain = re.sub(r"\s+", " ", _TEXT.sub(r"\1", cleaned)).strip()
    plain = plain[1:-1] if re.fullmatch(r"\([A-Za-z]\)", plain) else plain
    is_text = ("\\text" in cleaned or not cleaned.isascii()) and re.fullmatch(r"[^\W\d_]+(?:[ '-]\w+)*\.?", plain)
    return plain.casefold().rstrip(".") if is_text else None


def hedges(cleaned: str) -> bool:
    r"""Words that math-verify drops although they change a value: `\text{not }5`, `5 \text{ (or 6)}`, `5 \ldots`."""
    if cleaned.endswith((r"\ldots", r"\dots", "...")):
        return True
    texts, leading = _TEXT.findall(cleaned), _TEXT.match(cleaned)
    return bool(leading and leading.end() < len(cleaned) and changes(leading[1])) or any(
        re.search(r"\bor\b.*\d", text) for text in texts
    )


def same_base(gold: str, claim: str) -> bool | None:
    """`52_8` against `52_{8}` or `52`: None unless the gold is a number with a base."""
    wanted, given = _BASE.fullmatch(gold), _BASE.fullmatch(claim)
    if wanted is None:
        return None
    return wanted.groups() == given.groups() if given else claim == wanted[1]


def same_integers(gold: str, claim: str) -> bool:
    """`100,200,300` and `300, 200, 100`: the same whole numbers in any order, which a comma may also group."""
    if not all(_INTEGERS.fullmatch(text) for text in (gold, claim)):
        return False
    return sorted(re.findall(r"-?\d+", gold)) == sorted(re.findall(r"-?\d+", claim))
