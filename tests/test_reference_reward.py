"""The reference's faults, each shown by a reply that it scores wrongly and that we score right."""

import pytest

from motif_lib.protocol import reply_text
from motif_lib.rewards.reference import explain, faulty_accuracy, faulty_aime, faulty_soft, faulty_strict, faulty_tags

FIVE = "\\boxed{5}"


@pytest.mark.parametrize(
    ("reply", "gold", "task", "ours", "reference", "cause"),
    [
        (reply_text("x", r"\boxed{ 5 }"), "5", "gsm8k", 2.0, 0.0, "looks for the characters"),  # fault 4
        (reply_text("x", r"\boxed{5.0}"), "5", "gsm8k", 2.0, 0.0, "looks for the characters"),
        (reply_text("x", r"\boxed{\$5}"), "5", "gsm8k", 2.0, 0.0, "looks for the characters"),
        (reply_text("x", r"\boxed{\dfrac12}"), r"\frac12", "math500", 2.0, 0.0, "looks for the characters"),
        (reply_text("x", r"\boxed{1000}"), "1,000", "gsm8k", 2.0, 0.0, "looks for the characters"),  # fault 5
        (reply_text("x", r"\boxed{3} or \boxed{4} or \boxed{5}"), "5", "gsm8k", 0.0, 2.0, "any box"),  # fault 6
        (f"<reasoning>{FIVE}", "5", "gsm8k", 0.0, 2.0, "whole reply"),  # fault 7
        (reply_text(FIVE, "6"), "5", "gsm8k", 0.0, 1.0, "pays half"),
        (reply_text("126 of them", r"\boxed{3}"), "26", "aime2024", 0.0, 2.0, "somewhere"),  # fault 8
        (reply_text("x", r"\boxed{25}"), "025", "aime2024", 2.0, 0.0, "another way"),
        (reply_text("x", FIVE), "5", "gsm8k", 2.0, 2.0, ""),
        (reply_text("x", r"\boxed{6}"), "5", "gsm8k", 0.0, 0.0, ""),
        (FIVE, "5", "gsm8k", 2.0, 2.0, ""),
        (reply_text("x", FIVE), "unknown", "gsm8k", None, 0.0, "cannot grade"),
    ],
)
def test_the_score_of_the_answer(reply, gold, task, ours, reference, cause):
    row = explain(reply, gold, task).rows[0]
    assert (row.name, row.ours, row.reference) == ("answer", ours, reference)
    assert cause in row.cause and bool(cause) == bool(row.cause)


@pytest.mark.parametrize(
    ("reply", "strict", "soft"),
    [
        ("<reasoning>\na\n</reasoning>\n<answer>\nb\n</answer>\n", 0.5, 0.0),  # one line each and a last newline
        ("<reasoning>\na\n</reasoning>\n<answer>\nb\n</answer>", 0.0, 0.0),  # what a model writes
        ("<reasoning>\na\nb\n</reasoning>\n<answer>\nb\n</answer>\n", 0.0, 0.0),
        ("<reasoning>a</reasoning>\n<answer>b</answer>", 0.0, 0.5),
    ],
)
def test_no_reply_earns_both_format_rewards(reply, strict, soft):
    assert (faulty_strict(reply), faulty_soft(reply)) == (strict, soft)
    rows = {row.name: row for row in explain(reply, "5").rows}
    assert rows["strict format"].ours == rows["soft format"].ours == 0.5
    assert bool(rows["strict format"].cause) == (strict == 0.0)


@pytest.mark.parametrize(
    ("length", "newline", "expected"),
    [(1494, False, -0.993), (1493, True, 0.5), (2994, False, -2.493), (100, False, 0.401)],
)
def test_the_tag_count_hides_a_length_penalty(length, newline, expected):
    frame = len(reply_text("", "5"))
    reply = reply_text("x" * (length - frame), "5") + "\n" * newline
    assert faulty_tags(reply) == pytest.approx(expected)
    assert explain(reply, "5").rows[3].ours == 0.5


def test_characters_after_the_end_cost_twice():
    end = reply_text("a", "5") + "\n"
    assert faulty_tags(end + "z" * 10) == pytest.approx(faulty_tags(end) - 0.02)


def test_the_faulty_parts_on_their_own():
    assert faulty_accuracy(f"<answer>{FIVE}</answer>", "5") == 2.0
    assert faulty_aime("in 2024 we counted", "024") == 1.0


def test_the_totals_are_the_sums_of_the_rows():
    explanation = explain(reply_text("one\ntwo", "\\boxed{1000}"), "1,000")
    assert explanation.ours == 3.5 and explanation.verdict.correct
    assert explanation.reference == pytest.approx(sum(row.reference for row in explanation.rows))
    assert [row.name for row in explanation.rows] == ["answer", "strict format", "soft format", "tag counts"]
    assert all(row.cause for row in explanation.rows)
