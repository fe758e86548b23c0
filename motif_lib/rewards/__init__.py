"""Rewards in TRL's contract: `(prompts, completions, **columns) -> list[float | None]`."""

from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import FutureAccuracy

__all__ = ["FutureAccuracy", "format_reward"]
