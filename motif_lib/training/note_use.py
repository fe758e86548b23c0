"""Does the policy learn to use its notes? Four accuracies at every checkpoint, from the same held-out questions.

The last round is answered with the model's own note, with the full history, without a note and with a shuffled one
(`evaluate.note_probe`). Whether the gap to the full history closes in RL is the question of Accordion-Thinking (arXiv
2602.03249); an own note that is no better than a shuffled one is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tqdm.auto import tqdm
from transformers import Trainer, TrainerCallback

from motif_lib.evaluate.note_probe import note_use
from motif_lib.evaluate.statistics import wilson
from motif_lib.records import Question
from motif_lib.training.preflight import same_draws_after
from motif_lib.training.run_folder import NOTE_USE

PREFIX = "note_use/"


class NoteUse(TrainerCallback):
    """Measures `note_use` before the first step and at every checkpoint: `trainer.add_callback(NoteUse(trainer, ...))`.

    Replies are greedy and the random states are put back, so the training is the same with it and without it. The
    numbers go where the Trainer logs: to `report_to`, and as entries of their own into `log_history`.

    Args:
        trainer: a `MotifTrainer`; its rounds, budget and carry are used.
        questions: a few held-out ones, at least two; each costs up to n + 4 replies a checkpoint.

    Raises:
        ValueError: for fewer than two questions or rounds, or if the trainer writes no checkpoints.
    """

    def __init__(self, trainer: Any, questions: Sequence[Question]):
        rounds = trainer.args.num_rounds
        if rounds < 2 or len(questions) < 2:
            raise ValueError(f"note_use with {len(questions)} questions, num_rounds={rounds}: take at least 2 of each")
        if trainer.args.save_strategy == "no":
            raise ValueError("note_use measures at every checkpoint: set save_steps, and save_strategy to steps")
        self.trainer, self.questions = trainer, questions

    def on_train_begin(self, args, state, control, **kwargs: Any) -> None:
        # a checkpoint is written before it is measured: a run that goes on from it measures it here
        if not any(NOTE_USE in entry and entry["step"] == state.global_step for entry in state.log_history):
            self._measure(state)

    def on_save(self, args, state, control, **kwargs: Any) -> None:
        self._measure(state)

    def _measure(self, state: Any) -> None:
        if not state.is_world_process_zero:
            return
        with same_draws_after():
            sampler = self.trainer.sampler.at(0)
            reports = note_use(self.questions, sampler, self.trainer.args.num_rounds, self.trainer.carry)
        found = {kind: report.accuracy.value for kind, report in reports.items()}
        said = ", ".join(f"{kind} {100 * accuracy:.0f} %" for kind, accuracy in found.items())
        tqdm.write(f"Step {state.global_step}, last round right by its note: {said} of {len(self.questions)}")
        logs = {PREFIX + kind.replace(" ", "_"): accuracy for kind, accuracy in found.items()}
        Trainer.log(self.trainer, {**logs, NOTE_USE: len(self.questions)})  # TRL's would empty the metrics of the step


def curves(log: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, float, float, float]]]:
    """For `plots.note_use`: by kind of note `(step, accuracy, low, high)`, from `log_history` or `read_metrics`."""
    points: dict[str, list[tuple[int, float, float, float]]] = {}
    for entry in (entry for entry in log if NOTE_USE in entry):
        total = entry[NOTE_USE]
        for key in (key for key in entry if key.startswith(PREFIX) and key != NOTE_USE):
            e = wilson(round(entry[key] * total), total)
            kind = key.removeprefix(PREFIX).replace("_", " ")
            points.setdefault(kind, []).append((entry["step"], e.value, e.low, e.high))
    return points
