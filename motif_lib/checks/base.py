"""The runner behind every check of an exercise.

A check is a list of hard cases. Each case is made to catch one mistake, and says which:

    def check_mean(function):
        return run("mean", function, [
            Case("divide by the number of values, not by two", lambda f: f([1, 2, 6]), 3.0),
            Case("an empty list has the mean 0.0", lambda f: f([]), 0.0),
        ])

The first case that fails names the mistake; a function that is still a stub gets "not yet", and one that raises is
shown the call that did it. A learner's endless loop is not stopped: interrupt the kernel.
"""

from __future__ import annotations

import dis
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
        broken: what it means if the function raises here, or gives nothing but None.
    """

    mistake: str | Callable[[Any], str]
    call: Callable[[Callable[..., Any]], Any]
    wanted: Any
    broken: str = ""


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

    "not yet": the function reads none of its arguments and gives None or `...`, or it raised NotImplementedError. "not
    quite": a case failed, its mistake is named; or the function raised, or changed its arguments. Floats are compared
    to 1e-6, tensors and arrays as lists.
    """
    result = _judge(name, _Watched(name, function), cases)
    print(result)
    return result


class _Watched:
    """The learner's function: its last call and what came of it, and whether it has ever given anything or raised.

    `changed` is the first call after which an argument is no longer what it was.
    """

    def __init__(self, name: str, function: Callable[..., Any]):
        self.name, self.function = name, function
        self.wrote = self.raised = False
        self.last, self.changed = name, ""

    def __call__(self, *args: Any) -> Any:
        given = [_text(value) for value in args]
        call = f"{self.name}({', '.join(_cut(text, SHOWN // 2) for text in given)})"
        try:
            value = self.function(*args)
        except Exception:
            self.raised, self.last = True, f"{call} raised"
            raise
        self.wrote = self.wrote or not (value is None or value is ...)
        if not self.changed and given != [_text(value) for value in args]:
            self.changed = call
        self.last = f"{call} gives {shown(value)}, and that raises"
        return value

    @property
    def is_stub(self) -> bool:
        """Whether nothing is written yet: no instruction reads an argument."""
        code = getattr(self.function, "__code__", None)
        return code is None or not any(
            "LOAD_FAST" in i.opname or "DEREF" in i.opname for i in dis.get_instructions(code)
        )


@dataclass(frozen=True)
class _Crash:
    """A call that raised, in words."""

    said: str


def _judge(name: str, watched: _Watched, cases: Sequence[Case]) -> Result:
    if not callable(watched.function):
        return Result(name, "not quite", f"pass the function itself, not {shown(watched.function)}")
    try:
        failed = [(case, got) for case in cases if not same(got := _value(case, watched), case.wanted)]
    except NotImplementedError:
        return _not_yet(name)
    if not (watched.wrote or watched.raised):
        if watched.is_stub or not failed:
            return _not_yet(name)
        hint = failed[0][0].broken or "is a `return` missing?"
        return Result(name, "not quite", f"{name} gives None every time: {hint}")
    if failed:
        return Result(name, "not quite", _mistake(*failed[0]))
    if watched.changed:
        return Result(name, "not quite", f"{watched.changed} changes what it is given: make a new value of it instead")
    return Result(name, "ok", f"{name} passes {len(cases)} hard cases")


def _not_yet(name: str) -> Result:
    return Result(name, "not yet", f"{name} gives nothing back; fill it in and run this cell again")


def _value(case: Case, function: _Watched) -> Any:
    """What a case gives, or the crash that it ends in."""
    try:
        return case.call(function)
    except NotImplementedError:
        raise
    except Exception as error:
        return _Crash(f"{function.last} {type(error).__name__}: {first_line(error)[:SHOWN]}")


def _mistake(case: Case, got: Any) -> str:
    """The mistake in words."""
    if isinstance(got, _Crash):
        return f"{case.broken}; {got.said}" if case.broken else got.said
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


def named(known: Sequence[tuple[Any, str]], otherwise: str) -> Callable[[Any], str]:
    """A mistake by the value it gives; `otherwise` for any other wrong value."""
    return lambda got: next((mistake for value, mistake in known if same(got, value)), otherwise)


def shown(value: Any, most: int = SHOWN) -> str:
    """A value in one line of at most `most` characters, floats rounded."""
    return _cut(_text(value), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(value: Any) -> str:
    value = plain(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if type(value).__repr__ is object.__repr__:  # it would show an address
        return f"a {type(value).__name__}"
    return " ".join(repr(value).split())
