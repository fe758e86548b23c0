"""What VllmSampler asks of the engine: a stand-in answers, and the pinned wheels are read for the signatures."""

import ast
import dataclasses
import json
import subprocess
import sys

import pytest
import torch
import vllm_engine
from peft import get_peft_model

from motif_lib.models.load import lora_config
from motif_lib.protocol import messages
from motif_lib.samplers.choose import make_sampler
from motif_lib.samplers.vllm import VllmSampler

CHATS = [messages(f"Ann has {n} eggs.", 1, 3) for n in range(4)]
VLLM = "0.27.1"  # within the bounds of TRL 1.14.2's `vllm` extra, the newest that Unsloth 2026.10.9 names as tried


@pytest.fixture
def engine(monkeypatch, random_model, tokenizer):
    return vllm_engine.install(monkeypatch, random_model, tokenizer)


def test_one_call_with_every_setting_given(engine, random_model, tokenizer):
    more = {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2}
    sampler = make_sampler(random_model, tokenizer, 8, temperature=0.7, top_p=0.9, **more)
    assert type(sampler) is VllmSampler
    sampler(CHATS)
    (call,) = engine
    assert [prompt["prompt_token_ids"] for prompt in call["prompts"]] == sampler.render(CHATS)
    params = call["params"][0]
    assert (params.max_tokens, params.temperature, params.top_p) == (8, 0.7, 0.9)
    assert (params.top_k, params.min_p, params.repetition_penalty, params.seed) == (7, 0.1, 1.2, None)
    assert params.stop_token_ids == sampler.stop.tolist() and call["lora"] is None and not call["use_tqdm"]


def test_the_defaults_change_nothing(engine, random_model, tokenizer):
    make_sampler(random_model, tokenizer, 8)(CHATS[:1])
    params = engine[0]["params"][0]
    assert (params.top_k, params.min_p, params.repetition_penalty) == (0, 0.0, 1.0)


def test_the_current_adapter_answers_and_the_base_when_it_is_disabled(
    engine, random_model, tokenizer, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    policy = get_peft_model(random_model, lora_config(4))
    sampler = VllmSampler(policy, tokenizer, 4)
    sampler(CHATS)
    with torch.no_grad():
        for name, weight in policy.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    sampler(CHATS)
    with policy.disable_adapter():
        sampler(CHATS)
    before, after, base = (call["lora"] for call in engine)
    assert base is None and before.weights.keys() == after.weights.keys()
    assert not list(tmp_path.iterdir())  # where a user works
    changed = {name for name in after.weights if not torch.equal(after.weights[name], before.weights[name])}
    assert changed == {name for name in after.weights if "lora_B" in name}


def test_every_request_has_a_seed_of_its_own(engine, random_model, tokenizer):
    sampler = VllmSampler(random_model, tokenizer, 4)
    sampler.seed(0)
    sampler(CHATS)
    sampler.seed(0)
    sampler(CHATS)
    first, second = ([params.seed for params in call["params"]] for call in engine)
    assert first == second and len(set(first)) == len(CHATS)


def read_from_wheel(project: str, version: str, files: list[str]) -> dict[str, str]:
    """Some files of a Linux wheel on the package index; only they are fetched. The tests' own network is closed."""
    code = """
import fsspec, json, sys, urllib.request, zipfile
project, version, *files = sys.argv[1:]
index = urllib.request.Request(f"https://pypi.org/simple/{project}/")
index.add_header("Accept", "application/vnd.pypi.simple.v1+json")
found = [f["url"] for f in json.load(urllib.request.urlopen(index, timeout=30))["files"]
         if f["filename"].startswith(f"{project}-{version}-") and f["filename"].endswith(("x86_64.whl", "any.whl"))]
with fsspec.open(found[0], block_size=2**18) as remote:
    wheel = zipfile.ZipFile(remote)
    print(json.dumps({name: wheel.read(name).decode() for name in files}))
"""
    command = [sys.executable, "-c", code, project.replace("-", "_"), version, *files]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason"])[-1]
        pytest.skip(f"pypi.org does not give {project}=={version}: {reason}")
    return json.loads(result.stdout)


def definition(source: str, *names: str) -> ast.AST:
    """A class or function, or one inside the other, by name."""
    found: ast.AST = ast.parse(source)
    for name in names:
        (found,) = [node for node in found.body if getattr(node, "name", None) == name]
    return found


def parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}


@pytest.mark.slow
def test_every_keyword_for_vllm_is_in_the_wheel(engine, random_model, tokenizer):
    files = read_from_wheel("vllm", VLLM, ["vllm/sampling_params.py", "vllm/entrypoints/llm.py"])
    params = definition(files["vllm/sampling_params.py"], "SamplingParams")
    fields = {node.target.id: node.value for node in params.body if isinstance(node, ast.AnnAssign)}
    for ours in dataclasses.fields(vllm_engine.SamplingParams):
        assert ours.name in fields
        if ours.default is not dataclasses.MISSING:  # the stand-in has vLLM's own defaults
            assert ast.literal_eval(fields[ours.name]) == ours.default
    generate = definition(files["vllm/entrypoints/llm.py"], "LLM", "generate")
    assert parameters(generate) >= {"prompts", "sampling_params", "lora_request", "use_tqdm"}


@pytest.mark.slow
def test_every_keyword_for_the_adapter_is_in_the_wheel():
    from test_gpu import PINNED

    files = read_from_wheel("unsloth_zoo", PINNED[1].partition("==")[2], ["unsloth_zoo/vllm_utils.py"])
    load = definition(files["unsloth_zoo/vllm_utils.py"], "load_lora")
    assert [argument.arg for argument in load.args.args][:3] == ["model", "save_directory", "load_tensors"]


def test_that_trl_takes_this_vllm():
    """TRL names the vLLM versions it works with in its metadata."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    (asked,) = [r for r in map(Requirement, requires("trl")) if r.name == "vllm"]
    assert VLLM in asked.specifier
