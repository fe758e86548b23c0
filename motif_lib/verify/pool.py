"""A few worker processes for math-verify: started when first needed, then reused, with a time limit for each question.

A signal in the caller would fail outside the main thread and cannot stop C code; killing a process works everywhere.
The limit that matters is the computing time, which the worker sets for itself, so that a busy machine does not change a
grade; a much longer limit of wall time stands behind it.

A batch has a limit of its own, and every pair gets a fair share of it: first each gets `QUICK_LIMIT`, many times what a
pair usually takes; then only the pairs that need more share `BATCH_LIMIT` equally. So an endless answer never costs its
neighbours their turn, and no grade depends on the order of a batch.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

CPU_LIMIT = 5.0  # seconds of computing for one pair; a usual one takes about 10 ms
QUICK_LIMIT = 0.5  # seconds of computing that each pair of a batch gets at first
BATCH_LIMIT = 12.0  # seconds of computing that the slow pairs of a batch share
WALL_LIMIT = 60.0  # seconds until it is killed whatever it does: long, as a busy machine must not change a grade
MEMORY_LIMIT = 1 << 30  # bytes of address space of a worker; sympy and math-verify themselves need about 250 MB
START_LIMIT = 600.0  # seconds; the imports compute for about 1, and a broken installation fails at once

Pair = tuple[str, str]  # gold, answer
Grade = tuple[bool | None, str]  # correct, reason


class Worker:
    """One process, used by one thread at a time."""

    def __init__(self, cpu_limit: float, wall_limit: float, memory_limit: int):
        self.cpu_limit = cpu_limit
        self.wall_limit = wall_limit
        self.memory_limit = memory_limit
        self.process: subprocess.Popen[str] | None = None

    def ask(self, pair: Pair, seconds: float | None = None) -> Grade | None:
        """Grade one pair; None if it computes for more than `seconds`, by default `cpu_limit`.

        If something else killed the process, such as the system when memory is short, the pair is asked once more. A
        pair whose process is killed twice is taken for the cause, and is wrong.
        """
        for _ in range(2):
            if self.process is None or self.process.poll() is not None:
                self._start()
            try:
                line = self._exchange(json.dumps([seconds or self.cpu_limit, *pair]), self.wall_limit)
            except BaseException:  # an interrupt leaves an answer unread in the pipe: this process is useless now
                self.stop()
                raise
            if line:
                grade = json.loads(line)
                return grade and tuple(grade)
        return False, f"stopped: it was killed twice, or needs over {self.wall_limit:g} s"

    def _start(self) -> None:
        """Start the process and wait until it has imported sympy."""
        command = [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(self.memory_limit)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # a group of its own, which `stop` kills: the worker forks
            env=os.environ | {"PYTHONHASHSEED": "0"},  # sympy orders by hash in places: the same grade in every run
        )
        if not self._exchange(None, START_LIMIT):
            raise RuntimeError(f"the math-verify worker did not start; to see why, run: {' '.join(command)}")

    def _exchange(self, line: str | None, seconds: float) -> str:
        """Send a line, read a line: empty if the process died or had to be stopped."""
        process, expired = self.process, threading.Event()
        assert process and process.stdin and process.stdout  # it was started, with pipes

        def expire() -> None:
            expired.set()
            kill(process)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            if line is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:  # the process died and its pipe broke
            answer = ""
        finally:
            timer.cancel()
            timer.join()  # so that a late kill cannot hit the next question
        if answer.endswith("\n") and not expired.is_set():
            return answer
        self.stop()
        return ""

    def stop(self) -> None:
        """Kill the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            kill(process)
            process.wait()
            for pipe in filter(None, (process.stdout, process.stdin)):
                with suppress(OSError):  # if something was left unread
                    pipe.close()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and what it forked, if they are still there."""
    if not hasattr(os, "killpg"):
        return process.kill()
    with suppress(ProcessLookupError, PermissionError):  # macOS raises the second for a group that has ended
        os.killpg(process.pid, signal.SIGKILL)


class Pool:
    """Up to `size` workers, safe to use from any thread."""

    def __init__(
        self,
        size: int | None = None,
        cpu_limit: float = CPU_LIMIT,
        wall_limit: float = WALL_LIMIT,
        memory_limit: int = MEMORY_LIMIT,
    ):
        size = size or min(4, os.cpu_count() or 1)
        self.cpu_limit = cpu_limit
        self.workers = [Worker(cpu_limit, wall_limit, memory_limit) for _ in range(size)]
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()  # last in, first out: a started worker goes first
        for worker in self.workers:
            self._idle.put(worker)

    def grade(self, pair: Pair) -> Grade:
        """Grade one pair in the next free worker. A pair that reaches its limit is wrong."""
        return self._ask(pair, self.cpu_limit) or stopped(self.cpu_limit)

    def _ask(self, pair: Pair, seconds: float) -> Grade | None:
        worker = self._idle.get()
        try:
            return worker.ask(pair, seconds)
        finally:
            self._idle.put(worker)

    def grade_many(self, pairs: Sequence[Pair]) -> list[Grade]:
        """Grade pairs, as many at a time as there are workers, in order; the limits of a batch are the module's."""
        if len(pairs) < 2:
            return [self.grade(pair) for pair in pairs]
        limit = min(QUICK_LIMIT, self.cpu_limit)
        grades = self._ask_all(pairs, limit)
        slow = [i for i, grade in enumerate(grades) if grade is None]
        share = min(self.cpu_limit, BATCH_LIMIT / max(len(slow), 1))
        if slow and share > limit:
            limit = share
            for i, grade in zip(slow, self._ask_all([pairs[i] for i in slow], share), strict=True):
                grades[i] = grade
        return [grade or stopped(limit) for grade in grades]

    def _ask_all(self, pairs: Sequence[Pair], seconds: float) -> list[Grade | None]:
        threads = ThreadPoolExecutor(min(len(self.workers), len(pairs)))
        try:
            return list(threads.map(partial(self._ask, seconds=seconds), pairs))
        finally:
            threads.shutdown(cancel_futures=True)  # an interrupt does not wait for the rest of the batch

    def stop(self) -> None:
        """Kill all workers; the next question starts one again."""
        for worker in self.workers:
            worker.stop()


def stopped(seconds: float) -> Grade:
    return False, f"stopped: the answer needs over {seconds:.3g} s"


_pool = Pool()


def _forget() -> None:
    """In a forked child: its parent's workers are not its own."""
    global _pool
    _pool = Pool()


atexit.register(lambda: _pool.stop())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def grade_many(pairs: Sequence[Pair]) -> list[Grade]:
    """Grade pairs in the workers that this process shares."""
    return _pool.grade_many(pairs)
