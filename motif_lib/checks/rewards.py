r"""Checks of notebook 03: a format reward, the last box, is the answer right?

The solutions are `rewards.format.format_reward`, `verify.extract.boxes` and `verify.verify`.
"""

from __future__ import annotations

from collections.abc import Callable

from motif_lib.checks.base import Case, Result, run
from motif_lib.protocol import reply_text

PERFECT = reply_text("one\ntwo", r"\boxed{5}")


def check_format_reward(function: Callable[[str], float]) -> Result:
    """`function(text) -> float`: 0.5 for the two complete blocks in order, 0.125 for each tag that occurs once."""

    def first(got: object) -> str:
        if isinstance(got, list):
            return "give one number for one text, not a list"
        return "a complete reply on one line earns all of it: do not ask for newlines around the tags"

    return run(
        "format_score",
        function,
        [
            Case(first, lambda f: f("<reasoning>a</reasoning><answer>b</answer>"), 1.0),
            Case("your dot does not match a newline: re.DOTALL, or str.find", lambda f: f(PERFECT), 1.0),
            Case(
                "text around the blocks is allowed: re.match looks only at the very beginning, re.search everywhere",
                lambda f: f(f"Sure! {PERFECT} I hope this helps."),
                1.0,
            ),
            Case("a long reply is no bad reply: no penalty for length", lambda f: f(reply_text("x" * 3_000, "5")), 1.0),
            Case(
                "the blocks stand in the wrong order: the tags earn 0.125 each, the order nothing",
                lambda f: f("<answer>b</answer><reasoning>a</reasoning>"),
                0.5,
            ),
            Case(
                "everything occurs twice: a tag earns its 0.125 if text.count(tag) == 1, not if `tag in text`",
                lambda f: f(PERFECT + PERFECT),
                0.5,
            ),
            Case("a block that was never closed is no block", lambda f: f("<reasoning>a</reasoning><answer>b"), 0.375),
            Case("nor is a reasoning that was never closed", lambda f: f("<reasoning>a<answer>b</answer>"), 0.375),
            Case("an empty text earns nothing", lambda f: f(""), 0.0),
        ],
    )


def check_last_box(function: Callable[[str], str | None]) -> Result:
    r"""`function(text) -> str | None`: the content of the last complete `\boxed{}`."""

    def last(got: object) -> str:
        if got == "3":
            return "this is the first box, the last one is the answer"
        if isinstance(got, str) and got.startswith("3}"):
            return "a greedy .* runs from the first box to the last brace"
        return "of two boxes the last one is the answer"

    return run(
        "last_box",
        function,
        [
            Case("give what stands between the braces of the box", lambda f: f(r"So it is \boxed{5}."), "5"),
            Case(last, lambda f: f(r"First \boxed{3}, then \boxed{5}."), "5"),
            Case(
                "the first closing brace need not be the box's own: count the braces that are open",
                lambda f: f(r"\boxed{\frac{1}{2}}"),
                r"\frac{1}{2}",
            ),
            Case("the last brace of the text need not be the box's own", lambda f: f(r"\boxed{7} for {x}"), "7"),
            Case("a text without a box has no last box: give None", lambda f: f("no box here"), None),
            Case(
                "a box that was never closed was cut off: the last complete one counts",
                lambda f: f(r"\boxed{4} or \boxed{5"),
                "4",
            ),
        ],
    )


def check_is_correct(function: Callable[[str, str], bool]) -> Result:
    """`function(reply, gold) -> bool`: does the last answer claim the gold number, and no other?"""

    spelling = "the same number in another spelling: compare numbers, not characters"

    def boxed(answer: str, reasoning: str = "x") -> str:
        return reply_text(reasoning, rf"\boxed{{{answer}}}")

    def respelled(answer: str) -> Case:
        return Case(spelling, lambda f: f(boxed(answer), "1000"), True)

    return run(
        "is_correct",
        function,
        [
            Case("this answer is right", lambda f: f(boxed("5"), "5"), True),
            Case("15 is not 5 although it contains it: compare, do not search", lambda f: f(boxed("15"), "5"), False),
            *map(respelled, (" 1000 ", "1000.0", "1,000")),
            Case(spelling, lambda f: f(boxed("1000"), "1,000"), True),
            Case(
                "a box in the reasoning is no answer: only what stands in <answer> counts",
                lambda f: f(reply_text(r"\boxed{5}", "6"), "5"),
                False,
            ),
            Case(
                "a reply that was cut off has no answer: do not fall back to the whole text",
                lambda f: f(r"<reasoning>so it is \boxed{5}", "5"),
                False,
            ),
            Case(
                "several different boxes are a hedge: a reply has one final answer",
                lambda f: f(reply_text("x", r"\boxed{3} or \boxed{5}"), "5"),
                False,
            ),
            Case("the same number in two boxes is one claim", lambda f: f(boxed(r"5} = \boxed{5.0"), "5"), True),
            Case("of two answers the last one counts", lambda f: f(boxed("6") + boxed("5"), "5"), True),
            Case("an answer that is no number is wrong, not an error", lambda f: f(boxed("many"), "5"), False),
        ],
    )
