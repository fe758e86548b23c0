"""The result of a preflight (`training.preflight`): would GRPO find anything to learn from these replies?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from motif_lib.evaluate.report import Report
from motif_lib.evaluate.statistics import Estimate, mean_estimate
from motif_lib.evaluate.store import make_records
from motif_lib.protocol import read_answer
from motif_lib.records import Reply, Trace
from motif_lib.rewards.format import is_soft
from motif_lib.show.tables import Shown, Table

# Where the advice changes. Rules of thumb: GRPO learns faster the more groups differ; there is no sharp edge.
ENOUGH, PLENTY = 0.2, 0.5  # share of groups whose outcomes differ
MANY_CUT, FEW_NOTES = 0.5, 0.5  # share of replies that are cut, of notes that can be read
FEW_OUT = 0.1  # share of prompts that leave no room for a reply
UNBOXED = 0.1  # accuracy that is lost by its form
HARD, EASY = 0.05, 0.9  # accuracy at which groups are all wrong or all right


@dataclass(frozen=True, repr=False)
class Signal(Shown):
    """What a model did with a few questions before any training. Shows itself as a table.

    Args:
        name: title.
        plan: the settings of the planned training (`training.preflight.Plan`).
        traces: m consecutive ones belong to a question.
        formats: the format reward of each trace's own reply.
        seconds: spent sampling.
        no_room: prompts that left no room for a reply.
    """

    name: str
    plan: dict[str, Any]
    traces: tuple[Trace, ...]
    formats: tuple[float, ...]
    seconds: float
    no_room: int = 0

    @cached_property
    def report(self) -> Report:
        """The m * k trajectories of each question as an evaluation, with its scores."""
        k = self.plan["num_trajectories"]  # of one that ended early there is a single one, which counts for k
        rolled = [t.trajectories[i % len(t.trajectories)] for t in self.traces for i in range(k)]
        samples = self.plan["num_generations"] * k
        records = make_records(rolled, [i % samples for i in range(len(rolled))])
        return Report.from_records({"name": self.name, "samples": samples}, records)

    @cached_property
    def replies(self) -> list[list[Reply]]:
        """The replies to each question; one that several futures share is there once."""
        return [
            list({id(reply): reply for t in group for future in t.trajectories for reply in future.replies}.values())
            for group in self._groups(self.traces)
        ]

    def share(self, counts: Callable[[Reply], bool], of: Callable[[Reply], bool] = lambda reply: True) -> Estimate:
        """Share of the replies that count, of those that are asked about; the interval is over questions."""
        asked = [[counts(reply) for reply in replies if of(reply)] for replies in self.replies]
        return mean_estimate([sum(found) / len(found) for found in asked if found])

    @property
    def in_format(self) -> Estimate:
        """Replies with both blocks of the protocol, whatever stands around them."""
        return self.share(lambda reply: is_soft(reply.text))

    @property
    def cut(self) -> Estimate:
        """Replies that the budget cut off."""
        return self.share(lambda reply: not reply.finished)

    @property
    def notes(self) -> Estimate | None:
        """Readable notes among the replies before the last round; None where there is one round."""
        last = self.plan["num_rounds"]
        return self.share(lambda r: bool(read_answer(r.text)), lambda r: r.round < last) if last > 1 else None

    @property
    def with_signal(self) -> Estimate:
        """Groups whose MOTIF rewards differ: those that teach something about the answer."""
        return mean_estimate([float(differ(t.reward for t in group)) for group in self._groups(self.traces)])

    @property
    def format_only(self) -> Estimate:
        """Groups that differ in the format reward alone: those that teach tags, and nothing about the answer."""
        groups = zip(self._groups(self.traces), self._groups(self.formats))
        return mean_estimate([float(differ(scores) and not differ(t.reward for t in g)) for g, scores in groups])

    @property
    def lenient(self) -> Estimate:
        """Accuracy by the last number of a reply, in whatever form."""
        return self.report.lenient

    @property
    def found(self) -> bool:
        """Is there signal to train on?"""
        return self.with_signal.value >= ENOUGH

    @property
    def tokens_per_step(self) -> float:
        """Completion tokens that a training step samples, all rounds."""
        tokens = sum(call.tokens for replies in self.replies for reply in replies for call in reply.calls)
        return tokens * self.plan["questions_per_step"] / len(self.replies)

    @property
    def seconds_per_step(self) -> float:
        """Seconds that a training step samples on this machine; its update comes on top."""
        return self.seconds * self.plan["questions_per_step"] / len(self.replies)

    @property
    def advice(self) -> str:
        """One sentence: whether there is signal, and what to change before a training."""
        share = self.with_signal.value
        verdict = (
            "There is signal" if share >= PLENTY else "There is some signal" if self.found else "Hardly any signal"
        )
        return f"{verdict}: {self._change()}."

    def _change(self) -> str:
        m, accuracy = self.plan["num_generations"], self.report.accuracy.value
        readable = self.in_format if self.notes is None else self.notes
        if self.no_room > FEW_OUT * sum(map(len, self.replies)):
            return "take shorter questions, or a model with a longer window, as many prompts leave no room for a reply"
        if self.with_signal.value >= PLENTY:
            return "train"
        if self.cut.value > MANY_CUT:
            return (
                "give a longer budget, as most replies are cut off; if they then ramble on, begin with a cold start "
                "(motif warm), or take an instruct model"
            )
        if readable.value < FEW_NOTES:
            return "begin with a cold start (motif warm), as most replies hold no answer in its tags"
        if self.lenient.value - accuracy > UNBOXED:
            return "begin with a cold start (motif warm), as right answers stand in no box"
        if accuracy > EASY:
            return "take harder questions, as nearly all replies are right"
        if accuracy < HARD:
            return "take easier questions, or begin with a cold start (motif warm), as hardly any reply is right"
        return f"take more than m = {m} replies a question, so that right and wrong ones meet in more groups"

    @property
    def summary(self) -> str:
        """The findings in one line."""
        notes = "" if self.notes is None else f"{100 * self.notes.value:.0f} % of notes readable, "
        differ = round(self.with_signal.value * self.with_signal.n)
        return (
            f"{100 * self.in_format.value:.0f} % of replies in format, {notes}{100 * self.cut.value:.0f} % cut off, "
            f"accuracy {100 * self.report.accuracy.value:.0f} %, {differ} of {self.with_signal.n} groups with signal"
        )

    @property
    def cost(self) -> str:
        """What a step and the whole training will take here; how many steps there are may not be known."""
        steps, step = self.plan["max_steps"], f"A step of {self.plan['questions_per_step']} questions"
        whole = f", {steps} steps in {duration(steps * self.seconds_per_step)}" if steps > 0 else ""
        return (
            f"{step} samples {self.tokens_per_step:,.0f} tokens in {self.seconds_per_step:,.1f} s here{whole}; the "
            "updates come on top."
        )

    def rows(self) -> dict[str, Estimate]:
        """The shares by name."""
        notes = {} if self.notes is None else {"readable notes": self.notes}
        return {
            "replies in format": self.in_format,
            **notes,
            "replies cut off": self.cut,
            "accuracy": self.report.accuracy,
            "accuracy, last number": self.lenient,
            "groups with signal": self.with_signal,
            "groups that differ in format only": self.format_only,
        }

    def record(self) -> dict[str, Any]:
        """The findings as plain JSON."""
        shares = {name: [e.value, e.low, e.high] for name, e in self.rows().items()}
        cost = {"tokens_per_step": self.tokens_per_step, "seconds_per_step": self.seconds_per_step}
        asked = {"name": self.name, "plan": self.plan, "questions": len(self.replies)}
        return {**asked, "shares": shares, **cost, "advice": self.advice}

    def table(self) -> Table:
        """The shares with their intervals; costs and advice below."""
        n, m, k = (self.plan[key] for key in ("num_rounds", "num_generations", "num_trajectories"))
        title = f"{self.name}: {len(self.replies)} questions, m = {m} replies each, k = {k}, n = {n} rounds"
        rows = [(label, *estimate.cells) for label, estimate in self.rows().items()]
        no_room = [f"{self.no_room} prompts do not fit the window: a training would end there."] if self.no_room else []
        return Table(title, ("", "%", "95 % interval"), rows, [*no_room, self.cost, self.advice])

    def _groups(self, values: Sequence[Any]) -> list[Sequence[Any]]:
        m = self.plan["num_generations"]
        return [values[start : start + m] for start in range(0, len(values), m)]


def differ(rewards: Iterable[float | None]) -> bool:
    """Do the rewards of a group differ? Those that could not be graded do not count."""
    return len({reward for reward in rewards if reward is not None}) > 1


def duration(seconds: float) -> str:
    """Roughly, in the unit that fits: `40 seconds`, `12 minutes`, `3.5 hours`."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"
