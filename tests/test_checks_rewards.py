"""The checks of notebook 03: stub, solution, and every mistake by its own message."""

import re

import pytest
from notebook_solutions import solution

from motif_lib.checks import rewards as checks
from motif_lib.protocol import TAGS, read_answer
from motif_lib.rewards.format import format_reward, is_soft, tags_once
from motif_lib.rewards.reference import faulty_accuracy, faulty_soft, faulty_tags
from motif_lib.verify import verify
from motif_lib.verify.extract import boxes

BLOCKS = r"<reasoning>.*</reasoning>.*<answer>.*</answer>"


def stub(*args):
    return None


def from_match(match):
    return lambda text: 0.5 * bool(match(text)) + 0.125 * tags_once(text)


def number(text):
    return float(text.replace(",", ""))


def claim(reply):
    """The content of the last box of the answer; "" if there is none."""
    return (boxes(read_answer(reply) or "") or [""])[-1]


@pytest.mark.parametrize("check", [checks.check_format_reward, checks.check_last_box, checks.check_is_correct])
def test_a_stub_is_not_yet(check):
    assert check(stub).status == "not yet"


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (checks.check_format_reward, "format_score"),
        (checks.check_last_box, "last_box"),
        (checks.check_is_correct, "is_correct"),
    ],
)
def test_the_folded_solution_is_ok(check, name):
    assert check(solution("03", name)).status == "ok"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda text: format_reward([text], strict_weight=0.0), "not a list"),
        (from_match(lambda text: "\n</reasoning>\n" in text), "newlines around the tags"),
        (from_match(lambda text: faulty_soft(text)), "does not match a newline"),
        (from_match(lambda text: re.match(BLOCKS, text, re.DOTALL)), "re.match looks only at the very beginning"),
        (lambda text: 0.5 * is_soft(text) + 0.125 * tags_once(text) - 0.001 * max(0, len(text) - 999), "length"),
        (from_match(lambda text: all(tag in text for tag in TAGS[:4])), "wrong order"),
        (lambda text: 0.5 * is_soft(text) + 0.125 * sum(tag in text for tag in TAGS[:4]), "text.count(tag) == 1"),
        (from_match(lambda text: re.search(BLOCKS[:-10], text, re.DOTALL)), "never closed"),
        (from_match(lambda text: re.search("<reasoning>.*<answer>.*</answer>", text, re.DOTALL)), "nor is a reasoning"),
        (lambda text: 0.5 * is_soft(text) + 0.125 * (tags_once(text) or 4 * (not text)), "an empty text"),
        (lambda text: 0.5 * is_soft(text) + faulty_tags(text), "newlines around the tags"),
    ],
)
def test_mistakes_of_a_format_reward(wrong, message):
    result = checks.check_format_reward(wrong)
    assert result.status == "not quite" and message in result.message


def found(pattern, index=-1):
    return lambda text: (re.findall(pattern, text) or [None])[index]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda text: text.partition(r"\boxed")[2], "between the braces"),
        (found(r"\\boxed\{(.*?)\}", 0), "the first box"),
        (found(r"\\boxed\{(.*)\}"), "greedy"),
        (found(r"\\boxed\{(.*?)\}"), "count the braces that are open"),
        (lambda text: text[text.rindex(r"\boxed{") + 7 : text.rindex("}")], "last brace of the text"),
        (lambda text: boxes(text)[-1], "give None"),
        (lambda text: (boxes(text) or [""])[-1], "give None"),
        (lambda text: (boxes(text + "}") or [None])[-1], "never closed"),
    ],
)
def test_mistakes_of_the_last_box(wrong, message):
    result = checks.check_last_box(wrong)
    assert result.status == "not quite" and message in result.message


def whole_text(reply, gold):
    """Is the last box of the whole reply, or the reply without a box, the gold number?"""
    found = (boxes(reply) or [reply])[-1]
    return bool(found) and not found.strip("1234567890., ") and number(found) == number(gold)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda reply, gold: False, "this answer is right"),
        (lambda reply, gold: gold in (read_answer(reply) or ""), "15 is not 5"),
        (lambda reply, gold: faulty_accuracy(reply, gold) == 2.0, "another spelling"),
        (lambda reply, gold: claim(reply)[:1] != " " and whole_text(claim(reply), gold), "another spelling"),
        (lambda reply, gold: claim(reply).strip().replace(",", "") == gold.replace(",", ""), "another spelling"),
        (lambda reply, gold: "," not in claim(reply) and whole_text(claim(reply), gold), "another spelling"),
        (
            lambda reply, gold: (
                claim(reply).replace(",", "").strip("1234567890. ") == ""
                and float(claim(reply).replace(",", "")) == float(gold)
            ),
            "another spelling",
        ),
        (
            lambda reply, gold: any(whole_text(rf"\boxed{{{box}}}", gold) for box in boxes(reply)),
            "box in the reasoning",
        ),
        (lambda reply, gold: whole_text(read_answer(reply) or reply, gold), "cut off"),
        (lambda reply, gold: whole_text(read_answer(reply) or "", gold), "hedge"),
        (lambda reply, gold: len(boxes(read_answer(reply) or "")) == 1 and verify(reply, gold).correct, "one claim"),
        (lambda reply, gold: bool(verify(reply.partition("</answer>")[0] + "</answer>", gold).correct), "the last one"),
        (lambda reply, gold: verify(reply, gold).correct or 1 / (read_answer(reply) != r"\boxed{many}") < 0, "ZeroDiv"),
    ],
)
def test_mistakes_of_an_answer_check(wrong, message):
    result = checks.check_is_correct(wrong)
    assert result.status == "not quite" and message in result.message
