"""Fair baselines: what would the tokens of n rounds have bought otherwise?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif_lib.carry import Carry, progress_note
from motif_lib.evaluate.compare import compare
from motif_lib.evaluate.report import Report
from motif_lib.evaluate.run import evaluate, with_ids
from motif_lib.protocol import messages
from motif_lib.records import Question
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.show.tables import Shown, Table

MakeSampler = Callable[[int], Sampler]  # (max_new_tokens) -> sampler


@dataclass(frozen=True, repr=False)
class Budgets(Shown):
    """Reports of all ways to spend the tokens, one answer a question each; the last one is the n rounds."""

    reports: tuple[Report, ...]

    def table(self) -> Table:
        """Accuracy, interval and tokens of each way, and how far the n rounds are ahead of it."""
        rows, notes = [], []
        rounds = self.reports[-1]
        for report in self.reports:
            ahead = "" if report is rounds else " ".join(compare(report, rounds).difference.points)
            rows.append((report.name, *report.accuracy.cells, f"{report.tokens_per_question:,.0f}", ahead))
            notes += [f"{report.name}: {warning}" for warning in report.warnings]
        columns = ("", "%", "95 % interval", "tokens per question", f"{rounds.name} minus this, points")
        return Table(f"Equal budgets, {len(rounds.items)} questions", columns, rows, notes)


class WindowGuard:
    """A sampler that sends on the chats that leave room for the reply; the others get an empty, unfinished one."""

    def __init__(self, make_sampler: MakeSampler, max_new_tokens: int, fits: set[str]):
        self.fits, self.max_new_tokens = fits, max_new_tokens
        self.sampler = make_sampler(max_new_tokens) if fits else None  # a budget beyond the window may be refused

    def seed(self, value: int) -> None:
        if seed_with := getattr(self.sampler, "seed", None):
            seed_with(value)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        fitting = [chat for chat in chats if chat[-1]["content"] in self.fits]
        answered = iter(self.sampler(fitting) if self.sampler and fitting else [])
        return [
            next(answered) if chat[-1]["content"] in self.fits else Completion("", finished=False) for chat in chats
        ]


def budget_matched(
    questions: Sequence[Question],
    make_sampler: MakeSampler,
    num_rounds: int,
    budget: int,
    window: int,
    make_voter: MakeSampler | None = None,
    carry: Carry = progress_note,
    path: str | Path | None = None,
    **options: Any,
) -> Budgets:
    """Evaluate n rounds of `budget` tokens beside three other ways to spend tokens on the same questions.

    They are: one round of `budget`; one round of n * `budget`, where prompt and budget fit the window (where they do
    not, the question counts as wrong, "does not fit"); a majority vote over n rounds' worth of independent one-round
    replies (self-consistency, Wang et al. 2022, arXiv 2203.11171). Budgets are upper limits: the table says what was
    spent.

    Args:
        questions: the same for all.
        make_sampler: `(max_new_tokens) -> sampler`.
        num_rounds: n, at least 2.
        budget: completion tokens of one round.
        window: tokens of prompt and completion together.
        make_voter: like `make_sampler`, for the vote: it has to sample, since greedy votes are all equal.
        carry: what passes between rounds.
        path: folder; each way gets its own in it.
        **options: `seed`, `batch_size` and `progress` of `evaluate`.
    """
    if num_rounds < 2:
        raise ValueError(f"num_rounds={num_rounds}: there is nothing to compare with fewer than 2 rounds")
    questions, n = with_ids(questions), num_rounds

    def run(folder: str, name: str, sampler: Sampler, rounds: int = 1, samples: int = 1) -> Report:
        place = Path(path) / folder if path is not None else None
        return evaluate(questions, sampler, rounds, samples, carry, name, place, **options)

    one = run("one_round", "1 round", make_sampler(budget))
    long = run(
        "long_round", f"1 round, {n} x tokens", WindowGuard(make_sampler, n * budget, _fits(one, n * budget, window))
    )
    votes = run("vote", "1 round", (make_voter or make_sampler)(budget), samples=n)
    rounds = run("rounds", f"{n} rounds", make_sampler(budget), rounds=n)
    return Budgets((one, long, votes.voted(), rounds))


def _fits(one_round: Report, budget: int, window: int) -> set[str]:
    """User messages of the prompts that leave room; one long round has the very prompt of one short round."""
    return {
        messages(item.question.text, 1, 1)[-1]["content"]
        for item in one_round.items
        if item.prompt_tokens[0] + budget <= window
    }
