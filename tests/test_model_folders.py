"""What people name as a model or an adapter and what is none: one line that says what to name, in every command."""

import json
import sys

import pytest
import yaml
from peft import get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from motif_lib.cli import main
from motif_lib.evaluate import evaluate
from motif_lib.models.load import load_model, load_tokenizer, lora_config
from motif_lib.protocol import NO_NOTE, messages
from motif_lib.records import Question
from motif_lib.samplers.local import LocalSampler


@pytest.fixture
def here(tmp_path, random_model, tokenizer):
    """Folders of many kinds; `run` holds an adapter of another model, `begun` none yet."""
    for name in ("model", "no-template", "no-tokens"):
        random_model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    bare = load_tokenizer(str(tmp_path / "model"))
    bare.chat_template = None
    (tmp_path / "no-template" / "chat_template.jinja").unlink()
    bare.save_pretrained(tmp_path / "no-template")
    bare = load_tokenizer(str(tmp_path / "model"))
    bare.pad_token = bare.eos_token = None
    bare.save_pretrained(tmp_path / "no-tokens")
    other = Qwen2Config(**{**random_model.config.to_dict(), "hidden_size": 64})
    policy = get_peft_model(Qwen2ForCausalLM(other), lora_config(4))
    policy.peft_config["default"].base_model_name_or_path = "org/other"
    policy.save_pretrained(tmp_path / "run" / "adapter", save_embedding_layers=False)
    for name in ("run", "begun"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "settings.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture
def motif(monkeypatch):
    """Run a command that fails: the line it ends with."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["motif", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, str) and "\n" not in ended.value.code, ended.value.code
        return ended.value.code

    return run


MODELS = {
    "run": "run is a run folder, not a model: name org/other as the model and {0}/run/adapter as the adapter",
    "run/adapter": "adapter is an adapter, not a model: name org/other as the model and {0}/run/adapter as the adapter",
    "begun": "is a run folder without an adapter yet: its training has not come to its end",
    "empty": "the folder holds no model",
    "nowhere": "there is no such folder",
    "no-template": "no chat template: take an instruct model, or set chat_template in tokenizer_config.json",
    "no-tokens": "its tokenizer has neither a padding nor an end token: name them in tokenizer_config.json",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_that_is_no_model_is_one_line_in_every_command(here, motif, name, monkeypatch):
    if not name.startswith("no-"):  # the Hub is not asked
        monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *a, **k: pytest.fail("asked"))
    folder, small = here / name, {"max_steps": 1, "use_cpu": True, "bf16": False, "report_to": "none"}
    recipe = {"model": str(folder), "task": "ledger", "questions": 4, "train": small}
    (here / "mine.yaml").write_text(yaml.safe_dump(recipe))
    for command in (
        ["think", "How many?", "--model", folder],
        ["eval", "--size", 1, "--model", folder],
        ["signal", folder, "ledger", "--size", 1],
        ["train", here / "mine.yaml", "--out", here / "out"],
    ):
        assert MODELS[name].format(here) in motif(*command), command
    assert not (here / "out").exists()


ADAPTERS = {
    "run": "run holds no LoRA adapter: it is a run folder, name {0}/run/adapter",
    "run/adapter": "it was made for another model, org/other, not for {0}/model: the weights have other sizes",
    "model": "model holds no LoRA adapter: it is a model, name it as the model",
    "empty": "empty holds no LoRA adapter: name a folder with adapter_config.json",
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_folder_that_is_no_adapter_of_the_model_is_one_line(here, name):
    with pytest.raises(RuntimeError) as error:
        load_model(str(here / "model"), here / name)
    assert ADAPTERS[name].format(here) in str(error.value) and "\n" not in str(error.value)


def test_an_adapter_of_the_package_names_motif_tiny(here):
    settings = json.loads((here / "run" / "adapter" / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "/elsewhere/assets/motif-tiny"
    (here / "run" / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(RuntimeError, match="name motif-tiny as the model"):
        load_tokenizer(str(here / "run"))


def test_a_name_of_the_hub_goes_to_the_hub(monkeypatch):
    asked = []
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda name, **how: asked.append(name) or 1 / 0)
    for name in ("gpt2", "org/model-1.5"):
        with pytest.raises(ZeroDivisionError):
            load_tokenizer(name)
    assert asked == ["gpt2", "org/model-1.5"]


TOO_LONG = (
    "1 of 2 questions and a budget of 8 tokens do not fit the window of 256: the longest prompt alone has {} tokens, "
    "the shortest note included; take shorter questions, or a model with a window of {}"
)


def test_questions_that_do_not_fit_are_one_line_before_anything_is_sampled(random_model, tokenizer):
    sampler = LocalSampler(random_model, tokenizer, 8)
    sampler.sample_ids = lambda prompts: pytest.fail("sampled")
    questions = [Question("Ann has 3 eggs.", "3"), Question("Ann has 3 eggs. " * 60, "3")]
    with pytest.raises(ValueError) as error:
        evaluate(questions, sampler, progress=False)
    (asked,) = sampler.render([messages("Ann has 3 eggs. " * 60, 3, 3, NO_NOTE)])
    assert str(error.value) == TOO_LONG.format(len(asked), len(asked) + 8)


def test_a_training_on_questions_that_do_not_fit_does_not_begin(motif, tmp_path):
    (tmp_path / "ledger.yaml").write_text(yaml.safe_dump({"extends": "cpu", "train": {"max_completion_length": 300}}))
    said = motif("train", tmp_path / "ledger.yaml", "--out", tmp_path / "run")
    assert (
        "320 of 320 questions and a budget of 300 tokens do not fit the window of 196: the longest prompt has" in said
    )
    assert "the shortest note included; lower the budget to" in said
    assert not (tmp_path / "run").exists()
