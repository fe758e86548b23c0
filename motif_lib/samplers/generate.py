"""Batched sampling by a model's own `generate`: slower than `LocalSampler` on a CPU, and at home everywhere.

It is for models that keep their cache to themselves, as those that Unsloth loads: their forward pass takes a cache but
does not fill it, so that `LocalSampler` would decode without a memory of the prompt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch

from motif_lib.samplers.local import LocalSampler


class GenerateSampler(LocalSampler):
    """`LocalSampler` with `model.generate` inside; the same arguments, the same answers when greedy."""

    seeds: random.Random | None = None

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable."""
        self.seeds = random.Random(value)

    def _train(self, mode: bool) -> None:
        """As in `LocalSampler`, but for a model of Unsloth: its `generate` switches by itself, more than the mode.

        It goes back to training, with gradient checkpointing and without its kernels for inference, only if it finds
        the model in training. Evaluation mode set here would leave both wrong for the loss.
        """
        if not hasattr(self.model, "for_training"):
            super()._train(mode)

    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of N prompts to their ends."""
        ids, mask = self._pad(prompts)  # (N, P)
        stop = self.stop.tolist()
        with torch.random.fork_rng(enabled=self.seeds is not None):
            if self.seeds is not None:
                torch.manual_seed(self.seeds.getrandbits(31))
            out = self.model.generate(
                input_ids=ids, attention_mask=mask, eos_token_id=stop, use_cache=True, **generate_settings(self)
            )
        return [until(reply, stop) for reply in out[:, ids.shape[1] :].tolist()]


def generate_settings(sampler: LocalSampler) -> dict[str, Any]:
    """Keywords that make `generate` draw as a sampler does.

    Every one is given, as a model brings defaults of its own: Qwen2.5 a repetition penalty and a top_k.
    """
    drawn = {} if sampler.greedy else {"temperature": sampler.temperature, "top_p": sampler.top_p, "top_k": 0}
    return {
        "max_new_tokens": sampler.max_new_tokens,
        "do_sample": not sampler.greedy,
        "repetition_penalty": 1.0,
        "pad_token_id": sampler.tokenizer.pad_token_id,
        **drawn,
    }


def until(reply: list[int], stop: Sequence[int]) -> list[int]:
    """The tokens up to the first one that ends a turn, that one included."""
    return reply[: next((i for i, token in enumerate(reply) if token in stop), len(reply)) + 1]
