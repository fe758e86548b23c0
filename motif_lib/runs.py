"""A run folder: what a training leaves behind, and how it goes on after a stop.

settings.json   the recipe and seed; a folder with other settings is refused, not overwritten
checkpoint-*/   TRL's and PEFT's own checkpoints, sealed; a run that was stopped goes on from the last good one
traces.jsonl    replies, their futures and rewards, for the round stepper and the branch tree
metrics.jsonl   one line a step, as Trainer logged it
adapter/        the LoRA adapter in PEFT's format: its presence says that the run is complete
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from motif_lib.carry import Carry, name_of, progress_note
from motif_lib.checkpoints import forget_after, last_checkpoint, seal, step_of
from motif_lib.models import first_line
from motif_lib.recipe import Recipe
from motif_lib.records import Question, read_lines, write_text

SECRETS = {"hub_token", "push_to_hub_token", "token", "use_auth_token", "api_key"}


def open_run(out: str | Path, settings: dict[str, Any]) -> Path:
    """Make the run folder, or check that it belongs to the same run.

    Raises:
        RuntimeError: if the folder cannot be written, holds a run with other settings, or would hold a secret.
    """
    if secret := _secret_in(settings):
        raise RuntimeError(f"the settings hold a {secret}, which would be saved: set HF_TOKEN in the environment")
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


def _secret_in(settings: Any) -> str | None:
    """The name of a setting that holds a secret, at any depth."""
    if not isinstance(settings, dict):
        return None
    named = (key for key, value in settings.items() if key in SECRETS and isinstance(value, str))
    return next(named, None) or next(filter(None, map(_secret_in, settings.values())), None)


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

    Raises:
        RuntimeError: in one line, if a fault stopped the training; the same call goes on from the last checkpoint.
    """
    other = {} if carry is progress_note else {"carry": name_of(carry)}
    out = open_run(out, {"recipe": asdict(recipe), "seed": seed, **other})
    if (out / "adapter").exists():
        return True
    questions = recipe.load_questions(seed) if questions is None else questions
    return _train(recipe, out, seed, questions, title, carry)


def _train(recipe: Recipe, out: Path, seed: int, questions: Sequence[Question], title: str, carry: Carry) -> bool:
    """Train from the last checkpoint; where memory runs out, again from there in smaller batches."""
    from motif_lib.samplers.out_of_memory import free_memory, is_out_of_memory

    trainer, checkpoint = make_trainer(recipe, out, seed, questions, title, carry), last_checkpoint(out)
    forget_after(out / "traces.jsonl", step_of(checkpoint))
    with one_line_faults(out, trainer):
        try:
            _train_from(trainer, checkpoint)
            return _finish(trainer, out)
        except (MemoryError, RuntimeError) as error:
            smaller = halved(recipe, trainer.args)
            if smaller is None or not is_out_of_memory(error):
                raise
    size = smaller.train["per_device_train_batch_size"]
    tqdm.write(f"Out of memory after step {trainer.state.global_step}: trying again with {size} replies at a time.")
    del trainer  # outside of `except`, where the error no longer holds the tensors
    free_memory()
    return _train(smaller, out, seed, questions, title, carry)


def halved(recipe: Recipe, args: Any) -> Recipe | None:
    """The recipe with half the replies in memory and twice the accumulation: the same questions make a step."""
    if args.per_device_train_batch_size % 2:
        return None
    changes = {"per_device_train_batch_size": args.per_device_train_batch_size // 2}
    doubled = {"gradient_accumulation_steps", *({"steps_per_generation"} & recipe.train.keys())}
    return recipe.with_train(**changes, **{key: 2 * getattr(args, key) for key in doubled})


def _train_from(trainer: Any, checkpoint: str | None) -> None:
    """Train, unless the checkpoint is that of the last step: from there the Trainer would take one step too many."""
    from transformers import TrainerState

    state = TrainerState.load_from_json(f"{checkpoint}/trainer_state.json") if checkpoint else None
    if state is None or state.global_step < state.max_steps:
        trainer.train(resume_from_checkpoint=checkpoint)
    else:
        trainer.state = state
        trainer._load_from_checkpoint(checkpoint)


def _finish(trainer: Any, out: Path) -> bool:
    """Write what a training leaves; the adapter last and as a whole, for it says that the run is complete."""
    log = [entry for entry in trainer.state.log_history if "reward" in entry]
    write_text(out / "metrics.jsonl", "".join(json.dumps(entry) + "\n" for entry in log))
    if trainer.state.global_step < trainer.state.max_steps:
        return False
    trainer.save_model(str(out / "adapter.part"))
    seal(out / "adapter.part")
    os.replace(out / "adapter.part", out / "adapter")
    return True


@contextmanager
def one_line_faults(out: Path, trainer: Any) -> Iterator[None]:
    """What stops a training becomes one line that says where it goes on; Ctrl-C works again as before the training."""
    from safetensors import SafetensorError

    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (OSError, MemoryError, FloatingPointError, SafetensorError, RuntimeError) as error:
        step, kept = trainer.state.global_step, step_of(last_checkpoint(out))
        reason = first_line(error)
        if isinstance(error, MemoryError) or "out of memory" in reason:
            reason += " To need less, lower per_device_train_batch_size and raise gradient_accumulation_steps."
        raise RuntimeError(
            f"training stopped after step {step}: {reason}; what is saved up to step {kept} is kept, and the same "
            f"command goes on from there ({out})"
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def make_trainer(
    recipe: Recipe, out: Path, seed: int, questions: Sequence[Question], title: str, carry: Carry = progress_note
) -> Any:
    """The `MotifTrainer` of a run."""
    from motif_lib import gpu

    if recipe.load.get("unsloth"):
        gpu.import_unsloth()  # before all that follows

    from transformers import PrinterCallback, set_seed

    from motif_lib.callbacks import ProgressLine, SealCheckpoints, StopOnNaN
    from motif_lib.models import load_model, with_lora
    from motif_lib.trainer import MotifTrainer

    set_seed(seed)  # the adapter's first weights are drawn while the trainer is made
    model, tokenizer = load_model(recipe.model, **recipe.load)
    model, adapter = with_lora(model, recipe.lora_rank, seed=seed)
    trainer = MotifTrainer(
        model=model,
        args=recipe.config(out, seed=seed, data_seed=seed),
        train_dataset=questions,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[ProgressLine(title), SealCheckpoints(), StopOnNaN()],
        carry=carry,
    )
    trainer.remove_callback(PrinterCallback)  # the bar and metrics.jsonl say it
    return trainer
