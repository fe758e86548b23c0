"""Rewards of your own: functions of text beside TRL's contract, and a line where one cannot teach anything."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import groupby
from typing import Any

from motif_lib.rewards.format import completion_text, format_reward


def own_rewards(rewards: Sequence[Any]) -> list[Any]:
    """The rewards beside the MOTIF reward, as TRL calls them; models and async functions stay what they are.

    A function with an argument `texts` is given the replies as text, one with `completions` TRL's lists of messages;
    both get the columns that they name.

    Raises:
        ValueError: in one line, for a function that takes neither.
    """
    if rewards and not any(getattr(reward, "func", reward) is format_reward for reward in rewards):
        warnings.warn(
            "reward_funcs replaces the format reward: to keep it, give [format_reward, ...]; `from motif_lib import "
            "format_reward`",
            stacklevel=4,
        )
    return [_watched(reward) if _is_own(reward) else reward for reward in rewards]


def _is_own(reward: Any) -> bool:
    model = isinstance(reward, str) or hasattr(reward, "forward")
    return not (model or reward is format_reward or inspect.iscoroutinefunction(reward))


def _watched(reward: Callable[..., Sequence[float | None]]) -> Callable[..., list[float | None]]:
    """The reward in TRL's contract; it says once if it cannot tell the replies of a group apart."""
    name = getattr(reward, "__name__", type(reward).__name__)
    takes = inspect.signature(reward).parameters
    everything = any(each.kind is each.VAR_KEYWORD for each in takes.values())
    if not (everything or {"texts", "completions"} & takes.keys()):
        raise ValueError(
            f"the reward {name}({', '.join(takes)}) is given all replies of a step at once: write it as "
            f"`def {name}(texts, **columns)`, which gives a list with one number for each text"
        )
    told = False

    @wraps(reward)
    def watched(completions: list[Any], **columns: Any) -> list[float | None]:
        nonlocal told
        texts = [completion_text(completion) for completion in completions]
        given = {"texts": texts} if "texts" in takes else {"completions": completions}
        given |= {key: value for key, value in columns.items() if everything or key in takes}
        scores = list(reward(**given))
        if not told and _is_blind(scores, texts, columns.get("question", [""] * len(texts))):
            told = True
            warnings.warn(
                f"the reward {name} gives all replies to a question the same, such as {scores[0]!r:.40} for "
                f"{texts[0]!r:.60}, though they differ: it teaches nothing",
                stacklevel=2,
            )
        return scores

    watched.__name__ = name  # TRL logs it
    return watched


def _is_blind(scores: Sequence[float | None], texts: Sequence[str], questions: Sequence[str]) -> bool:
    """Is the reward constant in every group, although there is a group whose replies differ?"""
    groups = [list(rows) for _, rows in groupby(zip(questions, texts, scores), key=lambda row: row[0])]
    differ = any(len({text for _, text, _ in group}) > 1 for group in groups)
    constant = all(len({score if score is None else float(score) for *_, score in group}) == 1 for group in groups)
    return differ and constant and any(score is not None for score in scores)
