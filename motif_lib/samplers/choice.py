"""Which sampler suits a model that is held in memory?"""

from __future__ import annotations

from typing import Any

from motif_lib import gpu
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.vllm import VllmSampler

SAMPLERS = {"local": LocalSampler, "generate": GenerateSampler, "graph": GraphSampler, "vllm": VllmSampler}


def running(model: Any) -> list[str]:
    """Names of the samplers that can answer for a model, the one that suits it best last."""
    names = ["generate"] if gpu.is_unsloth(model) else ["generate", "local"]
    if getattr(model.config, "layer_types", None) is None or set(model.config.layer_types) == {"full_attention"}:
        names.insert(len(names) if on_cuda(model) else 0, "graph")
    return [*names, "vllm"] if hasattr(model, "vllm_engine") else names


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
