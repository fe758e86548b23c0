"""A run folder: what a training leaves behind, and how it goes on after a stop.

settings.json   the recipe and seed; a folder with other settings is refused, not overwritten
checkpoint-*/   TRL's and PEFT's own checkpoints; a run that was stopped goes on from the last one
traces.jsonl    replies, their futures and rewards, for the round stepper and the branch tree
metrics.jsonl   one line a step, as Trainer logged it
adapter/        the LoRA adapter in PEFT's format: its presence says that the run is complete
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from motif_lib.carry import Carry, name_of, progress_note
from motif_lib.recipe import Recipe
from motif_lib.records import Question, read_lines


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def open_run(out: str | Path, settings: dict[str, Any]) -> Path:
    """Make the run folder, or check that it belongs to the same run.

    Raises:
        RuntimeError: if the folder cannot be written, or holds a run with other settings.
    """
    out, text = Path(out), json.dumps(settings, indent=2, sort_keys=True, default=str) + "\n"
    file = out / "settings.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            write_text(file, text)
    except OSError as error:
        raise RuntimeError(f"cannot write the run folder {out}: {error.strerror}; choose another with --out") from None
    if file.read_text(encoding="utf-8") != text:
        raise RuntimeError(f"{out} holds a run with other settings: choose another folder with --out, or delete it")
    return out


def read_metrics(out: str | Path) -> list[dict[str, Any]]:
    """The logged steps of a run."""
    return [json.loads(line) for line in read_lines(Path(out) / "metrics.jsonl")]


def train_run(
    recipe: Recipe,
    out: str | Path,
    seed: int = 0,
    questions: Sequence[Question] | None = None,
    title: str = "train",
    carry: Carry = progress_note,
) -> bool:
    """Train by a recipe into a run folder; a complete run is left alone, an interrupted one goes on.

    Returns:
        True if the run is complete, False if it was interrupted (Ctrl-C) and can go on.
    """
    other = {} if carry is progress_note else {"carry": name_of(carry)}
    out = open_run(out, {"recipe": asdict(recipe), "seed": seed, **other})
    if (out / "adapter").exists():
        return True
    questions = recipe.load_questions(seed) if questions is None else questions
    trainer = make_trainer(recipe, out, seed, questions, title, carry)
    trainer.train(resume_from_checkpoint=last_checkpoint(out))
    log = [entry for entry in trainer.state.log_history if "reward" in entry]
    write_text(out / "metrics.jsonl", "".join(json.dumps(entry) + "\n" for entry in log))
    if trainer.state.global_step < trainer.state.max_steps:
        return False
    trainer.save_model(str(out / "adapter.part"))
    os.replace(out / "adapter.part", out / "adapter")
    return True


def make_trainer(
    recipe: Recipe, out: Path, seed: int, questions: Sequence[Question], title: str, carry: Carry = progress_note
) -> Any:
    """The `MotifTrainer` of a run."""
    from transformers import PrinterCallback, set_seed

    from motif_lib.callbacks import ProgressLine
    from motif_lib.models import load_model, lora_config
    from motif_lib.trainer import MotifTrainer

    set_seed(seed)  # the adapter's first weights are drawn while the trainer is made
    model, tokenizer = load_model(recipe.model)
    trainer = MotifTrainer(
        model=model,
        args=recipe.config(out, seed=seed, data_seed=seed),
        train_dataset=questions,
        processing_class=tokenizer,
        peft_config=lora_config(recipe.lora_rank),
        callbacks=[ProgressLine(title)],
        carry=carry,
    )
    trainer.remove_callback(PrinterCallback)  # the bar and metrics.jsonl say it
    return trainer


def last_checkpoint(out: Path) -> str | None:
    """The newest complete checkpoint; one that a kill left half-written (no trainer state) is removed."""
    found = sorted(out.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for folder in [path for path in found if not (path / "trainer_state.json").exists()]:
        shutil.rmtree(folder)
    complete = [path for path in found if path.exists()]
    return str(complete[-1]) if complete else None
