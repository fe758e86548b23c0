"""Which sampler suits a model that is held in memory?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motif_lib.models import unsloth as gpu
from motif_lib.models.attention import cache_layers, is_plain, looks_around
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.model_sampler import ModelSampler
from motif_lib.samplers.vllm import VllmSampler

SAMPLERS: dict[str, type[ModelSampler]] = {
    "local": LocalSampler,
    "generate": GenerateSampler,
    "graph": GraphSampler,
    "vllm": VllmSampler,
}
ARCHITECTURES = {"qwen2", "qwen3", "llama"}  # the architectures that GraphSampler is tested with


def available_samplers(model: Any) -> list[str]:
    """Names of the samplers that work with a model; the best suited comes last."""
    local = is_plain(model) and not gpu.is_unsloth(model)
    names = ["generate", "local"] if local else ["generate"]
    if recordable(model.config):
        names.insert(len(names) if on_cuda(model) else 0, "graph")
    return [*names, "vllm"] if hasattr(model, "vllm_engine") else names


def recordable(config: Any) -> bool:
    """Can a decoding step be a CUDA graph? Not if it depends on values, as experts and some rotary embeddings do."""
    plain = cache_layers(config) == {"DynamicLayer"} and not looks_around(config)
    return plain and config.model_type in ARCHITECTURES


def on_cuda(model: Any) -> bool:
    """Are the weights on a CUDA GPU?"""
    return next(model.parameters()).is_cuda


def make_sampler(
    model: Any,
    tokenizer: Any,
    max_new_tokens: int | None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    batch_size: int = 256,
    kind: str | None = None,
    top_k: int = 0,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> ModelSampler:
    """The batched sampler of this kind, by default the one that suits the model; arguments as in `ModelSampler`.

    Raises:
        ValueError: for a kind that does not work with this model.
    """
    names = available_samplers(model)
    if kind is not None and kind not in names:
        raise ValueError(f"sampler {kind!r} does not work with this model: choose one of {', '.join(names)}")
    return SAMPLERS[kind or names[-1]](
        model,
        tokenizer,
        max_new_tokens,
        temperature,
        top_p,
        batch_size,
        top_k=top_k,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        chat_template_kwargs=chat_template_kwargs,
    )
