"""`motif_step` is what `MotifTrainer` does: the same loss and the same gradient, to float precision."""

import copy
import inspect

import pytest
from transformers import TrainerCallback

from motif_lib import LocalSampler, MotifConfig, MotifTrainer, load_model, load_task
from motif_lib.step import motif_step

M, K, N, BUDGET = 4, 2, 3, 60


class KeepGradient(TrainerCallback):
    """Copies the gradient before the optimiser uses it."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.gradient = {name: p.grad.clone() for name, p in model.named_parameters()}


def trainer_step(model, tokenizer, questions, folder):
    """Loss, gradient and mean reward of one step of the trainer, which samples in the order of `motif_step`."""
    args = MotifConfig(
        output_dir=str(folder),
        num_rounds=N,
        num_generations=M,
        num_trajectories=K,
        max_completion_length=BUDGET,
        per_device_train_batch_size=M * len(questions),
        max_steps=1,
        logging_steps=1,
        max_grad_norm=0,  # as it is, not clipped
        shuffle_dataset=False,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
    )
    kept = KeepGradient()
    trainer = MotifTrainer(model, args, questions, callbacks=[kept], processing_class=tokenizer)
    trainer.sampler.seed(0)
    trainer.later_sampler = trainer.sampler  # one stream of random numbers for all rounds
    trainer.train()
    log = trainer.state.log_history[0]
    return log["loss"], kept.gradient, log["reward"]


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The step both ways, on motif-tiny."""
    model, tokenizer = load_model("motif-tiny")
    questions = load_task("ledger", split="train", size=3, seed=1, steps=(2, 6))
    twin = copy.deepcopy(model)
    sampler = LocalSampler(model, tokenizer, BUDGET)
    sampler.seed(0)
    loss, rewards = motif_step(model, tokenizer, questions, sampler, M, K, N)
    loss.backward()
    gradient = {name: p.grad for name, p in model.named_parameters()}
    ours = loss.item(), gradient, rewards
    return ours, trainer_step(twin, tokenizer, questions, tmp_path_factory.mktemp("step"))


def test_the_loss_is_the_trainers(steps):
    (loss, _, rewards), (trl_loss, _, trl_reward) = steps
    assert rewards.shape == (3, M) and rewards.std() > 0, "without a spread there is nothing to compare"
    assert rewards.mean().item() == pytest.approx(trl_reward, abs=1e-5)
    assert loss == pytest.approx(trl_loss, abs=1e-5)


def test_the_gradient_is_the_trainers(steps):
    (_, gradient, _), (_, trl, _) = steps
    assert gradient.keys() == trl.keys()
    scale = max(g.abs().max() for g in trl.values())
    assert scale > 0
    for name, mine in gradient.items():
        assert (mine - trl[name]).abs().max() <= 1e-4 * scale, name


def test_it_can_be_read_on_one_screen():
    source = inspect.getsource(motif_step)
    body = source.split('"""', 2)[2]
    code = [line for line in body.splitlines() if line.strip() and "import" not in line]
    assert len(code) <= 40 and [f"# {stage}. " in body for stage in range(1, 7)] == [True] * 6
