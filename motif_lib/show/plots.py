"""Figures: data in, Axes out. No arithmetic, no file reading, never `show()`. One style, one colour a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif_lib.show.colours import GREY, ROUND_COLOURS, method_colour, round_colour

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "font.size": 10,
    "figure.dpi": 100,
}


def new_axes(width: float = 7.0, height: float = 3.6) -> Any:
    """Axes on a figure of its own, in the house style; no global pyplot state, so nothing leaks into a notebook."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "axes.prop_cycle": matplotlib.cycler(color=ROUND_COLOURS)}):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        return figure.add_subplot()


def save(ax: Any, path: str | Path) -> None:
    """Write the figure of these axes, with everything outside them, such as a legend."""
    ax.figure.savefig(path, dpi=120, bbox_inches="tight")


def accuracy_by_length(
    curves: Mapping[str, Sequence[tuple[Any, float, float, float]]], ax: Any = None, fits: int | None = None
) -> Any:
    """Accuracy with 95 % intervals against the length of the problem, or against whatever else the points begin with.

    Args:
        curves: for each method its points `(length, accuracy, low, high)`, accuracies in 0..1.
        ax: where to draw; a new figure by default.
        fits: the longest problem that fits one window with its work; a line is drawn behind it.
    """
    ax = ax or new_axes()
    for index, (name, points) in enumerate(curves.items()):
        lengths, accuracy, low, high = zip(*points)
        shifted = [length + 0.07 * (index - (len(curves) - 1) / 2) for length in lengths]  # keep the bars apart
        errors = [[a - b for a, b in zip(accuracy, low)], [b - a for a, b in zip(accuracy, high)]]
        ax.errorbar(
            shifted, accuracy, errors, marker="o", ms=4, lw=1.6, elinewidth=1, label=name, color=method_colour(name)
        )
    ax.set(xlabel="steps of the problem", ylabel="accuracy (95 % interval)", ylim=(-0.03, 1.03))
    if fits is not None:
        ax.axvline(fits + 0.5, color=GREY, ls="--", lw=1)
        ax.text(fits + 0.6, 1.05, "does not fit one window", color=GREY, va="bottom")
        ax.text(fits + 0.4, 1.05, "fits", color=GREY, va="bottom", ha="right")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def learning_curves(curves: Mapping[str, Sequence[tuple[int, float]]], ax: Any = None, ylabel: str = "accuracy") -> Any:
    """A training metric against the step, for each method, as given.

    Args:
        curves: for each method its points `(step, value)`.
    """
    ax = ax or new_axes()
    for name, points in curves.items():
        steps, values = zip(*points)
        ax.plot(steps, values, lw=1.6, label=name, color=method_colour(name))
    ax.set(xlabel="training step", ylabel=ylabel)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def note_use(curves: Mapping[str, Sequence[tuple[int, float, float, float]]], ax: Any = None) -> Any:
    """Accuracy against the training step, a line for each kind of note that the last round was given.

    Args:
        curves: by kind of note its points `(step, accuracy, low, high)`, as `training.note_use.curves` gives them.
        ax: where to draw; a new figure by default.
    """
    ax = ax or new_axes()
    for number, (kind, points) in enumerate(curves.items(), 1):
        steps, accuracy, low, high = zip(*points)
        ax.plot(steps, accuracy, marker="o", ms=4, lw=1.6, label=kind, color=round_colour(number))
        ax.fill_between(steps, low, high, color=round_colour(number), alpha=0.12, lw=0)
    ax.set(xlabel="training step", ylabel="accuracy (95 % interval)", ylim=(-0.03, 1.03))
    ax.legend(title="note of the last round", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def intervals(
    groups: Mapping[str, Sequence[tuple[str, float, float, float]]],
    ax: Any = None,
    reference: float | None = None,
    reference_name: str = "",
) -> Any:
    """Accuracies with their 95 % intervals, a line each, one group below the other.

    Args:
        groups: for each group its lines `(label, accuracy, low, high)`, accuracies in 0..1.
        ax: where to draw; a new figure by default.
        reference: accuracy of a vertical line, named `reference_name`.
    """
    ax = ax or new_axes(7.0, 0.6 + 0.28 * sum(len(lines) + 1 for lines in groups.values()))
    labels: dict[int, str] = {}  # by height
    y = 0
    for number, lines in enumerate(groups.values(), 1):
        for label, value, low, high in lines:
            errors = [[value - low], [high - value]]
            ax.errorbar(value, y, xerr=errors, marker="o", ms=5, elinewidth=1.4, color=round_colour(number))
            labels[y] = label
            y += 1
        y += 1  # an empty line between groups
    if reference is not None:
        ax.axvline(reference, color=method_colour("base"), lw=1, ls="--")
        above = ax.get_xaxis_transform()  # x in data, y in parts of the axes
        ax.text(reference, 1.01, reference_name, transform=above, ha="center", va="bottom")
    ax.set_yticks(list(labels), list(labels.values()))
    ax.set(xlabel="accuracy (95 % interval)", xlim=(-0.03, 1.03), ylim=(y - 1.5, -0.5))
    return ax
