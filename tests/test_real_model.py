"""The studies of a real model, tried with scripted replies; with a real one where MOTIF_REAL_MODEL names its folder."""

import json
import os

import pytest

from motif_lib import Question, ScriptedSampler, load_task, make_sampler
from motif_lib.models.load import load_model
from motif_lib.protocol import messages, read_answer, reply_text, system_message
from motif_lib.samplers.base import Completion
from motif_lib.samplers.local import LocalSampler
from motif_lib.studies import real_model
from motif_lib.studies.wordings import (
    BEGINNING,
    BEGUN,
    WORDINGS,
    Begun,
    Reworded,
    compare_wordings,
    reports_progress,
)

QUESTIONS = [Question(f"What is {i} + 2?", str(i + 2), "gsm8k", f"gsm8k-test-{i}") for i in range(4)]


def answer(chat):
    """Right with a note that says so, without one a guess; the first question's note is cut off."""
    user = chat[-1]["content"]
    number = int(user.split()[2])
    if "Last round" not in user:
        return (
            Completion("<reasoning>hm", False, 5)
            if number == 0
            else reply_text("so", f"the sum is {number} and 2 more")
        )
    right = f"is {number} and" in user or "<progress>" not in user
    return reply_text("so", rf"\boxed{{{number + 2 if right else 99}}}")


def test_every_wording_is_told_to_the_model_and_counted(tmp_path):
    seen = []

    def spoken(chat):
        seen.append(chat[0]["content"])
        return answer(chat)

    table = compare_wordings(QUESTIONS, ScriptedSampler(spoken), tmp_path, 2, progress=False)
    assert [row[0] for row in table.rows] == list(WORDINGS)
    assert set(seen) == {wording(r, 2) for wording in WORDINGS.values() for r in (1, 2)}
    # of 8 replies 7 have the four tags; 3 of 3 finished notes; 4 of 4 boxes; 1 of 8 is cut off; 3 of 4 right
    assert table.rows[0][1:6] == ("88", "100", "100", "100", "12") and table.rows[0][-2:] == ("75.0", "75.0")
    again = compare_wordings(QUESTIONS, ScriptedSampler(lambda chat: 1 / 0), tmp_path, 2, progress=False)
    assert again.rows == table.rows  # read, not asked again


def test_a_begun_reply_goes_on_from_its_beginning(random_model, tokenizer, tmp_path):
    """The model sees the beginning as its own words; the text has it, and is otherwise what was sampled after it."""
    chat = messages("What is 1 + 2?", 1, 2)
    begun, plain = (kind(random_model, tokenizer, 5, temperature=0) for kind in (Begun, LocalSampler))
    assert begun.seen(chat) == plain.seen(chat) + BEGINNING
    ids = tokenizer(begun.seen(chat), add_special_tokens=False)["input_ids"]
    (completion,), (sampled,) = begun([chat]), plain.sample_ids([ids])
    assert completion.text == BEGINNING + tokenizer.decode(sampled, skip_special_tokens=True)
    assert completion.tokens == len(sampled) and completion.prompt_tokens == len(ids)
    asked = [ScriptedSampler(answer), ScriptedSampler(lambda chat: BEGINNING + "never ends")]
    table = compare_wordings(QUESTIONS, asked[0], tmp_path, 2, asked[1], progress=False)
    assert [row[0] for row in table.rows[len(WORDINGS) :]] == [f"{name}, reply begun" for name in BEGUN]
    assert {row[1] for row in table.rows[len(WORDINGS) :]} == {"0"}


def test_the_wording_that_was_kept_is_the_protocols():
    (first, *others) = WORDINGS.values()
    for round, n in ((1, 1), (1, 2), (2, 2), (2, 3)):
        told = Reworded(None, first).reword([{"role": "system", "content": ""}, messages("q", round, n, "note")[1]])
        assert told[0]["content"] == system_message(round, n) == messages("q", round, n)[0]["content"]
        assert all(other(round, n) != first(round, n) for other in others)


