r"""Checks of notebook 07: your own carry strategy, the halves of a note, and what an early stop saves."""

from __future__ import annotations

from collections.abc import Callable

from motif_lib.carry import MAX_NOTE, Carry
from motif_lib.checks.base import Case, Result, run
from motif_lib.checks.loop import LONG_NOTE, TWO_ANSWERS
from motif_lib.checks.rounds import TOO_LONG
from motif_lib.protocol import NO_NOTE, reply_text
from motif_lib.records import Question, Reply, Trajectory

CUT = "<reasoning>\n=12\nday one buys 5=17\nday two loses 3=14\nday three finds 5=1"  # the budget ended inside 19
OTHERS = (  # notes that are not of the form `47 after day four`
    "47 so far",
    "day four is done",
    "47 after day four, 3 left",
    "47 after day four\n3 left",
    "some after day two",
    "",
    " Ann has  47 ",
)
SIX = "".join(f"day {day} finds 1={n}\n" for n, day in enumerate(("one", "two", "three", "four", "five", "six"), 13))
LONG = ["day eleven finds 9=104", "day twelve loses 97=7"]


def check_salvage(function: Carry) -> Result:
    """`function(reply, finished, previous)`: the answer; of a reply that was cut, `14 after day two` from its last
    whole line of work; else the note before; else `NO_NOTE`."""
    return run(
        "salvage",
        function,
        [
            Case(
                "a reply with an answer hands on that answer, as `progress_note` does",
                lambda f: f(reply_text("=12\nday one buys 5=17", r"\boxed{17}"), True, ""),
                r"\boxed{17}",
            ),
            Case(
                "an answer that is closed counts, even if the reply was cut after it",
                lambda f: f(reply_text("=12\nday one buys 5=17", "17 so far") + "\nday", False, ""),
                "17 so far",
            ),
            Case("of two answers the last one counts", lambda f: f(TWO_ANSWERS, True, ""), "note 2"),
            Case(
                "the answer has changed on its way: hand it on as it stands, all its lines, blanks and capitals",
                lambda f: f(reply_text("=12", LONG_NOTE), True, ""),
                LONG_NOTE,
            ),
            Case(_line, lambda f: f(CUT, False, ""), "14 after day two"),
            Case(
                "a line that ends in a newline is whole, though nothing follows: splitlines()[:-1] and rstrip lose it",
                lambda f: f("<reasoning>\n=12\nday one buys 5=17\n", False, ""),
                "17 after day one",
            ),
            Case(
                "a total may have one digit or three, and a day any name",
                lambda f: [f(f"<reasoning>\n{line}\nday", False, "") for line in LONG],
                ["104 after day eleven", "7 after day twelve"],
            ),
            Case(
                "a reply may end by itself and still have no answer: salvage its work too",
                lambda f: f("<reasoning>\n=12\nday one buys 5=17\n", True, ""),
                "17 after day one",
                broken="read_answer gives None if there is no answer, even in a reply that ended by itself",
            ),
            Case(
                lambda got: (
                    "the last whole line is no work: look further back for one that is"
                    if got == NO_NOTE
                    else "a line of work begins with `day`: with re.MULTILINE, ^ is the beginning of a line"
                ),
                lambda f: f("<reasoning>\n=12\nday one buys 5=17\non holiday two loses 3=14\n", False, ""),
                "17 after day one",
            ),
            Case(
                "a line of work holds its total behind a =: a line without one is none, look further back",
                lambda f: f("<reasoning>\n=12\nday one buys 5=17\nday two rests 3\n", False, ""),
                "17 after day one",
            ),
            Case("a reply may hold more than a few days of work", lambda f: f(SIX, False, ""), "18 after day six"),
            Case(
                "what was cut before its first whole line leaves the note as it was",
                lambda f: [f(reply, False, "14 after day four") for reply in ("<reasoning>\n=1", "day one buys 5=1")],
                ["14 after day four"] * 2,
            ),
            Case(
                "the note before stays as it was: all its lines, blanks and capitals",
                lambda f: f("<reasoning>\n=1", False, LONG_NOTE),
                LONG_NOTE,
            ),
            Case(
                "the first line of a reply may be one of work: with re.MULTILINE, ^ is there too",
                lambda f: f("day one buys 5=17\nday two lo", False, ""),
                "17 after day one",
            ),
            Case(
                "new work replaces the old note",
                lambda f: f("<reasoning>\n=14\nday five gets 1=15\nday six", False, "14 after day four"),
                "15 after day five",
            ),
            Case("without work and without a note, say NO_NOTE", lambda f: f("<reason", False, ""), NO_NOTE),
            Case(
                "bound the note by MAX_NOTE: a reply may be longer than the window",
                lambda f: len(f(reply_text("", "x" * 3 * MAX_NOTE), True, "").strip()) <= MAX_NOTE,
                True,
            ),
            Case(
                "of a long answer keep the beginning, answer[:MAX_NOTE]",
                lambda f: f(reply_text("", "1" + "7" * 3 * MAX_NOTE), True, "")[:2],
                "17",
            ),
            Case(
                "the note is not answer[:MAX_NOTE]: keep its first characters as they are, and put no dots behind them",
                lambda f: f(reply_text("", TOO_LONG), True, ""),
                TOO_LONG[:MAX_NOTE],
            ),
        ],
    )


