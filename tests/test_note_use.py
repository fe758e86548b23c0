"""How much the last round uses its note, at every checkpoint: right numbers, and the training is the same."""

import re
from dataclasses import replace

import pytest
from test_runs import QUESTIONS, adapter, outcomes, recipe, same  # noqa: F401  fixtures
from test_trainer import build

from motif_lib.carry import memory
from motif_lib.evaluate.note_probe import note_use
from motif_lib.records import Question
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.show import plots
from motif_lib.training import runs
from motif_lib.training.note_use import NoteUse, curves
from motif_lib.training.run_folder import NOTE_USE

KINDS = ["own", "full history", "none", "shuffled"]
HELD_OUT = [Question(f"Ben has {i} eggs.", str(i), "ledger", f"h{i}") for i in range(4)]


def reader(chat):
    """Writes the state into its note for questions below 6, always into its reasoning; guesses question 9 unaided."""
    prompt = chat[-1]["content"]
    i = int(re.match(r"q(\d+)", prompt)[1])
    if "Last round" not in prompt:
        return f"state {i}.<answer>{f'state {i}.' if i < 6 else 'lost'}</answer>"
    return rf"\boxed{{{i}}}" if f"state {i}." in prompt or i == 9 else r"\boxed{99}"


@pytest.mark.parametrize("rounds", [2, 3])
def test_accuracies_worked_out_by_hand(rounds):
    questions = [Question(f"q{i} ?", str(i), id=f"id-{i}") for i in range(10)]
    sampler = ScriptedSampler(reader)
    reports = note_use(questions, sampler, rounds)
    values = {kind: report.accuracy.value for kind, report in reports.items()}
    assert values == {"own": 0.7, "full history": 1.0, "none": 0.1, "shuffled": 0.1}
    assert sampler.calls == [10] * (rounds + 4)


def test_of_a_history_beyond_the_window_the_end_is_shown():
    seen = []
    sampler = ScriptedSampler(lambda chat: seen.append(chat[-1]["content"]) or "early " * 50 + "late<answer>n</answer>")
    sampler.leaves_room = lambda chats: [len(chat[-1]["content"]) < 300 for chat in chats]
    note_use(HELD_OUT, sampler, 3)
    longest = max(seen, key=len)
    assert 270 < len(longest) < 300 and "late" in longest


def test_the_carry_of_the_training_writes_the_notes():
    prompts = []
    sampler = ScriptedSampler(lambda chat: prompts.append(chat[-1]["content"]) or "state")
    note_use(HELD_OUT, sampler, 2, lambda reply, finished, previous: reply.upper())
    assert sum("<progress>\nSTATE\n" in prompt for prompt in prompts) == 4 + 4 + 4  # the round itself, own, shuffled


def without_times(entries):
    return [{k: v for k, v in entry.items() if "time" not in k} for entry in entries]


@pytest.fixture
def held_out(monkeypatch):
    """The questions of a recipe's test split."""
    monkeypatch.setattr("motif_lib.tasks.load_task", lambda *a, **k: HELD_OUT)


def test_a_training_is_the_same_with_and_without_it(recipe, tmp_path, held_out):  # noqa: F811
    curved = replace(recipe.with_train(credit="any"), note_use=4)
    assert runs.train_run(replace(curved, note_use=None), tmp_path / "without", questions=QUESTIONS)
    assert runs.train_run(curved, tmp_path / "with", questions=QUESTIONS)
    assert same(adapter(tmp_path / "without"), adapter(tmp_path / "with"))
    assert (tmp_path / "without" / "traces.jsonl").read_bytes() == (tmp_path / "with" / "traces.jsonl").read_bytes()
    plain, log = (without_times(runs.read_metrics(tmp_path / name)) for name in ("without", "with"))
    assert [entry for entry in log if NOTE_USE not in entry] == plain and "entropy" in plain[0]
    points = curves(log)
    assert [*points] == KINDS and all([step for step, *_ in p] == [0, 2, 4] for p in points.values())
    assert all(0 <= low <= value <= high <= 1 for p in points.values() for _, value, low, high in p)
    assert "note_use" not in (tmp_path / "without" / "settings.json").read_text()


def test_a_run_that_goes_on_measures_a_checkpoint_that_was_not_measured(recipe, tmp_path, held_out, monkeypatch):  # noqa: F811
    curved = replace(recipe, note_use=4)
    assert runs.train_run(curved, tmp_path / "whole", questions=QUESTIONS)
    measure = NoteUse._measure

    def killed(self, state):
        if state.global_step == 2:
            raise OSError("stopped while measuring")
        measure(self, state)

    monkeypatch.setattr(NoteUse, "_measure", killed)
    with pytest.raises(RuntimeError, match="saved up to step 2"):
        runs.train_run(curved, tmp_path / "cut", questions=QUESTIONS)
    monkeypatch.setattr(NoteUse, "_measure", measure)
    assert runs.train_run(curved, tmp_path / "cut", questions=QUESTIONS)
    assert curves(runs.read_metrics(tmp_path / "cut")) == curves(runs.read_metrics(tmp_path / "whole"))
    assert same(adapter(tmp_path / "cut"), adapter(tmp_path / "whole"))


def test_it_logs_to_the_callbacks_and_leaves_the_metrics_of_the_step(random_model, tokenizer, tmp_path):
    trainer = build(random_model, tokenizer, tmp_path, given={"carry": memory}, save_strategy="steps", save_steps=1,
                    max_steps=2, logging_steps=2)  # fmt: skip
    trainer.add_callback(NoteUse(trainer, HELD_OUT))
    trainer.train()
    log = trainer.state.log_history
    assert [entry["step"] for entry in log if NOTE_USE in entry] == [0, 1, 2]
    assert [entry["step"] for entry in log if "reward" in entry] == [2]
    assert trainer.model.training


@pytest.mark.parametrize(
    "changes, size, said",
    [({"num_rounds": 1}, 4, "num_rounds=1"), ({}, 1, "1 questions"), ({"save_strategy": "no"}, 4, "set save_steps")],
)
def test_what_cannot_be_measured_is_refused(random_model, tokenizer, tmp_path, changes, size, said):
    trainer = build(random_model, tokenizer, tmp_path, **{"save_strategy": "steps", **changes})
    with pytest.raises(ValueError, match=said) as error:
        NoteUse(trainer, HELD_OUT[:size])
    assert "\n" not in str(error.value)


def test_the_figure_has_a_line_and_a_band_for_each_kind():
    points = {kind: [(0, 0.2, 0.1, 0.4), (25, 0.6, 0.5, 0.8)] for kind in KINDS}
    ax = plots.note_use(points)
    assert [line.get_label() for line in ax.lines] == KINDS and len(ax.collections) == 4
    assert list(ax.lines[1].get_ydata()) == [0.2, 0.6]
