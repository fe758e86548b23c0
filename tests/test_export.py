"""Merged export: the same model, as plain weights."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from motif_lib.models.export import base_name, merge
from motif_lib.models.load import TINY_FOLDER, load_model, lora_config

IDS = torch.arange(3, 43)[None]


@pytest.fixture
def adapter(tmp_path):
    """motif-tiny with an adapter that does something."""
    torch.manual_seed(0)
    model = get_peft_model(load_model()[0], lora_config(8))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def logits(model):
    with torch.no_grad():
        return model(IDS).logits.float()


def test_merged_logits_equal_the_adapters(adapter, tmp_path):
    merge(adapter, tmp_path / "merged", dtype="float32")
    merged, base = AutoModelForCausalLM.from_pretrained(tmp_path / "merged"), load_model()[0]
    expected = logits(load_model(adapter=adapter)[0])
    assert (logits(base) - expected).abs().max() > 0.1
    assert torch.allclose(logits(merged), expected, atol=1e-4)


def test_the_folder_is_complete_and_in_16_bit(adapter, tmp_path):
    merge(adapter, tmp_path / "merged")
    model, tokenizer = load_model(str(tmp_path / "merged"))
    saved = load_file(tmp_path / "merged" / "model.safetensors")
    assert {weight.dtype for weight in saved.values()} == {torch.bfloat16} and (
        tmp_path / "merged" / "model.safetensors"
    ).exists()
    expected = logits(load_model(adapter=adapter)[0])
    widened = logits(model.float())  # where the processor knows bfloat16, its activations would be rounded too
    assert (widened - expected).abs().mean() < 0.01 * expected.abs().mean()
    chat = [{"role": "user", "content": "Ann has 3 eggs."}]
    other = AutoTokenizer.from_pretrained(load_model()[1].name_or_path)
    assert tokenizer.apply_chat_template(chat, tokenize=False) == other.apply_chat_template(chat, tokenize=False)
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "rank 8" in card and "base_model: motif-tiny" in card and "bfloat16" in card
    assert not (tmp_path / "merged.part").exists()


def test_what_cannot_be_merged_is_one_line(adapter, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError, match="there exists: choose a new folder"):
        merge(adapter, tmp_path / "there")
    with pytest.raises(RuntimeError, match="holds no LoRA adapter"):
        merge(tmp_path / "there", tmp_path / "new")
    with pytest.raises(RuntimeError, match="cannot merge .* into /nowhere") as error:
        merge(adapter, tmp_path / "new", model="/nowhere")
    assert "\n" not in str(error.value) and not (tmp_path / "new").exists()
    (adapter / "adapter_model.safetensors").write_bytes(b"half")
    with pytest.raises(RuntimeError, match="cannot merge"):
        merge(adapter, tmp_path / "new")
    assert not (tmp_path / "new").exists() and not (tmp_path / "new.part").exists()


@pytest.mark.parametrize(
    "named, base",
    [
        ("/old/place/motif_lib/assets/motif-tiny", "motif-tiny"),
        ("unsloth/qwen2.5-3b-instruct-unsloth-bnb-4bit", "unsloth/qwen2.5-3b-instruct"),
        ("unsloth/Qwen2.5-7B-bnb-4bit", "unsloth/Qwen2.5-7B"),
        ("Qwen/Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-3B-Instruct"),
    ],
)
def test_the_base_of_an_adapter(named, base):
    assert base_name({"base_model_name_or_path": named}) == base


@pytest.mark.parametrize("text", ["[]", '"r"', "{", '{"peft_type": "PREFIX_TUNING"}'])
def test_a_folder_without_a_lora_adapter_is_one_line(tmp_path, text):
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(RuntimeError, match="holds no LoRA adapter"):
        merge(tmp_path, tmp_path / "new")


def test_a_full_disk_is_one_line_and_leaves_nothing(adapter, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr("transformers.PreTrainedModel.save_pretrained", full)
    with pytest.raises(RuntimeError, match="cannot write .*new: .*No space left"):
        merge(adapter, tmp_path / "new")
    assert not (tmp_path / "new").exists() and not (tmp_path / "new.part").exists()


def test_an_adapter_without_a_base_is_one_line():
    with pytest.raises(RuntimeError, match="name it with --model"):
        base_name({"base_model_name_or_path": None})


def test_the_export_command(adapter, tmp_path):
    from typer.testing import CliRunner

    from motif_lib.cli import app

    result = CliRunner().invoke(app, ["export", str(adapter), "--out", str(tmp_path / "merged")])
    assert (
        result.exit_code == 0 and json.loads((tmp_path / "merged" / "config.json").read_text())["dtype"] == "bfloat16"
    )


def with_adapter(folder, base, **settings):
    """An adapter that does something, on any base."""
    torch.manual_seed(0)
    model = get_peft_model(base, LoraConfig(r=4, task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weight.add_(torch.randn_like(weight) * 0.1)  # more would blow rounding up above 1e-4
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("settings", [
    {"target_modules": ["embed_tokens"]},
    {"target_modules": ["lm_head"]},
    {"target_modules": ["lm_head", "embed_tokens", "q_proj"]},
    {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    {"target_modules": ["q_proj", "embed_tokens"], "ensure_weight_tying": True},
])  # fmt: skip
def test_an_adapter_of_tied_tables_keeps_its_logits(tmp_path, settings):
    """Or is refused, and nothing is written."""
    adapter = with_adapter(tmp_path / "adapter", load_model()[0], **settings)
    expected = logits(load_model(adapter=adapter)[0])
    assert (logits(load_model()[0]) - expected).abs().max() > 0.1
    try:
        merge(adapter, tmp_path / "merged", dtype="float32")
    except RuntimeError as error:
        assert "give other logits than the adapter" in str(error) and not (tmp_path / "merged").exists()
        assert settings.get("ensure_weight_tying"), "only what ties by itself may be refused"
        return
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged")), expected, atol=1e-4)


def resized(folder, name="motif-tiny", **changes):
    """A random model like motif-tiny in a folder of that name, with another shape."""
    config = AutoConfig.from_pretrained(TINY_FOLDER)
    config.update(changes | ({"layer_types": None} if "num_hidden_layers" in changes else {}))
    config.layer_types = ["full_attention"] * config.num_hidden_layers
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / name)
    load_model()[1].save_pretrained(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("layers", [2, 6])
def test_an_adapter_of_a_base_with_other_layers_is_refused(adapter, tmp_path, layers):
    with pytest.raises(RuntimeError, match="cannot merge .*trained on another base.*layers") as error:
        merge(adapter, tmp_path / "new", model=resized(tmp_path, num_hidden_layers=layers))
    assert "\n" not in str(error.value) and not list(tmp_path.glob("new*"))


def test_a_base_of_another_name_is_refused(adapter, tmp_path):
    with pytest.raises(RuntimeError, match="trained on motif-tiny: leave out --model") as error:
        merge(adapter, tmp_path / "new", model=resized(tmp_path, "other"))
    assert "\n" not in str(error.value) and not list(tmp_path.glob("new*"))


def without(file, word):
    """A safetensors file loses a tensor."""
    weights = load_file(file)
    del weights[next(name for name in weights if word in name)]
    save_file(weights, file, {"format": "pt"})


def test_a_tensor_missing_from_the_base_or_the_adapter_is_refused(adapter, tmp_path):
    base = tmp_path / "base" / "motif-tiny"
    shutil.copytree(TINY_FOLDER, base)
    without(base / "model.safetensors", "layers.2.mlp.up_proj")
    with pytest.raises(RuntimeError, match="cannot merge .*files lack model.layers.2.mlp.up_proj.weight"):
        merge(adapter, tmp_path / "new", model=str(base))
    without(adapter / "adapter_model.safetensors", "layers.1.")
    with pytest.raises(RuntimeError, match="cannot merge .*is not whole: see .*layers.1."):
        merge(adapter, tmp_path / "new")
    assert not list(tmp_path.glob("new*"))


def test_the_revision_that_the_adapter_names_is_loaded(adapter, tmp_path, monkeypatch):
    asked = []
    settings = json.loads((adapter / "adapter_config.json").read_text())
    settings |= {"base_model_name_or_path": "org/small", "revision": "abc"}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    monkeypatch.setattr("motif_lib.models.export.load_tokenizer", lambda *given: asked.append(given))
    monkeypatch.setattr("motif_lib.models.export.load_whole", lambda *given: asked.append(given) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        merge(adapter, tmp_path / "new")
    assert asked == [("org/small", "abc")] * 2


def test_a_place_that_cannot_be_written_is_found_before_the_model_is_loaded(adapter, tmp_path, monkeypatch):
    monkeypatch.setattr("motif_lib.models.export.load_whole", lambda *args: pytest.fail("loaded"))
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="cannot write .*choose another with --out"):
        merge(adapter, tmp_path / "file" / "new")
