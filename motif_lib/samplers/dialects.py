"""How servers are asked for what OpenAI's own interface lacks, and what they do where a request is silent.

Left alone, llama.cpp draws from 40 tokens with a least probability of 5 %, vLLM and Transformers with the settings in
the model's files. So a known server is told every setting, under its own name for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]  # those of `NEUTRAL`
NEUTRAL = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "chat_template_kwargs": {}}


@dataclass(frozen=True)
class Dialect:
    """One kind of server.

    Args:
        name: of the server.
        page: path of a page that it is known by; `models` lies under the base address, the others under the root.
        sign: pattern of what stands on this page.
        at_once: requests in flight, where the caller names no number.
        fields: from settings and a temperature to fields of a request.
    """

    name: str
    page: str
    sign: str
    at_once: int
    fields: Callable[[Settings, float], dict[str, Any]]


def changed(settings: Settings, temperature: float) -> dict[str, Any]:
    """Only what is not neutral: a server that does not know a field may refuse it."""
    return {name: value for name, value in settings.items() if value != NEUTRAL[name]}


def vllm(settings: Settings, temperature: float) -> dict[str, Any]:
    """Every setting, by our names."""
    return dict(settings)


def llama_cpp(settings: Settings, temperature: float) -> dict[str, Any]:
    """Every setting; llama.cpp overlooks the name `repetition_penalty`."""
    renamed = {"repetition_penalty": "repeat_penalty"}
    return {renamed.get(name, name): value for name, value in settings.items()}


def transformers(settings: Settings, temperature: float) -> dict[str, Any]:
    """A generation config: without one, a model whose files do not say `do_sample` is greedy at every temperature."""
    drawing = {name: value for name, value in settings.items() if name != "chat_template_kwargs"}
    config = json.dumps({"do_sample": temperature > 0, **drawing})
    return {"generation_config": config, "chat_template_kwargs": settings["chat_template_kwargs"]}


def ollama(settings: Settings, temperature: float) -> dict[str, Any]:
    """Nothing: Ollama overlooks what OpenAI does not have.

    Raises:
        ValueError: for a setting that would be overlooked.
    """
    for name in changed(settings, temperature):
        raise ValueError(f"Ollama overlooks {name} in a request: leave it out, or set it in the model's Modelfile")
    return {}


OTHER = Dialect("other", "", "", 32, changed)
DIALECTS = (
    Dialect("llama.cpp", "models", r'"owned_by":\s*"llamacpp"', 4, llama_cpp),
    Dialect("vLLM", "models", r'"owned_by":\s*"vllm"', 32, vllm),
    Dialect("Ollama", "/", "^Ollama is running", 4, ollama),
    # one after the other, for it sets a request's seed while another one is still drawing
    Dialect("transformers serve", "/openapi.json", '"/load_model"', 1, transformers),
)


def recognise(read: Callable[[str], str], url: str) -> Dialect:
    """The dialect of the server at a base address.

    Args:
        read: the text at an address; nothing where there is none.
        url: base address, such as `http://localhost:8000/v1`.
    """
    root = url.removesuffix("/v1")
    places = {d.page: f"{url}/models" if d.page == "models" else root + d.page for d in DIALECTS}
    texts: dict[str, str] = {}
    for dialect in DIALECTS:
        if dialect.page not in texts:
            texts[dialect.page] = read(places[dialect.page])
        if re.search(dialect.sign, texts[dialect.page]):
            return dialect
    return OTHER
