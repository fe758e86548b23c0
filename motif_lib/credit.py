"""Credit: which replies are trained, and what each of them is credited with.

Let s_r be what round r sees (the question and the note), a_r its reply, R the outcome of the trajectory, J = E[R] and
g_r = grad log pi(a_r | s_r). The policy gradient is grad J = E[g_1 R + g_2 R + ... + g_n R].

A row of a batch is one reply with the mean outcome Q of k futures sampled from it, so E[Q | s_r, a_r] = E[R | s_r, a_r]
for every k, and k = 1 is the outcome of one whole trajectory. A question has m rows; the row contributes g_r Q:

first  r = 1. E[g_1 Q] is the first term of the sum, the paper's choice: the later rounds are not trained, they change
       only because they share the weights.
any    r drawn evenly from 1..n, one s_r for all m rows, reached by the current policy. E[g_r Q] = grad J / n. The
       mean of the group estimates the value of s_r: what happened before round r is no noise to the advantage.
all    r drawn evenly, each row with a trajectory of its own: m whole trajectories, every round of which is credited
       with the outcome of the whole. Also grad J / n, as drawing a round is unbiased for the sum over rounds. The mean
       of the group estimates the value of the question, so the luck of the earlier rounds stays in the advantage.

Subtracting the group mean, which includes the row's own Q, multiplies these expectations by (m - 1) / m. With
`rollout_policy="base"` another policy reaches s_r and answers after a_r, and Q is the value under it: a bias that no
number of samples removes. A temperature of the later rounds other than the trained one does the same.

**Early stop.** Rounds are still drawn from 1..n. A trajectory that ends before the drawn round has no reply there: its
row has weight 0, and its outcome counts in the group mean like any other. So a group's statistics are over m
trajectories, each once, however many rounds they have; and the expectation stays grad J / n, where drawing from the
rounds that a trajectory happens to have would credit the rounds of short trajectories more than those of long ones.

**Notes by a call of their own** (`carry.asks`). Such a call is an action of the policy too: a trajectory of n rounds
has 2 n - 1 of them, a reply a round and a note between any two. With `trained="all"` one of these is drawn evenly, and
the row contributes g Q of that reply or note, grad J / (2 n - 1) in expectation. Where the window had no room for the
drawn call, the trajectory is rolled out to its end and its row has weight 0, as after an early stop.

**Horizon.** With `horizon=h` the rounds after a_r are asked as those of a trajectory of n' = min(n, r + h) rounds, so
round n' gives a final answer, and Q is the outcome of that: E[Q | s_r, a_r] = V_h(s_r, a_r), what the reply is worth if
the work has to end h rounds later. With h = n - 1 it is the rule above. A smaller h makes E[g_r V_h] another direction
than grad J: a note is credited for what can be finished in h rounds, and not for what would take more. In return Q has
the luck of at most h rounds in it, and costs k h replies. With h = 0 nothing is rolled out: the reply is graded as it
stands, by the rules of its task. A final reply earns its outcome; a note that says where the work stands is a wrong
answer, unless it happens to say the result.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from motif_lib.carry import Carry, chat_of, progress_note
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import Stop, add_reply, ended, next_prompt, roll_out, summary_prompt
from motif_lib.samplers.base import Sampler

CREDITS = ("first", "any", "all")


def roll_in(
    questions: Sequence[Question],
    num_generations: int,
    credit: str,
    rng: random.Random,
    sampler: Sampler,
    num_rounds: int,
    carry: Carry = progress_note,
    stop: Stop | None = None,
    trained: str = "reasoning",
) -> list[Trajectory]:
    """Where the trained replies begin: `num_generations` (m) trajectories for each question, up to the drawn round.

    One whose note is to be trained ends with the reply that waits for it (`rounds.summary_prompt`).

    Args:
        questions: one for each group.
        num_generations: m.
        credit: "first", "any" or "all".
        rng: draws the rounds.
        sampler: the policy that answers the rounds before the trained ones; one batched call a round.
        num_rounds: n.
        carry: what passes between rounds.
        stop: trajectories that it ends before their drawn round come back as they ended (`rounds.ended`).
        trained: what is drawn where the carry asks for notes: "reasoning" replies, "note" those calls, "all" both.
    """
    copies, actions = num_generations if credit == "all" else 1, actions_of(num_rounds, carry, trained)
    begun = [Trajectory(question, ()) for question in questions for _ in range(copies)]
    drawn = [actions[0 if credit == "first" else rng.randint(1, len(actions)) - 1] for _ in begun]
    begun = roll_out(begun, sampler, num_rounds, carry, stop, until=[round - 1 for round, _ in drawn])
    notes = [i for i, (_, is_note) in enumerate(drawn) if is_note and not ended(begun[i], num_rounds, stop)]
    for i, trajectory in zip(notes, _up_to_note([begun[i] for i in notes], sampler, num_rounds, carry, stop)):
        begun[i] = trajectory
    return [trajectory for trajectory in begun for _ in range(num_generations // copies)]


def _up_to_note(
    begun: Sequence[Trajectory], sampler: Sampler, num_rounds: int, carry: Carry, stop: Stop | None
) -> list[Trajectory]:
    """One more reply, whose note waits for the trained call; to the end if the window has no room for that call."""
    replies = sampler([next_prompt(t, num_rounds) for t in begun]) if begun else []
    grown = [add_reply(t, reply, num_rounds, carry) for t, reply in zip(begun, replies, strict=True)]
    until = [len(t.replies) if summary_prompt(t, num_rounds, carry) else num_rounds for t in grown]
    return roll_out(grown, sampler, num_rounds, carry, stop, until)


def actions_of(num_rounds: int, carry: Carry, trained: str) -> list[tuple[int, bool]]:
    """What the policy does in a trajectory and is trained on, as `(round, is it the call that writes the note?)`.

    >>> from motif_lib.carry import summarise
    >>> actions_of(2, summarise, "all")
    [(1, False), (2, False), (1, True)]
    """
    replies = [(round, False) for round in range(1, num_rounds + 1)]
    notes = [(round, True) for round in range(1, num_rounds)] if chat_of(carry) else []
    return notes if notes and trained == "note" else replies + notes if trained == "all" else replies
