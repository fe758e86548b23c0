"""Checks of notebook 04: group advantages, the log-probabilities of a reply, the clipped loss.

The library's own are `grpo.group_advantages`, `grpo.token_logprobs` and `grpo.clipped_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from motif_lib.checks.base import Case, Result, named, run

if TYPE_CHECKING:
    from torch import Tensor


def check_group_advantages(function: Callable[[Tensor], Tensor]) -> Result:
    """`function(rewards) -> advantages`, both (B, m): (r - mean) / (sample std + eps) in each group."""
    import torch

    def rounded(function: Callable[[Tensor], Tensor], rewards: list[list[float]]) -> list[Any]:
        """To two digits, so that any usual eps passes."""
        return torch.as_tensor(function(torch.tensor(rewards))).double().round(decimals=2).tolist()

    one_success = named(
        [
            ([[1.73, -0.58, -0.58, -0.58]], "this std divides by m, numpy's default; torch and TRL divide by m - 1"),
            ([[2.25, -0.75, -0.75, -0.75]], "the distance to the mean is not divided by the spread yet"),
            ([[1.0, -0.33, -0.33, -0.33]], "this divides by the variance: take its square root"),
            (
                [[3.0, -1.0, -1.0, -1.0]],
                "this divides by the standard error: the spread is the std alone, without sqrt(m)",
            ),
            (
                [[0.75, -0.25, -0.25, -0.25]],
                "this divides by the range, max - min: the spread is the standard deviation",
            ),
            ([[2.67, 0.67, 0.67, 0.67]], "the mean of the group is not subtracted yet"),
            ([[1.41, -0.47, -0.47, -0.47]], "eps is too large, it changes the advantages: 1e-4 is enough"),
            ([[1.49, -0.5, -0.5, -0.5]], "eps is too large, it changes the advantages: 1e-4 is enough"),
        ],
        "from each reward take the group's mean, then divide by the group's standard deviation",
    )
    flat = named(
        [([], "a silent group is left out: keep the shape (B, m), it gets zeros")],
        "a group without spread divides 0 by 0: add a small eps to the std",
    )
    return run(
        "my_advantages",
        function,
        [
            Case(one_success, lambda f: rounded(f, [[4.0, 1, 1, 1]]), [[1.5, -0.5, -0.5, -0.5]]),
            Case(
                "every group has its own mean and spread: dim=1, keepdim=True",
                lambda f: rounded(f, [[1.0, 0, 0, 0], [9.0, 9, 11, 11]]),
                [[1.5, -0.5, -0.5, -0.5], [-0.87, -0.87, 0.87, 0.87]],
            ),
            Case(flat, lambda f: rounded(f, [[2.0, 2, 2]]), [[0.0, 0.0, 0.0]]),
            Case(
                "one group of a batch may have no spread while another has",
                lambda f: rounded(f, [[2.0, 2, 2, 2], [1.0, 0, 0, 0]]),
                [[0.0] * 4, [1.5, -0.5, -0.5, -0.5]],
            ),
            Case(
                "the mean of equal rewards is a rounding error off, about 3e-8: an eps as small, or nan_to_num, makes "
                "advantages of it; take 1e-4",
                lambda f: [abs(a) < 0.1 for r, m in ((0.3, 8), (0.7, 7)) for a in rounded(f, [[r] * m])[0]],
                [True] * 15,
            ),
        ],
    )


def check_logprobs(function: Callable[[Tensor, Tensor], Tensor]) -> Result:
    """`function(logits, tokens) -> logp`: logits (N, P + T, V) of prompt and reply, tokens and logp (N, T)."""
    import torch

    # P = 3, T = 2, V = 3
    logits = torch.tensor([[[1, 3, 0], [0, 1, 3], [2, 0, 1], [1, 4, 0], [0, 2, 5.0]]]) + 7
    tokens = torch.tensor([[2, 0]])
    table = logits.log_softmax(dim=-1)[0]

    def picked(values: Tensor, positions: list[int]) -> list[list[float]]:
        """Of each position the value at the token of the reply."""
        return [[float(values[at, token]) for at, token in zip(positions, tokens[0])]]

    wanted = picked(table, [2, 3])
    column = logits.softmax(dim=1).log()[0]  # over the positions
    known = [
        (picked(table, [3, 4]), "the logits at a position predict the next token: take those one position earlier"),
        (picked(table, [1, 2]), "shifted twice: the token at position t is predicted at t - 1"),
        (picked(table, [0, 1]), "the first positions are the prompt's: it has P = logits.shape[1] - tokens.shape[1]"),
        (picked(logits[0], [2, 3]), "these are logits, not log-probabilities yet: log_softmax over the vocabulary"),
        (picked(logits[0], [3, 4]), "these are logits, not log-probabilities yet: log_softmax over the vocabulary"),
        ([[-value for value in wanted[0]]], "this is the cross-entropy: a log-probability has the other sign"),
        (picked(table.exp(), [2, 3]), "this is the probability: take its logarithm, log_softmax"),
        (picked(table.exp(), [3, 4]), "this is the probability: take its logarithm, log_softmax"),
        (picked(column, [2, 3]), "the softmax runs over the vocabulary, the last dimension: dim=-1"),
        (
            [[float(value) for value in table[2:4].max(dim=-1).values]],
            "this is the likeliest token: gather the reply's",
        ),
        ([sum(wanted[0])], "one number for each token, not for each reply: the loss weighs and masks tokens"),
        ([sum(wanted[0]) / 2], "one number for each token, not for each reply: the loss weighs and masks tokens"),
    ]
    return run(
        "my_logprobs",
        function,
        [
            Case(
                named(
                    known, "for each token of the reply log_softmax of the logits one position before, at this token"
                ),
                lambda f: f(logits, tokens),
                wanted,
                broken="of the P + T positions take the T that predict the reply: each lies one before its token",
            ),
            Case(
                "the prompt may have any length: P = logits.shape[1] - tokens.shape[1]",
                lambda f: [f(logits[:, 1:], tokens), f(logits, tokens[:, 1:])],
                [wanted, [[float(table[3, 0])]]],
            ),
            Case(
                "each row has its own tokens: gather along the vocabulary",
                lambda f: f(logits.expand(2, -1, -1), torch.tensor([[2, 0], [1, 1]])),
                [wanted[0], [float(table[2, 1]), float(table[3, 1])]],
            ),
            Case(
                "where logits lie far apart, exp overflows and a probability rounds to 0: log_softmax does not",
                lambda f: f(40 * logits, tokens),
                picked((40 * logits).log_softmax(dim=-1)[0], [2, 3]),
            ),
        ],
    )


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
            Case(each, reply, -0.85),
            Case(attached, gradient, [[-1 / 3, -1 / 3], [2 / 3, 0.0]], broken=attached),
        ],
    )
