"""What makes decoding with Transformers cheap on a CPU: a cache with room to grow, and attention that copies nothing.

Both give the same numbers as Transformers' own and only move less memory. Together they decode 1.7 times as many
tokens a second as `DynamicCache` and SDPA (motif-tiny, 256 rows, two CPU cores, our run). `is_plain` says which models
they are for; `takes_padding`, which models answer a prompt the same way alone and beside longer ones.
"""

from __future__ import annotations

import inspect
from typing import Any

from peft import PeftModel
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ROOM = 64  # tokens of free space in a new buffer
GROUPED = "grouped_sdpa"  # name for `attn_implementation`
MASKED = {  # cache classes of the layers whose masks hide padding, windows and recurrent states included
    "DynamicLayer",
    "DynamicSlidingWindowLayer",
    "LinearAttentionLayer",
    "LinearAttentionAndFullAttentionLayer",
    "LinearAttentionAndSlidingWindowAttentionLayer",
}
LEAKS = {"doge", "minimax"}  # padding changes their replies anyway (tests/test_architectures.py)


class RoomyLayer(DynamicLayer):
    """A cache layer that writes new tokens into a buffer with room to grow; `DynamicLayer` copies all of it each time.

    `keys` and `values` are views of the filled part: (rows, heads, tokens, head size).
    """

    keys: Tensor
    values: Tensor
    buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used = self.get_seq_length()
        filled = used + key_states.shape[2]
        if self.buffers is None or self.buffers[0].shape[2] < filled:
            self.buffers = self._grown(key_states, used, filled), self._grown(value_states, used, filled)
            if used:
                for buffer, old in zip(self.buffers, (self.keys, self.values)):
                    buffer[:, :, :used] = old
        for buffer, new in zip(self.buffers, (key_states, value_states)):
            buffer[:, :, used:filled] = new
        self.keys, self.values = (buffer[:, :, :filled] for buffer in self.buffers)
        return self.keys, self.values

    def _grown(self, like: Tensor, used: int, filled: int) -> Tensor:
        rows, heads, _, size = like.shape
        return like.new_empty(rows, heads, filled + (ROOM if used else 0), size)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows, copies allowed; the next token makes a new buffer."""
        super().batch_select_indices(indices)
        self.buffers = None


class RoomyCache(DynamicCache):
    """A `DynamicCache` of `RoomyLayer`s; layers with a sliding window stay as they are."""

    layers: list[Any]

    def __init__(self, config: PretrainedConfig):
        super().__init__(config=config)
        self.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in self.layers]


def grouped_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, None]:
    """Grouped-query attention that does not repeat keys and values while one token is decoded.

    The H query heads that share a key head see the same keys and the same mask, like H / G query positions: query
    (N, H, 1, D) is read as (N, G, H / G, D) beside keys (N, G, T, D). Longer queries go to Transformers' own function.
    """
    if query.shape[2] != 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    rows, heads, _, size = query.shape
    grouped = query.view(rows, key.shape[1], -1, size)  # (N, G, H / G, D)
    mixed = scaled_dot_product_attention(grouped, key, value, attn_mask=attention_mask, scale=kwargs.get("scaling"))
    return mixed.reshape(rows, 1, heads, value.shape[3]), None  # values may be narrower than keys: DeepSeek


def grouped_mask(*args: Any, **kwargs: Any) -> Tensor | None:
    """Transformers' mask, (N, 1, Q, T), in which padding sees everything instead of nothing.

    Nobody reads what padding computes. But a softmax over nothing can be NaN, depending on kernel and precision, and a
    NaN among the keys and values reaches every token: 0 x NaN is NaN. Unsloth reports this for left-padded float16 on a
    GPU.
    """
    mask = sdpa_mask(*args, **kwargs)
    if mask is None or mask.shape[2] == 1:  # a token that is decoded sees itself
        return mask
    return mask | ~mask.any(-1, keepdim=True)


def is_plain(model: Any) -> bool:
    """Does every layer attend to all tokens before it, through a cache that `RoomyCache` can stand for?

    If so, it does not matter where padding stands. If nobody knows, the answer is no.
    """
    if isinstance(model, PeftModel):
        return not model.active_peft_config.is_prompt_learning and is_plain(model.get_base_model())
    return attends_to_all(type(model), model.config)


def attends_to_all(kind: Any, config: PretrainedConfig) -> bool:
    """`is_plain` of a class and its config, before there is a model."""
    text = config.get_text_config(decoder=True)
    causal = getattr(text, "is_decoder", True) and not kind._is_stateful and kind._supports_sdpa
    plain = causal and "past_key_values" in inspect.signature(kind.forward).parameters
    return plain and cache_layers(config) == {"DynamicLayer"} and positions_are_told(kind, config)


def takes_padding(model: Any) -> bool:
    """Does `generate` give the same greedy replies to prompts alone and left-padded in a batch?"""
    if isinstance(model, PeftModel):
        return not model.active_peft_config.is_prompt_learning and takes_padding(model.get_base_model())
    layers = cache_layers(model.config)
    if type(model)._is_stateful and not any(name.startswith("Linear") for name in layers):
        return False  # it keeps its state outside the cache, as RecurrentGemma does
    return layers <= MASKED and positions_are_told(type(model), model.config)


def positions_are_told(kind: Any, config: PretrainedConfig) -> bool:
    """Does each token's rotation depend on its own place alone? Not if places are counted with the padding."""
    return "position_ids" in inspect.signature(kind.forward).parameters and not looks_around(config)


def looks_around(config: PretrainedConfig) -> bool:
    """Does a token see more of its batch than its own row?

    Some rotary embeddings look at the longest row: `transformers.modeling_rope_utils.dynamic_rope_update`.
    """
    text = config.get_text_config(decoder=True)
    rope = (getattr(text, "rope_parameters", None) or {}).get("rope_type") or "default"
    return text.model_type in LEAKS or "dynamic" in rope or rope == "longrope"


def cache_layers(config: PretrainedConfig) -> set[str]:
    """Classes of the layers in Transformers' cache for a model; "unknown" if it cannot tell."""
    try:
        return {type(layer).__name__ for layer in DynamicCache(config=config).layers} or {"unknown"}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"unknown"}


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, grouped_mask)
