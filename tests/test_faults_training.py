"""Training meets faults: SIGKILL at random moments, full and read-only disks, damaged files, NaN, no memory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fault_runs import STEPS, recipe
from safetensors.torch import load_file

from motif_lib.evaluate import evaluate
from motif_lib.files import SEAL, damage, seal, write_text
from motif_lib.models.load import TINY_FOLDER, load_model
from motif_lib.records import Question, read_traces
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.training import runs
from motif_lib.training.checkpoints import forget_after, last_checkpoint
from motif_lib.training.trainer import MotifTrainer

pytestmark = pytest.mark.slow

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")


def metrics(out: Path) -> list[dict]:
    """The logged steps, but for the clock."""
    return [{k: v for k, v in entry.items() if "time" not in k} for entry in runs.read_metrics(out)]


def weights(out: Path) -> dict[str, list]:
    return {name: w.tolist() for name, w in load_file(out / "adapter" / "adapter_model.safetensors").items()}


def assert_same_run(out: Path, whole: Path) -> None:
    """Rewards and every other metric, weights, traces: all to the last bit."""
    assert metrics(out) == metrics(whole) and len(metrics(out)) == STEPS
    assert weights(out) == weights(whole)
    assert (out / "traces.jsonl").read_bytes() == (whole / "traces.jsonl").read_bytes()
    assert [trace.step for trace in read_traces(out / "traces.jsonl")] == [s for s in range(STEPS) for _ in range(4)]


def fire(folder: Path, kills: int, seed: int) -> dict:
    """Run `fault_runs.py`; no child may outlive it."""
    script = Path(__file__).with_name("fault_runs.py")
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(folder), str(kills), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=590)
    assert done.returncode == 0, done.stderr[-2000:]
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in commands if str(folder).encode() in line], "a process outlived the run"
    return json.loads(done.stdout)


@pytest.mark.nightly
@linux
def test_killed_at_random_moments_a_training_ends_in_the_same_bits(tmp_path):
    found = fire(tmp_path, kills=20, seed=20)
    print(found)
    assert len(found["moments"]) == 20
    assert len({entry["reward"] for entry in metrics(tmp_path / "whole")}) > 1, "there is something to learn"
    for run in range(1, found["runs"] + 1):
        assert_same_run(tmp_path / f"killed{run}", tmp_path / "whole")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A finished run; a test that damages it works on a copy."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert runs.train_run(recipe(), out)
    return out


@pytest.fixture
def stopped(whole, tmp_path) -> Path:
    """The same run as a kill before its end leaves it: all checkpoints, no adapter, no metrics."""
    out = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(out / "adapter")
    (out / "metrics.jsonl").unlink()
    return out


def test_a_kill_after_the_last_step_costs_nothing(stopped, whole):
    assert runs.train_run(recipe(), stopped)
    assert_same_run(stopped, whole)


def flip(path: Path) -> None:
    """One bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


FILES = ["adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", SEAL]


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["bit flipped", "cut", "deleted"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_found_and_the_one_before_is_used(stopped, capsys, name, harm):
    newest = stopped / f"checkpoint-{STEPS}"
    harm(newest / name)
    found = last_checkpoint(stopped)
    if name == SEAL and harm is Path.unlink:  # a kill between the last file and its seal: complete anyway
        assert found == str(newest)
        return
    assert found == str(stopped / f"checkpoint-{STEPS - 1}") and not newest.exists()
    assert "removed, training goes on from the checkpoint before it" in capsys.readouterr().out


def test_a_training_goes_on_past_damaged_checkpoints_and_traces_to_the_same_bits(stopped, whole):
    flip(stopped / f"checkpoint-{STEPS}" / "adapter_model.safetensors")
    cut(stopped / f"checkpoint-{STEPS - 1}" / "optimizer.pt")
    with open(stopped / "traces.jsonl", "a") as file:
        file.write('{"trajectories": [{"half a li')
    assert runs.train_run(recipe(), stopped)
    assert_same_run(stopped, whole)


def test_traces_are_cut_back_to_the_checkpoint_and_damage_is_said(tmp_path, capsys):
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b'{"step": 0}\n{"st\xffep": 1}\n[1]\n{"step": 1}\n{"step": 2}\n{"step": 2, "ha')
    forget_after(path, 2)
    assert path.read_bytes() == b'{"step": 0}\n{"step": 1}\n'
    assert "3 unreadable lines dropped" in capsys.readouterr().out
    assert os.listdir(tmp_path) == ["traces.jsonl"]


