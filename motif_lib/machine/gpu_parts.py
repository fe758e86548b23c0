"""The parts of `motif gpu-day`, each in a process of its own: `python -m motif_lib.machine.gpu_parts NAME FOLDER`.

A part returns rows of (what, found) and leaves them in FOLDER/NAME.json. With `--small` every size is one for a CPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motif_lib.files import PACKAGE, write_text
from motif_lib.models.memory import GIB, PRESETS, Shape
from motif_lib.models.unsloth import has_cuda, import_unsloth
from motif_lib.training.recipe import Recipe, load_recipe

Rows = list[tuple[str, str]]
TESTS = PACKAGE.parent / "tests" / "test_on_gpu.py"
BATCHES = (1, 64, 256)
SMALL = Shape(32, 64, 2, 2, 1, 512, True, 16)
SMALL_TRAIN: dict[str, Any] = {
    "num_generations": 2, "num_trajectories": 1, "per_device_train_batch_size": 2, "max_completion_length": 8,
    "max_steps": 4, "save_steps": 2, "warmup_steps": 0,
}  # fmt: skip


def recipe_here(name: str, out: Path, small: bool, plain: bool = False, model: str = "", **train: Any) -> Recipe:
    """A recipe of the package; random weights stand in for a missing model, Ledger for missing questions.

    Args:
        name: of the recipe.
        out: folder for the random weights.
        small: sizes for a CPU.
        plain: without Unsloth.
        model: instead of the recipe's.
        train: settings to change.
    """
    recipe = load_recipe("cpu" if small else name).with_train(**train).with_train(**(SMALL_TRAIN if small else {}))
    load = recipe.load if through_unsloth() and not plain else {"window": recipe.load.get("window", 196)}
    recipe = replace(recipe, model=model_here(model or recipe.model, out, small), load=load)
    return recipe if task_is_here(recipe) else replace(recipe, task="ledger", questions=400)


def model_here(name: str, out: Path, small: bool) -> str:
    """A model's name if it is in a folder or in the Hub's cache, else a folder of random weights of its shape."""
    from huggingface_hub import try_to_load_from_cache

    if small:
        return str(random_model(SMALL, out / "random" / "small"))
    if Path(name).exists() or isinstance(try_to_load_from_cache(name, "config.json"), str):
        return name
    return str(random_model(PRESETS[name], out / "random" / Path(name).name))


def described(recipe: Recipe) -> tuple[str, str]:
    """The row that says what a part ran on, whatever its name promises."""
    model = Path(recipe.model)
    random = ", random weights" if model.parent.name == "random" else ""
    how = ", 4-bit" * bool(recipe.load.get("four_bit")) + ", through Unsloth" * recipe.unsloth
    return "model, questions", f"{model.name}{random}{how}, {recipe.task}"


def through_unsloth() -> bool:
    """Is there a GPU, and Unsloth?"""
    return has_cuda() and find_spec("unsloth") is not None


def task_is_here(recipe: Recipe) -> bool:
    """Can its questions be loaded?"""
    try:
        return bool(replace(recipe, questions=1).load_questions())
    except (RuntimeError, ValueError, OSError):
        return False


def random_model(shape: Shape, folder: Path) -> Path:
    """A Qwen2 with random 16-bit weights and motif-tiny's tokenizer: as fast and as large as a real one."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from motif_lib.models.load import load_tokenizer

    if (folder / "tokenizer_config.json").exists():  # the last file
        return folder
    tokenizer = load_tokenizer()
    config = Qwen2Config(
        hidden_size=shape.hidden, intermediate_size=shape.intermediate, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, vocab_size=shape.vocab,
        tie_word_embeddings=shape.tied, max_position_embeddings=4096, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.device("cuda" if has_cuda() else "cpu"):
        Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tests(out: Path, small: bool) -> Rows:
    """What only a GPU can show."""
    if not TESTS.exists():
        raise RuntimeError("tests/test_on_gpu.py is in a clone of the repository only")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(TESTS)]
    result = subprocess.run(command, capture_output=True, text=True)
    print(result.stdout, result.stderr)
    return [("tests/test_on_gpu.py", (result.stdout.strip().splitlines() or ["no output"])[-1])]


def graphs(out: Path, small: bool) -> Rows:
    """CUDA graphs and compiled graphs in the steps of a training: in its second half there should be no new ones."""
    import torch

    from motif_lib.samplers import cuda_graphs
    from motif_lib.training.runs import make_trainer

    steps = 4 if small else 20
    recipe = on_tiny(small, sampler="graph", max_steps=steps, save_strategy="no")
    trainer = make_trainer(recipe, out / "graphs", 0, recipe.load_questions(), "graphs")
    record, end, seen, counted = cuda_graphs.record, trainer.interrupt.on_step_end, [], [(0, 0)]

    def recorded(run: Callable[[], None], pool: Any) -> Callable[[], None]:
        seen.append(run)
        return record(run, pool)

    def on_step_end(*args: Any, **kwargs: Any) -> None:
        counted.append((len(seen), torch._dynamo.utils.counters["stats"]["unique_graphs"]))
        end(*args, **kwargs)

    cuda_graphs.record = recorded
    trainer.interrupt.on_step_end = on_step_end
    trainer.train()
    half = steps // 2
    return [
        (f"{kind} graphs in steps 1 to {half}, {half + 1} to {steps}", f"{counted[half][i]}, {last - counted[half][i]}")
        for i, (kind, last) in enumerate(zip(("CUDA", "compiled"), counted[-1]))
    ]


