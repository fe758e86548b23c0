"""The preflight: what it counts, what it advises, whom it believes, and that a training does not notice it."""

import json
import random
import zlib
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch

from motif_lib.protocol import reply_text
from motif_lib.records import Question
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.open import load_sampler
from motif_lib.tasks import load_task
from motif_lib.training import preflight as module
from motif_lib.training import runs
from motif_lib.training.preflight import Plan, preflight, same_draws_after, sample_questions, some
from motif_lib.training.recipe import Recipe

A, B = Question("Ann has 3 eggs.", "3", id="a"), Question("Bob has 4 eggs.", "4", id="b")
TWO = Plan(num_rounds=2, num_generations=4, questions_per_step=2, max_steps=10)
STORIES = [  # in the manner of GSM8K, for machines without its rows
    ("A baker sells 48 rolls at $2 each and 15 cakes at $12 each. Flour costs her $60. How much is left?", "216"),
    ("Tom reads 35 pages a day for 2 weeks, then 20 pages a day for 9 days. How many pages is that?", "670"),
    ("A farm has 120 hens. A third lay two eggs a day, the rest one. How many eggs are there each day?", "160"),
    ("Mia saves $45 a month for a year and spends a quarter of it on a bike. How much does she keep?", "405"),
    ("A bus with 56 seats makes 7 trips, 9 seats empty on each. How many people did it carry?", "329"),
    ("A rope of 250 feet is cut into 8 pieces of 25 feet. How many feet are left over?", "50"),
]


def ask(answer, questions=(A, B), plan=TWO, **options):
    return preflight(list(questions), ScriptedSampler(answer), plan, progress=False, **options)


def right_every_second_time():
    """Ann's reply is right every second time, Bob's never; a note is missing from Bob's first rounds."""
    calls = count()

    def answer(chat):
        text = chat[-1]["content"]
        if "Round 1 of 2" in text:
            return "Well." if "Bob" in text else reply_text("so far", "a note")
        right = "Ann" in text and next(calls) % 2
        return reply_text("so", rf"\boxed{{{3 if right else 9}}}") if "Ann" in text else Completion("4, I th", False, 3)

    return answer


def test_it_counts_what_a_training_would_sample():
    found = ask(right_every_second_time())
    assert [len(replies) for replies in found.replies] == [8, 8]
    shares = {name: estimate.value for name, estimate in found.rows().items()}
    assert shares["replies in format"] == 0.5 and shares["readable notes"] == 0.5
    assert shares["replies cut off"] == 0.25 and shares["groups with signal"] == 0.5
    assert shares["accuracy"] == 0.25 and shares["accuracy, last number"] == 0.75  # "4, I th" ends in the right number
    assert found.report.samples == 4 and found.found
    assert found.tokens_per_step == sum(reply.tokens for replies in found.replies for reply in replies)
    table = str(found)
    assert "2 questions, m = 4" in table and found.advice in table and "10 steps in " in table


def test_futures_that_share_a_reply_count_it_once():
    found = ask(right_every_second_time(), plan=replace(TWO, num_trajectories=3))
    assert [len(replies) for replies in found.replies] == [4 + 12] * 2 and found.report.samples == 12


@pytest.mark.parametrize("credit", ["any", "all"])
def test_every_credit_has_its_groups(credit):
    found = ask(right_every_second_time(), plan=replace(TWO, credit=credit, num_rounds=3))
    assert len(found.traces) == 8 and all(len(t.trajectories[0].replies) == 3 for t in found.traces)


def test_a_trajectory_that_ends_early_weighs_as_much_as_another():
    plan = replace(TWO, num_trajectories=3)
    found = ask(lambda chat: reply_text("so", r"\boxed{3}"), plan=plan, stop=lambda note: "boxed" in note)
    assert [len(replies) for replies in found.replies] == [4, 4] and found.report.samples == 12
    assert found.report.accuracy.value == 0.5 and found.with_signal.value == 0


def told(text, finished=True):
    return lambda chat: Completion(text, finished, 5)


def by_turns(*texts):
    turns = count()
    return lambda chat: Completion(texts[next(turns) % len(texts)], True, 5)


