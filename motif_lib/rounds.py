"""Multi-round thinking: the idea of MOTIF itself, without a tensor or a model class.

A trajectory grows by one reply a round; each round's prompt holds the question and the last note, nothing else. `think`
starts from questions, `branch` from trajectories that have begun. Both are `roll_out`: one batched sampler call a
round, however many trajectories there are.

With a `stop` rule, such as `boxed`, each trajectory chooses its own number of rounds, up to `num_rounds`: it ends at
the first note that satisfies the rule, and the reply that wrote this note is its final one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from motif_lib.carry import Carry, chat_of, progress_note
from motif_lib.protocol import NO_NOTE, messages
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.tasks.rows import Row, as_question

Stop = Callable[[str], bool]  # of a note that is handed on: is the work done?


def boxed(note: str) -> bool:
    r"""The stop rule of `MotifConfig(early_stop=True)`: the note holds a `\boxed{}`."""
    from motif_lib.verify.extract import boxes

    return bool(boxes(note))


def ended(trajectory: Trajectory, num_rounds: int, stop: Stop | None = None) -> bool:
    """Has the trajectory given its final reply: that of round `num_rounds`, or one with a note that stops it?"""
    done = trajectory.replies
    return len(done) >= num_rounds or bool(stop and done and stop(done[-1].carried))


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
    """One more round for every trajectory, in one batched sampler call; a second one if a call writes the notes."""
    completions = sampler([next_prompt(t, num_rounds) for t in trajectories])
    grown = [add_reply(t, c, num_rounds, carry) for t, c in zip(trajectories, completions, strict=True)]
    return ask_notes(grown, sampler, num_rounds, carry)


def ask_notes(trajectories: Sequence[Trajectory], sampler: Sampler, num_rounds: int, carry: Carry) -> list[Trajectory]:
    """Have the notes of the last replies written by one batched call of their own, if the carry asks for it.

    A reply of the last round hands on nothing, and one that has its summary keeps it.
    """
    written = list(trajectories)
    chats = {i: asked for i, t in enumerate(written) if (asked := summary_prompt(t, num_rounds, carry))}
    summaries = sampler(list(chats.values())) if chats else []
    for (i, asked), summary in zip(chats.items(), summaries, strict=True):
        written[i] = add_summary(written[i], asked, summary, carry)
    return written


def summary_prompt(trajectory: Trajectory, num_rounds: int, carry: Carry) -> Chat | None:
    """The chat that asks for the note of the trajectory's last reply; None if no call is to write it."""
    chat, done = chat_of(carry), trajectory.replies
    if chat is None or not done or len(done) >= num_rounds or done[-1].summary:
        return None
    return chat(trajectory, num_rounds)


def add_summary(trajectory: Trajectory, prompt: Chat, summary: Completion, carry: Carry) -> Trajectory:
    """The trajectory with the note of its last reply read from a summary of it."""
    *before, last = trajectory.replies
    note = carry(summary.text, summary.finished, last.carried)
    call = Reply(last.round, prompt, summary.text, note, summary.finished, summary.prompt_tokens, summary.tokens)
    return Trajectory(trajectory.question, (*before, replace(last, carried=note, summary=call)))


def roll_out(
    trajectories: Sequence[Trajectory],
    sampler: Sampler,
    num_rounds: int,
    carry: Carry = progress_note,
    stop: Stop | None = None,
    until: Sequence[int] | None = None,
) -> list[Trajectory]:
    """Continue every trajectory to its end, at the latest round `num_rounds`: one batched sampler call a round.

    With `until`, each goes no further than its own number of rounds in that list.

    Raises:
        ValueError: if `num_rounds` < 1.
    """
    if num_rounds < 1:
        raise ValueError(f"num_rounds={num_rounds}: at least one round is needed")
    rolled = list(trajectories)
    until = [num_rounds] * len(rolled) if until is None else until
    while behind := [i for i, t in enumerate(rolled) if len(t.replies) < until[i] and not ended(t, num_rounds, stop)]:
        for i, trajectory in zip(behind, advance([rolled[i] for i in behind], sampler, num_rounds, carry)):
            rolled[i] = trajectory
    return rolled


