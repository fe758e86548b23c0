"""HTML for the widgets. All text from a model or a data set passes through `safe`: escaped, bounded, and encodable."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from motif_lib.protocol import CONTROL

LIMIT = 6_000  # characters of one text in a live picture; more is slow to draw and nobody reads it
BRIEF = 400  # characters of one text in a static table, which is stored in the notebook
STATIC = "Static view: run the notebook to use the controls."
TOP_LEFT = "text-align: left; vertical-align: top"  # of a cell in a static table; Jupyter puts it right and middle

STYLE = """<style>
.motif{color:var(--jp-content-font-color1,inherit);font:13px/1.5 var(--jp-content-font-family,system-ui,sans-serif);
  max-width:880px}
.motif h4{margin:10px 0 3px;font-size:13px;font-weight:600}
.motif pre{margin:0;padding:6px 10px;max-height:17em;overflow:auto;white-space:pre-wrap;word-break:normal;
  overflow-wrap:break-word;
color:inherit;font:12px/1.45 var(--jp-code-font-family,ui-monospace,monospace);background:rgba(128,128,128,.12);
  border-left:4px solid var(--c,rgba(128,128,128,.6))}
.motif mark{color:inherit;background:color-mix(in srgb,var(--c) 30%,transparent);border-bottom:2px solid var(--c)}
.motif details{margin:3px 0}.motif summary{cursor:pointer}
.motif table{border-collapse:collapse;font-size:13px}
.motif td,.motif th{padding:3px 12px 3px 0;text-align:left;vertical-align:top;
  border-bottom:1px solid rgba(128,128,128,.35);background:none;color:inherit}
.motif th{white-space:nowrap}.motif .num{text-align:right;font-variant-numeric:tabular-nums}
.motif-row{display:grid;grid-template-columns:5em minmax(180px,1fr) 15em;gap:10px;align-items:center;padding:3px}
.motif-now{outline:2px solid currentColor;border-radius:3px}
.motif-bar{position:relative;display:flex;height:24px}
.motif-bar span{box-sizing:border-box;overflow:hidden;text-align:center;line-height:22px;font-size:12px;
  white-space:nowrap;border:1px solid var(--c,rgba(128,128,128,.8))}
.motif-fill{background:color-mix(in srgb,var(--c,#808080) 38%,transparent)}
.motif-lost{background:repeating-linear-gradient(45deg,transparent 0 4px,rgba(128,128,128,.5) 4px 6px)}
.motif .motif-free{border-style:dashed}
.motif-bar i{position:absolute;top:-4px;bottom:-4px;border-left:3px solid currentColor}
.motif-legend span{display:inline-block;width:1.3em;height:.9em;margin:0 .35em 0 1.1em;vertical-align:-1px;
  border:1px solid var(--c,rgba(128,128,128,.8))}
.motif-badge{display:inline-block;padding:0 8px;margin-right:8px;border-radius:9px;
  border:1.5px solid var(--c,currentColor)}
@media(max-width:600px){.motif-row{grid-template-columns:1fr;gap:2px}}
.motif svg{max-width:100%;height:auto;display:block}
.motif svg text{fill:currentColor;font-size:12px}
</style>"""


def clean(text: object, limit: int = LIMIT) -> str:
    """Bounded text that any front end can take; characters that cannot be seen become U+FFFD. Not escaped."""
    text = str(text)
    more = len(text) - limit
    return CONTROL.sub("\ufffd", text[:limit]) + (f" … ({more:,} more characters)" if more > 0 else "")


def one_line(text: str, limit: int = 70) -> str:
    """The start of a text on one line, for a selector. Not escaped."""
    return " ".join(clean(text[:limit]).split()) + ("…" if len(text) > limit else "")


def safe(text: object, limit: int = LIMIT) -> str:
    """Text that stays text wherever it stands in HTML."""
    return html.escape(clean(text, limit))


def block(text: str, colour: str | None = None, mark: str = "", mark_colour: str | None = None) -> str:
    """A scrolling block of model text, in which the last occurrence of `mark` is marked.

    A `<pre>`, because front ends typeset dollar signs as formulas everywhere else.
    """
    body = marked(clean(text), clean(mark), f"--c:{mark_colour}")
    style = f' style="--c:{colour}"' if colour else ""
    return f'<pre tabindex="0"{style}>{body or "(empty)"}</pre>'


def marked(text: str, mark: str, style: str) -> str:
    """Clean text as HTML, the last occurrence of `mark` in a `<mark>` of a style."""
    head, found, tail = text.rpartition(mark) if mark else ("", "", text)
    middle = f'<mark style="{style}">{html.escape(found)}</mark>' if found else ""
    return html.escape(head) + middle + html.escape(tail)


def shorten(text: str, limit: int) -> str:
    """Clean text of at most so many characters; of a longer one both ends, for a note stands near the end."""
    more, half = len(text) - limit, limit // 2
    return clean(text) if more <= 0 else f"{clean(text[:half])}\n… ({more:,} more characters) …\n{clean(text[-half:])}"


@dataclass(frozen=True)
class StaticTable:
    """What a panel shows where no widget can run: GitHub, nbviewer, an untrusted notebook. Cells are plain text."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def html(self) -> str:
        """Tags that every sanitizer leaves in place, no SVG; without its inline styles it is as readable."""
        head = "".join(f'<th scope="col" style="{TOP_LEFT}">{safe(name)}</th>' for name in self.head)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<p><b>{safe(self.caption)}</b></p>{table}<p><i>{STATIC}</i></p>"

    def text(self) -> str:
        """The same for a terminal, one line a row."""
        lines = (" | ".join(one_line(str(cell), 60) for cell in row) for row in (self.head, *self.rows))
        return "\n".join([self.caption, *lines])


def _cell(value: object) -> str:
    text = safe(value, BRIEF)
    if isinstance(value, int | float) or not text:
        return f'<td style="{TOP_LEFT}">{text}</td>'
    tag = 'pre style="min-width: 12em"' if "\n" in text else "code"  # not typeset as formulas
    return f'<td style="{TOP_LEFT}"><{tag}>{text}</{tag.split()[0]}></td>'


def number(value: float | None, sign: bool = False, digits: int = 2) -> str:
    """A number without trailing zeros, or signed with all of them; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def verdict(outcome: float | None) -> str:
    """The outcome of a trajectory in words; the mark does not rely on colour."""
    if outcome is None:
        return "? not graded"
    return f"✓ right (outcome {number(outcome)})" if outcome > 0 else f"✗ wrong (outcome {number(outcome)})"
