"""Cold start: supervised fine-tuning on multi-round traces that were right, so that tags and notes are there before RL.

The traces are the model's own, as in rejection sampling (STaR, arXiv 2203.14465): m trajectories a question in the
rounds of the recipe, of which those are kept whose final answer is right and whose every reply is in format. Ledger's
are written by rule. Each round of a kept trajectory is one example, with the loss on its reply only. What the adapter
learns here, `motif train --adapter` goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from tqdm.auto import tqdm
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from motif_lib.carry import progress_note
from motif_lib.evaluate import evaluate
from motif_lib.evaluate.store import read_run, trajectory_of
from motif_lib.files import locked
from motif_lib.models.load import load_model
from motif_lib.protocol import CHAT_TOKEN
from motif_lib.records import Question, Trajectory
from motif_lib.rewards.format import is_strict
from motif_lib.rounds import add_reply
from motif_lib.samplers.base import Completion
from motif_lib.samplers.choose import on_cuda
from motif_lib.samplers.coherence import check_coherence
from motif_lib.samplers.out_of_memory import free_memory
from motif_lib.tasks.ledger import replies
from motif_lib.training.callbacks import ProgressLine, SealCheckpoints, StopOnInterrupt, StopOnNaN
from motif_lib.training.checkpoints import last_checkpoint
from motif_lib.training.config import MotifConfig
from motif_lib.training.recipe import Recipe, naming
from motif_lib.training.run_folder import TRACES, check_settings
from motif_lib.training.runs import one_process, train_in, try_optimizer
from motif_lib.training.settings import typed

SIZE, SAMPLES = 200, 4  # questions, and trajectories of each: at most 800 x n examples
CPU_BATCH = 100  # trajectories between two writes: minutes for a real model on a CPU, which fewer rows leave idle
SHARED = {"use_cpu", "bf16", "fp16", "gradient_checkpointing", "optim", "report_to", "disable_tqdm"}  # with `train`
DEFAULTS = {
    "num_train_epochs": 1.0,
    "learning_rate": 2e-4,
    "lr_scheduler_type": "cosine",
    "per_device_train_batch_size": 8,
    "logging_steps": 1,
    "save_steps": 25,
    "save_total_limit": 2,
    "completion_only_loss": True,
    "max_length": None,  # TRL would cut replies at 1,024 tokens, and teach to stop in the middle
}


class WarmRecipe(Recipe):
    """The recipe of a cold start: its `train` is for `SFTConfig`."""

    @classmethod
    def of(cls, recipe: Recipe) -> WarmRecipe:
        """Model, adapter and machine of a recipe, with the settings under its `warm`."""
        shared = {key: value for key, value in recipe.train.items() if key in SHARED}
        return cls(**{**vars(recipe), "train": {**DEFAULTS, **shared, **recipe.warm}})

    def config(self, out: str | Path, **changes: Any) -> SFTConfig:
        """As `Recipe.config`, an `SFTConfig`."""
        with naming("`warm`"):
            return SFTConfig(output_dir=str(out), **typed(SFTConfig, {**self.train, **changes}))


def warm_run(
    recipe: Recipe,
    out: str | Path,
    seed: int = 0,
    size: int | None = None,
    samples: int | None = None,
    traces: str | Path | None = None,
) -> bool:
    """Fine-tune the recipe's model on right traces, into a run folder as `train_run` makes one.

    The model is loaded by Transformers, without Unsloth and in 16 bits, whatever `load` says.

    Args:
        recipe: model, task and rounds as for the training that follows; `warm` for `SFTConfig`.
        out: run folder; traces that are sampled are kept in it, and what is there is not sampled again.
        seed: of questions, sampling, first weights and the order of the examples.
        size: training questions, default `SIZE`.
        samples: trajectories of the model's own a question, default `SAMPLES`; for Ledger by default none, its traces
            are written by rule.
        traces: folder of a finished evaluation of training questions, instead of sampling.

    Returns:
        As `train_run`.

    Raises:
        RuntimeError: as `train_run`, or in one line if no trace is right.
        ValueError: as `train_run`, or if the traces are of another number of rounds or of test questions.
    """
    one_process()
    if traces is not None and (size or samples):
        raise ValueError("traces that are there are not sampled: leave size and samples out, or traces")
    recipe = replace(recipe, load={key: value for key, value in recipe.load.items() if key == "revision"})
    out, warm = Path(out), WarmRecipe.of(recipe)
    source = {"size": size or SIZE, "samples": samples} if traces is None else {"traces": str(traces)}
    settings = {"warm": warm.settings(), "seed": seed, **source}
    check_settings(out, settings)
    if (out / "adapter").exists():
        return True
    warm.config(out)  # a mistake is told before hours of sampling
    with locked(out):
        kept = _right_traces(recipe, out, seed, size or SIZE, samples, traces)
        return train_in(out, settings, warm, lambda warm: make_trainer(warm, out, seed, kept, recipe), kept, TRACES)


def _right_traces(
    recipe: Recipe, out: Path, seed: int, size: int, samples: int | None, traces: str | Path | None
) -> list[Trajectory]:
    """The trajectories to learn from, from the folder, by rule or sampled."""
    args = recipe.config(out)
    if traces is not None:
        return read_right(traces, args.num_rounds)
    questions = replace(recipe, questions=size).load_questions(seed)
    if recipe.task == "ledger" and samples is None:
        return [solved(question, args.num_rounds) for question in questions]
    _sample(recipe, args, questions, samples or SAMPLES, seed, out / TRACES)
    return read_right(out / TRACES, args.num_rounds)


def solved(question: Question, num_rounds: int) -> Trajectory:
    """A perfect trajectory for a Ledger question, written by rule."""
    trajectory = Trajectory(question, ())
    for text in replies(question, num_rounds):
        trajectory = add_reply(trajectory, Completion(text), num_rounds, progress_note)
    return trajectory


def _sample(
    recipe: Recipe, args: MotifConfig, questions: Sequence[Question], samples: int, seed: int, folder: Path
) -> None:
    """Sample and grade trajectories into a folder, which goes on where it stopped."""
    model, tokenizer = load_model(recipe.model, recipe.adapter, **recipe.load)
    sampler = args.make_sampler(model, tokenizer)
    check_coherence(sampler, model)
    size = None if on_cuda(model) else CPU_BATCH
    evaluate(questions, sampler, args.num_rounds, samples, name="traces", path=folder, batch_size=size, seed=seed)
    del model, sampler
    free_memory()


def read_right(folder: str | Path, num_rounds: int) -> list[Trajectory]:
    """The trajectories of a finished evaluation that are right, with every reply in format.

    Raises:
        RuntimeError: if there are none.
        ValueError: if they are of another number of rounds, or of test questions.
    """
    settings, records = read_run(folder)
    if settings["num_rounds"] != num_rounds:
        raise ValueError(f"{folder} holds traces of {settings['num_rounds']} rounds: set num_rounds to that in `train`")
    asked = [trajectory_of(record).question for record in records]
    if any(question.id.startswith(f"{question.task}-test-") for question in asked):
        raise ValueError(f"{folder} holds answers to test questions: train on those of the split `train`")
    right = [trajectory_of(record) for record in records if record["verdict"]["correct"] is True]
    kept = [trajectory for trajectory in right if in_format(trajectory)]
    formed = sum(in_format(trajectory_of(record)) for record in records)
    found = f"of {len(records)} trajectories {len(right)} are right, {formed} in format in every round"
    if not kept:
        raise RuntimeError(
            f"nothing to learn from: {found}, none is both; take easier questions, a larger max_completion_length or "
            f"more samples, or the traces of a stronger model with --traces ({folder})"
        )
    tqdm.write(f"{found}, {len(kept)} both: {sum(len(t.replies) for t in kept)} examples.")
    return kept


def in_format(trajectory: Trajectory) -> bool:
    """Is every reply finished and in the protocol's two blocks, with nothing around them and no chat token inside?"""
    return all(r.finished and is_strict(r.text) and not CHAT_TOKEN.search(r.text) for r in trajectory.replies)