def test_the_example_of_a_prompt_is_in_its_own_format():
    assert read_answer(system_message(1, 3)).startswith("Mia bought 36 eggs.")
    assert read_answer(system_message(3, 3)) == r"\boxed{14}"
    assert "round 2 you will see" in system_message(1, 3) and "the last round" not in system_message(1, 3)


@pytest.mark.parametrize(
    "note, reports",
    [
        ("Mia has 28 eggs, to be shared by 2.", True),
        ("28 eggs", False),
        (r"So the answer is \boxed{28} I think", False),
        ("(no progress note)", False),
        ("a progress note inside <answer>. In round 2", False),  # the model reads the rules back
    ],
)
def test_what_counts_as_a_report(note, reports):
    assert reports_progress(note, system_message(1, 2)) is reports


def test_all_ways_are_asked_and_written_without_the_questions(tmp_path):
    budgets = []

    def sampler_of(budget):
        budgets.append(budget)
        return ScriptedSampler(answer)

    rows = real_model.run_real_model(QUESTIONS, sampler_of, tmp_path)
    right = {way: [row.correct for row in rows if row.way == way] for way in dict.fromkeys(row.way for row in rows)}
    assert right == {
        "2 rounds": [False, True, True, True],
        "1 round": [True] * 4,
        "3 rounds": [False, True, True, True],
        "2 rounds, no note": [False] * 4,
        "2 rounds, another note": [False] * 4,
    }
    assert budgets == [300, 600, 200, 300, 300]
    text = (tmp_path / "results.jsonl").read_text()
    assert [json.loads(line)["question"] for line in text.splitlines()[:4]] == [q.id for q in QUESTIONS]
    assert "What is" not in text
    assert real_model.read_answered(tmp_path / "results.jsonl") == rows
    again = real_model.run_real_model(QUESTIONS, lambda budget: ScriptedSampler(lambda chat: 1 / 0), tmp_path)
    assert again == rows  # read, not asked again
    shown = {row[0]: row for row in real_model.table(rows).rows}
    assert shown["2 rounds"][4:] == ("3 of 3", "4 of 4") and shown["1 round"][4:] == ("-", "4 of 4")


def test_what_a_training_changed_is_paired_by_question():
    def row(question, formed, correct, way="2 rounds"):
        return real_model.Answered(way, question, correct, correct, 9, True, True, formed)

    before = [row(f"q{i}", 0.5 * (i % 2), i < 3) for i in range(12)] + [row("q0", 0, False, "1 round")]
    after = [row(f"q{i}", 1.0, i < 3) for i in reversed(range(10))] + [row("q99", 1.0, True)]
    rows = {cells[1]: cells for cells in real_model.gains(before, after).rows}
    assert {cells[0] for cells in rows.values()} == {"2 rounds, 10 questions"}
    assert rows["replies in format"][2:5] == ("25.0", "100.0", "+75.0") and float(rows["replies in format"][-1]) < 0.01
    assert rows["strict accuracy"][2:] == ("30.0", "30.0", "+0.0", "[-16.3, +16.3]", "1")


@pytest.mark.slow
@pytest.mark.skipif(
    "MOTIF_REAL_MODEL" not in os.environ, reason="MOTIF_REAL_MODEL names no folder of an instruct model"
)
def test_a_real_model_follows_the_protocol():
    """Asked: readable notes in 90 % of finished first replies, boxes in 80 % of finished last ones; here of 8."""
    model, tokenizer = load_model(os.environ["MOTIF_REAL_MODEL"])
    questions = load_task("gsm_symbolic", size=8)
    from motif_lib import think

    done = think(questions, make_sampler(model, tokenizer, 200, 0.0), 2)
    noted = [t.replies[0].carried for t in done if t.replies[0].finished]
    boxed = ["boxed" in t.final for t in done if t.replies[1].finished]
    assert sum(reports_progress(note, system_message(1, 2)) for note in noted) >= 0.9 * len(noted) > 0
    assert sum(boxed) >= 0.8 * len(boxed) > 0
