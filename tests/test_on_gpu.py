"""What only a CUDA GPU can show; skipped without one. `motif bench` measures the speeds and the memory."""

import json
import subprocess
import sys

import pytest
import torch

from motif_lib.models.load import load_model
from motif_lib.protocol import messages
from motif_lib.samplers import cuda_graphs
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.tasks import load_task

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU"),
]
CHATS = [messages(question.text, 1, 3) for question in load_task("ledger", size=64, steps=(4, 12))]


@pytest.fixture(scope="module")
def parts():
    model, tokenizer = load_model()
    return model.float(), tokenizer


def test_graphs_answer_as_the_plain_sampler_does(parts):
    """Greedy, in float32: bfloat16 rounds differently in batches of different shapes."""
    graph, local = GraphSampler(*parts, 60, temperature=0), LocalSampler(*parts, 60, temperature=0)
    assert graph(CHATS) == local(CHATS)
    assert graph(CHATS[:5]) == local(CHATS[:5])  # by graphs that were recorded in the first call, or new ones


def test_nothing_is_recorded_after_the_warm_up(parts, monkeypatch):
    """20 steps with prompts of varying numbers and lengths, twice."""
    recorded, record = [], cuda_graphs.record
    monkeypatch.setattr(cuda_graphs, "record", lambda run, pool: recorded.append(run) or record(run, pool))
    sampler = GraphSampler(*parts, 60)
    steps = [[messages("Ann has 3 eggs. " * (1 + i % 9), 1, 3)] * (1 + 7 * i % 64) for i in range(20)]
    for chats in steps:
        sampler(chats)
    first = len(recorded)
    for chats in steps[::-1]:
        sampler(chats)
    assert 0 < first == len(recorded)


def through_unsloth(code, *args):
    """Run code in a process of its own, as Unsloth must be imported before TRL."""
    pytest.importorskip("bitsandbytes")
    result = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def test_a_step_of_motif_through_unsloth(tmp_path):
    """4-bit, graphs, an adapter at the end."""
    code = """
import sys
from motif_lib.training.recipe import load_recipe
from motif_lib.training.runs import train_run
recipe = load_recipe("cpu").with_train(max_steps=2, use_cpu=False, bf16=True)
recipe = type(recipe)(**{**vars(recipe), "load": {"unsloth": True, "four_bit": True, "window": 196}, "questions": 64})
assert train_run(recipe, sys.argv[1])
"""
    through_unsloth(code, tmp_path / "run")
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) >= 2


def test_the_copy_of_an_unsloth_policy_and_its_generate():
    """The same logits as the policy, up to 16-bit rounding; `generate` leaves the policy ready for the loss."""
    through_unsloth("""
import torch
from motif_lib.models.load import load_model, with_lora
policy, _ = with_lora((loaded := load_model(unsloth=True, four_bit=True, window=196))[0], 16)
for name, parameter in policy.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(parameter, std=0.05)
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
policy.for_training(use_gradient_checkpointing="unsloth")
ids = torch.randint(3, 500, (4, 32), device="cuda")
graph, generate = (kind(policy, loaded[1], 20, temperature=0) for kind in (GraphSampler, GenerateSampler))
checkpointing = [getattr(module, "gradient_checkpointing", None) for module in policy.modules()]
replies = generate.sample_ids(ids.tolist())
assert policy.training and any(checkpointing)
assert [getattr(module, "gradient_checkpointing", None) for module in policy.modules()] == checkpointing
assert sum(a[0] == b[0] for a, b in zip(graph.sample_ids(ids.tolist()), replies)) >= 2  # near ties may round apart
for enabled in (True, False):
    with torch.no_grad(), torch.autocast("cuda", policy.dtype):
        policy.enable_adapter_layers() if enabled else policy.disable_adapter_layers()
        wanted = policy(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float()
    graph.merged.sync()
    given = graph.model(ids).logits.float()
    assert (given - wanted).norm() / wanted.norm() < 0.05, enabled
""")
