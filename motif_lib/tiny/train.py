"""Pretrain motif-tiny: a Qwen2 of 1.25 M parameters that knows Ledger's arithmetic and has no idea which habit pays.

Plain supervised training on `pretraining_examples.example`; CPU or GPU. The GSM8K of the paper has nothing to do with
this: it stands in for the pretraining that Qwen2.5 already has.

    motif tiny make --out my-tiny

The optimizer matters more than anything else here. Copying an event out of the question needs attention heads that
AdamW forms slowly. After 7,600 examples a model of width 256 stood at a loss of 0.70 with AdamW and of 0.22 with Muon
on its matrices; this one, of width 160, reached 0.08 after 12,000 with Muon (one run each, on two CPU cores).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm.auto import trange
from transformers import (
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
    get_cosine_schedule_with_warmup,
    set_seed,
)

from motif_lib.tiny.pretraining_examples import example
from motif_lib.tiny.tokenizer import build_tokenizer

WINDOW = 196
STEPS = 1_400  # 1.26 a second on two CPU cores (our run): 18.5 minutes, and the evaluation of the card
ROWS, ROW = 38, WINDOW  # rows of a batch, tokens of a row
MUON_LR, ADAM_LR, WARMUP = 0.02, 5e-3, 20
LOG_EVERY = 25

Batch = tuple[Tensor, Tensor, Tensor]  # token ids, labels (-100 where no loss falls), positions; each (ROWS, ROW)


def model_config(tokenizer: PreTrainedTokenizerBase) -> Qwen2Config:
    """Qwen2, four layers of width 160; in float32 SDPA trains twice as fast as eager attention (CPU, our run)."""
    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )


def encode(tokenizer: PreTrainedTokenizerBase, rng: random.Random) -> tuple[list[int], list[int]]:
    """Token ids and labels of one new example; loss falls on the reply only."""
    sample = example(rng)
    prompt = tokenizer.apply_chat_template(sample["prompt"], tokenize=False, add_generation_prompt=True)
    prompt_ids = tokenizer(prompt)["input_ids"]
    reply_ids = tokenizer(sample["completion"][0]["content"])["input_ids"] + [tokenizer.eos_token_id]
    labels = [-100] * len(prompt_ids) + reply_ids
    return (prompt_ids + reply_ids)[:WINDOW], labels[:WINDOW]


def batches(tokenizer: PreTrainedTokenizerBase, seed: int) -> Iterator[tuple[Batch, int]]:
    """Batches without end and the number of examples in each: rows packed with as many whole examples as fit."""
    rng = random.Random(f"pretrain-{seed}")
    ids, labels = encode(tokenizer, rng)
    while True:
        batch, count = (torch.zeros(ROWS, ROW), torch.full((ROWS, ROW), -100), torch.zeros(ROWS, ROW)), 0
        for row in range(ROWS):
            start = 0
            while start + len(ids) <= ROW:
                here = slice(start, start + len(ids))
                for tensor, values in zip(batch, (ids, labels, range(len(ids)))):
                    tensor[row, here] = torch.tensor(values, dtype=tensor.dtype)
                start, count = here.stop, count + 1
                ids, labels = encode(tokenizer, rng)
            batch[2][row, start:] = torch.arange(ROW - start)  # padding is an example of its own
        yield tuple(tensor.long() for tensor in batch), count


def reply_loss(model: Qwen2ForCausalLM, batch: Batch) -> Tensor:
    """Mean cross-entropy of the reply tokens. Positions that restart keep packed examples from seeing each other."""
    ids, labels, positions = (tensor.to(model.device) for tensor in batch)
    with torch.autocast("cuda", dtype=torch.bfloat16):  # on a CPU float32, which any of them does at full speed
        hidden = model.model(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state  # (R, T, D)
        trained = labels[:, 1:] != -100  # (R, T - 1)
        logits = model.lm_head(hidden[:, :-1][trained])  # (reply tokens, V)
    return cross_entropy(logits.float(), labels[:, 1:][trained])


def make_optimizers(model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the embedding, the biases and the norms."""
    inner = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    chosen = set(map(id, inner))
    outer = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(inner, lr=MUON_LR, weight_decay=0.01),
        torch.optim.AdamW(outer, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def pretrain(out: str | Path, seed: int = 0, steps: int = STEPS) -> dict[str, float]:
    """Make model and tokenizer and save them to `out` (float32 safetensors, 5 MB).

    Args:
        out: folder to write.
        seed: of data and initial weights.
        steps: of about 43 examples each.

    Returns:
        `examples` seen, and `loss`, the mean of the last `LOG_EVERY` steps in nats a reply token.
    """
    set_seed(seed)
    tokenizer = build_tokenizer(seed)
    model = Qwen2ForCausalLM(model_config(tokenizer)).to("cuda" if torch.cuda.is_available() else "cpu")
    optimizers = make_optimizers(model)
    schedules = [get_cosine_schedule_with_warmup(optimizer, WARMUP, steps) for optimizer in optimizers]
    data, examples = batches(tokenizer, seed), 0
    losses: list[float] = []
    bar = trange(steps, desc="pretrain motif-tiny", mininterval=2)
    for _ in bar:
        batch, count = next(data)
        loss = reply_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for step in (*optimizers, *schedules):
            step.step()
        model.zero_grad()
        examples, losses = examples + count, [*losses, loss.item()][-LOG_EVERY:]
        bar.set_postfix(loss=f"{sum(losses) / len(losses):.3f}", refresh=False)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return {"examples": examples, "loss": sum(losses) / len(losses)}
