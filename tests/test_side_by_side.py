"""Runs side by side: one thread each, their order, faults and Ctrl-C; and the same bytes as in one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from fault_runs import recipe
from tqdm.auto import tqdm

from motif_lib.studies import side_by_side as module
from motif_lib.studies.side_by_side import most_jobs, side_by_side
from motif_lib.training import runs


def about_itself(seconds: float, folder: Path) -> dict:
    """What a process knows of itself, and a file for each moment at which it was there."""
    mine = folder / str(os.getpid())
    mine.touch()
    with tqdm(total=1, desc="work") as bar:
        time.sleep(seconds)
        bar.update()
    tqdm.write("a line")
    print("a stray line")
    together = len(list(folder.iterdir()))
    mine.unlink()
    return {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"], "together": together}


def test_every_task_has_a_process_and_a_thread_of_its_own_and_results_keep_their_order(tmp_path, capfd):
    tasks = {name: partial(about_itself, seconds, tmp_path) for name, seconds in (("a", 1.2), ("b", 0.1), ("c", 0.1))}
    told = []
    results = side_by_side(tasks, 2, lambda found: told.append([*found]))
    assert [*results] == ["a", "b", "c"] and told[-1] == ["a", "b", "c"] and told[0] == ["b"]
    assert {found["threads"] for found in results.values()} == {"1"}
    assert len({os.getpid(), *(found["pid"] for found in results.values())}) == 4
    assert max(found["together"] for found in results.values()) == 2
    out, err = capfd.readouterr()
    assert out.count("a line\n") == 3 and "a: done in " in out and "stray" not in out
    assert "\x1b" not in out + err and "\r" not in out + err  # no bar in a log file


def test_a_log_file_has_a_line_now_and_then(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(module, "LOG_SECONDS", 0)
    side_by_side({"a": partial(about_itself, 0.1, tmp_path)}, 1)
    lines = capfd.readouterr().out.splitlines()
    assert "a: starting" in lines and any(line.startswith("work: 100%") and "1/1" in line for line in lines)


def fail(kind: str) -> None:
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise {"value": ValueError, "bug": ZeroDivisionError}[kind]("no such\x1b thing")


@pytest.mark.parametrize(
    "kind, said",
    [
        ("value", r"bad: no such\\x1b thing"),
        ("bug", r"bad: ZeroDivisionError: no such\\x1b thing"),
        ("killed", "bad: its process ended with status -9: if memory ran out, take fewer --jobs"),
    ],
)
def test_a_run_that_fails_is_one_line_and_the_others_are_done(tmp_path, kind, said, capfd):
    done = []
    with pytest.raises(RuntimeError, match="^1 of 2 runs failed, the others are done. " + said + "$"):
        side_by_side({"bad": partial(fail, kind), "good": partial(about_itself, 0, tmp_path)}, 1, done.append)
    assert [[*found] for found in done] == [["good"]] and "bad: failed: " in capfd.readouterr().out


def test_as_many_at_once_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    free = iter([100, 3, 0.2])
    memory = lambda: type("Memory", (), {"available": int(next(free) * module.MEMORY)})  # noqa: E731
    monkeypatch.setattr(psutil, "virtual_memory", memory)
    assert [most_jobs() for _ in range(3)] == [8, 3, 1]


# ---- stopping


def wait_in(folder: Path, hard: bool) -> None:
    """Say in a file that it has begun and how it ended; a `hard` one needs more than one Ctrl-C."""
    (folder / f"{os.getpid()}-began").touch()
    try:
        time.sleep(0.01)
        while True:
            time.sleep(0.05)
    except KeyboardInterrupt:
        (folder / f"{os.getpid()}-stopped").touch()
        while hard:
            time.sleep(0.05)
        raise


def parent(folder: Path, hard: str) -> None:
    """Three tasks, two at once; run as a process of its own."""
    tasks = {name: partial(sys.modules["test_side_by_side"].wait_in, folder, hard == "hard") for name in "abc"}
    try:
        side_by_side(tasks, 2)
    except KeyboardInterrupt:
        sys.exit(130)


@pytest.fixture
def begun(tmp_path):
    """`begun(hard)`: a process with two runs under way; it, and theirs."""
    started = []

    def start(hard: str = ""):
        code = f"import pathlib, test_side_by_side as t; t.parent(pathlib.Path({str(tmp_path)!r}), {hard!r})"
        path = os.pathsep.join(filter(None, sys.path))
        started.append(subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}))
        until(lambda: len(list(tmp_path.glob("*-began"))) == 2)
        children = [psutil.Process(int(path.name.split("-")[0])) for path in tmp_path.glob("*-began")]
        return started[0], children

    yield start
    for process in started:
        process.kill()


def until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "not within its time"
        time.sleep(0.05)


def test_ctrl_c_stops_all_runs_and_begins_none(begun, tmp_path):
    process, children = begun()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert len(list(tmp_path.glob("*-stopped"))) == len(list(tmp_path.glob("*-began"))) == 2
    assert not any(child.is_running() for child in children)


def test_a_second_ctrl_c_stops_them_at_once(begun, tmp_path):
    process, children = begun("hard")
    process.send_signal(signal.SIGINT)
    until(lambda: len(list(tmp_path.glob("*-stopped"))) == 2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and not any(child.is_running() for child in children)


def test_no_run_outlives_its_parent(begun, tmp_path):
    process, children = begun()
    process.kill()
    until(lambda: not any(child.is_running() for child in children))
    assert len(list(tmp_path.glob("*-stopped"))) == 2


# ---- the same bytes


@pytest.mark.slow
def test_side_by_side_a_training_leaves_the_bytes_of_one_process_with_one_thread(tmp_path):
    import torch

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert runs.train_run(recipe(), tmp_path / "alone")
    finally:
        torch.set_num_threads(threads)
    tasks = {name: partial(runs.train_run, recipe(), tmp_path / name) for name in ("a", "b")}
    assert side_by_side(tasks, 2) == {"a": True, "b": True}
    for name in ("adapter/adapter_model.safetensors", "traces.jsonl", "settings.json", "sources.json"):
        whole = (tmp_path / "alone" / name).read_bytes()
        assert [(tmp_path / out / name).read_bytes() for out in ("a", "b")] == [whole, whole], name
    assert b'"threads": 1' in (tmp_path / "a" / "settings.json").read_bytes()
