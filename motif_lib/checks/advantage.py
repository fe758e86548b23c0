"""Checks of notebook 04: rewards from outcomes, group advantages, the clipped loss.

The library's own are `rewards.future.mean_outcome`, `grpo.group_advantages` and `grpo.clipped_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from motif_lib.checks.base import Case, Result, named, run

if TYPE_CHECKING:
    from torch import Tensor

Outcomes = Sequence[Sequence[float | None]]


def check_future_reward(function: Callable[[Outcomes], Sequence[float | None]]) -> Result:
    """`function(outcomes) -> rewards`: k outcomes of each of m replies -> m rewards, the mean of what was graded."""
    mean = named(
        [
            ([6.0, 0.0], "this is the sum of the outcomes: it grows with k; take the mean"),
            ([3.0, 0.0], "an outcome is 2 or 0 already, the points of a right or wrong answer: no factor on top"),
            ([0.75, 0.0], "this is the share of right answers: an outcome is points, 2 or 0; take their mean"),
            (
                [2.0, 0.0],
                "this is the best outcome: what counts is how often the futures succeed, not whether one does",
            ),
            (0.75, "one reward for each reply, not one for the whole group"),
        ],
        "the reward of a reply is the mean of its k outcomes",
    )
    return run(
        "my_rewards",
        function,
        [
            Case(mean, lambda f: f([[2.0, 2.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), [1.5, 0.0]),
            Case("divide by the number of trajectories, which need not be 4", lambda f: f([[2.0, 2.0, 0.0]]), [4 / 3]),
            Case(
                "None is not a wrong answer, it could not be graded: leave it out of the mean",
                lambda f: f([[2.0, None, 0.0, 2.0]]),
                [4 / 3],
                broken="None is not a wrong answer: leave it out before you take the mean",
            ),
            Case(
                "no outcome could be graded: nobody knows how good the reply is, the reward is None",
                lambda f: f([[None, None], [2.0, 2.0]]),
                [None, 2.0],
                broken="where no outcome could be graded the reward is None",
            ),
        ],
    )


def check_group_advantages(function: Callable[[Tensor], Tensor]) -> Result:
    """`function(rewards) -> advantages`, both (B, m): (r - mean) / (sample std + eps) in each group."""
    import torch

    def rounded(function: Callable[[Tensor], Tensor], rewards: list[list[float]]) -> list[Any]:
        """To two digits, so that any small eps passes."""
        return torch.as_tensor(function(torch.tensor(rewards))).double().round(decimals=2).tolist()

    one_success = named(
        [
            ([[1.73, -0.58, -0.58, -0.58]], "this std divides by m, numpy's default; torch and TRL divide by m - 1"),
            ([[0.75, -0.25, -0.25, -0.25]], "the distance to the mean is not divided by the spread yet"),
            ([[3.0, -1.0, -1.0, -1.0]], "this divides by the variance: take its square root"),
            ([[2.0, 0.0, 0.0, 0.0]], "the mean of the group is not subtracted yet"),
        ],
        "from each reward take the group's mean, then divide by the group's standard deviation",
    )
    flat = "a group without spread divides 0 by 0: add a small eps to the std"
    return run(
        "my_advantages",
        function,
        [
            Case(one_success, lambda f: rounded(f, [[1.0, 0, 0, 0]]), [[1.5, -0.5, -0.5, -0.5]]),
            Case(
                "every group has its own mean and spread: dim=1, keepdim=True",
                lambda f: rounded(f, [[1.0, 0, 0, 0], [9.0, 9, 11, 11]]),
                [[1.5, -0.5, -0.5, -0.5], [-0.87, -0.87, 0.87, 0.87]],
            ),
            Case(flat, lambda f: rounded(f, [[2.0, 2, 2]]), [[0.0, 0.0, 0.0]]),
        ],
    )


def check_clipped_loss(function: Callable[..., Tensor]) -> Result:
    """`function(logp, old_logp, advantages, mask) -> loss`, with epsilon 0.2, averaged over all trained tokens."""
    import torch

    def token(function: Callable[..., Tensor], ratio: float, advantage: float) -> float:
        """The loss of one token whose probability was 0.5 and changed by `ratio`."""
        old = torch.tensor([[0.5]]).log()  # (1, 1)
        logp = torch.tensor([[0.5 * ratio]]).log()  # (1, 1)
        return float(function(logp, old, torch.tensor([advantage]), torch.ones(1, 1)))

    def batch(function: Callable[..., Tensor]) -> float:
        """Two replies of 2 and 1 tokens; the padding has moved too, and must not count."""
        logp = torch.tensor([[1.0, 1.0, 1.1], [1.0, 1.0, 1.0]]).log()  # (2, 3)
        mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]])  # (2, 3)
        return float(function(logp, torch.zeros(2, 3), torch.tensor([3.0, -1.0]), mask))

    def gradient(function: Callable[..., Tensor]) -> list[Any]:
        """What flows back to the log-probabilities of two replies of 2 and 1 tokens."""
        logp = torch.zeros(2, 2, requires_grad=True)
        function(logp, torch.zeros(2, 2), torch.tensor([1.0, -2.0]), torch.tensor([[1.0, 1], [1, 0]])).backward()
        return logp.grad.tolist()

    unmoved = named(
        [
            (1.0, "the sign: training minimises the loss, so what should grow needs a minus"),
            (0.0, "the ratio of two probabilities is exp(logp - old_logp), which is 1 at the start"),
            (-0.5, "this is the probability itself; the ratio compares it with the one before: exp(logp - old_logp)"),
        ],
        "ratio 1 and advantage 1 give the loss -1",
    )
    averaged = named(
        [
            (-1.05, "the padding counts: multiply by the mask"),
            (-5 / 6, "divide by the number of trained tokens, mask.sum(), not of all tokens"),
            (-1.0, "this averages each reply first; here every trained token of the batch weighs the same"),
        ],
        "sum over the trained tokens, divided by their number",
    )
    # the ratio goes up and down by half, the advantage is 1 and -1
    clipped = named(
        [
            ([-1.5, 1.5, -0.5, 0.5], "a good token gains nothing beyond 1 + epsilon: clip the ratio"),
            (
                [-1.2, 1.2, -0.8, 0.8],
                "a bad token that became more likely must be pushed back: take the minimum of clipped and unclipped",
            ),
            (
                [-1.5, 1.2, -0.8, 0.5],
                "this is the maximum of clipped and unclipped: take the minimum, the cautious one",
            ),
            ([-2 / 3, 0.8, -1.2, 2.0], "the ratio is upside down: new over old, exp(logp - old_logp)"),
            ([-1.2, 1.5, -0.5, 0.5], "the ratio is clipped above only: a bad token is not pushed below 1 - epsilon"),
            ([-1.5, 1.5, -0.5, 0.8], "the ratio is clipped below only: a good token gains nothing beyond 1 + epsilon"),
            (
                [-math.log(0.75) / math.log(0.5), 0.8, -1.2, 2.0],
                "the ratio of two log-probabilities is not that of the probabilities: exp(logp - old_logp)",
            ),
        ],
        "for each token min(ratio x A, clip(ratio, 0.8, 1.2) x A), and a minus",
    )
    attached = "a token's gradient is -advantage / trained tokens: no detach() and no item() on the way"
    return run(
        "my_loss",
        function,
        [
            Case(unmoved, lambda f: token(f, 1.0, 1.0), -1.0),
            Case(clipped, lambda f: [token(f, r, a) for r in (1.5, 0.5) for a in (1.0, -1.0)], [-1.2, 1.5, -0.5, 0.8]),
            Case(averaged, batch, -5 / 3, broken="advantages is (N,), the others are (N, T): advantages.unsqueeze(1)"),
            Case(attached, gradient, [[-1 / 3, -1 / 3], [2 / 3, 0.0]], broken=attached),
        ],
    )
