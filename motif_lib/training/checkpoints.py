"""Checkpoints that can be trusted: sealed with checksums once they are complete, checked before anything is read.

The Trainer writes a checkpoint file by file. A kill or a full disk in between leaves a folder without a seal and with
files missing or cut short; a disk fault alters a sealed file. Both are found here, and the checkpoint before it is
used.
"""

from __future__ import annotations

import json
import os
import shutil
from itertools import count
from pathlib import Path

from tqdm.auto import tqdm

from motif_lib.files import damage


def _flaw(checkpoint: Path) -> str | None:
    """Why a checkpoint cannot be used. Without a seal, it is complete if the Trainer's last file is there."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return damage(checkpoint) if isinstance(state, dict) else "trainer_state.json is damaged"
    except (OSError, ValueError):
        return "it was not finished"


def checkpoints(out: Path) -> list[Path]:
    """The checkpoint folders of a run, oldest first; somebody's own `checkpoint-5-mine` is not one of them."""
    return sorted((p for p in out.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdecimal()), key=step_of)


def last_checkpoint(out: Path) -> str | None:
    """The newest complete and unchanged checkpoint; later ones are useless, and are removed with one line each."""
    for folder in reversed(checkpoints(out)):
        flaw = _flaw(folder)
        if flaw is None:
            return str(folder)
        tqdm.write(f"{folder}: {flaw}; removed, training goes on from the checkpoint before it.")
        shutil.rmtree(folder)
    return None


def step_of(checkpoint: str | Path | None) -> int:
    """The step at which a checkpoint was saved; 0 for None."""
    return int(Path(checkpoint).name.split("-")[1]) if checkpoint else 0


def epochs_before(checkpoint: str | Path | None) -> int:
    """Whole epochs that a checkpoint has behind it; 0 for None."""
    if not checkpoint:
        return 0
    return int(json.loads((Path(checkpoint) / "trainer_state.json").read_text(encoding="utf-8"))["epoch"] or 0)


def forget_after(traces: Path, step: int) -> None:
    """Cut a `traces.jsonl` back to a checkpoint: lines of `step` and later will be written again, and half a line is
    dropped.

    The file is read a line at a time and replaced as a whole.
    """
    if not traces.exists():
        return
    part = traces.with_name(traces.name + ".part")
    damaged = 0
    with open(traces, "rb") as old, open(part, "wb") as new:
        for line in old:
            try:
                if json.loads(line)["step"] < step:
                    new.write(line)
            except (ValueError, TypeError, KeyError):
                damaged += 1
    os.replace(part, traces)
    if damaged:
        tqdm.write(f"{traces}: {damaged} unreadable lines dropped.")


def set_aside(traces: Path) -> None:
    """Keep the traces of an earlier training under the first free name `traces-1.jsonl`, because a new one begins."""
    if traces.exists():
        names = (traces.with_stem(f"{traces.stem}-{number}") for number in count(1))
        kept = next(name for name in names if not name.exists())
        traces.rename(kept)
        tqdm.write(f"{traces} is from an earlier training; kept as {kept.name}.")
