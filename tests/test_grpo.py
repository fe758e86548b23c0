"""The teaching twin of GRPO against hand-worked numbers; `test_trainer.py` compares it with TRL's."""

import pytest
import torch

from motif_lib.grpo import clipped_loss, group_advantages, kl_estimate, token_logprobs


def test_advantages_of_one_success_in_four():
    """rewards 1 0 0 0: mean 1/4, sample std 1/2, so (3/4) / (1/2) = 1.5 and -0.5."""
    advantages = group_advantages(torch.tensor([[1.0, 0, 0, 0]]), eps=0)
    assert advantages.tolist() == [[1.5, -0.5, -0.5, -0.5]]


def test_advantages_without_scaling_are_differences_to_the_mean():
    assert group_advantages(torch.tensor([[1.0, 0, 0, 0]]), scale=False).tolist() == [[0.75, -0.25, -0.25, -0.25]]


def test_a_group_without_spread_gives_no_signal():
    assert group_advantages(torch.tensor([[2.0, 2, 2], [0, 2, 4]])).tolist()[0] == [0, 0, 0]


def test_token_logprobs_pick_the_token():
    logits = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])  # (1, 2, 2)
    logp = token_logprobs(logits, torch.tensor([[0, 1]]))
    assert logp[0].tolist() == pytest.approx([-0.693147, -0.313262], abs=1e-5)


@pytest.mark.parametrize(
    "ratio, advantage, loss",
    [
        (1.0, 1.0, -1.0),
        (1.5, 1.0, -1.2),  # a good token gains nothing beyond 1 + epsilon
        (0.5, 1.0, -0.5),
        (0.5, -1.0, 0.8),  # a bad token is not pushed below 1 - epsilon
        (1.5, -1.0, 1.5),
    ],
)
def test_clipping(ratio, advantage, loss):
    logp = torch.tensor([[ratio]]).log()
    value = clipped_loss(logp, torch.zeros(1, 1), torch.tensor([advantage]), torch.ones(1, 1))
    assert value.item() == pytest.approx(loss, abs=1e-6)


def test_masked_tokens_get_no_gradient():
    logp = torch.zeros(2, 3, requires_grad=True)
    mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    clipped_loss(logp, logp.detach(), torch.tensor([1.0, -2.0]), mask).backward()
    assert logp.grad.tolist() == [[pytest.approx(-1 / 3), pytest.approx(-1 / 3), 0], [pytest.approx(2 / 3), 0, 0]]


def test_kl_estimate_is_zero_at_equality_and_unbiased():
    p, q = torch.tensor([0.2, 0.8]), torch.tensor([0.5, 0.5])
    estimate = kl_estimate(p.log(), q.log())
    assert kl_estimate(p.log(), p.log()).abs().max() == 0 and (estimate > 0).all()
    assert (p * estimate).sum().item() == pytest.approx((p * (p / q).log()).sum().item(), abs=1e-6)
