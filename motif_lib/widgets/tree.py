"""Branch tree: m replies, k trajectories each through n rounds, their outcomes, rewards and advantages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import ipywidgets as W

from motif_lib.protocol import NO_NOTE
from motif_lib.records import Reply, Trace
from motif_lib.show.colours import round_colour
from motif_lib.widgets.data import Branch, Outcome, build_tree, groups
from motif_lib.widgets.markup import StaticTable, number, one_line, safe, verdict
from motif_lib.widgets.panel import Panel, hint, row, slider

LINE, STEP, LEFT = 18, 84, 84  # pixels: height of a trajectory, width of a round, x of the first reply
MAX_REPLIES, MAX_BRANCHES = 16, 16  # the most that the sliders reach; more could not be told apart


def node(x: float, y: float, reply: Reply) -> str:
    """A reply as a dot, its text as a tooltip; hollow if the budget cut it off."""
    colour = round_colour(reply.round)
    fill = f'fill="{colour}"' if reply.finished else 'fill="none"'
    title = f"<title>{safe(reply.text, 300)}</title>"
    return f'<circle cx="{x}" cy="{y}" r="5" {fill} stroke="{colour}" stroke-width="2">{title}</circle>'


def edge(x0: float, y0: float, x1: float, y1: float) -> str:
    """A line from the right of one dot to the left of another, level at both ends."""
    x0, x1 = x0 + 6, x1 - 6
    middle = (x0 + x1) / 2
    path = f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"
    return f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".45"/>'


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """A line of text, centred on y."""
    return f'<text x="{x}" y="{y + 4}" text-anchor="{anchor}">{safe(words, 200)}</text>'


def render_branch(branch: Branch, top: int, n: int, root: float, widest: float) -> str:
    """One reply: its dot, its trajectories below each other, then reward and advantage."""
    height = len(branch.trajectories) * LINE
    y, end = top + height / 2, LEFT + (n - 1) * STEP
    parts = [edge(20, root, LEFT, y), node(LEFT, y, branch.trajectories[0].replies[0])]
    for j, (trajectory, outcome) in enumerate(zip(branch.trajectories, branch.outcomes, strict=True)):
        level = top + (j + 0.5) * LINE
        for reply in trajectory.replies[1:]:
            x = LEFT + (reply.round - 1) * STEP
            parts.append(edge(x - STEP, y if reply.round == 2 else level, x, level) + node(x, level, reply))
        parts.append(text(end + 38, level, f"{verdict(outcome)[0]} {number(outcome)}"))
    bracket = f"M{end + 82} {top + 3}h6v{height - 6}h-6"
    parts.append(f'<path d="{bracket}" fill="none" stroke="currentColor" stroke-opacity=".6"/>')
    return "".join(parts) + render_reward(branch, end + 98, y, widest)


def render_reward(branch: Branch, x: float, y: float, widest: float) -> str:
    """The mean of the outcomes, the bonus, the reward, and the advantage as a bar left or right of zero."""
    parts = [text(x, y, terms(branch) + number(branch.reward))]
    zero = x + 245
    if branch.advantage is not None:
        width = 55 * branch.advantage / widest
        shape = f'x="{min(zero, zero + width):.1f}" y="{y - 6}" width="{abs(width):.1f}" height="12"'
        parts.append(f'<rect {shape} fill="{round_colour(1)}" fill-opacity=".9"/>')
    parts.append(f'<path d="M{zero} {y - 9}v18" stroke="currentColor"/>')
    return "".join(parts) + text(x + 175, y, number(branch.advantage, sign=True), "end")


def render_tree(branches: Sequence[Branch], n: int) -> str:
    """The whole group as inline SVG, and what it cost."""
    lines = sum(len(branch.trajectories) for branch in branches)
    height, end, top = 34 + lines * LINE + 10 * len(branches), LEFT + (n - 1) * STEP, 34
    root, width = 29 + (height - 34) / 2, end + 410
    widest = max([abs(branch.advantage or 0) for branch in branches] + [1e-9])
    parts = [text(LEFT + r * STEP, 12, f"round {r + 1}", "middle") for r in range(n)]
    parts += [text(end + x, 12, name) for x, name in ((38, "outcome"), (98, "reward"), (232, "advantage"))]
    for branch in branches:
        parts.append(render_branch(branch, top, n, root, widest))
        top += len(branch.trajectories) * LINE + 10
    said = f"{len(branches)} replies, {lines} trajectories, with their outcomes, rewards and advantages"
    question = f'<circle cx="20" cy="{root}" r="6" fill="none" stroke="currentColor" stroke-width="2"/>'
    svg = f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{said}">'
    return f'<div class="motif">{svg}{"".join(parts)}{question}</svg>{cost(branches)}</div>'


def cost(branches: Sequence[Branch]) -> str:
    """Generated replies of the tree, counted: round 1 is shared by the trajectories of a branch."""
    later = sum(len(t.replies) - 1 for branch in branches for t in branch.trajectories)
    m, trajectories = len(branches), sum(len(branch.trajectories) for branch in branches)
    return (
        f"<p>Cost: {m} replies of round 1 + {later} of later rounds ({trajectories} trajectories) = <b>{m + later} "
        "replies</b>. Only round 1 is trained: the advantage goes to its tokens. Hollow: cut off by the budget.</p>"
    )


def tree_table(branches: Sequence[Branch]) -> StaticTable:
    """The tree as numbers, each reply by the note that its futures begin with."""
    rows = [
        (
            note_of(branch.trajectories[0].replies[0]),
            " ".join(verdict(outcome)[0] for outcome in branch.outcomes),
            terms(branch) + number(branch.reward),
            number(branch.advantage, sign=True),
        )
        for branch in branches
    ]
    head = ("note of round 1, else its reply", "its futures", "reward", "advantage")
    return StaticTable("Branch tree: from outcomes to advantages", head, rows)


def note_of(reply: Reply) -> str:
    """What a reply hands on, on one line; how the reply begins, if it hands on nothing."""
    return one_line(reply.text if reply.carried in ("", NO_NOTE) else reply.carried, 90)


def terms(branch: Branch) -> str:
    """The sum before the reward, where it has two parts: the mean outcome and what the reply earned besides it."""
    if not branch.bonus or branch.reward is None:
        return ""
    return f"{number(branch.future)} {'−' if branch.bonus < 0 else '+'} {number(abs(branch.bonus))} = "


def branch_tree(
    traces: Trace | Iterable[Trace],
    *,
    outcome: Outcome | None = None,
) -> Panel:
    """See how outcomes become rewards and advantages, and how m, k and n change them, on recorded traces.

    The sliders show a part of the data: the first m replies, k trajectories each, stopped after round n.

    Args:
        traces: one trace, or many; those of the same question and step form a group.
        outcome: judges a trajectory stopped early; without it the outcome of such a trajectory is unknown.
    """
    by_question = groups([traces] if isinstance(traces, Trace) else traces)
    if not by_question:
        raise ValueError("branch_tree got no traces: give at least one Trace")
    m, k, n = _sizes(by_question)
    names = [(f"{i}. {one_line(_question(group))}", i - 1) for i, group in enumerate(by_question, 1)]
    controls = {
        "group": hint(
            W.Dropdown(options=names, description="group", layout=W.Layout(width="min(100%, 640px)")), "question"
        ),
        "m": slider("m replies", m, 1, m, "replies of round 1 in the group"),
        "k": slider("k branches", k, 1, k, "trajectories rolled out from each reply"),
        "n": slider("n rounds", n, 1, n, "rounds of each trajectory"),
    }

    def branches(group: int, m: int, k: int, n: int) -> list[Branch]:
        return build_tree(by_question[group], m, k, n, outcome)

    rows = [controls["group"], row(controls["m"], controls["k"], controls["n"])]
    return Panel(controls, lambda **v: render_tree(branches(**v), v["n"]), lambda **v: tree_table(branches(**v)), rows)


def _sizes(groups_: list[list[Trace]]) -> tuple[int, int, int]:
    """The largest m, k and n in the data, as far as they can be drawn."""
    traces = [trace for group in groups_ for trace in group]
    m = min(MAX_REPLIES, max(len(group) for group in groups_))
    k = min(MAX_BRANCHES, max(len(trace.trajectories) for trace in traces))
    return m, k, max(len(t.replies) for trace in traces for t in trace.trajectories)


def _question(group: list[Trace]) -> str:
    step, text = group[0].step, group[0].trajectories[0].question.text
    return text if step is None else f"step {step}: {text}"
