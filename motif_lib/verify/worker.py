r"""The process that runs math-verify: one JSON line `[gold, answer]` in, one `[correct, reason]` out.

Started by `pool` as a plain file, so it imports nothing of this project and does not care what the caller's `__main__`
is. It ends when its input does, so it never outlives its parent. Limits: its address space; and a timer of computing
time whose default action kills it, also while sympy is deep inside C code, and also if the parent is gone.
"""

from __future__ import annotations

import json
import logging
import signal
import sys


def read(text: str) -> list:
    """What math-verify makes of one LaTeX answer: an empty list if it cannot be read."""
    from math_verify import LatexExtractionConfig, parse

    return parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)


def grade(gold: str, answer: str) -> tuple[bool | None, str]:
    """Compare two LaTeX answers; the order matters to math-verify."""
    from math_verify import verify

    try:
        wanted, given = read(gold), read(answer)
        if not wanted:
            return None, "math-verify cannot read the gold"
        if not given:
            return False, "math-verify cannot read the answer"
        right = verify(wanted, given, timeout_seconds=None, raise_on_error=True)
        return right, "equal by math-verify" if right else "not equal by math-verify"
    except MemoryError:
        return None, "out of memory while comparing"
    except Exception as error:  # sympy raises anything on odd input: the pair is not equal, and the reason names it
        return False, f"math-verify cannot compare them ({type(error).__name__})"


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


def limit_time(seconds: float) -> None:
    """End this process after so much more computing time, 0 for no limit (Windows has no such timer)."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main(seconds: float, memory: int) -> None:
    """Answer until the input ends; a question that computes for more than `seconds` ends the process."""
    answers, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the line protocol
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    limit_memory(memory)
    print(json.dumps(grade(r"\frac{1}{2}", "0.5")), file=answers, flush=True)  # imports, warms up, says "ready"
    for line in sys.stdin:
        limit_time(seconds)
        result = grade(*json.loads(line))
        limit_time(0)
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
