"""`MotifConfig`: TRL's `GRPOConfig` plus the dial of this library, the number of rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from trl import GRPOConfig

from motif_lib.credit import CREDITS
from motif_lib.rewards.future import OUTCOME
from motif_lib.training.refusals import check, check_budget, check_used, check_vllm
from motif_lib.training.switches import check_switches

POLICIES = ("current", "base")


@dataclass
class MotifConfig(GRPOConfig):
    """Settings of a MOTIF run, on top of those of `GRPOConfig` and `TrainingArguments`.

    `num_rounds=1` is vanilla GRPO through the same code. `max_completion_length` is the budget of every round, None for
    all the room that the window leaves beside a prompt; `top_p`, `top_k`, `min_p`, `repetition_penalty` and
    `chat_template_kwargs` hold in every round. The best model is the one with the highest `eval_reward`, unless
    `metric_for_best_model` names another metric: the loss of GRPO is near 0 however good a model is. `reward_weights`
    begin with the weight of the MOTIF reward.

    Raises:
        ValueError: in one line, for m < 2, k < 1, n < 1, an unknown credit or policy, or a field that nothing reads
            (`refusals.UNUSED`), or for switches that mean nothing together (`switches.check_switches`).
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
        default=OUTCOME, metadata={"help": "reward of a right final answer (reference code: 2); a wrong one earns 0"}
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

    # The open questions, see docs/switches.md; at their defaults the training is the paper's.
    trained_tokens: str = field(
        default="all",
        metadata={
            "help": "do notes decay without a gradient of their own (CompactionRL, 2607.05378)? The loss falls on "
            "`all` tokens of a reply, on its `note`, or on its `reasoning`, which is all but the note"
        },
    )
    note_reward: float = field(
        default=0.0,
        metadata={
            "help": "what is the note itself worth (ReSum, 2606.13316)? Weight of a further reward: the mean outcome "
            "with the note less that without one, from the same state; 0: none"
        },
    )
    horizon: int | None = field(
        default=None,
        metadata={
            "help": "how far ahead must credit look (Reasoning Cache, 2602.03773)? A reply is credited with the answer "
            "that is asked for this many rounds later, 0: with its own; None: with the end (the paper)"
        },
    )
    efficiency: float | None = field(
        default=None,
        metadata={
            "help": "accuracy against tokens (InftyThink+, 2602.06960): phi of the factor 1 - ((n_used - 1) / phi)^2 "
            "on each outcome, with early_stop; None: no factor"
        },
    )
    control: str | None = field(
        default=None,
        metadata={
            "help": "did the right reward teach it (2506.10947)? In training, outcomes are `random` or `inverted`; "
            "evaluations and motif/accuracy keep the true ones; None: no control"
        },
    )

    def __post_init__(self) -> None:
        check_used(self)
        check_vllm(self)
        check_budget(self)
        m = self.num_generations
        check(self.num_rounds >= 1, f"num_rounds={self.num_rounds}: at least one round is needed")
        check(self.num_trajectories >= 1, f"num_trajectories={self.num_trajectories}: k must be at least 1")
        check(m >= 2, f"num_generations={m}: a group needs m >= 2 replies")
        check(self.temperature > 0, f"temperature={self.temperature}: at 0 all replies of a group would be the same")
        check(self.credit in CREDITS, f"credit={self.credit!r}: choose one of {', '.join(CREDITS)}")
        check(self.rollout_policy in POLICIES, f"rollout_policy={self.rollout_policy!r}: choose current or base")
        if self.generation_batch_size is None:  # before TRL says it in its own words
            self._check_groups(self.steps_per_generation or self.gradient_accumulation_steps)
        if self.load_best_model_at_end or self.save_strategy == "best":
            self.metric_for_best_model = self.metric_for_best_model or "reward"  # type: ignore[has-type]
        super().__post_init__()
        self._check_groups(self.steps_per_generation)
        check_switches(self)

    def _check_groups(self, steps: int) -> None:
        local, m = self.per_device_train_batch_size * steps, self.num_generations
        check(
            local % m == 0,
            f"{local} replies a device and generation do not hold whole groups of {m}: make "
            "per_device_train_batch_size x gradient_accumulation_steps a multiple of num_generations",
        )

    def make_sampler(self, model: Any, tokenizer: Any) -> Any:
        """The sampler of these settings: of a training, and of the traces for its cold start."""
        from motif_lib.samplers.choose import make_sampler

        return make_sampler(
            model,
            tokenizer,
            self.max_completion_length,
            self.temperature,
            self.top_p,
            self.rollout_batch_size,
            kind=self.sampler,
            top_k=self.top_k,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            chat_template_kwargs=self.chat_template_kwargs,
        )

    @property
    def questions_per_step(self) -> int:
        """Questions whose replies make one generation, over all processes."""
        return self.generation_batch_size // self.num_generations

    @property
    def replies_per_question(self) -> int:
        """m (1 + k (n - 1)): what one question costs with `credit="first"`, and at most with the others; with a
        `horizon` that in place of n - 1."""
        ahead = self.num_rounds - 1 if self.horizon is None else self.horizon
        return self.num_generations * (1 + self.num_trajectories * ahead)
