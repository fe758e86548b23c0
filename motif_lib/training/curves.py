"""The curves of a training in one call, from its trainer or from its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motif_lib.show import plots
from motif_lib.training.run_folder import read_metrics

KEYS = ("reward", "motif/accuracy", "motif/groups_without_signal")


def plot(run: Any, keys: Sequence[str] = KEYS, name: str = "training") -> Any:
    """What a training logged, one panel for each metric, against the step.

    Args:
        run: a trainer, a run folder of `motif train`, or the `output_dir` of a `MotifTrainer` with a checkpoint.
        keys: names of metrics.
        name: what the curve is called.

    Returns:
        a matplotlib figure: `plot(trainer).savefig("curves.png")`.

    Raises:
        ValueError: in one line, if there is no log, or no such metric in it; those that there are are named.
    """
    from matplotlib.figure import Figure

    log = [entry for entry in _log_of(run) if {"reward", "loss"} & entry.keys()]
    there = {key for entry in log for key in entry}
    if missing := [key for key in keys if key not in there]:
        raise ValueError(
            f"no {missing[0]!r} in the log: choose from {', '.join(sorted(there)) or 'nothing, it is empty'}"
        )
    figure = Figure(figsize=(7.0, 2.6 * len(keys)), layout="constrained")
    for axes, key in zip(figure.subplots(len(keys), squeeze=False).flat, keys):
        plots.learning_curves({name: [(entry["step"], entry[key]) for entry in log if key in entry]}, axes, ylabel=key)
    return figure


def _log_of(run: Any) -> list[dict[str, Any]]:
    """The entries that a Trainer logged."""
    if hasattr(run, "state"):
        return run.state.log_history
    if (Path(run) / "metrics.jsonl").exists():
        return read_metrics(run)
    states = sorted(Path(run).glob("checkpoint-*/trainer_state.json"), key=lambda path: path.stat().st_mtime)
    if not states:
        raise ValueError(f"{run} holds no metrics.jsonl and no checkpoint: give a run folder, or the trainer itself")
    return json.loads(states[-1].read_text(encoding="utf-8"))["log_history"]
