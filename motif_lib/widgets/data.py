"""The arithmetic behind the widgets: plain records in, plain records out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from motif_lib.records import Reply, Trace, Trajectory
from motif_lib.rewards.future import mean_outcome

Outcome = Callable[[Trajectory], float | None]


@dataclass(frozen=True)
class Use:
    """What fills the context window of one round, in tokens.

    Args:
        prompt: all that the model sees before its reply, the note not counted.
        note: the note carried in from the round before.
        reply: what the budget and the window let the model write.
        lost: what does not fit: the rest of the reply, or of a prompt longer than the window.
        window: size of the context window.
        label: a few words on what the round achieved.
    """

    prompt: int
    note: int
    reply: int
    lost: int
    window: int
    label: str = ""

    @property
    def free(self) -> int:
        """Tokens of the window that stay empty."""
        return max(0, self.window - self.prompt - self.note - self.reply)


@dataclass(frozen=True)
class Costs:
    """Tokens that the parts of a problem take, measured with the model's tokenizer.

    Args:
        prompt: all that the model sees of a question without steps.
        question_step: one step in the text of the question.
        reply_step: one worked step in a reply.
        tags: the tags of a reply and its answer.
        note: a progress note.
    """

    prompt: int
    question_step: int
    reply_step: int
    tags: int
    note: int


def plan(costs: Costs, steps: int, budget: int, window: int, rounds: int) -> list[Use]:
    """Fill the windows of `rounds` rounds with a problem of `steps` steps, as a policy that stops in time would.

    Every round but the last works as many steps as fit and writes its note; the last has to finish the work.
    """
    uses, done = [], 0
    for round in range(1, rounds + 1):
        prompt, note = costs.prompt + steps * costs.question_step, costs.note if round > 1 else 0
        room = max(0, min(budget, window - prompt - note))
        left = steps - done
        fit = min(left, max(0, room - costs.tags) // costs.reply_step)
        needed = costs.tags + costs.reply_step * (left if round == rounds else fit)
        label = f"steps {done + 1}–{done + fit} of {steps}" if fit else "no step fits" if left else "nothing left to do"
        done += fit
        if round == rounds and done < steps:
            label = f"{steps - done} of {steps} steps do not fit"
        overflow = max(0, prompt + note - window)
        uses.append(Use(prompt - overflow, note, min(room, needed), max(0, needed - room) + overflow, window, label))
    return uses


def uses_of(replies: Sequence[Reply], budget: int, window: int) -> list[Use]:
    """How recorded replies fill a window, and what a smaller budget or window would have lost of them."""
    uses = []
    for number, reply in enumerate(replies):
        note = min(reply.prompt_tokens, note_tokens(replies[number - 1])) if number else 0
        overflow = max(0, reply.prompt_tokens - window)
        kept = min(reply.tokens, max(0, min(budget, window - reply.prompt_tokens)))
        cut = kept < reply.tokens or not reply.finished
        prompt = max(0, reply.prompt_tokens - note - overflow)
        uses.append(Use(prompt, note, kept, reply.tokens - kept + overflow, window, "cut off" if cut else "finished"))
    return uses


def note_tokens(reply: Reply) -> int:
    """Tokens of the note that a reply hands on, estimated by its share of that reply's characters.

    Not by its share of the prompt: a chat template may leave a part of that out, and add its own words.
    """
    return round(reply.tokens * len(reply.carried) / len(reply.text)) if reply.text else 0


@dataclass(frozen=True)
class Branch:
    """One round-1 reply in a group: its trajectories, their outcomes, and what the reply earned by them.

    `future` is the mean outcome, `bonus` what the reply earned besides it (format rewards), `reward` their sum. All are
    None where no outcome is known.
    """

    trajectories: tuple[Trajectory, ...]
    outcomes: tuple[float | None, ...]
    future: float | None
    bonus: float
    advantage: float | None = None

    @property
    def reward(self) -> float | None:
        return None if self.future is None else self.future + self.bonus


def advantages(rewards: Sequence[float], scale: bool = True, eps: float = 1e-4) -> list[float]:
    """`grpo.group_advantages` of one group, (m,) -> (m,), without torch; m >= 2."""
    mean = statistics.fmean(rewards)
    spread = statistics.stdev(rewards) + eps if scale else 1.0
    return [(reward - mean) / spread for reward in rewards]


def cut(trace: Trace, k: int, n: int, outcome: Outcome | None = None) -> Branch:
    """The first k trajectories of a trace, as if they had stopped after round n.

    A trajectory that did stop there keeps its recorded outcome; a shortened one is judged by `outcome`, or stays
    unknown. `bonus` does not depend on k and n: it is the recorded reward less the mean recorded outcome.
    """
    k = 1 if n == 1 else k  # after one round all trajectories of a trace are the same reply
    trajectories, outcomes = [], []
    for trajectory, recorded in list(zip(trace.trajectories, trace.outcomes, strict=True))[:k]:
        short = replace(trajectory, replies=trajectory.replies[:n])
        whole = len(trajectory.replies) <= n
        trajectories.append(short)
        outcomes.append(recorded if whole else outcome(short) if outcome else None)
    future = mean_outcome(trace.outcomes)
    bonus = 0.0 if future is None or trace.reward is None else trace.reward - future
    return Branch(tuple(trajectories), tuple(outcomes), mean_outcome(outcomes), bonus)


def build_tree(
    traces: Sequence[Trace],
    m: int,
    k: int,
    n: int,
    outcome: Outcome | None = None,
) -> list[Branch]:
    """The m x k x n tree of one group: outcomes -> rewards -> advantages, over the replies whose reward is known."""
    branches = [cut(trace, k, n, outcome) for trace in traces[:m]]
    rewards = [branch.reward for branch in branches if branch.reward is not None]
    known = iter(advantages(rewards) if len(rewards) > 1 else [None] * len(rewards))
    return [replace(branch, advantage=next(known)) if branch.reward is not None else branch for branch in branches]


def groups(traces: Iterable[Trace]) -> list[list[Trace]]:
    """Traces of the same question and training step, in the order in which they were recorded."""
    by_question: dict[tuple[int | None, str, str], list[Trace]] = {}
    for trace in traces:
        question = trace.trajectories[0].question
        by_question.setdefault((trace.step, question.id, question.text), []).append(trace)
    return list(by_question.values())
