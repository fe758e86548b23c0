"""What all samplers of a model in memory share; each adds its own way of decoding."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from motif_lib.models.chat import usable_template
from motif_lib.samplers.base import Chat, Completion
from motif_lib.samplers.drawing import Drawing
from motif_lib.samplers.out_of_memory import smaller_when_full

NOT_FINITE = "the model gave NaN or infinite logits: lower the learning rate or reload the weights"


class ModelSampler(ABC):
    """Samples completions with a model held in memory. Each call uses the model's current weights, adapter included.

    Args:
        model: a causal LM, a PEFT model included.
        tokenizer: its tokenizer, with a chat template.
        max_new_tokens: budget of a reply, in tokens; None for all the room that the window leaves beside its prompt.
        temperature: 0 for greedy decoding.
        top_p: nucleus mass, 1 for all of it.
        batch_size: most rows decoded together.
        top_k: how many of the likeliest tokens to draw from, 0 for all.
        min_p: least probability, as a share of the most likely token's.
        repetition_penalty: divides the logits of tokens that have occurred; 1 for none.
        chat_template_kwargs: settings of the chat template in every round, such as `{"enable_thinking": False}`.

    Attributes:
        window: most tokens of a prompt and its reply together; None where the model has no limit.

    Raises:
        ValueError: for a tokenizer without a chat template or an end token, and for a budget of None where the model
            has no window; in a call, if a prompt and its budget do not fit the window.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        max_new_tokens: int | None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        batch_size: int = 256,
        top_k: int = 0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ):
        self.model, self.tokenizer, self.max_new_tokens, self.batch_size = model, tokenizer, max_new_tokens, batch_size
        self.drawing = Drawing(float(temperature), float(top_p), top_k, min_p, float(repetition_penalty))
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.window = window(model)
        if max_new_tokens is None and self.window is None:
            raise ValueError("this model names no window to fill: give max_new_tokens as a number")
        self.chat_template = usable_template(tokenizer)
        self.stop = torch.tensor(sorted(end_tokens(model, tokenizer)))

    @property
    def temperature(self) -> float:
        """0 for greedy decoding."""
        return self.drawing.temperature

    @property
    def top_p(self) -> float:
        """Nucleus mass."""
        return self.drawing.top_p

    @property
    def greedy(self) -> bool:
        """Is the most likely token taken?"""
        return self.drawing.greedy

    def at(self, temperature: float, top_p: float = 1.0) -> Self:
        """The same sampler at another temperature and top_p; it shares everything that takes memory."""
        other = copy.copy(self)
        other.drawing = replace(self.drawing, temperature=float(temperature), top_p=float(top_p))
        return other

    @abstractmethod
    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable."""

    @abstractmethod
    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Completion token ids for prompts given as token ids; an end-of-turn token, if reached, is the last one."""

    def release(self) -> None:  # noqa: B027  most have nothing to give back
        """Give back memory that is kept between calls."""

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
        texts = [self.seen(chat) for chat in chats]
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []

    def seen(self, chat: Chat) -> str:
        """What the model sees of a chat: the text that its chat template makes of it, up to where the reply begins."""
        settings = {"chat_template": self.chat_template, **self.chat_template_kwargs}
        return self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **settings)

    def leaves_room(self, chats: Sequence[Chat]) -> list[bool]:
        """Whether each chat and a reply of the whole budget fit the window; without a budget, a reply of one token."""
        return [not self.window or len(ids) + (self.max_new_tokens or 1) <= self.window for ids in self.render(chats)]

    def limits(self, prompts: Sequence[Sequence[int]]) -> list[int]:
        """The most tokens of a reply to each prompt: the budget, or else what the window leaves beside that prompt.

        Raises:
            ValueError: if a prompt leaves no room for that.
        """
        longest, budget = max(map(len, prompts), default=0), self.max_new_tokens
        if self.window and longest + (budget or 1) > self.window:
            raise ValueError(
                f"a prompt of {longest} tokens leaves no room in the window of {self.window}: shorten the question"
                if budget is None
                else f"a prompt of {longest} tokens and a budget of {budget} do not fit the window of {self.window}: "
                "shorten the question or lower max_new_tokens"
            )
        return [(self.window or 0) - len(prompt) if budget is None else budget for prompt in prompts]


class BatchSampler(ModelSampler):
    """A `ModelSampler` that decodes at most `batch_size` rows together, sorted to keep padding small."""

    @smaller_when_full
    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """Completion token ids for prompts given as token ids; an end-of-turn token, if reached, is the last one."""
        self.limits(prompts)  # before anything is decoded
        replies: list[list[int]] = [[] for _ in prompts]
        was_training = self.model.training
        self._train(False)
        try:
            for rows in self._batches(prompts):
                for i, reply in zip(rows, self._decode([prompts[i] for i in rows])):
                    replies[i] = reply
        finally:
            self._train(was_training)
        return replies

    @abstractmethod
    def _decode(self, prompts: list[Sequence[int]]) -> list[list[int]]:
        """Decode one batch of N prompts to the end."""

    def _batches(self, prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Indices of the prompts that are decoded together."""
        order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), list(prompts[i])))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _train(self, mode: bool) -> None:
        """Switch the model to training or to evaluation."""
        self.model.train(mode)


def window(model: Any) -> int | None:
    """The most tokens that a model takes; Unsloth cuts off all beyond its `max_seq_length`."""
    config = model.config.get_text_config(decoder=True)
    limits = [getattr(config, "max_position_embeddings", None), getattr(model, "max_seq_length", None)]
    return min(filter(None, limits), default=None)


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids that end a turn: the tokenizer's and those of the model's generation config.

    Raises:
        ValueError: if there are none: every reply would fill its budget.
    """
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids = ids if isinstance(ids, list) else [ids]
    ends = {i for i in [tokenizer.eos_token_id, *ids] if i is not None}
    if not ends:
        raise ValueError("no token ends a reply: set tokenizer.eos_token, or eos_token_id in generation_config.json")
    return ends
