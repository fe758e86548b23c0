"""`control`: rewards that cannot teach what is right, beside which the true one has to show itself.

What also rises under a random reward was not taught by the right one: Spurious Rewards (2506.10947) saw Qwen2.5 gain on
MATH-500 from coins, which 2507.10532 puts down to problems that it knows by heart.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

CONTROLS = ("random", "inverted")


def controlled(control: str, outcomes: Sequence[float | None], right: float, rng: random.Random) -> list[float | None]:
    """Outcomes that a fair coin decides (`random`), or the opposite of the true ones (`inverted`).

    >>> controlled("inverted", [2.0, 0.0, None], 2.0, random.Random())
    [0.0, 2.0, None]
    """
    if control == "inverted":
        return [None if outcome is None else right - outcome for outcome in outcomes]
    return [None if outcome is None else right * rng.randint(0, 1) for outcome in outcomes]
