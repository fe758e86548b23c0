"""In 16 and 4 bits, as the GPU recipes load: python sixteen_bit.py OUT."""

import shutil
from dataclasses import replace

import scenario
from scenario import OUT, adapted, raised, randomise, run, small, steps_of

scenario.begin(bfloat16=True)

import torch  # noqa: E402
import unsloth_zoo.gradient_checkpointing as checkpoints  # noqa: E402
from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: E402
from unsloth.models import loader  # noqa: E402

from motif_lib.models import load_model, load_tokenizer, with_lora  # noqa: E402
from motif_lib.models.load import TINY_FOLDER  # noqa: E402
from motif_lib.samplers import coherence  # noqa: E402
from motif_lib.samplers.choose import SAMPLERS  # noqa: E402
from motif_lib.training.runs import make_trainer, train_run  # noqa: E402


def trained(recipe, out):
    """What a run of two steps leaves, and what it was made of."""
    done = train_run(recipe, out)
    trainer = make_trainer(recipe, out / "look", 0, recipe.load_questions(), "look")
    trainer.create_optimizer()
    base = trainer.policy.get_base_model()
    return {
        "done": done,
        "steps": steps_of(out),
        "adapted": adapted(out),
        "weights": type(base.model.layers[0].mlp.up_proj.get_base_layer()).__name__,
        "dtype": str(base.dtype),
        "optimizer": [type(trainer.optimizer).__module__, trainer.optimizer.args.optim_bits],
        "fused": base.model.layers[0].self_attn.apply_o.__name__,
        "precision": [trainer.args.bf16, trainer.args.fp16, trainer.accelerator.mixed_precision],
    }


def gpu_80gb():
    """bfloat16 and NF4."""
    return trained(small("gpu-80gb").with_train(sampler="graph"), OUT / "80")


def gpu_16gb():
    """float16, as on a card without bfloat16, with the scaled loss."""
    answer, torch.cuda.is_bf16_supported = torch.cuda.is_bf16_supported, lambda including_emulation=True: False
    try:
        return trained(small("gpu-16gb").with_train(sampler="generate"), OUT / "16")
    finally:
        torch.cuda.is_bf16_supported = answer


def canary():
    """It finds a sampler or a policy that does not see the adapter, in 4-bit."""
    model, tokenizer = load_model(unsloth=True, four_bit=True, window=196)
    policy, _ = with_lora(model, 16)
    randomise(policy)
    made = {kind: SAMPLERS[kind](policy, tokenizer, 24, temperature=0) for kind in ("generate", "graph")}

    def fault(kind):
        return raised(lambda: coherence.check_coherence(made[kind], policy))

    faults = [fault("generate"), fault("graph")]
    made["graph"].merged.sync = lambda: None
    faults.append(fault("graph"))
    policy.disable_adapter_layers()
    return [*faults, fault("generate")]


def checkpointing():
    """How often Unsloth's own gradient checkpointing works in a step: a window of 512 or more makes it take it."""
    tokenizer = load_tokenizer()
    config = Qwen2Config.from_pretrained(TINY_FOLDER, max_position_embeddings=1024)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(OUT / "long")
    tokenizer.save_pretrained(OUT / "long")
    count, real = [], checkpoints.UnslothCheckpointFunction.forward

    def counted(*args, **kwargs):
        count.append(1)
        return real(*args, **kwargs)

    checkpoints.UnslothCheckpointFunction.forward = staticmethod(counted)
    recipe = small("gpu-80gb", window=1024, four_bit=False).with_train(max_steps=1)
    train_run(replace(recipe, model=str(OUT / "long")), OUT / "checkpointed")
    return len(count)


def no_bitsandbytes():
    """Unsloth goes on in 16-bit, where 4-bit was asked for."""
    loader.ALLOW_BITSANDBYTES = False
    message = raised(lambda: load_model(unsloth=True, four_bit=True, window=196))
    loader.ALLOW_BITSANDBYTES = True
    return message


def pinned():
    """A Hub model with two revisions in the cache, of a name that Unsloth has a 4-bit mirror for."""
    from huggingface_hub import constants

    name, commits = "Qwen/Qwen2.5-0.5B-Instruct", ["a" * 40, "b" * 40]
    folder = OUT / "hub" / f"models--{name.replace('/', '--')}"
    for commit, hidden in zip(commits, (160, 96)):
        shutil.copytree(TINY_FOLDER, folder / "snapshots" / commit)
        config = Qwen2Config.from_pretrained(TINY_FOLDER, hidden_size=hidden)
        Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder / "snapshots" / commit)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commits[0])
    kept, constants.HF_HUB_CACHE = constants.HF_HUB_CACHE, str(OUT / "hub")
    try:
        model, _ = load_model(name, revision=commits[1], unsloth=True, four_bit=True, window=196)
    finally:
        constants.HF_HUB_CACHE = kept
    return {"hidden": model.config.hidden_size, "commit": model.config._commit_hash, "wanted": [96, commits[1]]}


def no_precision():
    """Neither bf16 nor fp16: Unsloth would take one all the same."""
    recipe = small("gpu-80gb").with_train(bf16=False)
    return raised(lambda: make_trainer(recipe, OUT / "none", 0, recipe.load_questions(), "train"))


run(gpu_80gb, gpu_16gb, canary, checkpointing, no_bitsandbytes, pinned, no_precision)
