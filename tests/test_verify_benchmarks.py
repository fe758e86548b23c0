"""Every gold of GSM8K test, MATH-500 and AIME 2024 against itself, common rewrites of it, and the next row's gold."""

import json
import re

import pytest

from motif_lib.protocol import reply_text
from motif_lib.verify import latex, verify_many

FILES = {
    "gsm8k": ("gsm8k_test.jsonl", 1319),
    "math500": ("math500_test.jsonl", 500),
    "aime2024": ("aime24_test.jsonl", 30),
}
TASKS = list(FILES)


def regroup(gold: str) -> str:
    """Thousands commas where they are missing, none where they stand."""
    return gold.replace(",", "") if "," in gold else f"{int(gold):,}"


def reorder(gold: str) -> str:
    """The parts of a bare list, or of a union, the other way round."""
    separator = r" \cup " if r"\cup" in gold else ","
    parts = gold.split(separator)
    is_list = separator == r" \cup " or re.fullmatch(r"-?\d+(?:,\s*-?\d+)+", gold) and not re.search(r",\d{3}", gold)
    return separator.join(reversed(parts)) if is_list else gold


def as_decimal(gold: str) -> str:
    match = re.fullmatch(r"(-?)\\d?frac\{?(\d+)\}?\{?(\d+)\}?", gold)
    return f"{match[1]}{int(match[2]) / int(match[3]):.10f}" if match and len(match[3]) > 1 else gold


REWRITES = {
    "itself": lambda gold: gold,
    "dfrac": lambda gold: gold.replace(r"\frac", r"\dfrac"),
    "frac": lambda gold: gold.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac"),
    "left right": lambda gold: re.sub(
        r"(?<!\\left)(?<!\\)\(", r"\\left(", re.sub(r"(?<!\\right)\)", r"\\right)", gold)
    ),
    "no left right": lambda gold: re.sub(r"\\(?:left|right)", "", gold),
    "dollars": lambda gold: f"${gold}$",
    "spaces": lambda gold: f"  {re.sub(r'(?<=[,=+])(?![0-9]{3})', ' ', gold)}  ",
    "thin spaces": lambda gold: re.sub(r"(?<=[0-9}])(?=\\sqrt|\\pi)", r"\\,", gold),
    "text": lambda gold: gold.replace(r"\mbox", r"\text"),
    "full stop": lambda gold: f"{gold}.",
    "bmatrix": lambda gold: gold.replace("pmatrix", "bmatrix"),
    "reordered": reorder,
    "decimal": as_decimal,
}
NUMBER_REWRITES = {
    "regrouped": regroup,
    "decimals": lambda gold: f"{gold}.00",
    "currency": lambda gold: rf"\${gold}",
    "unit": lambda gold: rf"{gold} \text{{ apples}}",
    "bare unit": lambda gold: f"{gold} apples",
    "fraction": lambda gold: rf"\frac{{{2 * int(gold.replace(',', ''))}}}{{2}}",
    "leading zero": lambda gold: f"0{gold}" if gold.isdigit() else gold,
    "equation": lambda gold: f"x = {gold}",
}


def golds(folder, task: str) -> list[str]:
    name, size = FILES[task]
    with open(folder / name, encoding="utf-8") as file:
        found = [json.loads(line)["answer"].rpartition("####")[2].strip() for line in file]
    assert len(found) == size
    return found


def bare(gold: str) -> str:
    """The gold without `x=`: 5 and x=5 are no different answers."""
    return re.sub(r"^[a-z]=", "", latex.key(gold))


def grade(answers: list[str], wanted: list[str], task: str) -> list:
    return verify_many([reply_text("...", rf"\boxed{{{answer}}}") for answer in answers], wanted, task)


@pytest.mark.parametrize("task", TASKS)
def test_every_gold_and_its_rewrites_are_right(benchmark_data, task):
    wanted = golds(benchmark_data, task)
    rewrites = REWRITES if task == "math500" else REWRITES | NUMBER_REWRITES
    pairs = [(name, rewrite(gold), gold) for name, rewrite in rewrites.items() for gold in wanted]
    pairs = list(dict.fromkeys(pair for pair in pairs if pair[0] == "itself" or pair[1] != pair[2]))
    verdicts = grade([pair[1] for pair in pairs], [pair[2] for pair in pairs], task)
    failed = [(pair, verdict.reason) for pair, verdict in zip(pairs, verdicts, strict=True) if not verdict.correct]
    assert not failed


@pytest.mark.parametrize(
    ("task", "column", "unread"), [("gsm8k", "answer", 0), ("math500", "solution", 0), ("aime2024", "solution", 1)]
)
def test_the_reference_solutions_are_right(benchmark_data, task, column, unread):
    """As a model that was never told of tags would write them; one of AIME's ends without a box."""
    rows = [json.loads(line) for line in (benchmark_data / FILES[task][0]).read_text(encoding="utf-8").splitlines()]
    verdicts = verify_many([row[column] for row in rows], golds(benchmark_data, task), task)
    failed = [(row[column][-80:], v) for row, v in zip(rows, verdicts, strict=True) if not v.correct]
    assert len(failed) <= unread, failed


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_no_gold_is_right_for_the_next_row(benchmark_data, task):
    own = golds(benchmark_data, task)
    pairs = list(zip(own, [*own[1:], own[0]], strict=True))
    pairs = [(answer, gold) for answer, gold in pairs if bare(answer) != bare(gold)]
    verdicts = grade([pair[0] for pair in pairs], [pair[1] for pair in pairs], task)
    failed = [(pair, verdict) for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.correct is not False]
    assert not failed
