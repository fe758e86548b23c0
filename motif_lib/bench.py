"""How fast is this machine? Tokens a second of batched rollouts, and where the time of a training step goes.

Everything is measured in one run, with one model and one setting. The yardsticks are the reference code's way, one
prompt at a time, and the memory-bandwidth floor: to decode one token for each row of a batch, the weights and every
row's cache must be read once.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from motif_lib.evaluate.tables import Table
from motif_lib.memory import GIB, Shape, for_recipe
from motif_lib.recipe import Recipe
from motif_lib.runs import write_text

BATCHES = (64, 256)
REPEATS = 3  # the median is reported
LOOP_SECONDS = 20.0  # the one-by-one loop stops after this many
COPY_BYTES = 2**28  # copied to measure the bandwidth: larger than any processor's cache


@dataclass(frozen=True)
class Speed:
    """One way of sampling, on the later-round prompts of the recipe.

    Args:
        way: what was measured.
        batch: rows decoded together.
        tokens_per_second: completion tokens a second, reading the prompts included.
        floor: tokens a second at which reading weights and caches alone would fill the time.
    """

    way: str
    batch: int
    tokens_per_second: float
    floor: float


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Args:
        device: name and threads.
        recipe: its name.
        bandwidth: bytes a second of memory, from a copy.
        speeds: the one-by-one loop first.
        step: seconds of the parts of one training step.
        steps: steps of the recipe.
        peak_bytes: of GPU memory; None on a CPU.
        estimated_bytes: what `memory` would have said, where the recipe names its window; None on a CPU.
    """

    device: str
    recipe: str
    bandwidth: float
    speeds: tuple[Speed, ...]
    step: dict[str, float]
    steps: int
    peak_bytes: int | None = None
    estimated_bytes: float | None = None

    @property
    def training_seconds(self) -> float:
        """Predicted time of the whole training: the measured step times the recipe's steps."""
        return sum(self.step.values()) * self.steps

    def tables(self) -> tuple[Table, Table]:
        """Sampling speeds, and the parts of a step."""
        loop = self.speeds[0].tokens_per_second
        rows = [
            (s.way, str(s.batch), f"{s.tokens_per_second:,.0f}", f"{s.tokens_per_second / loop:.1f}",
             f"{s.tokens_per_second / s.floor:.1%}")
            for s in self.speeds
        ]  # fmt: skip
        columns = ("sampling round 2", "batch", "tokens a second", "times the loop", "of the memory floor")
        where = f"{self.device}, {self.bandwidth / 1e9:.1f} GB/s by a copy"
        total = sum(self.step.values())
        parts = [(part, f"{seconds:.2f}", f"{seconds / total:.0%}") for part, seconds in self.step.items()]
        notes = [f"{self.steps} steps: about {self.training_seconds / 60:.0f} minutes on this machine, as it is now"]
        if self.peak_bytes is not None:
            notes.append(f"peak GPU memory {self.peak_bytes / GIB:.1f} GiB")
        if self.estimated_bytes is not None:
            notes.append(f"estimated {self.estimated_bytes / GIB:.1f} GiB")
        return (
            Table(f"Sampling: {where}", columns, rows),
            Table(f"One step of recipe {self.recipe}", ("part", "seconds", "share"), parts, notes),
        )


def run_bench(
    recipe: Recipe, name: str = "recipe", out: str | Path | None = None, batches: Sequence[int] = BATCHES
) -> Bench:
    """Measure with a recipe's own model, prompts and settings; nothing is kept of the training.

    Args:
        recipe: two of its steps are run, the first of them to warm up.
        name: of the recipe, for the tables.
        out: file for the numbers, as JSON.
        batches: rows decoded together, for the batched sampler.
    """
    from motif_lib.runs import make_trainer

    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe.with_train(save_strategy="no"), Path(folder), 0, recipe.load_questions(), "bench")
        steps = recipe.train.get("max_steps", trainer.args.max_steps)
        bandwidth = measure_bandwidth(trainer.accelerator.device)
        speeds = measure_sampling(trainer, bandwidth, batches)
        step = measure_step(trainer)
    peak, estimate = peak_memory(), None
    if peak is not None and "window" in recipe.load:
        estimate = for_recipe(recipe, trainer.args, Shape.of(trainer.model.config)).total
    device = device_name(trainer.accelerator.device)
    bench = Bench(device, name, bandwidth, speeds, step, steps, peak, estimate)
    if out is not None:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        write_text(Path(out), json.dumps(asdict(bench) | {"training_seconds": bench.training_seconds}, indent=2) + "\n")
    return bench


