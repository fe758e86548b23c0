"""Decoding on tensors that never move, so that on a GPU one CUDA graph replays a whole step.

A decoding step of a small batch is thousands of short kernels, and starting them one by one takes longer than running
them. A CUDA graph starts them all at once, but knows addresses and shapes only: rows and length are padded to a few
sizes (`bucket`), and each is recorded once. On a CPU the same steps run without a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from motif_lib.files import first_line
from motif_lib.models.attention import RoomyCache

LEAST_ROWS, LEAST_LENGTH = 8, 256
SLACK = 16  # what padding the two parts of a prompt may add: a full window must not double its buffers


def bucket(size: int, least: int) -> int:
    """`size` padded to `least` times a power of two."""
    return least << max(0, (size - 1) // least).bit_length()


def padded_length(tokens: int) -> int:
    """Length of a buffer that holds this many tokens: a bucket plus the slack."""
    return bucket(max(1, tokens - SLACK), LEAST_LENGTH) + SLACK


class FixedCache(Cache):
    """Keys and values of all layers in tensors that never move; the newest token goes to `slot`.

    Args:
        keys, values: (rows, heads, length, head size) for each layer.
        slot: where the newest token goes, (1,).
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], slot: Tensor):
        super().__init__(layers=[])
        self.keys, self.values, self.slot = keys, values, slot

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any):
        """Write one token, (rows, heads, 1, head size), and return the whole layer."""
        keys, values = self.keys[layer_idx], self.values[layer_idx]
        return keys.index_copy_(2, self.slot, key_states), values.index_copy_(2, self.slot, value_states)


class Buffers:
    """What a decoding step reads and writes: R rows of L tokens.

    Args:
        prompts: the cache of some prompts, for the shapes of its layers.
        logits: their next-token logits, for the size of the vocabulary.
        rows: R.
        length: L.
    """

    def __init__(self, prompts: RoomyCache, logits: Tensor, rows: int, length: int):
        device = logits.device
        self.ids = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self.positions = torch.zeros_like(self.ids)
        self.slot = torch.zeros(1, dtype=torch.long, device=device)
        self.mask = torch.zeros(rows, 1, 1, length, dtype=torch.bool, device=device)
        self.keys = [empty_like(layer.keys, rows, length) for layer in prompts.layers]
        self.values = [empty_like(layer.values, rows, length) for layer in prompts.layers]
        self.logits = logits.new_zeros(rows, logits.shape[1])
        self.pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None

    @property
    def shape(self) -> tuple[int, int]:
        """The most rows and the most tokens that fit."""
        return self.mask.shape[0], self.mask.shape[3]

    @property
    def by_row(self) -> list[Tensor]:
        """All tensors that hold something for every row."""
        return [self.ids, self.positions, self.mask, *self.keys, *self.values]

    def load(self, cache: RoomyCache, mask: Tensor) -> None:
        """Copy in R' rows of prompts, at most R, with P tokens in the cache."""
        rows, width = mask.shape
        self.mask.zero_()
        self.mask[:rows, 0, 0, :width] = mask.bool()
        self.positions[:rows, 0] = mask.sum(1)
        self.slot.fill_(width)
        for layer, keys, values in zip(cache.layers, self.keys, self.values):
            keys[:rows, :, :width], values[:rows, :, :width] = layer.keys, layer.values

    def keep(self, rows: Tensor) -> None:
        """Move these rows to the front."""
        for tensor in self.by_row:
            tensor[: len(rows)] = tensor[rows]


def empty_like(states: Tensor, rows: int, length: int) -> Tensor:
    """Room for R rows of L tokens like those in `states`, (rows, heads, tokens, head size)."""
    return states.new_zeros(rows, states.shape[1], length, states.shape[3])


class Step:
    """One decoding step of the first `rows` rows over the first `length` tokens; on CUDA a graph from the second call
    on.

    The first call runs without a graph, so that the libraries are set up before anything is recorded.
    """

    def __init__(self, model: Any, buffers: Buffers, rows: int, length: int):
        self.model, self.logits, self.pool = model, buffers.logits[:rows], buffers.pool
        self.ids, self.positions, self.slot = buffers.ids[:rows], buffers.positions[:rows], buffers.slot
        self.mask = buffers.mask[:rows, :, :, :length]
        self.cache = FixedCache(
            [keys[:rows, :, :length] for keys in buffers.keys],
            [values[:rows, :, :length] for values in buffers.values],
            buffers.slot,
        )
        self.ready = False
        self.replay: Callable[[], None] | None = None

    def __call__(self) -> Tensor:
        """Logits of the next token, (rows, V), valid until the next step; the buffers move on by one token."""
        if self.ready and self.replay is None:
            self.replay = record(self._run, self.pool)
        (self.replay or self._run)()
        self.ready = True
        return self.logits

    def _run(self) -> None:
        self.mask.index_fill_(3, self.slot, True)
        out = self.model(
            input_ids=self.ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits.copy_(out.logits[:, -1])
        self.slot.add_(1)
        self.positions.add_(1)


def record(run: Callable[[], None], pool: Any) -> Callable[[], None]:
    """A function that repeats the work of `run` at the same addresses: a CUDA graph, or without a pool `run` itself.

    All graphs on the same buffers share one memory pool. The results of a step lie in the buffers, so no graph needs
    memory that outlasts another graph.

    Raises:
        RuntimeError: if the step does something that a graph cannot record; CUDA's own message gives no advice.
    """
    if pool is None:
        return run
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            run()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = first_line(error)
        raise RuntimeError(
            f"no CUDA graph of a decoding step ({reason}): set sampler='generate' and start again"
        ) from error
    return graph.replay


class Decoder:
    """Buffers and the steps that use them, made when first needed and enlarged when they must be.

    Args:
        model: what decodes.
    """

    def __init__(self, model: Any):
        self.model = model
        self.release()

    def release(self) -> None:
        """Forget buffers and steps."""
        self.buffers: Buffers | None = None
        self.steps: dict[tuple[int, int], Step] = {}

    def load(self, cache: RoomyCache, mask: Tensor, logits: Tensor, length: int) -> None:
        """Start from R rows of prompts in `cache`, which will grow to `length` tokens."""
        have = self.buffers.shape if self.buffers else (0, 0)
        need = max(have[0], len(mask)), max(have[1], padded_length(length))
        if self.buffers is None or need != have:
            self.release()
            self.buffers = Buffers(cache, logits, *need)
        self.buffers.load(cache, mask)

    def step(self, rows: int, filled: int) -> Step:
        """The step for R rows and `filled` tokens."""
        assert self.buffers is not None
        shape = rows, min(padded_length(filled), self.buffers.shape[1])
        if shape not in self.steps:
            self.steps[shape] = Step(self.model, self.buffers, *shape)
        return self.steps[shape]

    def keep(self, live: Tensor, rows: int) -> Tensor:
        """Move the live rows to the front and drop those that do not fit into the next smaller bucket.

        Returns:
            Which rows stay, (R',), the live ones first.
        """
        assert self.buffers is not None
        rows = min(bucket(len(live), LEAST_ROWS), rows)
        chosen = torch.cat([live, live[:1].expand(rows - len(live))])  # (R',)
        self.buffers.keep(chosen)
        return chosen
