"""Which weights are these? It tells what an evaluation was run with, and what an adapter was trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from motif_lib.models.load import TINY


def fingerprint(model: Any, adapters: bool = True) -> str:
    """SHA-256 of all weights of a model by name, adapters included: the same for the same weights, wherever they lie.

    Args:
        model: a torch model.
        adapters: count LoRA's weights too, not only those of the base.
    """
    import torch

    found = hashlib.sha256()
    for name, weight in model.state_dict().items():
        if isinstance(weight, torch.Tensor) and (
            adapters or "lora_" not in name
        ):  # a quantized layer also keeps settings
            found.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            found.update(weight.detach().contiguous().flatten().view(torch.uint8).cpu().numpy().data)
    return found.hexdigest()


def check_revision(model: str, revision: str | None) -> None:
    """Refuse a revision of something that has none: the package's own model, or a folder."""
    if revision and (model == TINY or Path(model).is_dir()):
        raise ValueError(f"{model} is a folder and has no revision {revision!r}: a revision pins a model of the Hub")
