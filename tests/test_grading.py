"""What a question is from, and by which rules it is graded, are two things."""

import pytest

from motif_lib.records import Question, Reply, Trajectory, to_json
from motif_lib.rewards.future import outcomes_of
from motif_lib.training.trainer import to_dataset
from motif_lib.verify import verify


def answered(text, gold, **where):
    return Trajectory(Question("q", gold, **where), (Reply(1, [], text, "", True),))


def test_a_data_set_of_ones_own_is_graded_as_it_says():
    gold = r"\frac{1}{2}"
    as_text = answered(r"\boxed{0.5}", gold, task="mine", grading="latex")
    as_number = answered(r"\boxed{7 apples}", "7", task="mine", grading="number")
    padded = answered(r"\boxed{025}", "25", task="mine", grading="aime")
    outside = answered(r"\boxed{1000}", "1000", task="mine", grading="aime")
    assert outcomes_of([as_text, as_number, padded, outside]) == [2.0, 2.0, 2.0, 0.0]


def test_without_a_grading_the_task_decides_and_must_be_known():
    assert outcomes_of([answered(r"\boxed{0.5}", r"\frac12", task="math500")]) == [2.0]
    with pytest.raises(ValueError, match="no grading 'svamp'.*'number', 'aime', 'latex'"):
        verify("8", "8", "svamp")


def test_old_files_read_as_they_did_and_new_ones_say_nothing_new():
    """A question without a grading of its own is written byte for byte as before the field."""
    assert "grading" not in to_json(Question("q", "1"))
    assert '"grading": "aime"' in to_json(Question("q", "1", grading="aime"))


def test_the_grading_goes_with_the_question_through_a_trainers_columns():
    rows = to_dataset(
        [Question("q", "7", "mine", grading="number"), {"question": "q", "answer": 7, "task": "gsm8k"}], 3
    )
    assert rows["grading"] == ["number", None] and rows["task"] == ["mine", "gsm8k"]
