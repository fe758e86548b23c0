"""Mean and variance of each credit's gradient, against values worked out by hand on policies whose values are known.

A policy of two coins: round 1 says "up" with chance P1 = 0.4, round 2 "up" with chance P2 = 0.5, whatever the note.
Each coin has a logit of its own, so grad log pi is (a1 - P1, 0) for a reply of round 1 and (0, a2 - P2) for one of
round 2, where a is 1 for "up". J is the chance of the right answer. What the rows of a batch contribute is drawn here
from the library's own roll-in and reward.
"""

import random
from functools import cache

import numpy as np
import pytest

from motif_lib.credit import roll_in
from motif_lib.protocol import messages, reply_text
from motif_lib.records import Question, Trajectory
from motif_lib.rewards.future import FutureAccuracy
from motif_lib.rounds import boxed, ended, next_prompt
from motif_lib.samplers.base import ScriptedSampler

P1, P2 = 0.4, 0.5
GROUPS = 8_000


def both_up(rng):
    """Right if both coins are up: J = P1 P2 = 0.2, the value of "up" is P2, that of "down" 0."""

    def answer(chat):
        user = chat[1]["content"]
        up = rng.random() < (P1 if "Round 1" in user else P2)
        note = f"went {up}" if "Round 1" in user else rf"\boxed{{{int(up and 'went True' in user)}}}"
        return reply_text("up" if up else "down", note)

    return ScriptedSampler(answer)


def stop_or_try(rng):
    """Round 1 boxes the right answer with chance P1 and stops; else round 2 does so: J = P1 + (1 - P1) P2 = 0.7."""

    def answer(chat):
        up = rng.random() < (P1 if "Round 1" in chat[1]["content"] else P2)
        right, wrong = r"\boxed{1}", "go on" if "Round 1" in chat[1]["content"] else r"\boxed{0}"
        return reply_text("up" if up else "down", right if up else wrong)

    return ScriptedSampler(answer)


@cache
def draws(policy, credit, m, k, stop):
    """Scores (GROUPS * m, 2), which rows are trained (GROUPS * m,), rewards (GROUPS, m): one draw for all tests."""
    rng = random.Random(f"{policy.__name__} {credit} {m} {k}")
    sampler = policy(rng)
    starts = roll_in([Question("Q?", "1")] * GROUPS, m, credit, rng, sampler, 2, stop=stop)
    live = np.array([not ended(start, 2, stop) for start in starts])
    replies = [completion.text for completion in sampler([next_prompt(start, 2) for start in starts])]
    reward = FutureAccuracy(sampler, k, 2, right=1.0, stop=stop)
    rewards = np.array(reward([None] * len(starts), replies, start=starts))
    up = np.array(["<reasoning>\nup" in reply for reply in replies])
    first = np.array([not start.replies for start in starts])
    score = np.stack([(up - P1) * first, (up - P2) * ~first], axis=1)
    return score, live, rewards.reshape(GROUPS, m)


def contributions(policy, credit, m, k, stop=None, baseline=True):
    """What each row adds to the two components of the gradient, (GROUPS * m, 2), and the rewards, (GROUPS, m)."""
    score, live, groups = draws(policy, credit, m, k, stop)
    credited = groups - groups.mean(1, keepdims=True) if baseline else groups
    return score * (live * credited.ravel())[:, None], groups


def check(rows, mean, variance):
    """Within four standard errors of the mean; variances within 10 %, which is more than four of theirs."""
    error = np.sqrt(np.array(variance) / len(rows))
    assert np.abs(rows.mean(0) - mean).max() <= 4 * error.max() + 1e-12, rows.mean(0)
    assert rows.var(0) == pytest.approx(variance, rel=0.1)


@pytest.mark.slow
# grad J = (P1 (1 - P1) P2, P1 P2 (1 - P2)) = (0.12, 0.1). Second moments of g Q, round 1: P1 (1 - P1)^2 E[Q^2 | up],
# where E[Q^2 | up] = P2^2 + P2 (1 - P2) / k, so 0.072 for k = 1 and 0.045 for k = 4; round 2: P1 P2 (1 - P2)^2 = 0.05.
@pytest.mark.parametrize(
    "credit, k, mean, second",
    [
        ("first", 1, [0.12, 0], [0.072, 0]),
        ("first", 4, [0.12, 0], [0.045, 0]),
        ("any", 4, [0.06, 0.05], [0.0225, 0.025]),
        ("all", 4, [0.06, 0.05], [0.0225, 0.025]),
        ("all", 1, [0.06, 0.05], [0.036, 0.025]),
    ],
)
def test_credits_without_a_baseline(credit, k, mean, second):
    rows, rewards = contributions(both_up, credit, 2, k, baseline=False)
    check(rows, mean, np.array(second) - np.square(mean))
    assert rewards.mean() == pytest.approx(P1 * P2, abs=0.01)


