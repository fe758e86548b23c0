"""What a model needs on a CPU: a type that the processor calculates with, and last states in one piece."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

INSTRUCTIONS = {  # what a processor needs to calculate with a type: x86, then ARM
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
    "float16": ("avx512_fp16", "amx_fp16", "fp16_arith"),
}


def for_cpu(model: Any) -> Any:
    """The model, widened if need be; in a 16-bit type its output layer gets its input in one piece."""
    model, head = widened(model), model.get_output_embeddings()
    if model.dtype.itemsize == 2 and head is not None:
        head.register_forward_pre_hook(in_one_piece)
    return model


def in_one_piece(layer: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The states of the last tokens, (N, L, D), without gaps.

    Transformers cuts them out of all states, and a frozen layer without a bias then multiplies row by row; in bfloat16
    PyTorch 2.13 copies the weights for each row: 27 GB for 100 rows and the vocabulary of Qwen2.5 (our run).
    """
    return (given[0].contiguous(), *given[1:])


def widened(model: Any) -> Any:
    """A model for the CPU: in float32, and it says so, if the processor cannot calculate with the 16-bit type.

    There float32 reads prompts two to three times as fast and decodes 32 replies nearly twice as fast; only one reply
    alone comes a fifth slower. Packed weights stay, and those that would not fit the memory.
    """
    import psutil

    given = str(model.dtype).removeprefix("torch.")
    if given not in INSTRUCTIONS or has_instructions(given) or getattr(model, "is_quantized", False):
        return model
    needed, free = 4 * model.num_parameters(), psutil.virtual_memory().available
    size = f"{needed / 1e9:.1f} GB"
    if needed > free:
        said = f"{given} is slow on this processor, but float32 needs {size} and {free / 1e9:.1f} GB are free"
        print(said, file=sys.stderr)
        return model
    print(f"loaded in float32, {size}: this processor cannot calculate with {given}", file=sys.stderr)
    return model.float()


def has_instructions(dtype: str) -> bool:
    """Can this processor calculate with a 16-bit type, or does it convert each number? Unknown counts as no."""
    import torch

    can = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # torch 2.9 has none
    return any(can.get(name) for name in INSTRUCTIONS[dtype])
