"""Grade filled notebooks: run each in a fresh kernel, then run the workbook's own checks on what it defines.

The verdicts do not come from what a notebook prints. After its cells, the grader reloads the check modules and runs
them on the learner's functions, so a check that was deleted, edited or redefined changes nothing but the column `run`.
This finds carelessness and simple cheating; it is no fence: a notebook runs with the rights of whoever grades it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from motif_lib.checks.probe import PROBE, checks_of
from motif_lib.classroom.kernel import Kernel, KernelDied, fresh_kernel
from motif_lib.files import PACKAGE
from motif_lib.show.tables import Table

LIMIT = 300.0  # seconds for one cell
MAX_TIMEOUTS = 3  # cells that may run into the limit before the rest is skipped
TOPIC = re.compile(r"^\s*from motif_lib\.checks import (\w+)(?: as \w+)?\s*$", re.MULTILINE)
CALL = re.compile(r"\b(check_\w+)\(\s*([A-Za-z_]\w*)\s*\)")
Cells = list[str]


@dataclass(frozen=True)
class Grade:
    """One line of the CSV.

    Args:
        notebook: the path as it was given.
        exercise: the check, such as `is_correct`.
        status: ok, not quite, not yet, missing, timed out or not graded.
        message: what the check said.
        run: how the notebook itself ran: `ran`, or what went wrong first.
    """

    notebook: str
    exercise: str
    status: str
    message: str
    run: str


def grade(
    notebooks: Sequence[str | Path],
    jobs: int | None = None,
    limit: float = LIMIT,
    keep: Callable[[list[Grade]], None] = lambda grades: None,
) -> list[Grade]:
    """Grade notebooks, several at once. Ctrl-C ends it within a moment.

    Args:
        notebooks: paths; each is run in an empty folder of its own, without a network for models and data.
        jobs: how many at once; by default the number of CPU cores.
        limit: seconds that a cell may take before it is interrupted.
        keep: called with all grades so far after each notebook.

    Returns:
        The grades in the order of the notebooks. What a notebook does wrong is in them, never raised.
    """
    from tqdm import tqdm

    stop, results = Event(), {number: list[Grade]() for number in range(len(notebooks))}
    pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1)
    futures = {pool.submit(grade_notebook, path, limit, stop): number for number, path in enumerate(notebooks)}
    try:
        for future in tqdm(as_completed(futures), "graded", len(notebooks), unit="notebook"):
            results[futures[future]] = future.result()
            keep([line for lines in results.values() for line in lines])
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    return [line for lines in results.values() for line in lines]


def grade_notebook(path: str | Path, limit: float = LIMIT, stop: Event | None = None) -> list[Grade]:
    """The grades of one notebook; once `stop` is set, its kernel ends."""
    try:
        cells, topic = read_cells(Path(path))
    except (OSError, ValueError) as error:
        return [Grade(str(path), "", "not graded", "", f"cannot be read: {error}")]
    source = "\n".join(cells)
    names = {check: name for check, name in CALL.findall(source)}  # of a check that is called twice, the last call
    exercises = [Grade(str(path), check.removeprefix("check_"), "not graded", "", "") for check in checks_of(topic)]
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    try:
        with folder, fresh_kernel(Path(folder.name), stop) as kernel:
            return _grade_in(kernel, cells, topic, names, exercises, limit)
    except KernelDied as error:
        return [replace(exercise, run=str(error)) for exercise in exercises]
    except RuntimeError as error:  # jupyter_client: the kernel did not start
        return [replace(exercise, run=f"no kernel: {error}") for exercise in exercises]
    except Exception as error:  # a notebook that changes json or print can make its kernel send anything
        said = f"the kernel sends what cannot be read ({type(error).__name__})"
        return [replace(exercise, run=said) for exercise in exercises]


def read_cells(path: Path) -> tuple[Cells, str]:
    """The code cells of a notebook and the topic of its checks.

    Raises:
        ValueError: if the file is no notebook, or imports no checks.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [str(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    known = {file.stem for file in (PACKAGE / "checks").glob("*.py")} - {"__init__", "base", "probe"}
    topics = [topic for topic in TOPIC.findall("\n".join(cells)) if topic in known]
    if not topics:
        raise ValueError("no cell says `from motif_lib.checks import ... as checks`, which tells the exercises")
    return cells, topics[-1]


def ask(kernel: Kernel, expression: str, limit: float) -> Any:
    """The value of a call of `checks.probe`, or None if the kernel does not give one."""
    token = secrets.token_hex(16)
    printed, _ = kernel.execute(PROBE % (token, expression), limit)
    found = re.findall(rf"^{token}(.*)$", printed, re.MULTILINE)
    return json.loads(found[-1]) if found else None


def _grade_in(
    kernel: Kernel, cells: Cells, topic: str, names: dict[str, str], exercises: list[Grade], limit: float
) -> list[Grade]:
    """Run the cells, then one check after the other."""
    run = run_cells(kernel, cells, limit)
    try:
        altered = ask(kernel, f"changed(_old, globals(), {topic!r})", limit)
        run += f"; checks were changed: {', '.join(altered)}" if altered else ""
        run += "; the checks could not be read" if altered is None else ""
    except TimeoutError:
        run += "; the kernel does not answer"
    return [replace(_grade_one(kernel, exercise, topic, names, limit), run=run) for exercise in exercises]


def run_cells(kernel: Kernel, cells: Cells, limit: float) -> str:
    """Run the notebook; what went wrong first, or `ran`. Cells after a failed one are run too."""
    first = ""
    for number, source in enumerate(cells, 1):
        if kernel.timeouts == MAX_TIMEOUTS:
            break
        try:
            _, error = kernel.execute(source, limit)
            first = first or (f"code cell {number} raised {error}" if error else "")
        except TimeoutError:
            first = first or f"code cell {number} took longer than {limit:g} s"
        except KernelDied:
            raise KernelDied(f"the kernel died in code cell {number}") from None
    return first or "ran"


def _grade_one(kernel: Kernel, exercise: Grade, topic: str, names: dict[str, str], limit: float) -> Grade:
    check = f"check_{exercise.exercise}"
    if kernel.timeouts >= MAX_TIMEOUTS:
        return replace(exercise, message="too many cells ran into the limit")
    try:
        found = ask(kernel, f"verdict({topic!r}, {check!r}, globals(), {names.get(check, '')!r})", limit)
    except TimeoutError:
        return replace(exercise, status="timed out", message=f"the check took longer than {limit:g} s")
    except KernelDied:
        return replace(exercise, message="the kernel died in the check")
    return replace(exercise, **found) if found else replace(exercise, message="the check gave no verdict")


def to_csv(grades: Sequence[Grade]) -> str:
    """CSV with a header. A cell that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Grade.__dataclass_fields__)
    for line in grades:
        cells = (" ".join(str(value).split()) for value in asdict(line).values())
        writer.writerow(f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells)
    return text.getvalue()


def summary(grades: Sequence[Grade]) -> Table:
    """One line a notebook: how many of its exercises are right, and how it ran."""
    notebooks = list(dict.fromkeys(line.notebook for line in grades))
    lines = {notebook: [line for line in grades if line.notebook == notebook] for notebook in notebooks}
    rows = [
        (notebook, f"{sum(line.status == 'ok' for line in own)} of {len(own)}", own[0].run)
        for notebook, own in lines.items()
    ]
    return Table("Grades", ("notebook", "right", "run"), rows)
