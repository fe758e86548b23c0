"""Make motif-tiny and write its model card: seed, data, loss, and accuracy by number of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motif_lib.evaluate import Report, evaluate
from motif_lib.files import write_text
from motif_lib.records import Question
from motif_lib.show.tables import Table
from motif_lib.tasks import load_task

BUDGET = 60  # tokens of a round
STEPS = (2, 12)

CARD = """---
license: mit
library_name: transformers
tags: [motif, ledger, teaching]
---
# motif-tiny

A Qwen2 of {parameters:.2f} M parameters with a window of {window} tokens, for learning how MOTIF works on a CPU.
It knows one thing, Ledger word problems (`motif_lib.tasks.ledger`), in several habits, good and bad
(`motif_lib.tiny.pretraining_examples`); RL has to find out which of them pay. It is no use for anything else, and its
text must not be trusted.

Made by `motif tiny make --seed {seed}` from {examples:,} synthetic examples in {steps} steps, last loss {loss:.4f}
nats a reply token (the habits themselves are random, so it cannot reach 0). Float32 safetensors; the tokenizer is
Qwen2's class, trained on Ledger text. Its chat template leaves the system message out: the model has learned one
protocol, and a line that is always the same would only cost tokens.

## Accuracy by number of steps (temperature 1 and greedy, {questions} held-out problems)

```
{table}
```
Source: our run, written by the command above.
"""


def make(out: str | Path, seed: int = 0, steps: int | None = None, questions: int = 440) -> None:
    """Pretrain into `out` and write `README.md`, the model card, beside the weights; `steps` as in `tiny.train`."""
    from motif_lib.tiny.train import STEPS, pretrain

    steps = steps or STEPS
    write_card(out, seed, steps, pretrain(out, seed, steps), questions)


def write_card(out: str | Path, seed: int, steps: int, log: dict[str, float], questions: int) -> None:
    """Evaluate the model in `out` and write its card."""
    from motif_lib.models.load import load_model

    model, tokenizer = load_model(str(out))
    reports = evaluate_habits(model, tokenizer, load_task("ledger", size=questions, seed=seed, steps=STEPS))
    text = CARD.format(
        parameters=model.num_parameters() / 1e6,
        window=model.config.max_position_embeddings,
        seed=seed,
        steps=steps,
        **log,
        questions=questions,
        table=habits_table(reports),
    )
    write_text(Path(out) / "README.md", text)


def evaluate_habits(model: Any, tokenizer: Any, questions: list[Question]) -> dict[str, Report]:
    """One round that may fill the window, and three rounds, at temperature 1 and greedy."""
    from motif_lib.samplers.local import LocalSampler

    def run(name: str, rounds: int, budget: int | None, temperature: float) -> Report:
        sampler = LocalSampler(model, tokenizer, budget, temperature)
        return evaluate(questions, sampler, rounds, name=name, batch_size=256)

    ways: dict[str, tuple[int, int | None]] = {"1 window": (1, None), f"3 x {BUDGET}": (3, BUDGET)}
    return {
        f"{name}, {how}": run(name, *way, temperature)
        for how, temperature in (("sampled", 1.0), ("greedy", 0.0))
        for name, way in ways.items()
    }


def habits_table(reports: dict[str, Report]) -> Table:
    """Accuracy in percent by number of steps."""
    by = [report.by("length") for report in reports.values()]
    lengths = sorted({n for lengths in by for n in lengths})
    rows = [(f"{n} steps", *(f"{100 * b[n].value:.0f}" for b in by)) for n in lengths]
    long = [
        [item.score for item in report.items if (item.question.length or 0) >= 4] or [0.0]
        for report in reports.values()
    ]
    rows.append(("4 to 12 steps", *(f"{100 * sum(scores) / len(scores):.0f}" for scores in long)))
    return Table("Accuracy, %", ("", *reports), rows)
