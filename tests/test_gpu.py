"""The Unsloth side without a GPU: a stand-in package, and the signatures of the pinned wheel."""

import ast
import importlib.machinery
import inspect
import os
import subprocess
import sys
import types
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from peft import get_peft_model

from motif_lib.models import unsloth as gpu
from motif_lib.models.load import LORA_TARGETS, load_model, lora_config, with_lora
from motif_lib.models.memory import GIB
from motif_lib.samplers import choice
from motif_lib.samplers.choose import SAMPLERS, available_samplers, make_sampler
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.open import load_sampler

PINNED = (Path(__file__).parent / "unsloth_cpu" / "requirements.txt").read_text().split()[:2]  # Unsloth's two halves


@pytest.fixture
def unsloth(monkeypatch, random_model, tokenizer):
    """A stand-in that keeps what it was asked for, on a machine that claims to have a GPU."""
    calls = {}

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(**kwargs):
            calls["from_pretrained"] = kwargs
            random_model.config.quantization_config = {} if kwargs["load_in_4bit"] else None
            return random_model, tokenizer

        @staticmethod
        def get_peft_model(model, **kwargs):
            calls["get_peft_model"] = kwargs
            return get_peft_model(model, lora_config(kwargs["r"], kwargs["lora_alpha"]))

    module = types.ModuleType("unsloth")
    module.__spec__ = importlib.machinery.ModuleSpec("unsloth", None)
    module.FastLanguageModel = FastLanguageModel
    monkeypatch.setitem(sys.modules, "unsloth", module)
    monkeypatch.setattr(gpu, "has_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (16 * GIB, 16 * GIB))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    return calls


def test_a_model_is_loaded_and_adapted_through_unsloth(unsloth):
    model, tokenizer = load_model(unsloth=True, four_bit=True)
    asked = unsloth["from_pretrained"]
    assert asked["load_in_4bit"] and not asked["load_in_16bit"] and asked["dtype"] is torch.bfloat16
    assert asked["max_seq_length"] == 196  # no more than motif-tiny's window
    assert tokenizer.padding_side == "left" and not model.training
    adapted, config = with_lora(model, 64, seed=5)
    asked = unsloth["get_peft_model"]
    assert config is None and (asked["r"], asked["lora_alpha"], asked["random_state"]) == (64, 64, 5)
    assert asked["target_modules"] == LORA_TARGETS and asked["use_gradient_checkpointing"] == "unsloth"
    assert type(make_sampler(adapted, tokenizer, 8)) is GenerateSampler


def test_a_model_of_unsloth_is_sampled_by_generate(unsloth):
    sampler = load_sampler("motif-tiny", None, 8, temperature=0.5, unsloth=True, four_bit=True)
    assert type(sampler) is GenerateSampler and unsloth["from_pretrained"]["load_in_4bit"]
    assert (sampler.max_new_tokens, sampler.temperature) == (8, 0.5)


def test_vllm_comes_with_the_model_where_it_is_installed(unsloth, monkeypatch):
    with pytest.raises(RuntimeError, match="fast_inference needs vLLM: pip install vllm, or leave it out"):
        load_model(unsloth=True, fast_inference=True)
    assert not unsloth  # Unsloth itself would go on without it
    monkeypatch.setattr(gpu, "find_spec", lambda name: name)
    load_model(unsloth=True, fast_inference=True, max_lora_rank=128)
    asked = unsloth["from_pretrained"]
    assert asked["fast_inference"] and asked["max_lora_rank"] == 128 and not asked["offload_embedding"]


@pytest.mark.parametrize(
    "made_by_unsloth, cuda, engine, layers, expected",
    [
        (False, False, False, "full_attention", ["graph", "generate", "local"]),
        (False, True, False, "full_attention", ["generate", "local", "graph"]),
        (True, True, False, "full_attention", ["generate", "graph"]),
        (True, True, True, "full_attention", ["generate", "graph", "vllm"]),
        (False, True, False, "sliding_attention", ["generate"]),
    ],
)
def test_the_sampler_that_suits_is_the_last(
    random_model, tokenizer, monkeypatch, made_by_unsloth, cuda, engine, layers, expected
):
    random_model.loaded_by_unsloth = made_by_unsloth
    random_model.config.layer_types = [layers] * 2
    monkeypatch.setattr(choice, "on_cuda", lambda model: cuda)
    if engine:
        random_model.vllm_engine = object()
    assert available_samplers(random_model) == expected
    assert type(make_sampler(random_model, tokenizer, 8)) is SAMPLERS[expected[-1]]
    assert type(make_sampler(random_model, tokenizer, 8, kind=expected[0])) is SAMPLERS[expected[0]]
    with pytest.raises(ValueError, match=f"'fast' does not work with this model: choose one of {', '.join(expected)}$"):
        make_sampler(random_model, tokenizer, 8, kind="fast")


@pytest.mark.parametrize(
    "change, expected",
    [({"rope_parameters": {"rope_type": "dynamic"}}, ["generate"]), ({"model_type": "mixtral"}, ["generate", "local"])],
)
def test_a_model_that_depends_on_values_is_not_recorded(random_model, monkeypatch, change, expected):
    """As a CUDA graph: it would fail at the first reply."""
    monkeypatch.setattr(choice, "on_cuda", lambda model: True)
    assert available_samplers(random_model)[-1] == "graph"
    for name, value in change.items():
        setattr(random_model.config, name, value)
    assert available_samplers(random_model) == expected


@pytest.mark.parametrize("kind", SAMPLERS)
def test_the_window_of_unsloth_counts(random_model, tokenizer, kind):
    """Its models cut what is longer, in the loss too, with a warning only."""
    random_model.max_seq_length, random_model.vllm_engine = 100, object()
    sampler = make_sampler(random_model, tokenizer, 60, kind=kind)
    with pytest.raises(ValueError, match="do not fit the window of 100"):
        sampler.sample_ids([[1] * 41])


def test_generate_leaves_an_unsloth_model_in_training(random_model, tokenizer):
    """Unsloth's own `generate` restores what the loss needs, but only if it is called on a model in training."""
    model, generate = random_model.train(), random_model.generate
    model.checkpointing = "unsloth"

    def unsloth_fast_generate(**kwargs):
        restore, kept = model.training, model.checkpointing
        model.eval().checkpointing = False
        out = generate(**kwargs)
        if restore:
            model.for_training(kept)
        return out

    model.for_training = lambda kept: setattr(model.train(), "checkpointing", kept)
    model.generate = unsloth_fast_generate
    GenerateSampler(model, tokenizer, 4, batch_size=1).sample_ids([[5, 6], [7]])
    assert model.training and model.checkpointing == "unsloth"


def test_a_model_gives_logits_after_a_loss_that_ran_out_of_memory(unsloth, monkeypatch):
    """Unsloth's loss asks for hidden states by an environment variable: what kills it may leave it set."""
    monkeypatch.setenv("UNSLOTH_RETURN_HIDDEN_STATES", "1")
    load_model(unsloth=True)
    assert "UNSLOTH_RETURN_HIDDEN_STATES" not in os.environ


def test_four_bit_is_not_quietly_16_bit(unsloth, monkeypatch, random_model, tokenizer):
    """Where bitsandbytes is missing or broken, Unsloth prints a line and loads in 16-bit."""
    monkeypatch.setattr(
        sys.modules["unsloth"].FastLanguageModel, "from_pretrained", lambda **kwargs: (random_model, tokenizer)
    )
    with pytest.raises(
        RuntimeError, match="bitsandbytes is missing or broken, so there is no 4-bit: pip install"
    ) as error:
        load_model(unsloth=True, four_bit=True)
    assert "\n" not in str(error.value)


def test_generate_has_one_limit(unsloth, random_model):
    """Unsloth sets a second one, and `generate` would warn at every call."""
    random_model.generation_config.max_length = 196
    model, _ = load_model(unsloth=True)
    assert model.generation_config.max_length is None


@pytest.mark.parametrize("given", [None, "elsewhere"])
def test_what_unsloth_generates_is_kept_out_of_the_working_folder(unsloth, monkeypatch, tmp_path, given):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "trl", raising=False)
    monkeypatch.setenv("UNSLOTH_COMPILE_LOCATION", given or "")
    if given is None:
        monkeypatch.delenv("UNSLOTH_COMPILE_LOCATION")
    load_model(unsloth=True)
    assert os.environ["UNSLOTH_COMPILE_LOCATION"] == (given or str(tmp_path / "motif_lib" / "unsloth_compiled_cache"))


