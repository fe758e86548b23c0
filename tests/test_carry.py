"""Each carry strategy on the same three replies, and in a trajectory."""

import pytest

from motif_lib.carry import CARRIES, MAX_NOTE, capped, full_history, last_text, memory, progress_note
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


def test_markovian_thinking_keeps_the_tail():
    carry = last_text(4)
    assert carry("abcdefghij", True, "") == carry("klmnghij\n", False, "abc") == "ghij"
    assert carry("abc", True, NO_NOTE) == "abc" and carry("  ", True, "abc") == NO_NOTE


@pytest.mark.parametrize("name", CARRIES)
def test_a_cap_in_tokens_holds_for_every_strategy_and_round(name, tokenizer):
    carry, note = capped(CARRIES[name], tokenizer, 12), ""
    for round in range(4):
        note = carry(reply_text("day one buys 5=17 " * 40, f"{round} apples after day two " * 40), True, note)
        assert 10 <= len(tokenizer(note, add_special_tokens=False)["input_ids"]) <= 12
    assert note in reply_text("", "3 apples after day two " * 40) or name in ("last_text", "full_history")
    assert "</answer>" in note or name in ("progress_note", "memory")  # the end is kept


def test_a_cap_leaves_short_notes_and_the_marker_alone(tokenizer):
    carry = capped(progress_note, tokenizer, 5)
    assert carry(WHOLE, True, "") == "Sum 3" and carry(CUT, False, "") == NO_NOTE
    assert carry(reply_text("", "\u00e9\U0001f600" * 50), True, "") != NO_NOTE
    with pytest.raises(ValueError, match="at least one token"):
        capped(progress_note, tokenizer, 0)
