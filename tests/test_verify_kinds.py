"""Kinds of replies that users of verifiers report: our own cases, and the shared file of cases where it is there."""

import json
from collections import Counter
from pathlib import Path

import pytest
from data_verify_kinds import KINDS

from motif_lib.verify import verify, verify_many

FILE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "verify.jsonl"


def grades(rows):
    verdicts = verify_many([r["reply"] for r in rows], [r["gold"] for r in rows], [r["task"] for r in rows])
    return [verdict.correct for verdict in verdicts]


def report(rows, found) -> str:
    return "\n".join(f"{row} -> {got}" for row, got in zip(rows, found, strict=True) if got is not row["right"])


def check(rows) -> list:
    """At least 95 % right, and among numbers no wrong answer taken for right."""
    found = grades(rows)
    assert not [r for r, got in zip(rows, found, strict=True) if got and not r["right"] and r["task"] != "math500"]
    assert sum(got is r["right"] for r, got in zip(rows, found, strict=True)) >= 0.95 * len(rows), report(rows, found)
    return found


def test_our_own_cases():
    names = ("kind", "task", "gold", "reply", "right")
    assert len(set(KINDS)) == len(KINDS) >= 300
    check([dict(zip(names, case, strict=True)) for case in KINDS])


@pytest.mark.skipif(not FILE.exists(), reason="../shared/cases/verify.jsonl is not beside this checkout")
def test_the_shared_cases_and_no_kind_worse_than_math_verify_alone():
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    found, ours, theirs = check(rows), Counter(), Counter()
    for row, got in zip(rows, found, strict=True):
        ours[row["kind"]] += got is row["right"]
        theirs[row["kind"]] += row["math_verify"] is row["right"]
    assert not {kind: (ours[kind], n) for kind, n in theirs.items() if ours[kind] < n}


def test_a_tower_of_powers_is_a_wrong_answer_and_counts_in_the_reward(monkeypatch):
    from motif_lib.records import Question, Reply, Trajectory
    from motif_lib.rewards.future import mean_outcome, outcomes_of
    from motif_lib.verify.pool import Pool

    pool = Pool(size=1, cpu_limit=0.5)
    monkeypatch.setattr("motif_lib.verify.pool._pool", pool)
    replies = ["5", "9^{9^{9^{9}}}", "8^{8^{8^{8}}}", "7^{7^{7^{7}}}"]
    question = Question("?", "5", "math500")
    futures = [
        Trajectory(question, (Reply(1, [], rf"<answer>\boxed{{{reply}}}</answer>", None, True),)) for reply in replies
    ]
    try:
        assert mean_outcome(outcomes_of(futures)) == 0.5
    finally:
        pool.stop()


def test_a_gold_that_cannot_be_read_leaves_no_grade():
    assert verify(r"\boxed{5}", r"\frac{", "math500").correct is None
