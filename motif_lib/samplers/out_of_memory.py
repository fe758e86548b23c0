"""When memory runs out in a rollout: decode it again in smaller batches, and say so."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from tqdm.auto import tqdm


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: CUDA's, Python's, or that of torch's CPU allocator."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def free_memory() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def smaller_when_full(sample: Callable[..., list]) -> Callable[..., list]:
    """Decorator of a sampler's `sample_ids`: when memory runs out, call it again with half the `batch_size`.

    The smaller size stays, so that the next step does not run into the same wall. One row that does not fit is an
    error. All replies of the call are drawn again.
    """

    @wraps(sample)
    def retried(self: Any, prompts: Sequence[Sequence[int]]) -> list:
        while True:
            try:
                return sample(self, prompts)
            except (MemoryError, RuntimeError) as error:
                rows = min(self.batch_size, len(prompts))
                if not is_out_of_memory(error) or rows < 2:
                    raise
            self.batch_size = rows // 2  # outside of `except`, where the error no longer holds the tensors
            tqdm.write(f"Out of memory with {rows} replies decoded together: {self.batch_size} from now on.")
            self.release()
            free_memory()

    return retried
