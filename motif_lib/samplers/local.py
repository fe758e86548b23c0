"""Batched sampling from a Transformers model on any device.

Four things make it fast. What prompts share is read once and its cache is copied: all of it for the k trajectories
that leave one reply, the question for the rounds of one question. All rows of a call decode together, sorted so that
little is padded. A reply that has ended leaves the batch. The cache has room to grow (`models.attention`). The model
that is passed in answers: during training that is the current policy, adapter included.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from motif_lib.models.attention import RoomyCache
from motif_lib.samplers.base import Chat, Completion
from motif_lib.samplers.out_of_memory import smaller_when_full

PAD_TO = 8  # prompts are padded to a multiple of this, so that few shapes occur
KEEP = 0.75  # finished rows leave once the live share of the batch falls below this
NOT_FINITE = "the model gave NaN or infinite logits: lower the learning rate or reload the weights"


class LocalSampler:
    """Samples completions with a model held in memory.

    Args:
        model: a causal LM, a PEFT model included.
        tokenizer: its tokenizer, with a chat template.
        max_new_tokens: budget of a reply, in tokens.
        temperature: 0 for greedy decoding.
        top_p: nucleus mass, 1 for all of it.
        batch_size: most rows decoded together.

    Raises:
        ValueError: from a call, if a prompt and its budget do not fit the model's window.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        batch_size: int = 256,
    ):
        self.model, self.tokenizer, self.max_new_tokens, self.batch_size = model, tokenizer, max_new_tokens, batch_size
        limits = [getattr(model.config, "max_position_embeddings", None), getattr(model, "max_seq_length", None)]
        self.window = min(filter(None, limits), default=None)  # a model of Unsloth cuts what is longer than the second
        self.stop = torch.tensor(sorted(end_tokens(model, tokenizer)))
        self.generator: torch.Generator | None = None
        self._set(temperature, top_p)

    def _set(self, temperature: float, top_p: float) -> None:
        self.temperature, self.top_p = float(temperature), float(top_p)
        self.greedy = temperature == 0
        self.warpers = [] if temperature in (0, 1) else [TemperatureLogitsWarper(self.temperature)]
        self.warpers += [TopPLogitsWarper(top_p)] if top_p < 1 else []

    def at(self, temperature: float, top_p: float = 1.0) -> Self:
        """The same sampler at another temperature and top_p; it shares everything that takes memory."""
        other = copy.copy(self)
        other._set(temperature, top_p)
        return other

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable; without it, torch's global generator is used."""
        self.generator = torch.Generator(self.model.device).manual_seed(value)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        """One completion for each chat, in order."""
        prompts = self.render(chats)
        ids = self.sample_ids(prompts)
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        stop = set(self.stop.tolist())
        return [
            Completion(text, bool(reply) and reply[-1] in stop, len(reply), len(prompt))
            for text, reply, prompt in zip(texts, ids, prompts)
        ]

    def render(self, chats: Sequence[Chat]) -> list[list[int]]:
        """Token ids of the chats, up to where the reply begins."""
        if not chats:
            return []
        texts = [self.tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]

    @smaller_when_full
    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Completion token ids for prompts given as token ids; an end-of-turn token, if reached, is the last one."""
        self._check_fit(prompts)
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), list(prompts[i])))
        replies: list[list[int]] = [[] for _ in prompts]
        was_training = self.model.training
        self._train(False)
        try:
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                for i, reply in zip(rows, self._decode([prompts[i] for i in rows])):
                    replies[i] = reply
        finally:
            self._train(was_training)
        return replies

    def _train(self, mode: bool) -> None:
        """Switch the model to training or to evaluation."""
        self.model.train(mode)

    def _check_fit(self, prompts: Sequence[Sequence[int]]) -> None:
        longest = max(map(len, prompts), default=0)
        if self.window and longest + self.max_new_tokens > self.window:
            raise ValueError(
                f"a prompt of {longest} tokens and a budget of {self.max_new_tokens} do not fit the window of "
                f"{self.window}: shorten the question or lower max_new_tokens"
            )

    @torch.inference_mode()
    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of prompts to their ends; N prompts, of which A are still alive."""
        cache = RoomyCache(self.model.config)
        logits, mask = self._read(prompts, cache)  # (N, V), (N, P)
        alive = torch.arange(len(prompts), device=mask.device)  # (A,)
        ended = torch.zeros_like(alive, dtype=torch.bool)  # (A,)
        replies: list[list[int]] = [[] for _ in prompts]
        for step in range(1, self.max_new_tokens + 1):
            tokens = self._choose(logits)  # (A,)
            for row, token, over in zip(alive.tolist(), tokens.tolist(), ended.tolist()):
                if not over:
                    replies[row].append(token)
            ended |= torch.isin(tokens, self.stop.to(tokens.device))
            if step == self.max_new_tokens or ended.all():
                break
            if ended.float().mean() > 1 - KEEP:
                live = (~ended).nonzero()[:, 0]
                cache.batch_select_indices(live)
                alive, tokens, mask, ended = alive[live], tokens[live], mask[live], ended[live]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)  # (A, P + step)
            logits = self._forward(tokens[:, None], mask, cache)  # (A, V)
        return replies

    def _read(self, prompts: list[Sequence[int]], cache: RoomyCache) -> tuple[Tensor, Tensor]:
        """Fill the cache with N prompts: C shared prefixes once, then the U distinct rests, then a row each.

        Returns:
            Logits of the first new token, (N, V), and the mask of what the cache holds, (N, P).
        """
        unique, copies = deduplicate(prompts)
        prefixes, owners = shared_prefixes(unique)
        ids, mask = self._pad(prefixes)  # (C, P1)
        self._forward(ids, mask, cache)
        rows = torch.tensor(owners, device=mask.device)  # (U,)
        cache.batch_select_indices(rows)
        ids, rest = self._pad([prompt[len(prefixes[owner]) :] for prompt, owner in zip(unique, owners)])  # (U, P2)
        mask = torch.cat([mask[rows], rest], dim=1)  # (U, P)
        logits = self._forward(ids, mask, cache)  # (U, V)
        rows = torch.tensor(copies, device=mask.device)  # (N,)
        cache.batch_select_indices(rows)
        return logits[rows], mask[rows]

    def _pad(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Left-padded ids and mask, both (rows, P) with P a multiple of `PAD_TO`."""
        width = -(-max(map(len, prompts)) // PAD_TO) * PAD_TO
        ids = torch.full((len(prompts), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        return ids.to(self.model.device), mask.to(self.model.device)

    def _forward(self, ids: Tensor, mask: Tensor, cache: RoomyCache) -> Tensor:
        """Next-token logits, (rows, V): `ids` are the newest tokens, `mask` covers them and all before them."""
        positions = mask.cumsum(1).sub(1).clamp(min=0)[:, -ids.shape[1] :]
        return self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _choose(self, logits: Tensor) -> Tensor:
        """Next tokens, (A,), from logits (A, V)."""
        if self.greedy:
            return logits.argmax(dim=-1)
        probabilities = self._probabilities(logits)
        if not probabilities.isfinite().all():
            raise FloatingPointError(NOT_FINITE)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]

    def _probabilities(self, logits: Tensor) -> Tensor:
        """What is sampled from, (A, V), from logits (A, V)."""
        logits = logits.float()
        for warper in self.warpers:
            logits = warper(None, logits)
        return logits.softmax(dim=-1)

    def release(self) -> None:
        """Give back memory that is kept between calls; here there is none."""


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids that end a turn: the tokenizer's and those of the model's generation config."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids = ids if isinstance(ids, list) else [ids]
    return {i for i in [tokenizer.eos_token_id, *ids] if i is not None}


def deduplicate(prompts: Sequence[Sequence[int]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The distinct prompts, sorted, and for each prompt its index among them."""
    unique = sorted({tuple(prompt) for prompt in prompts})
    index = {prompt: i for i, prompt in enumerate(unique)}
    return unique, [index[tuple(prompt)] for prompt in prompts]


def shared_prefixes(prompts: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """Prefixes that neighbours among sorted prompts share, and for each prompt the index of its prefix.

    The rounds of one question share most of their prompt: it is read once. A prompt joins the prefix before it if they
    share at least half of it; at least the last token of every prompt is left over.
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
