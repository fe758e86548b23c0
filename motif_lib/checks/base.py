"""The runner behind every check of an exercise.

A check is a list of hard cases. Each case is made to catch one mistake, and says which:

    def check_mean(function):
        return run("mean", function, [
            Case("divide by the number of values, not by two", lambda f: f([1, 2, 6]), 3.0),
            Case("an empty list has the mean 0.0", lambda f: f([]), 0.0),
        ])

The first case that fails names the mistake; a function that is still a stub gets "not yet". A learner's endless loop is
not stopped: interrupt the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from motif_lib.files import first_line

SHOWN = 120  # characters of a value or an error in a message


@dataclass(frozen=True)
class Case:
    """One hard case.

    Args:
        mistake: what went wrong if the value differs: a text, or a function of the value that came back.
        call: runs the learner's function and gives the value to compare, for instance `lambda f: f([1, 2, 6])`.
        wanted: the right value.
    """

    mistake: str | Callable[[Any], str]
    call: Callable[[Callable[..., Any]], Any]
    wanted: Any


@dataclass(frozen=True)
class Result:
    """What a check found; `run` has printed it."""

    name: str
    status: Literal["ok", "not yet", "not quite"]
    message: str

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"

    def _ipython_display_(self) -> None:
        """Show nothing more as the last value of a cell: the line is there already."""


def run(name: str, function: Callable[..., Any], cases: Sequence[Case]) -> Result:
    """Run a learner's function on hard cases, print the verdict in one line and return it.

    "not yet": every call gave None or `...`, or raised NotImplementedError. "not quite": a case failed, its mistake is
    named; or the function raised. Floats are compared to 1e-6, tensors and arrays as lists.
    """
    result = _judge(name, _Watched(function), cases)
    print(result)
    return result


class _Watched:
    """The learner's function, and whether it has given anything or raised."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.wrote = self.raised = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            value = self.function(*args, **kwargs)
        except Exception:
            self.raised = True
            raise
        self.wrote = self.wrote or not (value is None or value is ...)
        return value


def _judge(name: str, watched: _Watched, cases: Sequence[Case]) -> Result:
    if not callable(watched.function):
        return Result(name, "not quite", f"pass the function itself, not {shown(watched.function)}")
    try:
        failed = [(case, got) for case in cases if not same(got := _value(case, watched), case.wanted)]
    except NotImplementedError:
        return _not_yet(name)
    if not (watched.wrote or watched.raised):
        return _not_yet(name)
    if failed:
        return Result(name, "not quite", _mistake(*failed[0]))
    return Result(name, "ok", f"{name} passes {len(cases)} hard cases")


def _not_yet(name: str) -> Result:
    return Result(name, "not yet", f"{name} gives nothing back; fill it in and run this cell again")


def _value(case: Case, function: Callable[..., Any]) -> Any:
    """What a case gives, or the exception that it raises."""
    try:
        return case.call(function)
    except NotImplementedError:
        raise
    except Exception as error:
        return error


def _mistake(case: Case, got: Any) -> str:
    """The mistake in words."""
    if isinstance(got, Exception):
        said = f"raised {type(got).__name__}: {first_line(got)[:SHOWN]}"
        return said + (f" (the case: {case.mistake})" if isinstance(case.mistake, str) else "")
    try:
        mistake = case.mistake if isinstance(case.mistake, str) else case.mistake(got)
    except Exception:  # it looks for known wrong values, and a learner's value may be anything
        mistake = f"not a {type(got).__name__} like this"
    return f"{mistake} (wanted {shown(case.wanted)}, got {shown(got)})"


def same(got: Any, wanted: Any) -> bool:
    """Whether two values are equal, floats to 1e-6, tensors, arrays and tuples as lists."""
    got, wanted = plain(got), plain(wanted)
    if isinstance(wanted, float) or isinstance(got, float):
        numbers = isinstance(got, (int, float)) and isinstance(wanted, (int, float))
        return numbers and math.isclose(got, wanted, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        return got.keys() == wanted.keys() and all(same(got[key], wanted[key]) for key in wanted)
    return type(got) is type(wanted) and bool(got == wanted)


def plain(value: Any) -> Any:
    """Tensors, arrays and their scalars as Python numbers and lists; tuples as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def shown(value: Any) -> str:
    """A value in one line of at most `SHOWN` characters, floats rounded."""
    text = _text(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _text(value: Any) -> str:
    value = plain(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return " ".join(repr(value).split())
