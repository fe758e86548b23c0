"""`MotifTrainer`: TRL's `GRPOTrainer` with replies that are judged by their futures.

It adds two things and changes none of TRL's mathematics. The reward of a reply is the mean outcome of k trajectories
that the current policy rolls out from it (`rewards.future`). With `credit="any"` and `"all"` the prompts of a
generation batch are first moved to random rounds (`credit`). All replies of a round are sampled in one batched call
(`samplers`). The loss falls on the tokens of the reply that was sampled for the prompt, so with `credit="first"`
on round 1 only.

Training survives faults: Ctrl-C ends it after a step, NaN ends it before the weights change, and checkpoints are sealed
(`callbacks`, `checkpoints`).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, IterableDataset
from transformers import TrainerCallback
from trl import GRPOTrainer

from motif_lib import records
from motif_lib.carry import Carry, fitting, progress_note
from motif_lib.credit import roll_in
from motif_lib.models.unsloth import check_trains
from motif_lib.records import Question, Trace, Trajectory
from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import FutureAccuracy
from motif_lib.rounds import boxed, ended, next_prompt, summary_prompt
from motif_lib.samplers.base import Chat, Completion
from motif_lib.training.callbacks import SealCheckpoints, StopOnInterrupt, StopOnNaN
from motif_lib.training.checkpoints import epochs_before, forget_after, last_checkpoint, set_aside, step_of
from motif_lib.training.config import MotifConfig
from motif_lib.training.inputs import Row, as_dataset, as_list, to_dataset
from motif_lib.training.own_rewards import own_rewards
from motif_lib.training.refusals import check_arguments, check_carry, check_evaluation, check_precision, check_trainer
from motif_lib.training.switches import add_rewards, credited, mask_loss

__all__ = ["MotifTrainer", "to_dataset"]


class MotifTrainer(GRPOTrainer):
    """GRPO on multi-round trajectories.

    Args:
        model: as in `GRPOTrainer`.
        args: `MotifConfig`.
        train_dataset: questions or dicts (see `to_dataset`), or a data set that `to_dataset` made.
        reward_funcs: rewards beside the MOTIF reward, in TRL's contract or as `reward(texts, **columns)`
            (`own_rewards`); by default the format reward, which they replace.
        carry: what passes between rounds; a note that takes more than half of what the window leaves beside a reply is
            cut, and its end is kept. A call that writes a note (`carry.asks`) is trained as a reply is, unless
            `credit="first"` or `trained_tokens="reasoning"`.
        eval_dataset: as `train_dataset`, or a dict of them. An evaluation asks every question from round 1, whatever
            `credit` says, and leaves no traces.
        kwargs: everything else of `GRPOTrainer`, such as `processing_class` and `peft_config`.

    Raises:
        ValueError: in one line, if there is nothing to train or too little to train on, or for an argument or setting
            that would have no effect.
    """

    def __init__(
        self,
        model: Any,
        args: MotifConfig,
        train_dataset: Dataset | IterableDataset | Iterable[Question | Row],
        reward_funcs: Callable | str | Sequence[Callable | str] = (format_reward,),
        carry: Carry = progress_note,
        callbacks: Sequence[TrainerCallback] = (),
        eval_dataset: Any = None,
        **kwargs: Any,
    ):
        check_trains(GRPOTrainer, model)
        check_arguments(model, **kwargs)
        check_carry(args, carry)
        precision = args.bf16, args.fp16
        self.stop = boxed if args.early_stop else None
        self.interrupt = StopOnInterrupt()
        if judges := as_list(kwargs.pop("reward_processing_classes", None)):
            kwargs["reward_processing_classes"] = [None, *judges]  # the MOTIF reward needs none
        super().__init__(
            model=model,
            args=args,
            train_dataset=as_dataset(train_dataset, args.num_rounds),
            eval_dataset=as_dataset(eval_dataset, args.num_rounds),
            reward_funcs=[self._future_accuracy(args), *own_rewards(as_list(reward_funcs))],
            callbacks=[self.interrupt, SealCheckpoints(), StopOnNaN(), *callbacks],
            **kwargs,
        )
        check_precision(args, precision)
        check_trainer(self)
        add_rewards(self)
        self.sampler = args.make_sampler(self.policy, self.processing_class)
        self.later_sampler = self.sampler.at(
            args.temperature if args.later_temperature is None else args.later_temperature,
            args.top_p if args.later_top_p is None else args.later_top_p,
        )
        self.carry = fitting(carry, self.sampler)  # a note that leaves no room would end the training
        self.traces_path, self.traced = Path(args.output_dir) / "traces.jsonl", True
        self.past_epochs = 0
        self.draws: tuple[int, random.Random] | None = None  # the step whose rounds are being drawn, and their stream

    def _future_accuracy(self, args: MotifConfig) -> FutureAccuracy:
        return FutureAccuracy(
            self.sample_later,
            args.num_trajectories,
            args.num_rounds,
            progress_note,  # until the window is known
            args.outcome_reward,
            ended=self._ended,
            on_traces=self._trace,
            stop=self.stop,
            horizon=args.horizon,
            credited=partial(credited, self),
        )

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Train as `GRPOTrainer` does, and leave Ctrl-C as it was.

        Args:
            resume_from_checkpoint: a folder; or True for the last whole checkpoint in `output_dir`, and for the
                beginning if there is none. The traces are cut back to that checkpoint. Otherwise a new training begins,
                and traces of an earlier one are kept as `traces-1.jsonl`.
            kwargs: everything else of `Trainer.train`.

        Raises:
            FloatingPointError: if the loss gives a NaN or infinite gradient; the weights are those of the step before.
        """
        self.draws = None
        with self.accelerator.main_process_first():  # the other processes find the folder in order
            resume_from_checkpoint = self._tidy(resume_from_checkpoint)
        self.past_epochs = epochs_before(resume_from_checkpoint)
        with self.interrupt:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _tidy(self, resume: str | bool | None) -> str | None:
        """The checkpoint to go on from; the traces are cut back to it, or are those of an earlier training."""
        out = Path(self.args.output_dir)
        goes_on = resume is True or (resume and Path(resume).resolve().parent == out.resolve())
        checkpoint = last_checkpoint(out) if resume is True else resume or None
        if self.accelerator.is_main_process and goes_on:
            forget_after(self.traces_path, step_of(checkpoint))
        elif self.accelerator.is_main_process:
            set_aside(self.traces_path)
        return checkpoint

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Any:
        """TRL's, which draws an order of the questions for each epoch: the orders of past epochs are drawn first."""
        sampler = super()._get_train_sampler(dataset)
        for _ in range(self.past_epochs if self.shuffle_dataset else 0):
            torch.randperm(sampler.num_samples, generator=sampler.generator)
        return sampler

    def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As in `GRPOTrainer`; questions are a data set too."""
        check_evaluation(self)
        return super().evaluate(as_dataset(eval_dataset, self.args.num_rounds), *args, **kwargs)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As in `GRPOTrainer`; with several evaluation sets, each has names of its own, such as `eval_hard_reward`."""
        names = [name.removeprefix("eval_").removesuffix("runtime") for name in logs if name.endswith("_runtime")]
        if names and not self.model.training:
            measured = {names[0] + name: values for name, values in self._metrics["eval"].items()}
            self._metrics["eval"] = defaultdict(list, measured)
        super().log(logs, *args, **kwargs)

    @property
    def policy(self) -> Any:
        """The model that is trained, without the wrappers of accelerate."""
        return self.accelerator.unwrap_model(self.model)

    @property
    def carry(self) -> Carry:
        """What passes between rounds; the MOTIF reward holds it."""
        return self.reward_funcs[0].carry

    @carry.setter
    def carry(self, carry: Carry) -> None:
        self.reward_funcs[0].carry = carry

    def sample_later(self, chats: Sequence[Chat]) -> list[Completion]:
        """Answers of the later rounds, by the current policy or, with `rollout_policy="base"`, without its adapter."""
        with self.policy.disable_adapter() if self.args.rollout_policy == "base" else nullcontext():
            return self.later_sampler(chats)

    def _ended(self, ids: Sequence[int]) -> bool:
        return bool(ids) and ids[-1] in set(self.eos_token_ids)

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, num_generations, **kwargs):
        """Sample the replies that are trained; with vLLM in TRL's way, else batched by our sampler."""
        if self.use_vllm:
            return super()._generate_single_turn(prompt_ids, images, multimodal_fields, num_generations, **kwargs)
        return self.sampler.sample_ids(prompt_ids), None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.traced = self.model.training  # not an evaluation; samplers may switch the mode later
        moved = self.traced and self.args.credit != "first" and self.args.num_rounds > 1
        rows = self._roll_in(inputs) if moved else inputs
        batch = super()._generate_and_score_completions(rows)
        if moved:
            weights = [self._goes_on(row["start"]) for row in rows]  # credit, early stop
            batch["advantages"] = batch["advantages"] * batch["advantages"].new_tensor(weights)
        mask_loss(self, batch, rows)
        return batch

    def _roll_in(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Move the m equal rows of each question to random rounds, reached by the current policy."""
        m, n, args = self.num_generations, self.args.num_rounds, self.args
        first = inputs[::m]
        questions = [Question(row["question"], row["gold"], row["task"], grading=row.get("grading")) for row in first]
        how = n, self.carry, self.stop, args.trained_tokens
        begun = roll_in(questions, m, args.credit, self._rng(), self.sample_later, *how)
        return [{**row, **self._trained_call(start)} for row, start in zip(inputs, begun, strict=True)]

    def _trained_call(self, start: Trajectory) -> dict[str, Any]:
        """The columns of a row that goes on from a trajectory: with its next reply, or with the note it waits for."""
        note = summary_prompt(start, self.args.num_rounds, self.carry)
        return {"start": start, "is_note": bool(note), "prompt": note or next_prompt(start, self.args.num_rounds)}

    def _goes_on(self, start: Trajectory) -> bool:
        """Is there a call to train: a note that is waited for, or a next round?"""
        n = self.args.num_rounds
        return bool(summary_prompt(start, n, self.carry)) or not ended(start, n, self.stop)

    def _rng(self) -> random.Random:
        """The random stream of the step: all its generations draw from it, and a resumed step draws the same."""
        step = self.state.global_step
        if self.draws is None or self.draws[0] != step:
            self.draws = step, random.Random(f"{self.args.seed}-{step}-{self.accelerator.process_index}")
        return self.draws[1]

    def _trace(self, traces: list[Trace]) -> None:
        """Append the traces of the first questions of the step to `traces.jsonl`; an evaluation leaves none."""
        kept = traces[: self.args.traced_questions * self.args.num_generations]
        if self.traced and self.accelerator.is_main_process and kept:
            stamped = [replace(trace, step=self.state.global_step) for trace in kept]
            self.traces_path.parent.mkdir(parents=True, exist_ok=True)
            records.write_jsonl(self.traces_path, stamped, append=True)
