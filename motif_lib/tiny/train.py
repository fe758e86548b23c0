"""Pretrain motif-tiny: a Qwen2 of 1.25 M parameters that knows Ledger's arithmetic and has no idea which habit pays.

Plain supervised training on `habits.example` with TRL's `SFTTrainer`; CPU or GPU. The GSM8K of the paper has nothing to
do with this: it stands in for the pretraining that Qwen2.5 already has.

    motif tiny make --out my-tiny
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import SFTConfig, SFTTrainer

from motif_lib.tiny.habits import example
from motif_lib.tiny.tokenizer import build_tokenizer

WINDOW = 320


PHASES = (64_000, 40_000)  # 20 minutes on two CPU cores (our run)
INITIAL_STD = 0.08  # about 1 / sqrt(width)


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
        initializer_range=INITIAL_STD,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def encode(tokenizer: PreTrainedTokenizerBase, sample: dict[str, Any]) -> dict[str, Any]:
    """Token ids of one example, cut at the window; labels are -100 on the prompt, so loss falls on the reply only."""
    prompt = tokenizer.apply_chat_template(sample["prompt"], tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(prompt)["input_ids"]
    reply_ids = tokenizer(sample["completion"][0]["content"])["input_ids"] + [tokenizer.eos_token_id]
    ids = np.array((prompt_ids + reply_ids)[:WINDOW], dtype=np.int32)
    labels = np.array(([-100] * len(prompt_ids) + reply_ids)[:WINDOW], dtype=np.int32)
    return {"input_ids": ids, "labels": labels, "length": len(ids)}


def dataset(tokenizer: PreTrainedTokenizerBase, size: int, seed: int) -> Dataset:
    """`size` encoded examples drawn from `seed`."""
    rng = random.Random(f"pretrain-{seed}")
    return Dataset.from_list([encode(tokenizer, example(rng)) for _ in range(size)])


def training_arguments(out: Path, seed: int) -> SFTConfig:
    """One cosine of the learning rate, bf16 arithmetic over float32 weights, batches of like length."""
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(out / "checkpoints"),
        use_cpu=not cuda,
        bf16=True,
        per_device_train_batch_size=16,
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


def pretrain(out: str | Path, seed: int = 0, phases: Sequence[int] = PHASES) -> list[dict[str, float]]:
    """Make model and tokenizer and save them to `out` (float32 safetensors, 5 MB).

    Args:
        out: folder to write.
        seed: of data, initial weights and order.
        phases: examples of each phase; a phase has new data and a learning rate that starts anew.

    Returns:
        The log: `[{"loss": ..., "step": ..., "phase": ...}, ...]`.
    """
    out, log = Path(out), []
    set_seed(seed)
    tokenizer = build_tokenizer(seed)
    model = Qwen2ForCausalLM(model_config(tokenizer))
    for number, size in enumerate(phases):
        arguments = training_arguments(out, seed + number)
        examples = dataset(tokenizer, size, seed + number)
        trainer = SFTTrainer(model, arguments, train_dataset=examples, processing_class=tokenizer)
        trainer.train()
        log += [{**entry, "phase": number} for entry in trainer.state.log_history if "loss" in entry]
    model.float().save_pretrained(out)
    tokenizer.save_pretrained(out)
    return log
