r"""Thinking trees: several replies a round instead of one, and a vote.

`grow` lets every trajectory go on in `widths[r - 1]` ways in round r:

    grow(questions, sampler, (5, 1, 1))                       self-consistency over 5 whole trajectories
    grow(questions, sampler, (1, 1, 5))                       one path, 5 answers
    grow(questions, sampler, (3, 3, 3))                       the full tree, 27 answers
    grow(questions, sampler, (3, 3, 3), keep=majority_note)   of 3 notes the most frequent is carried on

`keep` looks at all trajectories of a question after each round but the last and says which of them go on: a plain
function, `majority_note` or your own. The answers at the leaves vote. Every reply that was sampled is paid for, also
those that were dropped. (Self-consistency: Wang et al. 2022, arXiv 2203.11171; trees: Yao et al. 2023, arXiv
2305.10601.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from motif_lib.carry import Carry, progress_note
from motif_lib.evaluate.report import Report
from motif_lib.evaluate.statistics import majority
from motif_lib.evaluate.store import make_records, verify_all
from motif_lib.protocol import NO_NOTE
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import Stop, advance, ended
from motif_lib.samplers.base import Sampler

Keep = Callable[[list[Trajectory]], list[Trajectory]]


@dataclass(frozen=True)
class Tree:
    """The trajectories of one question that reached the end, and what all of them together cost.

    Args:
        leaves: at least one; they share the replies of the branches that they come from.
        tokens: completion tokens of every reply sampled, dropped ones counted, shared ones once.
        prompt_tokens: prompt tokens of the same.
    """

    leaves: tuple[Trajectory, ...]
    tokens: int
    prompt_tokens: int

    @property
    def answer(self) -> Trajectory:
        """The first leaf with the most frequent answer; the first leaf if none has an answer."""
        answers = [verdict["answer"] for verdict in verify_all(self.leaves)]
        return self.leaves[majority(answers) or 0]


def majority_note(trajectories: list[Trajectory]) -> list[Trajectory]:
    """Keep one trajectory: the first with the most frequent note, in whatever case and spacing."""
    notes = [" ".join(t.replies[-1].carried.casefold().split()) for t in trajectories]
    return [trajectories[majority([None if note in ("", NO_NOTE) else note for note in notes]) or 0]]


def grow(
    questions: Sequence[Question],
    sampler: Sampler,
    widths: Sequence[int],
    carry: Carry = progress_note,
    keep: Keep = list,
    stop: Stop | None = None,
) -> list[Tree]:
    """One tree for each question, of `len(widths)` rounds; all replies of a round are one batched sampler call.

    Args:
        questions: one tree each.
        sampler: has to sample, greedy branches are all equal.
        widths: continuations of every trajectory in each round.
        carry: what passes between rounds.
        keep: which trajectories of a question go on after a round; at least one. By default all.
        stop: rule that ends a trajectory before the last round; it stays as it is, one leaf.

    Raises:
        ValueError: for no rounds, a width below 1, or a `keep` that drops everything.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"widths={tuple(widths)}: give the number of continuations of each round, at least 1")
    n = len(widths)
    trees = [[Trajectory(question, ())] for question in questions]
    spent = [(0, 0)] * len(trees)
    for round, width in enumerate(widths, 1):
        trees = [[t for t in tree for _ in range(1 if ended(t, n, stop) else width)] for tree in trees]
        going = [(i, j) for i, tree in enumerate(trees) for j, t in enumerate(tree) if not ended(t, n, stop)]
        grown = advance([trees[i][j] for i, j in going], sampler, n, carry) if going else []
        for (i, j), trajectory in zip(going, grown, strict=True):
            trees[i][j], reply = trajectory, trajectory.replies[-1]
            for call in reply.calls:
                spent[i] = (spent[i][0] + call.tokens, spent[i][1] + call.prompt_tokens)
        trees = [keep(tree) for tree in trees] if round < n else trees
        if not all(trees):
            raise ValueError("`keep` dropped every trajectory of a question: at least one has to go on")
    return [Tree(tuple(leaves), *cost) for leaves, cost in zip(trees, spent, strict=True)]


def tree_report(trees: Sequence[Tree], name: str) -> Report:
    """A report of the voted answers at the cost of whole trees, to print and to `compare`; the questions need ids."""
    records = make_records([tree.answer for tree in trees], [0] * len(trees))
    report = Report.from_records({"name": name, "samples": 1}, records)
    paid = [
        replace(item, tokens=(tree.tokens,), prompt_tokens=(tree.prompt_tokens,))
        for item, tree in zip(report.items, trees, strict=True)
    ]
    return replace(report, items=tuple(paid))
