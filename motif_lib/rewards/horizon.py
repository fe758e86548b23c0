"""`horizon`: how many rounds after a reply decide its reward? `credit` derives it.

The paper looks to the end. Reasoning Cache (2602.03773) grades the answer of each round by itself, which is horizon 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from motif_lib.carry import Carry, progress_note
from motif_lib.records import Trajectory
from motif_lib.rounds import Stop, branch
from motif_lib.samplers.base import Sampler


def branch_ahead(
    begun: Sequence[Trajectory],
    sampler: Sampler,
    num_trajectories: int,
    num_rounds: int,
    carry: Carry = progress_note,
    stop: Stop | None = None,
    horizon: int | None = None,
) -> list[list[Trajectory]]:
    """`rounds.branch`, with futures of at most `horizon` rounds; None for futures to the end.

    The rounds that follow the reply of round r are asked as those of a trajectory of min(n, r + horizon) rounds, so
    the last of them gives a final answer. Rows of one round share its sampler calls.
    """
    ends = [num_rounds if horizon is None else min(num_rounds, len(each.replies) + horizon) for each in begun]
    found: dict[int, list[Trajectory]] = {}
    for end in sorted(set(ends)):
        rows = [row for row, other in enumerate(ends) if other == end]
        futures = branch([begun[row] for row in rows], sampler, num_trajectories, end, carry, stop)
        found |= zip(rows, futures)
    return [found[row] for row in range(len(begun))]
