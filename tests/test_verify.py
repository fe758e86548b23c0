"""What counts as right: the table of cases, the rule of extraction, and properties that hold for any text."""

import pytest
from data_verify_cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from motif_lib.protocol import reply_text
from motif_lib.verify import Verdict, verify, verify_many
from motif_lib.verify.extract import MAX_CLAIM, boxes

TASKS = sorted({case[0] for case in CASES})


def test_the_table_is_as_large_as_it_claims():
    assert len(set(CASES)) >= 300


@pytest.mark.parametrize("task", TASKS)
def test_every_case_of_the_table(task):
    cases = [case for case in CASES if case[0] == task]
    verdicts = verify_many(
        [reply_text("...", rf"\boxed{{{answer}}}") for _, _, answer, _ in cases], [c[1] for c in cases], task
    )
    wrong = [(case, verdict) for case, verdict in zip(cases, verdicts, strict=True) if verdict.correct is not case[3]]
    assert not wrong


@pytest.mark.parametrize(
    ("reply", "correct"),
    [
        (r"<answer>\boxed{5}</answer>", True),
        (r"<answer>5</answer>", True),
        ("<answer>\n$5\n</answer>\n", True),
        ("<answer>The total is 5.</answer>", False),  # prose without a box is not a plain number
        (r"<answer>The total is \boxed{5}.</answer>", True),
        (r"<answer>\boxed {5}</answer>", True),
        (r"<answer>\fbox{5}</answer>", True),
        (r"<answer>\boxed{\boxed{5}}</answer>", True),
        (r"<answer>\boxed{x = \boxed{5}}</answer>", True),
        (r"<answer>\boxed{5}</answer> so it is \boxed{6}", True),  # outside the tag
        (r"<answer>\boxed{6}</answer> then <answer>\boxed{5}</answer>", True),  # the last answer
        (r"<answer>\boxed{5}</answer> then <answer>\boxed{6}</answer>", False),
        (r"<answer>\boxed{5} = \boxed{5.0}</answer>", True),  # the same twice
        (r"<answer>\boxed{3} or \boxed{5}</answer>", False),  # a hedge
        (r"<answer>\boxed{5} or \boxed{3}</answer>", False),
        (r"<answer>\boxed{3, 5}</answer>", False),
        (r"<reasoning>\boxed{5}</reasoning><answer>6</answer>", False),  # the box is in the reasoning only
        (r"<reasoning>\boxed{5}</reasoning>", False),
        (r"<reasoning>so it is \boxed{5}", False),  # cut off
        (r"<answer>\boxed{5}", False),  # cut off
        (r"<answer>\boxed{5</answer>", False),
        ("<answer></answer>", False),
        (r"The answer is \boxed{5}.", True),  # no tags at all: the text as a whole
        (r"First \boxed{3}, then \boxed{5}", True),
        (r"First \boxed{5}, then \boxed{3}", False),
        ("5", True),
        ("", False),
        ("no idea", False),
    ],
)
def test_where_the_answer_is_read(reply, correct):
    assert verify(reply, "5", "gsm8k").correct is correct


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"\boxed{1} \boxed{2", ["1"]),
        (r"\boxed{1 \boxed{2} \boxed{3}} \boxed{4}", ["2", "3", "4"]),
        (r"\boxed{a_{b_{c}}}}}}", ["a_{b_{c}}"]),
        (r"} \boxed{1}", ["1"]),
        (r"\boxed 5, \boxedx{3}", ["5"]),
    ],
)
def test_braces_are_balanced(text, found):
    assert boxes(text) == found


def test_several_boxes_are_one_list_where_the_gold_is_a_list():
    reply = r"<answer>\boxed{1} and \boxed{-2}</answer>"
    assert verify(reply, "-2, 1", "math500").correct is True
    assert verify(reply, "1", "math500").correct is False


@pytest.mark.parametrize(
    ("reply", "gold", "task", "expected"),
    [
        (
            r"\boxed{1,000.0}",
            "1000",
            "gsm8k",
            Verdict(True, "the same number", "1000", "1000"),
        ),
        ("<answer>six</answer>", "6", "gsm8k", Verdict(False, "the answer is not a plain number", "six", "6")),
        ("5", "unknown", "gsm8k", Verdict(None, "the gold must be a number", "5", "unknown")),
        ("5", "", "math500", Verdict(None, f"the gold is empty or longer than {MAX_CLAIM} characters", None, "")),
        ("1000", "999", "aime2024", Verdict(False, "not a whole number from 0 to 999", "1000", "999")),
        (
            r"\boxed{\dfrac{x}{2}}",
            r"\frac{x}{2}",
            "latex",
            Verdict(True, "the same text", r"\frac{x}{2}", r"\frac{x}{2}"),
        ),
    ],
)
def test_the_verdict_says_why(reply, gold, task, expected):
    assert verify(reply, gold, task) == expected


