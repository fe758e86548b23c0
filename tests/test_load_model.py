"""What may be wrong with weights, adapters and tokenizers that others made: one line each, or it works."""

import warnings

import pytest
import torch
from peft import get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Qwen2ForCausalLM

from motif_lib.models.chat import prepare
from motif_lib.models.load import load_model, load_tokenizer, lora_config
from motif_lib.protocol import messages
from motif_lib.samplers.local import LocalSampler


@pytest.fixture
def folder(tmp_path, random_model, tokenizer):
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def one_line(error):
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


@pytest.mark.parametrize("lost", ["model.layers.1.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight"])
def test_a_tensor_that_is_missing_is_no_random_layer(folder, lost):
    weights = load_file(folder / "model.safetensors")
    del weights[lost]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RuntimeError, match="its files lack ") as error:
        load_model(str(folder))
    assert lost in one_line(error)


def test_tied_weights_are_not_missing(folder, random_model):
    random_model.config.tie_word_embeddings = True
    tied = Qwen2ForCausalLM(random_model.config).eval()
    tied.save_pretrained(folder)
    assert "lm_head.weight" not in load_file(folder / "model.safetensors")
    ids = torch.arange(9)[None]
    assert torch.allclose(load_model(str(folder))[0](ids).logits, tied(ids).logits, atol=1e-5)


def adapter_of(config, tmp_path, base="model"):
    policy = get_peft_model(Qwen2ForCausalLM(config), lora_config(4))
    policy.peft_config["default"].base_model_name_or_path = base
    policy.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.parametrize("change", [{"num_hidden_layers": 1}, {"num_hidden_layers": 3}, {"hidden_size": 64}], ids=str)
def test_an_adapter_of_another_model_is_refused(folder, tmp_path, random_model, change):
    config = type(random_model.config)(**{**random_model.config.to_dict(), "layer_types": None, **change})
    with pytest.raises(RuntimeError, match="cannot load .*adapter: ") as error:
        load_model(str(folder), adapter_of(config, tmp_path))
    one_line(error)


@pytest.mark.parametrize(
    "base, warned", [("/elsewhere/model", False), ("owner/Model-bnb-4bit", False), ("other", True)]
)
def test_a_base_of_another_name_is_a_warning_and_of_another_path_none(folder, tmp_path, random_model, base, warned):
    adapter = adapter_of(random_model.config, tmp_path, base)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        load_model(str(folder), adapter)
    assert any("was trained on other" in str(warning.message) for warning in seen) == warned


def test_without_a_padding_token_the_end_token_pads(folder, random_model, tokenizer):
    expected = LocalSampler(random_model, tokenizer, 8, 0)([messages("Ann has 3 eggs.", 1, 3), messages("Ann", 2, 3)])
    bare = load_tokenizer(str(folder))
    bare.pad_token = None
    bare.save_pretrained(folder)
    model, loaded = load_model(str(folder))
    assert loaded.pad_token_id == loaded.eos_token_id and loaded.padding_side == "left"
    chats = [messages("Ann has 3 eggs.", 1, 3), messages("Ann", 2, 3)]
    assert LocalSampler(model, loaded, 8, 0)(chats) == expected
    assert LocalSampler(model, bare, 8, 0)(chats) == expected


def test_a_tokenizer_without_an_end_is_one_line(folder, random_model):
    bare = load_tokenizer(str(folder))
    bare.pad_token = bare.eos_token = None
    with pytest.raises(ValueError, match="neither a padding nor an end token") as error:
        prepare(bare)
    one_line(error)
    random_model.generation_config.eos_token_id = None
    with pytest.raises(ValueError, match="no token ends a reply: set tokenizer.eos_token") as error:
        LocalSampler(random_model, bare, 8)
    one_line(error)


def test_a_tokenizer_without_a_chat_template_is_one_line(folder, random_model):
    bare = load_tokenizer(str(folder))
    bare.chat_template = None
    with pytest.raises(ValueError, match="has no chat template: take an instruct model, or set") as error:
        LocalSampler(random_model, prepare(bare), 8)
    one_line(error)


def capable(monkeypatch, *names):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(names, True), raising=False)


def said(capsys):
    """What we wrote, without the bar of Transformers."""
    return [line for line in capsys.readouterr().err.splitlines() if "float" in line]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bit_weights_become_float32_where_the_processor_cannot_calculate_with_them(
    folder, random_model, monkeypatch, capsys, dtype
):
    random_model.to(getattr(torch, dtype)).save_pretrained(folder)
    capable(monkeypatch, "avx512_vnni")
    model = load_model(str(folder))[0]
    assert model.dtype is torch.float32
    expected = {name: weight.float() for name, weight in random_model.state_dict().items()}
    assert all(torch.equal(weight, expected[name]) for name, weight in model.state_dict().items())
    assert said(capsys) == [f"loaded in float32, 0.0 GB: this processor cannot calculate with {dtype}"]
    capable(monkeypatch, "avx512_bf16", "avx512_fp16")
    assert load_model(str(folder))[0].dtype is getattr(torch, dtype) and said(capsys) == []


@pytest.mark.parametrize("sampling", [True, False], ids=["sampler", "trainer"])
def test_the_output_layer_of_16_bit_weights_gets_states_without_gaps(folder, random_model, monkeypatch, sampling):
    """With gaps PyTorch copies the vocabulary's weights for every row; the logits stay what they are."""
    random_model.bfloat16().save_pretrained(folder)
    capable(monkeypatch, "avx512_bf16")
    seen, (model, tokenizer) = [], load_model(str(folder))
    monkeypatch.setattr(model.lm_head, "forward", lambda x: seen.append(x) or torch.nn.functional.linear(x, weights))
    weights = model.lm_head.weight
    if sampling:
        LocalSampler(model, tokenizer, 2)([messages(f"Ann has {i} eggs.", 1, 3) for i in range(4)])
        assert seen[-2].shape == (4, 1, 32)
    else:
        ids = torch.randint(4, 99, (3, 9))
        logits = model(input_ids=ids, logits_to_keep=4).logits
        assert torch.equal(logits, model(input_ids=ids).logits[:, -4:]) and seen[0].shape == (3, 4, 32)
    assert all(states.is_contiguous() for states in seen)


def test_16_bit_weights_stay_where_float32_does_not_fit(folder, random_model, monkeypatch, capsys):
    import psutil

    random_model.bfloat16().save_pretrained(folder)
    capable(monkeypatch)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
    assert load_model(str(folder))[0].dtype is torch.bfloat16
    assert said(capsys) == ["bfloat16 is slow on this processor, but float32 needs 0.0 GB and 0.0 GB are free"]


def test_float32_weights_are_loaded_without_a_word(folder, monkeypatch, capsys):
    capable(monkeypatch)
    assert load_model(str(folder))[0].dtype is torch.float32 and said(capsys) == []
