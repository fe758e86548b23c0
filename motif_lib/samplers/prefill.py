"""Read prompts into a cache, shared parts only once: for the samplers with a decoding loop of their own.

There is padding before a prefix and again before the rest of a prompt; only attention over all tokens takes no notice
(`models.attention.is_plain`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motif_lib.models.attention import RoomyCache, is_plain

PAD_TO = 8  # prompts are padded to a multiple of this, so that few shapes occur


def check_plain(model: Any) -> None:
    """Refuse a model that `read` would get wrong."""
    if not is_plain(model):
        name = model.config.model_type
        raise ValueError(f"{name} is not known to attend to all tokens in every layer: use make_sampler(...)")


def read(model: Any, prompts: Sequence[Sequence[int]], cache: RoomyCache) -> tuple[Tensor, Tensor]:
    """Fill the cache with N prompts: C shared prefixes once, then the U distinct rests, then a row each.

    Returns:
        Logits of the first new token, (N, V), and the mask of what the cache holds, (N, P).
    """
    unique, copies = deduplicate(prompts)
    prefixes, owners = shared_prefixes(unique)
    ids, mask = pad(prefixes, model.device)  # (C, P1)
    forward(model, ids, mask, cache)
    rows = torch.tensor(owners, device=mask.device)  # (U,)
    cache.batch_select_indices(rows)
    ids, rest = pad([prompt[len(prefixes[owner]) :] for prompt, owner in zip(unique, owners)], model.device)  # (U, P2)
    mask = torch.cat([mask[rows], rest], dim=1)  # (U, P)
    logits = forward(model, ids, mask, cache)  # (U, V)
    rows = torch.tensor(copies, device=mask.device)  # (N,)
    cache.batch_select_indices(rows)
    return logits[rows], mask[rows]


def forward(model: Any, ids: Tensor, mask: Tensor, cache: RoomyCache) -> Tensor:
    """Next-token logits, (rows, V): `ids` are the newest tokens, `mask` covers them and all before them."""
    positions = mask.cumsum(1).sub(1).clamp(min=0)[:, -ids.shape[1] :]
    return model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]


def pad(prompts: Sequence[Sequence[int]], device: torch.device, multiple: int = PAD_TO) -> tuple[Tensor, Tensor]:
    """Left-padded ids and mask, both (rows, P) with P a multiple of `multiple`.

    A row is padded with its own first token, so it needs no padding token, and a repetition penalty stays the same.
    """
    width = -(-max(map(len, prompts)) // multiple) * multiple
    ids = [[prompt[0] if prompt else 0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def deduplicate(prompts: Sequence[Sequence[int]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The distinct prompts, sorted, and for each prompt its index among them."""
    unique = sorted({tuple(prompt) for prompt in prompts})
    index = {prompt: i for i, prompt in enumerate(unique)}
    return unique, [index[tuple(prompt)] for prompt in prompts]


def shared_prefixes(prompts: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Prefixes that neighbours among sorted prompts share, and for each prompt the index of its prefix.

    The rounds of one question share most of their prompt: it is read once. A prompt joins the prefix before it if they
    share at least half of it; at least the last token of every prompt is left for the second part.
    """
    prefixes: list[tuple[int, ...]] = []
    owners: list[int] = []
    for prompt in prompts:
        common = len(os.path.commonprefix([prefixes[-1], prompt[:-1]])) if prefixes else 0
        if prefixes and 2 * common >= len(prompt):
            prefixes[-1] = prefixes[-1][:common]
        else:
            prefixes.append(prompt[:-1])
        owners.append(len(prefixes) - 1)
    return prefixes, owners
