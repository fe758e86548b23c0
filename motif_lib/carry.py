r"""What passes from one round to the next.

A carry strategy is a plain function `(reply, finished, previous) -> note`. It is given the text of the reply, whether
the reply ended by itself, and the note that this round had (`""` in round 1). The note is all that the next round sees
of the past. `MAX_NOTE` bounds it in characters; `capped` bounds any strategy in tokens, so that strategies can be
compared at one budget. Your own strategy is such a function too:

    def first_line(reply, finished, previous):
        return reply.strip().partition("\n")[0]

    think(questions, sampler, carry=first_line)

With `@asks(chat)` above it, the note is written by a call of its own to the model, as in `summarise`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from motif_lib.protocol import NO_NOTE, REPLY_TAGS, neutralise, read_answer, summary_messages
from motif_lib.records import Trajectory

Carry = Callable[[str, bool, str], str]
AskNote = Callable[[Trajectory, int], list[dict[str, str]] | None]  # (trajectory, num_rounds) -> chat, or no call

MAX_NOTE = 2_000  # characters: a note longer than this would crowd the question out of the window
_TAG = re.compile("|".join(REPLY_TAGS))
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n")


def progress_note(reply: str, finished: bool, previous: str) -> str:
    """The paper's carry: the text of the reply's last `<answer>`.

    A reply that was cut off before its answer, or that never wrote one, carries the marker `NO_NOTE` and nothing else.
    The reference code carries the whole unfinished reasoning in that case.

    >>> progress_note("<reasoning>2 + 3 = 5</reasoning><answer>5 so far</answer>", True, "")
    '5 so far'
    >>> progress_note("<reasoning>2 + 3 = 5, and th", False, "2 so far")
    '(no progress note)'
    """
    return (read_answer(reply, finished) or NO_NOTE)[:MAX_NOTE]


def memory(reply: str, finished: bool, previous: str) -> str:
    """An overwritten memory, as in MemAgent: a new answer replaces the old note, no answer leaves it as it was.

    >>> memory("<reasoning>2 + 3 = 5, and th", False, "2 so far")
    '2 so far'
    """
    return (read_answer(reply, finished) or previous or NO_NOTE)[:MAX_NOTE]


def last_text(size: int = 120) -> Carry:
    """Markovian thinking, as in Delethink: the last `size` characters of the reply, whatever they are."""

    def last_text_carry(reply: str, finished: bool, previous: str) -> str:
        return reply.strip()[-size:] or NO_NOTE

    last_text_carry.__qualname__ = f"last_text({size})"  # an evaluation on disk is known by it
    return last_text_carry


def answer_or_end(size: int = 200) -> Carry:
    """For models that forget the tag: the last `<answer>`, or else the end of a reply that ended by itself.

    The end is what stands after the last of our tags that text follows: its last whole sentences and lines that fit
    into `size` characters, or, of a sentence longer than that, its last `size` characters. A reply that was cut off
    before its answer carries nothing, as in `progress_note`: it stopped in mid-thought.

    >>> carry = answer_or_end(40)
    >>> carry("<reasoning>2 + 3 = 5</reasoning>First we add. So Ann has 5 apples so far.", True, "")
    'So Ann has 5 apples so far.'
    >>> carry("<answer>5 so far</answer> That is all.", True, "")
    '5 so far'
    >>> carry("So Ann has 5 app", False, "")
    '(no progress note)'
    """

    def answer_or_end_carry(reply: str, finished: bool, previous: str) -> str:
        return (read_answer(reply, finished) or (finished and _end(reply, size)) or NO_NOTE)[:MAX_NOTE]

    answer_or_end_carry.__qualname__ = f"answer_or_end({size})"
    return answer_or_end_carry


def _end(reply: str, size: int) -> str:
    """The last text beside the tags, at most `size` characters of it, from the start of a sentence or line on."""
    text = next(filter(None, map(str.strip, reversed(_TAG.split(reply)))), "")
    if len(text) <= size:
        return text
    begin = _SENTENCE_END.search(text, len(text) - size - 1)
    return text[begin.end() :].strip() if begin else text[-size:]


def full_history(reply: str, finished: bool, previous: str) -> str:
    """Everything so far, the window-filling baseline; beyond `MAX_NOTE` characters the oldest text is lost."""
    return f"{previous}\n{reply.strip()}".strip()[-MAX_NOTE:] or NO_NOTE


def asks(chat: AskNote | None) -> Callable[[Carry], Carry]:
    """Decorator of a strategy: a call of its own writes the note, all those of a round together (`rounds.ask_notes`).

    Args:
        chat: `(trajectory, num_rounds) -> chat` for the note of the trajectory's last reply, or None for no call. The
            strategy is first given that reply, and then the reply to this chat, with what it carried first as
            `previous`.
    """

    def mark(carry: Carry) -> Carry:
        carry.__dict__["chat"] = chat
        return carry

    return mark


def chat_of(carry: Carry) -> AskNote | None:
    """What asks for a strategy's notes; None if they need no call."""
    return getattr(carry, "chat", None)