def test_a_batch_keeps_its_order_and_needs_one_gold_for_each():
    replies = [r"\boxed{\sqrt{8}}", "7", r"\boxed{\sqrt{18}}", r"\boxed{\sqrt{8}}"]
    golds = [r"2\sqrt{2}", "7", r"2\sqrt{2}", r"3\sqrt{2}"]
    assert [v.correct for v in verify_many(replies, golds, "math500")] == [True, True, False, False]
    assert verify_many([], []) == []
    with pytest.raises(ValueError, match="one gold for each"):
        verify_many(["1"], ["1", "2"])


@pytest.fixture
def no_worker(monkeypatch):
    def fail(pair):
        raise AssertionError(f"plain comparison sent {pair} to a worker")

    monkeypatch.setattr("motif_lib.verify.pool._pool.grade", fail)


def test_numbers_and_equal_texts_never_reach_a_worker(no_worker):
    for task, gold, answer, _ in CASES:
        if task != "math500":
            verify(rf"\boxed{{{answer}}}", gold, task)
    for gold in (r"\frac{\sqrt{3}}{2}", r"\text{east}", r"\frac{1}{3}", "52_8"):
        assert verify(rf"\boxed{{ {gold} }}", gold, "math500").correct
    assert verify(r"\boxed{\dfrac{2}{6}}", r"\frac13", "math500").correct


numbers = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1000)


@given(numbers)
def test_a_gold_is_itself_and_never_itself_plus_one(value):
    gold, more = str(value), str(value + 1)
    assert verify(rf"\boxed{{{gold}}}", gold).correct is True
    assert verify(rf"\boxed{{{more}}}", gold).correct is False
    assert verify(rf"\boxed{{{gold}}}", more).correct is False


@given(st.integers(-(10**12), 10**12), st.integers(0, 3))
def test_an_integer_in_every_spelling(value, zeros):
    padded = f"{'-' * (value < 0)}{'0' * zeros}{abs(value)}"
    for spelling in (f"{value:,}", rf"\${value}", padded, f"{value}.{'0' * zeros}", f"{2 * value}/2", f"{value} coins"):
        assert verify(f"<answer>{spelling}</answer>", str(value)).correct is True, spelling


blank = st.text(alphabet=" \t\n\r", max_size=4)


@given(st.sampled_from([case for case in CASES if case[0] != "math500"]), blank, blank)
def test_white_space_around_an_answer_changes_nothing(case, before, after):
    task, gold, answer, _ = case
    plain = verify(rf"<answer>\boxed{{{answer}}}</answer>", gold, task)
    assert verify(rf"<answer>{before}\boxed{{{before}{answer}{after}}}{after}</answer>", gold, task) == plain


pieces = st.sampled_from(
    [
        r"\boxed{",
        "{",
        "}",
        r"\frac",
        "<answer>",
        "</answer>",
        "1",
        ",",
        ".",
        "e9",
        "/0",
        "%",
        r"\text{",
        "=",
        "\\",
        "\ud800",
    ]
)


@given(st.lists(pieces | st.text(max_size=8), max_size=40).map("".join), st.text(max_size=20))
@settings(max_examples=300)
def test_no_text_raises(reply, gold):
    for task in ("gsm8k", "aime2024"):
        assert verify(reply, gold, task).correct in (True, False, None)
        assert verify(reply, "5", task).correct in (True, False)


def test_each_distinct_pair_goes_to_the_workers_once(monkeypatch):
    """A group of rollouts says the same again and again; plain numbers do not get there at all."""
    sent = []
    monkeypatch.setattr(
        "motif_lib.verify.core.grade_many", lambda pairs: sent.extend(pairs) or [(True, "asked")] * len(pairs)
    )
    replies = [r"\boxed{a+b}", r"\boxed{7}", r"\boxed{a+b}", r"\boxed{b+a+0}"]
    verdicts = verify_many(replies, ["b+a", "7", "b+a", "b+a"], "math500")
    assert sent == [("b+a", "a+b"), ("b+a", "b+a+0")] and [v.correct for v in verdicts] == [True] * 4
