"""Which sampler suits a model that is held in memory?"""

from __future__ import annotations

from typing import Any

from motif_lib.models import unsloth as gpu
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.vllm import VllmSampler

SAMPLERS = {"local": LocalSampler, "generate": GenerateSampler, "graph": GraphSampler, "vllm": VllmSampler}
ARCHITECTURES = {"qwen2", "qwen3", "llama"}  # the architectures that GraphSampler is tested with


def running(model: Any) -> list[str]:
    """Names of the samplers that can answer for a model, the one that suits it best last."""
    names = ["generate"] if gpu.is_unsloth(model) else ["generate", "local"]
    if recordable(model.config):
        names.insert(len(names) if on_cuda(model) else 0, "graph")
    return [*names, "vllm"] if hasattr(model, "vllm_engine") else names


def recordable(config: Any) -> bool:
    """Can a decoding step be a CUDA graph? Not if it looks at values, as experts and some rotary embeddings do."""
    layers = getattr(config, "layer_types", None) or ["full_attention"]
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    looks = "dynamic" in rope or rope == "longrope"  # transformers.modeling_rope_utils.dynamic_rope_update
    return config.model_type in ARCHITECTURES and set(layers) == {"full_attention"} and not looks


def on_cuda(model: Any) -> bool:
    """Are the weights on a CUDA GPU?"""
    return next(model.parameters()).is_cuda


def make_sampler(model: Any, *args: Any, kind: str | None = None, **kwargs: Any) -> LocalSampler:
    """The batched sampler of this kind, by default the one that suits the model; arguments as in `LocalSampler`.

    Raises:
        ValueError: for a kind that cannot answer for this model.
    """
    names = running(model)
    if kind is not None and kind not in names:
        raise ValueError(f"sampler {kind!r} cannot answer for this model: choose one of {', '.join(names)}")
    return SAMPLERS[kind or names[-1]](model, *args, **kwargs)