@pytest.mark.slow
# With m = 2 and k = 1 the row gives x = g (Q - Q') / 2, of half the mean. E[x^2], round 1: (E[g^2 Q] - 2 J E[g^2 Q] +
# J E[g^2]) / 4 = (0.072 - 0.4 * 0.072 + 0.2 * 0.24) / 4 = 0.0228. Round 2, one note for the group ("any"): g^2 = 0.25,
# P1 P(a2 != a2') / 4 = 0.05, so 0.0125. With a trajectory for each row ("all"): E[(Q - Q')^2] = 2 J (1 - J) = 0.32, so
# 0.25 * 0.32 / 4 = 0.02. A drawn round halves all of these.
@pytest.mark.parametrize(
    "credit, mean, second",
    [
        ("first", [0.06, 0], [0.0228, 0]),
        ("any", [0.03, 0.025], [0.0114, 0.00625]),
        ("all", [0.03, 0.025], [0.0114, 0.01]),
    ],
)
def test_credits_with_the_group_mean(credit, mean, second):
    rows, _ = contributions(both_up, credit, 2, 1)
    check(rows, mean, np.array(second) - np.square(mean))


@pytest.mark.slow
# J = P1 + (1 - P1) P2 = 0.7, grad J = (P1 (1 - P1) (1 - P2), (1 - P1) P2 (1 - P2)) = (0.12, 0.15); half of it for a
# drawn round, and (m - 1) / m = 1/2 for the group mean. Rounds of a stopped trajectory drawn twice as often would give
# P1 (1 - P1) (1 - P2 / 2) / 2 = 0.09 in place of 0.06.
@pytest.mark.parametrize("credit", ["any", "all"])
@pytest.mark.parametrize("baseline, share", [(False, 1 / 2), (True, 1 / 4)])
def test_early_stop_keeps_the_mean(credit, baseline, share):
    rows, rewards = contributions(stop_or_try, credit, 2, 1, boxed, baseline)
    assert rows.mean(0) == pytest.approx(np.array([0.12, 0.15]) * share, abs=0.005)
    assert rewards.mean() == pytest.approx(0.7, abs=0.015)  # every trajectory counts once, stopped or not


def test_only_all_gives_each_row_its_own_trajectory():
    chats = []

    def answer(chat):
        chats.append(chat)
        return reply_text("r", f"note {len(chats)}")

    for credit, distinct in (("first", 1), ("any", 1), ("all", 4)):
        rng = random.Random(0)
        rng.randint = lambda low, high: high  # always the last round
        starts = roll_in([Question("Q?", "1")], 4, credit, rng, ScriptedSampler(answer), 3)
        assert (
            len(starts) == 4
            and len({start.replies[-1].carried if start.replies else "" for start in starts}) == distinct
        )
        assert all(len(start.replies) == (0 if credit == "first" else 2) for start in starts)


def test_a_roll_in_asks_one_batch_a_round():
    sampler = ScriptedSampler(lambda chat: "x")
    rng = random.Random(0)
    rng.randint = lambda low, high: high
    starts = roll_in([Question("A?", "1"), Question("B?", "2")], 8, "all", rng, sampler, 3)
    assert sampler.calls == [16, 16]
    assert [start.question.text for start in starts] == ["A?"] * 8 + ["B?"] * 8
    assert next_prompt(starts[0], 3) == messages("A?", 3, 3, "(no progress note)")
    assert roll_in([], 8, "any", rng, sampler, 3) == [] and isinstance(starts[0], Trajectory)


def test_a_roll_in_goes_no_further_than_a_stop():
    sampler = ScriptedSampler(lambda chat: r"<answer>\boxed{1}</answer>")
    rng = random.Random(0)
    rng.randint = lambda low, high: high
    starts = roll_in([Question("A?", "1")], 2, "all", rng, sampler, 4, stop=boxed)
    assert [len(start.replies) for start in starts] == [1, 1] and sampler.calls == [2]
