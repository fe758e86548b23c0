"""One optimizer step in three settings: its gradients by Unsloth (in exact.py), then by TRL on the same replies.

python steps.py OUT   compares, in a process without Unsloth.
"""

from dataclasses import replace

import torch
from scenario import OUT, run, small
from transformers import TrainerCallback

from motif_lib.training.runs import make_trainer

CASES = [
    {"credit": "first", "loss_type": "dapo", "per_device_train_batch_size": 8},
    {"credit": "any", "loss_type": "grpo", "beta": 0.04, "gradient_accumulation_steps": 2},
    {"credit": "all", "loss_type": "dr_grpo", "mask_truncated_completions": True, "temperature": 0.7,
     "num_iterations": 2, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2},
]  # fmt: skip
BY_LENGTH = ("old_per_token_logps", "ref_per_token_logps", "sampling_per_token_logps")


class Keep(TrainerCallback):
    """Keeps the gradients of the first step, unclipped, and ends the training."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        control.should_training_stop = True


def trainer_of(case, load):
    recipe = small("cpu").with_train(max_grad_norm=0.0, save_strategy="no", max_steps=1, **CASES[case])
    recipe = replace(recipe, load=load)
    trainer = make_trainer(recipe, OUT / f"step-{case}", 0, recipe.load_questions(), "train")
    keep = Keep()
    trainer.add_callback(keep)
    return trainer, keep


def by_unsloth(case):
    """Save the adapter, the batch and the gradients; the advantages are drawn, for equal rewards would give none."""
    from scenario import randomise

    trainer, keep = trainer_of(case, {"unsloth": True, "window": 196})
    randomise(trainer.model, 0.03)
    adapter = {name: p.detach().clone() for name, p in trainer.model.named_parameters() if p.requires_grad}
    score, batches = trainer._generate_and_score_completions, []

    def drawn(inputs):
        batch = score(inputs)
        batch["advantages"] = torch.randn(batch["advantages"].shape, generator=torch.Generator().manual_seed(3))
        batches.append({key: value.clone() if torch.is_tensor(value) else value for key, value in batch.items()})
        torch.manual_seed(7)  # the rows of a generation are shuffled
        return batch

    trainer._generate_and_score_completions = drawn
    trainer.train()
    torch.save({"adapter": adapter, "batch": batches[0], "gradients": keep.gradients}, OUT / f"step-{case}.pt")
    return len(keep.gradients)


def by_trl(case):
    """Relative difference of the gradients, and how large they are."""
    saved = torch.load(OUT / f"step-{case}.pt")
    trainer, keep = trainer_of(case, {})
    weights = dict(trainer.model.named_parameters())
    with torch.no_grad():
        for name, tensor in saved["adapter"].items():
            weights[name].copy_(tensor)

    def given(inputs):
        batch = {key: value for key, value in saved["batch"].items() if key != "max_left_pad"}
        batch.update(by_hand(trainer, batch))
        batch.pop("sampling_per_token_logps", None)
        torch.manual_seed(7)
        return batch

    trainer._generate_and_score_completions = given
    trainer.train()
    names = sorted(saved["gradients"])
    assert names == sorted(keep.gradients)
    theirs, ours = (torch.cat([g[name].flatten() for name in names]) for g in (saved["gradients"], keep.gradients))
    return {"difference": ((theirs - ours).norm() / ours.norm()).item(), "norm": ours.norm().item()}


@torch.no_grad()
def by_hand(trainer, batch):
    """The log-probabilities that the batch has, by TRL: Unsloth keeps them in an order of its own."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    found = {}
    for name in ("old_per_token_logps", "ref_per_token_logps"):
        if name in batch:
            with trainer.model.disable_adapter() if name.startswith("ref") else torch.enable_grad():
                with torch.no_grad():
                    found[name] = trainer._get_per_token_logps_and_entropies(
                        trainer.model, ids, mask, batch["completion_ids"].shape[1]
                    )[0]
    return found


def gradients():
    return [by_trl(case) for case in range(len(CASES))]


if __name__ == "__main__":
    run(gradients)
