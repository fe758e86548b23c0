"""Load a model, attach LoRA, estimate its memory, export it."""

from motif_lib.models.load import load_model, load_tokenizer, lora_config, with_lora

__all__ = ["load_model", "load_tokenizer", "lora_config", "with_lora"]
