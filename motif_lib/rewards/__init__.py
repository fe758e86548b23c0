"""Rewards in TRL's contract: `(completions, **columns) -> list[float]`."""

from motif_lib.rewards.format import format_reward

__all__ = ["format_reward"]
