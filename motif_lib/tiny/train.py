"""Pretrain motif-tiny: a Qwen2 of 1.25 M parameters that knows Ledger's arithmetic and has no idea which habit pays.

Plain supervised training on `habits.example` with TRL's `SFTTrainer`; CPU or GPU. The GSM8K of the paper has nothing to
do with this: it stands in for the pretraining that Qwen2.5 already has.

    motif tiny make --out my-tiny
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import SFTConfig, SFTTrainer

from motif_lib.tiny.habits import example
from motif_lib.tiny.tokenizer import build_tokenizer

WINDOW = 320


def model_config(tokenizer: PreTrainedTokenizerBase) -> Qwen2Config:
    """Qwen2, four layers of width 160; the vocabulary is padded to a multiple of 32."""
    return Qwen2Config(
        vocab_size=-(-len(tokenizer) // 32) * 32,
        hidden_size=160,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def encode(tokenizer: PreTrainedTokenizerBase, sample: dict[str, Any]) -> dict[str, Any]:
    """Token ids of one example, cut at the window; labels are -100 on the prompt, so loss falls on the reply only."""
    prompt = tokenizer.apply_chat_template(sample["prompt"], tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(prompt)["input_ids"]
    reply_ids = tokenizer(sample["completion"][0]["content"])["input_ids"] + [tokenizer.eos_token_id]
    ids = (prompt_ids + reply_ids)[:WINDOW]
    return {"input_ids": ids, "labels": ([-100] * len(prompt_ids) + reply_ids)[:WINDOW], "length": len(ids)}


def dataset(tokenizer: PreTrainedTokenizerBase, size: int, seed: str) -> Dataset:
    """`size` encoded examples drawn from `seed`."""
    rng = random.Random(f"pretrain-{seed}")
    return Dataset.from_list([encode(tokenizer, example(rng)) for _ in range(size)])


def training_arguments(out: Path, seed: int) -> SFTConfig:
    """Batch 64, one cosine from 2e-3, bf16 arithmetic over float32 weights."""
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(out / "checkpoints"),
        use_cpu=not cuda,
        bf16=True,
        per_device_train_batch_size=64,
        learning_rate=2e-3,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        weight_decay=0.05,
        adam_beta2=0.98,
        num_train_epochs=1,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        max_length=WINDOW,
        gradient_checkpointing=False,
        logging_steps=50,
        save_strategy="no",
        report_to="none",
        seed=seed,
    )


def pretrain(out: str | Path, size: int = 128_000, seed: int = 0, phases: int = 2) -> list[dict[str, float]]:
    """Make model and tokenizer and save them to `out` (float32 safetensors, 5 MB).

    Each phase sees `size` new examples under one cosine of the learning rate; the second starts from the first.

    Args:
        out: folder to write.
        size: examples a phase; two of 128,000 took 35 minutes on two free CPU cores (our run).
        seed: of data, initial weights and order.
        phases: number of phases.

    Returns:
        The log: `[{"loss": ..., "step": ..., "phase": ...}, ...]`.
    """
    out, log = Path(out), []
    set_seed(seed)
    tokenizer = build_tokenizer(seed)
    model = Qwen2ForCausalLM(model_config(tokenizer))
    for phase in range(phases):
        log += [{**entry, "phase": phase} for entry in train_phase(model, tokenizer, out, size, seed, phase)]
        save(model, tokenizer, out)
    return log


def train_phase(
    model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, out: Path, size: int, seed: int, phase: int
) -> list[dict[str, float]]:
    """One pass over `size` new examples; returns the logged losses."""
    examples = dataset(tokenizer, size, f"{seed}-{phase}")
    trainer = SFTTrainer(model, training_arguments(out, seed), train_dataset=examples, processing_class=tokenizer)
    trainer.train()
    return [entry for entry in trainer.state.log_history if "loss" in entry]


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    model.float().save_pretrained(out)
    tokenizer.save_pretrained(out)
