r"""Which system message does an instruct model follow? Wordings compared on one model, round by round.

    python -m motif_lib.studies.wordings MODEL --size 50 --out runs/wordings

Every wording is a function of the round; the user message stays the protocol's. The table counts, over all rounds,
what the protocol needs: replies with the four tags, notes that can be read, notes that report progress rather than
guess the answer, last rounds with a box, and accuracy. A stopped comparison goes on.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from motif_lib.evaluate import evaluate
from motif_lib.evaluate.store import Record, read_run
from motif_lib.protocol import NO_NOTE, SYSTEM
from motif_lib.records import Question
from motif_lib.rewards.format import is_soft
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.show.tables import Table
from motif_lib.verify.extract import boxes

Wording = Callable[[int, int], str]  # (round, num_rounds) -> system message

EXPLICIT = r"""You solve a problem in several rounds. In each round you see the problem and the progress note that you wrote in the round before; everything else that you wrote is forgotten.

Reply in exactly this form:
<reasoning>
your work in this round, step by step
</reasoning>
<answer>
the note for the next round: what you have found so far, with its numbers, and what is left to do. In the last round: only the final answer, as \boxed{number}
</answer>"""

EXAMPLE = r"""

Example. Problem: A farm sells eggs in boxes of 12. Mia buys 3 boxes, uses 7 eggs and shares the rest equally with a friend. How many eggs does each get? Round 1 of 2.
<reasoning>
Mia buys 3 * 12 = 36 eggs.
She uses 7, so 36 - 7 = 29 are left.
</reasoning>
<answer>
Bought 36 eggs, 29 are left after using 7. To do: split 29 in two equal parts.
</answer>
With that note, Round 2 of 2. Last round: give the final answer.
<reasoning>
29 / 2 = 14.5
</reasoning>
<answer>
\boxed{14.5}
</answer>"""

REFERENCE = r"""You are a helpful assistant. You solve the user's problem in {n} rounds. In every round you first think, then report your progress in detail. Put your thinking inside <reasoning> </reasoning> and your progress inside <answer> </answer>, strictly as
<reasoning> thinking </reasoning> <answer> progress in detail </answer>
The user gives you the progress of the last round again at the start of the next one, and you go on thinking from it. When the user says that it is the last round, put the final answer inside the answer tags, in \boxed{{}}. Only this boxed answer is graded."""

NOTE_ROUND = r"""You solve a problem over {n} rounds. This is round {r}. After it you forget everything except the note that you leave inside <answer>.

Reply in exactly this form:
<reasoning>
go on with the problem, step by step{start}
</reasoning>
<answer>
a note to yourself for round {next}: the numbers that you have found, what each of them means, and what is left to do
</answer>"""

LAST_ROUND = r"""You solve a problem over {n} rounds. This is the last round.

Reply in exactly this form:
<reasoning>
finish the problem, step by step{start}
</reasoning>
<answer>
\boxed{{the final answer, a number}}
</answer>"""

NOTE_EXAMPLE = r"""

For instance, for "Mia buys 3 boxes of 12 eggs, uses 7 and shares the rest equally with a friend. How many does each get?":
<reasoning>
3 boxes of 12 eggs are 3 * 12 = 36 eggs.
36 - 7 = 29 eggs are left.
</reasoning>
<answer>
Mia bought 36 eggs; 29 are left after she used 7. To do: divide 29 by 2.
</answer>"""

LAST_EXAMPLE = r"""

