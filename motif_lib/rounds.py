"""Multi-round thinking: the idea of MOTIF itself, without a tensor or a model class.

A trajectory grows by one reply a round; each round's prompt holds the question and the last note, nothing else. `think`
starts from questions, `branch` from any trajectories that have begun: both are `roll_out`, one batched sampler call
a round, however many trajectories there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from motif_lib.carry import Carry, progress_note
from motif_lib.protocol import messages
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.samplers.base import Chat, Completion, Sampler


def next_prompt(trajectory: Trajectory, num_rounds: int) -> Chat:
    """The chat that asks for the trajectory's next reply."""
    done = trajectory.replies
    return messages(trajectory.question.text, len(done) + 1, num_rounds, done[-1].carried if done else None)


def add_reply(trajectory: Trajectory, completion: Completion, num_rounds: int, carry: Carry) -> Trajectory:
    """The trajectory with one more reply."""
    prompt = next_prompt(trajectory, num_rounds)
    round = len(trajectory.replies) + 1
    previous = trajectory.replies[-1].carried if trajectory.replies else ""
    note = "" if round == num_rounds else carry(completion.text, completion.finished, previous)
    reply = Reply(
        round, prompt, completion.text, note, completion.finished, completion.prompt_tokens, completion.tokens
    )
    return Trajectory(trajectory.question, (*trajectory.replies, reply))


def advance(
    trajectories: Sequence[Trajectory], sampler: Sampler, num_rounds: int, carry: Carry = progress_note
) -> list[Trajectory]:
    """One more round for every trajectory, in one batched sampler call."""
    completions = sampler([next_prompt(t, num_rounds) for t in trajectories])
    return [add_reply(t, c, num_rounds, carry) for t, c in zip(trajectories, completions, strict=True)]


def roll_out(
    trajectories: Sequence[Trajectory], sampler: Sampler, num_rounds: int, carry: Carry = progress_note
) -> list[Trajectory]:
    """Continue every trajectory to round `num_rounds`: one batched sampler call a round.

    Raises:
        ValueError: if `num_rounds` < 1.
    """
    if num_rounds < 1:
        raise ValueError(f"num_rounds={num_rounds}: at least one round is needed")
    rolled = list(trajectories)
    while behind := [i for i, t in enumerate(rolled) if len(t.replies) < num_rounds]:
        for i, trajectory in zip(behind, advance([rolled[i] for i in behind], sampler, num_rounds, carry)):
            rolled[i] = trajectory
    return rolled


def think(
    questions: Sequence[Question], sampler: Sampler, num_rounds: int = 3, carry: Carry = progress_note
) -> list[Trajectory]:
    """Answer questions in `num_rounds` rounds, one trajectory each: num_rounds sampler calls in all."""
    return roll_out([Trajectory(question, ()) for question in questions], sampler, num_rounds, carry)


def branch(
    trajectories: Sequence[Trajectory],
    sampler: Sampler,
    num_trajectories: int,
    num_rounds: int = 3,
    carry: Carry = progress_note,
) -> list[list[Trajectory]]:
    """Roll each begun trajectory out `num_trajectories` (k) times to the last round.

    Returns:
        k trajectories for each given one, all starting with its replies; just that one where it is complete already.
    """
    if num_trajectories < 1:
        raise ValueError(f"num_trajectories={num_trajectories}: at least one trajectory is needed")
    copies = [1 if len(t.replies) >= num_rounds else num_trajectories for t in trajectories]
    starts = [t for t, n in zip(trajectories, copies) for _ in range(n)]
    rolled = iter(roll_out(starts, sampler, num_rounds, carry))
    return [[next(rolled) for _ in range(n)] for n in copies]
