r"""Checks of notebook 03: a format reward, is the answer right, and from `futures` the core of MOTIF.

The library's own are `rewards.format.format_reward` and `verify.verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motif_lib.checks.base import Case, Result, named, run
from motif_lib.checks.futures import check_branch
from motif_lib.checks.outcomes import check_future_reward
from motif_lib.protocol import REPLY_TAGS, reply_text

__all__ = ["check_branch", "check_format_reward", "check_future_reward", "check_is_correct"]
PERFECT = reply_text("one\ntwo", r"\boxed{5}")
THREE_BOXES = [" ".join(rf"\boxed{{{n}}}" for n in numbers) for numbers in ("556", "565", "655", "46")]


def check_format_reward(function: Callable[[str], float]) -> Result:
    """`function(text) -> float`: 0.5 for the two complete blocks in order, 0.125 for each tag that occurs once."""

    one_line, wrong_order = "<reasoning>a</reasoning><answer>b</answer>", "<answer>b</answer><reasoning>a</reasoning>"

    def first(got: Any) -> str:
        whole, reversed = got
        known = named(
            [
                (
                    [0.5, 0.5],
                    "a complete reply earns 0.5 more, also without newlines around the tags: find its two blocks",
                ),
                (
                    [0.5, 0.0],
                    "the tags' points are missing: 0.125 for each that occurs once, newlines or not",
                ),
                ([1.5, 0.5], "the order of the blocks earns 0.5, not 1.0"),
                ([1.0, 1.0], "the blocks stand in the wrong order: the tags earn 0.125 each, the order nothing"),
            ],
            "0.5 for the two blocks in order, and 0.125 for each tag that occurs once",
        )
        if isinstance(whole, list):
            return "give one number for one text, not a list"
        if isinstance(whole, float) and 0.5 < whole < 1 and reversed < 0.5:
            return "a complete reply earns all of it: no penalty for its length"
        return known(got)

    return run(
        "format_score",
        function,
        [
            Case(first, lambda f: [f(one_line), f(wrong_order)], [1.0, 0.5]),
            Case("your dot does not match a newline: re.DOTALL, or str.find", lambda f: f(PERFECT), 1.0),
            Case(
                "text around the blocks is allowed: re.match looks only at the very beginning, re.search everywhere",
                lambda f: f(f"Sure! {PERFECT} I hope this helps."),
                1.0,
            ),
            Case("a long reply is no bad reply: no penalty for length", lambda f: f(reply_text("x" * 3_000, "5")), 1.0),
            Case(
                "text between the blocks is allowed too",
                lambda f: f("<reasoning>a</reasoning> So:\n<answer>b</answer>"),
                1.0,
            ),
            Case(
                "what is inside a block may be anything, a < too",
                lambda f: f("<reasoning>1 < 2</reasoning><answer>b < c</answer>"),
                1.0,
            ),
            Case("an answer may have many lines too", lambda f: f(reply_text("one", "5\n" * 100)), 1.0),
            Case("a block may be empty: .* and not .+", lambda f: f("".join(REPLY_TAGS)), 1.0),
            Case("a tag is written in small letters: <ANSWER> is none", lambda f: f(one_line.upper()), 0.0),
            Case(
                named(
                    [(0.0, "the 0.5 stays when tags repeat: only a tag's 0.125 asks that it occurs once")],
                    "everything occurs twice: a tag earns its 0.125 if text.count(tag) == 1, not if `tag in text`",
                ),
                lambda f: f(PERFECT + PERFECT),
                0.5,
            ),
            Case(
                "an <answer> before the reasoning does not spoil the one behind it: look on after </reasoning>",
                lambda f: f(f"<answer>x</answer>{one_line}"),
                0.75,
            ),
            Case(
                "a </reasoning> before the block does not close it: look on after <reasoning>",
                lambda f: f(f"</reasoning>{one_line}"),
                0.875,
            ),
            Case(
                "what follows the two blocks does not undo them: look for the first of each tag, find and not rfind",
                lambda f: f(f"{one_line}<reasoning>"),
                0.875,
            ),
            Case("a block that was never closed is no block", lambda f: f("<reasoning>a</reasoning><answer>b"), 0.375),
            Case(
                "no answer stands behind the reasoning: one is before it, and that behind it was never closed",
                lambda f: f(f"{wrong_order}<answer>"),
                0.375,
            ),
            Case("nor is a reasoning that was never closed", lambda f: f("<reasoning>a<answer>b</answer>"), 0.375),
            Case(
                "what is inside a block may be anything, a tag too: then only this tag's 0.125 is lost",
                lambda f: f("<reasoning>an <answer> comes later</reasoning><answer>b</answer>"),
                0.875,
            ),
            Case("an empty text earns nothing", lambda f: f(""), 0.0),
        ],
    )


def check_is_correct(function: Callable[[str, str], bool]) -> Result:
    """`function(reply, gold) -> bool`: does the last answer claim the gold number, and no other?"""

    spelling = "the same number in another spelling: compare numbers, not characters"

    wrong = "an answer that is no number is wrong, not an error"

    def right(got: object) -> str:
        if isinstance(got, bool):
            return r'this answer is right; was no box found? Write the pattern raw: r"\\boxed\{(.*?)\}"'
        return "give True or False: the points come later"

    def boxed(answer: str, reasoning: str = "x") -> str:
        return reply_text(reasoning, rf"\boxed{{{answer}}}")

    def respelled(answer: str) -> Case:
        return Case(spelling, lambda f: f(boxed(answer), "1000"), True, spelling)

    return run(
        "is_correct",
        function,
        [
            Case(right, lambda f: f(boxed("5"), "5"), True),
            Case("15 is not 5 although it contains it: compare, do not search", lambda f: f(boxed("15"), "5"), False),
            Case(
                "5.4 is not 5: compare the numbers in full, cut and round nothing",
                lambda f: f(boxed("5.4"), "5"),
                False,
            ),
            Case("5.01 is not 5: near is not equal", lambda f: f(boxed("5.01"), "5"), False),
            Case(
                "5.0001 is not 5, nor is 10000001 10000000: compare exactly, with no tolerance to speak of",
                lambda f: [f(boxed("5.0001"), "5"), f(boxed("10000001"), "10000000")],
                [False, False],
            ),
            *map(respelled, (" 1000 ", "1000.0", "1,000")),
            Case(spelling, lambda f: f(boxed("1000"), "1,000"), True, spelling),
            Case(
                "a box in the reasoning is no answer: only what stands in <answer> counts",
                lambda f: f(reply_text(r"\boxed{5}", "6"), "5"),
                False,
            ),
            Case(
                "a reply that was cut off has no answer: do not fall back to the whole text",
                lambda f: f(r"<reasoning>so it is \boxed{5}", "5"),
                False,
                broken="read_answer gives None for a reply without an answer",
            ),
            Case(
                "several different boxes are a hedge: a reply has one final answer",
                lambda f: f(reply_text("x", r"\boxed{3} or \boxed{5}"), "5"),
                False,
            ),
            Case(
                "several different boxes are a hedge, whichever comes first",
                lambda f: f(reply_text("x", r"\boxed{5} \boxed{6}"), "5"),
                False,
            ),
            Case(
                "a box that is no number is a claim too: do not skip it",
                lambda f: f(reply_text("x", r"\boxed{5} or \boxed{many}"), "5"),
                False,
                broken="a box that is no number is a wrong claim, not an error",
            ),
            Case(
                "every box is a claim, and all have to be the gold number: no majority, no mean, no two of three",
                lambda f: [f(reply_text("x", claims), "5") for claims in THREE_BOXES],
                [False] * len(THREE_BOXES),
            ),
            Case(
                "an empty box is a claim too, and a wrong one: do not skip it",
                lambda f: f(reply_text("x", r"\boxed{} \boxed{5}"), "5"),
                False,
                broken="an empty box is a wrong claim, not an error",
            ),
            Case(
                "0 is a number like any other, and an empty box or answer is none",
                lambda f: [f(boxed("0"), "0"), f(boxed(""), "0"), f(reply_text("x", ""), "0")],
                [True, False, False],
                broken=wrong,
            ),
            Case("the same number in two boxes is one claim", lambda f: f(boxed(r"5} = \boxed{5.0"), "5"), True),
            Case("of two answers the last one counts", lambda f: f(boxed("6") + boxed("5"), "5"), True),
            Case(
                "the last answer was cut off: only a complete one counts, as read_answer(reply) gives it",
                lambda f: f(r"<reasoning>x</reasoning><answer>\boxed{5}", "5"),
                False,
                broken="read_answer gives None for a reply without an answer",
            ),
            Case(wrong, lambda f: f(boxed("many"), "5"), False, wrong),
            Case(
                "float reads `nan` as a number, and no comparison with it holds: it is a wrong claim",
                lambda f: f(boxed("nan"), "5"),
                False,
            ),
            Case(
                "an answer without a box is a claim itself",
                lambda f: [f(reply_text("x", "5"), "5"), f(reply_text("x", "6"), "5")],
                [True, False],
            ),
            Case(
                "without a box the whole text is the claim, and `5 or 6` is no number",
                lambda f: [f(reply_text("x", "5 or 6"), gold) for gold in ("5", "6", "56")],
                [False] * 3,
                broken=wrong,
            ),
            Case(
                "without a box the whole text is the claim, not its first or its last line",
                lambda f: [f(reply_text("x", "5\n6"), gold) for gold in ("5", "6")],
                [False] * 2,
                broken=wrong,
            ),
            Case("a box that was never closed is no box", lambda f: f(reply_text("x", r"\boxed{5"), "5"), False, wrong),
            Case(
                "keep the sign: -5 is a number, and it is not 5",
                lambda f: [f(boxed("-5"), "-5"), f(boxed("-5"), "5")],
                [True, False],
            ),
        ],
    )
