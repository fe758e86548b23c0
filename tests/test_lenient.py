"""The last number of a reply, wherever it stands: read, graded, and never slow."""

import time

import pytest
from hostile import CORPUS
from hypothesis import given, settings
from hypothesis import strategies as st

from motif_lib.verify import verify
from motif_lib.verify.extract import MAX_REPLY
from motif_lib.verify.lenient import last_number, verify_last_number


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("So she makes $18 every day.", "18"),
        ("#### 18", "18"),
        ("9 * 2 = <<9*2=18>>18\n#### 18", "18"),
        ("<reasoning>\n3 + 4 = 7, and th", "7"),  # cut off
        (r"<answer>\boxed{1,080}</answer>", "1080"),
        (r"It costs \$1,234,567.50.", "2469135/2"),
        ("10,000 and 2,00", "0"),  # no thousands
        ("1,2,3", "3"),
        ("12,345,6789 people", "6789"),
        ("18.00", "18"),
        ("It is 18.", "18"),
        ("a share of .5", "1/2"),
        (r"about 50\%", "50%"),
        ("100 % of 20 %", "20%"),
        ("-7", "-7"),
        ("x=-7", "-7"),
        ("-$7", "-7"),
        (r"\boxed{−7}", "-7"),
        ("20-2", "2"),
        ("(3)-2", "2"),
        ("from 10–15", "15"),
        ("1.2.3", "3"),
        ("m2", "2"),  # as the harness does
        ("", None),
        ("none, two, ٣, x²", None),
        ("$ , . -", None),
    ],
)
def test_the_last_number(reply, number):
    found = last_number(reply)
    assert (found and str(found)) == number


@pytest.mark.parametrize(
    ("reply", "gold", "grading", "correct"),
    [
        ("The answer is 1,000 dollars", "1000", "gsm8k", True),
        ("18 eggs, 3 left", "18", "number", False),
        ("half, so 50%", "0.5", "number", True),
        ("no number", "5", "number", False),
        ("it is 33", "033", "aime", True),
        ("it is 5", "5", "latex", True),
        ("it is 5", r"\frac{10}{2}", "math500", True),
        ("it is 5", "x=5y", "latex", None),
        ("it is 2", "2k", "latex", None),
        ("it is 5", "five hundred apples or so", "number", None),
        ("it is 5", "", "number", None),
        ("it is 5", "5 gallons", "a task of your own", True),
    ],
)
def test_it_is_graded_as_a_number(reply, gold, grading, correct):
    verdict = verify_last_number(reply, gold, grading)
    assert (verdict and verdict.correct) is correct


@pytest.mark.parametrize(
    "text",
    ["1" * 10**6, "1,1" * 10**6, ",111" * 10**6, "1,111" * 10**6, "-" * 10**6, "$" * 10**6, r"\\$" * 10**6,
     ".1" * 10**6, "1" + " " * 10**6 + "%", "<answer>" * 10**5, "123,456," * 10**5 + "1" * 5_000],
)  # fmt: skip
def test_hostile_text_takes_no_time(text):
    start = time.process_time()
    assert verify_last_number(text, "314159265").correct is False
    assert time.process_time() - start < 0.5


def test_a_digit_more_than_is_compared_is_no_number_and_the_window_bounds_the_reading():
    assert last_number("1" * 1_000) is not None and last_number("1" * 1_001) is None
    assert last_number("5" + " " * MAX_REPLY) is None


def test_no_text_of_the_corpus_raises():
    for text in CORPUS:
        assert verify_last_number(text, "314159265").correct is False
        verify_last_number("5", text)


@given(
    st.lists(st.sampled_from(["1", "23", ",", ".", "$", "-", "%", " ", "\\", "x", "\ud800"]), max_size=30).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_the_end_of_a_solution_of_gsm8k_is_right_by_both_scores(before):
    reply = f"{before}\n#### 18"
    assert verify(reply, "18").correct is True and verify_last_number(reply, "18").correct is True
