"""The checks of notebook 01: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import pytest
from notebook_solutions import solution

from motif_lib.checks import context

ROOMS = {
    "the budget is forgotten": lambda prompt, budget, window: max(0, window - prompt),
    "room of the prompt": lambda prompt, budget, window: window - budget,
    "this is the whole window": lambda prompt, budget, window: window,
    "here the budget ends": lambda prompt, budget, window: min(budget, window - prompt - budget) // 2,
    "the window is forgotten": lambda prompt, budget, window: budget,
    "this is the prompt": lambda prompt, budget, window: budget if prompt == 100 else prompt,
    "leaves 0 tokens, not less": lambda prompt, budget, window: min(budget, window - prompt),
    "to the last token": lambda prompt, budget, window: max(0 if prompt > window else 1, min(budget, window - prompt)),
}


def cache(config, tokens, size=2, keys=2, layers=True, heads=None, width=None, power=1):
    heads = heads or config.num_key_value_heads
    width = width or config.hidden_size // config.num_attention_heads
    return keys * (config.num_hidden_layers if layers else 1) * heads * width * tokens**power * size


CACHES = {
    "a key and a value": lambda c, t, b: cache(c, t, b, keys=1),
    "the layers are missing": lambda c, t, b: cache(c, t, b, layers=False),
    "query heads are not stored": lambda c, t, b: cache(c, t, b, heads=c.num_attention_heads),
    "not hidden_size": lambda c, t, b: cache(c, t, b, width=c.hidden_size),
    "not with their square": lambda c, t, b: cache(c, t, b, power=2),
    "the tokens are missing": lambda c, t, b: cache(c, t, b, power=0),
    "2 (key and value) x": lambda c, t, b: cache(c, t, b) + 1,
    "fixed in the function": lambda c, t, b: cache(c, t, 2),
    "no token": lambda c, t, b: cache(c, max(1, t), b),
}


def test_stubs_and_solutions():
    assert context.check_room(lambda *_: None).status == "not yet"
    assert context.check_cache_bytes(lambda *_: None).status == "not yet"
    assert context.check_room(solution("01", "room")).status == "ok"
    assert context.check_cache_bytes(solution("01", "cache_bytes")).status == "ok"


@pytest.mark.parametrize("named, wrong", ROOMS.items(), ids=ROOMS)
def test_mistakes_with_the_room(named, wrong):
    result = context.check_room(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", CACHES.items(), ids=CACHES)
def test_mistakes_with_the_cache(named, wrong):
    result = context.check_cache_bytes(wrong)
    assert result.status == "not quite" and named in result.message
