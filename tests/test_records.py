"""Records survive a round trip through JSON lines; bad lines are named."""

import pytest

from motif_lib import records
from motif_lib.records import (
    Question,
    Reply,
    Trace,
    Trajectory,
    read_traces,
    to_json,
    trajectory_from_json,
    write_jsonl,
)


def trajectory(text: str = "<answer>5</answer>") -> Trajectory:
    question = Question("How many?", "5", "ledger", "q1", 4, {"level": 2})
    return Trajectory(question, (Reply(1, [{"role": "user", "content": "q"}], text, "5", True, 10, 3),))


def test_round_trip_of_a_trace(tmp_path):
    trace = Trace((trajectory(), trajectory("\u2028 </script> \x1b[31m")), (2.0, None), 2.0, 7)
    write_jsonl(tmp_path / "t.jsonl", [trace, trace])
    assert read_traces(tmp_path / "t.jsonl") == [trace, trace]


def test_round_trip_of_a_trajectory():
    assert trajectory_from_json(to_json(trajectory())) == trajectory()


def test_tokens_are_summed_over_rounds():
    assert Trajectory(trajectory().question, trajectory().replies * 2).tokens == 6


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "t.jsonl"
    write_jsonl(path, [trajectory()])
    path.write_text(path.read_text() + '{"half', encoding="utf-8")
    with pytest.raises(ValueError, match="row 2: not valid JSON"):
        list(records.read_lines(path))


def test_an_oversized_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_LINE", 100)
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n' + "x" * 1000 + "\n")
    with pytest.raises(ValueError, match="row 2: longer than 100"):
        list(records.read_lines(path))
