"""Batched sampling by a model's own `generate`: slower than `LocalSampler` on a CPU, and at home everywhere.

It is for models that keep their cache to themselves, as those that Unsloth loads: their forward pass takes a cache but
does not fill it, so that `LocalSampler` would decode without a memory of the prompt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch

from motif_lib import gpu
from motif_lib.samplers.local import PAD_TO, LocalSampler


def make_sampler(model: Any, *args: Any, **kwargs: Any) -> LocalSampler:
    """The batched sampler that suits a model in memory; arguments as in `LocalSampler`."""
    return (GenerateSampler if gpu.is_unsloth(model) else LocalSampler)(model, *args, **kwargs)


class GenerateSampler(LocalSampler):
    """`LocalSampler` with `model.generate` inside; the same arguments, the same answers when greedy."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        batch_size: int = 256,
    ):
        super().__init__(model, tokenizer, max_new_tokens, temperature, top_p, batch_size)
        self.warp = {} if self.greedy else {"temperature": float(temperature), "top_p": float(top_p), "top_k": 0}
        self.random: random.Random | None = None

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable."""
        self.random = random.Random(value)

    def _decode(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of prompts, (N, P) when padded on the left, to their ends."""
        width = -(-max(map(len, prompts)) // PAD_TO) * PAD_TO
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        stop = self.stop.tolist()
        device = self.model.device
        with torch.random.fork_rng(enabled=self.random is not None):
            if self.random is not None:
                torch.manual_seed(self.random.getrandbits(31))
            out = self.model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                max_new_tokens=self.max_new_tokens,
                do_sample=not self.greedy,
                eos_token_id=stop,
                pad_token_id=pad,
                use_cache=True,
                **self.warp,
            )
        return [until(reply, stop) for reply in out[:, width:].tolist()]


def until(reply: list[int], stop: Sequence[int]) -> list[int]:
    """The tokens up to the first one that ends a turn, that one included."""
    return reply[: next((i for i, token in enumerate(reply) if token in stop), len(reply)) + 1]
