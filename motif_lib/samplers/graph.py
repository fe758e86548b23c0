"""Batched sampling for a GPU: a merged copy of the model decodes by CUDA graphs, in segments.

Prompts are read as in `LocalSampler`: what they share, only once. All rows then decode a segment of tokens without
waiting for the CPU; between segments the finished replies leave. The machinery is in `samplers.cuda_graphs` and
`samplers.merged_copy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from motif_lib.models.attention import RoomyCache
from motif_lib.samplers.cuda_graphs import LEAST_ROWS, Decoder, bucket
from motif_lib.samplers.merged_copy import MergedCopy
from motif_lib.samplers.model_sampler import NOT_FINITE, BatchSampler
from motif_lib.samplers.prefill import check_plain, read
from motif_lib.samplers.progress import report

SEGMENT = 32  # tokens decoded between two checks for finished replies


class GraphSampler(BatchSampler):
    """Samples completions on a GPU; arguments as in `ModelSampler`, models and greedy replies as in `LocalSampler`.

    It decodes with a copy of the model that has the adapter merged in (`samplers.merged_copy`), updated at every call.
    Copy, buffers and graphs stay in memory between calls; samplers made by `at` share them.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *args: Any, **kwargs: Any):
        super().__init__(model, tokenizer, *args, **kwargs)
        self.generator: torch.Generator | None = None
        self.merged = MergedCopy(model)
        self.model = self.merged.model
        check_plain(self.model)
        self.decoder = Decoder(self.model)

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable; without it, torch's global generator is used."""
        self.generator = torch.Generator(self.model.device).manual_seed(value)

    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """As in `ModelSampler`, from the current policy."""
        self.merged.sync()
        with torch.autocast(self.model.device.type, enabled=False):
            return super().sample_ids(prompts)

    def release(self) -> None:
        """Give back the memory of buffers and graphs."""
        self.decoder.release()

    @torch.inference_mode()
    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of N prompts to the end, in R rows."""
        rows = min(bucket(len(prompts), LEAST_ROWS), max(self.batch_size, len(prompts)))
        padding = [prompts[0]] * (rows - len(prompts))  # equal prompts are read once, so these cost nothing to read
        cache = RoomyCache(self.model.config)
        logits, mask = read(self.model, [*prompts, *padding], cache)  # (R, V), (R, P)
        limits = torch.tensor(self.limits(prompts), device=mask.device)  # (N,)
        most = int(limits.max())
        self.decoder.load(cache, mask, logits, mask.shape[1] + most)
        del cache
        history = self.drawing.history([*prompts, *padding], most, mask.device)  # (R, P' + most)
        stop = self.stop.to(mask.device)
        alive = torch.arange(len(prompts), device=mask.device)  # (A,) rows of `prompts`, those at the front of R
        replies: list[list[int]] = [[] for _ in prompts]
        for done in range(0, most, SEGMENT):
            span = range(done, min(done + SEGMENT, most))
            tokens, logits = self._segment(logits, history, span, mask.shape[1], most)
            tokens = tokens[: len(alive)]  # (A, segment)
            lengths = torch.arange(done + 1, span.stop + 1, device=mask.device)  # (segment,)
            ended = torch.isin(tokens, stop) | (lengths == limits[alive, None])  # what comes after a full row is cut
            for row, new, over in zip(alive.tolist(), tokens.tolist(), ended.tolist()):
                kept = new[: over.index(True) + 1] if True in over else new
                replies[row] += kept
                report(len(kept), most, [len(replies[row])] if True in over else [])
            live = (~ended.any(1)).nonzero()[:, 0]  # (A',)
            if not len(live):
                break
            if len(live) < len(alive):
                chosen = self.decoder.keep(live, len(logits))  # (R',)
                alive, logits = alive[live], logits[chosen]
                history = None if history is None else history[chosen]
        return replies

    def _segment(
        self, logits: Tensor, history: Tensor | None, span: range, width: int, most: int
    ) -> tuple[Tensor, Tensor]:
        """Decode the tokens `span`, of `most` in all, of R rows after prompts of `width`: tokens (R, span) and the next
        logits (R, V)."""
        step = self.decoder.step(len(logits), width + span.stop)
        tokens, broken = [], torch.zeros((), dtype=torch.bool, device=logits.device)
        for number in span:
            tokens.append(self._draw(self.drawing.penalised(logits, history)))
            broken |= ~logits.amax(1).isfinite().all()
            if history is not None:
                history[:, number - most] = tokens[-1]
            step.ids[:, 0] = tokens[-1]
            logits = step()
        if broken:
            self.release()  # what is masked is multiplied by zero, and 0 x NaN would reach the next replies
            raise FloatingPointError(NOT_FINITE)
        return torch.stack(tokens, dim=1), logits

    def _draw(self, logits: Tensor) -> Tensor:
        """Next tokens, (R,), without a wait: `torch.multinomial` would make the CPU wait for the GPU at every token."""
        if self.greedy:
            return logits.argmax(dim=-1)
        probabilities = self.drawing.probabilities(logits)
        waits = torch.empty_like(probabilities).exponential_(generator=self.generator)
        return (probabilities / waits).argmax(dim=-1)  # the first of competing exponential clocks
