"""Evaluate any sampler on any questions, in any number of rounds; interrupted, it goes on where it stopped."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from motif_lib.carry import Carry, fitting, name_of, progress_note
from motif_lib.evaluate import store
from motif_lib.evaluate.bar import Bar
from motif_lib.evaluate.report import Report
from motif_lib.files import locked
from motif_lib.records import Question, Trajectory, digest
from motif_lib.rounds import Stop, check_room, think
from motif_lib.samplers.base import Sampler
from motif_lib.tasks.rows import Row, as_question

BATCH_SIZE = 128  # trajectories between two writes
SAMPLER_SETTINGS = ("name", "max_new_tokens", "temperature", "top_p", "greedy", "chat_template_kwargs")
DRAWING_SETTINGS = ("top_k", "min_p", "repetition_penalty")


def evaluate(
    questions: Sequence[Question | Row],
    sampler: Sampler,
    num_rounds: int = 3,
    samples: int = 1,
    carry: Carry = progress_note,
    name: str = "",
    path: str | Path | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool = True,
    stop: Stop | None = None,
) -> Report:
    """Answer questions in `num_rounds` rounds and grade the final replies.

    Args:
        questions: `Question`s, or dicts with `question` and `answer`; ids are unique, an empty one becomes
            `<task>-<number>`.
        sampler: where it has a method `seed(int)`, that is called before each batch, so that results repeat.
        num_rounds: n; n sampler calls a batch.
        samples: k trajectories for each question, for avg@k, pass@k and majority votes.
        carry: what passes between rounds.
        name: title of the report.
        path: folder for `items.jsonl`, written as it goes. The same call again goes on after the last finished batch.
        batch_size: trajectories a batch, default `BATCH_SIZE`.
        seed: with the number of the batch, the seed of its sampling.
        progress: show a bar with the time left, which moves with the tokens.
        stop: rule that ends a trajectory before round n, such as `rounds.boxed`; the tokens show what it saves.

    Raises:
        ValueError: for no questions, ids that repeat, sizes below 1, or a folder that holds another evaluation, or a
            damaged one. The sampler is compared by class, settings and the checksum of its weights; what a server
            has behind a name is up to you.
        RuntimeError: if another command writes into the folder.
    """
    size = BATCH_SIZE if batch_size is None else batch_size
    questions = with_ids(questions)
    noted = fitting(carry, sampler, check_room(questions, sampler, num_rounds))  # as in a training
    settings = _settings(questions, sampler, num_rounds, samples, carry, name, size, seed)
    settings |= {"stop": name_of(stop)} if stop else {}
    answer = partial(think, sampler=sampler, num_rounds=num_rounds, carry=noted, stop=stop)
    if path is None:
        return _evaluate(questions, sampler, answer, settings, None, progress)
    with locked(path):
        return _evaluate(questions, sampler, answer, settings | _weights(sampler), Path(path), progress)


def _evaluate(
    questions: list[Question],
    sampler: Sampler,
    answer: Callable[[list[Question]], list[Trajectory]],
    settings: dict[str, Any],
    folder: Path | None,
    progress: bool,
) -> Report:
    """Answer what the folder does not hold yet, a batch at a time."""
    size, seed = settings["batch_size"], settings["seed"]
    records = store.resume(folder, settings, size) if folder else []
    rows = [(question, sample) for question in questions for sample in range(settings["samples"])]
    if [(r["question"]["id"], r["sample"]) for r in records] != [(q.id, sample) for q, sample in rows[: len(records)]]:
        raise ValueError(f"{folder} holds answers in another order, as of two evaluations at once: delete the folder")
    bar = Bar(len(rows), len(records), settings["num_rounds"], settings["name"], progress)
    with bar.bar:
        for start in range(len(records), len(rows), size):
            batch = rows[start : start + size]
            seed_sampler(sampler, seed, start // size)
            with bar.batch(len(batch)):
                trajectories = answer([question for question, _ in batch])
                new = store.make_records(trajectories, [sample for _, sample in batch])
                if folder:
                    store.append(folder, new)
            records += new
    return Report.from_records(settings, records)


def _weights(sampler: Sampler) -> dict[str, str]:
    """What the weights of a sampler's model are known by; those of a server's model are not to be seen."""
    model = getattr(sampler, "model", None)
    if model is None:
        return {}
    from motif_lib.models.identity import fingerprint

    return {"weights": fingerprint(model)}


def regrade(path: str | Path, verifier: store.Verifier | None = None) -> Report:
    """Grade a finished evaluation again from its stored replies, without the model; nothing on disk changes.

    Args:
        path: folder of the evaluation.
        verifier: `(replies, golds, task) -> verdicts`, default `motif_lib.verify.verify_many`.
    """
    settings, records = store.read_run(path)
    trajectories = [store.trajectory_of(record) for record in records]
    again = store.make_records(trajectories, [record["sample"] for record in records], verifier)
    return Report.from_records(settings, again)


def seed_sampler(sampler: Sampler, seed: int, batch: int) -> None:
    """Seed a batch by its number, so that it comes out the same whether or not the ones before it ran just now."""
    if seed_with := getattr(sampler, "seed", None):
        seed_with(zlib.crc32(f"{seed}-{batch}".encode()))


def with_ids(rows: Sequence[Question | Row]) -> list[Question]:
    """The questions, each with a unique id."""
    questions = [as_question(row, number) for number, row in enumerate(rows, 1)]
    named = [q if q.id else dataclasses.replace(q, id=f"{q.task}-{i}") for i, q in enumerate(questions, 1)]
    if not named:
        raise ValueError("no questions to evaluate")
    seen: set[str] = set()
    for question in named:
        if question.id in seen:
            raise ValueError(f"two questions have the id {question.id!r}: give each its own, reports are paired by id")
        seen.add(question.id)
    return named


def _settings(
    questions: list[Question],
    sampler: Sampler,
    num_rounds: int,
    samples: int,
    carry: Carry,
    name: str,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    """What must be equal for a run to be continued; all of it plain JSON."""
    for key, value in (("num_rounds", num_rounds), ("samples", samples), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{key}={value}: at least 1 is needed")
    found = {key: getattr(sampler, key, None) for key in SAMPLER_SETTINGS}
    found |= {key: getattr(getattr(sampler, "drawing", sampler), key, None) for key in DRAWING_SETTINGS}
    plain = {key: value for key, value in found.items() if value != {} and isinstance(value, str | int | float | dict)}
    if getattr(sampler, "max_new_tokens", 0) is None:
        plain["max_new_tokens"] = "window"
    return {
        "name": name,
        "num_rounds": num_rounds,
        "samples": samples,
        "carry": name_of(carry),
        "batch_size": batch_size,
        "seed": seed,
        "sampler": {"class": type(sampler).__name__, **plain},
        "questions": len(questions),
        "questions_sha256": digest(questions),
    }
