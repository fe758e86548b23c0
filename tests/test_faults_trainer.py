"""`MotifTrainer` alone, without a run folder's code: Ctrl-C, NaN and damaged checkpoints leave no mess there either."""

from __future__ import annotations

import copy
import signal
from types import SimpleNamespace

import pytest
import torch
from test_trainer import QUESTIONS, settings

from motif_lib.files import SEAL, damage
from motif_lib.models.load import lora_config
from motif_lib.training.callbacks import StopOnNaN
from motif_lib.training.trainer import MotifTrainer

pytestmark = pytest.mark.slow


@pytest.fixture
def make(random_model, tokenizer, tmp_path):
    """Trainers on one folder, three steps with a checkpoint after each."""

    def trainer(**changes):
        args = settings(tmp_path, max_steps=3, save_strategy="steps", save_steps=1, **changes)
        model, adapter = copy.deepcopy(random_model), lora_config(4)
        return MotifTrainer(model, args, QUESTIONS, processing_class=tokenizer, peft_config=adapter)

    return trainer


@pytest.mark.parametrize("fault", [None, ValueError, KeyboardInterrupt])
def test_however_a_training_ends_ctrl_c_works_as_before(make, monkeypatch, fault):
    before, during, compute = signal.getsignal(signal.SIGINT), [], MotifTrainer.compute_loss

    def loss(self, *args, **kwargs):
        during.append(signal.getsignal(signal.SIGINT))
        if fault:
            raise fault
        return compute(self, *args, **kwargs)

    monkeypatch.setattr(MotifTrainer, "compute_loss", loss)
    if fault:
        with pytest.raises(fault):
            make().train()
    else:
        make().train()
    assert before not in during and signal.getsignal(signal.SIGINT) == before


def test_ctrl_c_saves_and_a_second_one_stops_at_once(make, monkeypatch, tmp_path):
    compute, presses = MotifTrainer.compute_loss, [1, 2]

    def loss(self, *args, **kwargs):
        for _ in range(presses.pop(0)):
            signal.raise_signal(signal.SIGINT)
        return compute(self, *args, **kwargs)

    monkeypatch.setattr(MotifTrainer, "compute_loss", loss)
    trainer = make()
    trainer.train()
    assert trainer.state.global_step == 1 and damage(tmp_path / "checkpoint-1") is None
    with pytest.raises(KeyboardInterrupt):
        make().train()


def test_nan_stops_before_the_weights_and_every_checkpoint_is_sealed(make, monkeypatch, tmp_path):
    compute = MotifTrainer.compute_loss
    broken = lambda self, *a, **k: compute(self, *a, **k) * (float("nan") if self.state.global_step == 2 else 1)  # noqa: E731
    monkeypatch.setattr(MotifTrainer, "compute_loss", broken)
    trainer = make()
    with pytest.raises(FloatingPointError, match="^the loss of step 3 gave a NaN .*: lower learning_rate"):
        trainer.train()
    assert all(weight.isfinite().all() for weight in trainer.model.parameters())
    folders = sorted(tmp_path.glob("checkpoint-*"))
    assert [folder.name for folder in folders] == ["checkpoint-1", "checkpoint-2"]
    assert all((folder / SEAL).exists() and damage(folder) is None for folder in folders)


def test_going_on_passes_over_a_damaged_checkpoint_to_the_same_bits(make, tmp_path, capsys):
    weights, traces = tmp_path / "checkpoint-3" / "adapter_model.safetensors", tmp_path / "traces.jsonl"
    make().train(resume_from_checkpoint=True)  # nothing there: from the beginning
    whole = weights.read_bytes(), traces.read_bytes()
    weights.write_bytes(whole[0][:-7])
    make().train(resume_from_checkpoint=True)
    assert "checkpoint-3: adapter_model.safetensors is missing or was changed" in capsys.readouterr().out
    assert (weights.read_bytes(), traces.read_bytes()) == whole


def test_float16_may_skip_steps_but_not_all_of_them(random_model):
    """The scaler of the loss skips a step whose gradients are infinite and halves its scale."""
    callback, args, state = StopOnNaN(), SimpleNamespace(fp16=True), SimpleNamespace(global_step=3)

    def step(gradient):
        random_model.lm_head.weight.grad = torch.full_like(random_model.lm_head.weight, gradient)
        callback.on_pre_optimizer_step(args, state, None, model=random_model)

    for gradient in [float("inf")] * 19 + [1.0] + [float("nan")] * 19:
        step(gradient)
    with pytest.raises(FloatingPointError, match="^20 steps in a row gave gradients beyond float16: lower"):
        step(float("nan"))
