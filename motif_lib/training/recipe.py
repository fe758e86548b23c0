"""A recipe is a YAML file that names a model, a task and the settings of `MotifConfig`: what `motif train` reads."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from motif_lib.files import PACKAGE
from motif_lib.models import unsloth as gpu
from motif_lib.models.identity import check_revision
from motif_lib.models.load import go_on_with, load_model, with_lora
from motif_lib.records import Question
from motif_lib.runtime import check, prepare
from motif_lib.training.settings import typed

T = TypeVar("T")
FOLDER = PACKAGE / "training" / "recipes"
SEED = "a run gets it from --seed, or train_run(seed=...)"
OF_A_RUN = {"seed": SEED, "data_seed": SEED, "output_dir": "a run gets it from --out"}
ELSEWHERE = {  # keys that are decided elsewhere
    "train": OF_A_RUN,
    "warm": OF_A_RUN,
    "load": {"name": "it is `model`", "adapter": "it is `adapter`"},
    "dial": {"name": "it is `task`", "size": "it is `questions`", "seed": SEED, "split": "a run trains on `train`"},
}


@dataclass(frozen=True)
class Recipe:
    """One training run, except for its seed and its folder.

    Args:
        model: name for `load_model`.
        task: name for `load_task`; `dial` goes to it too.
        questions: training questions to draw, each used once in an epoch.
        lora_rank: rank of the LoRA adapter.
        load: keyword arguments of `load_model`, such as `four_bit`.
        train: keyword arguments of `MotifConfig`.
        warm: keyword arguments of TRL's `SFTConfig`, for the cold start before it (`training.warm`).
        adapter: folder of a LoRA adapter of `lora_rank` that the run goes on with; None begins a new one.
        note_use: held-out questions with which `training.note_use` measures every checkpoint; None for no such curves.
    """

    model: str
    task: str
    questions: int | None = None
    lora_rank: int = 64
    dial: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    warm: dict[str, Any] = field(default_factory=dict)
    adapter: str | None = None
    note_use: int | None = None

    def __post_init__(self) -> None:
        if unknown := sorted(self.load.keys() - inspect.signature(load_model).parameters):
            raise TypeError(f"`load` has an unknown key {unknown[0]!r}")
        for where, keys in ELSEWHERE.items():
            if given := sorted(keys.keys() & getattr(self, where).keys()):
                raise TypeError(f"`{where}` has {given[0]!r}, which has no effect there: {keys[given[0]]}")
        if self.unsloth and self.train.get("use_cpu"):
            raise TypeError("Unsloth trains on a GPU only: `load` has unsloth, so leave use_cpu out of `train`")
        check_revision(self.model, self.load.get("revision"))

    def with_train(self, **changes: Any) -> Recipe:
        """The same recipe with other settings of `MotifConfig`."""
        return replace(self, train={**self.train, **changes})

    def settings(self) -> dict[str, Any]:
        """What a run folder is recognised by: all but `warm`, which changes no training, and an `adapter` or `note_use`
        of None, so that folders older than these keys are still recognised."""
        left_out = {"adapter", "note_use"}  # where they are None
        return {k: v for k, v in asdict(self).items() if k != "warm" and (k not in left_out or v is not None)}

    def going_on(self, adapter: str | Path | None) -> Recipe:
        """The same recipe from an adapter; None leaves it as it is."""
        return self if adapter is None else replace(self, adapter=str(adapter))

    def config(self, out: str | Path, **changes: Any) -> Any:
        """The `MotifConfig` of a run in folder `out`.

        Args:
            out: folder of the run.
            changes: settings in place of the recipe's; `use_cpu=True` shows a GPU's recipe to a machine without one.

        Raises:
            ValueError: if a setting is unknown, or its value is of no use.
        """
        settings = {**self.train, **changes}
        self.unsloth_first(settings.get("use_cpu"))
        from motif_lib.training.config import MotifConfig

        with naming("`train`"):
            return MotifConfig(output_dir=str(out), **typed(MotifConfig, settings))

    @property
    def unsloth(self) -> bool:
        """Whether the recipe trains through Unsloth."""
        return bool(self.load.get("unsloth"))

    def prepare(self) -> None:
        """In a notebook, before other imports: install what the recipe needs, on a hosted runtime; Unsloth comes first.

        Raises:
            NotReady: as `runtime.prepare`.
            RuntimeError: if the recipe needs a GPU and there is none.
        """
        if self.unsloth:
            gpu.need_cuda()
            prepare("gpu")
        self.unsloth_first()

    def unsloth_first(self, use_cpu: bool | None = None) -> None:
        """Import Unsloth, if the recipe loads through it: before trl and all else that it patches."""
        check()
        if self.unsloth and not use_cpu:
            gpu.import_unsloth()

    def load_model(self, seed: int = 0) -> tuple[Any, Any, Any]:
        """`(model, tokenizer, peft_config)` for a trainer: loaded as `load` says, for an adapter of `lora_rank`.

        With an `adapter` to go on with, the model has it around it, and there is no `peft_config`.

        Args:
            seed: of the adapter's first weights: it is set here, for Unsloth draws them now and the trainer later.

        Raises:
            RuntimeError: as `load_model`, or if the adapter cannot be gone on with.
        """
        # with beta TRL keeps a copy of the adapter, and Transformers goes on from a checkpoint with that copy only
        if self.adapter is not None and (self.load.get("unsloth") or self.train.get("beta")):
            raise RuntimeError(
                f"with {'Unsloth' if self.load.get('unsloth') else 'beta'} a run begins an adapter of its own: first "
                f"`motif export {self.adapter} --out FOLDER`, then name that folder as `model`, without an adapter"
            )
        self.unsloth_first()
        from transformers import set_seed

        set_seed(seed)
        model, tokenizer = load_model(self.model, **self.load)
        if self.adapter is not None:
            return go_on_with(model, Path(self.adapter), self.lora_rank, self.model), tokenizer, None
        model, adapter = with_lora(model, self.lora_rank, seed=seed)
        return model, tokenizer, adapter

    def load_questions(self, seed: int = 0, split: str = "train") -> list[Question]:
        """The training questions; of the split "test", those of `note_use`.

        Raises:
            ValueError: if the task, or a key of `dial`, is unknown.
        """
        from motif_lib.tasks import load_task

        with naming("`questions` or `dial`"):
            size = self.questions if split == "train" else self.note_use
            return load_task(self.task, split=split, size=size, seed=seed, **self.dial)


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by name (`cpu`) or by path.

    Raises:
        ValueError: if there is none of that name, or a key in it is unknown.
    """
    return load_yaml(Recipe, name, FOLDER)


