"""What passes from one round to the next.

A carry strategy is a plain function `(reply, finished, previous) -> note`: the text of the reply, whether it ended by
itself, and the note that this round was given. The note is all that the next round will see of the past.
"""

from __future__ import annotations

from collections.abc import Callable

from motif_lib.protocol import NO_NOTE, read_answer

Carry = Callable[[str, bool, str], str]

MAX_NOTE = 2_000  # characters: a note longer than this would crowd the question out of the window


def progress_note(reply: str, finished: bool, previous: str) -> str:
    """The paper's carry: the text of the reply's last `<answer>`, cut to `MAX_NOTE` characters.

    A reply that was cut off before its answer, or that never wrote one, carries the marker `NO_NOTE` and nothing else.
    The reference code carries the whole unfinished reasoning in that case.
    """
    answer = read_answer(reply)
    return answer[:MAX_NOTE] if answer else NO_NOTE
