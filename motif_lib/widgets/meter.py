"""Context meter: what fills the window of each round, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from motif_lib.records import Reply
from motif_lib.show.colours import round_colour
from motif_lib.widgets.data import Use, uses_of
from motif_lib.widgets.markup import StaticTable, safe
from motif_lib.widgets.panel import Panel, slider

Plan = Callable[[int, int, int, int], Sequence[Use]]

LEGEND = (
    '<p class="motif-legend"><span class="motif-fill"></span>prompt without the note'
    f'<span class="motif-fill" style="--c:{round_colour(1)}"></span>note of the round before, in its colour'
    f'<span class="motif-fill" style="--c:{round_colour(2)}"></span>reply, in the colour of its round'
    '<span class="motif-lost"></span>does not fit<span class="motif-free"></span>free'
    "&emsp;<b>┃</b> end of the window</p>"
)


def segment(tokens: int, scale: int, kind: str, name: str, colour: str | None = None) -> str:
    """One piece of a bar; its number is left out where it would not fit."""
    if tokens <= 0:
        return ""
    width = 100 * tokens / scale
    style = f"width:{width:.2f}%" + (f";--c:{colour}" if colour else "")
    return f'<span class="{kind}" style="{style}" title="{name}: {tokens} tokens">{tokens if width > 4 else ""}</span>'


def render_bar(use: Use, round: int, scale: int) -> str:
    """The window of one round as a stacked bar on a scale of tokens."""
    parts = [
        segment(use.prompt, scale, "motif-fill", "prompt without the note"),
        segment(use.note, scale, "motif-fill", "note", round_colour(round - 1) if round > 1 else None),
        segment(use.reply, scale, "motif-fill", "reply", round_colour(round)),
        segment(use.lost, scale, "motif-lost", "does not fit"),
        segment(max(0, use.free - use.lost), scale, "motif-free", "free"),
    ]
    said = (
        f"prompt {use.prompt}, note {use.note}, reply {use.reply}, does not fit {use.lost}, window {use.window} tokens"
    )
    edge = f'<i style="left:{100 * use.window / scale:.2f}%"></i>'
    return f'<div class="motif-bar" role="img" aria-label="{said}">{"".join(parts)}{edge}</div>'


def render_meter(uses: Sequence[Use]) -> str:
    """One bar a round, all on one scale."""
    scale = max(max(use.window, use.prompt + use.note + use.reply + use.lost) for use in uses)
    rows = "".join(
        f'<div class="motif-row"><b>round {round}</b>{render_bar(use, round, scale)}'
        f"<span>{safe(use.label, 60)}</span></div>"
        for round, use in enumerate(uses, 1)
    )
    return f'<div class="motif">{rows}{LEGEND}</div>'


def meter_table(uses: Sequence[Use]) -> StaticTable:
    """The bars as numbers."""
    rows = [(r, u.prompt, u.note, u.reply, u.lost, u.free, u.label) for r, u in enumerate(uses, 1)]
    head = ("round", "prompt", "note", "reply", "does not fit", "free", "")
    return StaticTable(f"Context meter: tokens in a window of {uses[0].window}", head, rows)


def context_meter(
    source: Plan | Sequence[Reply], *, steps: int = 8, budget: int = 64, window: int = 256, rounds: int = 3
) -> Panel:
    """See what a context window holds, round by round.

    Args:
        source: `(steps, budget, window, rounds) -> [Use, ...]`, such as `functools.partial(data.plan, costs)`; or the
            recorded replies of one trajectory, where the sliders show what smaller limits would have lost.
        steps: steps of the problem at first.
        budget: completion tokens of one round at first.
        window: size of the context window at first, in tokens.
        rounds: rounds at first; only a plan can change it.
    """
    if not callable(source) and not source:
        raise ValueError("context_meter got no replies: give at least one Reply, or a function that computes the uses")
    controls = {
        "budget": slider("budget", budget, 8, 4 * budget, "completion tokens a round may write", max(1, budget // 16)),
        "window": slider("window", window, 16, 4 * window, "tokens the context window holds", max(1, window // 16)),
    }
    if callable(source):
        steps_rounds = {
            "steps": slider("steps", steps, 1, 4 * steps, "steps that the problem needs"),
            "rounds": slider("rounds", rounds, 1, max(6, rounds), "rounds of thinking"),
        }
        controls = steps_rounds | controls

    def uses(budget: int, window: int, steps: int = 0, rounds: int = 0) -> Sequence[Use]:
        return source(steps, budget, window, rounds) if callable(source) else uses_of(source, budget, window)

    return Panel(controls, lambda **v: render_meter(uses(**v)), lambda **v: meter_table(uses(**v)))