BOXED = reply_text("so", r"\boxed{3}")
WRONG = reply_text("so", r"\boxed{9}")
ADVICE = {
    "There is signal: train.": by_turns(BOXED, WRONG, WRONG),
    "Hardly any signal: give a longer budget": told("3", finished=False),
    "Hardly any signal: begin with a cold start (motif warm), as most replies hold no answer": told("Three."),
    "Hardly any signal: begin with a cold start (motif warm), as right answers": told(reply_text("3", "It is 3 eggs")),
    "Hardly any signal: take harder questions": told(BOXED),
    "Hardly any signal: take easier questions": told(WRONG),
}


@pytest.mark.parametrize("advice", ADVICE)
def test_the_advice_names_the_cause(advice):
    """The gold of the only question is 3, in one round."""
    found = ask(ADVICE[advice], [A], replace(TWO, num_rounds=1))
    assert found.advice.startswith(advice) and found.notes is None
    assert found.found == advice.startswith("There is signal")


def test_one_group_in_four_is_some_signal_and_asks_for_larger_groups():
    texts = iter([BOXED] * 3 + [WRONG] + [BOXED] * 4 + [WRONG] * 8)
    questions = [replace(A, text=f"{i}?", id=str(i)) for i in range(4)]
    found = ask(lambda chat: next(texts), questions, replace(TWO, num_rounds=1))
    assert found.with_signal.value == 0.25 and found.found
    assert found.advice.startswith("There is some signal: take more than m = 4 replies")


def test_a_group_that_differs_in_format_alone_is_no_signal():
    found = ask(by_turns(WRONG, "9"), [A], replace(TWO, num_rounds=1))
    assert found.with_signal.value == 0 and found.format_only.value == 1 and not found.found


@pytest.mark.parametrize(
    "plan, questions, message",
    [(replace(TWO, num_generations=1), [A], "needs m >= 2"), (TWO, [], "no questions")],
)
def test_what_cannot_be_asked_is_one_line(plan, questions, message):
    with pytest.raises(ValueError, match=message):
        ask(told("3"), questions, plan)


def test_greedy_replies_are_refused():
    sampler = ScriptedSampler(told("3"))
    sampler.temperature = 0.0
    with pytest.raises(ValueError, match="at temperature 0 all replies of a group would be the same"):
        preflight([A], sampler, progress=False)


def test_a_benchmark_without_training_questions_gives_test_questions(benchmark_data, monkeypatch):
    monkeypatch.setenv("MOTIF_DATA", str(benchmark_data))
    assert len(sample_questions("aime2024", 99)) == 30 and sample_questions("gsm8k", 1)[0].id.startswith("gsm8k-train")
    assert sample_questions("ledger", 4) == sample_questions("ledger", 4) != sample_questions("ledger", 4, seed=1)


# ---- whom it believes


@pytest.fixture(scope="module")
def tiny():
    return load_sampler("motif-tiny", None, 60)


def stories(monkeypatch, request):
    try:
        monkeypatch.setenv("MOTIF_DATA", str(request.getfixturevalue("benchmark_data")))
        return sample_questions("gsm8k", 6)
    except pytest.skip.Exception:
        return [Question(text, gold, "gsm8k", str(i)) for i, (text, gold) in enumerate(STORIES)]


def test_motif_tiny_finds_signal_in_ledger(tiny):
    found = preflight(some(load_task("ledger", "train"), 6), tiny, progress=False)
    assert found.found and found.advice.startswith("There is") and found.in_format.value > 0.5
    assert found.tokens_per_step > 0 < found.seconds_per_step


def test_motif_tiny_finds_none_in_word_problems(tiny, monkeypatch, request):
    found = preflight(stories(monkeypatch, request), tiny, progress=False)
    assert not found.found and found.advice.startswith("Hardly any signal")


def test_motif_tiny_finds_none_in_written_word_problems(tiny):
    questions = [Question(text, gold, "gsm8k", str(i)) for i, (text, gold) in enumerate(STORIES[:3])]
    assert not preflight(questions, tiny, progress=False).found


