"""How much GPU memory will it take? An estimate from a model's shape alone, before anything is loaded.

The terms are counted: weights, LoRA with its gradients and 8-bit optimiser states, what a sampler keeps, the cache of a
rollout, activations of the update. One constant stands for what libraries take on top. No run of the recipes on a GPU
is behind it. One figure could be compared: Qwen2.5-3B in 4-bit through Unsloth, 32 rows generating, peaked at 3.8 GiB
on an H100 (tests/test_gpu_memory.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

GIB = 2**30
FOUR_BIT = 0.516  # bytes a weight: NF4 with double quantisation, 4.127 bits (QLoRA, arXiv 2305.14314, section 3)
ADAPTER = 4 + 4 + 2  # bytes a LoRA weight: float32 weight, float32 gradient, two 8-bit Adam moments
WORKSPACE = 0.9 * GIB  # de-quantisation buffers, fragments, libraries: an assumption


@dataclass(frozen=True)
class Shape:
    """What decides a decoder's memory; names as in Transformers' Qwen2, Qwen3 and Llama configs."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int
    tied: bool
    head_size: int

    @classmethod
    def of(cls, config: Any) -> Shape:
        """The shape in a Transformers config."""
        heads = config.num_attention_heads
        return cls(
            config.hidden_size,
            config.intermediate_size,
            config.num_hidden_layers,
            heads,
            getattr(config, "num_key_value_heads", None) or heads,
            config.vocab_size,
            bool(config.tie_word_embeddings),
            getattr(config, "head_dim", None) or config.hidden_size // heads,
        )

    @property
    def linears(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of the seven linear maps of a layer, those that LoRA adapts."""
        q, kv = self.heads * self.head_size, self.kv_heads * self.head_size
        h, i = self.hidden, self.intermediate
        return [(h, q), (h, kv), (h, kv), (q, h), (h, i), (h, i), (i, h)]

    @property
    def matrices(self) -> int:
        """Weights in the linear maps of all layers: what 4-bit loading packs."""
        return self.layers * sum(a * b for a, b in self.linears)

    @property
    def tables(self) -> int:
        """Weights of the embedding, and of the output unless they are the same table; norms and biases are left out."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    def cache_bytes(self, itemsize: int = 2) -> int:
        """Bytes of keys and values that one token leaves in the cache."""
        return 2 * self.layers * self.kv_heads * self.head_size * itemsize


# config.json of Qwen/Qwen2.5-*-Instruct
PRESETS = {
    "Qwen/Qwen2.5-0.5B-Instruct": Shape(896, 4864, 24, 14, 2, 151_936, True, 64),
    "Qwen/Qwen2.5-1.5B-Instruct": Shape(1536, 8960, 28, 12, 2, 151_936, True, 128),
    "Qwen/Qwen2.5-3B-Instruct": Shape(2048, 11_008, 36, 16, 2, 151_936, True, 128),
    "Qwen/Qwen2.5-7B-Instruct": Shape(3584, 18_944, 28, 28, 4, 152_064, False, 128),
}


@dataclass(frozen=True)
class GpuMemory:
    """Bytes by purpose. Rollout and update are never held at the same time, so only the larger one counts.

    Args:
        weights: of the model.
        adapter: LoRA weights, gradients and optimiser states.
        sampler: what `GraphSampler` keeps: the merged copy and its buffers.
        rollout: freed once the replies are there: caches, probabilities.
        update: freed once the step is done: activations, logits.
        workspace: everything that is not counted.
    """

    weights: float
    adapter: float = 0.0
    sampler: float = 0.0
    rollout: float = 0.0
    update: float = 0.0
    workspace: float = WORKSPACE

    @property
    def total(self) -> float:
        """Bytes at the peak."""
        return self.weights + self.adapter + self.sampler + max(self.rollout, self.update) + self.workspace

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / GIB:.1f}" for name, size in asdict(self).items())
        return f"about {self.total / GIB:.1f} GiB ({parts})"


def weight_bytes(shape: Shape, four_bit: bool = False) -> float:
    """Bytes of the weights; embeddings stay in 16-bit."""
    return shape.matrices * (FOUR_BIT if four_bit else 2) + shape.tables * 2


def to_load(shape: Shape, four_bit: bool = False) -> GpuMemory:
    """To hold a model and generate a little."""
    return GpuMemory(weight_bytes(shape, four_bit))


def to_train(
    shape: Shape,
    four_bit: bool,
    lora_rank: int,
    window: int,
    rollout_rows: int,
    update_rows: int,
    budget: int | None,
    graph: bool = True,
) -> GpuMemory:
    """To train by GRPO with gradient checkpointing.

    Args:
        shape: of the model.
        four_bit: 4-bit weights.
        lora_rank: rank on all seven linear maps.
        window: tokens of prompt and reply together.
        rollout_rows: replies decoded together.
        update_rows: replies in one backward pass.
        budget: completion tokens of a reply, those whose logits are held; None: prompt and reply share the window, and
            the estimate has the most of either.
        graph: rollouts by `GraphSampler`, which decodes with a merged copy and keeps its buffers.
    """
    adapter = shape.layers * lora_rank * sum(a + b for a, b in shape.linears) * ADAPTER
    tokens = update_rows * window
    kept = shape.layers * tokens * shape.hidden * 2  # one checkpoint a layer
    one_layer = tokens * (4 * shape.intermediate + 8 * shape.hidden) * 2  # activations of the layer at work, 16-bit
    logits = update_rows * (budget or window) * shape.vocab * (2 + 4 + 4)  # 16-bit, float32, and its gradient
    buffers = rollout_rows * (window * shape.cache_bytes() + shape.vocab * 2)
    prompts = (
        rollout_rows * (window - (budget or 0)) * shape.cache_bytes()
    )  # read into a cache of their own, then copied
    return GpuMemory(
        weight_bytes(shape, four_bit),
        adapter,
        shape.matrices * 2 + buffers if graph else 0.0,
        rollout_rows * shape.vocab * 3 * 4 + (prompts if graph else buffers),  # float32 probabilities, drawn from
        kept + one_layer + logits,
    )


def for_recipe(recipe: Any, args: Any, shape: Shape) -> GpuMemory:
    """To train by a `Recipe`, whose `MotifConfig` is `args`, a model of this shape."""
    rows = args.per_device_train_batch_size * args.steps_per_generation
    later = rows * args.num_trajectories if args.num_rounds > 1 else rows
    return to_train(
        shape,
        recipe.load.get("four_bit", False),
        recipe.lora_rank,
        recipe.load["window"],
        min(later, args.rollout_batch_size),
        args.per_device_train_batch_size,
        args.max_completion_length,
        graph=args.sampler in (None, "graph"),
    )


def check_fits(name: str, shape: Shape, four_bit: bool, free: int) -> None:
    """Refuse to load what will not fit.

    Raises:
        RuntimeError: if the estimate is above `free` bytes; the line names what would fit.
    """
    need = to_load(shape, four_bit).total
    if need <= free:
        return
    short = f"{name} needs about {need / GIB:.1f} GiB of GPU memory, {free / GIB:.1f} GiB are free"
    packed = to_load(shape, True).total
    if not four_bit and packed <= free:
        raise RuntimeError(f"{short}: load it in 4-bit ({packed / GIB:.1f} GiB)")
    fitting = [preset for preset, other in PRESETS.items() if to_load(other, True).total <= free]
    advice = f"the largest preset that fits is {fitting[-1]} in 4-bit" if fitting else "free some, or use a CPU"
    raise RuntimeError(f"{short}: {advice}")