def test_a_trainer_of_unsloth_refuses_a_plain_model(random_model):
    class UnslothGRPOTrainer: ...

    class GRPOTrainer: ...

    with pytest.raises(RuntimeError, match=r"this process has imported Unsloth, .* restart Python \(the kernel\)$"):
        gpu.check_trains(UnslothGRPOTrainer, random_model)
    gpu.check_trains(GRPOTrainer, random_model)
    random_model.for_training = lambda: None
    gpu.check_trains(UnslothGRPOTrainer, random_model)


def test_a_plain_model_gets_its_adapter_from_the_trainer(random_model, tokenizer):
    model, config = with_lora(random_model, 16)
    assert model is random_model and (config.r, config.lora_alpha) == (16, 16)
    assert type(make_sampler(model, tokenizer, 8)) is LocalSampler


def test_a_pinned_revision_is_not_swapped_for_a_mirror(unsloth):
    load_model(unsloth=True, revision="abc")
    asked = unsloth["from_pretrained"]
    assert asked["revision"] == "abc" and asked["use_exact_model_name"] and not asked["trust_remote_code"]


def test_without_bfloat16_float16_is_taken_and_said(unsloth, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    with pytest.warns(UserWarning, match="no bfloat16: loading in float16; train with fp16=True"):
        load_model(unsloth=True)
    assert unsloth["from_pretrained"]["dtype"] is torch.float16


def test_what_does_not_fit_is_said_before_loading(unsloth, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (GIB // 2, 16 * GIB))
    with pytest.raises(RuntimeError, match="motif-tiny: .* needs about 0.9 GiB of GPU memory, 0.5 GiB are free"):
        load_model(unsloth=True)
    assert not unsloth


def test_errors_of_unsloth_become_one_line(unsloth, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("\nUnsloth: this model is not supported\nlong story")

    monkeypatch.setattr(sys.modules["unsloth"].FastLanguageModel, "from_pretrained", fail)
    with pytest.raises(RuntimeError, match="cannot load .*motif-tiny: Unsloth: this model is not supported$"):
        load_model(unsloth=True)


@pytest.mark.parametrize(
    "cuda, asked, message",
    [
        (False, {"unsloth": True}, "needs a CUDA GPU: leave out unsloth and four_bit, or use recipe cpu"),
        (True, {"unsloth": True}, "Unsloth is not installed: pip install "),
        (True, {"four_bit": True}, "four_bit=True needs unsloth=True"),
        (True, {"fast_inference": True}, "fast_inference=True needs unsloth=True"),
    ],
)
def test_what_is_missing_is_one_clear_line(monkeypatch, cuda, asked, message):
    monkeypatch.setattr(gpu, "has_cuda", lambda: cuda)
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=message) as error:
        load_model(**asked)
    assert "\n" not in str(error.value)


def run_with_a_stand_in(tmp_path, code):
    """Run code where `import unsloth` prints what was imported before it and ends the process."""
    package = tmp_path / "unsloth"
    package.mkdir()
    (package / "__init__.py").write_text(
        "import sys\nprint([m for m in ('trl', 'transformers', 'peft') if m in sys.modules])\nsys.exit(0)\n"
    )
    start = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom motif_lib.models import unsloth as gpu\n"
    code = f"{start}gpu.has_cuda = lambda: True\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.slow
def test_unsloth_is_imported_before_what_it_patches(tmp_path):
    code = """
from pathlib import Path
from motif_lib.training.recipe import Recipe
from motif_lib.training.runs import train_run
train_run(Recipe("motif-tiny", "ledger", questions=8, load={"unsloth": True}), Path(sys.path[0]) / "run")
"""
    result = run_with_a_stand_in(tmp_path, code)
    assert result.stdout.strip() == "[]", result.stderr


def test_too_late_is_an_error(tmp_path):
    result = run_with_a_stand_in(tmp_path, "import trl\nfrom motif_lib import load_model\nload_model(unsloth=True)")
    assert "trl was imported before Unsloth: Unsloth patches it; restart the session" in result.stderr
    assert not result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The pinned Unsloth as a file, from the package index: to be read, not imported, in this process."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "download", "-q", "--retries", "0", "--no-deps", "-d", str(folder)]
    result = subprocess.run([sys.executable, *command, *PINNED], capture_output=True, text=True, timeout=300)
    if result.returncode:
        pytest.skip(f"pip cannot have {PINNED[0]}: {(result.stderr.strip().splitlines() or ['no reason'])[-1]}")
    return next(folder.glob("unsloth-*.whl"))


def parameters(wheel: Path, file: str, owner: str, function: str) -> set[str]:
    """Names of the parameters of a method, read from its source."""
    tree = ast.parse(zipfile.ZipFile(wheel).read(file))
    (found,) = [c for c in tree.body if isinstance(c, ast.ClassDef) and c.name == owner]
    (method,) = [f for f in found.body if isinstance(f, ast.FunctionDef) and f.name == function]
    return {argument.arg for argument in [*method.args.args, *method.args.kwonlyargs]}


@pytest.mark.slow
def test_every_keyword_for_unsloth_is_in_the_pinned_wheel(unsloth, wheel):
    model, _ = load_model(unsloth=True)
    with_lora(model)
    loader = parameters(wheel, "unsloth/models/loader.py", "FastLanguageModel", "from_pretrained")
    adapter = parameters(wheel, "unsloth/models/llama.py", "FastLlamaModel", "get_peft_model")
    assert unsloth["from_pretrained"].keys() <= loader and unsloth["get_peft_model"].keys() <= adapter
    assert "no_such_keyword" not in loader  # both end in **kwargs, which would take anything


@pytest.mark.slow
def test_the_gpu_extra_installs_with_the_constraints(wheel):
    """What Unsloth and its second half ask for, held against the pins: pip would find no solution."""
    asked = []
    for file in wheel.parent.glob("*.whl"):
        files = zipfile.ZipFile(file)
        (metadata,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        found = Parser().parsestr(files.read(metadata).decode()).get_all("Requires-Dist")
        asked += [need for need in map(Requirement, found) if not need.marker or need.marker.evaluate({"extra": ""})]
    lines = (Path(__file__).parents[1] / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    shared = [need for need in asked if need.name in pins]
    assert {need.name for need in shared} >= {"trl", "transformers", "peft", "datasets", "accelerate", "certifi"}
    assert [str(need) for need in shared if not need.specifier.contains(pins[need.name])] == []


def test_the_methods_of_trl_that_are_overridden_are_there():
    from trl import GRPOTrainer

    ours = ("prompt_ids", "images", "multimodal_fields", "num_generations")
    assert set(ours) <= set(inspect.signature(GRPOTrainer._generate_single_turn).parameters)
    assert "inputs" in inspect.signature(GRPOTrainer._generate_and_score_completions).parameters
    assert hasattr(GRPOTrainer, "_calculate_rewards")  # timed by `motif bench`


def test_the_trainer_samples_from_an_unsloth_model_by_generate(random_model, tokenizer, tmp_path):
    """Unsloth's forward pass does not take the cache of LocalSampler."""
    from motif_lib.records import Question
    from motif_lib.training.config import MotifConfig
    from motif_lib.training.trainer import MotifTrainer

    random_model.loaded_by_unsloth = True
    args = MotifConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", num_generations=8)
    trainer = MotifTrainer(
        random_model, args, [Question("Ann?", "1")], processing_class=tokenizer, peft_config=lora_config(4)
    )
    assert type(trainer.sampler) is type(trainer.later_sampler) is GenerateSampler
