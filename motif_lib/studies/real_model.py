"""A real model on GSM8K before any training: do rounds help at the same number of tokens, and is it the note?

    python -m motif_lib.studies.real_model MODEL --out runs/real-model

The same test questions, greedy, in one, two and three rounds that share one budget; then the last of two rounds once
more without a note, and with another question's. Each number of rounds is an evaluation in a folder of its own, and
each of the last two ways a file, so that a stopped run goes on. `results.jsonl` has a line for each question and way,
with its row number instead of its text.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from motif_lib.evaluate import Item, Report, evaluate
from motif_lib.evaluate.bar import Bar
from motif_lib.evaluate.note_probe import shuffled, with_note
from motif_lib.evaluate.statistics import mean_estimate, paired_estimate, sign_flip
from motif_lib.evaluate.store import Record, make_records, read_run, trajectory_of
from motif_lib.files import write_text
from motif_lib.protocol import NO_NOTE
from motif_lib.records import Question, Trajectory, read_lines, to_lines
from motif_lib.rewards.format import is_strict
from motif_lib.rounds import roll_out
from motif_lib.samplers.base import Sampler
from motif_lib.show.tables import Table
from motif_lib.verify.extract import boxes

NAMES = {"formed": "replies in format", "correct": "strict accuracy", "lenient": "lenient accuracy"}
TOTAL = 600  # tokens of all rounds together
BATCH = 100  # decoded together, then written: a core does 28 GFLOP/s with 20 rows, 70 with 100 (float32, our run)


@dataclass(frozen=True)
class Answered:
    """One question asked in one way.

    Args:
        way: number of rounds, and what the last of them was given instead of its note.
        question: id, which ends in the row number.
        correct: strict verdict.
        lenient: lenient verdict.
        tokens: generated, all rounds.
        noted: the first reply left a readable note; None if it was cut off, or is the last one.
        boxed: the last reply holds a box; None if it was cut off.
        formed: share of its replies that are in format, tag by tag (`rewards.format.is_strict`).
    """

    way: str
    question: str
    correct: bool
    lenient: bool
    tokens: int
    noted: bool | None
    boxed: bool | None
    formed: float


def run_real_model(
    questions: Sequence[Question], sampler_of: Callable[[int], Sampler], out: str | Path
) -> list[Answered]:
    """Ask in all ways; returns the rows, and writes them as they come.

    Args:
        questions: at least two, with ids that end in row numbers, such as GSM8K's.
        sampler_of: (tokens of a round) -> a greedy sampler.
        out: folder.
    """
    out, rows = Path(out), list[Answered]()
    for n in (2, 1, 3):
        name, folder = f"{n} round{'s' if n > 1 else ''}", out / str(n)
        evaluate(questions, sampler_of(TOTAL // n), n, name=name, path=folder, batch_size=BATCH)
        records = read_run(folder)[1]
        rows += rows_of(name, records)
        write_text(out / "results.jsonl", to_lines(rows))
    asked = read_run(out / "2")[1]
    notes = [record["replies"][0]["carried"] for record in asked]
    for kind, given in (("no note", [""] * len(notes)), ("another note", shuffled(notes))):
        begun = [with_note(trajectory_of(record), note) for record, note in zip(asked, given, strict=True)]
        rows += last_round(f"2 rounds, {kind}", begun, sampler_of(TOTAL // 2), out / f"{kind}.jsonl")
        write_text(out / "results.jsonl", to_lines(rows))
    return rows


def last_round(way: str, begun: Sequence[Trajectory], sampler: Sampler, path: Path) -> list[Answered]:
    """The rows of trajectories of which the last of two rounds is missing; read, if the file has them."""
    if path.exists():
        return read_answered(path)
    bar = Bar(len(begun), 0, 1, way, True)
    with bar.bar, bar.batch(len(begun)):
        ended = roll_out(begun, sampler, 2)
    rows = rows_of(way, make_records(ended, [0] * len(ended)))
    write_text(path, to_lines(rows))
    return rows


def rows_of(way: str, records: Sequence[Record]) -> list[Answered]:
    """The rows of one way, one trajectory a question."""
    report = Report.from_records({"name": way, "samples": 1}, records)
    return [row_of(way, item, record) for item, record in zip(report.items, records, strict=True)]


def row_of(way: str, item: Item, record: Record) -> Answered:
    """The row of one trajectory."""
    first, last = record["replies"][0], record["replies"][-1]
    noted = first["carried"] != NO_NOTE if first is not last and first["finished"] else None
    boxed = bool(boxes(last["text"])) if last["finished"] else None
    formed = fmean(is_strict(reply["text"]) for reply in record["replies"])
    verdicts = item.correct[0] is True, item.lenient[0]
    return Answered(way, item.question.id, *verdicts, item.tokens[0], noted, boxed, formed)


def table(rows: Sequence[Answered]) -> Table:
    """Accuracy by both scores, tokens, notes and boxes of each way."""
    cells = []
    for way in dict.fromkeys(row.way for row in rows):
        of = [row for row in rows if row.way == way]
        scores = [mean_estimate([float(getattr(row, key)) for row in of]) for key in ("correct", "lenient")]
        tokens = f"{sum(row.tokens for row in of) / len(of):.0f}"
        cells.append(
            (way, *(" ".join(score.cells) for score in scores), tokens, share(of, "noted"), share(of, "boxed"))
        )
    columns = ("", "strict, % [95 %]", "lenient, % [95 %]", "tokens", "first notes", "boxed")
    note = "First notes: of finished first replies, those with a readable note. Boxed: of finished last replies."
    return Table(f"{len({row.question for row in rows})} questions, {TOTAL} tokens in all", columns, cells, [note])


def share(rows: Sequence[Answered], key: str) -> str:
    """How many of those that are known."""
    known = [getattr(row, key) for row in rows if getattr(row, key) is not None]
    return f"{sum(known)} of {len(known)}" if known else "-"


def gains(before: Sequence[Answered], after: Sequence[Answered]) -> Table:
    """What a training changed, question by question, in the ways that both were asked.

    The interval is that of paired differences (`statistics.paired_estimate`), p is of a sign-flip test.
    """
    rows = []
    for way in dict.fromkeys(row.way for row in after):
        pairs = _pairs(before, after, way)
        for key in ("formed", "correct", "lenient") if pairs else ():
            was, now = ([float(getattr(row, key)) for row in side] for side in zip(*pairs, strict=True))
            apart = [y - x for x, y in zip(was, now, strict=True)]
            gain = paired_estimate(apart)
            shares = (f"{100 * fmean(side):.1f}" for side in (was, now))
            rows.append(
                (f"{way}, {len(pairs)} questions", NAMES[key], *shares, *gain.points, f"{sign_flip(apart):.2g}")
            )
    return Table("Before and after, %", ("", "", "before", "after", "points", "95 % interval", "p"), rows)


def _pairs(before: Sequence[Answered], after: Sequence[Answered], way: str) -> list[tuple[Answered, Answered]]:
    """The rows of one way for the questions that both were asked."""
    was, now = ({row.question: row for row in rows if row.way == way} for rows in (before, after))
    return [(was[question], row) for question, row in now.items() if question in was]


def read_answered(path: str | Path) -> list[Answered]:
    """The lines of a `results.jsonl`."""
    return [Answered(**json.loads(line)) for line in read_lines(path)]


def main() -> None:
    """The run on 100 GSM8K test questions."""
    from rich import print

    from motif_lib import load_model, load_task, make_sampler

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a folder or a Hub id")
    parser.add_argument("--adapter", help="folder of a LoRA adapter, such as a cold start's")
    parser.add_argument("--before", help="results.jsonl of the model before: what has changed?")
    parser.add_argument("--size", type=int, default=100, help="questions")
    parser.add_argument("--out", type=Path, default=Path("runs/real-model"))
    given = parser.parse_args()
    model, tokenizer = load_model(given.model, given.adapter)
    questions = load_task("gsm8k", size=given.size)
    rows = run_real_model(questions, lambda budget: make_sampler(model, tokenizer, budget, 0.0), given.out)
    print(table(rows))
    if given.before:
        print(gains(read_answered(given.before), rows))


if __name__ == "__main__":
    main()