def load_yaml(kind: type[T], name: str | Path, folder: Path) -> T:
    """A `Recipe` or an ablation's `Grid` from the YAML file of that path, or of that name in a folder of the package.

    Raises:
        ValueError: in one line, if there is no such file, or it does not hold what `kind` takes.
    """
    what = kind.__name__.lower()
    path = Path(name) if str(name).endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ValueError(f"no {what} {str(name)!r}: name one of {known}, or the path of a YAML file")
    try:
        return kind(**typed(kind, _extended(yaml.safe_load(path.read_text(encoding="utf-8-sig")), folder)))
    except (TypeError, ValueError, yaml.YAMLError) as error:
        keys = ", ".join(inspect.signature(kind).parameters)
        raise ValueError(f"{path}: {' '.join(str(error).split())}; a {what} has the keys {keys}") from None


def _extended(settings: Any, folder: Path) -> dict[str, Any]:
    """What a file says on top of the file of the package that it `extends`; keys with values are joined."""
    if not isinstance(settings, dict):
        raise TypeError(f"it holds {settings!r:.40}, not keys with values")
    if "extends" not in settings:
        return settings
    file = folder / f"{settings.pop('extends')}.yaml"
    if file.parent != folder or not file.exists():
        raise TypeError(f"it extends {file.stem!r}, and there is none of that name")
    base = _extended(yaml.safe_load(file.read_text(encoding="utf-8")), folder)
    joined = {key: {**base[key], **value} for key, value in settings.items() if _both_dicts(base.get(key), value)}
    return {**base, **settings, **joined}


def _both_dicts(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


@contextmanager
def naming(key: str) -> Iterator[None]:
    """Report a setting that nothing accepts as a mistake in the recipe, in one line."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise ValueError(f"{key} of the recipe: {' '.join(str(error).split())}") from error
