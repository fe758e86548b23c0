"""The Unsloth side of `models`: everything that needs a CUDA GPU, and nothing that works without one.

`tests/unsloth_cpu` runs all of it but vLLM through the real Unsloth, on a CPU with stand-ins for what only CUDA has.
The same calls were seen to work on an H100 with other scripts (16-bit and 4-bit, LoRA, GRPO steps); this file has not
been run on a GPU.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motif_lib.runtime import check, install

INSTALL = install("gpu")


def has_cuda() -> bool:
    """Is there a CUDA GPU that torch can use?"""
    import torch

    return torch.cuda.is_available()


def need_cuda() -> None:
    """Raise RuntimeError without a CUDA GPU."""
    if not has_cuda():
        raise RuntimeError("Unsloth needs a CUDA GPU: leave out unsloth and four_bit, or use recipe cpu")


def import_unsloth() -> None:
    """Import Unsloth, which patches trl, transformers and peft: before trl, whose trainers it replaces.

    Raises:
        RuntimeError: without a CUDA GPU, without Unsloth, with packages that break it, or when it is too late.
    """
    need_cuda()
    if find_spec("unsloth") is None:
        raise RuntimeError(f"Unsloth is not installed: {INSTALL}")
    check(unsloth=True)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    # Unsloth writes the trainers that it generates into the working folder, unless told otherwise.
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(cache / "motif_lib" / "unsloth_compiled_cache"))
    import unsloth  # noqa: F401


def load(
    source: str, revision: str | None, four_bit: bool, window: int, fast_inference: bool, max_lora_rank: int
) -> tuple[Any, Any]:
    """`(model, tokenizer)` through `FastLanguageModel`; arguments as in `load_model`.

    In 4-bit, Unsloth takes its own packed mirror of a Hub model, if it has one. A mirror has other revisions, so with a
    pinned `revision` none is used. `window` is cut to what the model was made for.

    Raises:
        RuntimeError: if vLLM or 4-bit is asked for and not available, or the model does not fit.
    """
    from transformers import AutoConfig
    from unsloth import FastLanguageModel

    if fast_inference and find_spec("vllm") is None:  # Unsloth would go on without it
        raise RuntimeError("fast_inference needs vLLM: pip install vllm, or leave it out")
    os.environ.pop("UNSLOTH_RETURN_HIDDEN_STATES", None)  # a killed loss leaves it set: no logits from then on
    config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    check_memory(source, config, four_bit)
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=source,
        max_seq_length=min(window, config.max_position_embeddings),
        dtype=best_dtype(),
        load_in_4bit=four_bit,
        load_in_16bit=not four_bit,
        revision=revision,
        use_exact_model_name=revision is not None,
        offload_embedding=False,  # the embedding is also read by what decodes beside the model
        fast_inference=fast_inference,
        max_lora_rank=max_lora_rank,
        trust_remote_code=False,
    )
    if four_bit and getattr(model.config, "quantization_config", None) is None:  # Unsloth has gone on in 16-bit
        raise RuntimeError(f"bitsandbytes is missing or broken, so there is no 4-bit: {INSTALL}, or four_bit=False")
    model.generation_config.max_length = None  # Unsloth sets it, and `generate` would warn at every call
    model.loaded_by_unsloth = True
    tokenizer.padding_side = "left"
    return model, tokenizer


def is_unsloth(model: Any) -> bool:
    """Did `load` make this model? Also true for a PEFT model around it."""
    return getattr(model, "loaded_by_unsloth", False)


def check_trains(trainer: type, model: Any) -> None:
    """Refuse a model that Unsloth did not load if it made the trainer: all weights would be trained."""
    if trainer.__name__.startswith("Unsloth") and not hasattr(model, "for_training"):
        raise RuntimeError(
            "this process has imported Unsloth, whose trainers take only models that it loaded: load the model with "
            "unsloth=True, or restart Python (the kernel)"
        )


def attach_lora(model: Any, rank: int, alpha: int, targets: list[str], seed: int) -> Any:
    """A fresh LoRA adapter through Unsloth, with its gradient checkpointing, as in the reference code."""
    from unsloth import FastLanguageModel

    return FastLanguageModel.get_peft_model(
        model,
        r=rank,
        lora_alpha=alpha,
        target_modules=targets,
        lora_dropout=0.0,
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=seed,
    )


def best_dtype() -> Any:
    """bfloat16, or float16 where the GPU has no bfloat16 (T4, V100): train with `fp16: true` there."""
    import torch

    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    warnings.warn("this GPU has no bfloat16: loading in float16; train with fp16=True and bf16=False", stacklevel=2)
    return torch.float16


def check_memory(name: str, config: Any, four_bit: bool) -> None:
    """Refuse to load a model whose estimate is more than the GPU's free memory."""
    import torch

    from motif_lib.models.memory import Shape, check_fits

    check_fits(name, Shape.of(config), four_bit, torch.cuda.mem_get_info()[0])
