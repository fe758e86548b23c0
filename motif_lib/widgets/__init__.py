"""Widgets to look into multi-round thinking. Each is a `Panel`: controls, and one picture drawn from their values.

`context_meter` shows what fills a window, `round_stepper` walks through the rounds of trajectories, `reward_lab` scores
a pasted reply, `branch_tree` follows outcomes to rewards and advantages. The arithmetic is in `data`, free of widgets.
"""

from motif_lib.widgets.lab import reward_lab
from motif_lib.widgets.meter import context_meter
from motif_lib.widgets.panel import Panel
from motif_lib.widgets.stepper import round_stepper
from motif_lib.widgets.tree import branch_tree

__all__ = ["Panel", "branch_tree", "context_meter", "reward_lab", "round_stepper"]
