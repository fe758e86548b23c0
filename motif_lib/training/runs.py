"""Train by a recipe into a run folder, from its last checkpoint to the adapter; with less memory if it runs out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from motif_lib.carry import Carry, fitting, name_of, progress_note
from motif_lib.files import first_line, locked, seal, write_text
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import check_room
from motif_lib.training.checkpoints import last_checkpoint, step_of
from motif_lib.training.preflight import look_first
from motif_lib.training.recipe import Recipe, naming
from motif_lib.training.run_folder import NOTE_USE, check_settings, open_run, record_sources
from motif_lib.training.run_folder import read_metrics as read_metrics  # notebooks ask for both here


def train_run(
    recipe: Recipe,
    out: str | Path,
    seed: int = 0,
    questions: Sequence[Question] | None = None,
    title: str = "train",
    carry: Carry = progress_note,
    look: bool = False,
) -> bool:
    """Train by a recipe into a run folder; a complete run is left alone, an interrupted one goes on.

    With `look`, a run that begins says first what the untrained model does with a few questions (`preflight`). The run
    is the same with it and without it.

    Returns:
        True if the run is complete, False if Ctrl-C ended this call, even in the last step; the same call goes on.

    Raises:
        RuntimeError: in one line, if a fault stopped the training (the same call goes on from the last checkpoint), or
            under a launcher of several processes.
        ValueError: if a setting of the recipe is unknown or of no use, or if the model or the questions are not those
            that the run was begun with.
    """
    one_process()
    out, other = Path(out), {} if carry is progress_note else {"carry": name_of(carry)}
    settings = {"recipe": recipe.settings(), "seed": seed, **other}
    check_settings(out, settings)
    if (out / "adapter").exists():
        return True
    recipe.config(out)
    from motif_lib.samplers.coherence import check_coherence  # it imports Transformers, which Unsloth patches first

    with locked(out):
        questions = recipe.load_questions(seed) if questions is None else questions

        def make(recipe: Recipe) -> Any:
            trainer = make_trainer(recipe, out, seed, questions, title, carry)
            room = check_room(questions, trainer.sampler, trainer.args.num_rounds)
            trainer.carry = fitting(carry, trainer.sampler, room)
            return trainer

        def begin(trainer: Any) -> None:
            check_coherence(trainer.sampler, trainer.policy)
            if look:
                look_first(trainer, out, questions, f"{recipe.model} on {recipe.task}", seed)

        return train_in(out, settings, recipe, make, questions, begin=begin)


def one_process() -> None:
    """Raise RuntimeError under a launcher of several processes: they would write into one folder."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RuntimeError(
            "a run folder is written by one process; docs/several_gpus.md has a script for several: torchrun "
            f"--nproc-per-node {os.environ['WORLD_SIZE']} train_many.py RECIPE FOLDER"
        )


def train_in(
    out: Path,
    settings: dict[str, Any],
    recipe: Recipe,
    make: Callable[[Recipe], Any],
    data: Sequence[Question | Trajectory],
    what: str = "questions",
    begin: Callable[[Any], None] = lambda trainer: None,
) -> bool:
    """Train in a locked folder, and try again with half the batch whenever memory runs out.

    The folder is claimed only once there is a trainer: a mistake in the recipe leaves nothing behind that would refuse
    the mended one.

    Args:
        out: run folder.
        settings: what it is known by.
        recipe: what `make` is given, with a smaller batch after memory ran out.
        make: builds the trainer, a `MotifTrainer` or a `WarmTrainer`.
        data: what it trains on, for `sources.json`.
        what: name of the data there.
        begin: called with the trainer once the folder is claimed, before each training.

    Returns:
        As `train_run`.
    """
    import torch

    from motif_lib.samplers.out_of_memory import free_memory

    while True:
        trainer = make(recipe)
        open_run(out, {**settings, "threads": torch.get_num_threads()})
        record_sources(out, trainer.model, data, recipe.adapter, what)
        with one_line_faults(out, trainer):
            begin(trainer)
            try:
                train_to_the_end(trainer)
                return _finish(trainer, out) and not trainer.interrupt.interrupted
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
    """Write the results of a training; the adapter last and in one piece, because it marks the run as complete."""
    log = [entry for entry in trainer.state.log_history if {"reward", "loss", NOTE_USE} & entry.keys()]
    write_text(out / "metrics.jsonl", "".join(json.dumps(entry) + "\n" for entry in log))
    if trainer.state.global_step < trainer.state.max_steps:
        return False
    trainer.save_model(str(out / "adapter.part"))
    seal(out / "adapter.part")
    os.replace(out / "adapter.part", out / "adapter")
    return True


@contextmanager
def one_line_faults(out: Path, trainer: Any) -> Iterator[None]:
    """Turn whatever stops a training into one line that says where it goes on."""
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
    with naming("`train`"):
        trainer = MotifTrainer(
            model=model,
            args=args,
            train_dataset=questions,
            processing_class=tokenizer,
            peft_config=adapter,
            callbacks=[ProgressLine(title)],
            carry=carry,
        )
        if recipe.note_use:
            from motif_lib.training.note_use import NoteUse

            trainer.add_callback(NoteUse(trainer, recipe.load_questions(seed, "test")))
        try_optimizer(trainer)
    trainer.remove_callback(PrinterCallback)  # the bar and metrics.jsonl show the same
    return trainer


def try_optimizer(trainer: Any) -> None:
    """Make optimizer and schedule as `train` will, so that a missing package or a wrong option fails here."""
    trainer.create_optimizer_and_scheduler(max(1, trainer.args.max_steps))
    trainer.optimizer = trainer.lr_scheduler = None
