"""The checks of notebook 04: stub, solution, and every mistake by its own message."""

from statistics import fmean

import pytest
from notebook_solutions import solution

from motif_lib.checks import advantage as checks
from motif_lib.grpo import clipped_loss, group_advantages


def stub(*args):
    return ...


@pytest.mark.parametrize(
    "check", [checks.check_future_reward, checks.check_group_advantages, checks.check_clipped_loss]
)
def test_a_stub_is_not_yet(check):
    assert check(stub).status == "not yet"


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (checks.check_future_reward, "my_rewards"),
        (checks.check_group_advantages, "my_advantages"),
        (checks.check_clipped_loss, "my_loss"),
    ],
)
def test_the_folded_solution_is_ok(check, name):
    assert check(solution("04", name)).status == "ok"


@pytest.mark.parametrize("eps", [1e-4, 1e-8])
def test_any_small_eps_and_any_kind_of_array_will_do(eps):
    assert checks.check_group_advantages(lambda rewards: group_advantages(rewards, eps=eps).numpy()).status == "ok"


def graded(row):
    return [outcome for outcome in row if outcome is not None]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda outcomes: [sum(row) for row in outcomes], "the sum"),
        (lambda outcomes: [max(row) for row in outcomes], "the best outcome"),
        (lambda outcomes: fmean(value for row in outcomes for value in row), "one reward for each reply"),
        (lambda outcomes: [sum(row) / 4 for row in outcomes], "need not be 4"),
        (lambda outcomes: [fmean(row) for row in outcomes], "None is no wrong answer"),
        (lambda outcomes: [fmean(value or 0.0 for value in row) for row in outcomes], "None is no wrong answer"),
        (lambda outcomes: [fmean(graded(row) or [0.0]) for row in outcomes], "the reward is None"),
        (lambda outcomes: [fmean(graded(row)) for row in outcomes], "the reward is None"),
    ],
)
def test_mistakes_of_a_reward(wrong, message):
    result = checks.check_future_reward(wrong)
    assert result.status == "not quite" and message in result.message


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True, correction=0), "divides by m"),
        (lambda r: group_advantages(r, scale=False), "not divided by the spread"),
        (lambda r: (r - r.mean(1, True)) / r.var(1, keepdim=True), "square root"),
        (lambda r: r / r.std(1, keepdim=True), "not subtracted"),
        (lambda r: r - 1, "from each reward take"),
        (lambda r: (r - r.mean()) / r.std(), "its own mean"),
        (lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True), "small eps"),
    ],
)
def test_mistakes_of_advantages(wrong, message):
    result = checks.check_group_advantages(wrong)
    assert result.status == "not quite" and message in result.message


def surrogate(logp, old_logp, advantages):
    """(N, T), before masking and averaging."""
    ratio, gain = (logp - old_logp).exp(), advantages.unsqueeze(1)
    return (ratio * gain).minimum(ratio.clamp(0.8, 1.2) * gain)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda *given: -clipped_loss(*given), "the sign"),
        (lambda new, old, a, mask: -((new - old) * a[:, None] * mask).sum() / mask.sum(), "exp(logp - old_logp)"),
        (lambda new, old, a, mask: clipped_loss(new, 0 * old, a, mask), "compares it with the one before"),
        (lambda new, old, a, mask: -((new - old).exp() * a[:, None] * mask).sum() / mask.sum(), "clip the ratio"),
        (
            lambda new, old, a, mask: -((new - old).exp().clamp(0.8, 1.2) * a[:, None] * mask).sum() / mask.sum(),
            "minimum of clipped and unclipped",
        ),
        (lambda new, old, a, mask: clipped_loss(new, old, a, mask, epsilon=0.3), "clip the ratio"),
        (
            lambda new, old, a, mask: (
                -((new - old).exp() * a[:, None]).minimum((new - old).exp().clamp(max=1.2) * a[:, None]).mul(mask).sum()
                / mask.sum()
            ),
            "not pushed below",
        ),
        (lambda new, old, a, mask: -surrogate(new, old, a).mean(), "padding counts"),
        (lambda new, old, a, mask: -(surrogate(new, old, a) * mask).mean(), "mask.sum()"),
        (lambda new, old, a, mask: -((surrogate(new, old, a) * mask).sum(1) / mask.sum(1)).mean(), "each reply first"),
        (lambda *given: clipped_loss(*given).detach(), "no detach()"),
        (lambda *given: clipped_loss(*given).item(), "no detach()"),
        (lambda new, old, a, mask: clipped_loss(new, old, a.clamp(min=-0.5), mask), "pushed back"),
    ],
)
def test_mistakes_of_a_loss(wrong, message):
    result = checks.check_clipped_loss(wrong)
    assert result.status == "not quite" and message in result.message
