"""Open a sampler by the name of its model, which is loaded here or answers on a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif_lib.models.identity import check_revision
from motif_lib.models.load import load_model

if TYPE_CHECKING:
    from motif_lib.samplers.model_sampler import ModelSampler
    from motif_lib.samplers.server import ServerSampler


def load_sampler(
    name: str,
    adapter: str | Path | None,
    max_new_tokens: int | None,
    temperature: float = 1.0,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    **load: Any,
) -> ModelSampler:
    """A batched sampler of a model by name; `load` as in `load_model`."""
    model, tokenizer = load_model(name, adapter, **load)
    from motif_lib.samplers.choose import make_sampler  # imports Transformers, which Unsloth must patch first
    from motif_lib.samplers.coherence import check_coherence

    sampler = make_sampler(model, tokenizer, max_new_tokens, temperature, chat_template_kwargs=chat_template_kwargs)
    check_coherence(sampler, model)
    return sampler


def open_sampler(
    name: str,
    adapter: Path | None,
    revision: str | None,
    max_new_tokens: int | None,
    temperature: float,
    server: str | None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> ModelSampler | ServerSampler:
    """A sampler of a model that is loaded here or, with `server`, answers on an OpenAI-compatible server.

    Raises:
        ValueError: if an adapter or a revision is named beside a server, or a revision beside a folder.
    """
    if not server:
        check_revision(name, revision)
        return load_sampler(
            name, adapter, max_new_tokens, temperature, chat_template_kwargs=chat_template_kwargs, revision=revision
        )
    if adapter or revision:
        raise ValueError("--server takes no --adapter and no --revision: name what it serves with --model")
    from motif_lib.samplers.server import ServerSampler

    return ServerSampler(server, name, max_new_tokens, temperature, chat_template_kwargs=chat_template_kwargs)
