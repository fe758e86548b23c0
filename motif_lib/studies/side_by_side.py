"""Runs side by side: each in a process of its own with one torch thread, as many at once as there are cores.

    side_by_side({"GRPO": partial(train, recipe), "MOTIF": partial(train, other)})

With one thread a run gives the same bytes whatever else the machine does. A process reads its task, a pickle, from its
input and tells what happens on its output. Once its input is closed it stops as after Ctrl-C: none outlives this one.
"""

from __future__ import annotations

import _thread
import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

import psutil
import tqdm.auto

from motif_lib.files import PACKAGE
from motif_lib.show.terminal import printable

T = TypeVar("T")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
MEMORY = 2 << 30  # bytes that a run needs with motif-tiny and the cpu recipe: the largest of three took 1.8 GB
LOG_SECONDS = 60  # between two lines on the progress of a run, where no line can be written over


def side_by_side(
    tasks: Mapping[str, Callable[[], T]],
    jobs: int | None = None,
    each: Callable[[dict[str, T]], Any] = lambda results: None,
) -> dict[str, T]:
    """Do all tasks, each in a process of its own; the results in the order of the tasks.

    Args:
        tasks: by title; each can be pickled, as a `functools.partial` of a module's function can.
        jobs: most at once; None for as many as there are cores and as memory holds.
        each: called whenever a task is done, with all results so far.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once every process has stopped as after its own; a second Ctrl-C kills them.
        RuntimeError: in one line, if tasks failed; the others have been done.
    """
    size = min(jobs or most_jobs(), len(tasks))
    children = {title: Child(title, task) for title, task in tasks.items()}
    results: dict[str, T] = {}
    with progress_lines(size) as lines, ThreadPoolExecutor(size) as pool:
        futures = {pool.submit(child.run, lines): title for title, child in children.items()}
        try:
            for future in as_completed(futures):
                kind, value = future.result()
                if kind == "stopped":
                    raise KeyboardInterrupt
                if kind == "result":
                    results[futures[future]] = value
                    each({title: results[title] for title in tasks if title in results})
        except BaseException:
            stop(children.values(), futures)
            raise
    if failed := [f"{child.title}: {child.failure}" for child in children.values() if child.failure]:
        raise RuntimeError(f"{len(failed)} of {len(tasks)} runs failed, the others are done. {failed[0]}")
    return {title: results[title] for title in tasks}