For instance, for "Mia buys 3 boxes of 12 eggs, uses 7 and shares the rest equally with a friend. How many does each get?":
<reasoning>
29 eggs are left, shared by 2: 29 / 2 = 14.5
</reasoning>
<answer>
\boxed{14.5}
</answer>"""

def per_round(round: int, num_rounds: int) -> str:
    start = ", from the note in <progress>" if round > 1 else ""
    text = LAST_ROUND if round == num_rounds else NOTE_ROUND
    return text.format(n=num_rounds, r=round, next=round + 1, start=start)


def step_by_step(round: int, num_rounds: int) -> str:
    return per_round(round, num_rounds).replace("go on with the problem", "think about the problem and work on it").replace("finish the problem, step by step", "solve the problem, step by step; check the numbers of the note")


WORDINGS: dict[str, Wording] = {
    "step by step": step_by_step,
    "explicit": lambda r, n: EXPLICIT,
    "per round": per_round,
    "per round + example": lambda r, n: per_round(r, n) + (LAST_EXAMPLE if r == n else NOTE_EXAMPLE),
    "explicit + example": lambda r, n: EXPLICIT + EXAMPLE,
    "reference": lambda r, n: REFERENCE.format(n=n),
    "before": lambda r, n: SYSTEM,
}

_ROUND = re.compile(r"Round (\d+) of (\d+)\.[^\n]*\Z")


class Reworded:
    """A sampler that gets every chat with another system message."""

    def __init__(self, sampler: Sampler, wording: Wording):
        self.sampler, self.wording = sampler, wording

    def __getattr__(self, name: str):
        return getattr(self.sampler, name)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        return self.sampler([self._reword(chat) for chat in chats])

    def _reword(self, chat: Chat) -> Chat:
        round, num_rounds = map(int, _ROUND.search(chat[-1]["content"]).groups())
        return [{"role": "system", "content": self.wording(round, num_rounds)}, chat[-1]]


def is_guess(note: str) -> bool:
    return bool(boxes(note)) or len(note.split()) < 4


def table(reports: dict[str, list[Record]]) -> Table:
    rows = []
    for name, records in reports.items():
        replies = [reply for record in records for reply in record["replies"]]
        noted = [[record["replies"][i] for record in records] for i in range(len(records[0]["replies"]) - 1)]
        notes = [r for group in noted for r in group]
        done = [r for r in notes if r["finished"]]
        last = [r["replies"][-1] for r in records]
        lastdone = [r for r in last if r["finished"]]
        rate = lambda part, whole: f"{100 * len(part) / max(1, len(whole)):.0f}"
        read = [r for r in done if r["carried"] != NO_NOTE]
        read1 = [r for r in noted[0] if r["finished"] and r["carried"] != NO_NOTE]
        fin1 = [r for r in noted[0] if r["finished"]]
        rows.append((name,
            rate([r for r in replies if is_soft(r["text"])], replies),
            rate(read1, fin1), rate(read, done), rate([r for r in read if not is_guess(r["carried"])], read),
            rate([r for r in lastdone if boxes(r["text"])], lastdone),
            rate([r for r in replies if not r["finished"]], replies),
            f"{sum(r['tokens'] for r in replies) / len(records):.0f}",
            rate([r for r in records if r["verdict"]["correct"]], records),
            rate([r for r in records if lenient(r)], records)))
    return Table("", ("wording", "four tags", "notes r1", "notes", "reports", "boxes", "cut", "tokens", "strict", "lenient"), rows, [])


def lenient(record):
    text = record["replies"][-1]["text"].replace(",", "")
    found = re.findall(r"-?\d+(?:\.\d+)?", text)
    try:
        return bool(found) and abs(float(found[-1]) - float(record["question"]["gold"].replace(",", ""))) < 1e-6
    except ValueError:
        return False


def eight_bit(model):
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    spec = {n: per_channel_dynamic_qconfig for n, m in model.named_modules()
            if isinstance(m, torch.nn.Linear) and not n.endswith("down_proj")}
    return quantize_dynamic(model, spec, dtype=torch.qint8)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model"); parser.add_argument("--size", type=int, default=50); parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=200); parser.add_argument("--out", type=Path, default=Path("runs/wordings"))
    parser.add_argument("--only", default=""); parser.add_argument("--split", default="train"); parser.add_argument("--batch", type=int, default=50)
    a = parser.parse_args()
    import torch
    from motif_lib import load_model, load_task, make_sampler
    model, tokenizer = load_model(a.model)
    model = model.float()
    import warnings; warnings.simplefilter('ignore')
    model = eight_bit(model)
    questions = load_task("gsm8k", a.split, size=a.size)
    reports = {}
    for name in (a.only.split(";") if a.only else WORDINGS):
        base = make_sampler(model, tokenizer, a.budget, 0.0)
        evaluate(questions, Reworded(base, WORDINGS[name]), a.rounds, name=name, path=a.out / name.replace(" ", "-"), batch_size=a.batch)
        reports[name] = read_run(a.out / name.replace(" ", "-"))[1]
        print(table(reports), flush=True)


if __name__ == "__main__":
    main()
