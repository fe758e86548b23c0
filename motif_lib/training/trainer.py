"""`MotifTrainer`: TRL's `GRPOTrainer` with replies that are judged by their futures.

It adds two things and changes none of TRL's mathematics. The reward of a reply is the mean outcome of k trajectories
that the current policy rolls out from it (`rewards.future`). With `credit="any"` and `"all"` the prompts of a
generation batch are first moved to random rounds (`credit`). All replies of a round are sampled in one batched call
(`samplers`). The loss falls on the tokens of the reply that was sampled for the prompt, so with `credit="first"`
on round 1 only.

A training outlives what happens to it: Ctrl-C ends it after a step, NaN before the weights change, and checkpoints are
sealed (`callbacks`, `checkpoints`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOTrainer

from motif_lib import records
from motif_lib.carry import Carry, capped, progress_note
from motif_lib.credit import roll_in
from motif_lib.records import Question, Trace, Trajectory
from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import FutureAccuracy
from motif_lib.rounds import boxed, ended, next_prompt
from motif_lib.samplers.base import Chat, Completion
from motif_lib.samplers.choose import make_sampler
from motif_lib.training.callbacks import SealCheckpoints, StopOnInterrupt, StopOnNaN
from motif_lib.training.checkpoints import forget_after, last_checkpoint, step_of
from motif_lib.training.config import MotifConfig, check_vllm


def to_dataset(questions: Sequence[Question], num_rounds: int) -> Dataset:
    """A `datasets.Dataset` in TRL's schema: the round-1 prompt, and the columns that the rewards read."""
    return Dataset.from_list(
        [
            {"prompt": next_prompt(Trajectory(q, ()), num_rounds), "question": q.text, "gold": q.gold, "task": q.task}
            for q in questions
        ]
    )


class MotifTrainer(GRPOTrainer):
    """GRPO on multi-round trajectories.

    Args:
        model: as in `GRPOTrainer`.
        args: `MotifConfig`.
        train_dataset: from `to_dataset`, or questions.
        reward_funcs: rewards beside the MOTIF reward; by default the format reward.
        carry: what passes between rounds; a note keeps its end if it takes more than half of what the window leaves
            beside a reply.
        kwargs: everything else of `GRPOTrainer`, such as `processing_class` and `peft_config`.
    """

    def __init__(
        self,
        model: Any,
        args: MotifConfig,
        train_dataset: Dataset | Sequence[Question],
        reward_funcs: Sequence[Callable] = (format_reward,),
        carry: Carry = progress_note,
        callbacks: Sequence[TrainerCallback] = (),
        **kwargs: Any,
    ):
        if not isinstance(train_dataset, Dataset):
            train_dataset = to_dataset(train_dataset, args.num_rounds)
        self.carry, self.stop = carry, boxed if args.early_stop else None
        future = FutureAccuracy(
            self.sample_later,
            args.num_trajectories,
            args.num_rounds,
            carry,
            args.outcome_reward,
            ended=self._ended,
            on_traces=self._trace,
            stop=self.stop,
        )
        self.interrupt = StopOnInterrupt()
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            reward_funcs=[future, *reward_funcs],
            callbacks=[self.interrupt, SealCheckpoints(), StopOnNaN(), *callbacks],
            **kwargs,
        )
        check_vllm(args)  # again: for a model with a vLLM engine Unsloth has turned `use_vllm` on
        self.sampler = make_sampler(
            self.policy,
            self.processing_class,
            args.max_completion_length,
            args.temperature,
            args.top_p,
            args.rollout_batch_size,
            kind=args.sampler,
        )
        self.later_sampler = self.sampler.at(
            args.temperature if args.later_temperature is None else args.later_temperature,
            args.top_p if args.later_top_p is None else args.later_top_p,
        )
        if self.sampler.window:  # a longer note would leave no room for question and reply, and so end the training
            room = self.sampler.window - args.max_completion_length
            self.carry = future.carry = capped(carry, self.processing_class, max(1, room // 2))
        self.traces_path = Path(args.output_dir) / "traces.jsonl"

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Train as `GRPOTrainer` does, and leave Ctrl-C as it was.

        Args:
            resume_from_checkpoint: a folder; or True for the last checkpoint in `output_dir` that is whole, from the
                beginning if there is none. With True the traces are cut back to that checkpoint.
            kwargs: everything else of `Trainer.train`.

        Raises:
            FloatingPointError: if the loss gives a NaN or infinite gradient; the weights are those of the step before.
        """
        if resume_from_checkpoint is True:
            resume_from_checkpoint = last_checkpoint(Path(self.args.output_dir))
            forget_after(self.traces_path, step_of(resume_from_checkpoint))
        with self.interrupt:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    @property
    def policy(self) -> Any:
        """The model that is trained, without the wrappers of accelerate."""
        return self.accelerator.unwrap_model(self.model)

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
        if self.args.credit == "first" or self.args.num_rounds == 1:
            return super()._generate_and_score_completions(inputs)
        rows = self._roll_in(inputs)
        batch = super()._generate_and_score_completions(rows)
        weights = [not ended(row["start"], self.args.num_rounds, self.stop) for row in rows]  # see credit, early stop
        batch["advantages"] = batch["advantages"] * batch["advantages"].new_tensor(weights)
        return batch

    def _roll_in(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Move the m equal rows of each question to random rounds, reached by the current policy."""
        rng = random.Random(f"{self.args.seed}-{self.state.global_step}-{self.accelerator.process_index}")
        m = self.num_generations if self.model.training else self.num_generations_eval
        n = self.args.num_rounds
        questions = [Question(row["question"], row["gold"], row["task"]) for row in inputs[::m]]
        begun = roll_in(questions, m, self.args.credit, rng, self.sample_later, n, self.carry, self.stop)
        return [{**row, "start": t, "prompt": next_prompt(t, n)} for row, t in zip(inputs, begun, strict=True)]

    def _trace(self, traces: list[Trace]) -> None:
        """Append the traces of the first questions of the step to `traces.jsonl`."""
        kept = traces[: self.args.traced_questions * self.args.num_generations]
        if self.accelerator.is_main_process and kept:
            stamped = [replace(trace, step=self.state.global_step) for trace in kept]
            self.traces_path.parent.mkdir(parents=True, exist_ok=True)
            records.write_jsonl(self.traces_path, stamped, append=True)
