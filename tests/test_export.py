"""Merged export: the same model, as plain weights."""

import json

import pytest
import torch
from peft import get_peft_model
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from motif_lib.models.export import base_name, merge
from motif_lib.models.load import load_model, lora_config

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
    assert model.dtype is torch.bfloat16 and (tmp_path / "merged" / "model.safetensors").exists()
    expected = logits(load_model(adapter=adapter)[0])
    assert (logits(model) - expected).abs().mean() < 0.01 * expected.abs().mean()
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
def test_what_is_no_lora_adapter_is_one_line(tmp_path, text):
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
