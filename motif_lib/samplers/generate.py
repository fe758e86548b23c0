"""Batched sampling by a model's own `generate`: slower than `LocalSampler` on a CPU, but it works with every model.

It is for models that need a cache of their own kind: those with sliding windows or recurrent layers, and those that
Unsloth loads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

from motif_lib.models.attention import takes_padding
from motif_lib.models.unsloth import is_unsloth
from motif_lib.samplers.model_sampler import BatchSampler, ModelSampler
from motif_lib.samplers.prefill import PAD_TO, pad
from motif_lib.samplers.progress import anybody, report


class GenerateSampler(BatchSampler):
    """Samples completions by `model.generate`; arguments as in `ModelSampler`.

    If padding might confuse a model, only prompts of equal length are batched, so nothing is padded; without a budget
    too, as they leave equal room in the window, and some models have no position beyond it.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *args: Any, **kwargs: Any):
        super().__init__(model, tokenizer, *args, **kwargs)
        self.seeds: random.Random | None = None
        self.pads = is_unsloth(model) or takes_padding(model)

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable."""
        self.seeds = random.Random(value)

    def _batches(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        for rows in super()._batches(prompts):
            together = self.pads and self.max_new_tokens is not None
            groups = [rows] if together else [list(g) for _, g in groupby(rows, key=lambda i: len(prompts[i]))]
            yield from groups

    def _train(self, mode: bool) -> None:
        """Switch the mode, except for an Unsloth model: its `generate` switches this and more by itself.

        Unsloth goes back to training, with gradient checkpointing and without its kernels for inference, only if the
        model was in training mode before. Evaluation mode set here would leave both wrong for the loss.
        """
        if not hasattr(self.model, "for_training"):
            super()._train(mode)

    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of N prompts, with one limit for their replies, to the end."""
        limit = self.limits(prompts)[0]
        ids, mask = pad(prompts, self.model.device, PAD_TO if self.pads else 1)  # (N, P)
        stop = self.stop.tolist()
        with torch.random.fork_rng(enabled=self.seeds is not None):
            if self.seeds is not None:
                torch.manual_seed(self.seeds.getrandbits(31))
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                eos_token_id=stop,
                use_cache=True,
                **generate_settings(self, limit),
                **({"stopping_criteria": StoppingCriteriaList([Reports(limit, self.stop)])} if anybody() else {}),
            )
        return [until(reply, stop) for reply in out[:, ids.shape[1] :].tolist()]


class Reports(StoppingCriteria):
    """Stops nothing: `generate` calls it at every token, and it reports that (`samplers.progress`)."""

    def __init__(self, limit: int, stop: Tensor):
        self.limit, self.stop = limit, stop
        self.step = 0
        self.ended: Tensor | None = None  # (N,)

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        """(N,) times False, given the tokens so far, (N, P + step)."""
        nothing = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        before = nothing if self.ended is None else self.ended
        self.ended = before | torch.isin(input_ids[:, -1], self.stop.to(input_ids.device))
        self.step += 1
        report(int((~before).sum()), self.limit, [self.step] * int((self.ended & ~before).sum()))
        return nothing


def generate_settings(sampler: ModelSampler, limit: int) -> dict[str, Any]:
    """Keyword arguments that make `generate` draw as a sampler does, at most `limit` tokens.

    Every one is given, because models bring their own defaults: Qwen2.5 has a repetition penalty and a top_k.
    """
    how = sampler.drawing
    drawn = {"temperature": how.temperature, "top_p": how.top_p, "top_k": how.top_k, "min_p": how.min_p or 0.0}
    return {
        "max_new_tokens": limit,
        "do_sample": not how.greedy,
        "repetition_penalty": how.repetition_penalty,
        "pad_token_id": int(sampler.stop[0]),  # after the end of a reply, where nobody reads it
        **({} if how.greedy else drawn),
    }


def until(reply: list[int], stop: Sequence[int]) -> list[int]:
    """The tokens up to the first one that ends a turn, that one included."""
    return reply[: next((i for i, token in enumerate(reply) if token in stop), len(reply)) + 1]
