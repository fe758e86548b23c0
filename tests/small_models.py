"""Every causal architecture of Transformers, made small: a config with one layer of each kind and tiny sizes."""

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from motif_lib.models.load import attention_for

MOST_WEIGHTS = 6_000_000
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


SPECIAL = {
    "bamba": {"attn_layer_indices": [1]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "recurrent_gemma": {"num_hidden_layers": 3, "block_types": ["recurrent", "recurrent", "attention"]},
    **dict.fromkeys(["axk2", "deepseek_v32", "glm_moe_dsa"], {"layer_types": ["deepseek_sparse_attention"] * 2}),
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": WINDOW},
}


def small_config(name: str):
    """The architecture's config with small sizes, and one layer of each kind that it has by default."""
    kind = CONFIG_MAPPING[name]
    default = kind()
    sizes = {key: value for key, value in SIZES.items() if settable(default, key)}
    if settable(default, "kv_lora_rank"):
        sizes["num_key_value_heads"] = SIZES["num_attention_heads"]
    if settable(default, "num_hidden_layers"):
        kinds = list(dict.fromkeys(getattr(default, "layer_types", None) or ["full_attention"]))
        others = ["linear_attention" if kind == "conv" else kind for kind in kinds if kind != "full_attention"]
        kinds = [*others, "full_attention", "full_attention"][: max(2, len(kinds))]
        sizes["num_hidden_layers"] = len(kinds)
        if settable(default, "layer_types"):
            sizes["layer_types"] = kinds
    return kind(**sizes | SPECIAL.get(name, {}))


def small_model(name: str):
    """A random model of this architecture, with the attention that loading gives it, and sure of its next token.

    Raises:
        MemoryError: if its config knows its sizes by other names, so that it stays large.
    """
    config = small_config(name)
    with torch.device("meta"):
        weights = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    if weights > MOST_WEIGHTS:
        raise MemoryError(f"{weights / 1e6:.0f} M weights")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention_for(config)).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def settable(config, key: str) -> bool:
    """Has a config this field, and not as something that it works out?"""
    own = getattr(type(config), config.attribute_map.get(key, key), None)
    try:
        return hasattr(config, key) and not (isinstance(own, property) and own.fset is None)
    except ValueError:
        return True
