"""What `bench` measures: samplers, the parts of a training step, the memory of a device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import fmean, median
from time import perf_counter
from typing import Any

from motif_lib.models.memory import Shape

REPEATS = 3  # the median is reported
LOOP_SECONDS = 20.0  # the one-by-one loop stops after this many
LOOP_PROMPTS = 64  # or when these are answered
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


def measure_sampling(trainer: Any, bandwidth: float, batches: Sequence[int]) -> tuple[Speed, ...]:
    """The one-by-one loop, then every sampler that runs here, on prompts of round 2."""
    own = trainer.later_sampler
    prompts = later_prompts(trainer, max(batches))
    lengths = [len(prompt) for prompt in prompts]
    held = fmean(length + limit / 2 for length, limit in zip(lengths, own.limits(prompts)))  # tokens in a row's cache

    def speed(way: str, model: Any, batch: int, tokens_per_second: float) -> Speed:
        per_token = Shape.of(model.config).cache_bytes(model.dtype.itemsize)
        floor = batch * bandwidth / (bytes_read(model) + batch * held * per_token)
        return Speed(way, batch, tokens_per_second, floor)

    loop = one_by_one(trainer.policy, own, prompts[:LOOP_PROMPTS])
    speeds = [speed("one at a time, as the reference", trainer.policy, 1, loop)]
    for sampler in samplers(trainer):
        sampler.sample_ids(prompts[: min(batches)])  # to warm up
        for batch in batches:
            found = [rate(partial(new_tokens, sampler, prompts[:batch])) for _ in range(REPEATS)]
            speeds.append(speed(type(sampler).__name__, sampler.model, batch, median(found)))
        sampler.release()
    return tuple(speeds)


def samplers(trainer: Any) -> Iterator[Any]:
    """Each sampler that can answer for the trainer's model, with the settings of its later rounds."""
    from motif_lib.samplers.choose import SAMPLERS, available_samplers, make_sampler

    own = trainer.later_sampler
    for kind in available_samplers(trainer.policy):
        if type(own) is SAMPLERS[kind]:
            yield own
        else:
            yield make_sampler(
                trainer.policy,
                own.tokenizer,
                own.max_new_tokens,
                batch_size=own.batch_size,
                kind=kind,
                chat_template_kwargs=own.chat_template_kwargs,
                **asdict(own.drawing),
            )


def new_tokens(sampler: Any, prompts: list[list[int]]) -> int:
    """Number of tokens that a sampler generates for prompts."""
    return sum(map(len, sampler.sample_ids(prompts)))


def later_prompts(trainer: Any, count: int) -> list[list[int]]:
    """Token ids of `count` prompts of round 2, as a step makes them: m replies to a question, k times each."""
    from motif_lib.records import Question, Trajectory
    from motif_lib.rounds import advance, next_prompt

    args = trainer.args
    each = args.num_generations * args.num_trajectories
    rows = trainer.train_dataset.select(range(min(-(-count // each), len(trainer.train_dataset))))
    begun = [
        Trajectory(Question(row["question"], row["gold"], row["task"], grading=row.get("grading")), ()) for row in rows
    ]
    rounds = max(args.num_rounds, 2)
    replied = advance([t for t in begun for _ in range(args.num_generations)], trainer.sampler, rounds, trainer.carry)
    chats = [next_prompt(t, rounds) for t in replied for _ in range(args.num_trajectories)]
    prompts = trainer.sampler.render(chats)
    return (prompts * -(-count // len(prompts)))[:count]


def one_by_one(model: Any, sampler: Any, prompts: Sequence[Sequence[int]]) -> float:
    """Tokens a second of `model.generate`, one prompt a call, with the sampler's settings."""
    import torch

    from motif_lib.samplers.generate import generate_settings

    model, started, tokens = model.eval(), perf_counter(), 0
    for number, prompt in enumerate(prompts):
        ids = torch.tensor([prompt], device=model.device)
        if number == 1:  # the first one warms up
            started, tokens = perf_counter(), 0
        settings = generate_settings(sampler, *sampler.limits([prompt]))
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
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


def bytes_read(model: Any) -> int:
    """Bytes of weights that a decoding step reads: all but an input embedding that is not also the output's."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    skipped = embedding.weight if head is None or embedding.weight is not head.weight else None
    return sum(p.numel() * p.element_size() for p in model.parameters() if p is not skipped)


def synchronise(device: Any) -> None:
    """Wait until a GPU has finished its work."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def device_name(device: Any) -> str:
    """The GPU's name, or the number of CPU threads."""
    import torch

    threads = torch.get_num_threads()
    cpu = f"CPU, {threads} thread{'s' * (threads > 1)}"
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu


def peak_memory() -> int | None:
    """Most bytes of GPU memory held so far; None without a GPU."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
