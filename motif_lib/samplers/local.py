"""Batched sampling from a Transformers model on any device.

Four things make it fast. What prompts share is read once and its cache is copied: all of it for the k trajectories
that leave one reply, the question for the rounds of one question (`samplers.prefill`). All rows of a call decode
together. A reply that has ended leaves the batch. The cache has room to grow (`models.attention`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from motif_lib.models.attention import RoomyCache
from motif_lib.samplers.model_sampler import NOT_FINITE, BatchSampler
from motif_lib.samplers.prefill import check_plain, forward, read
from motif_lib.samplers.progress import report

KEEP = 0.75  # finished rows leave once the live share of the batch falls below this


class LocalSampler(BatchSampler):
    """Samples completions with a model whose every layer attends to all tokens; arguments as in `ModelSampler`.

    Raises:
        ValueError: for a model with other layers, such as a sliding window.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *args: Any, **kwargs: Any):
        super().__init__(model, tokenizer, *args, **kwargs)
        self.generator: torch.Generator | None = None
        check_plain(model)

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable; without it, torch's global generator is used."""
        self.generator = torch.Generator(self.model.device).manual_seed(value)

    @torch.inference_mode()
    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of prompts to their ends; N prompts, of which A are still alive."""
        cache = RoomyCache(self.model.config)
        logits, mask = read(self.model, prompts, cache)  # (N, V), (N, P)
        limits = torch.tensor(self.limits(prompts), device=mask.device)  # (N,)
        most = int(limits.max())
        history = self.drawing.history(prompts, most, mask.device)  # (N, P + most)
        alive = torch.arange(len(prompts), device=mask.device)  # (A,)
        ended = torch.zeros_like(alive, dtype=torch.bool)  # (A,)
        replies: list[list[int]] = [[] for _ in prompts]
        for step in range(1, most + 1):
            tokens = self._choose(self.drawing.penalised(logits, history))  # (A,)
            for row, token, over in zip(alive.tolist(), tokens.tolist(), ended.tolist()):
                if not over:
                    replies[row].append(token)
            full = limits[alive] == step  # (A,)
            before, ended = ended, ended | full | torch.isin(tokens, self.stop.to(tokens.device))
            report(int((~before).sum()), most, [step] * int((ended & ~before).sum()))
            if ended.all():
                break
            if history is not None:
                history[:, -step] = tokens
            if full.any() or ended.float().mean() > 1 - KEEP:  # a full row has no position left for one more token
                live = (~ended).nonzero()[:, 0]
                cache.batch_select_indices(live)
                alive, tokens, mask, ended = alive[live], tokens[live], mask[live], ended[live]
                history = None if history is None else history[live]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)  # (A, P + step)
            logits = forward(self.model, tokens[:, None], mask, cache)  # (A, V)
        return replies

    def _choose(self, logits: Tensor) -> Tensor:
        """Next tokens, (A,), from logits (A, V)."""
        if self.greedy:
            return logits.argmax(dim=-1)
        probabilities = self.drawing.probabilities(logits)
        if not probabilities.isfinite().all():
            raise FloatingPointError(NOT_FINITE)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]
