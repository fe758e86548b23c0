"""The MOTIF reward: how often do the futures of a reply reach the right answer?

From each reply k trajectories are rolled out through the rounds that remain; the reward is the mean of their outcomes,
2 for a right final answer and 0 for a wrong one (reference code). It is a Monte-Carlo estimate of the value of the
state that the reply leads to. A reward function in TRL's contract, so that it also works in a plain `GRPOTrainer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, pstdev
from typing import Any

from motif_lib.carry import Carry, progress_note
from motif_lib.records import Question, Reply, Trace, Trajectory
from motif_lib.rewards.format import completion_text
from motif_lib.rewards.horizon import branch_ahead
from motif_lib.rounds import Stop, add_reply, add_summary, ask_notes, ended, summary_prompt
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.verify import verify_many

Outcomes = Sequence[float | None]  # of the futures of one reply
Credited = Callable[[Outcomes, Sequence[Trajectory]], Outcomes]  # what these futures are credited with

OUTCOME = 2.0  # reward of a right final answer in the reference code, and by default here; a wrong one earns 0


def mean_outcome(outcomes: Sequence[float | None]) -> float | None:
    """Mean over the outcomes that could be graded; None if none could."""
    graded = [outcome for outcome in outcomes if outcome is not None]
    return fmean(graded) if graded else None


def outcomes_of(trajectories: Sequence[Trajectory], right: float = OUTCOME) -> list[float | None]:
    """`right` for a right final answer, 0 for a wrong one, None where it cannot be graded; each by its task's rules."""
    questions = [t.question for t in trajectories]
    verdicts = verify_many([t.final for t in trajectories], [q.gold for q in questions], [q.rules for q in questions])
    return [None if v.correct is None else right * v.correct for v in verdicts]


def as_they_are(outcomes: Outcomes, futures: Sequence[Trajectory]) -> Outcomes:
    """The outcomes themselves."""
    return outcomes


def judge(
    begun: Sequence[Trajectory],
    sampler: Sampler,
    num_trajectories: int,
    num_rounds: int,
    carry: Carry = progress_note,
    right: float = OUTCOME,
    stop: Stop | None = None,
    horizon: int | None = None,
    credited: Credited = as_they_are,
) -> list[Trace]:
    """The MOTIF reward of begun trajectories: for each a trace with its k futures, their outcomes, and the mean of what
    these are credited with."""
    futures = branch_ahead(begun, sampler, num_trajectories, num_rounds, carry, stop, horizon)
    outcomes = iter(outcomes_of([t for group in futures for t in group], right))
    results = [tuple(next(outcomes) for _ in group) for group in futures]
    return [Trace(tuple(group), found, mean_outcome(credited(found, group))) for group, found in zip(futures, results)]


