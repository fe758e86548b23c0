"""Benchmarks, and how a row of each becomes a `Question`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from motif_lib.records import Question
from motif_lib.verify import verify

Row = Mapping[str, Any]
THOUSANDS = re.compile(r"[-+$]*\d{1,3}(,\d{3})+(\.\d+)?")


def as_question(row: Question | Row, number: int) -> Question:
    """The question of a dict with `question`, `gold` (or `answer`) and, if you like, `task` and `grading`.

    Raises:
        ValueError: in one line that names the question and what is missing, or a gold that cannot be graded.
    """
    if isinstance(row, Question):
        return row
    if not isinstance(row, Mapping):
        raise ValueError(f"question {number} is a {type(row).__name__}: give a Question, or a dict with its columns")
    text, gold = row.get("question"), row.get("gold", row.get("answer"))
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"question {number} has no text under 'question'; its keys are {', '.join(map(repr, row))}")
    if isinstance(gold, bool) or not isinstance(gold, str | int | float) or not str(gold).strip():
        raise ValueError(f"question {number} has no text or number under 'gold' or 'answer'; it holds {gold!r:.80}")
    question = Question(text, str(gold), row.get("task") or Question.task, grading=row.get("grading"))
    verdict = verify(question.gold, question.gold, question.rules)
    if verdict.correct is None:
        raise ValueError(f"question {number}: the answer {gold!r:.80} cannot be graded ({verdict.reason})")
    return question


@dataclass(frozen=True)
class Benchmark:
    """Where a real benchmark lives and how its rows are read.

    Args:
        question: from a row to a `Question`; raises ValueError saying what is wrong with the row.
        hub: dataset name on the Hugging Face Hub.
        config: its configuration there.
        hub_splits: the Hub's names for our splits, where they differ.
        file: stem of the local file `<file>_<split>.jsonl` where it is not the task's name.
        only_test: it has no training questions.
    """

    question: Callable[[Row], Question]
    hub: str
    config: str | None = None
    hub_splits: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    only_test: bool = False


def text(row: Row, column: str) -> str:
    """The text of a column, stripped; a number in it is written out, 8.0 as "8".

    Raises:
        ValueError: if the column is missing, is neither text nor a number, or is empty.
    """
    if column not in row:
        raise ValueError(f"column {column!r} is missing, the row has {', '.join(map(repr, row))[:200] or 'none'}")
    value = row[column]
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return without_zeros(repr(value))
    if not isinstance(value, str):
        raise ValueError(f"column {column!r} holds {type(value).__name__}, not text")
    if not value.strip():
        raise ValueError(f"column {column!r} is empty")
    return value.strip()


def number(row: Row, column: str) -> str:
    """The gold of a column that holds a number, or text such as "1,200", "8.0" or "9 (apples)".

    Commas between groups of three digits are dropped; "1,5" stays, because nobody knows whether it is 15 or 1.5.
    """
    written = re.sub(r"(?<=\w)\s*\([^()]*\)$", "", text(row, column))  # ASDiv: the unit in brackets
    return without_zeros(written.replace(",", "") if THOUSANDS.fullmatch(written) else written)


def without_zeros(written: str) -> str:
    """A whole number without its `.0`."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", written)


def gsm8k(row: Row) -> Question:
    """GSM8K's schema: the gold answer stands after `####`, its thousands separators are dropped."""
    _, mark, gold = text(row, "answer").rpartition("####")
    if isinstance(row["answer"], str) and not (mark and gold.strip()):
        raise ValueError("column 'answer' has no answer after '####'")
    return Question(text(row, "question"), number({"answer": gold}, "answer"), "gsm8k")


def math500(row: Row) -> Question:
    """MATH-500: LaTeX golds, tagged by level (1 to 5) and subject."""
    level = row.get("level")
    if type(level) is not int:
        raise ValueError(f"column 'level' holds {level!r}, not an integer")
    tags = {"level": level, "subject": text(row, "subject")}
    return Question(text(row, "problem"), text(row, "answer"), "math500", tags=tags)


def aime2024(row: Row) -> Question:
    """AIME 2024: the gold is an integer from 0 to 999, written without zero padding."""
    gold = number(row, "answer")
    if not gold.isdecimal() or int(gold) > 999:
        raise ValueError(f"column 'answer' holds {gold[:40]!r}, not an integer from 0 to 999")
    return Question(text(row, "problem"), str(int(gold)), "aime2024")


BENCHMARKS = {
    "gsm8k": Benchmark(gsm8k, "openai/gsm8k", "main"),
    "math500": Benchmark(math500, "HuggingFaceH4/MATH-500", only_test=True),
    "aime2024": Benchmark(
        aime2024, "HuggingFaceH4/aime_2024", hub_splits={"test": "train"}, file="aime24", only_test=True
    ),
}
