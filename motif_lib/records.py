"""The plain records that travel through the library, each one line of JSON.

A `Question` becomes, round by round, a list of `Reply`s: one `Trajectory`. `k` trajectories that share their first
reply, together with what they earned, are one `Trace`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_LINE = 1_000_000  # bytes; a longer line in a trace file is refused instead of read into memory


@dataclass(frozen=True)
class Question:
    """One problem and its gold answer, the same for every task.

    Args:
        text: what the model is asked.
        gold: the reference answer, as the task writes it (no `####`, no box); a number is taken as text.
        task: where the question is from: the name of its data set.
        id: stable name of the row, for reports and paired tests.
        length: number of reasoning steps of the problem where the task knows it (Ledger: days), else None.
        tags: what a report may group by, such as `{"level": 3, "subject": "Algebra"}`.
        grading: by which rules an answer is graded: "number", "aime" (0 to 999) or "latex". None, as in every file
            older than this field: the rules of the task, which then must be one of the package.
    """

    text: str
    gold: str
    task: str = "ledger"
    id: str = ""
    length: int | None = None
    tags: dict[str, Any] = field(default_factory=dict)
    grading: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.gold, int | float) and not isinstance(self.gold, bool):  # `Question("3 + 4?", 7)`
            object.__setattr__(self, "gold", str(self.gold))

    @property
    def rules(self) -> str:
        """What `verify` is told: the grading, or the task whose grading it is."""
        return self.grading or self.task


@dataclass(frozen=True)
class Reply:
    """What one round got and gave: the exact prompt, the text, and what the next round will see of it.

    Args:
        round: 1-based number of the round.
        prompt: chat messages as sent, `[{"role": ..., "content": ...}, ...]`.
        text: the completion, without the end-of-turn token.
        carried: the note that the next round sees; `""` after the last round.
        finished: False if the token budget cut the reply off.
        prompt_tokens: tokens of the rendered prompt.
        tokens: tokens of the completion, the end-of-turn token counted.
        summary: the call of its own that wrote the note, where the carry asks for one (`carry.asks`).
    """

    round: int
    prompt: list[dict[str, str]]
    text: str
    carried: str
    finished: bool
    prompt_tokens: int = 0
    tokens: int = 0
    summary: Reply | None = None

    @property
    def calls(self) -> tuple[Reply, ...]:
        """What the round asked a model for: this reply, and the summary if there is one."""
        return (self,) if self.summary is None else (self, self.summary)


@dataclass(frozen=True)
class Trajectory:
    """The replies of rounds 1..n to one question; the last one holds the answer."""

    question: Question
    replies: tuple[Reply, ...]

    @property
    def final(self) -> str:
        """Text of the last round's reply."""
        return self.replies[-1].text

    @property
    def tokens(self) -> int:
        """Completion tokens of all rounds together, summaries counted."""
        return sum(call.tokens for reply in self.replies for call in reply.calls)

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens of the same."""
        return sum(call.prompt_tokens for reply in self.replies for call in reply.calls)


@dataclass(frozen=True)
class Trace:
    """One branch point: k trajectories that share a reply, their outcomes, and the reward that reply earned."""

    trajectories: tuple[Trajectory, ...]
    outcomes: tuple[float | None, ...]
    reward: float | None
    step: int | None = None


def to_dict(record: Any) -> dict[str, Any]:
    """A record as plain dicts; without a grading of its own, or a summary, it is written as it always was."""
    left_out = {"grading", "summary"}  # where they are None
    return dataclasses.asdict(
        record, dict_factory=lambda pairs: {k: v for k, v in pairs if k not in left_out or v is not None}
    )


def to_json(record: Any) -> str:
    """One line of JSON for a record."""
    return json.dumps(to_dict(record), ensure_ascii=False)


def trajectory_from(data: dict[str, Any]) -> Trajectory:
    """Inverse of `to_dict` for a `Trajectory`; other keys than its own are passed over."""
    return Trajectory(Question(**data["question"]), tuple(map(_reply, data["replies"])))


def _reply(data: dict[str, Any]) -> Reply:
    return Reply(**{**data, "summary": _reply(data["summary"]) if data.get("summary") else None})


def trace_from_json(line: str) -> Trace:
    """Inverse of `to_json` for a `Trace`."""
    data = json.loads(line)
    trajectories = tuple(trajectory_from(trajectory) for trajectory in data["trajectories"])
    return Trace(trajectories, tuple(data["outcomes"]), data["reward"], data["step"])


def to_lines(records: Iterable[Any]) -> str:
    """The text of a JSONL file, one line a record."""
    return "".join(to_json(record) + "\n" for record in records)


def digest(records: Iterable[Any]) -> str:
    """SHA-256 of the JSONL file that the records would make."""
    return hashlib.sha256(to_lines(records).encode(errors="backslashreplace")).hexdigest()


def write_jsonl(path: str | Path, records: Iterable[Any], append: bool = False) -> None:
    """Write records, one JSON line each; a lone surrogate becomes its own JSON escape."""
    with open(path, "a" if append else "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(to_lines(records))


def _rows(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of the lines of a file that are not empty; a line over `MAX_LINE` bytes is refused unread."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise ValueError(f"{path}, row {number}: longer than {MAX_LINE} bytes; split or drop this row")
            if line.strip():
                yield number, line


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a JSONL file.

    Raises:
        ValueError: naming file and row, for a line over `MAX_LINE` bytes or one that is not JSON in UTF-8.
    """
    for number, line in _rows(path):
        try:
            json.loads(line)
            yield line.decode("utf-8-sig")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, row {number}: not valid JSON ({error}); remove the row") from None


def read_traces(path: str | Path) -> list[Trace]:
    """All traces of a `traces.jsonl`.

    Raises:
        ValueError: naming file and row, for a line that is damaged.
    """
    traces = []
    for number, line in _rows(path):
        try:
            traces.append(trace_from_json(line.decode("utf-8-sig")))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, row {number}: not a trace ({error}); remove the row") from None
    return traces
