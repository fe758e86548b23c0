"""`efficiency`: is a right answer worth more the fewer rounds it took? InftyThink+ (2602.06960)."""

from __future__ import annotations

from collections.abc import Sequence

from motif_lib.records import Trajectory


def efficient(outcomes: Sequence[float | None], futures: Sequence[Trajectory], phi: float) -> list[float | None]:
    """Each outcome times 1 - ((n_used - 1) / phi)^2, where n_used counts the rounds of its trajectory.

    >>> from motif_lib.records import Question, Reply
    >>> done = [Trajectory(Question("?", "1"), (Reply(1, [], "", "", True),) * rounds) for rounds in (1, 2, 3)]
    >>> efficient([2.0, 2.0, 0.0], done, phi=4)
    [2.0, 1.875, 0.0]
    """
    shares = [1 - ((len(future.replies) - 1) / phi) ** 2 for future in futures]
    return [None if outcome is None else outcome * share for outcome, share in zip(outcomes, shares, strict=True)]
