"""The window fills up: one round of all the window against rounds that each start fresh, for one long problem."""

from __future__ import annotations

from drawing.shapes import INK, NOTE, line, picture, text

from motif_lib.show.colours import ROUND_COLOURS
from motif_lib.widgets.data import Costs, Use, plan

# Tokens of the parts of a problem, as notebook 01 counts them; steps, window, budget of a round, number of rounds.
COSTS, STEPS, WINDOW, BUDGET, ROUNDS = Costs(38, 7, 9, 18, 10), 12, 196, 60, 3

WIDTH, LEFT, RIGHT, THICK = 720, 96, 24, 30
TOP, STEP, APART = 80, 62, 52  # the first bar; from bar to bar; between one round and several
SEEN, FREE, THICKER = "#d9d6cc", "none", ' stroke-width="3"'


def scale() -> float:
    """Pixels of a token: the longest bar fills the picture."""
    (whole,) = plan(COSTS, STEPS, WINDOW, WINDOW, 1)
    return (WIDTH - LEFT - RIGHT) / (WINDOW + whole.lost)


def piece(x: float, y: float, tokens: int, fill: str, words: str = "", dashed: str = "") -> str:
    """A part of a bar, as wide as its tokens, with words where they fit."""
    if tokens <= 0:
        return ""
    wide = tokens * scale()
    shape = f'<rect x="{x:.1f}" y="{y - THICK / 2}" width="{wide:.1f}" height="{THICK}" fill="{fill}" stroke="{INK}"'
    fits = wide > 7.6 * len(words)
    return f"{shape}{dashed}/>" + (text(round(x + wide / 2, 1), y, words) if words and fits else "")


def bar(y: float, number: int, use: Use) -> list[str]:
    """The window of one round: prompt, note, work, and what is left or lost; what it achieves stands below."""
    work = "work" if use.lost else f"work, {use.reply} tokens"
    kinds = [(use.prompt, SEEN, "question", ""), (use.note, NOTE, "", ""),
             (use.reply, ROUND_COLOURS[number - 1] + "55", work, ""), (use.lost, "url(#lost)", "", ""),
             (use.free - use.lost, FREE, "free", ' stroke-dasharray="4 4"')]  # fmt: skip
    parts, x = [text(LEFT - 10, y, f"round {number}", 15, "bold", ROUND_COLOURS[number - 1], "end")], float(LEFT)
    for tokens, fill, words, dashed in kinds:
        parts.append(piece(x, y, tokens, fill, words, dashed))
        x += max(0, tokens) * scale()
    if use.note:
        parts.append(text(round(LEFT + (use.prompt + use.note / 2) * scale(), 1), y + 27, "note", 14))
    edge = ("end", round(x, 1)) if use.lost else ("start", LEFT)  # below the work that is lost
    return [*parts, text(edge[1], y + 27, use.label, 14, anchor=edge[0])]


def words(one: Use, several: list[Use]) -> str:
    """The picture in words."""
    end = "do not fit and are lost" if one.lost else "all steps fit"
    return (
        f"A problem of {STEPS} steps. In one round question and work share one window of {WINDOW} tokens: the work "
        f"fills it after {solved(one)} steps, the rest {end}. In {len(several)} rounds of {BUDGET} tokens each, every "
        f"round starts with a fresh window that holds the question and a short note: {several[-1].label}."
    )


def solved(use: Use) -> int:
    """Steps whose work is in the window."""
    return (use.reply - COSTS.tags) // COSTS.reply_step


def draw() -> str:
    """The picture as SVG."""
    (one,), several = plan(COSTS, STEPS, WINDOW, WINDOW, 1), plan(COSTS, STEPS, BUDGET, WINDOW, ROUNDS)
    low = TOP + APART + STEP
    end = LEFT + WINDOW * scale()
    bottom = low + STEP * ROUNDS
    parts = [
        text(LEFT, 34, f"one round may fill the whole window: {solved(one)} steps fit", 16, "bold", anchor="start"),
        *bar(TOP, 1, one),
        text(LEFT, low - 44, f"{ROUNDS} rounds of {BUDGET} tokens, each in a fresh window", 16, "bold", anchor="start"),
        *(part for i, use in enumerate(several) for part in bar(low + i * STEP, i + 1, use)),
        line(end, TOP - 26, end, TOP + 16, INK, THICKER),
        line(end, low - 26, end, bottom - 20, INK, THICKER),
        text(end, bottom - 6, f"end of the window: {WINDOW} tokens", 14, anchor="end"),
    ]
    return picture("The window fills up", words(one, several), WIDTH, bottom + 18, parts)
