"""Every causal architecture that Transformers has: the default sampler gives what `generate` gives one at a time."""

import pytest
import torch
from small_models import small_model
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from motif_lib.models.load import load_model
from motif_lib.samplers.choose import make_sampler
from motif_lib.samplers.generate import GenerateSampler, until
from motif_lib.samplers.local import LocalSampler

FAST = set("bloom gemma2 gemma3_text gpt_oss lfm2 llama mamba mistral qwen2 qwen3_5_text rwkv".split())
LENGTHS = (3, 20, 5, 11, 33, 17, 9, 26, 14, 30)  # most are longer than the window of 8
REASONS = {  # why an architecture cannot be made small from the fields in small_models
    "joins a tower for images or sound to a text model, of which most are tested by themselves": """
        emu3 gemma3 gemma3n gemma4 gemma4_unified git got_ocr2 llama4 mllama musicgen musicgen_melody phi4_multimodal
        qwen3_5 qwen3_5_moe qwen4_exp""",
    "has its sizes under names of its own and stays large": "blt longcat_flash roc_bert",
    "drafts for another model and answers nobody": "gemma4_assistant gemma4_unified_assistant",
    "checks sizes and layers against others of its own": """
        cohere_compass_text dbrx gemma3n_text gemma4_text gemma4_unified_text hy_v4 prophetnet qwen4_exp_text reformer
        xlnet xlstm zamba zamba2 zaya""",
}
UNMADE = {name: reason for reason, names in REASONS.items() for name in names.split()}


@pytest.fixture(scope="module")
def prompts():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, 100, (length,), generator=generator).tolist() for length in LENGTHS]


def alone(model, prompt, budget, stop):
    ids = torch.tensor([prompt])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=budget, do_sample=False,
                         eos_token_id=stop, pad_token_id=0)  # fmt: skip
    return until(out[0, len(prompt) :].tolist(), stop)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in FAST else pytest.mark.slow)
        for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        if name not in UNMADE
    ],
)
def test_greedy_replies_equal_generate_one_at_a_time(name, prompts, tokenizer):
    model = small_model(name)
    sampler = make_sampler(model, tokenizer, 10, 0.0)
    replies = [alone(model, prompt, 10, sampler.stop.tolist()) for prompt in prompts]
    assert sampler.sample_ids(prompts) == replies and sampler.sample_ids(prompts[::-1]) == replies[::-1]


def test_architectures_too_large_to_try_still_exist():
    assert UNMADE.keys() <= MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()


@pytest.mark.parametrize("name", ["bloom", "gpt_oss", "mamba", "mistral", "qwen2"])
def test_they_load_on_a_cpu_and_answer(name, tmp_path, tokenizer, prompts):
    """An attention that a model does not support would refuse it."""
    small_model(name).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model, loaded = load_model(str(tmp_path))
    sampler = make_sampler(model, loaded, 4, 0.0)
    assert type(sampler) is (LocalSampler if name == "qwen2" else GenerateSampler)
    assert sampler.sample_ids(prompts[:2]) == [alone(model, p, 4, sampler.stop.tolist()) for p in prompts[:2]]


@pytest.mark.parametrize("name", ["mistral", "mamba", "bert"])
def test_what_local_sampler_would_get_wrong_it_refuses(name, tokenizer):
    with pytest.raises(ValueError, match=f"^{name} is not known to attend to all tokens in every layer: use make_sam"):
        LocalSampler(without_a_mask(small_model(name)), tokenizer, 4)


def without_a_mask(model):
    """BERT reads both ways unless it is told otherwise."""
    model.config.is_decoder = False
    return model
