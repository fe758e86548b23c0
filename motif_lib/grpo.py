"""GRPO from scratch, for reading: the teaching twin of what TRL's `GRPOTrainer` computes.

B questions, m replies each (a group), T completion tokens. Shapes stand on each line. `tests/test_grpo.py` compares
every number with TRL's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def group_advantages(rewards: Tensor, scale: bool = True, eps: float = 1e-4) -> Tensor:
    """How much better than its group each reply did: (r - mean) / (std + eps).

    Args:
        rewards: (B, m).
        scale: divide by the group's sample standard deviation (n - 1, as torch and TRL do); numpy's default divides by
            n and gives larger values, Dr. GRPO does not divide at all.
        eps: keeps a group without spread at 0.

    Returns:
        (B, m) advantages; each group sums to 0.

    >>> import torch
    >>> group_advantages(torch.tensor([[2.0, 0.0, 0.0, 0.0]]), eps=0)
    tensor([[ 1.5000, -0.5000, -0.5000, -0.5000]])
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)  # (B, m)
    if not scale:
        return centred
    return centred / (rewards.std(dim=1, keepdim=True) + eps)  # (B, m)


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability that the policy gave to each token.

    Args:
        logits: (N, T, V), where position t predicts `tokens[:, t]`.
        tokens: (N, T) integers.

    Returns:
        (N, T).
    """
    return logits.log_softmax(dim=-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)  # (N, T)


def clipped_loss(logp: Tensor, old_logp: Tensor, advantages: Tensor, mask: Tensor, epsilon: float = 0.2) -> Tensor:
    """The clipped surrogate, averaged over all completion tokens of the batch (TRL's `loss_type="dapo"`).

    Args:
        logp, old_logp: (N, T) log-probabilities under the current policy and under the one that sampled.
        advantages: (N,), the same for every token of a reply.
        mask: (N, T), 1 on tokens that are trained: for MOTIF, those of round 1.
        epsilon: how far the ratio may move before the gradient stops.

    Returns:
        scalar loss.
    """
    ratio = (logp - old_logp).exp()  # (N, T)
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)  # (N, T)
    gain = advantages.unsqueeze(1)  # (N, 1)
    surrogate = (ratio * gain).minimum(clipped * gain)  # (N, T)
    return -(surrogate * mask).sum() / mask.sum()


def kl_estimate(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """Schulman's k3 estimate of KL(policy || reference) for each token, never negative: exp(d) - d - 1, d = ref - logp.

    Args:
        logp, ref_logp: (N, T).

    Returns:
        (N, T).
    """
    delta = ref_logp - logp  # (N, T)
    return delta.exp() - delta - 1