def _ask_for_summary(trajectory: Trajectory, num_rounds: int) -> list[dict[str, str]]:
    *before, last = trajectory.replies
    previous = before[-1].carried if before else None
    work = "\n".join(filter(None, map(str.strip, _TAG.split(last.text))))
    return summary_messages(trajectory.question.text, last.round, num_rounds, work, previous)


@asks(_ask_for_summary)
def summarise(reply: str, finished: bool, previous: str) -> str:
    """A call of its own writes the note, also of a reply that was cut off (Reasoning Cache, arXiv 2602.03773).

    It sees the question, the old note and the reply, and its `<answer>` is the note. Without one the note is that of
    `memory`. Its tokens are counted in every report, and `trained_tokens` says whether a training trains it.
    """
    return memory(reply, finished, previous)


def capped(carry: Carry, tokenizer: Any, size: int) -> Carry:
    """The same strategy with notes of at most `size` tokens; of a longer one the end is kept, the newest text.

    Args:
        carry: any strategy. In the next round it is given the note as it was cut.
        tokenizer: a fast Transformers tokenizer; the note is counted by itself, without special tokens.
        size: tokens, at least 1. The marker `NO_NOTE` is not counted.
    """
    if size < 1:
        raise ValueError(f"size={size}: a note needs room for at least one token")

    def capped_carry(reply: str, finished: bool, previous: str) -> str:
        note = carry(reply, finished, previous).strip()
        while note != NO_NOTE and len(spans := _spans(tokenizer, neutralise(note))) > size:  # as the prompt shows it
            note = note[max(1, spans[-size][0]) :].strip()  # cut text may tokenize otherwise: count again
        return note or NO_NOTE

    capped_carry.__qualname__ = f"capped({name_of(carry)}, {size})"
    return asks(chat_of(carry))(capped_carry)


def fitting(carry: Carry, sampler: Any, room: int | None = None) -> Carry:
    """The strategy with notes of at most half of what the sampler's window leaves beside a reply, and at most `room`
    tokens where that is known (`rounds.check_room`). A reply without a budget counts as half of the window."""
    if not (window := getattr(sampler, "window", None)):
        return asking_with_room(carry, sampler)
    half = (window - (sampler.max_new_tokens or window // 2)) // 2
    size = max(1, half if room is None else min(half, room))
    return asking_with_room(capped(carry, sampler.tokenizer, size), sampler)


def asking_with_room(carry: Carry, sampler: Any) -> Carry:
    """The strategy without the calls for a note whose prompt leaves no room for it: those replies carry theirs."""
    chat, leaves_room = chat_of(carry), getattr(sampler, "leaves_room", None)
    if not (chat and leaves_room):
        return carry

    def chat_with_room(trajectory: Trajectory, num_rounds: int) -> list[dict[str, str]] | None:
        asked = chat(trajectory, num_rounds)
        return asked if asked and all(leaves_room([asked])) else None

    return asks(chat_with_room)(partial(carry))


def name_of(strategy: Callable) -> str:
    """What a run on disk calls a strategy or a stop rule."""
    return getattr(strategy, "__qualname__", type(strategy).__name__)


def _spans(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where each token of the text begins and ends, in characters."""
    return tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]


CARRIES = {  # those that a name in a YAML file can stand for
    "progress_note": progress_note,
    "memory": memory,
    "last_text": last_text(),
    "answer_or_end": answer_or_end(),
    "full_history": full_history,
    "summarise": summarise,
}
