"""Each carry strategy on the same three replies, and in a trajectory."""

import pytest

from motif_lib.carry import MAX_NOTE, full_history, last_text, memory, progress_note
from motif_lib.protocol import NO_NOTE, reply_text
from motif_lib.records import Question
from motif_lib.rounds import think
from motif_lib.samplers.base import ScriptedSampler

WHOLE = reply_text("1+2=3", "Sum 3")
CUT = "<reasoning>\n1+2=3 and th"


@pytest.mark.parametrize(
    "carry, after_whole, after_cut",
    [
        (progress_note, "Sum 3", NO_NOTE),
        (memory, "Sum 3", "old"),
        (last_text(6), "nswer>", "and th"),
        (full_history, "old\n" + WHOLE, "old\n" + CUT),
    ],
)
def test_what_is_carried(carry, after_whole, after_cut):
    assert carry(WHOLE, True, "old") == after_whole
    assert carry(CUT, False, "old") == after_cut


@pytest.mark.parametrize("carry", [progress_note, memory, last_text(120), full_history])
def test_every_note_is_bounded_and_never_empty(carry):
    assert len(carry(reply_text("x" * 10_000, "y" * 10_000), True, "z" * 10_000)) <= MAX_NOTE
    assert carry("", False, "") == NO_NOTE


@pytest.mark.parametrize("carry", [progress_note, memory, last_text(120), full_history])
def test_a_strategy_reaches_the_next_prompt_harmless(carry):
    replies = think([Question("Q?", "1")], ScriptedSampler(lambda chat: WHOLE), 2, carry)[0].replies
    user = replies[1].prompt[1]["content"]
    assert "Sum 3" in user and "<answer>" not in user and user.count("<progress>") == 1
