"""Checks of notebook 01: the room that a window leaves, and the memory that attention keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motif_lib.checks.base import Case, Result, run


def check_room(function: Callable[[int, int, int], int]) -> Result:
    """`function(prompt_tokens, budget, window)`: tokens that the reply may have."""
    return run(
        "room",
        function,
        [
            Case(_budget_ends, lambda f: f(100, 64, 320), 64),
            Case(_window_ends, lambda f: f(290, 64, 320), 30),
            Case("a prompt longer than the window leaves 0 tokens, not less", lambda f: f(350, 64, 320), 0),
            Case("a prompt that fills the window to the last token leaves 0", lambda f: f(320, 64, 320), 0),
        ],
    )


def _budget_ends(got: Any) -> str:
    known = {
        220: "the budget is forgotten: the window has room for 220 tokens, but the reply may only have 64",
        256: "the window minus the budget is the room of the prompt; the task asks for that of the reply",
        320: "the prompt and the budget are forgotten: this is the whole window",
    }
    return known.get(got, "here the budget ends the reply: there is room for more in the window")


def _window_ends(got: Any) -> str:
    known = {
        64: "the window is forgotten: after a prompt of 290 tokens only 30 are left of 320",
        290: "this is the prompt; it and the reply share the window",
    }
    return known.get(got, "here the window ends the reply, before the budget does")


def check_cache_bytes(function: Callable[[Any, int, int], int]) -> Result:
    """`function(config, tokens, bytes_per_number)`: size of the keys and values of one sequence in bytes."""
    return run(
        "cache_bytes",
        function,
        [
            Case(_cache, lambda f: f(_config(layers=3, heads=10, kv_heads=5, size=70), 11, 2), 2 * 3 * 5 * 7 * 11 * 2),
            Case(
                "the size of a number is fixed in the function: float32 takes 4 bytes, bfloat16 takes 2",
                lambda f: f(_config(layers=3, heads=10, kv_heads=5, size=70), 11, 4),
                2 * 3 * 5 * 7 * 11 * 4,
            ),
            Case("no token, no memory", lambda f: f(_config(layers=3, heads=10, kv_heads=5, size=70), 0, 2), 0),
        ],
    )


def _cache(got: Any) -> str:
    right = 2 * 3 * 5 * 7 * 11 * 2  # keys and values, layers, KV heads, head size, tokens, bytes
    known = {
        right // 2: "a factor 2 is missing: each token leaves a key and a value, and a number takes 2 bytes here",
        right // 3: "the layers are missing: each keeps its own keys and values",
        right
        * 2: "store num_key_value_heads heads, each hidden_size / num_attention_heads wide: query heads are not stored",
        right * 10: "the width of one head is hidden_size / num_attention_heads, not hidden_size",
        right * 11: "the cache grows with the tokens, not with their square: that is the matrix of scores",
        right // 11: "the tokens are missing: every one of them leaves keys and values",
    }
    return known.get(
        got, "begin with one token in one layer: which numbers does it leave, and how many bytes are they?"
    )


def _config(layers: int, heads: int, kv_heads: int, size: int) -> Any:
    """What a Transformers config says about the shape of a model."""
    from types import SimpleNamespace

    return SimpleNamespace(
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, hidden_size=size
    )