def most_jobs() -> int:
    """As many runs as there are cores for this process and as the free memory holds; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().available // MEMORY))


def stop(children: Iterable[Child], futures: Iterable[Future]) -> None:
    """Let all stop as after Ctrl-C, and wait for them; another Ctrl-C kills them."""
    for child in children:
        child.stop()
    try:
        wait(futures)
    except KeyboardInterrupt:
        for process in filter(None, [child.process for child in children]):
            process.kill()


class Child:
    """A task and its process, if it has begun."""

    def __init__(self, title: str, task: Callable[[], Any]):
        self.title, self.task, self.failure = title, task, ""
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped, self.lock = False, threading.Lock()

    def run(self, lines: SimpleQueue[Line]) -> tuple[str, Any]:
        """Do the task; what it ended with: a "result", "failed" with a line, or "stopped"."""
        line, began = lines.get(), time.monotonic()
        line.show(f"{self.title}: starting")
        try:
            kind, value = self._follow(line) if self._start() else ("stopped", None)
        finally:
            line.show("")
            lines.put(line)
        self.failure = str(value) if kind == "failed" else ""
        said = {"result": f"done in {time.monotonic() - began:.0f} s", "failed": f"failed: {self.failure}"}
        if kind in said:
            tqdm.auto.tqdm.write(f"{self.title}: {said[kind]}")
        return kind, value

    def _start(self) -> bool:
        """Start the process, unless all are to stop."""
        path = os.pathsep.join([str(PACKAGE.parent), *filter(None, sys.path)])
        width = {"COLUMNS": str(shutil.get_terminal_size().columns)}
        with self.lock:
            if self.stopped:
                return False
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "motif_lib.studies.side_by_side"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_THREAD, **width, "PYTHONPATH": path},
                start_new_session=True,  # a terminal's Ctrl-C reaches this process alone, which tells the others once
            )
            assert self.process.stdin
            with suppress(OSError):  # it has died already, and says so below
                pickle.dump(self.task, self.process.stdin)
                self.process.stdin.flush()
        return True

    def _follow(self, line: Line) -> tuple[str, Any]:
        assert self.process and self.process.stdout
        end = None
        with suppress(EOFError, pickle.UnpicklingError), self.process.stdout as told:
            while True:
                kind, value = pickle.load(told)
                if kind == "bar":
                    line.show(value)
                elif kind == "say":
                    tqdm.auto.tqdm.write(value)
                else:
                    end = kind, value
        status = self.process.wait()
        if end is None and not self.stopped:
            return "failed", f"its process ended with status {status}: if memory ran out, take fewer --jobs"
        return end or ("stopped", None)

    def stop(self) -> None:
        """Close its input, which is its Ctrl-C; what has not begun never will."""
        with self.lock:
            self.stopped = True
            if self.process and self.process.stdin:
                with suppress(OSError):
                    self.process.stdin.close()


class Line:
    """The line of a run in a terminal or a notebook; in a log file, a new line now and then."""

    def __init__(self, position: int):
        self.bar = tqdm.auto.tqdm(bar_format="{desc}", position=position, leave=False, disable=None)
        self.width, self.said = shutil.get_terminal_size().columns - 1, time.monotonic()

    def show(self, text: str) -> None:
        """Show this text instead of the last one."""
        if not self.bar.disable:
            self.bar.set_description_str(text[: self.width])
        elif text and time.monotonic() - self.said > LOG_SECONDS:
            self.said = time.monotonic()
            tqdm.auto.tqdm.write(text)


@contextmanager
def progress_lines(size: int) -> Iterator[SimpleQueue[Line]]:
    """So many lines, each to be taken while it is needed."""
    lines, free = [Line(position) for position in range(size)], SimpleQueue[Line]()
    for line in lines:
        free.put(line)
    try:
        yield free
    finally:
        for line in reversed(lines):
            line.bar.close()


# ---- in the process of a run


def main() -> None:
    """Do the task on standard input; tell of bars, texts and the end on standard output."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the shell has it ignored
    out, lock = os.fdopen(os.dup(1), "wb"), threading.Lock()
    os.dup2(2, 1)  # what anything prints must not get in between

    def tell(kind: str, value: Any) -> None:
        with lock, suppress(OSError):  # nobody is left to hear it
            pickle.dump((kind, value), out)
            out.flush()

    tqdm.auto.tqdm = told_bars(tell)  # before anything imports it
    tell(*outcome())


def outcome() -> tuple[str, Any]:
    """Do the task, and say what it ended with."""
    try:
        task = pickle.load(sys.stdin.buffer)
        threading.Thread(target=interrupt_when_closed, daemon=True).start()
        return "result", task()
    except KeyboardInterrupt:
        return "stopped", None
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as error:  # the library's, in one line
        return "failed", printable(str(error))
    except Exception as error:
        traceback.print_exc()
        return "failed", f"{type(error).__name__}: {printable(str(error))}"


def interrupt_when_closed() -> None:
    """Ctrl-C for this process as soon as its standard input is closed."""
    os.read(0, 1)
    _thread.interrupt_main()


def told_bars(tell: Callable[[str, Any], None]) -> type:
    """A tqdm that tells what it would show."""

    class Told(tqdm.std.tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            width = shutil.get_terminal_size().columns - 1
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "ncols": width})

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            tell("bar", str(self) if msg is None else msg)

        @classmethod
        def write(cls, s: str, *args: Any, **kwargs: Any) -> None:
            tell("say", s)

    return Told


if __name__ == "__main__":
    main()
