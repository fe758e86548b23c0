"""Ledger: the dial, the schema, disjoint splits."""

import re

import pytest

from motif_lib.tasks.ledger import DAYS, Ledger, problems


def test_a_problem_can_be_solved_from_its_text():
    """The gold answer is recomputed from the words alone."""
    for problem in problems("train", 200, steps=(2, 16)):
        start = int(re.search(r"has (\d+)", problem.text)[1])
        events = re.findall(r"on day \w+ (\w+) (\d+)", problem.text)
        signs = [1 if verb in ("buys", "finds", "gets", "earns") else -1 for verb, _ in events]
        total = start + sum(sign * int(amount) for sign, (_, amount) in zip(signs, events))
        assert problem.row()["answer"].endswith(f"\n#### {total}")
        assert len(events) == problem.days == problem.row()["length"]


def test_every_worked_line_copies_its_day_and_adds_up():
    for problem in problems("test", 50):
        for done in (0, 2):
            start, *steps = problem.work(done).splitlines()
            total = int(start.removeprefix("="))
            for day, line in enumerate(steps, done + 1):
                word, event, after = re.fullmatch(r"day (\w+) (\w+ \d)=(\d+)", line).groups()
                assert word == DAYS[day] and f" on day {word} {event}" in problem.text
                total += problem.changes[day - 1]
                assert int(after) == total and 10 <= total <= 99


def test_a_question_reads_back_to_its_problem():
    for problem in problems("validation", 30, steps=(1, 20)):
        assert Ledger.read(problem.text) == problem
    with pytest.raises(ValueError, match="not a Ledger question"):
        Ledger.read("How many?")


def test_the_dial_sets_the_lengths_evenly():
    lengths = [p.days for p in problems("train", 27, steps=(4, 12))]
    assert lengths == list(range(4, 13)) * 3


def test_splits_share_no_problem_whatever_the_seed():
    texts = {
        s: {p.text for seed in (0, 1) for p in problems(s, 300, seed, (2, 3))} for s in ("train", "validation", "test")
    }
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["validation"]
    assert not texts["validation"] & texts["test"]


def test_the_seed_decides_the_problems():
    assert problems("train", 5, 1) == problems("train", 5, 1) != problems("train", 5, 2)


@pytest.mark.parametrize("split, steps", [("dev", (4, 12)), ("train", (0, 3)), ("train", (5, 4)), ("train", (4, 21))])
def test_bad_arguments_are_refused(split, steps):
    with pytest.raises(ValueError, match="split|steps"):
        problems(split, 5, steps=steps)
