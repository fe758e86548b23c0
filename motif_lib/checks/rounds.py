"""Checks of notebook 02: the loop over the rounds, a memory that survives, and where rounds begin to win."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from motif_lib.carry import MAX_NOTE, Carry
from motif_lib.checks.base import Case, Result, named, run
from motif_lib.protocol import NO_NOTE, reply_text
from motif_lib.samplers.base import Chat, Completion, Sampler, ScriptedSampler

Loop = Callable[[str, Sampler, int], str]

REPLIES = [reply_text(f"work {r}", f"note {r}") for r in (1, 2, 3)]
BOXED = reply_text("work", r"\boxed{14}")
CUT = "<reasoning>\nwork 1"  # the budget ended here: no answer
CUT_LATE = REPLIES[0] + "\n<reas"  # and here, after the answer
TWO_ANSWERS = f"{REPLIES[0]}\n{REPLIES[1]}"
LONG_NOTE = "Ann has  14.\n" * 20 + "Still to do: Day four"
OLD, NEW = "14 after day two", "9 after day four"
ONE_LINE = f"<reasoning>work</reasoning><answer>{NEW}</answer>"
ROUND = re.compile(r"^Round (\d+) of (\d+)\.", re.MULTILINE)
NOTE = re.compile(r"<progress>\n(.*)\n</progress>", re.DOTALL)


def check_my_think(function: Loop) -> Result:
    """`function(question, sampler, num_rounds)`: ask every round with the note of the one before; the last reply."""
    return run(
        "my_think",
        function,
        [
            Case("one reply a round: call the sampler num_rounds times", lambda f: len(asked(f)), 3),
            Case(_rounds, lambda f: [_find(ROUND, chat) for chat in asked(f)], ["1", "2", "3"]),
            Case(
                "every round is told how many there are: give num_rounds to messages",
                lambda f: [ROUND.findall(chat[-1]["content"])[-1][1] for chat in asked(f)],
                ["3", "3", "3"],
            ),
            Case(
                "each round is a fresh context: one system and one user message, nothing from the rounds before",
                lambda f: [[message["role"] for message in chat] for chat in asked(f)],
                [["system", "user"]] * 3,
            ),
            Case(_notes, lambda f: [_find(NOTE, chat) for chat in asked(f)], [None, "note 1", "note 2"]),
            Case(_result, lambda f: f("How many?", scripted(REPLIES, []), 3), REPLIES[-1]),
            Case(
                "every round is asked: a box or a missing answer before the last round does not end the loop",
                lambda f: [len(asked(f, [early, *REPLIES[1:]])) for early in (BOXED, CUT)],
                [3, 3],
            ),
            Case(_no_note, lambda f: note_after(f, CUT), NO_NOTE),
            Case(
                "a note lives for one round: without an answer in round 2, round 3 is told NO_NOTE",
                lambda f: _find(NOTE, asked(f, [REPLIES[0], CUT, REPLIES[2]])[2]),
                NO_NOTE,
            ),
            Case(
                "a reply that was cut off after its answer has a note: look for the answer, not at completion.finished",
                lambda f: note_after(f, CUT_LATE),
                "note 1",
            ),
            Case("of two answers the last one is the note", lambda f: note_after(f, TWO_ANSWERS), "note 2"),
            Case(
                "the note has changed on its way: hand on the whole answer as it stands, with its lines and capitals",
                lambda f: note_after(f, reply_text("work", LONG_NOTE)),
                LONG_NOTE,
            ),
            Case("with num_rounds=1 there is one call", lambda f: len(asked(f, num_rounds=1)), 1),
        ],
    )


def asked(function: Loop, replies: list[str] = REPLIES, num_rounds: int = 3) -> list[Chat]:
    """The chats that a learner's loop sends to a sampler which answers with `replies`, one after the other."""
    chats: list[Chat] = []
    function("How many?", scripted(replies, chats), num_rounds)
    return chats


def note_after(function: Loop, reply: str) -> str | None:
    """The note that round 2 sees after this reply in round 1."""
    return _find(NOTE, asked(function, [reply, *REPLIES[1:]])[1])


def scripted(replies: list[str], chats: list[Chat]) -> Sampler:
    """A sampler that keeps the chats it gets and answers with `replies`, the last of them for ever."""

    def answer(chat: Chat) -> Completion:
        if not isinstance(chat, list):
            raise TypeError("a sampler takes a list of chats and gives a list of completions: sampler([chat])[0]")
        chats.append([dict(message) for message in chat])
        text = replies[min(len(chats), len(replies)) - 1]
        return Completion(text, finished=text.endswith("</answer>"))

    return ScriptedSampler(answer)


def _find(pattern: re.Pattern[str], chat: Chat) -> str | None:
    found = pattern.search(chat[-1]["content"])
    return found[1] if found else None


def _rounds(got: Any) -> str:
    if got == ["0", "1", "2"]:
        return "rounds are counted from 1: range(1, num_rounds + 1)"
    if len(set(got)) == 1:
        return "every prompt says the same round: give the loop's round to messages"
    return "the prompts say the wrong rounds"


def _notes(got: Any) -> str:
    later = got[1:]
    if later == [None, None]:
        return "the note never reaches the next prompt: give it to messages as progress"
    if any("work" in (note or "") for note in later):
        return "the whole reply is handed on: only what stands in its <answer> is (read_answer)"
    if later == ["note 1", "note 1"]:
        return "round 3 still sees the note of round 1: take a new note after every reply"
    if "note 1" in (later[-1] or "") and "note 2" in later[-1]:
        return "old notes pile up: the next round sees the last note only"
    if later == ["note 1", "note 2"]:
        return "round 1 has no note yet: its progress is None, not an empty text"
    return "round r sees the note of round r - 1, and round 1 sees none"


def _result(got: Any) -> str:
    if got == REPLIES[0]:
        return "this is the reply of round 1: the answer stands in the last one"
    if got == "note 3":
        return "give the whole last reply: `verify` reads the answer out of it"
    if isinstance(got, Completion):
        return "give the text of the last completion: completion.text"
    return "give the text of the last reply"


def _no_note(got: Any) -> str:
    if got is None:
        return "without an answer read_answer gives None, and round 2 looks like a first round: say NO_NOTE"
    if "work 1" in got:
        return "the unfinished reasoning is handed on, as in the reference code; without an answer, say NO_NOTE"
    return "a reply without an answer hands on NO_NOTE"


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
