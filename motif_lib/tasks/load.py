"""All question sets through one call: `load_task("gsm8k")`, `load_task("ledger", steps=(4, 12))`.

Real benchmarks come from the Hub, or from a folder of JSONL files (`path=` or the environment variable MOTIF_DATA).
Adding one takes a function from a row to a `Question`, and one line. `grading` names the rules for its answers:

    def svamp(row):
        return Question(f"{text(row, 'Body')} {text(row, 'Question')}", text(row, "Answer"), "svamp", grading="number")

    BENCHMARKS["svamp"] = Benchmark(svamp, hub="ChilleD/SVAMP")
    questions = load_task("svamp")  # or load_task("svamp", path="folder") with svamp_test.jsonl in it
"""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from motif_lib.files import first_line
from motif_lib.records import MAX_LINE, Question
from motif_lib.tasks.generated import DEFAULT_SIZE, GENERATED
from motif_lib.tasks.rows import BENCHMARKS, Benchmark, Row
from motif_lib.tasks.rows import text as text  # a new benchmark is made of it
from motif_lib.verify import verify

MAX_QUESTION = 20_000  # characters; the longest of GSM8K, MATH-500 and AIME 2024 has 1,733


def load_task(
    name: str,
    split: str = "test",
    size: int | None = None,
    seed: int = 0,
    path: str | Path | None = None,
    on_bad: Literal["raise", "skip"] = "raise",
    **dial: Any,
) -> list[Question]:
    """Load the questions of a task.

    Args:
        name: "ledger", "gsm_symbolic" (both offline), "gsm8k", "math500", "aime2024", or one you added.
        split: "train", "validation" or "test", where the task has it.
        size: how many; None is all of a benchmark, and 200 of a generated task. A part of a benchmark is a random
            choice by `seed`, in the order of the file.
        seed: draws generated problems, or chooses rows.
        path: folder with `<task>_<split>.jsonl`; default the environment variable MOTIF_DATA, else the Hub.
        on_bad: "raise" stops at a bad row, "skip" drops it and warns with the row numbers. A repeated question is left
            out with a warning either way.
        **dial: `steps=(low, high)` for Ledger, `revision=` for a benchmark from the Hub.

    Returns:
        Questions with unique ids; a benchmark's id ends in the 1-based row number, such as "gsm8k-test-17".

    Raises:
        ValueError: naming file and row for a row that cannot be read; for an unknown task, split or size.
        FileNotFoundError: if the folder has no file for this task and split.
        ConnectionError: if the Hub cannot be reached.
    """
    if size is not None and size < 1:
        raise ValueError(f"size={size}: ask for at least one question")
    if on_bad not in ("raise", "skip"):
        raise ValueError(f"on_bad={on_bad!r}: choose 'raise' or 'skip'")
    if name in GENERATED:
        return GENERATED[name](split, size or DEFAULT_SIZE, seed, **dial)
    if name not in BENCHMARKS:
        raise ValueError(f"unknown task {name!r}: choose one of {', '.join([*GENERATED, *BENCHMARKS])}")
    benchmark, folder = BENCHMARKS[name], path or os.environ.get("MOTIF_DATA")
    rows: Iterable[Row | bytes]
    if folder:
        if dial:
            raise ValueError(f"{sorted(dial)[0]!r} has no effect on the files in {folder}: leave it out")
        file = _local_file(Path(folder), sorted({benchmark.file or name, name}), split)
        source, rows = str(file), file.read_bytes().splitlines()
    else:
        source, rows = f"{benchmark.hub} ({split})", _hub_rows(benchmark, split, **dial)
    questions = _read(rows, benchmark.question, source, f"{name}-{split}", on_bad)
    return _choose(questions, size, seed, source)


def _local_file(folder: Path, stems: Sequence[str], split: str) -> Path:
    names = [f"{stem}_{split}.jsonl" for stem in stems]
    if found := [folder / name for name in names if (folder / name).is_file()]:
        return found[0]
    raise FileNotFoundError(f"no {' or '.join(names)} in {folder}: put it there, or set another path or MOTIF_DATA")


def _hub_rows(benchmark: Benchmark, split: str, revision: str | None = None) -> Iterable[Row]:
    import datasets

    try:
        split = benchmark.hub_splits.get(split, split)
        return datasets.load_dataset(benchmark.hub, benchmark.config, split=split, revision=revision)
    except OSError as error:  # datasets and huggingface_hub raise several kinds, all of them OSErrors
        raise ConnectionError(
            f"cannot load {benchmark.hub} from the Hub ({first_line(error)[:200]}): "
            "set MOTIF_DATA to a folder with its rows as <task>_<split>.jsonl"
        ) from error


def _parse(row: Row | bytes) -> Row:
    if not isinstance(row, bytes):
        return row
    if len(row) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    data = json.loads(row.decode("utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError(f"holds {type(data).__name__}, not an object with named columns")
    return data


def _check(question: Question) -> None:
    """Raise ValueError for what no run can use: an endless question, a gold that cannot be graded."""
    if len(question.text) > MAX_QUESTION:
        raise ValueError(f"the question has {len(question.text):,} characters, over {MAX_QUESTION:,}")
    verdict = verify(question.gold, question.gold, question.rules)
    if verdict.correct is None:
        raise ValueError(f"the answer {question.gold[:40]!r} cannot be graded ({verdict.reason})")


def _read(
    rows: Iterable[Row | bytes], convert: Callable[[Row], Question], source: str, prefix: str, on_bad: str
) -> list[Question]:
    questions, bad = [], []
    golds: dict[str, str] = {}  # by question
    repeats: dict[int, bool] = {}  # row of a question that came before, and whether its gold is the same
    for number, row in enumerate(rows, 1):
        if isinstance(row, bytes) and not row.strip():
            continue
        try:
            question = convert(_parse(row))
            _check(question)
        except (ValueError, RecursionError) as error:  # RecursionError: JSON nested thousands deep
            if on_bad == "raise":
                cure = "mend or remove the row, or in Python load_task(..., on_bad='skip')"
                raise ValueError(f"{source}, row {number}: {error}; {cure}") from None
            bad.append(number)
            continue
        if question.text in golds:
            repeats[number] = question.gold == golds[question.text]
        else:
            golds[question.text] = question.gold
            questions.append(replace(question, id=f"{prefix}-{number}"))
    total = len(bad) + len(repeats) + len(questions)
    if bad:
        warnings.warn(f"{source}: skipped {len(bad)} of {total} rows: {_shown(bad)}", stacklevel=3)
    if repeats:
        other = [number for number, same in repeats.items() if not same]
        said = f"{source}: left out {len(repeats)} of {total} rows that repeat a question: {_shown([*repeats])}"
        warnings.warn(said + (f"; with another answer: {_shown(other)}" if other else ""), stacklevel=3)
    return questions


def _shown(rows: Sequence[int]) -> str:
    return ", ".join(map(str, rows[:20])) + (f" and {len(rows) - 20} more" if len(rows) > 20 else "")


def _choose(questions: list[Question], size: int | None, seed: int, source: str) -> list[Question]:
    if not questions:
        raise ValueError(f"{source}: no questions in it")
    if size is None:
        return questions
    if size > len(questions):
        raise ValueError(f"{source} has {len(questions)} questions, size={size}: ask for fewer")
    return [questions[i] for i in sorted(random.Random(seed).sample(range(len(questions)), size))]
