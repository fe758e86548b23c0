"""Checks of notebook 01: the room that a window leaves, and the memory that attention keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from motif_lib.checks.base import Case, Result, named, run


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
            Case("the budget ends the reply here: the window would leave 70 tokens", lambda f: f(250, 64, 320), 64),
            Case(
                "other models have other windows and budgets: take all three from the arguments",
                lambda f: [f(1_000, 4_096, 8_192), f(6_000, 4_096, 8_192), f(10, 64, 40)],
                [4_096, 2_192, 30],
            ),
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
            Case(_cache, lambda f: f(_config(layers=3, heads=25, kv_heads=5, size=175), 11, 2), 2 * 3 * 5 * 7 * 11 * 2),
            Case(
                "the size of a number is fixed in the function: float32 takes 4 bytes, bfloat16 takes 2",
                lambda f: f(_config(layers=3, heads=25, kv_heads=5, size=175), 11, 4),
                2 * 3 * 5 * 7 * 11 * 4,
            ),
            Case("no token, no memory", lambda f: f(_config(layers=3, heads=25, kv_heads=5, size=175), 0, 2), 0),
            Case(
                named(
                    [
                        (
                            2 * 4 * 3 * 11 * 5 * 4,
                            "num_key_value_heads is the number of KV heads itself: do not divide it",
                        )
                    ],
                    "take every size from `config`: another model has others",
                ),
                lambda f: f(_config(layers=4, heads=6, kv_heads=2, size=66), 5, 4),
                2 * 4 * 2 * 11 * 5 * 4,
            ),
        ],
    )


def _cache(got: Any) -> str:
    right = 2 * 3 * 5 * 7 * 11 * 2  # keys and values, layers, KV heads, head size, tokens, bytes
    known = {
        right // 2: "a factor 2 is missing: each token leaves a key and a value, and a number takes 2 bytes here",
        right // 3: "the layers are missing: each keeps its own keys and values",
        right * 2: "a number takes `bytes_per_number` bytes, 2 here and not always 4",
        right * 5: "store num_key_value_heads heads, each hidden_size / num_attention_heads wide, not the query heads",
        right * 3: "values are stored like keys, of num_key_value_heads heads: query heads are not stored",
        right * 25: "the width of one head is hidden_size / num_attention_heads, not hidden_size",
        right * 11: "the cache grows with the tokens, not with their square: that is the matrix of scores",
        right // 11: "the tokens are missing: every one of them leaves keys and values",
    }
    return known.get(
        got, "begin with one token in one layer: which numbers does it leave, and how many bytes are they?"
    )


def check_shortest_window(function: Callable[[Any, int, int], int]) -> Result:
    """`function(costs, steps, rounds)`: fewest tokens of a window in which the rounds finish all steps."""
    costs, other = _costs(38, 7, 9, 18, 10), _costs(30, 5, 4, 11, 6)
    short, long = _costs(4, 1, 1, 1, 1), _costs(1_000, 7, 9, 18, 10)
    return run(
        "shortest_window",
        function,
        [
            Case(_three_rounds, lambda f: f(costs, 18, 3), 246),
            Case("in one round there is no note: question, tags and all steps", lambda f: f(costs, 18, 1), 344),
            Case(
                "the rounds need not share the steps equally: round 1 has no note, and room for one step more",
                lambda f: f(costs, 7, 2),
                142,
            ),
            Case(
                "many rounds: each of them still needs question, note, tags and one step",
                lambda f: f(costs, 18, 24),
                201,
            ),
            Case("take the tokens from `costs`: other models have others", lambda f: f(other, 10, 2), 115),
            Case("a short problem needs a short window: begin with 1 token", lambda f: f(short, 2, 2), 9),
            Case(
                "a long problem needs a long window: search on until nothing is lost", lambda f: f(long, 18, 3), 1_208
            ),
        ],
    )


def _three_rounds(got: Any) -> str:
    known = {
        344: "this is the window for one round: the steps are shared by the rounds",
        236: "the note is forgotten: from round 2 on it stands in the window too",
        245: "one token too few: in this window a step is left over",
        247: "a smaller window does it too: begin with small ones, and stop at the first that loses nothing",
        228: "the tags of a reply are forgotten",
        82: "these are the tokens that a round writes or reads beside the question; it stands in the window too",
        72: "this is what a round writes; the question stands in its window too",
        114: "the question stands in the window of every round: not everything is divided by their number",
        115: "the question stands in the window of every round: not everything is divided by their number",
    }
    return known.get(
        got, "look at `.lost` of the last round: nothing may be lost, and one token less must lose something"
    )


def _costs(prompt: int, question_step: int, reply_step: int, tags: int, note: int) -> Any:
    """Made-up token counts, as `widgets.data.Costs` has them."""
    from types import SimpleNamespace

    return SimpleNamespace(prompt=prompt, question_step=question_step, reply_step=reply_step, tags=tags, note=note)


def _config(layers: int, heads: int, kv_heads: int, size: int) -> Any:
    """What a Transformers config says about the shape of a model."""
    from types import SimpleNamespace

    return SimpleNamespace(
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads, hidden_size=size
    )
