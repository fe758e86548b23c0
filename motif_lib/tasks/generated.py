"""Tasks without a file: their questions are generated, as many as one likes."""

from __future__ import annotations

import zlib

from motif_lib.records import Question
from motif_lib.tasks import ledger

DEFAULT_SIZE = 200  # of a generated task, which has no end


def ledger_questions(split: str, size: int, seed: int, steps: tuple[int, int] = (4, 12)) -> list[Question]:
    """Ledger problems of `steps` = (low, high) days; `length` is the number of days."""
    name = f"ledger-{split}-{steps[0]}to{steps[1]}-seed{seed}"
    return [
        Question(problem.text, str(problem.totals[-1]), "ledger", f"{name}-{i}", problem.days)
        for i, problem in enumerate(ledger.problems(split, size, seed, steps), 1)
    ]


def gsm_symbolic_questions(split: str, size: int, seed: int) -> list[Question]:
    """GSM8K-like problems from templates (the reasoning-gym package), no two alike; splits as in Ledger."""
    import reasoning_gym

    ledger.check_split(split)
    start = zlib.crc32(f"gsm_symbolic-{seed}".encode())  # problem i is drawn from start + i: keep seeds far apart
    rows = reasoning_gym.create_dataset("gsm_symbolic", seed=start, size=1_000 + 100 * size)
    golds: dict[str, str] = {}  # by question
    for row in rows:
        if ledger.split_of_text(row["question"]) == split:
            golds.setdefault(row["question"], row["answer"])
        if len(golds) == size:
            break
    name = f"gsm_symbolic-{split}-seed{seed}"
    return [Question(text, gold, "gsm_symbolic", f"{name}-{i}") for i, (text, gold) in enumerate(golds.items(), 1)]


GENERATED = {"ledger": ledger_questions, "gsm_symbolic": gsm_symbolic_questions}
