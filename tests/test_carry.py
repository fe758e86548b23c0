"""Each carry strategy on the same three replies, and in a trajectory."""

import pytest

from motif_lib.carry import CARRIES, MAX_NOTE, answer_or_end, capped, full_history, last_text, memory, progress_note
from motif_lib.protocol import NO_NOTE, neutralise, reply_text
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
        (answer_or_end(6), "Sum 3", NO_NOTE),
        (full_history, "old\n" + WHOLE, "old\n" + CUT),
    ],
)
def test_what_is_carried(carry, after_whole, after_cut):
    assert carry(WHOLE, True, "old") == after_whole
    assert carry(CUT, False, "old") == after_cut


@pytest.mark.parametrize("carry", CARRIES.values())
def test_every_note_is_bounded_and_never_empty(carry):
    assert len(carry(reply_text("x" * 10_000, "y" * 10_000), True, "z" * 10_000)) <= MAX_NOTE
    assert carry("", False, "") == NO_NOTE


@pytest.mark.parametrize("carry", CARRIES.values())
def test_a_strategy_reaches_the_next_prompt_harmless(carry):
    replies = think([Question("Q?", "1")], ScriptedSampler(lambda chat: WHOLE), 2, carry)[0].replies
    user = replies[1].prompt[1]["content"]
    assert "Sum 3" in user and "<answer>" not in user and user.count("<progress>") == 1


def test_markovian_thinking_keeps_the_tail():
    carry = last_text(4)
    assert carry("abcdefghij", True, "") == carry("klmnghij\n", False, "abc") == "ghij"
    assert carry("abc", True, NO_NOTE) == "abc" and carry("  ", True, "abc") == NO_NOTE


@pytest.mark.parametrize(
    "reply, end",
    [
        ("Ann has 5 apples.", "Ann has 5 apples."),
        ("<reasoning>2 + 3 = 5</reasoning>\nAnn has 5.\n", "Ann has 5."),
        ("<reasoning>2 + 3 = 5</reasoning>", "2 + 3 = 5"),
        ("<reasoning>2 + 3 = 5</reasoning><answer>5 so far", "5 so far"),
        ("<answer></answer>", NO_NOTE),
        ("First we add 2 and 3. That is 5.\nWe pay 2.50 in all.", "We pay 2.50 in all."),
        ("First we add 2 and 3. That is 5.", "That is 5."),
        ("2 + 3. That is exactly 5.", "That is exactly 5."),
        ("2 + 3. There are exactly 5.", "There are exactly 5."),
        (f"{'x' * 50} exactly twenty chars", "exactly twenty chars"),
        (f"No. {'x' * 50}", "x" * 20),
    ],
)
def test_without_a_tag_whole_sentences_of_the_end_are_carried(reply, end):
    assert answer_or_end(20)(reply, True, "old") == end
    assert answer_or_end(20)(reply, False, "old") == NO_NOTE
    assert answer_or_end(20)(f"{reply}<answer>a note of more than twenty characters</answer>", False, "") == (
        "a note of more than twenty characters"
    )


@pytest.mark.parametrize("name", CARRIES)
def test_a_cap_in_tokens_holds_for_every_strategy_and_round(name, tokenizer):
    carry, note = capped(CARRIES[name], tokenizer, 12), ""
    for round in range(4):
        note = carry(reply_text("day one buys 5=17 " * 40, f"{round} apples after day two " * 40), True, note)
        assert 10 <= len(tokenizer(neutralise(note), add_special_tokens=False)["input_ids"]) <= 12  # as it is shown
    assert note in reply_text("", "3 apples after day two " * 40) or name in ("last_text", "full_history")
    assert "</answer>" in note or name in ("progress_note", "memory", "answer_or_end", "summarise")


def test_a_cap_leaves_short_notes_and_the_marker_alone(tokenizer):
    carry = capped(progress_note, tokenizer, 5)
    assert carry(WHOLE, True, "") == "Sum 3" and carry(CUT, False, "") == NO_NOTE
    assert carry(reply_text("", "\u00e9\U0001f600" * 50), True, "") != NO_NOTE
    with pytest.raises(ValueError, match="at least one token"):
        capped(progress_note, tokenizer, 0)
