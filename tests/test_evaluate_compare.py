"""Paired comparison, budget-matched baselines and the carry-over probe, worked out by hand."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motif_lib.evaluate import Item, Report, budget_matched, carry_probe, compare, evaluate, ledger_note, statistics
from motif_lib.evaluate.note_probe import shuffled
from motif_lib.protocol import messages
from motif_lib.records import Question
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.tasks import load_task
from motif_lib.tasks.ledger import DAYS_PER_ROUND, note, problems


def report(name: str, scores: list[list[int]], start: int = 0) -> Report:
    """A report with these correct (1) and wrong (0) samples, one list a question."""
    items = tuple(
        Item(
            Question(f"q{i}", "1", id=f"id-{i}"),
            tuple(map(bool, s)),
            ("1",) * len(s),
            ("",) * len(s),
            (1,) * len(s),
            (1,),
            tuple(map(bool, s)),
            ("1",) * len(s),
        )
        for i, s in enumerate(scores, start)
    )
    return Report(name, {}, items)


def outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[Report, Report]:
    a = [[1]] * both + [[1]] * only_a + [[0]] * only_b + [[0]] * neither
    b = [[1]] * both + [[0]] * only_a + [[1]] * only_b + [[0]] * neither
    return report("GRPO", a), report("MOTIF", b)


BETTER = "{} is better than {}: the interval excludes zero, and the exact McNemar test agrees."
CHANCE = "MOTIF scored higher than GRPO, but that may be chance: the interval of the difference includes zero."
NO_P = (
    "MOTIF scored higher than GRPO, but that may be chance: the exact McNemar test does not reach p < 0.05, although "
    "the interval of the difference excludes zero."
)


@pytest.mark.parametrize(
    ("both", "only_a", "only_b", "neither", "verdict"),
    [
        (100, 10, 40, 50, BETTER.format("MOTIF", "GRPO")),
        (100, 40, 10, 50, BETTER.format("GRPO", "MOTIF")),
        (100, 20, 25, 55, CHANCE),
        (1, 0, 1, 28, CHANCE),  # AIME, as published
        (0, 0, 0, 30, "GRPO and MOTIF scored the same: no difference is shown."),
        (10, 5, 5, 10, "GRPO and MOTIF scored the same: no difference is shown."),
        (15, 0, 5, 10, NO_P),  # p = 0.0625
        (0, 0, 1, 0, CHANCE),  # one question
    ],
)
def test_it_says_better_only_where_the_paired_evidence_does(both, only_a, only_b, neither, verdict):
    found = compare(*outcomes(both, only_a, only_b, neither))
    n = both + only_a + only_b + neither
    assert found.verdict == verdict
    assert found.difference.value == pytest.approx((only_b - only_a) / n)
    assert found.p_value == statistics.mcnemar(only_a, only_b)
    assert (found.only_a, found.only_b, found.difference.n) == (only_a, only_b, n)


def test_the_interval_of_the_difference_is_the_one_of_paired_data():
    found = compare(*outcomes(100, 10, 40, 50)).difference
    half = 1.96 * ((50 / 200 - (30 / 200) ** 2) / 200) ** 0.5  # variance of paired differences in {-1, 0, 1}
    assert (found.low, found.high) == (pytest.approx(0.15 - half, abs=0.005), pytest.approx(0.15 + half, abs=0.005))


def test_a_small_p_value_alone_is_not_enough():
    found = compare(*outcomes(100, 10, 40, 50))
    wide = replace(found, difference=replace(found.difference, low=-0.01))
    assert found.conclusive and not wide.conclusive
    assert "includes zero" in wide.verdict


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.lists(st.integers(0, 1), min_size=2, max_size=2)] * 2), min_size=1, max_size=40))
def test_it_never_says_better_when_the_interval_includes_zero(pairs):
    found = compare(report("a", [a for a, _ in pairs]), report("b", [b for _, b in pairs]))
    if found.difference.low <= 0 <= found.difference.high:
        assert "better" not in str(found) + found._repr_html_()
    assert found.test == "sign-flip test"


@pytest.mark.slow
def test_unequal_data_never_yields_a_finding_too_often(monkeypatch):
    """Where nothing differs, fewer than 5 % of comparisons may say "better" (an exact test is the careful side)."""
    monkeypatch.setattr(statistics, "RESAMPLES", 499)
    rng = random.Random(0)
    draws = [[[[int(rng.random() < 0.4)] for _ in range(60)] for _ in "ab"] for _ in range(300)]
    assert sum(compare(report("a", a), report("b", b)).conclusive for a, b in draws) / 300 < 0.06


def test_only_shared_questions_are_compared_and_the_rest_is_counted():
    found = compare(report("a", [[1]] * 10), report("b", [[0]] * 10, start=4))
    assert found.difference.n == 6 and found.unpaired == 8
    assert "8 questions stand in only one report: left out." in str(found)


def test_reports_that_cannot_be_paired_are_refused():
    with pytest.raises(ValueError, match="share no question id"):
        compare(report("a", [[1]]), report("b", [[1]], start=1))
    other = Report(
        "b", {}, (Item(Question("another", "1", id="id-0"), (True,), ("1",), ("",), (1,), (1,), (True,), ("1",)),)
    )
    with pytest.raises(ValueError, match="'id-0' names different questions"):
        compare(report("a", [[1]]), other)


class Counter:
    """A worker that needs a token a step: a reply does as many as its budget holds, or repeats a finished answer."""

    def __init__(self, max_new_tokens: int):
        self.max_new_tokens = max_new_tokens

    def __call__(self, chats):
        return [self.reply(chat[-1]["content"]) for chat in chats]

    def reply(self, prompt: str) -> Completion:
        steps, note = int(prompt.split()[0]), re.search(r"<progress>\n\D*(\d+)", prompt)
        done = int(note[1]) if note else 0
        now = min(steps, done + self.max_new_tokens)
        answer = rf"\boxed{{{now}}}" if now == steps else str(now)
        return Completion(f"<answer>{answer}</answer>", True, max(1, now - done), steps)


def test_budget_matched_baselines_worked_out_by_hand(tmp_path):
    """Steps 2, 4, .. 12 with budget 4: a prompt has as many tokens as steps, so with 12 more 8 fit a window of 20."""
    questions = [Question(f"{steps} steps", str(steps), id=f"id-{steps}") for steps in range(2, 13, 2)]
    made = []
    make = lambda tokens: made.append(tokens) or Counter(tokens)  # noqa: E731
    budgets = budget_matched(questions, make, 3, 4, window=20, path=tmp_path, progress=False)
    one, long, vote, rounds = budgets.reports
    assert made == [4, 12, 4, 4]
    assert [r.accuracy.value for r in budgets.reports] == pytest.approx([2 / 6, 4 / 6, 2 / 6, 1.0])
    assert one.tokens_per_question == (2 + 4 * 5) / 6
    assert long.tokens_per_question == (2 + 4 + 6 + 8) / 6 and long.no_room == 2
    assert vote.tokens_per_question == 3 * one.tokens_per_question
    # 2: 2+1+1, 4: 4+1+1, 6: 4+2+1, 8: 4+4+1, 10: 4+4+2, 12: 4+4+4
    assert rounds.tokens_per_question == (4 + 6 + 7 + 9 + 10 + 12) / 6
    assert "1 round, 3 x tokens: 2 of 6 prompts do not fit the window: counted as wrong." in str(budgets)
    assert Report.load(tmp_path / "long_round") == long, "what did not fit is on disk too"
    assert [item.reasons for item in long.items][-2:] == [("does not fit",)] * 2


def test_where_nothing_fits_no_long_sampler_is_made():
    def make(tokens):
        assert tokens == 4, "a budget beyond the window"
        return Counter(tokens)

    budgets = budget_matched([Question("2 steps", "2"), Question("3 steps", "3")], make, 3, 4, window=8, progress=False)
    assert budgets.reports[1].accuracy.value == 0 and budgets.reports[1].no_room == 2


def test_the_vote_uses_its_own_sampler():
    questions = [Question("9 steps", "9")]
    replies = iter([r"\boxed{9}", r"\boxed{1}", r"\boxed{9}"])
    voter = ScriptedSampler(lambda chat: next(replies))
    budgets = budget_matched(questions, Counter, 3, 4, window=99, make_voter=lambda tokens: voter, progress=False)
    assert [r.accuracy.value for r in budgets.reports] == [0, 1, 1, 1]


@pytest.mark.parametrize("rounds", [2, 3, 4])
def test_probe_accuracies_worked_out_by_hand(rounds):
    """The worker is right in the last round if and only if its note is the true state of this very question."""
    questions = [Question(f"q{i} ?", str(i), id=f"id-{i}") for i in range(10)]
    seen = []

    def answer(chat):
        prompt = chat[-1]["content"]
        i = int(re.match(r"q(\d+)", prompt)[1])
        if "Last round" not in prompt:
            seen.append(i)
            return f"<answer>state {i}</answer>" if i < 6 else "<answer>lost</answer>"
        return rf"\boxed{{{i}}}" if f"\nstate {i}\n" in prompt else r"\boxed{99}"

    probe = carry_probe(questions, ScriptedSampler(answer), rounds, lambda q, done: f"state {q.gold}")
    values = {kind: found.accuracy.value for kind, found in probe.reports.items()}
    assert values == {"own": 0.6, "empty": 0.0, "shuffled": 0.0, "gold": 1.0}
    assert len(seen) == 10 * (rounds - 1), "the rounds before the last are run once"
    assert "+40.0" in str(probe) and "-60.0" in str(probe)


@pytest.mark.parametrize("size", [2, 3, 50])
def test_a_shuffle_gives_everybody_anothers_note(size):
    notes = [f"note {i}" for i in range(size)]
    given = shuffled(notes, seed=1)
    assert sorted(given) == sorted(notes)
    assert all(mine != theirs for mine, theirs in zip(notes, given, strict=True))


def test_the_ledger_note_is_the_state_a_full_round_of_days_leaves():
    drawn = problems("test", 40, steps=(2, 14))
    for problem, question in zip(drawn, load_task("ledger", size=40, steps=(2, 14)), strict=True):
        for done in (1, 2, 3):
            assert ledger_note(question, done) == note(problem, min(problem.days, done * DAYS_PER_ROUND))
    with pytest.raises(ValueError, match="not a Ledger problem"):
        ledger_note(Question("1 + 1?", "2"), 1)


@pytest.mark.parametrize(("questions", "rounds"), [(1, 3), (3, 1)])
def test_a_probe_needs_two_questions_and_two_rounds(questions, rounds):
    few = [Question(f"q{i}", "1") for i in range(questions)]
    with pytest.raises(ValueError, match="at least 2 of each"):
        carry_probe(few, ScriptedSampler(lambda chat: ""), rounds, lambda q, done: "")


def test_budgets_need_two_rounds():
    with pytest.raises(ValueError, match="num_rounds=1"):
        budget_matched([Question("2 steps", "2")], Counter, 1, 4, window=99)


def test_the_prompt_of_the_long_round_is_that_of_the_short_one():
    seen = []
    sampler = ScriptedSampler(lambda chat: seen.append(chat) or "")
    evaluate([Question("q", "1")], sampler, 1, progress=False)
    assert seen == [messages("q", 1, 1)]
