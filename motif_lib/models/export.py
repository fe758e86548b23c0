"""Merge a LoRA adapter into its base: a plain model that any tool loads, in 16-bit safetensors, with a model card."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from motif_lib.files import first_line
from motif_lib.models.load import TINY, adapter_config, load_tokenizer, read_settings, resolve

CARD = """---
library_name: transformers
base_model: {base}
tags: [motif]
---
# {name}

{base} with a LoRA adapter of rank {rank} merged in, weights in {dtype}. The adapter was trained by MOTIF with
`motif_lib`: the model answers in rounds, in the protocol of `motif_lib.protocol`. It was not evaluated by the command
that wrote this card (`motif export`). The licence is that of the base model.
"""


def merge(adapter: str | Path, out: str | Path, model: str | None = None, dtype: str = "bfloat16") -> None:
    """Write the merged model, its tokenizer and a card into a new folder, whole or not at all.

    The sum is made in float32 on the CPU, which takes 4 bytes of memory a weight, and rounded once.

    Args:
        adapter: folder of a PEFT adapter.
        out: folder that does not exist yet.
        model: base model; by default the one that the adapter names, unpacked where that is a 4-bit mirror.
        dtype: of the weights that are written.

    Raises:
        RuntimeError: if there is no adapter, `out` exists or cannot be written, or the base cannot be loaded.
    """
    from safetensors import SafetensorError

    out, settings = Path(out), read_settings(Path(adapter))
    if out.exists():
        raise RuntimeError(f"{out} exists: choose a new folder with --out")
    base = model or base_name(settings)
    merged, tokenizer = _load_merged(adapter, base, dtype)
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        merged.save_pretrained(part)
    except SafetensorError as error:  # a full disk
        shutil.rmtree(part)
        raise RuntimeError(f"cannot write {out}: {first_line(error)}") from error
    tokenizer.save_pretrained(part)
    card = CARD.format(base=base, name=out.name, rank=settings["r"], dtype=dtype)
    (part / "README.md").write_text(card, encoding="utf-8")
    os.replace(part, out)


def _load_merged(adapter: str | Path, base: str, dtype: str) -> tuple[Any, Any]:
    """The base with the adapter added to its weights, and the tokenizer."""
    import torch
    from peft import PeftModel
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        tokenizer = load_tokenizer(base)
        whole = AutoModelForCausalLM.from_pretrained(
            resolve(base), dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
        merged = PeftModel.from_pretrained(
            whole, str(adapter), config=adapter_config(Path(adapter)), use_safetensors=True
        ).merge_and_unload(safe_merge=True)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RuntimeError(f"cannot merge {adapter} into {base}: {first_line(error)}") from error
    return merged.to(getattr(torch, dtype)), tokenizer


def base_name(settings: dict[str, Any]) -> str:
    """The base that an adapter names: the package's own model wherever it lies, a mirror's 16-bit original."""
    name = str(settings.get("base_model_name_or_path") or "")
    if Path(name).name == TINY:
        return TINY
    if not name:
        raise RuntimeError("the adapter does not name its base: name it with --model")
    return re.sub(r"(-unsloth)?-bnb-4bit$", "", name)
