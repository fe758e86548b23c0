"""Records survive a round trip through JSON lines; bad lines are named."""

import os
import tracemalloc

import pytest

from motif_lib import files, records
from motif_lib.records import (
    Question,
    Reply,
    Trace,
    Trajectory,
    read_traces,
    write_jsonl,
)


def trajectory(text: str = "<answer>5</answer>") -> Trajectory:
    question = Question("How many?", "5", "ledger", "q1", 4, {"level": 2})
    return Trajectory(question, (Reply(1, [{"role": "user", "content": "q"}], text, "5", True, 10, 3),))


def test_round_trip_of_a_trace(tmp_path):
    trace = Trace((trajectory(), trajectory("\u2028 </script> \x1b[31m")), (2.0, None), 2.0, 7)
    write_jsonl(tmp_path / "t.jsonl", [trace, trace])
    assert read_traces(tmp_path / "t.jsonl") == [trace, trace]


def test_tokens_are_summed_over_rounds():
    assert Trajectory(trajectory().question, trajectory().replies * 2).tokens == 6


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "t.jsonl"
    write_jsonl(path, [trajectory()])
    path.write_text(path.read_text() + '{"half', encoding="utf-8")
    with pytest.raises(ValueError, match="row 2: not valid JSON"):
        list(records.read_lines(path))


def test_a_flipped_bit_is_named_by_its_row_or_changes_one_value(tmp_path):
    """In every byte of a trace one bit: the reader gives a trace for each row or says which row is damaged."""
    path = tmp_path / "t.jsonl"
    write_jsonl(path, [Trace((trajectory(),), (2.0,), 2.0, step) for step in (1, 2)])
    whole, refused = path.read_bytes(), 0
    for at in range(len(whole) // 2, len(whole) - 1):
        data = bytearray(whole)
        data[at] ^= 1 << at % 8
        path.write_bytes(data)
        try:
            assert len(read_traces(path)) in (2, 3)
        except ValueError as error:
            assert "row 2: " in str(error) or "row 3: " in str(error)
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("line", [b'{"a": "\xff"}', b"[" * 100_000, b"{}", b"[]", b"7", b'{"trajectories": [{}]}'])
def test_a_line_that_is_not_a_trace_is_named(tmp_path, line):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\n" + line + b"\n")
    with pytest.raises(ValueError, match="row 2: not a trace"):
        read_traces(path)


def test_an_oversized_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_LINE", 100)
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n' + "x" * 1000 + "\n")
    with pytest.raises(ValueError, match="row 2: longer than 100"):
        list(records.read_lines(path))


def test_an_endless_line_is_refused_unread(tmp_path):
    """50 MB without an end of line; of them no more is read than a line may have."""
    path = tmp_path / "t.jsonl"
    path.touch()
    os.truncate(path, 50_000_000)
    tracemalloc.start()
    with pytest.raises(ValueError, match="row 1: longer than 1000000"):
        list(records.read_lines(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_text_is_written_into_a_folder_that_is_new(tmp_path):
    files.write_text(tmp_path / "new" / "deep" / "file.txt", "é\ud800\n")
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["file.txt"]
    assert (tmp_path / "new" / "deep" / "file.txt").read_bytes() == "é\\ud800\n".encode()