def on_tiny(small: bool, **train: Any) -> Recipe:
    """The `cpu` recipe on a GPU, through Unsloth."""
    recipe = load_recipe("cpu").with_train(**(SMALL_TRAIN if small else {})).with_train(**train)
    if has_cuda():
        recipe = recipe.with_train(use_cpu=False, bf16=True)
    return replace(recipe, load={"unsloth": True, "window": 196} if through_unsloth() else {})


def speeds(model: str, plain: bool, out: Path, small: bool) -> Rows:
    """Every sampler against the reference's loop and the memory floor, at the shape of a model."""
    from motif_lib.machine.bench import run_bench

    changes = {"max_completion_length": 256, "rollout_batch_size": max(BATCHES)}
    recipe = recipe_here("gpu-80gb", out, small, plain, model, **changes)
    measured = run_bench(recipe, "gpu-80gb", batches=(1, 4) if small else BATCHES).speeds
    rows, loop = [described(recipe)], measured[0].tokens_per_second
    for s in measured:
        speed = s.tokens_per_second
        found = f"{speed:,.0f} tokens/s, {speed / loop:.1f} x the loop, {speed / s.floor:.1%} of the floor"
        rows.append((f"{s.way}, batch of {s.batch}", found))
    return rows


def memory(recipe_name: str, out: Path, small: bool) -> Rows:
    """The peak of a whole step against the estimate, and the seconds of its parts."""
    from motif_lib.machine.measure import measure_step, peak_memory
    from motif_lib.models.memory import for_recipe
    from motif_lib.training.runs import make_trainer

    recipe = recipe_here(recipe_name, out, small, save_strategy="no")
    trainer = make_trainer(recipe, out / f"memory-{recipe_name}", 0, recipe.load_questions(), "memory")
    seconds = measure_step(trainer)
    peak, shape = peak_memory(), Shape.of(trainer.model.config)
    estimate = for_recipe(recipe, trainer.args, shape).total / GIB
    found = "no GPU" if peak is None else f"{peak / GIB:.1f} GiB"
    parts = ", ".join(f"{part} {spent:.1f}" for part, spent in seconds.items())
    peaks = f"{found}, {estimate:.1f} GiB"
    return [described(recipe), ("peak of a step, estimated", peaks), ("seconds of a step", parts)]


def tiny(out: Path, small: bool) -> Rows:
    """The demo's training through Unsloth, and its accuracy on held-out problems."""
    from motif_lib.studies.demo import TEST_SIZE, evaluate_run
    from motif_lib.tasks import load_task
    from motif_lib.training.runs import train_run

    recipe = on_tiny(small, credit="all", num_trajectories=1)
    if not train_run(recipe, out / "tiny"):
        raise RuntimeError("stopped before its last step")
    questions = load_task("ledger", split="test", size=8 if small else TEST_SIZE, **recipe.dial)
    rows = [described(recipe)]
    for name, adapter in {"base": None, "trained": out / "tiny" / "adapter"}.items():
        found = evaluate_run(recipe, adapter, questions, out / "eval" / name, name, 0).accuracy
        rows.append((f"{name}, % of {len(questions)}", str(found)))
    return rows


def gsm8k(out: Path, small: bool) -> Rows:
    """A real model on GSM8K, until the time is over; `motif train` would go on from its checkpoint."""
    from statistics import mean

    from motif_lib.training.runs import read_metrics, train_run

    recipe = recipe_here("gpu-80gb", out, small, save_steps=10)
    done = train_run(recipe, out / "gsm8k")
    steps = read_metrics(out / "gsm8k")
    first, last = ([entry["motif/accuracy"] for entry in part] for part in (steps[:20], steps[-20:]))
    found = f"{len(steps)} steps{'' if done else ', stopped'}, {mean(e['step_time'] for e in steps):.1f} s each"
    right = f"{mean(first):.2f}, {mean(last):.2f}"
    return [described(recipe), ("training", found), ("rollouts right, first and last 20 steps", right)]


PARTS: dict[str, Callable[[Path, bool], Rows]] = {
    "tests": tests,
    "graphs": graphs,
    **{
        f"speed-{size}-{'16-bit' if plain else 'Unsloth'}": partial(speeds, f"Qwen/Qwen2.5-{size}-Instruct", plain)
        for size in ("3B", "0.5B")
        for plain in (False, True)
    },
    **{f"memory-{name}": partial(memory, name) for name in ("gpu-80gb", "gpu-24gb", "gpu-16gb")},
    "tiny": tiny,
    "gsm8k": gsm8k,
}


def main(name: str, out: Path, small: bool) -> None:
    """Run one part and write its rows."""
    if through_unsloth() and name != "tests" and not name.endswith("16-bit"):
        import_unsloth()  # before all that follows
    from motif_lib.machine.measure import device_name

    started = time.perf_counter()
    rows = PARTS[name](out, small)
    import torch

    found = {
        "rows": rows,
        "seconds": time.perf_counter() - started,
        "device": device_name(torch.device("cuda" if has_cuda() else "cpu")),
    }
    write_text(out / f"{name}.json", json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), "--small" in sys.argv)
