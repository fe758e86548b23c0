"""`motif gpu-day`: everything worth seeing on a GPU, the most valuable first, so that every minute counts.

Every part runs in a process of its own (`gpu_parts`) with a time limit, and leaves its result in the folder; the same
command goes on with the parts that have none. What failed is a result too: delete its file to try it again.

FOLDER/PART.json   what was found, or why not
FOLDER/PART.log    all that the part printed
FOLDER/table.md    the table, rewritten after every part
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from motif_lib.files import write_text
from motif_lib.models.memory import PRESETS, weight_bytes
from motif_lib.show.tables import Table

LIMITS = {  # minutes; the most valuable part first
    "tests": 15,
    "graphs": 10,
    "speed-3B-Unsloth": 15,
    "speed-0.5B-Unsloth": 10,
    "memory-gpu-80gb": 10,
    "tiny": 15,
    "speed-3B-16-bit": 15,
    "speed-0.5B-16-bit": 10,
    "memory-gpu-24gb": 10,
    "memory-gpu-16gb": 10,
    "gsm8k": 120,
}
WHEELS = "2.8 GB"  # Linux x86-64, Python 3.11, torch 2.13.0 with CUDA and all that Unsloth asks for: our download
GRACE = 300  # seconds that a part has to save after its time is up: at least one step of the recipes


def run_gpu_day(out: Path, small: bool = False, limits: dict[str, float] = LIMITS) -> Table:  # type: ignore[assignment]
    """Run the parts that have no result yet; `small` takes sizes for a CPU, to see that all of it works.

    Args:
        out: folder of the results.
        small: sizes for a CPU.
        limits: minutes of each part, in order.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, minutes in limits.items():
        file = out / f"{name}.json"
        if not file.exists():
            tqdm.write(f"{name}: at most {minutes:g} minutes, {out / name}.log")
            failure = run_part(name, out, small, 60 * minutes)
            if not file.exists():
                write_text(file, json.dumps({"failed": failure}) + "\n")
        write_text(out / "table.md", markdown(table(out)))
    return table(out)


def run_part(name: str, out: Path, small: bool, seconds: float) -> str:
    """Run one part to its end or to its limit: how it ended, where it left no result."""
    command = [sys.executable, "-m", "motif_lib.machine.gpu_parts", name, str(out), *(["--small"] if small else [])]
    with open(out / f"{name}.log", "w", encoding="utf-8") as log:
        # In a session of its own, so that Ctrl-C ends this process, and not the part as if its time were over.
        part = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            part.wait(seconds)
            return last_line(out / f"{name}.log")
        except subprocess.TimeoutExpired:
            stop = signal.SIGINT if os.name == "posix" else signal.SIGTERM
            part.send_signal(stop)  # SIGINT: a training saves, and says how far it came
            try:
                part.wait(GRACE)
            except subprocess.TimeoutExpired:
                pass
            return f"stopped after {seconds / 60:g} minutes"
        finally:
            part.kill()
            part.wait()


def last_line(log: Path) -> str:
    """The last line that is not empty: of a traceback, the error."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return (lines or ["no output"])[-1][:200]


def table(out: Path) -> Table:
    """What all parts have found so far."""
    rows, devices, minutes = [], set(), 0.0
    for name in LIMITS:
        found = _read(out / f"{name}.json")
        if "failed" in found:
            rows.append((name, "", f"failed: {found['failed']}"))
        elif found:
            rows += [(name, *row) for row in found["rows"]]
            devices.add(found["device"])
            minutes += found["seconds"] / 60
    return Table(
        f"motif gpu-day: {' and '.join(sorted(devices)) or 'nothing yet'}",
        ("part", "what", "found"),
        rows,
        [f"{minutes:.0f} min in all"],
    )


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def markdown(table: Table) -> str:
    """A table for README.md and LOG.md, as it is."""
    lines = [f"**{table.title}**", "", f"| {' | '.join(table.columns)} |", "|---" * len(table.columns) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
    return "\n".join([*lines, "", *table.notes]) + "\n"


def carry() -> Table:
    """What a machine without a network needs for this, where to get it, and how large it is."""
    models = [name for name in PRESETS if "0.5B" in name or "3B" in name]
    rows = [
        ("this repository", "git clone, or motif pack --out FOLDER", "8 MB"),
        ("wheels", 'pip download -d wheels -c constraints.txt "motif_lib[gpu]"', WHEELS),
        *((name, f"hf download {name}", f"{weight_bytes(PRESETS[name]) / 1e9:.1f} GB") for name in models),
        ("GSM8K", "hf download --repo-type dataset openai/gsm8k", "5 MB"),
    ]
    notes = ["Without a model its shape is measured with random weights; without GSM8K the questions are Ledger's."]
    return Table("To carry to a machine without a network", ("what", "where from", "size"), rows, notes)
