"""In float32, where everything can be compared to the last digits: python exact.py OUT."""

import os
import signal

import scenario
from scenario import OUT, adapted, chats, raised, randomise, run, small, steps_of

scenario.begin(bfloat16=False)

import torch  # noqa: E402
import trl  # noqa: E402
from peft import get_peft_model  # noqa: E402

from motif_lib.models import load_model, lora_config, unsloth, with_lora  # noqa: E402
from motif_lib.models.load import TINY_FOLDER  # noqa: E402
from motif_lib.samplers.choose import SAMPLERS, available_samplers  # noqa: E402
from motif_lib.samplers.merged_copy import plain_class  # noqa: E402
from motif_lib.training import trainer as training  # noqa: E402
from motif_lib.training.runs import make_trainer, train_run  # noqa: E402

unsloth.best_dtype = lambda: torch.float32
loaded, tokenizer = load_model(unsloth=True, window=196)
policy, _ = with_lora(loaded, 16)
randomise(policy)
plain = plain_class(type(loaded)).from_pretrained(TINY_FOLDER, dtype=torch.float32)
plain = get_peft_model(plain, lora_config(16))
plain.load_state_dict(policy.state_dict())
CHATS = chats(12)


def answers(kind, model, prompts=CHATS):
    return [reply.text for reply in SAMPLERS[kind](model, tokenizer, 24, temperature=0)(prompts)]


def gradients(model, ids, mask):
    """Logits of real tokens, and the gradients of the next tokens' loss for every LoRA weight."""
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1][mask[:, :-1].bool()]
    torch.nn.functional.cross_entropy(logits, ids[:, 1:][mask[:, :-1].bool()]).backward()
    grads = [p.grad.flatten() for _, p in sorted(model.named_parameters()) if p.requires_grad]
    model.zero_grad()
    return logits.detach(), torch.cat(grads)


def model():
    """Logits and gradients against Transformers; what Unsloth has put in."""
    sampler = SAMPLERS["local"](plain, tokenizer, 8)
    padded = tokenizer.pad({"input_ids": sampler.render(CHATS[:4])}, return_tensors="pt")
    ids, mask = padded["input_ids"], padded["attention_mask"]
    logits, grads = gradients(plain.train(), ids, mask)
    policy.for_training(use_gradient_checkpointing="unsloth")
    theirs, their_grads = gradients(policy, ids, mask)
    return {
        "logits": (theirs - logits).abs().max().item(),
        "gradients": ((their_grads - grads).norm() / grads.norm()).item(),
        "trained": sorted({name.split(".")[-3] for name, p in policy.named_parameters() if p.requires_grad}),
        "trainer": training.GRPOTrainer.__name__,
        "trl": trl.GRPOTrainer.__name__,
        "samplers": available_samplers(policy),
    }


def samplers():
    """Greedy replies of every sampler, with the adapter and without; in training before and after."""
    policy.for_training(use_gradient_checkpointing="unsloth")
    state = [(m.training, getattr(m, "gradient_checkpointing", None)) for m in policy.modules()]
    given = {kind: answers(kind, policy) for kind in ("generate", "graph")}
    kept = state == [(m.training, getattr(m, "gradient_checkpointing", None)) for m in policy.modules()]
    given["local"] = answers("local", plain.eval())
    with policy.disable_adapter(), plain.disable_adapter():
        base = {kind: answers(kind, policy, CHATS[:6]) for kind in ("generate", "graph")}
        base["local"] = answers("local", plain, CHATS[:6])
    return {"adapted": given, "base": base, "in training as before": kept}


def four_bit_samplers():
    """Greedy replies of an NF4 policy, by its own generate and by its merged copy."""
    packed, _ = load_model(unsloth=True, four_bit=True, window=196)
    adapted, _ = with_lora(packed, 16)
    randomise(adapted)
    return {kind: answers(kind, adapted) for kind in ("generate", "graph")}


def adapters():
    """A trained adapter in plain PEFT, in Unsloth again, and merged into a folder."""
    from motif_lib.models.export import merge

    policy.save_pretrained(OUT / "saved")
    merge(OUT / "saved", OUT / "merged", "motif-tiny")
    unsloth.has_cuda = lambda: False
    peft, _ = load_model(adapter=OUT / "saved")
    merged, _ = load_model(str(OUT / "merged"))
    unsloth.has_cuda = lambda: True
    again, _ = load_model(adapter=OUT / "saved", unsloth=True, window=196)
    return {
        "policy": answers("generate", policy),
        "peft": answers("local", peft.float()),
        "unsloth": answers("generate", again),
        "merged": answers("local", merged.float()),
    }


def credits():
    """A whole run by each credit, with each sampler of rollouts."""
    found = {}
    for credit, sampler in [("first", "generate"), ("any", "graph"), ("all", "generate")]:
        out = OUT / credit
        done = train_run(small("cpu").with_train(credit=credit, sampler=sampler), out)
        found[credit] = {"done": done, "steps": steps_of(out), "adapted": adapted(out)}
    return found


def resume():
    """Ctrl-C in step 1: the run stops with a checkpoint and goes on."""
    out, real, calls = OUT / "resumed", training.MotifTrainer._generate_and_score_completions, []

    def interrupted(self, inputs):
        calls.append(self.state.global_step)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, inputs)

    training.MotifTrainer._generate_and_score_completions = interrupted
    try:
        done = [train_run(small("cpu"), out) for _ in range(2)]
    finally:
        training.MotifTrainer._generate_and_score_completions = real
    return {"done": done, "steps": steps_of(out), "begun at": calls}


def halving():
    """The first loss runs out of memory: half the replies at a time, and no hidden states left in place of logits."""
    real, sizes = training.MotifTrainer.compute_loss, []

    def short(self, model, inputs, *args, **kwargs):
        sizes.append(len(inputs["prompt_ids"]))
        if len(sizes) == 1:
            os.environ["UNSLOTH_RETURN_HIDDEN_STATES"] = "1"  # as Unsloth's loss does
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, model, inputs, *args, **kwargs)

    training.MotifTrainer.compute_loss = short
    try:
        done = train_run(small("cpu"), OUT / "halved")
    finally:
        training.MotifTrainer.compute_loss = real
    return {"done": done, "sizes": sizes, "steps": steps_of(OUT / "halved")}


def plain_model():
    """A model that Unsloth did not load, in a process that has imported it."""
    from dataclasses import replace

    recipe = replace(small("cpu"), load={})
    unsloth.has_cuda = lambda: False
    message = raised(lambda: make_trainer(recipe, OUT / "plain", 0, recipe.load_questions(), "train"))
    unsloth.has_cuda = lambda: True
    return message


def gradients_of_steps():
    """The gradients of the first step in three settings, kept with their batches for `reference.py`."""
    import steps

    return [steps.by_unsloth(case) for case in range(len(steps.CASES))]


run(model, samplers, four_bit_samplers, adapters, credits, resume, halving, plain_model, gradients_of_steps)
