"""Is there anything to learn? Before a training: what the untrained model does with a few of its questions.

GRPO learns from groups of replies whose rewards differ. A group that is right throughout, or wrong throughout, teaches
nothing, and a model that never writes the tags gets nowhere. Both can be seen before anything is trained: the same
rounds, futures and rewards as in a step of the training, without its update.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from motif_lib.carry import Carry, fitting, progress_note
from motif_lib.credit import roll_in
from motif_lib.evaluate.run import seed_sampler
from motif_lib.files import write_text
from motif_lib.records import Question, Trace
from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import judge
from motif_lib.rounds import Stop, roll_out
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.tasks.load import load_task
from motif_lib.tasks.rows import BENCHMARKS
from motif_lib.training.refusals import check
from motif_lib.training.run_folder import SIGNAL, begun
from motif_lib.training.signals import Signal

FEW = 8  # questions of the short preflight that `motif train` begins with


@dataclass(frozen=True)
class Plan:
    """The planned training; the names are those of `MotifConfig`."""

    num_rounds: int = 3
    num_generations: int = 8
    num_trajectories: int = 1
    max_completion_length: int | None = 60
    credit: str = "first"
    questions_per_step: int = 8
    max_steps: int = 100

    @classmethod
    def of(cls, args: Any) -> Plan:
        """What a `MotifConfig` says; without `max_steps`, -1."""
        return cls(**{each.name: getattr(args, each.name) for each in fields(cls)})

    @property
    def replies_per_question(self) -> int:
        """As `MotifConfig.replies_per_question`: m (1 + k (n - 1))."""
        return self.num_generations * (1 + self.num_trajectories * (self.num_rounds - 1))


def sample_questions(task: str, size: int, seed: int = 0) -> list[Question]:
    """Some training questions of a task; test questions of a benchmark that has no others."""
    only_test = task in BENCHMARKS and BENCHMARKS[task].only_test
    return some(load_task(task, "test" if only_test else "train", seed=seed), size, seed)


def some(questions: Sequence[Question], size: int, seed: int = 0) -> list[Question]:
    """A random choice of questions, or all if they are fewer."""
    return random.Random(f"preflight-{seed}").sample(list(questions), min(size, len(questions)))


def preflight(
    questions: Sequence[Question],
    sampler: Sampler,
    plan: Plan | None = None,
    later: Sampler | None = None,
    carry: Carry = progress_note,
    stop: Stop | None = None,
    name: str = "",
    seed: int = 0,
    progress: bool = True,
) -> Signal:
    """Sample what a training would sample for these questions, and say what it would learn from.

    Args:
        questions: about 32; each gets m replies.
        sampler: draws the replies; seeded where it has a method `seed(int)`.
        plan: rounds, m, k and credit of the training, and its steps.
        later: draws the later rounds, default `sampler`.
        carry: what passes between rounds, cut to what the window leaves, as in a training.
        stop: rule that ends a trajectory before round n.
        name: title of the result.
        seed: of sampling.
        progress: show a bar with the time left.

    Raises:
        ValueError: for no questions, for fewer than two replies each, or at temperature 0, where all would be equal.
    """
    from tqdm.auto import tqdm

    plan = plan or Plan()
    check(questions, "no questions to ask")
    check(plan.num_generations >= 2, f"{plan.num_generations} reply a question: a group needs m >= 2 replies")
    check(getattr(sampler, "temperature", 1) != 0, "at temperature 0 all replies of a group would be the same")
    traces, formats, size = list[Trace](), list[float](), plan.questions_per_step
    total = len(questions) * plan.replies_per_question
    with tqdm(total=total, desc=name or None, unit="reply", disable=not progress) as bar:
        watch = Watch(bar.update)
        step = Step(plan, watch.over(sampler), watch.over(later or sampler), fitting(carry, sampler), stop)
        for start in range(0, len(questions), size):
            for number, each in enumerate(each for each in dict.fromkeys((sampler, later)) if each):
                seed_sampler(each, seed, 2 * start + number)
            found, scores = step(questions[start : start + size], random.Random(f"{seed}-{start}"))
            traces += found
            formats += scores
    return Signal(name, asdict(plan), tuple(traces), tuple(formats), watch.seconds, watch.no_room)


@dataclass(frozen=True)
class Step:
    """The sampling of a training step: what `MotifTrainer` and its reward do, without a tensor."""

    plan: Plan
    sampler: Sampler
    later: Sampler
    carry: Carry
    stop: Stop | None

    def __call__(self, questions: Sequence[Question], rng: random.Random) -> tuple[list[Trace], list[float]]:
        """The traces of m replies to each question, and the format rewards of these replies."""
        m, n, how = self.plan.num_generations, self.plan.num_rounds, (self.carry, self.stop)
        starts = roll_in(questions, m, self.plan.credit, rng, self.later, n, *how)
        one_more = [len(start.replies) + 1 for start in starts]
        begun = roll_out(starts, self.sampler, n, *how, until=one_more)
        traces = judge(begun, self.later, self.plan.num_trajectories, n, self.carry, stop=self.stop)
        return traces, format_reward([trajectory.final for trajectory in begun])


class Watch:
    """Watches samplers at work: their time, their progress, and the chats that leave no room for a reply.

    Those get an empty, unfinished reply, as in `evaluate.baselines`; a training would end there.
    """

    def __init__(self, tell: Callable[[int], Any]):
        self.tell, self.seconds, self.no_room = tell, 0.0, 0

    def over(self, sampler: Sampler) -> Sampler:
        """The sampler, watched."""
        return partial(self._answer, sampler)

    def _answer(self, sampler: Any, chats: Sequence[Chat]) -> list[Completion]:
        fits = sampler.leaves_room(chats) if hasattr(sampler, "leaves_room") else [True] * len(chats)
        asked, started = [chat for chat, room in zip(chats, fits) if room], perf_counter()
        answered = iter(sampler(asked) if asked else [])
        self.seconds += perf_counter() - started
        self.no_room += fits.count(False)
        self.tell(len(chats))
        return [next(answered) if room else Completion("", finished=False) for room in fits]


def look_first(trainer: Any, out: Path, questions: Sequence[Question], name: str, seed: int = 0) -> None:
    """A short preflight as a run begins: its findings are printed in two lines and kept in the folder.

    Nothing of the training changes by it: it draws with copies of the samplers and seeds of its own.
    """
    from tqdm.auto import tqdm

    plan, few = Plan.of(trainer.args), some(questions, FEW, seed)
    if begun(out) or seen(out / SIGNAL, name, plan):
        return
    sampler, later = (own.at(own.temperature, own.top_p) for own in (trainer.sampler, trainer.later_sampler))
    with same_draws_after():
        found = preflight(few, sampler, plan, later, trainer.carry, trainer.stop, name, seed)
    write_text(out / SIGNAL, json.dumps(found.record(), indent=2) + "\n")
    tqdm.write(f"Before training: {found.summary}.\n{found.advice} {found.cost}")


def seen(record: Path, name: str, plan: Plan) -> bool:
    """Is there a record for this model, task and plan already?"""
    with suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(record.read_text(encoding="utf-8"))
        return (known["name"], known["plan"]) == (name, asdict(plan))
    return False


@contextmanager
def same_draws_after() -> Iterator[None]:
    """Leave the random states of Python, NumPy and torch as they were before the block."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():  # of the CPU and of every GPU
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
