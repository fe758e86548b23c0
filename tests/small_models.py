"""Every causal architecture of Transformers, made small: a config with one layer of each kind and tiny sizes."""

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

WINDOW = 8  # tokens of a sliding window or of a chunk
SIZES = dict(
    vocab_size=120, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=256, pad_token_id=0, bos_token_id=1, eos_token_id=2, head_dim=8, is_decoder=True,
    sliding_window=WINDOW, attention_chunk_size=WINDOW, rotary_dim=4, activation_function="gelu",
    num_experts=4, num_local_experts=4, n_routed_experts=4, num_experts_per_tok=2, num_experts_per_token=2, top_k=2,
    moe_intermediate_size=16, shared_expert_intermediate_size=16, moe_shared_expert_intermediate_size=16,
    n_shared_experts=1, n_group=1, topk_group=1, first_k_dense_replace=1, moe_topk=2, zero_expert_num=2,
    q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8, o_lora_rank=16,
    index_n_heads=2, index_head_dim=16, index_topk=16,
    mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_expand=2, mamba_chunk_size=4, mamba_d_ssm=64,
    mamba_num_heads=4, mamba_head_dim=16, ssm_state_size=8, n_groups=1, mamba_n_groups=1, mamba_dt_rank=4,
    time_step_rank=4, chunk_size=8, conv_kernel=4, lru_width=32, n_mamba_heads=2,
    linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
    n_embd=32, n_head=4, n_inner=48, n_layer=2, n_positions=256, d_model=32, decoder_layers=2, encoder_layers=2,
    decoder_attention_heads=4, encoder_attention_heads=4, decoder_ffn_dim=48, encoder_ffn_dim=48, ffn_dim=48,
    vocab_size_per_layer_input=120, hidden_size_per_layer_input=8,
)  # fmt: skip


def small_config(name: str, **changes):
    """The architecture's config with small sizes, and one layer of each kind that it has by default."""
    kind = CONFIG_MAPPING[name]
    default = kind()
    sizes = {key: value for key, value in SIZES.items() if settable(default, key)}
    if settable(default, "num_hidden_layers"):
        kinds = list(dict.fromkeys(getattr(default, "layer_types", None) or ["full_attention"]))
        kinds = ["linear_attention" if kind == "conv" else kind for kind in kinds]
        kinds = [*[layer for layer in kinds if layer != "full_attention"], *["full_attention"] * 2][
            : max(2, len(kinds))
        ]
        sizes["num_hidden_layers"] = len(kinds)
        if settable(default, "layer_types"):
            sizes["layer_types"] = kinds
    return kind(**sizes | changes)


def settable(config, key: str) -> bool:
    """Has a config this field, and not as something that it works out?"""
    own = getattr(type(config), key, None)
    try:
        return hasattr(config, key) and not (isinstance(own, property) and own.fset is None)
    except ValueError:
        return True
