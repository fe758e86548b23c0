"""Checks of notebook 02: the loop over the rounds, a memory that survives, and where rounds begin to win."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from motif_lib.carry import MAX_NOTE, Carry
from motif_lib.checks.base import Case, Result, named, run
from motif_lib.checks.loop import CUT, CUT_LATE, LONG_NOTE, TWO_ANSWERS, check_my_think
from motif_lib.protocol import NO_NOTE, reply_text

__all__ = ["check_keep_note", "check_my_think", "check_smallest_budget"]
OLD, NEW = "14 after day two", "9 after day four"
ONE_LINE = f"<reasoning>work</reasoning><answer>{NEW}</answer>"
TOO_LONG = "14 left; " * MAX_NOTE


def check_keep_note(function: Carry) -> Result:
    """`function(reply, finished, previous)`: the new answer; without one, the note before; without that, `NO_NOTE`."""
    return run(
        "keep_note",
        function,
        [
            Case(_answer, lambda f: [f(reply, True, OLD) for reply in (reply_text("work", NEW), ONE_LINE)], [NEW, NEW]),
            Case(_kept, lambda f: f(CUT, False, OLD), OLD),
            Case("there is no answer and no note before: say NO_NOTE", lambda f: f(CUT, False, ""), NO_NOTE),
            Case(
                "a reply that ended by itself may lack an answer too: the note of the round before stays",
                lambda f: f("<reasoning>\nwork\n</reasoning>", True, OLD),
                OLD,
            ),
            Case("a reply cut off after its answer still has an answer", lambda f: f(CUT_LATE, False, OLD), "note 1"),
            Case(
                "a reply may begin with its answer: the reasoning need not be there",
                lambda f: f(f"<answer>{NEW}</answer>", True, OLD),
                NEW,
            ),
            Case("the reply has two answers: the last one counts", lambda f: f(TWO_ANSWERS, True, ""), "note 2"),
            Case(
                "a reply that was cut off inside its answer has none yet: the note of the round before stays",
                lambda f: f(ONE_LINE.removesuffix(" four</answer>"), False, OLD),
                OLD,
            ),
            Case(
                "an answer may have several lines: carry them all",
                lambda f: f(reply_text("work", f"{NEW}\nthree days left"), True, ""),
                f"{NEW}\nthree days left",
            ),
            Case(_bounded, lambda f: len(f(reply_text("work", "7" * 3 * MAX_NOTE), True, "")), MAX_NOTE),
            Case(
                "of a long answer keep the beginning, answer[:MAX_NOTE]",
                lambda f: f(reply_text("work", "1" + "7" * 3 * MAX_NOTE), True, "")[:2],
                "17",
            ),
            Case(
                "the note is not answer[:MAX_NOTE]: keep its first characters as they are, and put no dots behind them",
                lambda f: f(reply_text("work", TOO_LONG), True, ""),
                TOO_LONG[:MAX_NOTE],
            ),
            Case(
                "the answer has changed on its way: carry it as it stands, with its blanks and capitals",
                lambda f: f(reply_text("work", LONG_NOTE), True, ""),
                LONG_NOTE,
            ),
            Case(
                "the note of the round before stays as it was: all its lines, blanks and capitals",
                lambda f: f(CUT, False, LONG_NOTE),
                LONG_NOTE,
            ),
        ],
    )


def _answer(both: Any) -> str:
    got, on_one_line = both
    if got != NEW and on_one_line == NEW:
        return "your pattern's dot does not match the newlines around the answer: re.DOTALL, or read_answer"
    if got == OLD:
        return "the old note stays for ever: a new answer replaces it"
    if isinstance(got, str) and "work" in got:
        return "only the answer is carried, not the reasoning (read_answer)"
    if isinstance(got, str) and OLD in got:
        return "the old note stays in front of the new one: a memory is overwritten"
    return "a reply with an answer carries that answer"


def _kept(got: Any) -> str:
    if got == NO_NOTE or not got:
        return "the note of the round before is thrown away: a reply without an answer leaves it as it was"
    return "a reply without an answer leaves the note of the round before as it was"


def _bounded(got: Any) -> str:
    if got < MAX_NOTE:
        return "the note is too short: read the whole answer first, then keep its first MAX_NOTE characters"
    return "the note is not bounded: MAX_NOTE characters at most, or it crowds the question out of the window"


def check_smallest_budget(function: Callable[[Mapping[int, int], Mapping[int, int], int], int | None]) -> Result:
    """`function(one, three, margin)`: the smallest budget at which three rounds solve `margin` questions more."""
    nowhere = "where three rounds win nowhere, give None"
    return run(
        "smallest_budget",
        function,
        [
            Case(_budget, lambda f: f({60: 0, 80: 1, 100: 2, 120: 20}, {60: 1, 80: 9, 100: 20, 120: 20}, 4), 80),
            Case("a lead of exactly `margin` counts", lambda f: f({60: 3, 80: 3}, {60: 7, 80: 20}, 4), 60),
            Case(
                "take the smallest budget, in whatever order they were measured",
                lambda f: f({120: 0, 80: 0, 100: 0}, {120: 20, 80: 20, 100: 20}, 4),
                80,
            ),
            Case("with margin=1 a lead of one question counts", lambda f: f({40: 0, 60: 5}, {40: 1, 60: 20}, 1), 40),
            Case(
                named([(80, "the two may be in different orders: compare one[budget] with three[budget]")], _budget(0)),
                lambda f: f({100: 5, 80: 9}, {80: 9, 100: 20}, 4),
                100,
            ),
            Case(
                "the lead counts, three[budget] - one[budget], and not what three rounds solve",
                lambda f: f({60: 2, 80: 10, 100: 10}, {60: 4, 80: 12, 100: 20}, 4),
                100,
            ),
            Case("a lead of `margin` is enough, however many one round solves", lambda f: f({60: 10}, {60: 15}, 4), 60),
            Case(
                named([(40, "three rounds must be ahead: a lead of one round is none")], nowhere),
                lambda f: f({40: 9}, {40: 0}, 4),
                None,
            ),
            Case(nowhere, lambda f: f({40: 0, 60: 9}, {40: 0, 60: 9}, 1), None),
        ],
    )


def _budget(got: Any) -> str:
    known = {
        60: "a lead of one question is luck: it has to be at least `margin`",
        120: "here both solve the same: three rounds have to be ahead",
        100: "three rounds are ahead at a smaller budget already",
        8: "give the budget, not the lead there",
        9: "give the budget, not what is solved there",
    }
    return known.get(
        got, "compare one[budget] with three[budget], and give the smallest budget with a lead of `margin`"
    )
