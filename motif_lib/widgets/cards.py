"""Cards: what the stepper shows where no widget can run, and in print. One card a round, the note between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motif_lib.widgets.markup import STATIC, clean, marked, one_line, safe, shorten

LONGEST = 900  # characters of one text on a card, which is stored in the notebook
WIDTH = "max-width: 46em; font-size: 0.9em; color: inherit"
WRAP = "white-space: pre-wrap; word-break: normal; overflow-wrap: break-word"  # Jupyter breaks words anywhere
PRE = f"margin: 2px 0 8px; padding: 6px 10px; {WRAP}; color: inherit; background: rgba(128, 128, 128, 0.12)"


@dataclass(frozen=True)
class Passage:
    """A text under a heading; the last occurrence of `mark` in it stands out in a colour."""

    heading: str
    text: str
    mark: str = ""
    colour: str = ""

    def html(self) -> str:
        """Tags that every sanitizer leaves in place; readable without the inline styles too."""
        body = marked(shorten(self.text, LONGEST), clean(self.mark), tint(self.colour)) or "(empty)"
        return f'<div style="margin-top: 4px">{safe(self.heading)}</div><pre style="{PRE}">{body}</pre>'


@dataclass(frozen=True)
class Card:
    """One round: what it saw and wrote, a sentence on it, and the note that goes on; None in the last round."""

    title: str
    colour: str
    passages: Sequence[Passage]
    foot: str
    note: str | None

    def html(self) -> str:
        """The card, and the note on its way to the next."""
        frame = f"border: 1px solid {self.colour}; border-left-width: 6px; border-radius: 6px; padding: 6px 14px"
        parts = "".join(passage.html() for passage in self.passages)
        head = f'<div style="color: inherit"><b>{safe(self.title)}</b></div>'
        card = f'<div style="{WIDTH}; {frame}; break-inside: avoid">{head}{parts}<div>{safe(self.foot)}</div></div>'
        return card + ("" if self.note is None else self._arrow(self.note))

    def _arrow(self, note: str) -> str:
        style = f"{PRE}; display: inline-block; max-width: 80%; margin: 2px 0; {tint(self.colour)}"
        words = f'<pre style="{style}; text-align: left">{safe(shorten(note, LONGEST)) or "(empty)"}</pre>'
        down = f'<div style="color: {self.colour}; line-height: 1">▼</div>'
        return f'<div style="{WIDTH}; text-align: center; margin: 6px 0">{down}{words}{down}</div>'


@dataclass(frozen=True)
class StaticCards:
    """What a stepper shows where no widget can run: GitHub, nbviewer, an untrusted notebook, paper."""

    caption: str
    cards: Sequence[Card]

    def html(self) -> str:
        """The cards below each other."""
        cards = "".join(card.html() for card in self.cards)
        return f"<p><b>{safe(self.caption)}</b></p>{cards}<p><i>{STATIC}</i></p>"

    def text(self) -> str:
        """The same for a terminal, one line a text."""
        lines = [self.caption]
        for card in self.cards:
            lines += [card.title, *(f"  {p.heading}: {one_line(p.text, 60)}" for p in card.passages), f"  {card.foot}"]
        return "\n".join(lines)


def tint(colour: str) -> str:
    """A pale background in a colour of ours, with the text as it is: it reads on white, on black and in grey."""
    return f"color: inherit; background: {colour}40; border-bottom: 2px solid {colour}"
