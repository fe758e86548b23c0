"""A few worker processes for math-verify: started when first needed, then reused, each question under a time limit.

A signal in the caller would fail off the main thread and cannot stop C code; killing a process works everywhere. The
limit that matters is the computing time, which the worker sets for itself, so that a busy machine does not change a
grade; a much longer limit of wall time stands behind it.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

CPU_LIMIT = 5.0  # seconds of computing for one pair; a usual one takes about 10 ms
WALL_LIMIT = 60.0  # seconds until it is killed whatever it does: long, for a busy machine must not change a grade
MEMORY_LIMIT = 1 << 30  # bytes of address space of a worker; sympy and math-verify themselves need about 250 MB
START_LIMIT = 600.0  # seconds; the imports compute for about 1, and a broken installation fails at once
KILLED = -9  # return code of a process that SIGKILL ended; the limits end it otherwise

Pair = tuple[str, str]  # gold, answer
Grade = tuple[bool | None, str]  # correct, reason


class Worker:
    """One process, used by one thread at a time."""

    def __init__(self, cpu_limit: float, wall_limit: float, memory_limit: int):
        self.cpu_limit = cpu_limit
        self.wall_limit = wall_limit
        self.memory_limit = memory_limit
        self.process: subprocess.Popen[str] | None = None

    def ask(self, pair: Pair) -> Grade:
        """Grade one pair; the process is replaced by a fresh one if it does not answer in time.

        A process that something else killed, such as the system when memory is short, is asked once more.
        """
        for _ in range(2):
            if self.process is None or self.process.poll() is not None:
                self._start()
            try:
                line, killed = self._exchange(json.dumps(pair), self.wall_limit)
            except BaseException:  # an interrupt leaves an answer unread in the pipe: this process is of no more use
                self.stop()
                raise
            if line:
                return tuple(json.loads(line))
            if not killed:
                break
        return None, f"stopped: it needs over {self.cpu_limit:g} s or {self.memory_limit >> 20} MiB"

    def _start(self) -> None:
        """Start the process and wait until it has imported sympy."""
        limits = [str(self.cpu_limit), str(self.memory_limit)]
        command = [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), *limits]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": "0"},  # sympy orders by hash in places: the same grade in every run
        )
        if not self._exchange(None, START_LIMIT)[0]:
            raise RuntimeError(f"the math-verify worker did not start; to see why, run: {' '.join(command)}")

    def _exchange(self, line: str | None, seconds: float) -> tuple[str, bool]:
        """Send a line, read a line: empty if the process died or had to be stopped; and was it killed by another?"""
        process, expired = self.process, threading.Event()
        assert process and process.stdin and process.stdout  # it was started, with pipes

        def expire() -> None:
            expired.set()
            process.kill()

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
            return answer, False
        process.wait()  # its output has ended, and so has it; the return code says how
        self.stop()
        return "", process.returncode == KILLED and not expired.is_set()

    def stop(self) -> None:
        """Kill the process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdout, process.stdin)):
                with suppress(OSError):  # of what it did not read any more
                    pipe.close()


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
        self.workers = [Worker(cpu_limit, wall_limit, memory_limit) for _ in range(size)]
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()  # last in, first out: a started worker goes first
        for worker in self.workers:
            self._idle.put(worker)

    def grade(self, pair: Pair) -> Grade:
        """Grade one pair in the next free worker."""
        worker = self._idle.get()
        try:
            return worker.ask(pair)
        finally:
            self._idle.put(worker)

    def grade_many(self, pairs: Sequence[Pair]) -> list[Grade]:
        """Grade pairs, as many at a time as there are workers, in order."""
        if len(pairs) < 2:
            return [self.grade(pair) for pair in pairs]
        threads = ThreadPoolExecutor(min(len(self.workers), len(pairs)))
        try:
            return list(threads.map(self.grade, pairs))
        finally:
            threads.shutdown(cancel_futures=True)  # an interrupt does not wait for the rest of the batch

    def stop(self) -> None:
        """Kill all workers; the next question starts one again."""
        for worker in self.workers:
            worker.stop()


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
