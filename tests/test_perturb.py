"""Perturbed questions have the gold they should have; drops are paired, worked out by hand."""

import random
import re

import pytest

from motif_lib.evaluate.robustness import PERTURBATIONS, distracted, paraphrased, perturb, renumbered, robustness
from motif_lib.records import Question
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.tasks import load_task
from motif_lib.tasks.ledger import GAINS, Ledger, problems

PROBLEM = Ledger.read("Ann has 12 apples, on day one buys 5, on day two loses 3. How many apples does Ann have now?")


def test_by_hand():
    text, gold = distracted(PROBLEM, random.Random(0))
    start, middle, asked = text.split(". ")
    assert start + ". " + asked == PROBLEM.text and gold == "14"
    assert re.fullmatch(r"\w+ \w+ \d \w+", middle) and "Ann" not in middle and "apples" not in middle
    text, gold = paraphrased(PROBLEM, random.Random(0))
    assert gold == "14" and re.fullmatch(
        r"At the start Ann has 12 apples\. Day one: Ann (buys|finds|gets|earns) 5\. Day two: Ann "
        r"(loses|sells|uses|drops) 3\. What is the number of apples now\?",
        text,
    )
    text, gold = renumbered(PROBLEM, random.Random(0))
    other = Ledger.read(text)
    assert (other.name, other.item, other.verbs) == ("Ann", "apples", ("buys", "loses"))
    assert other.totals != PROBLEM.totals and gold == str(other.totals[-1])


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_the_gold_follows_from_the_new_text(kind):
    """A reader of its own adds up the new text: numbers after the verbs of the days, nothing else."""
    for problem in problems("test", 100, seed=3, steps=(1, 20)):
        text, gold = PERTURBATIONS[kind](problem, random.Random(1))
        start = int(re.search(r"has (\d+)", text)[1])
        days = re.findall(r"[Dd]ay \w+(?:: \w+)? (\w+) (\d+)", text)
        assert len(days) == problem.days and text != problem.text
        assert start + sum(int(n) if verb in GAINS else -int(n) for verb, n in days) == int(gold)
        assert all(len(number) <= 2 for number in re.findall(r"\d+", text))


def test_perturbed_questions_keep_their_ids_and_repeat():
    questions = load_task("ledger", size=20)
    for how in PERTURBATIONS.values():
        once = perturb(questions, how, seed=1)
        assert once == perturb(questions, how, seed=1) != perturb(questions, how, seed=2)
        assert [(q.id, q.length, q.task) for q in once] == [(q.id, q.length, q.task) for q in questions]


def test_other_tasks_are_refused():
    with pytest.raises(ValueError, match="'gsm8k-1' is not a Ledger problem"):
        perturb([Question("Tom eats 3 of 5 pies.", "2", "gsm8k", "gsm8k-1")], paraphrased)


def test_the_drop_is_paired_and_worked_out_by_hand(tmp_path):
    """A sampler that reads Ledger's own wording only, and adds up every verb: distractions fool it in every problem,
    paraphrases silence it, other numbers do not trouble it."""

    def answer(chat):
        text = chat[1]["content"].split("\nRound")[0]
        if "on day" not in text:
            return r"\boxed{0}"
        stray = re.search(r"\. \w+ (\w+) (\d) \w+\. How", text)
        total = Ledger.read(text).totals[-1]
        return rf"\boxed{{{total + (int(stray[2]) if stray else 0)}}}"

    questions = load_task("ledger", size=12)
    found = robustness(questions, ScriptedSampler(answer), 1, name="reader", path=tmp_path, progress=False)
    assert found.original.accuracy.value == 1
    assert {kind: c.difference.value for kind, c in found.comparisons.items()} == {
        "paraphrased": -1, "renumbered": 0, "distracted": -1,
    }  # fmt: skip
    assert [c.conclusive for c in found.comparisons.values()] == [True, False, True]
    assert [c.difference.n for c in found.comparisons.values()] == [12] * 3
    assert "distracted: a drop is shown." in str(found) and "renumbered: no difference shown." in str(found)
    assert "-100.0 [-100.0, -62.6]" in str(found)  # of 12 questions, so the interval has width
    assert (tmp_path / "renumbered" / "items.jsonl").exists()
