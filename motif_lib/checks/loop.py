"""Check of the first exercise of notebook 02: the loop over the rounds, its prompts and its notes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from motif_lib.checks.base import Case, Result, run
from motif_lib.protocol import NO_NOTE, messages, reply_text
from motif_lib.samplers.base import Chat, Completion, Sampler, ScriptedSampler

Loop = Callable[[str, Sampler, int], str]

REPLIES = [reply_text(f"work {r}", f"note {r}") for r in (1, 2, 3)]
NOTES = (None, "note 1", "note 2")  # what the prompts of the three rounds hold
BOXED = reply_text("work", r"\boxed{14}")
CUT = "<reasoning>\nwork 1"  # the budget ended here: no answer
CUT_LATE = REPLIES[0] + "\n<reas"  # and here, after the answer
TWO_ANSWERS = f"{REPLIES[0]}\n{REPLIES[1]}"
LONG_NOTE = "Ann has  14.\n" * 20 + r"Still to do: Day four, from \boxed{14} on"
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
            Case(_notes, lambda f: [_find(NOTE, chat) for chat in asked(f)], [*NOTES]),
            Case(
                "send the prompt of messages as it is: the question, the note, the round, and no word more",
                lambda f: asked(f) == [messages("How many?", r, 3, note) for r, note in enumerate(NOTES, 1)],
                True,
            ),
            Case(_result, lambda f: f("How many?", scripted(REPLIES, []), 3), REPLIES[-1]),
            Case(
                "every round is asked: a box, a missing answer or the same note again does not end the loop",
                lambda f: [len(asked(f, [early, *REPLIES[1:]])) for early in (BOXED, CUT, REPLIES[1])],
                [3, 3, 3],
            ),
            Case(
                "the last reply is given back even if it has no answer: then there is none, and no earlier one counts",
                lambda f: f("How many?", scripted([REPLIES[0], BOXED, CUT], []), 3),
                CUT,
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
            Case(
                "with num_rounds=1 there is one call, with 5 there are five",
                lambda f: [len(asked(f, num_rounds=n)) for n in (1, 5)],
                [1, 5],
            ),
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
