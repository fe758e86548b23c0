"""The picture of one MOTIF step: `python docs/draw.py` writes `docs/one_step.svg`.

It brings its own background, so it reads the same on a light and on a dark page.
"""

from __future__ import annotations

from pathlib import Path

from motif_lib.show.colours import GREY, ROUND_COLOURS

FILE = Path(__file__).with_name("one_step.svg")
WIDTH, HEIGHT = 980, 440
INK, PAPER, NOTE = "#1f2430", "#fdfcf8", "#fff3c4"
QUESTION, ROUND_1, NOTE_1, ROUND_2, NOTE_2, ROUND_3, OUTCOME, REWARD, ADVANTAGE = (
    70, 205, 300, 405, 488, 568, 655, 745, 870
)  # fmt: skip  # the middle of each column
OUTCOMES = [[1, 1], [1, 0], [0, 0]]  # three replies with two futures each: is the final answer right?
DESCRIPTION = (
    "A question is answered by m replies in round 1. Each reply leaves a note. From each note k futures run through "
    "rounds 2 and 3 to a final answer. The reward of a reply is the mean outcome of its futures; the advantage is the "
    "reward minus the mean of the group. The update makes round-1 replies with a positive advantage more likely."
)


def text(x: float, y: float, words: str, size: int = 13, weight: str = "normal", colour: str = INK) -> str:
    """Words with their middle at (x, y)."""
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="middle" '
        f'dominant-baseline="central">{words}</text>'
    )


def box(x: float, y: float, words: str, width: int, colour: str, fill: str = "#ffffff", height: int = 30) -> str:
    """A rounded box around words."""
    frame = (
        f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" rx="6" fill="{fill}" '
        f'stroke="{colour}" stroke-width="2"/>'
    )
    return frame + text(x, y, words)


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a head at (x2, y2)."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{GREY}" stroke-width="1.5" marker-end="url(#head)"/>'


def future(y: float, right: int) -> list[str]:
    """One future: rounds 2 and 3, the note between them, and whether its answer is right."""
    return [
        box(ROUND_2, y, "reply", 66, ROUND_COLOURS[1]),
        arrow(ROUND_2 + 34, y, NOTE_2 - 24, y),
        box(NOTE_2, y, "note", 44, GREY, NOTE, 22),
        arrow(NOTE_2 + 23, y, ROUND_3 - 36, y),
        box(ROUND_3, y, "reply", 66, ROUND_COLOURS[2]),
        text(OUTCOME, y, "right" if right else "wrong", weight="bold" if right else "normal"),
    ]


def group(y: float, outcomes: list[int], middle: float) -> list[str]:
    """One round-1 reply with its note, futures, reward and advantage; `middle` is the height of the question."""
    reward = 2 * sum(outcomes) / len(outcomes)
    advantage = reward - 2 * sum(map(sum, OUTCOMES)) / sum(map(len, OUTCOMES))
    parts = [
        arrow(QUESTION + 48, middle, ROUND_1 - 42, y),
        box(ROUND_1, y, "reply", 80, ROUND_COLOURS[0]),
        arrow(ROUND_1 + 41, y, NOTE_1 - 26, y),
        box(NOTE_1, y, "note", 48, GREY, NOTE, 24),
    ]
    for place, right in enumerate(outcomes):
        row = y + 40 * (place - (len(outcomes) - 1) / 2)
        parts += [arrow(NOTE_1 + 25, y, ROUND_2 - 36, row), *future(row, right)]
        parts.append(arrow(OUTCOME + 26, row, REWARD - 34, y))
    parts += [text(REWARD, y, f"{reward:.1f}", 16, "bold"), arrow(REWARD + 26, y, ADVANTAGE - 34, y)]
    return [*parts, text(ADVANTAGE, y, f"{advantage:+.1f}".replace("-", "−") if advantage else "0.0", 16, "bold")]


def headings() -> list[str]:
    """What stands above the columns."""
    rounds = [(ROUND_1, "round 1", 0), (ROUND_2, "round 2", 1), (ROUND_3, "round 3", 2)]
    lines = [(ROUND_1, "m replies, here 3"), (487, "k futures of each reply, here 2"), (REWARD, "mean outcome"),
             (ADVANTAGE, "reward − group mean")]  # fmt: skip
    return [
        *(text(x, 34, name, 15, "bold", ROUND_COLOURS[number]) for x, name, number in rounds),
        *(text(x, 34, name, 15, "bold") for x, name in [(REWARD, "reward"), (ADVANTAGE, "advantage")]),
        *(text(x, 54, words, 12) for x, words in lines),
    ]


def update(top: float) -> list[str]:
    """The way back: from the advantages to the replies of round 1."""
    low = HEIGHT - 42
    path = f"M {ADVANTAGE} {top} V {low} H {ROUND_1} V {top}"
    return [
        f'<path d="{path}" fill="none" stroke="{ROUND_COLOURS[0]}" stroke-width="2.5" marker-end="url(#update)"/>',
        text(
            (ROUND_1 + ADVANTAGE) / 2, low + 20, "update: round-1 replies with a positive advantage become more likely"
        ),
    ]


def head(name: str, colour: str) -> str:
    """The head of an arrow."""
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="6" markerHeight="6" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{colour}"/></marker>'
    )


def draw() -> str:
    """The whole picture as SVG."""
    heights = [120, 215, 310]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="Helvetica, Arial, sans-serif">',
        f"<title>One MOTIF step</title><desc>{DESCRIPTION}</desc>",
        f"<defs>{head('head', GREY)}{head('update', ROUND_COLOURS[0])}</defs>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12" fill="{PAPER}" stroke="{GREY}"/>',
        *headings(),
        box(QUESTION, heights[1], "question", 92, INK, height=36),
        *(part for y, outcomes in zip(heights, OUTCOMES, strict=True) for part in group(y, outcomes, heights[1])),
        *update(heights[-1] + 20),
    ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
