r"""The reference script's rewards, faults included, beside ours: for teaching, never for training.

Every `faulty_*` function restates in our words what purbeshmitra/MOTIF's `motif.py` computes. `explain` scores one
reply both ways and names the cause of each difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from motif_lib.rewards.format import SOFT, STRICT, TAG, is_soft, is_strict, tags_once
from motif_lib.rewards.future import OUTCOME
from motif_lib.verify import Verdict, verify

_STRICT = re.compile(r"<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n$")  # no DOTALL: fault 9
_SOFT = re.compile(r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>")  # no DOTALL either


def faulty_answer(reply: str) -> str:
    """What stands after the last `<answer>`; the whole reply if it has none (fault 7)."""
    return reply.rpartition("<answer>")[2].partition("</answer>")[0].strip()


def faulty_accuracy(reply: str, gold: str) -> float:
    r"""2 if the characters `\boxed{gold}` occur in the answer text, 1 if anywhere else, 0 if not (faults 4 to 7)."""
    box = f"\\boxed{{{gold}}}"
    return 2.0 if box in faulty_answer(reply) else 1.0 if box in reply else 0.0


def faulty_aime(reply: str, gold: str) -> float:
    """The AIME evaluation: 1 if the gold's digits occur anywhere in the reply (fault 8)."""
    return float(gold in reply)


def faulty_strict(reply: str) -> float:
    """0.5 only for one-line blocks and a final newline (fault 9)."""
    return 0.5 * bool(_STRICT.match(reply))


def faulty_soft(reply: str) -> float:
    """0.5 only without any newline inside the tags, which the prompt asks for (fault 9)."""
    return 0.5 * bool(_SOFT.match(reply))


def faulty_tags(reply: str) -> float:
    """0.125 for each tag with its newline, less 0.001 for each character after the end, counted twice (fault 10).

    Without a newline at the very end the split finds no end, and the whole reply counts as what comes after it.
    """
    score = 0.125 * sum(reply.count(tag) == 1 for tag in ("<reasoning>\n", "\n</reasoning>\n"))
    if reply.count("\n<answer>\n") == 1:
        score += 0.125 - 0.001 * len(reply.split("\n</answer>\n")[-1])
    if reply.count("\n</answer>") == 1:
        score += 0.125 - 0.001 * (len(reply.split("\n</answer>")[-1]) - 1)
    return score


@dataclass(frozen=True)
class Row:
    """One line of the comparison; `cause` is empty where both scores agree."""

    name: str
    ours: float | None
    reference: float
    cause: str = ""


@dataclass(frozen=True)
class Explanation:
    """Both scores of one reply, line by line, and our verdict on its answer."""

    verdict: Verdict
    rows: tuple[Row, ...]

    @property
    def ours(self) -> float:
        """Sum of our scores; an answer that cannot be graded adds nothing."""
        return sum(row.ours or 0.0 for row in self.rows)

    @property
    def reference(self) -> float:
        """Sum of the reference's scores."""
        return sum(row.reference for row in self.rows)


def explain(reply: str, gold: str, task: str = "gsm8k") -> Explanation:
    """Score a reply as a final round, by our rules and by the reference's.

    For the task "aime2024" the reference's answer is that of its evaluation, on the scale of its training reward.
    """
    verdict = verify(reply, gold, task)
    outcome = None if verdict.correct is None else OUTCOME * verdict.correct
    theirs = OUTCOME * faulty_aime(reply, gold) if task == "aime2024" else faulty_accuracy(reply, gold)
    pairs = [
        ("answer", outcome, theirs, _answer_cause(reply, gold, task, verdict, theirs)),
        ("strict format", STRICT * is_strict(reply), faulty_strict(reply), _strict_cause(reply)),
        ("soft format", SOFT * is_soft(reply), faulty_soft(reply), _soft_cause(reply)),
        ("tag counts", TAG * tags_once(reply), faulty_tags(reply), _tags_cause(reply)),
    ]
    rows = (
        Row(name, ours, ref, "" if ours is not None and abs(ours - ref) < 1e-9 else cause)
        for name, ours, ref, cause in pairs
    )
    return Explanation(verdict, tuple(rows))


def _answer_cause(reply: str, gold: str, task: str, verdict: Verdict, theirs: float) -> str:
    if verdict.correct is None:
        return f"Ours does not score what it cannot grade: {verdict.reason}."
    if verdict.correct and task == "aime2024":
        return f"The reference looks for the characters {gold!r}; the reply writes the same number another way."
    if verdict.correct and theirs == 1.0:
        return "The reference cuts the answer out differently and finds the box outside of it."
    if verdict.correct:
        return (
            f"The reference looks for the characters \\boxed{{{gold}}}; the reply writes the same answer another way."
        )
    if task == "aime2024":
        return f"The reference finds the characters {gold!r} somewhere in the reply; ours: {verdict.reason}."
    if theirs == 1.0:
        return "The reference pays half for a box outside the answer; ours reads the answer only."
    if "<answer>" not in reply:
        return "The reference takes the whole reply for the answer when there is no <answer>."
    return f"The reference pays if any box in the answer holds the gold; ours: {verdict.reason}."


def _strict_cause(reply: str) -> str:
    if not is_strict(reply):
        return "The reference's pattern misses a tag that is repeated, or a block that is empty."
    if not reply.endswith("\n"):
        return "The reference wants a newline after </answer>, where a model simply stops."
    return "The reference wants exactly one line in each block: its dot does not match a newline."


def _soft_cause(reply: str) -> str:
    if is_soft(reply) and not reply.startswith("<reasoning>"):
        return "The reference wants the reply to begin with <reasoning>."
    return "The reference's dot does not match a newline, but the prompt asks for newlines inside the tags."


def _tags_cause(reply: str) -> str:
    if reply.count("\n<answer>\n") != 1 or reply.count("\n</answer>") != 1:
        return "The reference counts a tag only with the newlines around it."
    if "\n</answer>\n" not in reply:
        return (
            "The reference sees no end without a final newline: it takes 0.001 for each character of the whole reply."
        )
    return "The reference takes 0.001 for each character after </answer>, twice, and wants newlines around each tag."
