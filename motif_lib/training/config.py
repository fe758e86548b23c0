"""`MotifConfig`: TRL's `GRPOConfig` plus the dial of this library, the number of rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig

from motif_lib.credit import CREDITS

POLICIES = ("current", "base")


def _check(ok: bool, message: str) -> None:
    if not ok:
        raise ValueError(message)


def check_vllm(args: Any) -> None:
    """Raise a ValueError if replies of one group would need prompts of their own and TRL's vLLM gives them one."""
    _check(
        not (args.credit == "all" and args.use_vllm),
        "credit='all' gives each reply of a group a prompt of its own, TRL's vLLM samples one prompt a group: set "
        "use_vllm=False, or leave fast_inference out",
    )


@dataclass
class MotifConfig(GRPOConfig):
    """Settings of a MOTIF run; everything of `GRPOConfig` and `TrainingArguments` works as there.

    `num_rounds=1` is vanilla GRPO through the same code. `max_completion_length` is the budget of every round.

    Raises:
        ValueError: for m < 2, k < 1, n < 1 or an unknown credit or policy, in one line.
    """

    num_rounds: int = field(default=3, metadata={"help": "n: rounds of a trajectory; 1 is vanilla GRPO"})
    num_trajectories: int = field(default=4, metadata={"help": "k: trajectories rolled out from every reply"})
    credit: str = field(
        default="first",
        metadata={
            "help": "which replies are trained: `first` those of round 1 (the paper); `any` those of a round drawn "
            "anew for every question; `all` a round drawn anew for every reply, each in a trajectory of its own, so "
            "that all rounds share the outcome (motif_lib.credit derives them)"
        },
    )
    rollout_policy: str = field(
        default="current",
        metadata={"help": "who answers the later rounds: the `current` policy, or the `base` as in the reference code"},
    )
    early_stop: bool = field(
        default=False, metadata={"help": "a trajectory ends with the first note that holds a boxed answer"}
    )
    later_temperature: float | None = field(
        default=None, metadata={"help": "temperature of the later rounds (reference code: 0.8); None: `temperature`"}
    )
    later_top_p: float | None = field(
        default=None, metadata={"help": "top_p of the later rounds (reference code: 0.95); None: `top_p`"}
    )
    outcome_reward: float = field(
        default=2.0, metadata={"help": "reward of a right final answer (reference code: 2); a wrong one earns 0"}
    )
    rollout_batch_size: int = field(default=256, metadata={"help": "most replies decoded together"})
    sampler: str | None = field(
        default=None,
        metadata={
            "help": "`local`, `generate`, `graph` (CUDA graphs and a merged 16-bit copy) or `vllm` (Unsloth's "
            "fast_inference); None: the one that suits the model and machine (motif_lib.samplers.choose)"
        },
    )
    traced_questions: int = field(default=1, metadata={"help": "questions of each step written to traces.jsonl"})

    def __post_init__(self) -> None:
        _check(self.num_rounds >= 1, f"num_rounds={self.num_rounds}: at least one round is needed")
        _check(self.num_trajectories >= 1, f"num_trajectories={self.num_trajectories}: k must be at least 1")
        _check(self.num_generations >= 2, f"num_generations={self.num_generations}: a group needs m >= 2 replies")
        _check(self.credit in CREDITS, f"credit={self.credit!r}: choose one of {', '.join(CREDITS)}")
        _check(self.rollout_policy in POLICIES, f"rollout_policy={self.rollout_policy!r}: choose current or base")
        check_vllm(self)
        local = self.per_device_train_batch_size * (self.steps_per_generation or self.gradient_accumulation_steps)
        _check(
            local % self.num_generations == 0,
            f"{local} replies a device and generation do not hold whole groups of {self.num_generations}: make "
            "per_device_train_batch_size x gradient_accumulation_steps a multiple of num_generations",
        )
        super().__post_init__()

    @property
    def questions_per_step(self) -> int:
        """Questions whose replies make one generation, over all processes."""
        return self.generation_batch_size // self.num_generations

    @property
    def replies_per_question(self) -> int:
        """m (1 + k (n - 1)): what one question costs with `credit="first"`, and at most with the others."""
        return self.num_generations * (1 + self.num_trajectories * (self.num_rounds - 1))
