"""A model in 4-bit or float16 is asked once whether it makes sense, and whether its adapter is in use."""

import pytest
import torch
from peft import get_peft_model

from motif_lib.models import load_model, lora_config
from motif_lib.samplers import coherence
from motif_lib.samplers.coherence import check_coherence
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler


@pytest.fixture
def policy():
    """motif-tiny in float16 with a fresh adapter, and its tokenizer."""
    model, tokenizer = load_model()
    return get_peft_model(model.half(), lora_config(8)).eval(), tokenizer


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("kind", [LocalSampler, GraphSampler])
def test_a_sound_policy_passes_and_is_left_as_it_was(policy, kind):
    model, tokenizer = policy
    sampler, before, drawn = kind(model, tokenizer, 60), weights(model), torch.get_rng_state()
    check_coherence(sampler, model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn) and (sampler.max_new_tokens, sampler.temperature) == (60, 1.0)


def test_nan_is_found(policy):
    model, tokenizer = policy
    model.get_base_model().model.layers[1].mlp.down_proj.weight.data[3, 3] = float("nan")
    with pytest.raises(RuntimeError, match="NaN or infinite logits: its weights are damaged or do not fit"):
        check_coherence(LocalSampler(model, tokenizer, 60), model)


def test_one_token_over_and_over_is_found(policy, monkeypatch):
    model, tokenizer = policy
    monkeypatch.setattr(LocalSampler, "sample_ids", lambda self, prompts: [[7] * self.max_new_tokens for _ in prompts])
    with pytest.raises(RuntimeError, match="one token over and over: its 4-bit weights were unpacked wrongly"):
        check_coherence(LocalSampler(model, tokenizer, 60), model)


def test_an_adapter_that_is_not_in_use_is_found(policy):
    model, tokenizer = policy
    sampler = GraphSampler(model, tokenizer, 60)
    sampler.merged.merged.clear()  # its copy stays the base
    with pytest.raises(RuntimeError, match="^GraphSampler answers without the adapter"):
        check_coherence(sampler, model)
    model.disable_adapter_layers()
    with pytest.raises(RuntimeError, match="^the model answers without the adapter"):
        check_coherence(LocalSampler(model, tokenizer, 60), model)


def test_only_fragile_models_are_checked(policy, monkeypatch):
    model, tokenizer = policy
    asked = []
    monkeypatch.setattr(coherence, "next_logits", lambda *args: asked.append(args))
    check_coherence(LocalSampler(model, tokenizer, 60), model.bfloat16())
    assert not asked
    model.config.quantization_config = {"load_in_4bit": True}
    with pytest.raises(AttributeError):  # None has no logits: it was asked
        check_coherence(LocalSampler(model, tokenizer, 60), model)
    assert asked


def test_without_an_adapter_there_is_no_canary(policy, monkeypatch):
    _, tokenizer = policy
    model, _ = load_model()
    monkeypatch.setattr(coherence, "canary", None)
    check_coherence(LocalSampler(model.half(), tokenizer, 60), model)


def test_a_run_begins_with_the_check(tmp_path, monkeypatch):
    from dataclasses import replace

    from motif_lib.training import runs
    from motif_lib.training.recipe import load_recipe

    def fail(sampler, policy):
        raise RuntimeError("senseless")

    monkeypatch.setattr("motif_lib.samplers.coherence.check_coherence", fail)
    recipe = replace(load_recipe("cpu"), questions=8)
    with pytest.raises(RuntimeError, match="after step 0: senseless"):
        runs.train_run(recipe.with_train(per_device_train_batch_size=8, max_steps=1), tmp_path / "run")