class FutureAccuracy:
    """`future_accuracy(prompts, completions, question, gold, task, ...) -> list[float | None]`.

    Args:
        sampler: the policy that answers the later rounds.
        num_trajectories: k.
        num_rounds: n; with n = 1 the outcome of the reply itself.
        carry: what passes between rounds.
        right: outcome of a right final answer.
        ended: tells from a completion's token ids whether the reply ended by itself.
        on_traces: called with the list of `Trace`s of each batch, for logging.
        stop: rule that ends a trajectory before round n.
        horizon: most rounds of a future; None for all that remain.
        credited: `(outcomes, futures)` of one reply -> what it is credited with; traces and accuracy keep the outcomes.

    Attributes:
        traces: of the last batch.
        begun: its trajectories up to the completion and its note.

    Columns: `question`, `gold` and `task` of each row; or `start`, a `Trajectory` that the completion continues: with
    its next reply, or with the note that its last reply waits for (`rounds.summary_prompt`). A start that has ended
    already earns its own outcome, and its completion counts for nothing.
    """

    __name__ = "future_accuracy"  # TRL logs a reward function by its name

    def __init__(
        self,
        sampler: Sampler,
        num_trajectories: int = 4,
        num_rounds: int = 3,
        carry: Carry = progress_note,
        right: float = OUTCOME,
        ended: Callable[[Sequence[int]], bool] = lambda ids: True,
        on_traces: Callable[[list[Trace]], None] | None = None,
        stop: Stop | None = None,
        horizon: int | None = None,
        credited: Credited = as_they_are,
    ):
        self.sampler, self.num_trajectories, self.num_rounds = sampler, num_trajectories, num_rounds
        self.carry, self.right, self.ended, self.on_traces = carry, right, ended, on_traces
        self.stop, self.horizon, self.credited = stop, horizon, credited
        self.begun: list[Trajectory] = []
        self.traces: list[Trace] = []

    def __call__(
        self, prompts: list[Chat], completions: list[Any], log_metric: Callable | None = None, **columns: Any
    ) -> list[float | None]:
        begun = [
            self._begun(start, self._completion(completion, ids))
            for start, completion, ids in zip(
                starts(columns), completions, columns.get("completion_ids") or [()] * len(completions), strict=True
            )
        ]
        self.begun = ask_notes(begun, self.sampler, self.num_rounds, self.carry)
        traces = self.traces = self.judge(self.begun)
        if self.on_traces:
            self.on_traces(traces)
        if log_metric:
            self._log(traces, begun, log_metric)
        return [trace.reward for trace in traces]

    def judge(self, begun: Sequence[Trajectory]) -> list[Trace]:
        """A trace for each begun trajectory, as `judge` makes it."""
        how = self.num_trajectories, self.num_rounds, self.carry, self.right, self.stop, self.horizon, self.credited
        return judge(begun, self.sampler, *how)

    def _begun(self, start: Trajectory, completion: Completion) -> Trajectory:
        if asked := summary_prompt(start, self.num_rounds, self.carry):
            return add_summary(start, asked, completion, self.carry)
        over = ended(start, self.num_rounds, self.stop)
        return start if over else add_reply(start, completion, self.num_rounds, self.carry)

    def _completion(self, completion: Any, ids: Sequence[int]) -> Completion:
        return Completion(completion_text(completion), self.ended(ids), len(ids))

    def _log(self, traces: list[Trace], begun: list[Trajectory], log_metric: Callable) -> None:
        """Spread inside the groups, groups without signal, and what the later rounds cost."""
        groups: dict[str, list[float]] = {}
        for trace, start in zip(traces, begun):
            if trace.reward is not None:
                groups.setdefault(start.question.text, []).append(trace.reward)
        spreads = [pstdev(rewards) for rewards in groups.values()] or [0.0]
        later = [call for trace, start in zip(traces, begun) for call in _asked_after(start, trace)]
        finals = [future.replies[-1] for trace in traces for future in trace.trajectories]
        log_metric("motif/accuracy", fmean([mean_outcome(t.outcomes) or 0.0 for t in traces]) / self.right)
        log_metric("motif/group_spread", fmean(spreads))
        log_metric("motif/groups_without_signal", fmean([spread == 0 for spread in spreads]))
        log_metric("motif/final_replies_cut", fmean([not reply.finished for reply in finals]))
        log_metric("motif/later_replies", len(later))
        log_metric("motif/later_tokens", sum(call.tokens for call in later))


def _asked_after(begun: Trajectory, trace: Trace) -> list[Reply]:
    """What was asked of the model to judge a begun trajectory: its futures' replies, and summaries (`carry.asks`)."""
    rounds, last = len(begun.replies), begun.replies[-1]
    shared = trace.trajectories[0].replies[rounds - 1].calls[len(last.calls) :]
    return [*shared, *(call for future in trace.trajectories for r in future.replies[rounds:] for call in r.calls)]


def starts(columns: dict[str, Any]) -> list[Trajectory]:
    """The trajectories that a batch's completions continue: column `start`, or empty ones from the question columns."""
    if "start" in columns:
        return columns["start"]
    gradings = columns.get("grading") or [None] * len(columns["question"])
    rows = zip(columns["question"], columns["gold"], columns["task"], gradings, strict=True)
    return [Trajectory(Question(text, gold, task, grading=rules), ()) for text, gold, task, rules in rows]