def measure_sampling(trainer: Any, bandwidth: float, batches: Sequence[int]) -> tuple[Speed, ...]:
    """The one-by-one loop, then the trainer's own sampler, on prompts of round 2."""
    sampler = trainer.later_sampler
    prompts = later_prompts(trainer, max(batches))
    lengths = [len(prompt) for prompt in prompts]
    weights = weight_bytes(sampler.model)
    per_token = Shape.of(sampler.model.config).cache_bytes(sampler.model.dtype.itemsize)
    held = sum(lengths) / len(lengths) + sampler.max_new_tokens / 2  # tokens in a row's cache, on average

    def speed(way: str, batch: int, tokens_per_second: float) -> Speed:
        return Speed(way, batch, tokens_per_second, batch * bandwidth / (weights + batch * held * per_token))

    speeds = [speed("one at a time, as the reference", 1, one_by_one(trainer, prompts[: min(batches)]))]
    for batch in batches:
        rows = prompts[:batch]
        found = [rate(lambda rows=rows: sum(map(len, sampler.sample_ids(rows)))) for _ in range(REPEATS)]
        speeds.append(speed(type(sampler).__name__, batch, median(found)))
    return tuple(speeds)


def later_prompts(trainer: Any, count: int) -> list[list[int]]:
    """Token ids of `count` prompts of round 2, as a step makes them: m replies to a question, k times each."""
    from motif_lib.records import Question, Trajectory
    from motif_lib.rounds import advance, next_prompt

    args = trainer.args
    each = args.num_generations * args.num_trajectories
    rows = trainer.train_dataset.select(range(min(-(-count // each), len(trainer.train_dataset))))
    begun = [Trajectory(Question(row["question"], row["gold"], row["task"]), ()) for row in rows]
    rounds = max(args.num_rounds, 2)
    replied = advance([t for t in begun for _ in range(args.num_generations)], trainer.sampler, rounds, trainer.carry)
    chats = [next_prompt(t, rounds) for t in replied for _ in range(args.num_trajectories)]
    prompts = trainer.sampler.render(chats)
    return (prompts * -(-count // len(prompts)))[:count]


def one_by_one(trainer: Any, prompts: Sequence[Sequence[int]]) -> float:
    """Tokens a second of `model.generate`, one prompt a call, with the later sampler's model and settings."""
    import torch

    args, sampler = trainer.args, trainer.later_sampler
    model, started, tokens = sampler.model.eval(), perf_counter(), 0
    for number, prompt in enumerate(prompts):
        ids = torch.tensor([prompt], device=model.device)
        if number == 1:  # the first one warms up
            started, tokens = perf_counter(), 0
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=sampler.max_new_tokens,
            do_sample=True,
            temperature=args.temperature if args.later_temperature is None else args.later_temperature,
            top_p=args.top_p if args.later_top_p is None else args.later_top_p,
            top_k=0,
            pad_token_id=sampler.tokenizer.pad_token_id,
        )
        tokens += out.shape[1] - len(prompt)
        if number and perf_counter() - started > LOOP_SECONDS:
            break
    return tokens / (perf_counter() - started)


def measure_step(trainer: Any) -> dict[str, float]:
    """Seconds of the parts of the second of two training steps."""
    from transformers import TrainerCallback

    clock = Clock()
    clock.watch(trainer, "_generate_single_turn", "round 1")
    clock.watch(trainer, "sample_later", "roll-in")
    clock.watch(trainer.reward_funcs[0], "sampler", "later rounds")
    clock.watch(trainer, "_calculate_rewards", "rewards")

    class WholeStep(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.seconds.clear()
            self.started = perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            synchronise(trainer.accelerator.device)
            clock.seconds["step"] = perf_counter() - self.started

    trainer.add_callback(WholeStep())
    trainer.args.max_steps = 2
    trainer.train()
    seconds = clock.seconds
    sampled = {part: seconds[part] for part in ("round 1", "roll-in", "later rounds") if seconds[part]}
    verify = seconds["rewards"] - seconds["later rounds"]
    return {**sampled, "verify": verify, "update": seconds["step"] - verify - sum(sampled.values())}


class Clock:
    """Adds up the seconds spent in methods of objects."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def watch(self, owner: Any, method: str, part: str) -> None:
        """From now on, calls of `owner.method` count as `part`."""
        call = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[part] += perf_counter() - started

        setattr(owner, method, timed)


def rate(work: Callable[[], int]) -> float:
    """What `work` returns, a second."""
    started = perf_counter()
    return work() / (perf_counter() - started)


def measure_bandwidth(device: Any, repeats: int = 5) -> float:
    """Bytes a second of memory, read and written: the best of some copies of a large tensor."""
    import torch

    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> int:
        target.copy_(source)
        synchronise(device)
        return 2 * COPY_BYTES

    return max(rate(copy) for _ in range(repeats))


def weight_bytes(model: Any) -> int:
    """Bytes of weights that a decoding step reads: all but an input embedding that is not the output's too."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    skipped = embedding.weight if head is None or embedding.weight is not head.weight else None
    return sum(p.numel() * p.element_size() for p in model.parameters() if p is not skipped)


def synchronise(device: Any) -> None:
    """Wait for what a GPU still has in hand."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: Any) -> str:
    """The GPU's name, or the number of CPU threads."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


def peak_memory() -> int | None:
    """Most bytes of GPU memory held so far; None without a GPU."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