def check_room(questions: Sequence[Question], sampler: Any, num_rounds: int) -> int | None:
    """Is there room for every question, for the shortest note (`NO_NOTE`) in later rounds, and for a reply?

    A server knows its window itself: it refuses such a question when it is asked.

    Returns:
        The most tokens that a note may have; None with one round, or where no window is known.

    Raises:
        ValueError: before anything is sampled, if there is none; it says what would do.
    """
    if not (window := getattr(sampler, "window", None)):
        return None
    sizes = [len(ids) for ids in sampler.render([messages(q.text, 1, num_rounds) for q in questions])]
    longest, budget = questions[sizes.index(max(sizes))].text, sampler.max_new_tokens or 1

    def most_with(note: str) -> int:
        later = sampler.render([messages(longest, round, num_rounds, note) for round in range(2, num_rounds + 1)])
        return max(map(len, later), default=0)

    prompt = max(max(sizes), most_with(NO_NOTE))
    if (left := window - prompt - budget) < 0:
        few = sum(size > max(sizes) + left for size in sizes)
        wrong = _too_long(prompt, sampler.max_new_tokens, window, num_rounds > 1)
        raise ValueError(f"{few} of {len(sizes)} questions {wrong}")
    return window - budget - most_with("0") + 1 if num_rounds > 1 else None  # 0 is one token, whoever reads it


def _too_long(prompt: int, budget: int | None, window: int, noted: bool) -> str:
    """What is wrong with the longest prompt, of so many tokens, and what would do."""
    wrong = "leave no room in" if budget is None else f"and a budget of {budget} tokens do not fit"
    alone, note = " alone" if prompt >= window else "", ", the shortest note included" if noted else ""
    lower = f"lower the budget to {window - prompt}, or " if budget and window > prompt else ""
    return (
        f"{wrong} the window of {window}: the longest prompt{alone} has {prompt} tokens{note}; {lower}take shorter "
        f"questions, or a model with a window of {prompt + (budget or 1)}"
    )


def think(
    questions: Sequence[Question | Row],
    sampler: Sampler,
    num_rounds: int = 3,
    carry: Carry = progress_note,
    stop: Stop | None = None,
) -> list[Trajectory]:
    """Answer questions in `num_rounds` rounds, one trajectory each: at most num_rounds sampler calls in all.

    A question is a `Question`, or a dict with `question` and `answer` (`tasks.rows.as_question`).

    >>> from motif_lib import Question, ScriptedSampler
    >>> sampler = ScriptedSampler(lambda chat: "<answer>5 so far</answer>")
    >>> (trajectory,) = think([Question("2 + 3 + 4?", gold="9")], sampler, num_rounds=2)
    >>> [reply.carried for reply in trajectory.replies]
    ['5 so far', '']
    >>> print(trajectory.replies[1].prompt[-1]["content"])
    2 + 3 + 4?
    <progress>
    5 so far
    </progress>
    Round 2 of 2. Last round: give the final answer.
    """
    begun = [Trajectory(as_question(question, number), ()) for number, question in enumerate(questions, 1)]
    return roll_out(begun, sampler, num_rounds, carry, stop)


def branch(
    trajectories: Sequence[Trajectory],
    sampler: Sampler,
    num_trajectories: int,
    num_rounds: int = 3,
    carry: Carry = progress_note,
    stop: Stop | None = None,
) -> list[list[Trajectory]]:
    """Roll each begun trajectory out `num_trajectories` (k) times to its end.

    Returns:
        k trajectories for each given one, all starting with its replies; just that one if it has ended already.
    """
    if num_trajectories < 1:
        raise ValueError(f"num_trajectories={num_trajectories}: at least one trajectory is needed")
    copies = [1 if ended(t, num_rounds, stop) else num_trajectories for t in trajectories]
    starts = [t for t, n in zip(trajectories, copies) for _ in range(n)]
    rolled = iter(roll_out(starts, sampler, num_rounds, carry, stop))
    return [[next(rolled) for _ in range(n)] for n in copies]
