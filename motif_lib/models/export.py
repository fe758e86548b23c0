"""Merge a LoRA adapter into its base: a plain model that any tool loads, in 16-bit safetensors, with a model card."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from motif_lib.files import first_line
from motif_lib.models.folders import base_name, read_settings
from motif_lib.models.load import adapter_config, load_tokenizer, resolve

SAME = 1e-3  # most that rounding in float32 may change a logit, as a share of the largest
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

    The sum is computed in float32 on the CPU, which takes 4 bytes of memory a weight, and rounded once.

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
    part = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        merged, tokenizer = _load_merged(adapter, base, settings, dtype)
    except OSError as error:
        raise RuntimeError(f"cannot write {out}: {error.strerror}; choose another with --out") from error
    except BaseException:  # Ctrl-C too
        shutil.rmtree(part, ignore_errors=True)
        raise
    try:
        merged.save_pretrained(part)
    except SafetensorError as error:  # a full disk
        shutil.rmtree(part)
        raise RuntimeError(f"cannot write {out}: {first_line(error)}") from error
    tokenizer.save_pretrained(part)
    card = CARD.format(base=base, name=out.name, rank=settings["r"], dtype=dtype)
    (part / "README.md").write_text(card, encoding="utf-8")
    os.replace(part, out)


def _load_merged(adapter: str | Path, base: str, settings: dict[str, Any], dtype: str) -> tuple[Any, Any]:
    """The base with the adapter added to its weights, and the tokenizer."""
    import torch
    from safetensors import SafetensorError

    named = str(settings.get("base_model_name_or_path"))
    revision = settings.get("revision") if base == named and not Path(base).is_dir() else None
    try:
        tokenizer = load_tokenizer(base, revision)
        whole = load_whole(base, revision)
        check_same_base(base, settings)
        merged = merged_model(whole, adapter)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RuntimeError(f"cannot merge {adapter} into {base}: {first_line(error)}") from error
    return merged.to(getattr(torch, dtype)), tokenizer


def load_whole(base: str, revision: str | None = None) -> Any:
    """A base in float32 on the CPU.

    Raises:
        ValueError: if its files lack a tensor, which Transformers would fill with random numbers.
    """
    import torch
    from transformers import AutoModelForCausalLM

    model, found = AutoModelForCausalLM.from_pretrained(
        resolve(base),
        revision=revision,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"its files lack {missing[0]}: copy or download them again")
    return model


def merged_model(whole: Any, adapter: str | Path) -> Any:
    """The base with the adapter's changes in its weights; it gives the logits that base and adapter gave.

    Raises:
        ValueError: if the adapter belongs to a base of another shape, or the sum gives other logits.
    """
    import torch
    from peft import PeftModel

    model = PeftModel.from_pretrained(whole, str(adapter), config=adapter_config(Path(adapter)), use_safetensors=True)
    check_fits(adapter, model)
    ids = torch.arange(min(32, whole.config.get_text_config().vocab_size))[None]  # (1, T)
    with torch.no_grad():
        expected = model.eval()(ids).logits  # (1, T, V)
        untie(model)
        merged = model.merge_and_unload(safe_merge=True)
        merged.tie_weights()  # as whoever loads it will
        apart = (merged.eval()(ids).logits - expected).abs().max() / expected.abs().max()
    if not apart < SAME:
        raise ValueError(f"the merged weights give other logits than the adapter (by {apart:.0%}): keep them apart")
    return merged


def check_fits(adapter: str | Path, model: Any) -> None:
    """Raise ValueError unless an adapter's file has a weight for each place in the model, and no other."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(Path(adapter) / "adapter_model.safetensors", "pt") as file:
        saved = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    wanted = {name: tuple(weight.shape) for name, weight in get_peft_model_state_dict(model).items()}
    if apart := sorted(name for name in saved.keys() | wanted.keys() if saved.get(name) != wanted.get(name)):
        raise ValueError(f"the adapter was trained on another base, or is not whole: see {apart[0]}")


def check_same_base(base: str, settings: dict[str, Any]) -> None:
    """Refuse a base whose name is not the one in the adapter; the folder it lies in does not matter."""
    with suppress(RuntimeError):  # an adapter that names none
        named = base_name(settings)
        if Path(named).name.lower() != Path(base).name.lower():
            raise ValueError(
                f"the adapter was trained on {named}: leave out --model, or if these are the same weights, name their "
                "place in adapter_config.json, as base_model_name_or_path"
            )


def untie(model: Any) -> None:
    """Give the head its own weights if an adapter changes only one of two tied tables."""
    base = model.get_base_model()
    tables = {"embed_tokens": base.get_input_embeddings(), "lm_head": base.get_output_embeddings()}
    changed = any(hasattr(table, "base_layer") or hasattr(table, "modules_to_save") for table in tables.values())
    together = model.peft_config["default"].ensure_weight_tying
    if changed and not together and base.config.get_text_config().tie_word_embeddings:
        inner = tables["lm_head"]
        inner = getattr(inner, "base_layer", getattr(inner, "original_module", inner))
        inner.weight = type(inner.weight)(inner.weight.detach().clone())
        base.config.tie_word_embeddings = base.config.get_text_config().tie_word_embeddings = False
