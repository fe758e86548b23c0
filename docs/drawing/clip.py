"""The clip: what the loss pays for a token against the ratio, for a positive and a negative advantage."""

from __future__ import annotations

from drawing.shapes import INK, PALE, line, path, picture, text

from motif_lib.show.colours import BLUE, GREY, VERMILLION

WIDTH, HEIGHT, CLIP = 720, 372, 0.2
FROM, TO = 0.4, 1.6  # ratios drawn
SIDE, TOP, BOTTOM, WIDE = (38, 388), 84, 276, 294  # left edge of each half; where the curves are drawn
DESCRIPTION = (
    "Two curves of the objective against the ratio of probabilities, now divided by before, both starting at ratio 1. "
    "Positive advantage: the objective rises with the ratio up to 1.2, then it is flat: no gradient, the token is more "
    "likely already. Negative advantage: it rises as the ratio falls down to 0.8, and is flat below. In the other "
    "direction, where the policy moved the wrong way, nothing is clipped."
)


def place(left: float, advantage: int, ratio: float, value: float) -> tuple[float, float]:
    """Where (ratio, value) is drawn; the value at ratio 1 is `advantage`."""
    return (
        round(left + WIDE * (ratio - FROM) / (TO - FROM), 1),
        round((TOP + BOTTOM) / 2 - (value - advantage) * (BOTTOM - TOP) / (TO - FROM), 1),
    )


def curve(left: float, advantage: int, ratios: list[float], clipped: bool) -> str:
    """Ratio times advantage through some ratios, or the smaller of it and its clipped twin."""
    points = []
    for ratio in ratios:
        value = ratio * advantage
        if clipped:
            value = min(value, min(max(ratio, 1 - CLIP), 1 + CLIP) * advantage)
        points.append("{} {}".format(*place(left, advantage, ratio, value)))
    return "M " + " L ".join(points)


def axes(left: float, advantage: int, edge: float, colour: str) -> list[str]:
    """Title, axis and its ticks; the zone without a gradient is shaded."""
    (x0, _), (x1, _), (at, _) = (place(left, advantage, r, 0) for r in (FROM, TO, edge))
    start, wide = (at, x1 - at) if advantage > 0 else (x0, at - x0)
    parts = [
        f'<rect x="{start}" y="{TOP}" width="{wide:g}" height="{BOTTOM - TOP}" fill="{PALE}"/>',
        text((x0 + x1) / 2, 32, "advantage A > 0" if advantage > 0 else "advantage A < 0", 17, "bold", colour),
        text((x0 + x1) / 2, 56, "make it more likely" if advantage > 0 else "make it less likely"),
        line(x0, BOTTOM, x1, BOTTOM, INK),
        text((x0 + x1) / 2, BOTTOM + 46, "ratio: probability now / before"),
    ]
    for ratio in (1 - CLIP, 1, 1 + CLIP):
        x, _ = place(left, advantage, ratio, 0)
        parts += [line(x, TOP, x, BOTTOM + 6, GREY, ' stroke-dasharray="2 5"'), text(x, BOTTOM + 20, f"{ratio:g}")]
    return parts


def half(left: float, advantage: int, colour: str) -> list[str]:
    """One sign of the advantage."""
    edge = 1 + CLIP * advantage
    far = TO if advantage > 0 else FROM
    x, y = place(left, advantage, 1, advantage)
    middle, flat = place(left, advantage, (edge + far) / 2, edge * advantage)
    return [
        *axes(left, advantage, edge, colour),
        path(curve(left, advantage, [edge, far], False), colour, 2, ' stroke-dasharray="6 5"'),
        path(curve(left, advantage, sorted([FROM, edge, TO]), True), colour, 4, ' stroke-linejoin="round"'),
        f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>',
        text(x + 8 * advantage, y + 22, "start", 14, anchor="start" if advantage > 0 else "end"),
        text(middle, flat + 20, "flat:", 14),
        text(middle, flat + 38, "no gradient", 14),
    ]


def draw() -> str:
    """The picture as SVG."""
    y = HEIGHT - 24
    parts = [*half(SIDE[0], 1, BLUE), *half(SIDE[1], -1, VERMILLION)]
    drawn = [(48, "what the loss takes: the smaller", ' stroke-width="4"'),
             (418, "ratio · A, not clipped", ' stroke-width="2" stroke-dasharray="6 5"')]  # fmt: skip
    for x, words, more in drawn:
        parts += [line(x, y, x + 40, y, INK, more), text(x + 50, y, words, anchor="start")]
    return picture("The clip", DESCRIPTION, WIDTH, HEIGHT, parts)
