"""What only a CUDA GPU can show; skipped without one. `motif bench` measures the speeds and the memory."""

import pytest
import torch

from motif_lib.models import load_model
from motif_lib.protocol import messages
from motif_lib.samplers import fixed
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
    recorded, record = [], fixed.record
    monkeypatch.setattr(fixed, "record", lambda run, pool: recorded.append(run) or record(run, pool))
    sampler = GraphSampler(*parts, 60)
    steps = [[messages("Ann has 3 eggs. " * (1 + i % 9), 1, 3)] * (1 + 7 * i % 64) for i in range(20)]
    for chats in steps:
        sampler(chats)
    first = len(recorded)
    for chats in steps[::-1]:
        sampler(chats)
    assert 0 < first == len(recorded)


def test_a_step_of_motif_through_unsloth(tmp_path):
    """In a process of its own, as Unsloth must be imported before TRL: 4-bit, graphs, an adapter at the end."""
    import json
    import subprocess
    import sys

    pytest.importorskip("bitsandbytes")
    code = """
import sys
from motif_lib.recipe import load_recipe
from motif_lib.runs import train_run
recipe = load_recipe("cpu").with_train(max_steps=2, use_cpu=False, bf16=True)
recipe = type(recipe)(**{**vars(recipe), "load": {"unsloth": True, "four_bit": True, "window": 320}, "questions": 64})
assert train_run(recipe, sys.argv[1])
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").exists()
    steps = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) >= 2