def to_examples(trajectories: Sequence[Trajectory], chat_template_kwargs: dict[str, Any] | None = None) -> Dataset:
    """TRL's prompt-completion data set, conversational: one row for each round of each trajectory."""
    own = {"chat_template_kwargs": chat_template_kwargs} if chat_template_kwargs else {}
    rows = []
    for reply in (reply for trajectory in trajectories for reply in trajectory.replies):
        text = reply.text.encode(errors="replace").decode()  # a lone surrogate is no text to a data set
        rows.append({"prompt": reply.prompt, "completion": [{"role": "assistant", "content": text}], **own})
    return Dataset.from_list(rows)


class WarmTrainer(SFTTrainer):
    """TRL's `SFTTrainer` that survives what `MotifTrainer` survives: Ctrl-C, NaN and a damaged checkpoint."""

    def __init__(self, **kwargs: Any):
        self.interrupt = StopOnInterrupt()
        super().__init__(callbacks=[self.interrupt, SealCheckpoints(), StopOnNaN(), LossLine("warm")], **kwargs)
        self.remove_callback(PrinterCallback)  # the bar and metrics.jsonl say it

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """As `SFTTrainer`; True goes on from the last checkpoint that is whole, or begins."""
        if resume_from_checkpoint is True:
            resume_from_checkpoint = last_checkpoint(Path(self.args.output_dir))
        with self.interrupt:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)


class LossLine(ProgressLine):
    """The bar of a cold start, with its loss in nats a token."""

    def on_train_begin(self, args, state, control, **kwargs: Any) -> None:
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self.title, unit="step")

    def on_log(self, args, state, control, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.bar.set_postfix({"loss": f"{logs['loss']:.3f}"}, refresh=False)


def make_trainer(warm: Recipe, out: Path, seed: int, kept: Sequence[Trajectory], recipe: Recipe) -> WarmTrainer:
    """The `WarmTrainer` of a run on these traces; `recipe` is the one of the training that follows."""
    args = warm.config(out, seed=seed, data_seed=seed)
    model, tokenizer, adapter = warm.load_model(seed)
    data = to_examples(kept, recipe.train.get("chat_template_kwargs"))
    with naming("`warm`"):
        trainer = WarmTrainer(
            model=model, args=args, train_dataset=data, processing_class=tokenizer, peft_config=adapter
        )
        try_optimizer(trainer)
    return trainer
