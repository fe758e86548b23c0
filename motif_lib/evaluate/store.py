"""What an evaluation leaves on disk: `run.json` with its settings, `items.jsonl` with one line for each trajectory.

A line holds the question, the number of the sample, every round (prompt, reply, what it carried, tokens) and the
verdict: enough to grade again without the model. Lines are written a batch at a time; what an interrupted run left of
an unfinished batch is cut away on resume, since the batch is sampled again as a whole from its own seed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from motif_lib.files import write_text
from motif_lib.records import Trajectory, to_dict, trajectory_from

Record = dict[str, Any]  # one line of items.jsonl
Verifier = Callable[[Sequence[str], Sequence[str], str], Sequence[Any]]  # (replies, golds, task) -> verdicts

SETTINGS, ITEMS = "run.json", "items.jsonl"
VERDICT = ("correct", "reason", "answer", "gold")  # what is kept of a `verify.Verdict`
NO_ROOM = "does not fit"  # reason of a question whose prompt leaves no room for the reply


def verify_all(trajectories: Sequence[Trajectory], verifier: Verifier | None = None) -> list[dict[str, Any]]:
    """Verdicts on the final replies, as dicts with `correct`, `reason`, `answer` and `gold`.

    A sampler says that a prompt does not fit its window by an empty, unfinished reply: that is wrong, not ungradable.
    """
    if verifier is None:
        from motif_lib.verify import verify_many

        verifier = verify_many
    verdicts = []
    for rules, group in groupby(trajectories, key=lambda trajectory: trajectory.question.rules):
        run = list(group)
        graded = verifier([t.final for t in run], [t.question.gold for t in run], rules)
        for trajectory, verdict in zip(run, graded, strict=True):
            kept = {key: getattr(verdict, key) for key in VERDICT}
            if not trajectory.final and not trajectory.replies[-1].finished:
                kept |= {"correct": False, "reason": NO_ROOM, "answer": None}
            verdicts.append(kept)
    return verdicts


def make_records(
    trajectories: Sequence[Trajectory], samples: Sequence[int], verifier: Verifier | None = None
) -> list[Record]:
    """Grade finished trajectories; `samples[i]` is the 0-based number of trajectory i among those of its question."""
    verdicts = verify_all(trajectories, verifier)
    return [
        {**to_dict(trajectory), "sample": sample, "verdict": verdict}
        for trajectory, sample, verdict in zip(trajectories, samples, verdicts, strict=True)
    ]


def trajectory_of(record: Record) -> Trajectory:
    """The trajectory in a record."""
    return trajectory_from(record)


def resume(folder: Path, settings: dict[str, Any], batch_size: int) -> list[Record]:
    """Open or start a run: the records of its finished batches; the rest of `items.jsonl` is cut away.

    Raises:
        ValueError: if the folder holds a run with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SETTINGS).exists():
        if (folder / ITEMS).exists():
            raise ValueError(f"{folder} has {ITEMS} but no {SETTINGS}: choose another path, or delete the folder")
        write_text(folder / SETTINGS, json.dumps(settings, indent=2) + "\n")
    stored = read_settings(folder)
    changed = [key for key in {**stored, **settings} if stored.get(key) != settings.get(key)]
    if changed:
        shown = ", ".join(f"{key} was {stored.get(key)!r:.200}, is {settings.get(key)!r:.200}" for key in changed)
        raise ValueError(f"{folder} holds another evaluation ({shown}): choose another path, or delete the folder")
    lines = _whole_lines(folder / ITEMS)
    if len(lines) < settings["questions"] * settings["samples"]:
        lines = lines[: len(lines) // batch_size * batch_size]
    if (folder / ITEMS).exists():
        os.truncate(folder / ITEMS, sum(len(line) + 1 for line in lines))
    return _parse(folder / ITEMS, lines)


def append(folder: Path, records: Sequence[Record]) -> None:
    """Write one finished batch."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    with open(folder / ITEMS, "ab") as file:
        file.write(lines.encode(errors="backslashreplace"))  # a lone surrogate becomes its own JSON escape


def read_run(folder: str | Path) -> tuple[dict[str, Any], list[Record]]:
    """Settings and records of a complete run.

    Raises:
        ValueError: if the run is not complete, or a line cannot be read.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    records = _parse(folder / ITEMS, _whole_lines(folder / ITEMS))
    total = settings["questions"] * settings["samples"]
    if len(records) != total:
        raise ValueError(
            f"{folder} holds {len(records)} of {total} trajectories: finish it with the same evaluate call"
        )
    return settings, records


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of a run."""
    try:
        return json.loads((folder / SETTINGS).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FileNotFoundError(f"no {SETTINGS} in {folder}: this is not the folder of an evaluation") from None
    except ValueError as error:
        raise ValueError(
            f"{folder / SETTINGS} is not valid JSON ({error}): delete the folder and evaluate again"
        ) from None


def _whole_lines(path: Path) -> list[bytes]:
    """Lines without their ends; what follows the last end of line was cut off while being written."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def _parse(path: Path, lines: Sequence[bytes]) -> list[Record]:
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            trajectory_of(record), record["sample"], [record["verdict"][key] for key in VERDICT]  # all there?
            records.append(record)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(
                f"{path}, row {number}: not a record ({error}): delete the folder and evaluate again"
            ) from None
    return records