def test_a_random_model_finds_none(random_model, tokenizer):
    sampler = LocalSampler(random_model, tokenizer, 24)
    found = preflight(some(load_task("ledger", "train", steps=(1, 2)), 6), sampler, progress=False)
    assert not found.found and found.advice.startswith("Hardly any signal") and found.no_room == 0


def test_prompts_without_room_are_counted_and_named(random_model, tokenizer):
    long = Question("Ann has 3 eggs. " * 60, "3", id="long")
    found = preflight([A, long], LocalSampler(random_model, tokenizer, 16), replace(TWO, num_rounds=1), progress=False)
    assert found.no_room == 4 and "leave no room" in found.advice and "a training would end there" in str(found)


# ---- a training does not notice it


@pytest.fixture
def recipe(random_model, tokenizer, tmp_path, monkeypatch):
    """As in test_runs: a random model, judged by a hash, so that there is something to learn."""
    right = lambda ts, right=2.0: [right * (zlib.crc32(t.final.encode()) % 2) for t in ts]  # noqa: E731
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", right)
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    train = dict(
        num_generations=4, num_trajectories=2, max_completion_length=8, per_device_train_batch_size=4, max_steps=2,
        learning_rate=1e-2, use_cpu=True, bf16=False, report_to="none", gradient_checkpointing=False, credit="any",
        disable_tqdm=True, logging_steps=1, save_strategy="no",
    )  # fmt: skip
    return Recipe(model=str(tmp_path / "model"), task="ledger", lora_rank=4, train=train)


QUESTIONS = [Question(f"Ann has {i} eggs.", str(i), "ledger", f"q{i}") for i in range(3, 30)]


def left(out):
    """What a run left, byte for byte but for its times and the record of the preflight."""
    files = {
        p.name: p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name not in ("signal.json", "metrics.jsonl")
    }
    metrics = [{k: v for k, v in entry.items() if "time" not in k} for entry in runs.read_metrics(out)]
    return files, metrics


def test_a_run_is_the_same_with_and_without_it(recipe, tmp_path, capsys):
    assert runs.train_run(recipe, tmp_path / "without", questions=QUESTIONS)
    assert "Before training" not in capsys.readouterr().out and not (tmp_path / "without" / "signal.json").exists()
    assert runs.train_run(recipe, tmp_path / "with", questions=QUESTIONS, look=True)
    said = capsys.readouterr().out
    assert "Before training: " in said and "8 groups with signal" in said and "signal: " in said
    record = json.loads((tmp_path / "with" / "signal.json").read_text())
    assert record["questions"] == 8 and record["plan"]["credit"] == "any" and record["advice"] in said
    (a, metrics), (b, others) = left(tmp_path / "without"), left(tmp_path / "with")
    for name in a.keys() | b.keys():
        assert a[name] == b[name], name
    assert metrics == others


def test_it_looks_once_at_each_model_and_never_when_a_run_goes_on(recipe, tmp_path, monkeypatch):
    looked = []

    def spy(*args):
        looked.append(args)
        return preflight(*args, progress=False)

    monkeypatch.setattr(module, "preflight", spy)
    monkeypatch.setattr(runs, "train_to_the_end", lambda trainer: None)
    monkeypatch.setattr(runs, "_finish", lambda trainer, out: False)

    def train(recipe):
        runs.train_run(recipe, tmp_path / "run", questions=QUESTIONS, look=True)
        return len(looked)

    assert [train(recipe), train(recipe)] == [1, 1]
    assert train(recipe.with_train(num_rounds=2)) == 2  # mended: nothing was trained yet
    (tmp_path / "run" / "signal.json").unlink()
    (tmp_path / "run" / "checkpoint-2").mkdir()
    assert train(recipe.with_train(num_rounds=2)) == 2


def test_random_states_are_as_if_nothing_had_been_drawn():
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    expected = [random.random(), np.random.random(), torch.rand(1).item()]
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    with pytest.raises(KeyboardInterrupt), same_draws_after():
        _ = random.random(), np.random.random(), torch.rand(1)
        raise KeyboardInterrupt
    assert [random.random(), np.random.random(), torch.rand(1).item()] == expected
