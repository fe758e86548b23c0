"""What all pictures are made of: words, boxes, arrows, and one frame with a paper of its own.

A page's theme does not reach into a picture, so each brings its own background: it reads the same on a light page, on a
dark one and in print.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from motif_lib.show.colours import GREY, ROUND_COLOURS

INK, PAPER, NOTE, PALE = "#1f2430", "#fdfcf8", "#fff3c4", "#eceae4"


def text(
    x: float, y: float, words: str, size: int = 15, weight: str = "normal", colour: str = INK, anchor: str = "middle"
) -> str:
    """Words with their middle, or their `anchor`, at (x, y)."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}" '
        f'dominant-baseline="central">{escape(words, quote=False)}</text>'
    )


def frame(x: float, y: float, width: float, height: float, colour: str, fill: str = "#ffffff", more: str = "") -> str:
    """A rounded box with its middle at (x, y)."""
    return (
        f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="6" '
        f'fill="{fill}" stroke="{colour}" stroke-width="2"{more}/>'
    )


def box(x: float, y: float, words: str, width: float, colour: str, fill: str = "#ffffff", height: float = 30) -> str:
    """A rounded box around words."""
    return frame(x, y, width, height, colour, fill) + text(x, y, words)


def line(x1: float, y1: float, x2: float, y2: float, colour: str = GREY, more: str = ' stroke-width="1.5"') -> str:
    """A straight line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}"{more}/>'


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a head at (x2, y2)."""
    return line(x1, y1, x2, y2, more=' stroke-width="1.5" marker-end="url(#head)"')


def path(d: str, colour: str, width: float = 2.5, more: str = "") -> str:
    """A line along an SVG path."""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}"{more}/>'


def head(name: str, colour: str) -> str:
    """The head of an arrow."""
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{colour}"/></marker>'
    )


def hatch() -> str:
    """A pattern for what is lost."""
    return (
        '<pattern id="lost" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="8" height="8" fill="#ffffff"/><rect width="3" height="8" fill="{GREY}" opacity=".55"/></pattern>'
    )


def picture(title: str, description: str, width: int, height: int, parts: Iterable[str]) -> str:
    """The whole SVG: its words for those who do not see it, its paper, and its parts."""
    start = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>",
        f"<defs>{head('head', GREY)}{head('strong', ROUND_COLOURS[0])}{hatch()}</defs>",
        f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="12" fill="{PAPER}" stroke="{GREY}"/>',
    ]
    return "\n".join([*start, *parts, "</svg>", ""])
