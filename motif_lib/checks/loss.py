"""Check of the last exercise of notebook 04, the clipped loss; the library's own is `grpo.clipped_loss`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from motif_lib.checks.base import Case, Result, named, run

if TYPE_CHECKING:
    from torch import Tensor


def check_clipped_loss(function: Callable[..., Tensor]) -> Result:
    """`function(logp, old_logp, advantages, mask) -> loss`, with epsilon 0.2, averaged over all trained tokens."""
    import torch

    def token(function: Callable[..., Tensor], ratio: float, advantage: float) -> float:
        """The loss of one token whose probability was 0.25 and changed by `ratio`."""
        old = torch.tensor([[0.25]]).log()  # (1, 1)
        logp = torch.tensor([[0.25 * ratio]]).log()  # (1, 1)
        return float(function(logp, old, torch.tensor([advantage]), torch.ones(1, 1)))

    def batch(function: Callable[..., Tensor]) -> float:
        """Two replies of 2 and 1 tokens; the padding has moved too, and must not count."""
        logp = torch.tensor([[1.0, 1.0, 1.1], [1.0, 1.0, 1.0]]).log()  # (2, 3)
        mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]])  # (2, 3)
        return float(function(logp, torch.zeros(2, 3), torch.tensor([3.0, -1.0]), mask))

    def reply(function: Callable[..., Tensor]) -> float:
        """A good reply of two tokens: one became more likely by half, one less likely by half."""
        return float(function(torch.tensor([[1.5, 0.5]]).log(), torch.zeros(1, 2), torch.ones(1), torch.ones(1, 2)))

    def silent(function: Callable[..., Tensor]) -> float:
        """Two replies of one token each; the second has no advantage."""
        zeros = torch.zeros(2, 1)
        return float(function(zeros, zeros, torch.tensor([1.0, 0.0]), torch.ones(2, 1)))

    def gradient(function: Callable[..., Tensor]) -> list[Any]:
        """What flows back to the log-probabilities of two replies of 2 and 1 tokens."""
        logp = torch.zeros(2, 2, requires_grad=True)
        function(logp, torch.zeros(2, 2), torch.tensor([1.0, -2.0]), torch.tensor([[1.0, 1], [1, 0]])).backward()
        return logp.grad.tolist()

    unmoved = named(
        [
            (1.0, "the sign: training minimises the loss, so what should grow needs a minus"),
            (0.0, "the ratio of two probabilities is exp(logp - old_logp), which is 1 at the start"),
            (-0.5, "one token is trained here: divide by mask.sum(), with nothing added"),
            (-0.25, "this is the probability itself; the ratio compares it with the one before: exp(logp - old_logp)"),
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
    # the ratio goes up and down by half, the advantage is 2 and -2
    clipped = named(
        [
            ([-3.0, 3.0, -1.0, 1.0], "a good token gains nothing beyond 1 + epsilon: clip the ratio"),
            (
                [-2.4, 2.4, -1.6, 1.6],
                "a bad token that became more likely must be pushed back: take the minimum of clipped and unclipped",
            ),
            (
                [-3.0, 2.4, -1.6, 1.0],
                "this is the maximum of clipped and unclipped: take the minimum, the cautious one",
            ),
            ([-4 / 3, 1.6, -2.4, 4.0], "the ratio is upside down: new over old, exp(logp - old_logp)"),
            ([-1.2, 3.0, -1.0, 1.0], "clip the ratio, not its product with the advantage"),
            ([-2.4, 3.0, -1.0, 1.0], "the ratio is clipped above only: a bad token is not pushed below 1 - epsilon"),
            ([-3.0, 3.0, -1.0, 1.6], "the ratio is clipped below only: a good token gains nothing beyond 1 + epsilon"),
            (
                [-2 * math.log(0.375) / math.log(0.25), 1.6, -2.4, 3.0],
                "the ratio of two log-probabilities is not that of the probabilities: exp(logp - old_logp)",
            ),
        ],
        "for each token min(ratio x A, clip(ratio, 0.8, 1.2) x A), and a minus",
    )
    each = named(
        [(-1.0, "the minimum is taken for each token, before the sum over them")],
        "each token has its own ratio and its own minimum: here 1.2 and 0.5, not one ratio for the reply",
    )
    attached = "a token's gradient is -advantage / trained tokens: no detach() and no item() on the way"
    return run(
        "my_loss",
        function,
        [
            Case(unmoved, lambda f: token(f, 1.0, 1.0), -1.0),
            Case(clipped, lambda f: [token(f, r, a) for r in (1.5, 0.5) for a in (2.0, -2.0)], [-2.4, 3.0, -1.0, 1.6]),
            Case(averaged, batch, -5 / 3, broken="advantages is (N,), the others are (N, T): advantages.unsqueeze(1)"),
            Case(
                "of a bad token the ratio has no upper bound: the minimum takes it as it is",
                lambda f: token(f, 4.0, -1.0),
                4.0,
            ),
            Case(each, reply, -0.85),
            Case("a trained token counts, whatever its advantage: divide by mask.sum()", silent, -0.5),
            Case(attached, gradient, [[-1 / 3, -1 / 3], [2 / 3, 0.0]], broken=attached),
        ],
    )
