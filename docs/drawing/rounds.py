"""Rounds and notes: what each round sees, what is carried to the next, and what is forgotten."""

from __future__ import annotations

from drawing.shapes import INK, NOTE, PALE, arrow, box, frame, line, path, picture, text

from motif_lib.show.colours import GREY, ROUND_COLOURS

WIDTH, HEIGHT, ROUNDS = 720, 388, 3
SIZE, GAP = 200, 35  # of a context; between two
PROMPT, NOTED, THOUGHT, WRITTEN = 96, 138, 216, 284  # heights of what is in a context
LAST = 322  # lower end of a context
DESCRIPTION = (
    "Three contexts side by side, one for each round. Each holds the question again. In round 1 the model writes its "
    "reasoning and then a note. Only the note goes on: round 2 begins with the question and that note, reasons on, and "
    "writes a new note for round 3, which gives the answer. The reasoning of each round is forgotten."
)


def middle(round: int) -> float:
    """Where the context of a 1-based round stands."""
    return 25 + SIZE / 2 + (round - 1) * (SIZE + GAP)


def context(round: int) -> list[str]:
    """One round: question and note above the line, what the model writes below it."""
    x, colour, wide = middle(round), ROUND_COLOURS[round - 1], SIZE - 30
    last = round == ROUNDS
    noted = box(x, NOTED, f"note of round {round - 1}", wide, GREY, NOTE)
    written = ("answer", wide, colour, "#ffffff") if last else (f"note of round {round}", wide, GREY, NOTE)
    return [
        frame(x, (64 + LAST) / 2, SIZE, LAST - 64, colour, "none"),
        text(x, 42, f"round {round}", 17, "bold", colour),
        box(x, PROMPT, "question", wide, INK),
        noted if round > 1 else text(x, NOTED, "no note yet", colour=GREY),
        line(x - SIZE / 2, 165, x + SIZE / 2, 165, colour, ' stroke-dasharray="3 4"'),
        frame(x, THOUGHT, wide, 74, GREY, "url(#lost)", ' stroke-dasharray="5 4"'),
        frame(x, THOUGHT, 98, 28, "none", PALE),
        text(x, THOUGHT, "reasoning"),
        box(x, WRITTEN, *written, height=36),
    ]


def carried(round: int) -> list[str]:
    """From the note that a round writes to the prompt of the next one."""
    start, end = middle(round) + SIZE / 2 - 14, middle(round + 1) - SIZE / 2 + 14
    turn = (start + end) / 2
    way = f"M {start:g} {WRITTEN} C {turn + 26:g} {WRITTEN} {turn - 26:g} {NOTED} {end:g} {NOTED}"
    return [
        path(way, ROUND_COLOURS[round - 1]),
        arrow(end - 4, NOTED, end, NOTED),
        arrow(start, PROMPT, end, PROMPT),
    ]


def legend() -> list[str]:
    """What the three kinds of boxes mean."""
    y = HEIGHT - 34
    kinds = [("#ffffff", INK, "asked again"), (NOTE, GREY, "carried on"), ("url(#lost)", GREY, "forgotten")]
    parts = []
    for round, (fill, colour, words) in enumerate(kinds, 1):
        x = middle(round) - 58
        parts += [frame(x, y, 24, 18, colour, fill), text(x + 22, y, words, anchor="start")]
    return parts


def draw() -> str:
    """The picture as SVG."""
    rounds = range(1, ROUNDS + 1)
    parts = [part for round in rounds for part in context(round)]
    parts += [part for round in rounds[:-1] for part in carried(round)]
    return picture("Rounds and notes", DESCRIPTION, WIDTH, HEIGHT, [*parts, *legend()])
