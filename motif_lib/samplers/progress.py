"""Signs of life of a sampler call that takes long: samplers report what they have drawn, and whoever waits may listen.

Nothing depends on it: without a listener a report goes nowhere, and a sampler that reports nothing is a sampler too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Listener = Callable[[int, float], None]  # told of new tokens, and of the replies' work that is done by them

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within it, every sampler of the process reports to this listener."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def anybody() -> bool:
    """Does anybody listen?"""
    return bool(_listeners)


def report(tokens: int, budget: int, ended: Iterable[int] = ()) -> None:
    """Tell of tokens that are new.

    A reply under way is done by the share of its budget that it has used; one that has ended is done.

    Args:
        tokens: number of new tokens.
        budget: most tokens of one reply; of a batch with different limits, the largest.
        ended: length of each reply that has ended by one of these tokens.
    """
    if _listeners:
        done = (tokens + sum(budget - length for length in ended)) / budget
        for listener in _listeners:
            listener(tokens, done)
