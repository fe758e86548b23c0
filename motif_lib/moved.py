"""Import paths of version 0.0 that still work, each with a deprecation line; they go in version 0.2."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "gpu": "models.unsloth",
    "gpu_memory": "models.memory",
    "export": "models.export",
    "samplers.cache": "models.attention",
    "samplers.choice": "samplers.choose",
    "samplers.fixed": "samplers.cuda_graphs",
    "samplers.merged": "samplers.merged_copy",
    "config": "training.config",
    "trainer": "training.trainer",
    "callbacks": "training.callbacks",
    "checkpoints": "training.checkpoints",
    "recipe": "training.recipe",
    "runs": "training.runs",
    "evaluate.probe": "evaluate.note_probe",
    "evaluate.tables": "show.tables",
    "tiny.habits": "tiny.pretraining_examples",
    "trees": "evaluate.trees",
    "tasks.perturb": "evaluate.robustness",
    "demo": "studies.demo",
    "experiment": "studies.seeds",
    "ablate": "studies.ablate",
    "recorded": "studies.recorded",
    "plots": "show.plots",
    "colours": "show.colours",
    "terminal": "show.terminal",
    "grade": "classroom.grade",
    "kernel": "classroom.kernel",
    "pack": "classroom.pack",
    "build_notebooks": "classroom.build_notebooks",
    "doctor": "machine.doctor",
    "bench": "machine.bench",
    "measure": "machine.measure",
}


class OldPaths(MetaPathFinder, Loader):
    """Gives the module at its new path to whoever imports the old one."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == "motif_lib" and name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        new = f"motif_lib.{MOVED[module.__name__.partition('.')[2]]}"
        warnings.warn(f"{module.__name__} is now {new}; the old path goes in 0.2", DeprecationWarning, stacklevel=2)
        sys.modules[module.__name__] = import_module(new)
