"""Checks of notebook 04: group advantages, the log-probabilities of a reply, and from `loss` the clipped loss.

The library's own are `grpo.group_advantages` and `grpo.token_logprobs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.checks.loss import check_clipped_loss

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_clipped_loss", "check_group_advantages", "check_logprobs"]
SPREAD = math.sqrt(0.5)  # of the rewards 0 and 1


def check_group_advantages(function: Callable[[Tensor], Tensor]) -> Result:
    """`function(rewards) -> advantages`, both (B, m): (r - mean) / (sample std + eps) in each group."""
    import torch

    def rounded(function: Callable[[Tensor], Tensor], rewards: list[list[float]]) -> list[Any]:
        """To two digits, so that any usual eps passes."""
        return torch.as_tensor(function(torch.tensor(rewards))).double().round(decimals=2).tolist()

    def narrow(function: Callable[[Tensor], Tensor]) -> list[float]:
        """The last advantages of a wide and a narrow group; those without an eps where one eps explains both."""
        wide, got = torch.as_tensor(function(torch.tensor([[0.0, 1.0], [0.0, 0.001]]))).double()[:, 1].tolist()
        eps = 0.5 / wide - SPREAD
        same_eps = math.isclose(got, 0.0005 / (0.001 * SPREAD + eps), rel_tol=0.02)
        return [SPREAD, SPREAD] if same_eps else [wide, got]

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
            Case(
                "the advantages are cut off: one success among 16 has about 3.7, and is meant to",
                lambda f: min(3.7, rounded(f, [[1.0] + [0.0] * 15])[0][0]),
                3.7,
            ),
            Case(_narrow, narrow, [SPREAD, SPREAD]),
        ],
    )


def _narrow(got: list[float]) -> str:
    wide, narrow = got
    if abs(wide - round(wide, 3)) < 1e-6:
        return "give the advantages as they are, not rounded"
    if narrow == 0:
        return "a small spread is a spread: only a group without any gets zeros"
    return "add the same eps to every spread, std + eps: a floor below it (clamp, maximum) is another formula"


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

    def gradient(function: Callable[[Tensor], Tensor]) -> Any:
        """What flows back to the logits from the sum of the log-probabilities, to one digit."""
        given = logits.clone().requires_grad_()
        function(given).sum().backward()
        return given.grad.round(decimals=1)

    attached = "training needs the gradient of all of it: no detach(), no no_grad() and no numpy on the way"
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
            Case(
                attached,
                lambda f: gradient(lambda given: f(given, tokens)),
                gradient(lambda given: given[:, 2:4].log_softmax(dim=-1).gather(-1, tokens[:, :, None])),
                broken=attached,
            ),
        ],
    )
