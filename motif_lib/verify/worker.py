r"""The process that runs math-verify: one JSON line `[seconds, gold, answer]` in, one out.

The line out is `[correct, reason]`, or `null` for a pair that was stopped by its limit of computing time.

Started by `pool` as a plain file, so it imports nothing of this project and does not care what the caller's `__main__`
is. It imports sympy once and forks a grader; when a pair kills that, the next one is forked in milliseconds. Both end
when their input does, so they never outlive their parent. Limits: the address space; and a timer of computing time
whose default action kills the grader, even while sympy is deep inside C code, and even if the parent is gone.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import contextmanager
from typing import TextIO

sys.path.append(os.path.dirname(__file__))  # python -P leaves it out

import compare

Grade = tuple[bool | None, str]
UNREADABLE: Grade = None, "the gold cannot be read: it needs too much time or memory"


def limit_memory(size: int) -> None:
    """Bound the address space in bytes, where the system knows such a limit (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, hard))
    except (ValueError, OSError):  # macOS refuses RLIMIT_AS: the time limit alone holds there
        return


@contextmanager
def limit_time(seconds: float, timer: str):
    """End this process if the block computes for longer (Windows has no such timer). The signal tells which of the two
    it was: ITIMER_VIRTUAL over the gold, ITIMER_PROF over the comparison."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(getattr(signal, timer), seconds)
    yield
    signal.setitimer(getattr(signal, timer), 0)


def grade(seconds: float, gold: str, answer: str) -> Grade:
    """Read the gold, then compare, each within its time: only a gold that cannot be read leaves no grade."""
    try:
        with limit_time(seconds, "ITIMER_VIRTUAL"):
            wanted = compare.read(gold)
    except MemoryError:
        return UNREADABLE
    except Exception as error:
        return None, f"math-verify cannot read the gold ({type(error).__name__})"
    with limit_time(seconds, "ITIMER_PROF"):
        return compare.grade(gold, answer, wanted)


def serve(answers: TextIO) -> None:
    """Answer until the input ends; a question that computes for more than its seconds ends the process."""
    for line in sys.stdin:
        print(json.dumps(grade(*json.loads(line))), file=answers, flush=True)


def main(memory: int) -> None:
    """Keep a grader running: replace one that hit its time limit; if it ends in any other way, end too."""
    answers, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the line protocol
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    limit_memory(memory)
    print(json.dumps(grade(0, r"\frac{1}{2}", "0.5")), file=answers, flush=True)  # imports, warms up, says "ready"
    if not hasattr(os, "fork"):
        return serve(answers)
    while (child := os.fork()) > 0:
        ended_by = os.WTERMSIG(os.waitpid(child, 0)[1])
        if ended_by not in (signal.SIGPROF, signal.SIGVTALRM):
            return None
        print(json.dumps(None if ended_by == signal.SIGPROF else UNREADABLE), file=answers, flush=True)
    return serve(answers)


if __name__ == "__main__":
    main(int(sys.argv[1]))
