"""The commands of docs/several_gpus.md, with two CPU processes for two GPUs and for two machines."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chat_server import completion, serving
from safetensors.torch import load_file

from motif_lib.training import runs
from motif_lib.training.recipe import Recipe

PAGE = Path(__file__).parents[1] / "docs" / "several_gpus.md"
TRAIN = dict(
    num_generations=2, num_trajectories=1, max_completion_length=8, per_device_train_batch_size=2, max_steps=2,
    use_cpu=True, bf16=False, report_to="none", save_strategy="no", gradient_checkpointing=False, disable_tqdm=True,
)  # fmt: skip


def blocks(language):
    """The code blocks of the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.S)


def commands(word):
    """The commands of the page that begin with a word."""
    return [line for block in blocks("bash") for line in block.splitlines() if line.startswith(word)]


@pytest.fixture
def folder(random_model, tokenizer, tmp_path):
    """The script of the page, and a recipe for it."""
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (script,) = blocks("python")
    (tmp_path / "train_many.py").write_text(f"{script}\nopen('seen-' + os.environ['RANK'], 'w').close()\n")
    recipe = dict(model=str(tmp_path / "model"), task="ledger", questions=8, lora_rank=4, train=TRAIN)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    return tmp_path


def start(command, folder):
    """Start a command of the page, on the CPU, by this Python's own launcher."""
    words = shlex.split(command.replace("gpu-80gb", "small.yaml"))
    words[-1] = "many"
    module = {"torchrun": "torch.distributed.run", "accelerate": "accelerate.commands.accelerate_cli"}[words[0]]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, "-m", module, *words[1:]]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(*processes):
    for process in processes:
        printed, _ = process.communicate(timeout=200)
        assert process.returncode == 0, printed[-3000:]


def two_have_trained(folder):
    """Did two processes end well, and is there an adapter?"""
    weights = load_file(folder / "many" / "adapter" / "adapter_model.safetensors")
    return len(weights) and sorted(path.name for path in folder.glob("seen-*")) == ["seen-0", "seen-1"]


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun --nproc", "accelerate"])
def test_two_gpus_of_one_machine(folder, launcher):
    (command,) = commands(launcher)
    finish(start(command, folder))
    assert two_have_trained(folder)


@pytest.mark.nightly
@pytest.mark.slow
def test_two_machines(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = [line.replace("10.0.0.1", f"127.0.0.1 --master-port {port}") for line in commands("torchrun --nnodes")]
    assert [line.split("--node-rank ")[1][0] for line in both] == ["0", "1"]
    finish(*(start(command, folder) for command in both))
    assert two_have_trained(folder)


def test_a_server_answers_an_evaluation(tmp_path):
    (command,) = commands("motif eval")
    with serving(lambda body, handler: (200, completion("\\boxed{1}"))) as server:
        words = shlex.split(command.replace("http://127.0.0.1:8000/v1", server.url).replace("gsm8k", "ledger"))
        result = subprocess.run(
            [sys.executable, "-m", "motif_lib.cli", *words[1:], "--size", "4"], capture_output=True, text=True
        )
    assert result.returncode == 0 and "accuracy" in result.stdout, result.stderr


def test_train_says_how_to_be_launched_for_several(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        RuntimeError, match="docs/several_gpus.md has a script for several: torchrun --nproc-per-node 2"
    ):
        runs.train_run(Recipe(model="motif-tiny", task="ledger"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