def _line(got: object) -> str:
    if got == "1 after day three":
        return "the last line is cut off, 19 has become 1: only a line that ends in a newline is whole"
    if got == "17 after day one":
        return "this is the first whole line; the work stands at the last one"
    if got == "3 after day two":
        return "this is the change of day 2; the total stands behind the ="
    return "a reply without an answer: give `14 after day two` from its last whole line of work"


def check_part_of(function: Callable[[str, str], str]) -> Result:
    """`function(note, part)`: of `47 after day four` `47` for "total" and `after day four` for "day"; any other note
    unchanged."""
    box, vague = r"\boxed{47}", "a note of any other form comes back unchanged, whichever half is asked for"
    cases = [
        Case(_total, lambda f: f("47 after day four", "total"), "47"),
        Case(_day, lambda f: f("47 after day four", "day"), "after day four"),
        Case("a total may have one digit or three", lambda f: f("7 after day one", "total"), "7"),
        Case("a total may have one digit or three", lambda f: f("105 after day twelve", "day"), "after day twelve"),
    ]
    for note in (box, NO_NOTE, *OTHERS):
        cases += [Case(vague, _asked(note, part), note) for part in ("total", "day")]
    return run("part_of", function, cases)


def _asked(note: str, part: str) -> Callable[[Callable[[str, str], str]], str]:
    return lambda f: f(note, part)


def _total(got: object) -> str:
    if got == 47:
        return "a note is text: give '47', not the number"
    if got == "after day four":
        return "the halves are swapped: the total is the number, the day the words after it"
    return "of `47 after day four` the total is `47`"


def _day(got: object) -> str:
    known: dict[object, str] = {
        " after day four": "leave the blank between the halves out",
        "four": "keep the words too: `after day four` is what stands in the note",
        "day four": "keep the words too: `after day four` is what stands in the note",
        "47": "`part` says which half is asked for",
    }
    return known.get(got, "of `47 after day four` the day is `after day four`")


def check_tokens_saved(function: Callable[[Trajectory], int]) -> Result:
    """`function(trajectory)`: tokens of the rounds after the first note that holds a box."""
    box, total = r"\boxed{14}", "14 after day two"
    return run(
        "tokens_saved",
        function,
        [
            Case(
                lambda got: (
                    "0 tokens are saved where no note holds a box: give 0, not None"
                    if got is None
                    else "the last round's own answer saves nothing: only a note that is handed on can stop the loop"
                ),
                lambda f: f(_trajectory(total, total, "")),
                0,
            ),
            Case(_rounds, lambda f: f(_trajectory(box, total, box, "")), 90),
            Case(
                "read the note that was carried, not the whole reply: a box in the reasoning is no answer",
                lambda f: f(_trajectory(total, total, "", reasoning=box)),
                0,
            ),
            Case(
                "read reply.carried: what a carry strategy hands on need not be the reply's own answer",
                lambda f: [f(_trajectory(total, total, "", answer=box)), f(_trajectory(box, total, "", answer=total))],
                [0, 50],
            ),
            Case("a box in the note of round 2 saves round 3", lambda f: f(_trajectory(total, box, "")), 30),
            Case(
                "neither a word nor half a box is one: `boxes` lists the whole boxes of a note",
                lambda f: f(_trajectory("not boxed yet", r"\boxed{1", "")),
                0,
            ),
            Case(
                "a note may say more than its box",
                lambda f: f(_trajectory(r"so it is \boxed{14}, checked", total, "")),
                50,
            ),
            Case(
                "a box holds what it likes, not digits only: let `boxes` find it",
                lambda f: f(_trajectory(r"\boxed{\frac{7}{2}}", total, "")),
                50,
            ),
            Case(
                "however many rounds follow the boxed note, count them all",
                lambda f: f(_trajectory(box, *[total] * 4, "")),
                200,
            ),
            Case("a single round has nothing to save", lambda f: f(_trajectory("")), 0),
        ],
    )


def _rounds(got: object) -> str:
    known: dict[object, str] = {
        100: "the round that writes the box has to be paid: count the rounds after it",
        40: "stop at the first boxed note, not at the last",
        60: "a round that was cut off has cost its tokens too: count every round after the first boxed note",
        70: "this begins two rounds after the boxed note: the round that follows it is saved too",
        3: "count tokens, not rounds",
        990: "count reply.tokens, what was written; the prompts are not asked for",
        900: "count reply.tokens, what was written; the prompts are not asked for",
    }
    return known.get(got, "add up the tokens of all rounds after the first boxed note")


def _trajectory(*notes: str, reasoning: str = "=12", answer: str | None = None) -> Trajectory:
    """Rounds of 10, 20, 30 ... tokens that carry these notes, or answer something else; the last reply is always boxed,
    and the third was cut off."""
    replies = []
    for round, note in enumerate(notes, 1):
        last = round == len(notes)
        text = reply_text(reasoning, r"\boxed{14}" if last else answer or note)
        replies.append(Reply(round, [], text, note, round != 3, prompt_tokens=100 * round, tokens=10 * round))
    return Trajectory(Question("Ann has 12 apples.", "14"), tuple(replies))
