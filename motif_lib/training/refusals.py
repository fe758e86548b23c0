"""What a training refuses in one line: settings and arguments that would have no effect, or that cannot work together.

The config refuses what it sees by itself, `MotifTrainer` what only the model, the data and the launcher show.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from motif_lib.carry import chat_of

ORDER = "TRL draws whole groups: choose with shuffle_dataset and seed"
UNUSED = {  # what to do instead of setting a field that nothing here reads, or only the round that is trained
    "set temperature, top_p, top_k, min_p or repetition_penalty, which hold in every round": """
        generation_kwargs vllm_sampling_params vllm_structured_outputs_regex""",
    "the samplers batch by themselves and keep a cache of their own: choose one with sampler": """
        cache_implementation use_transformers_continuous_batching transformers_continuous_batching_config
        use_transformers_paged""",
    "every process samples with the whole model: train in several processes with DDP": """
        deepspeed fsdp fsdp_config parallelism_config ds3_gather_for_generation""",
    ORDER: "train_sampling_strategy length_column_name",
    "an evaluation measures rewards and keeps no predictions": """
        include_for_metrics batch_eval_metrics prediction_loss_only do_predict eval_accumulation_steps
        eval_do_concat_batches eval_use_gather_object""",
    "the loss has no labels": "label_names label_smoothing_factor",
    "TRL averages the loss by loss_type": "average_tokens_across_devices",
    "TRL counts and logs num_tokens": "include_num_input_tokens_seen",
    "replies call no tools": "max_tool_calling_iterations",
    "the rewards read the columns question, gold and task": "remove_unused_columns",
    "call MotifTrainer.train(resume_from_checkpoint=...)": "resume_from_checkpoint",
}


def check(ok: Any, message: str) -> None:
    """Raise a ValueError with this message unless all is well."""
    if not ok:
        raise ValueError(message)


def check_used(args: Any) -> None:
    """Refuse a field that is set and would have no effect."""
    instead = {name: cure for cure, names in UNUSED.items() for name in names.split()}
    for each in fields(args):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        value = getattr(args, each.name)
        unused = each.name in instead and value != default and (value or default is True)
        check(not unused, f"{each.name}={value!r:.80} would have no effect: {instead.get(each.name)}")
    data_seed, seed = args.data_seed, args.seed
    check(data_seed in (None, seed), f"data_seed={data_seed} would have no effect beside seed={seed}: {ORDER}")


def check_vllm(args: Any) -> None:
    """Refuse replies of one group with prompts of their own, because TRL's vLLM gives a group one prompt."""
    check(
        not (args.credit == "all" and args.use_vllm),
        "credit='all' gives each reply of a group a prompt of its own, TRL's vLLM samples one prompt a group: set "
        "use_vllm=False, or leave out fast_inference",
    )


def check_budget(args: Any) -> None:
    """Refuse a budget of nothing; and None, all the room in the window, beside what needs a number."""
    budget = args.max_completion_length
    check(budget is None or budget >= 1, f"max_completion_length={budget}: a reply needs a budget of tokens")
    number = "give max_completion_length as a number"
    check(budget or args.loss_type != "dr_grpo", f"loss_type='dr_grpo' divides by the budget: {number}")
    check(budget or not args.use_vllm, f"TRL's vLLM needs a budget: {number}, or set use_vllm=False")


def check_carry(args: Any, carry: Any) -> None:
    """Refuse settings under which a call that writes the notes would be trained on nothing."""
    asks, trained = bool(chat_of(carry)), args.trained_tokens
    check(
        not (asks and trained == "note" and args.credit == "first"),
        "trained_tokens='note' with credit='first' would train nothing: with this carry a call of its own writes the "
        "notes, and round 1's reply alone is trained; set credit='all'",
    )
    check(
        not (asks and trained != "reasoning" and args.credit != "first" and args.horizon == 0),
        "horizon=0: no round reads a note, and with this carry the call that writes it is trained; set horizon=1 or "
        "more, or trained_tokens='reasoning'",
    )


def check_precision(args: Any, asked: tuple[bool, bool]) -> None:
    """Raise a ValueError if Unsloth's trainer has taken another precision: a recipe would not say what ran."""
    if (args.bf16, args.fp16) != asked:
        raise ValueError(f"Unsloth trains this model with bf16={args.bf16} and fp16={args.fp16}: set them so")


def check_arguments(model: Any, peft_config: Any = None, **given: Any) -> None:
    """Refuse arguments of `GRPOTrainer` that only the trained round would follow, and a model with nothing to train."""
    for name in ("tools", "environment_factory", "rollout_func"):
        check(not given.get(name), f"{name}: the later rounds would know nothing of it; leave it out")
    frozen = not isinstance(model, str) and not any(weight.requires_grad for weight in model.parameters())
    check(
        peft_config or not frozen,
        "no weight of the model is trainable: give a peft_config for a new adapter, or load the old one with "
        "PeftModel.from_pretrained(model, folder, is_trainable=True)",
    )


def check_trainer(trainer: Any) -> None:
    """Refuse what is known only once TRL, accelerate and Unsloth have done their part of a `MotifTrainer`."""
    from peft import PeftModel

    args, data = trainer.args, trainer.train_dataset
    check_budget(args)
    check_vllm(args)  # both again: for a model with a vLLM engine Unsloth has turned `use_vllm` on
    check(
        not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled),  # by the launcher
        "every process samples with the whole model: launch several processes with DDP",
    )
    check(
        args.rollout_policy == "current" or isinstance(trainer.policy, PeftModel),
        "rollout_policy='base' is the model without its adapter, and there is none: give a peft_config",
    )
    check(
        not hasattr(data, "__len__") or len(data) >= args.questions_per_step,
        f"the questions are fewer than the {args.questions_per_step} of one generation: add some, or lower "
        "per_device_train_batch_size or gradient_accumulation_steps",
    )
    if trainer.eval_dataset is not None:
        check_evaluation(trainer)


def check_evaluation(trainer: Any) -> None:
    """Refuse evaluation batches that tear groups apart."""
    rows, m = trainer.args.per_device_eval_batch_size, trainer.num_generations_eval
    check(
        rows % m == 0,
        f"per_device_eval_batch_size={rows} does not hold whole groups of {m}: make it a multiple of "
        "num_generations_eval",
    )
