"""Check of notebook 03 on the core of MOTIF, k futures of each begun reply; the library's own is `rounds.branch`.

Scripted samplers give every draw a number of its own, so that two futures that share a draw are seen to share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.protocol import messages, read_answer, reply_text
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.samplers.base import Chat, Sampler, ScriptedSampler

Begun = Sequence[Trajectory]
Branch = Callable[[Begun, Sampler, int, int], Sequence[Sequence[Trajectory]]]

ROUND = re.compile(r"^Round (\d+) of (\d+)\.", re.MULTILINE)
NOTE = re.compile(r"<progress>\n(.*)\n</progress>", re.DOTALL)


def begun(text: str, gold: str, *notes: str) -> Trajectory:
    """A trajectory that has written these notes."""
    replies = [Reply(r, messages(text, r, 9), reply_text("work", note), note, True) for r, note in enumerate(notes, 1)]
    return Trajectory(Question(text, gold), tuple(replies))


STARTS = (begun("One?", "1", "note a"), begun("One?", "1", "note b"), begun("Two?", "2", "note c"))


def asked(chat: Chat) -> tuple[str, int, int]:
    """The note that a prompt holds, its round, and the number of rounds that it is told."""
    if not isinstance(chat, list):
        raise TypeError("a sampler takes a list of chats and gives a list of completions")
    content = chat[-1]["content"]
    note, (round, total) = NOTE.search(content), ROUND.findall(content)[-1]
    return note[1] if note else "", int(round), int(total)


def rolled(
    function: Branch, starts: Begun = STARTS, k: int = 2, n: int = 3
) -> tuple[list[list[Trajectory]], list[tuple[str, int, int]]]:
    """A learner's futures in their lists, and what was asked for them; every draw writes a note of its own."""
    prompts: list[tuple[str, int, int]] = []

    def answer(chat: Chat) -> str:
        prompts.append(asked(chat))
        return reply_text("work", f"draw {len(prompts) - 1}")

    groups = function(starts, ScriptedSampler(answer), k, n)
    return [[group] if isinstance(group, Trajectory) else list(group) for group in groups], prompts


def draw(reply: Reply) -> int:
    """Which prompt, counted from 0, has this scripted reply answered?"""
    return int((read_answer(reply.text) or "").removeprefix("draw "))


def check_branch(function: Branch) -> Result:
    """`function(begun, sampler, k, n)`: for each begun trajectory the list of its k futures, rolled out to round n."""

    def draws(function: Branch) -> list[list[int]]:
        """In rounds 2 and 3: how many different replies have the futures of each begun trajectory?"""
        return [[len({t.replies[r].text for t in group}) for r in (1, 2)] for group in rolled(function)[0]]

    def notes(function: Branch) -> list[list[str]]:
        """For each future the note that its round 2 was asked with."""
        groups, prompts = rolled(function)
        return [[prompts[draw(t.replies[1])][0] for t in group] for group in groups]

    def handed_on(function: Branch) -> bool:
        groups, prompts = rolled(function)
        pairs = [t.replies[1:] for group in groups for t in group]
        return all(prompts[draw(third)][0] == f"draw {draw(second)}" for second, third in pairs)

    def origins(function: Branch) -> list[list[int | None]]:
        """For each future the number of the begun trajectory that it continues."""
        known = {(start.question.text, start.replies[0].text): i for i, start in enumerate(STARTS)}
        return [[known.get((t.question.text, t.replies[0].text)) for t in group] for group in rolled(function)[0]]

    def of_twins(function: Branch) -> tuple[list[int], int]:
        """Of two equal begun trajectories: how many futures has each, and how many of all are different?"""
        groups = rolled(function, [begun("One?", "1", "a") for _ in range(2)])[0]
        return [len(group) for group in groups], len({t.final for group in groups for t in group})

    whole = "a future is a whole Trajectory: the replies that were begun, and those that follow"
    return run(
        "my_branch",
        function,
        [
            Case(_groups, lambda f: [len(group) for group in rolled(f)[0]], [2, 2, 2]),
            Case(_lengths, lambda f: sorted({len(t.replies) for g in rolled(f)[0] for t in g}), [3], broken=whole),
            Case(_origins, origins, [[0, 0], [1, 1], [2, 2]], broken=whole),
            Case(
                "round 2 starts from the note of its own reply: without it a future says nothing about the reply",
                notes,
                [["note a"] * 2, ["note b"] * 2, ["note c"] * 2],
                broken=whole,
            ),
            Case(_draws, draws, [[2, 2]] * 3),
            Case("round 3 of a future starts from the note that its own round 2 wrote", handed_on, True),
            Case(
                "k and n are arguments: with k=3 and n=4 there are 3 futures of 4 replies",
                lambda f: [[len(t.replies) for t in group] for group in rolled(f, k=3, n=4)[0]],
                [[4, 4, 4]] * 3,
            ),
            Case(
                "every prompt says which round of how many it is: give n on",
                lambda f: [sorted({place[1:] for place in rolled(f, n=n)[1]}) for n in (3, 2)],
                [[(2, 3), (3, 3)], [(2, 2)]],
            ),
            Case(
                "what has begun may have two replies already: go on until round n, not n - 1 rounds more",
                lambda f: [[len(t.replies) for t in g] for g in rolled(f, [begun("One?", "1", "a", "b")])[0]],
                [[3, 3]],
            ),
            Case(
                "with n=1 the reply that was begun is the last one: nothing is left to sample",
                lambda f: [{len(t.replies) for group in rolled(f, n=1)[0] for t in group}, rolled(f, n=1)[1]],
                [{1}, []],
            ),
            Case(
                "two replies may be equal: each of them has a list with k futures of its own",
                of_twins,
                ([2, 2], 4),
                broken=whole,
            ),
            Case(
                "k (n - 1) replies a begun trajectory are enough: here some are sampled and thrown away",
                lambda f: len(rolled(f)[1]),
                12,
            ),
        ],
    )


def _groups(got: Any) -> str:
    known = [
        ([1, 1, 1], "one future is not k: make k copies of each begun trajectory, then roll them out"),
        ([3, 3], "one list for each begun trajectory, k futures in each: this is one list for each of the k"),
        ([6], "one list for each begun trajectory, and not one list of all futures"),
        ([1] * 6, "one list for each begun trajectory, with its k futures, and not one long list"),
    ]
    return named(known, "one list for each begun trajectory, with its k futures")(got)


def _lengths(got: Any) -> str:
    known = [
        ([1], "the futures have not gone on: each needs a reply in rounds 2 to n"),
        ([2], "the last round is not reached: go on until a trajectory has n replies"),
        ([4], "one round too many: the reply that was begun is round 1, so n - 1 rounds remain"),
    ]
    return named(known, "wrong number of rounds: a future ends with n replies")(got)


def _origins(got: Any) -> str:
    if all(origin is None for group in got for origin in group):
        return "the futures have a round 1 of their own: they must go on from the reply that was begun"
    return "the futures of other replies are mixed in: a list holds those of its own begun trajectory"


def _draws(got: Any) -> str:
    known = [
        ([[1, 1]] * 3, "the futures share one draw: copy k times before the sampler is asked, not after"),
        ([[1, 2]] * 3, "the futures share their round 2: they go their own ways from the first round after the reply"),
        ([[2, 1]] * 3, "the futures share their last round: each samples its own"),
    ]
    return named(known, "every future samples its own replies")(got)
