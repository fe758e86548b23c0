r"""Which system message does an instruct model follow? Wordings compared on one model, on GSM8K training questions.

    python -m motif_lib.studies.wordings MODEL --out runs/wordings

A wording is a function of the round; the user message stays the protocol's. The table counts what the protocol needs:
notes that can be read and report progress, boxes in the last round, replies within the budget, accuracy by both scores.
Each wording is an evaluation in a folder of its own, so that a stopped comparison goes on.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from motif_lib.evaluate import Report, evaluate
from motif_lib.evaluate.store import Record, read_run
from motif_lib.protocol import NO_NOTE, reply_text, system_message
from motif_lib.records import Question
from motif_lib.rewards.format import is_soft
from motif_lib.samplers.base import Chat, Completion, Sampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.show.tables import Table
from motif_lib.verify.extract import boxes

Wording = Callable[[int, int], str]  # (round, num_rounds) -> system message

BEFORE = (  # of version 0.1.0
    "Think in rounds. In each round reply\n<reasoning>\n...\n</reasoning>\n<answer>\n...\n</answer>\n"
    "Only the answer is passed on: write your progress there, in the last round the final answer in \\boxed{}."
)
REFERENCE = (  # what the reference code tells its model, in our words
    "You are a helpful assistant. You solve the user's problem in {n} rounds. In every round you first think,"
    " then report your progress in detail. Put your thinking inside <reasoning> </reasoning> and your "
    "progress inside <answer> </answer>, strictly as\n"
    "<reasoning> thinking </reasoning> <answer> progress in detail </answer>\n"
    "The user gives you the progress of the last round again at the start of the next one, and you go on "
    "thinking from it. When the user says that it is the last round, put the final answer inside the answer "
    "tags, in \\boxed{{}}. Only this boxed answer is graded."
)
ONE_TEXT = (
    "You solve a problem in several rounds. In each round you see the problem and the progress note that you "
    "wrote in the round before; everything else that you wrote is forgotten.\n\n"
    "Reply in exactly this form:\n"
) + reply_text(
    "your work in this round, step by step",
    "the note for the next round: what you have found so far, with its numbers, and what is left to do. In the last "
    "round: only the final answer, as \\boxed{number}",
)
WORDINGS: dict[str, Wording] = {
    "a text a round, with an example": system_message,
    "a text a round": lambda round, n: system_message(round, n).partition("\n\nFor example")[0],
    "the reference's": lambda round, n: REFERENCE.format(n=n),
    "ours of 0.1.0": lambda round, n: BEFORE,
    "one text for all rounds": lambda round, n: ONE_TEXT,
}
BEGINNING = "<reasoning>\n"  # of a reply that is begun for the model
BEGUN = ("a text a round, with an example", "a text a round")  # the wordings that are tried with it, too
ROUND = re.compile(r"Round (\d+) of (\d+)\.[^\n]*\Z")  # how every user message ends


class Reworded:
    """A sampler that is given every chat with another system message."""

    def __init__(self, sampler: Sampler, wording: Wording):
        self.sampler, self.wording = sampler, wording

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sampler, name)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        return self.sampler([self.reword(chat) for chat in chats])

    def reword(self, chat: Chat) -> Chat:
        """The chat with the wording's system message."""
        asked = ROUND.search(chat[-1]["content"])
        assert asked, "every user message ends in its round"
        return [{"role": "system", "content": self.wording(int(asked[1]), int(asked[2]))}, chat[-1]]


class Begun(LocalSampler):
    """A sampler that begins every reply with `BEGINNING`, and the model goes on from there."""

    def seen(self, chat: Chat) -> str:
        """What the model sees of a chat, up to where its own part of the reply begins."""
        return super().seen(chat) + BEGINNING

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        """One completion for each chat, in order; the text holds the beginning, the tokens do not count it."""
        return [replace(completion, text=BEGINNING + completion.text) for completion in super().__call__(chats)]


def compare_wordings(
    questions: Sequence[Question],
    sampler: Sampler,
    out: str | Path,
    num_rounds: int = 2,
    begun: Sampler | None = None,
    **options: Any,
) -> Table:
    """Evaluate every wording; the table shows them in their order.

    Args:
        questions: the same for all.
        sampler: of the model, greedy or not.
        out: folder; each wording gets its own in it.
        num_rounds: n, at least 2.
        begun: a sampler that begins the replies, for the wordings of `BEGUN`.
        **options: `batch_size`, `seed` and `progress` of `evaluate`.
    """
    ways = [(name, sampler, wording) for name, wording in WORDINGS.items()]
    ways += [(f"{name}, reply begun", begun, WORDINGS[name]) for name in BEGUN if begun]
    rows = []
    for i, (name, asked, wording) in enumerate(ways):
        folder = Path(out) / str(i)
        report = evaluate(questions, Reworded(asked, wording), num_rounds, name=name, path=folder, **options)
        rows.append((name, *row(report, read_run(folder)[1], wording)))
    columns = (
        "system message",
        "four tags",
        "notes read",
        "reports",
        "boxed",
        "cut off",
        "tokens",
        "strict",
        "lenient",
    )
    notes = [
        "% of: all replies; finished replies before the last round (two columns); finished last replies; all replies.",
        "Tokens are those generated for a question.",
    ]
    return Table(f"{len(questions)} questions, {num_rounds} rounds", columns, rows, notes)


def row(report: Report, records: Sequence[Record], wording: Wording) -> tuple[str, ...]:
    """The cells of one wording."""
    replies = [reply for record in records for reply in record["replies"]]
    n = len(records[0]["replies"])
    noted = [reply for reply in replies if reply["round"] < n and reply["finished"]]
    last = [reply for reply in replies if reply["round"] == n and reply["finished"]]
    return (
        share(is_soft(reply["text"]) for reply in replies),
        share(reply["carried"] != NO_NOTE for reply in noted),
        share(reports_progress(reply["carried"], wording(reply["round"], n)) for reply in noted),
        share(bool(boxes(reply["text"])) for reply in last),
        share(not reply["finished"] for reply in replies),
        f"{report.tokens_per_question:.0f}",
        str(report.accuracy.cells[0]),
        str(report.lenient.cells[0]),
    )


def reports_progress(note: str, system: str) -> bool:
    """Does a note say something: more than a few words, no final answer, and no text of the system message?"""
    return len(note.split()) > 3 and note != NO_NOTE and not boxes(note) and note[:30] not in system


def share(found: Any) -> str:
    """Per cent that are true; `-` of none."""
    found = list(found)
    return f"{100 * sum(found) / len(found):.0f}" if found else "-"


def main() -> None:
    """The comparison on GSM8K training questions, greedy."""
    from rich import print

    from motif_lib import load_task
    from motif_lib.samplers.open import load_sampler

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="a folder or a Hub id")
    parser.add_argument("--size", type=int, default=50, help="questions")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--budget", type=int, default=200, help="tokens of a round")
    parser.add_argument("--out", type=Path, default=Path("runs/wordings"))
    given = parser.parse_args()
    sampler = load_sampler(given.model, None, given.budget, temperature=0.0)
    begun = Begun(sampler.model, sampler.tokenizer, given.budget, temperature=0.0)
    print(compare_wordings(load_task("gsm8k", "train", given.size), sampler, given.out, given.rounds, begun))


if __name__ == "__main__":
    main()
