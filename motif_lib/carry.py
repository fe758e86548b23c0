r"""What passes from one round to the next.

A carry strategy is a plain function `(reply, finished, previous) -> note`: the text of the reply, whether it ended by
itself, and the note that this round was given (`""` in round 1). The note is all that the next round will see of the
past, and `MAX_NOTE` bounds it. Your own strategy is such a function too:

    def first_line(reply, finished, previous):
        return reply.splitlines()[0]

    think(questions, sampler, carry=first_line)
"""

from __future__ import annotations

from collections.abc import Callable

from motif_lib.protocol import NO_NOTE, read_answer

Carry = Callable[[str, bool, str], str]

MAX_NOTE = 2_000  # characters: a note longer than this would crowd the question out of the window


def progress_note(reply: str, finished: bool, previous: str) -> str:
    """The paper's carry: the text of the reply's last `<answer>`.

    A reply that was cut off before its answer, or that never wrote one, carries the marker `NO_NOTE` and nothing else.
    The reference code carries the whole unfinished reasoning in that case.
    """
    return (read_answer(reply) or NO_NOTE)[:MAX_NOTE]


def memory(reply: str, finished: bool, previous: str) -> str:
    """An overwritten memory, as in MemAgent: a new answer replaces the old note, no answer leaves it as it was."""
    return (read_answer(reply) or previous or NO_NOTE)[:MAX_NOTE]


def last_text(size: int = 120) -> Carry:
    """Markovian thinking, as in Delethink: the last `size` characters of the reply, whatever they are."""

    def last_text_carry(reply: str, finished: bool, previous: str) -> str:
        return reply.strip()[-size:] or NO_NOTE

    return last_text_carry


def full_history(reply: str, finished: bool, previous: str) -> str:
    """Everything so far, the window-filling baseline; beyond `MAX_NOTE` characters the oldest text is lost."""
    return f"{previous}\n{reply.strip()}".strip()[-MAX_NOTE:] or NO_NOTE
