"""Every field of `MotifConfig`, TRL's and Transformers' own included, has its effect or is refused in one line."""

import re
from dataclasses import fields
from inspect import getsource
from pathlib import Path

import pytest
import transformers
from test_trainer import settings
from trl.trainer import callbacks, grpo_config, grpo_trainer

from motif_lib.training import config, switches, trainer
from motif_lib.training.config import MotifConfig
from motif_lib.training.refusals import UNUSED

MODULES = (grpo_config, grpo_trainer, callbacks, config, switches, trainer)
REFUSED = {  # field: a value other than its default
    "generation_kwargs": {"num_beams": 4}, "vllm_structured_outputs_regex": "[0-9]+", "cache_implementation": "static",
    "use_transformers_continuous_batching": True, "transformers_continuous_batching_config": {"block_size": 32},
    "use_transformers_paged": True, "deepspeed": {"zero_optimization": {"stage": 3}}, "fsdp": "full_shard",
    "fsdp_config": {"min_num_params": 1}, "parallelism_config": "tp", "ds3_gather_for_generation": False,
    "train_sampling_strategy": "group_by_length", "length_column_name": "size", "label_names": ["gold"],
    "label_smoothing_factor": 0.1, "include_for_metrics": ["loss"], "batch_eval_metrics": True,
    "prediction_loss_only": True, "do_predict": True, "eval_accumulation_steps": 2, "eval_do_concat_batches": False,
    "eval_use_gather_object": True, "average_tokens_across_devices": False, "include_num_input_tokens_seen": "all",
    "max_tool_calling_iterations": 2, "remove_unused_columns": True, "resume_from_checkpoint": "checkpoint-5",
    "data_seed": 5, "auto_find_batch_size": True,  # the last by TRL
}  # fmt: skip
EVERY_ROUND = """
    temperature top_p top_k min_p repetition_penalty chat_template_kwargs max_completion_length""".split()
OURS = """
    num_rounds num_trajectories credit rollout_policy early_stop later_temperature later_top_p outcome_reward
    rollout_batch_size sampler traced_questions trained_tokens note_reward horizon efficiency control""".split()
GROUPS = """
    num_generations num_generations_eval generation_batch_size steps_per_generation shuffle_dataset seed""".split()
TRL = """
    model_init_kwargs trust_remote_code router_aux_loss_coef disable_dropout cast_lm_head_to_fp32 pad_to_multiple_of
    beta num_iterations epsilon delta epsilon_high sapo_temperature_neg sapo_temperature_pos vespo_k_pos
    vespo_lambda_pos vespo_k_neg vespo_lambda_neg importance_sampling_level reward_weights multi_objective_aggregation
    scale_rewards loss_type mask_truncated_completions sync_ref_model ref_model_mixup_alpha ref_model_sync_steps
    top_entropy_quantile entropy_coef use_adaptive_entropy entropy_coef_min entropy_coef_max entropy_coef_delta
    entropy_target off_policy_mask_threshold use_bias_correction_kl log_completions log_multimodal
    num_completions_to_print log_unique_prompts log_completions_hub_repo use_liger_kernel""".split()
TRL_WITH_VLLM = """
    use_vllm vllm_mode vllm_model_impl vllm_enable_sleep_mode vllm_server_base_url vllm_server_host vllm_server_port
    vllm_server_timeout vllm_group_port vllm_gpu_memory_utilization vllm_max_model_length vllm_tensor_parallel_size
    vllm_importance_sampling_correction vllm_importance_sampling_mode vllm_importance_sampling_clip_max
    vllm_importance_sampling_clip_min vllm_importance_sampling_cap""".split()
TRAINER = """
    accelerator_config adam_beta1 adam_beta2 adam_epsilon bf16 bf16_full_eval dataloader_drop_last dataloader_in_order
    dataloader_multiprocessing_context dataloader_num_workers dataloader_persistent_workers dataloader_pin_memory
    dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters
    ddp_static_graph ddp_timeout debug disable_tqdm do_eval enable_jit_checkpoint eval_delay eval_on_start eval_steps
    eval_strategy fp16 fp16_full_eval full_determinism gradient_accumulation_steps gradient_checkpointing
    gradient_checkpointing_kwargs greater_is_better hub_always_push hub_model_id hub_private_repo hub_revision
    hub_strategy hub_token ignore_data_skip learning_rate liger_kernel_config load_best_model_at_end log_level
    log_level_replica log_on_each_node logging_first_step logging_nan_inf_filter logging_steps logging_strategy
    lr_scheduler_kwargs lr_scheduler_type max_grad_norm max_steps metric_for_best_model neftune_noise_alpha
    num_train_epochs optim optim_args optim_target_modules output_dir per_device_eval_batch_size
    per_device_train_batch_size project push_to_hub report_to restore_callback_states_from_checkpoint run_name
    save_on_each_node save_only_model save_steps save_strategy save_total_limit skip_memory_metrics tf32 torch_compile
    torch_compile_backend torch_compile_mode torch_empty_cache_steps trackio_bucket_id trackio_space_id
    trackio_static_space_id use_cache use_cpu warmup_steps weight_decay""".split()
SCRIPTS = "do_train local_rank".split()  # what a launcher or a script sets; training is what happens anyway


def test_every_field_is_in_one_place_of_the_table():
    names = [*REFUSED, *EVERY_ROUND, *OURS, *GROUPS, *TRL, *TRL_WITH_VLLM, *TRAINER, *SCRIPTS]
    known = {field.name for field in fields(MotifConfig)}
    assert sorted(known - set(names)) == [], "new fields: find out who reads them, or refuse them"
    assert sorted(set(names) - known) == [] and len(names) == len(set(names))


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_without_effect_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=name) as error:
        settings(tmp_path, **{name: REFUSED[name]})
    assert "\n" not in str(error.value)


def test_nothing_else_is_refused():
    listed = {name for names in UNUSED.values() for name in names.split()}
    assert listed - {field.name for field in fields(MotifConfig)} == {"vllm_sampling_params"}  # a field of Unsloth's
    assert listed - {"vllm_sampling_params"} == REFUSED.keys() - {"data_seed", "auto_find_batch_size"}


def test_a_field_at_its_default_is_no_fault(tmp_path):
    plain = settings(tmp_path)
    settings(tmp_path, **{name: getattr(plain, name) for name in REFUSED})
    settings(tmp_path, generation_kwargs={}, include_num_input_tokens_seen=False, seed=7, data_seed=7)


@pytest.fixture(scope="module")
def readers():
    """The source of whoever reads settings: Transformers' trainer, TRL's, and ours."""
    folder = Path(transformers.__file__).parent
    files = [*folder.glob("train*.py"), *(folder / "integrations").glob("*.py")]
    return "".join([path.read_text(encoding="utf-8") for path in files] + [getsource(module) for module in MODULES])


@pytest.mark.parametrize("name", [*EVERY_ROUND, *OURS, *GROUPS, *TRL, *TRL_WITH_VLLM, *TRAINER])
def test_somebody_reads_what_is_not_refused(readers, name):
    assert re.search(rf"(args|self)\.{name}\b", readers), f"no trainer reads {name} any more"
