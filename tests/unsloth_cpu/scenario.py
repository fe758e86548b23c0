"""What the scripts of this folder share: they run steps that return facts, and write these as one JSON file."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shims

OUT = Path(sys.argv[1])
QUICK = {  # what makes a step of a recipe small
    "num_generations": 4,
    "num_trajectories": 1,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "max_completion_length": 60,
    "max_steps": 2,
    "warmup_steps": 0,
    "use_cpu": False,  # with Unsloth it is refused; `begin` puts it on for what Transformers asks
    "gradient_checkpointing": True,
}


def begin(bfloat16: bool) -> None:
    """Import Unsloth, and let motif_lib believe in a GPU."""
    shims.prepare(bfloat16)
    from motif_lib.models import unsloth

    unsloth.has_cuda = lambda: True
    unsloth.import_unsloth()
    shims.finish(bfloat16)
    from motif_lib.training.recipe import Recipe

    config = Recipe.config
    Recipe.config = lambda recipe, out, **changes: config(recipe, out, use_cpu=True, **changes)


def run(*steps: Callable[[], Any]) -> None:
    """Write what every step found, or how it failed, to OUT/found.json."""
    found = {}
    for step in steps:
        try:
            found[step.__name__] = step()
        except Exception:
            found[step.__name__] = traceback.format_exc()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "found.json").write_text(json.dumps(found))


def raised(call: Callable[[], Any]) -> str:
    """The message of the error that a call ends with; empty if it ends well."""
    try:
        call()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return ""


def small(name: str, **load: Any) -> Any:
    """A recipe's settings on motif-tiny and the ledger, with small groups; `load` is added to its own."""
    from dataclasses import replace

    from motif_lib.training.recipe import load_recipe

    recipe = load_recipe(name).with_train(**QUICK)
    load = {**recipe.load, "unsloth": True, "window": 196, **load}
    return replace(recipe, model="motif-tiny", task="ledger", dial={"steps": [4, 12]}, questions=16, load=load)


def randomise(model: Any, spread: float = 0.05) -> None:
    """Give the fresh LoRA adapter of a model an effect."""
    import torch

    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=spread)


def chats(count: int) -> list:
    """Prompts of round 1, of several lengths. Their words stand backwards: where the model is sure of its reply, no
    small adapter and no rounding to four bits changes it."""
    from motif_lib.protocol import messages
    from motif_lib.tasks.load import load_task

    questions = load_task("ledger", size=count, steps=(4, 12))
    return [messages(" ".join(reversed(question.text.split())), 1, 3) for question in questions]


def adapted(folder: Path) -> float:
    """Largest weight of a saved adapter's B matrices, which begin at zero."""
    from safetensors.torch import load_file

    weights = load_file(folder / "adapter" / "adapter_model.safetensors")
    return max(tensor.abs().max().item() for name, tensor in weights.items() if "lora_B" in name)


def steps_of(folder: Path) -> list[int]:
    """The optimizer steps that a run folder has logged, all of their numbers finite."""
    import math

    from motif_lib.training.runs import read_metrics

    entries = read_metrics(folder)
    assert all(math.isfinite(value) for entry in entries for value in entry.values()), entries
    return [entry["step"] for entry in entries]
