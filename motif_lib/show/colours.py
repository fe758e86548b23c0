"""The colours of every plot and widget: one per round, one per method, distinguishable with colour-blind eyes.

They are the palette of Okabe and Ito (2008), without its black and yellow, which vanish on a dark or a white page,
and with a grey and a brown.
Rounds 2 to 4 share no colour with a method.
"""

from __future__ import annotations

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, GREY, BROWN = "#E69F00", "#56B4E9", "#7F7F7F", "#A6761D"

ROUND_COLOURS = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY]
METHOD_COLOURS = {
    "base, three": BROWN,
    "base": GREY,
    "GRPO": ORANGE,
    "MOTIF all": BLUE,
    "MOTIF": SKY,
}


def round_colour(round: int) -> str:
    """Hex colour of a 1-based round; more than six rounds start over."""
    return ROUND_COLOURS[(round - 1) % len(ROUND_COLOURS)]


def method_colour(name: str) -> str | None:
    """Hex colour of a method by how its name begins ("MOTIF all rounds" before "MOTIF"); None for an unknown one."""
    return next((colour for method, colour in METHOD_COLOURS.items() if name.startswith(method)), None)
