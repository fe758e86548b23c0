"""A recipe is a YAML file that names a model, a task and the settings of `MotifConfig`: what `motif train` reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from motif_lib.records import Question

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training run, but for its seed and its folder.

    Args:
        model: name for `load_model`.
        task: name for `load_task`; `dial` goes to it too.
        questions: training questions to draw, each used once in an epoch.
        lora_rank: rank of the LoRA adapter.
        load: keyword arguments of `load_model`, such as `four_bit`.
        train: keyword arguments of `MotifConfig`.
    """

    model: str
    task: str
    questions: int | None = None
    lora_rank: int = 64
    dial: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)

    def with_train(self, **changes: Any) -> Recipe:
        """The same recipe with other settings of `MotifConfig`."""
        return replace(self, train={**self.train, **changes})

    def config(self, out: str | Path, **changes: Any) -> Any:
        """The `MotifConfig` of a run in folder `out`."""
        from motif_lib.config import MotifConfig

        return MotifConfig(output_dir=str(out), **{**self.train, **changes})

    def load_questions(self, seed: int = 0) -> list[Question]:
        """The training questions."""
        from motif_lib.tasks import load_task

        return load_task(self.task, split="train", size=self.questions, seed=seed, **self.dial)


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by name (`cpu`) or by path.

    Raises:
        ValueError: if there is none of that name, or a key in it is unknown.
    """
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.yaml")))
        raise ValueError(f"no recipe {name!r}: name one of {known}, or the path of a YAML file")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return Recipe(**data)
    except TypeError as error:
        raise ValueError(f"{path}: {error}; a recipe has the keys {', '.join(Recipe.__dataclass_fields__)}") from None
