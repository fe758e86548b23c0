"""A short training whose replies depend on the prompt alone, run by torchrun with one process or more:

torchrun --nproc-per-node N tests/two_processes.py MODEL OUT
"""

import json
import os
import sys
import zlib
from collections import Counter
from pathlib import Path

import torch
from transformers import set_seed

from motif_lib.models.load import load_model, lora_config
from motif_lib.records import Question
from motif_lib.rewards import future
from motif_lib.training.config import MotifConfig
from motif_lib.training.trainer import MotifTrainer

QUESTIONS = [Question(f"Ann has {i} eggs.", str(i), "ledger", f"q{i}") for i in range(3, 30)]


def draw(prompts):
    """Reply number c to a prompt has a seed of its own, whichever process asks for it."""
    asked, drawn = Counter(), []
    for prompt in map(tuple, prompts):
        asked[prompt] += 1
        generator = torch.Generator().manual_seed(zlib.crc32(f"{prompt}{asked[prompt]}".encode()))
        drawn.append(torch.randint(5, 250, (6,), generator=generator).tolist())
    return drawn


def main(model_folder: str, out: Path) -> None:
    """Writes, for each process, the questions of every generation; and the log and the adapter of the whole."""
    future.outcomes_of = lambda ts, right: [right * (zlib.crc32(t.final.encode()) % 2) for t in ts]
    set_seed(0)
    model, tokenizer = load_model(model_folder)
    args = MotifConfig(
        output_dir=str(out), num_generations=4, num_trajectories=2, num_rounds=3, max_completion_length=8, max_steps=3,
        per_device_train_batch_size=16 // int(os.environ["WORLD_SIZE"]), learning_rate=1e-2, use_cpu=True, bf16=False,
        report_to="none", save_strategy="no", gradient_checkpointing=False, disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    trainer = MotifTrainer(model, args, QUESTIONS, processing_class=tokenizer, peft_config=lora_config(4))
    seen = []
    trainer.sampler.sample_ids = lambda prompts: seen.append(tokenizer.batch_decode(prompts)) or draw(prompts)
    trainer.later_sampler.sample_ids = draw
    trainer.train()
    out.mkdir(parents=True, exist_ok=True)
    (out / f"seen-{args.process_index}.json").write_text(json.dumps(seen))
    trainer.save_model(str(out / "adapter"))
    if args.process_index == 0:
        (out / "log.json").write_text(json.dumps([entry for entry in trainer.state.log_history if "reward" in entry]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
