"""Training in two CPU processes (gloo) is training in one: whole groups, equal metrics, the same adapter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from motif_lib.training.config import MotifConfig

SCRIPT = Path(__file__).with_name("two_processes.py")
PER_PROCESS = ("motif/later_replies", "motif/later_tokens")  # counts, which TRL averages over the processes
NOT_COMPARED = ("step_time", "train_runtime", "epoch", "num_tokens")


def launch(processes, model, out):
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), str(SCRIPT)]
    # Without a GPU torchrun's processes meet over gloo.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true"}
    result = subprocess.run(
        [sys.executable, *command, str(model), str(out)], capture_output=True, text=True, env=env, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]
    seen = [json.loads(path.read_text()) for path in sorted(out.glob("seen-*.json"))]
    return seen, json.loads((out / "log.json").read_text()), load_file(out / "adapter" / "adapter_model.safetensors")


@pytest.mark.slow
def test_two_processes_train_what_one_does(random_model, tokenizer, tmp_path):
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (one,), log_one, adapter_one = launch(1, tmp_path / "model", tmp_path / "one")
    two, log_two, adapter_two = launch(2, tmp_path / "model", tmp_path / "two")
    for step, whole in enumerate(one):
        parts = [process[step] for process in two]
        assert all(part.count(prompt) == 4 for part in parts for prompt in part)  # a group is not torn apart
        assert not set(parts[0]) & set(parts[1]) and sorted(parts[0] + parts[1]) == sorted(whole)
    for a, b in zip(log_one, log_two, strict=True):
        for name in PER_PROCESS:
            assert b[name] == a[name] / 2
        for name in a.keys() - {*PER_PROCESS, *NOT_COMPARED}:
            assert b[name] == pytest.approx(a[name], rel=1e-3, abs=1e-5), name
    assert len(log_one) == 3 and any(entry["grad_norm"] > 0 for entry in log_one)
    assert all((adapter_one[name] - adapter_two[name]).abs().max() < 1e-4 for name in adapter_one)


def test_a_process_must_hold_whole_groups(tmp_path):
    with pytest.raises(ValueError, match="whole groups of 4"):
        MotifConfig(output_dir=str(tmp_path), num_generations=4, per_device_train_batch_size=2, use_cpu=True)
