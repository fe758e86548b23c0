"""The tree of one MOTIF step: m replies, k futures of each through n rounds, rewards, advantages, update."""

from __future__ import annotations

from drawing.shapes import INK, NOTE, arrow, box, path, picture, text

from motif_lib.show.colours import GREY, ROUND_COLOURS

WIDTH, HEIGHT = 980, 440
QUESTION, ROUND_1, NOTE_1, ROUND_2, NOTE_2, ROUND_3, OUTCOME, REWARD, ADVANTAGE = (
    65, 195, 287, 393, 481, 565, 652, 742, 886
)  # fmt: skip  # the middle of each column
OUTCOMES = [[1, 1], [1, 0], [0, 0]]  # three replies with two futures each: is the final answer right?
DESCRIPTION = (
    "A question is answered by m replies in round 1. Each reply leaves a note. From each note k futures run through "
    "rounds 2 and 3 to a final answer. The reward of a reply is the mean outcome of its futures; the advantage is the "
    "reward minus the mean of the group. The update makes round-1 replies with a positive advantage more likely."
)


def future(y: float, right: int) -> list[str]:
    """One future: rounds 2 and 3, the note between them, and whether its answer is right."""
    return [
        box(ROUND_2, y, "reply", 66, ROUND_COLOURS[1]),
        arrow(ROUND_2 + 34, y, NOTE_2 - 27, y),
        box(NOTE_2, y, "note", 50, GREY, NOTE, 24),
        arrow(NOTE_2 + 26, y, ROUND_3 - 36, y),
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
        arrow(ROUND_1 + 41, y, NOTE_1 - 27, y),
        box(NOTE_1, y, "note", 50, GREY, NOTE, 24),
    ]
    for place, right in enumerate(outcomes):
        row = y + 40 * (place - (len(outcomes) - 1) / 2)
        parts += [arrow(NOTE_1 + 26, y, ROUND_2 - 36, row), *future(row, right)]
        parts.append(arrow(OUTCOME + 29, row, REWARD - 32, y))
    parts += [text(REWARD, y, f"{reward:.1f}", 18, "bold"), arrow(REWARD + 28, y, ADVANTAGE - 34, y)]
    return [*parts, text(ADVANTAGE, y, f"{advantage:+.1f}".replace("-", "−") if advantage else "0.0", 18, "bold")]


def headings() -> list[str]:
    """What stands above the columns."""
    rounds = [(ROUND_1, "round 1", 0), (ROUND_2, "round 2", 1), (ROUND_3, "round 3", 2)]
    lines = [(ROUND_1, "m replies, here 3"), ((ROUND_2 + ROUND_3) / 2, "k futures of each reply, here 2"),
             (REWARD, "mean outcome"), (ADVANTAGE, "reward − group mean")]  # fmt: skip
    return [
        *(text(x, 30, name, 17, "bold", ROUND_COLOURS[number]) for x, name, number in rounds),
        *(text(x, 30, name, 17, "bold") for x, name in [(REWARD, "reward"), (ADVANTAGE, "advantage")]),
        *(text(x, 53, words, 14) for x, words in lines),
    ]


def update(top: float) -> list[str]:
    """The way back: from the advantages to the replies of round 1."""
    low = HEIGHT - 42
    way = f"M {ADVANTAGE} {top} V {low} H {ROUND_1} V {top}"
    words = "update: round-1 replies with a positive advantage become more likely"
    return [
        path(way, ROUND_COLOURS[0], more=' marker-end="url(#strong)"'),
        text((ROUND_1 + ADVANTAGE) / 2, low + 20, words, 16),
    ]


def draw() -> str:
    """The picture as SVG."""
    heights = [120, 215, 310]
    parts = [
        *headings(),
        box(QUESTION, heights[1], "question", 92, INK, height=36),
        *(part for y, outcomes in zip(heights, OUTCOMES, strict=True) for part in group(y, outcomes, heights[1])),
        *update(heights[-1] + 20),
    ]
    return picture("One MOTIF step", DESCRIPTION, WIDTH, HEIGHT, parts)