@pytest.mark.parametrize("harm", [flip, cut], ids=["bit flipped", "cut"])
def test_a_damaged_adapter_is_one_clear_line(whole, tmp_path, harm):
    adapter = shutil.copytree(whole / "adapter", tmp_path / "adapter")
    load_model("motif-tiny", adapter)
    harm(adapter / "adapter_model.safetensors")
    with pytest.raises(RuntimeError, match="^cannot load .*adapter: adapter_model.safetensors is missing or was"):
        load_model("motif-tiny", adapter)


@pytest.mark.parametrize("harm", [cut, lambda path: path.write_bytes(b"\xff" * 100)], ids=["cut", "rubbish"])
def test_damaged_base_weights_are_one_clear_line(tmp_path, harm):
    model = shutil.copytree(TINY_FOLDER, tmp_path / "model")
    harm(model / "model.safetensors")
    with pytest.raises(RuntimeError, match="^cannot load .*model: .+$"):
        load_model(str(model))


# --- disks


@pytest.fixture
def disk(tmp_path):
    """`disk(options)`: a folder on a file system of its own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("mounts a tmpfs")
    mounted = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("no right to mount a tmpfs")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("size", ["400k", "1300k", "2200k"])
def test_on_a_full_disk_training_stops_in_one_line_and_goes_on_with_more_room(disk, whole, size):
    """Each size fills in another place: no checkpoint at all, the second one, a later one."""
    folder = disk(f"size={size}")
    with pytest.raises(RuntimeError, match="training stopped after step .*the same command goes on") as error:
        runs.train_run(recipe(), folder / "run")
    assert "\n" not in str(error.value) and not (folder / "run" / "adapter").exists()
    subprocess.run(["mount", "-o", "remount,size=50m", str(folder)], check=True)
    assert runs.train_run(recipe(), folder / "run")
    assert_same_run(folder / "run", whole)


def test_on_a_full_disk_an_evaluation_stops_and_goes_on_with_more_room(disk, tmp_path):
    questions = [Question(f"q{i} " + "x" * 500, "1") for i in range(64)]
    settings = {"num_rounds": 2, "batch_size": 8, "progress": False}
    whole = evaluate(questions, ScriptedSampler(lambda chat: "y" * 500), path=tmp_path / "whole", **settings)
    folder = disk("size=100k")
    with pytest.raises(OSError, match="No space left"):
        evaluate(questions, ScriptedSampler(lambda chat: "y" * 500), path=folder / "run", **settings)
    subprocess.run(["mount", "-o", "remount,size=5m", str(folder)], check=True)
    sampler = ScriptedSampler(lambda chat: "y" * 500)
    assert evaluate(questions, sampler, path=folder / "run", **settings) == whole
    assert 0 < len(sampler.calls) < 16, "finished batches are kept"
    assert (folder / "run" / "items.jsonl").read_bytes() == (tmp_path / "whole" / "items.jsonl").read_bytes()


def test_a_read_only_folder_is_one_clear_line_before_any_work(disk):
    folder = disk("size=1m,ro")
    with pytest.raises(RuntimeError, match="cannot write into .*Read-only file system; choose another"):
        runs.train_run(recipe(), folder / "run")


def test_a_file_is_written_whole_or_not_at_all(disk):
    folder = disk("size=16k")
    write_text(folder / "file", "old")
    with pytest.raises(OSError, match="No space left"):
        write_text(folder / "file", "new" * 20_000)
    assert (folder / "file").read_text() == "old" and os.listdir(folder) == ["file"]


# --- numbers and memory


def test_nan_in_the_loss_stops_before_the_weights_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    compute = MotifTrainer.compute_loss

    def broken(self, *args, **kwargs):
        return compute(self, *args, **kwargs) * (float("nan") if self.state.global_step == 2 else 1)

    monkeypatch.setattr(MotifTrainer, "compute_loss", broken)
    with pytest.raises(RuntimeError, match="step 3 gave a NaN .*lower learning_rate.* up to step 2 is kept") as error:
        runs.train_run(recipe(), tmp_path / "run")
    assert "\n" not in str(error.value)
    saved = load_file(tmp_path / "run" / "checkpoint-2" / "adapter_model.safetensors")
    assert all(weight.isfinite().all() for weight in saved.values())
    monkeypatch.setattr(MotifTrainer, "compute_loss", compute)
    assert runs.train_run(recipe(), tmp_path / "run")


def test_nan_in_the_logits_stops_in_one_line_and_leaves_ctrl_c_as_it_was(tmp_path, monkeypatch):
    choose, before = LocalSampler._choose, signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(LocalSampler, "_choose", lambda self, logits: choose(self, logits * float("nan")))
    with pytest.raises(RuntimeError, match="after step 0: the model gave NaN .*lower the learning rate"):
        runs.train_run(recipe(), tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) == before


@pytest.fixture
def room(monkeypatch):
    """`room(rows, first)`: from step `first` on the loss of more than `rows` replies does not fit the memory."""
    compute = MotifTrainer.compute_loss

    def limit(rows: int, first: int = 0) -> None:
        def loss(self, model, inputs, *args, **kwargs):
            if len(inputs["completion_ids"]) > rows and self.state.global_step >= first:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore")
            return compute(self, model, inputs, *args, **kwargs)

        monkeypatch.setattr(MotifTrainer, "compute_loss", loss)

    return limit


def test_out_of_memory_a_step_is_tried_again_with_half_the_batch(tmp_path, whole, room, capsys):
    """The same questions and replies: only the rounding of the gradient's sum may differ."""
    room(2, first=2)
    assert runs.train_run(recipe(), tmp_path / "run")
    assert "Out of memory after step 2: trying again with 2 replies at a time." in capsys.readouterr().out
    found, expected = ([entry["reward"] for entry in metrics(out)] for out in (tmp_path / "run", whole))
    assert found[:3] == expected[:3] and len(found) == STEPS
    assert metrics(tmp_path / "run")[:2] == metrics(whole)[:2]
    assert metrics(tmp_path / "run")[2]["grad_norm"] == pytest.approx(metrics(whole)[2]["grad_norm"], rel=1e-3)


def test_no_room_for_one_reply_is_one_clear_line(tmp_path, room):
    room(0)
    with pytest.raises(RuntimeError, match="out of memory.*lower per_device_train_batch_size") as error:
        runs.train_run(recipe(), tmp_path / "run")
    assert "\n" not in str(error.value)


# --- what is on disk


def test_nothing_on_disk_is_a_pickle_that_is_run_and_everything_is_sealed(whole):
    names = {path.name for path in whole.rglob("*")}
    assert "training_args.bin" not in names and not {n for n in names if n.endswith((".bin", ".pkl", ".pickle"))}
    for folder in (whole / "adapter", *whole.glob("checkpoint-*")):
        assert damage(folder) is None and (folder / SEAL).exists()


def test_a_seal_covers_new_contents_only_when_written_again(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    assert damage(tmp_path) is None, "no seal, nothing to break"
    seal(tmp_path)
    (tmp_path / "weights").write_bytes(b"2")
    assert damage(tmp_path) == "weights is missing or was changed"
    seal(tmp_path)
    assert damage(tmp_path) is None
