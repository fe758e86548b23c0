"""Format rewards, as the paper intends them: is the reply in the protocol's two blocks?

Three parts with the paper's weights: strict structure 0.5, soft structure 0.5, and four tags of 0.125. A perfect reply
earns all of them together, 1.5, at any length, over any number of lines, with or without a newline at its end. (The
reference code's own version is in `reference`.)
"""

from __future__ import annotations

from collections.abc import Sequence

from motif_lib.protocol import REPLY_TAGS

STRICT, SOFT, TAG = 0.5, 0.5, 0.125  # weights in the reference code; TAG is for each of the four tags
NO_REASONING = f"{REPLY_TAGS[0]}none{REPLY_TAGS[1]}"


def is_soft(text: str) -> bool:
    """A complete reasoning block and after it a complete answer block, with anything around them."""
    position = 0
    for tag in REPLY_TAGS:
        position = text.find(tag, position)
        if position < 0:
            return False
        position += len(tag)
    return True


def is_strict(text: str) -> bool:
    """The two blocks and nothing else: each tag once, in order, both blocks filled, only white space outside them."""
    if not is_soft(text) or tags_once(text) != len(REPLY_TAGS):
        return False
    outside = []
    for tag in REPLY_TAGS:
        before, _, text = text.partition(tag)
        outside.append(before.strip())
    before, reasoning, between, answer = outside
    return bool(reasoning and answer) and not (before or between or text.strip())


def tags_once(text: str) -> int:
    """How many of the four tags occur exactly once."""
    return sum(text.count(tag) == 1 for tag in REPLY_TAGS)


def completion_text(completion: str | list[dict[str, str]]) -> str:
    """The text of a completion in TRL's contract: a plain string, or chat messages of which the last one counts."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def format_reward(
    completions: list[str] | list[list[dict[str, str]]],
    strict_weight: float = STRICT,
    soft_weight: float = SOFT,
    tag_weight: float = TAG,
    is_note: Sequence[bool] | None = None,
    **kwargs: object,
) -> list[float]:
    """One reward for each completion, from 0 to `strict_weight + soft_weight + 4 * tag_weight` (1.5).

    Args:
        completions: strings or chat messages; a block that was opened but not closed earns its tags only.
        strict_weight: for `is_strict`.
        soft_weight: for `is_soft`.
        tag_weight: for each tag that occurs exactly once.
        is_note: which completions are notes by a call of their own (`carry.asks`), where `<answer>` alone is asked for:
            they are read as if a reasoning block stood before them.
        kwargs: the other columns that TRL passes; not used.

    >>> format_reward(["<reasoning>2 + 3</reasoning><answer>5</answer>", "<reasoning>2 + 3, and th"])
    [1.5, 0.125]
    """
    texts = [completion_text(completion) for completion in completions]
    if is_note:
        texts = [NO_REASONING * note + text for note, text in zip(is_note, texts, strict=True)]
    return [strict_weight * is_strict(t) + soft_weight * is_soft(t) + tag_weight * tags_once(t) for t in texts]
