"""What a training or an evaluation is given: questions in TRL's schema, checked before anything is sampled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from datasets import Dataset, IterableDataset

from motif_lib.records import Question, Trajectory
from motif_lib.rounds import next_prompt
from motif_lib.tasks.rows import as_question

Row = Mapping[str, Any]
COLUMNS = ("prompt", "question", "gold", "task")  # the first is asked, the rewards read the others
_ROUNDS = re.compile(r"Round 1 of (\d+)\.")


def to_dataset(questions: Iterable[Question | Row], num_rounds: int) -> Dataset:
    """A `datasets.Dataset` in TRL's schema: the round-1 prompt, and the columns that the rewards read.

    Args:
        questions: `Question`s; or dicts with `question`, `gold` (or `answer`) and, if you like, `task`, `grading` and
            columns for rewards of your own. A number as gold is taken as text.
        num_rounds: n.

    Raises:
        ValueError: if there are no questions, or one lacks something or has a gold that cannot be graded; it is named.
    """
    rows = [_row(question, number, num_rounds) for number, question in enumerate(questions, 1)]
    if not rows:
        raise ValueError("the data set holds no questions")
    return Dataset.from_list(rows)


def _row(given: Question | Row, number: int, num_rounds: int) -> dict[str, Any]:
    own = {} if isinstance(given, Question) else given
    question = as_question(given, number)
    columns = {"question": question.text, "gold": question.gold, "task": question.task, "grading": question.grading}
    return {**own, "prompt": next_prompt(Trajectory(question, ()), num_rounds), **columns}


def as_dataset(data: Any, num_rounds: int) -> Any:
    """The questions given to a trainer, as a data set; a dict of several, a name and None stay what they are.

    Raises:
        ValueError: if a data set lacks a column, or was made for another number of rounds.
    """
    if data is None or isinstance(data, str):
        return data
    if isinstance(data, dict):
        return {name: as_dataset(part, num_rounds) for name, part in data.items()}
    if isinstance(data, IterableDataset):
        first: Row = next(iter(data), {})  # the others have not been read yet
        _check_columns(first)
        _check_rounds(first["prompt"], num_rounds)
        return data
    if not isinstance(data, Dataset) or "prompt" not in data.column_names:
        return to_dataset(data, num_rounds)
    _check_columns(data.column_names)
    for prompt in data["prompt"]:
        _check_rounds(prompt, num_rounds)
    return data


def _check_columns(names: Iterable[str]) -> None:
    missing = [repr(column) for column in COLUMNS if column not in names]
    if missing:
        raise ValueError(f"the data set has no column {', '.join(missing)}: make it with to_dataset(questions, n)")


def _check_rounds(prompt: Any, num_rounds: int) -> None:
    """Refuse a prompt that speaks of another number of rounds; your own prompt need not speak of any."""
    text = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    stated = _ROUNDS.search(text.rpartition("\n")[2])
    if stated and int(stated[1]) != num_rounds:
        raise ValueError(
            f"the data set was made for {stated[1]} rounds, the config says num_rounds={num_rounds}: make it with "
            f"to_dataset(questions, {num_rounds})"
        )


def as_list(given: Any) -> list[Any]:
    """One or several of something, or None."""
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]
