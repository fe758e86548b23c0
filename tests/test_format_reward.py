"""Format rewards: what each part asks for, and that a perfect reply earns all of them."""

import pytest

from motif_lib.protocol import reply_text
from motif_lib.rewards import format_reward
from motif_lib.rewards.format import is_soft, is_strict, tags_once

PERFECT = reply_text("one\ntwo", "\\boxed{5}")


@pytest.mark.parametrize(
    ("text", "strict", "soft", "tags"),
    [
        (PERFECT, True, True, 4),
        (PERFECT + "\n", True, True, 4),  # end of text with and without a newline
        (f"\n\n{PERFECT}  \n", True, True, 4),
        ("<reasoning>a</reasoning><answer>b</answer>", True, True, 4),  # one line
        ("<reasoning>a\n\nb</reasoning>\n\n<answer>b\nc</answer>", True, True, 4),
        (reply_text("x" * 100_000, "5"), True, True, 4),  # no length penalty
        ("Sure! " + PERFECT, False, True, 4),  # prose outside
        (PERFECT + " I hope this helps.", False, True, 4),
        ("<reasoning>a</reasoning> so <answer>b</answer>", False, True, 4),
        (PERFECT + PERFECT, False, True, 0),  # everything twice
        (reply_text("I write <answer> at the end", "5"), False, True, 3),  # a tag quoted
        (PERFECT + "<answer>6</answer>", False, True, 2),
        ("<answer>b</answer><reasoning>a</reasoning>", False, False, 4),  # the wrong order
        ("<reasoning><answer>b</reasoning></answer>", False, False, 4),  # crossed
        ("</answer></reasoning><answer><reasoning>", False, False, 4),
        ("<reasoning>a</reasoning>", False, False, 2),
        ("<reasoning>a</reasoning><answer>b", False, False, 3),  # cut off
        ("<reasoning>a, never closed", False, False, 1),
        ("<answer>5</answer>", False, False, 2),
        (reply_text("", "5"), False, True, 4),  # an empty block
        (reply_text("a", " \n"), False, True, 4),
        ("<Reasoning>a</Reasoning><Answer>b</Answer>", False, False, 0),
        ("< reasoning>a</ reasoning>", False, False, 0),
        ("<reasoning>" * 1_000, False, False, 0),  # tag soup
        ("just text", False, False, 0),
        ("", False, False, 0),
    ],
)
def test_each_part(text, strict, soft, tags):
    assert (is_strict(text), is_soft(text), tags_once(text)) == (strict, soft, tags)
    assert format_reward([text]) == [0.5 * strict + 0.5 * soft + 0.125 * tags]


def test_all_parts_are_reachable_together_and_nothing_earns_more():
    assert format_reward([PERFECT]) == [1.5]


def test_it_follows_the_contract_of_trl():
    chat = [{"role": "assistant", "content": PERFECT}]
    columns = {"prompts": ["<reasoning></reasoning> in the question"] * 2, "tags": [{}, {}], "answer": ["5", "5"]}
    assert format_reward(completions=[chat, [{"role": "assistant", "content": "5"}]], **columns) == [1.5, 0.0]
    assert format_reward([]) == []


def test_weights_are_arguments():
    assert format_reward([PERFECT, "Sure! " + PERFECT], strict_weight=2.0, soft_weight=0.0, tag_weight=0.25) == [
        3.0,
        1.0,
    ]
