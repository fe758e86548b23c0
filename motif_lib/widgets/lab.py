"""Reward lab: paste a reply and see what our rewards and the reference code's give it, and why they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as W

from motif_lib.widgets.markup import StaticTable, clean, number, safe
from motif_lib.widgets.panel import Panel, hint, row

if TYPE_CHECKING:
    from motif_lib.rewards.reference import Explanation

PASTED = 50_000  # characters of a reply that a text field can still edit


def rows_of(explained: Explanation) -> list[tuple[str, str, str, str]]:
    """(reward, ours, reference, cause) line by line, and the sums; tag counts need three decimals."""
    lines = [(row.name, row.ours, row.reference, row.cause) for row in explained.rows]
    lines.append(("sum", explained.ours, explained.reference, ""))
    return [(name, number(ours, digits=3), number(theirs, digits=3), cause) for name, ours, theirs, cause in lines]


def render_scores(explained: Explanation) -> str:
    """Both scores side by side; rows that differ are bold and say so, whatever the colours."""
    lines = []
    for name, ours, theirs, cause in rows_of(explained):
        weight, sign = ("700", "≠") if ours != theirs else ("400", "=")
        lines.append(
            f'<tr style="font-weight:{weight}"><th scope="row">{safe(name)}</th><td class="num">{safe(ours)}</td>'
            f'<td>{sign}</td><td class="num">{safe(theirs)}</td><td style="font-weight:400">{safe(cause)}</td></tr>'
        )
    head = "<tr><th>reward</th><th>ours</th><th></th><th>reference</th><th>why they differ</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="motif" aria-live="polite">{table}</div>'


def scores_table(explained: Explanation) -> StaticTable:
    """The same for places without a kernel."""
    return StaticTable("Reward lab", ("reward", "ours", "reference", "why they differ"), rows_of(explained))


def reward_lab(reply: str = "", gold: str = "", task: str = "gsm8k", *, tasks: tuple[str, ...] = ()) -> Panel:
    """Score any reply by our rewards and by the reference code's.

    Args:
        reply: the reply at first.
        gold: the gold answer at first.
        task: task whose rules apply.
        tasks: tasks to choose from, where there is a choice.
    """
    from motif_lib.rewards import reference

    wide = W.Layout(width="min(100%, 700px)", height="150px")
    controls = {
        "reply": hint(
            W.Textarea(clean(reply, PASTED), description="reply", layout=wide, continuous_update=False), "paste a reply"
        ),
        "gold": hint(W.Text(clean(gold), description="gold", continuous_update=False), "the right answer"),
        "task": hint(W.Dropdown(options=tasks or (task,), value=task, description="task"), "whose rules apply"),
    }
    how = W.HTML('<div class="motif">The scores follow when you leave a field: press Tab or click elsewhere.</div>')
    rows = [controls["reply"], row(controls["gold"], controls["task"]), how]

    def explained(values: dict[str, str]) -> Explanation:
        return reference.explain(values["reply"], values["gold"], values["task"])

    return Panel(controls, lambda **v: render_scores(explained(v)), lambda **v: scores_table(explained(v)), rows)
