"""How fast is this machine? Tokens a second of batched rollouts, and where the time of a training step goes.

Everything is measured in one run, with one model and one setting. The yardsticks are the reference code's way, one
prompt at a time, and the memory-bandwidth floor: to decode one token for each row of a batch, the weights and every
row's cache must be read once.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from motif_lib.files import locked, write_text
from motif_lib.machine.measure import Speed, device_name, measure_bandwidth, measure_sampling, measure_step, peak_memory
from motif_lib.models.memory import GIB, Shape, for_recipe
from motif_lib.show.tables import Table
from motif_lib.training.recipe import Recipe

BATCHES = (64, 256)


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Args:
        device: name and threads.
        recipe: its name.
        bandwidth: bytes a second of memory, measured by a copy.
        speeds: the one-by-one loop first.
        step: seconds of the parts of one training step.
        steps: steps of the recipe.
        peak_bytes: of GPU memory; None on a CPU.
        estimated_bytes: what `models.memory` would have said, where the recipe names its window; None on a CPU.
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
        batches: rows decoded together; those above the recipe's `rollout_batch_size` are left out.

    Raises:
        RuntimeError: before anything is measured, if `out` cannot be written.
    """
    with locked(Path(out).parent, f".{Path(out).name}.lock") if out is not None else nullcontext():
        found = _measure(recipe, name, batches)
        if out is not None:
            write_text(
                Path(out), json.dumps(asdict(found) | {"training_seconds": found.training_seconds}, indent=2) + "\n"
            )
    return found


def _measure(recipe: Recipe, name: str, batches: Sequence[int]) -> Bench:
    from motif_lib.training.runs import make_trainer

    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(recipe.with_train(save_strategy="no"), Path(folder), 0, recipe.load_questions(), "bench")
        trainer.remove_callback(trainer.interrupt)
        trainer.interrupt = nullcontext()  # Ctrl-C ends a bench at once: there is no step to save
        steps = trainer.args.max_steps
        bandwidth = measure_bandwidth(trainer.accelerator.device)
        step = measure_step(trainer)
        peak, estimate = peak_memory(), None  # of training: the samplers below take memory of their own
        rows = trainer.args.rollout_batch_size
        speeds = measure_sampling(trainer, bandwidth, [batch for batch in batches if batch <= rows] or [rows])
    if peak is not None and "window" in recipe.load:
        estimate = for_recipe(recipe, trainer.args, Shape.of(trainer.model.config)).total
    device = device_name(trainer.accelerator.device)
    return Bench(device, name, bandwidth, speeds, step, steps, peak, estimate)
