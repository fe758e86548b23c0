"""MOTIF: reinforcement learning of multi-round reasoning, to read, run and extend.

Importing this package loads neither torch nor transformers; the names below load what they need on first use. It turns
off the Hub's telemetry, which TRL would use to report every trainer: set HF_HUB_DISABLE_TELEMETRY=0 to allow it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from motif_lib.moved import OldPaths

__version__ = "0.1.0"

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is imported
sys.meta_path.append(OldPaths())  # last: only a path that nothing else knows comes here

_HOMES = {
    "Question": "records",
    "Reply": "records",
    "Trajectory": "records",
    "Trace": "records",
    "read_traces": "records",
    "messages": "protocol",
    "read_answer": "protocol",
    "progress_note": "carry",
    "think": "rounds",
    "branch": "rounds",
    "ScriptedSampler": "samplers.base",
    "LocalSampler": "samplers.local",
    "make_sampler": "samplers.choose",
    "load_task": "tasks",
    "format_reward": "rewards.format",
    "FutureAccuracy": "rewards.future",
    "ServerSampler": "samplers.server",
    "load_model": "models.load",
    "load_sampler": "samplers.open",
    "lora_config": "models.load",
    "MotifConfig": "training.config",
    "MotifTrainer": "training.trainer",
    "motif_step": "step",
    "to_dataset": "training.trainer",
    "load_recipe": "training.recipe",
    "train_run": "training.runs",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'motif_lib' has no attribute {name!r}")
    try:
        return getattr(import_module(f"motif_lib.{_HOMES[name]}"), name)
    except (ImportError, ValueError):  # ValueError: "numpy.dtype size changed" and the like
        from motif_lib.runtime import check

        check()  # says so in one line, if the reason is known
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
