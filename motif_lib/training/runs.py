"""A run folder: what a training leaves behind, and how it goes on after a stop.

settings.json   the recipe and seed; a folder with other settings is refused, not overwritten
sources.json    what they stood for: commit of a Hub model, checksum of the questions; no run goes on with others
checkpoint-*/   TRL's and PEFT's own checkpoints, sealed; a run that was stopped goes on from the last good one
traces.jsonl    replies, their futures and rewards, for the round stepper and the branch tree
metrics.jsonl   one line a step, as Trainer logged it
adapter/        the LoRA adapter in PEFT's format: its presence says that the run is complete
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from motif_lib.carry import Carry, name_of, progress_note
from motif_lib.files import first_line, seal, write_text
from motif_lib.records import Question, read_lines, to_json
from motif_lib.training.checkpoints import last_checkpoint, step_of
from motif_lib.training.recipe import Recipe

SECRETS = {"hub_token", "push_to_hub_token", "token", "use_auth_token", "api_key"}


def open_run(out: str | Path, settings: dict[str, Any]) -> Path:
    """Make the run folder, or check that it belongs to the same run.

    Raises:
        RuntimeError: if the folder cannot be written, holds a run with other settings, or would hold a secret.
    """
    refuse_secrets(settings)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        same = _agrees(out / "settings.json", settings)
    except OSError as error:
        raise RuntimeError(f"cannot write the run folder {out}: {error.strerror}; choose another with --out") from None
    if not same:
        raise RuntimeError(f"{out} holds a run with other settings: choose another folder with --out, or delete it")
    return out


def _agrees(file: Path, record: dict[str, Any]) -> bool:
    """Write a record, or compare it with the one that is there."""
    text = json.dumps(record, indent=2, sort_keys=True, default=str) + "\n"
    if not file.exists():
        write_text(file, text)
    return file.read_text(encoding="utf-8") == text


def refuse_secrets(settings: dict[str, Any]) -> None:
    """Raise RuntimeError if the settings, which are saved, hold a token or a key."""
    if secret := _secret_in(settings):
        raise RuntimeError(f"the settings hold a {secret}, which would be saved: set HF_TOKEN in the environment")


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
        RuntimeError: in one line, if a fault stopped the training (the same call goes on from the last checkpoint), or
            under a launcher of several processes.
        ValueError: if a setting of the recipe is unknown or of no use, or if the model or the questions are not those
            that the run was begun with.
    """
    from motif_lib.samplers.out_of_memory import free_memory

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RuntimeError("a run folder is written by one process: for several, launch a script with MotifTrainer")
    other = {} if carry is progress_note else {"carry": name_of(carry)}
    settings = {"recipe": asdict(recipe), "seed": seed, **other}
    if (Path(out) / "adapter").exists():
        open_run(out, settings)
        return True
    refuse_secrets(settings)
    recipe.config(out)  # a mistake in a recipe shall not leave a folder that refuses the mended one
    questions = recipe.load_questions(seed) if questions is None else questions
    out = open_run(out, settings)
    while True:
        trainer = make_trainer(recipe, out, seed, questions, title, carry)
        with one_line_faults(out, trainer):
            check_sources(out, trainer, questions)
            try:
                train_to_the_end(trainer)
                return _finish(trainer, out)
            except (MemoryError, RuntimeError) as error:
                recipe = halved(recipe, trainer, error)
        del trainer  # outside of `except`, where the error no longer holds the tensors
        free_memory()


def halved(recipe: Recipe, trainer: Any, error: Exception) -> Recipe:
    """The recipe with half the replies in memory and twice the accumulation: the same questions make a step.

    Raises:
        Exception: the error itself, unless memory ran out and there is something to halve.
    """
    from motif_lib.samplers.out_of_memory import is_out_of_memory

    size = trainer.args.per_device_train_batch_size
    if size % 2 or not is_out_of_memory(error):
        raise error
    step = trainer.state.global_step
    tqdm.write(f"Out of memory after step {step}: trying again with {size // 2} replies at a time.")
    doubled = {"gradient_accumulation_steps", *({"steps_per_generation"} & recipe.train.keys())}
    changes = {key: 2 * getattr(trainer.args, key) for key in doubled}
    return recipe.with_train(per_device_train_batch_size=size // 2, **changes)


def check_sources(out: Path, trainer: Any, questions: Sequence[Question]) -> None:
    """Record the model and the questions that a run is begun with, or compare them with the record.

    Raises:
        ValueError: if they are others: what the run is from here on would not be what its folder says.
    """
    text = "".join(to_json(question) + "\n" for question in questions)
    sources = {
        "model_commit": getattr(trainer.model.config, "_commit_hash", None),  # of a Hub model; None for a folder
        "questions": len(questions),
        "questions_sha256": hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest(),
    }
    if not _agrees(out / "sources.json", sources):
        begun = json.loads((out / "sources.json").read_text(encoding="utf-8"))
        raise ValueError(
            f"{out} was begun with {begun}, and now there is {sources}: bring those back, a Hub model or data set with "
            "`revision` under `load` or `dial`, or choose another folder with --out"
        )


def train_to_the_end(trainer: Any) -> None:
    """Train from the last checkpoint, if there is one, to the end.

    From the checkpoint of the last step the Trainer itself would take one step too many.
    """
    from transformers import TrainerState

    checkpoint = last_checkpoint(Path(trainer.args.output_dir))
    state = TrainerState.load_from_json(f"{checkpoint}/trainer_state.json") if checkpoint else None
    if state is None or state.global_step < state.max_steps:
        trainer.train(resume_from_checkpoint=True)
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
    """What stops a training becomes one line that says where it goes on."""
    from safetensors import SafetensorError

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


def make_trainer(
    recipe: Recipe, out: Path, seed: int, questions: Sequence[Question], title: str, carry: Carry = progress_note
) -> Any:
    """The `MotifTrainer` of a run."""
    args = recipe.config(out, seed=seed, data_seed=seed)  # it imports Unsloth before what follows
    from transformers import PrinterCallback

    from motif_lib.training.callbacks import ProgressLine
    from motif_lib.training.trainer import MotifTrainer

    model, tokenizer, adapter = recipe.load_model(seed)
    trainer = MotifTrainer(
        model=model,
        args=args,
        train_dataset=questions,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[ProgressLine(title)],
        carry=carry,
    )
    trainer.remove_callback(PrinterCallback)  # the bar and metrics.jsonl say it
    return trainer
