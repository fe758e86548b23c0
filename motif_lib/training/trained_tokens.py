"""`trained_tokens`: does the loss fall on a whole reply, on its note alone, or on all but its note?

CompactionRL (2607.05378) finds that summaries decay when their gradient is masked. Here a reply's note is what it
writes for the next round: its last `<answer>` and all after it, closed or cut off, the end token too; everything before
is reasoning. A reply without `<answer>` holds no note, and neither does one of the last round, where `<answer>` is the
final answer: `reasoning` trains all of it, `note` nothing. Its reward still counts in its group's mean.

Where a call of its own writes the notes (`carry.asks`), those calls are the notes and replies are reasoning, so no mask
is needed: `credit.roll_in` draws the ones or the others.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from motif_lib.protocol import REPLY_TAGS

TRAINED = ("all", "note", "reasoning")
OPENING = REPLY_TAGS[2]  # <answer>


def note_begins(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> int:
    """Index of the first token of a reply's note; the number of its tokens if it holds none.

    A token belongs to the note if it writes the first character of the tag, or a later one: it is found by decoding
    beginnings of the reply, whatever the tokenizer makes of tags, bytes and spaces.
    """
    text = decode(ids)
    if (tag := text.rfind(OPENING)) < 0:
        return len(ids)
    begun = text[: tag + 1]
    return bisect_left(range(1, len(ids) + 1), True, key=lambda size: decode(ids[:size]).startswith(begun))


def note_mask(ids: torch.Tensor, tokenizer: Any, handed_on: Sequence[bool]) -> torch.Tensor:
    """1 on the tokens of notes, 0 on all others, (N, T) as the replies.

    Args:
        ids: (N, T) replies, padded on the right.
        tokenizer: of the model.
        handed_on: for each reply, does a round follow it?
    """
    decode = partial(tokenizer.decode, skip_special_tokens=True)
    size = ids.shape[1]
    begins = [note_begins(row, decode) if on else size for row, on in zip(ids.tolist(), handed_on, strict=True)]
    return (torch.arange(size) >= torch.tensor(begins).unsqueeze(1)).long().to(ids.device)


def train_only(which: str, batch: dict[str, Any], tokenizer: Any, handed_on: Sequence[bool], gather: Callable) -> None:
    """Keep the loss of a batch of TRL's to the tokens of `which`, and its count of trained tokens to those."""
    note = note_mask(batch["completion_ids"], tokenizer, handed_on)
    batch["tool_mask"] = note if which == "note" else 1 - note  # TRL's name for tokens that are read and not trained
    batch["num_items_in_batch"] = gather((batch["completion_mask"] * batch["tool_mask"]).sum()).sum()
