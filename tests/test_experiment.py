"""The experiment over seeds: its table and its answers by hand, and a small one run, stopped and resumed."""

import pytest

from motif_lib.evaluate import Item, Report
from motif_lib.records import Question
from motif_lib.studies import seeds as experiment
from motif_lib.studies.seeds import SeedResult, answers, by_seed, curve, read_results, results_table, run_experiment
from motif_lib.tasks import load_task
from motif_lib.tasks.ledger import split_of_text
from motif_lib.training.recipe import load_recipe

RESULTS = [
    *(
        SeedResult(seed, "GRPO", q, right, 100, right // 2, 50)
        for seed in (0, 1)
        for q, right in ((0, 10), (15, 20), (100, 50))
    ),
    *(SeedResult(0, "MOTIF round 1", q, right, 100, right // 2, 50) for q, right in ((0, 30), (15, 50), (100, 80))),
    *(SeedResult(1, "MOTIF round 1", q, right, 100, right // 2, 50) for q, right in ((0, 30), (15, 49), (100, 90))),
]


def test_seeds_are_kept_apart():
    assert by_seed(RESULTS, "MOTIF round 1", 100) == [0.8, 0.9]
    assert by_seed(RESULTS, "MOTIF round 1", 15, long=True) == [0.5, 0.48]
    assert curve(RESULTS, "MOTIF round 1")[1:] == [(15, 0.495, 0.49, 0.5), (100, pytest.approx(0.85), 0.8, 0.9)]
    rows = {row[0]: row[1:] for row in results_table(RESULTS).rows}
    assert rows["100"] == ("50.0 (50.0 to 50.0)", "85.0 (80.0 to 90.0)")
    assert rows["15"] == ("20.0 (20.0 to 20.0)", "49.5 (49.0 to 50.0)")
    rows = {row[0]: row[1:] for row in results_table(RESULTS, long=True).rows}
    assert rows["15"] == ("20.0 (20.0 to 20.0)", "49.0 (48.0 to 50.0)")


def test_few_questions_are_compared_with_all_of_the_baseline_seed_by_seed():
    """Equal counts as reached; the other method has no results here and is not asked for."""
    only = [result for result in RESULTS if result.method in ("GRPO", "MOTIF round 1")]
    assert answers(only) == ["MOTIF round 1 with 15 questions reaches GRPO with 100 in 1 of 2 seeds."]


def test_each_checkpoint_is_evaluated_with_its_own_weights(tmp_path, monkeypatch):
    """The base is step 0; a step trains 8 questions, 4 at a time; a folder of somebody else is no checkpoint. Problems
    of 9 steps and more, which do not fit one window, are counted apart."""
    for name in ("checkpoint-10", "checkpoint-2", "checkpoint-2-mine", "adapter"):
        (tmp_path / name).mkdir()
    asked = []

    def evaluate_run(recipe, adapter, questions, out, title, seed):
        asked.append((adapter, out.name))
        items = (
            Item(
                Question("?", "1", id=str(length), length=length),
                (length < 12,),
                ("1",),
                ("",),
                (1,),
                (1,),
                (True,),
                ("1",),
            )
            for length in (8, 9, 12)
        )
        return Report("", {}, tuple(items))

    monkeypatch.setattr(experiment, "train_run", lambda *args, **options: True)
    monkeypatch.setattr(experiment, "evaluate_run", evaluate_run)
    recipe = load_recipe("cpu").with_train(per_device_train_batch_size=32, gradient_accumulation_steps=2)
    asked_of = load_task("ledger", size=15, steps=(4, 12))
    results = experiment._run_method(recipe, tmp_path, "GRPO", 7, asked_of)
    assert asked == [
        (None, "test-0"), (tmp_path / "checkpoint-2", "test-2"), (tmp_path / "checkpoint-10", "test-10")
    ]  # fmt: skip
    assert results == [SeedResult(7, "GRPO", questions, 2, 3, 1, 2) for questions in (0, 16, 80)]


def test_all_methods_of_a_seed_are_asked_the_same_held_out_problems(tmp_path, monkeypatch, in_turn):
    asked = {}
    monkeypatch.setattr(experiment, "_run_method", lambda recipe, folder, name, seed, questions: asked.update(
        {(seed, name): [question.text for question in questions]}) or [])  # fmt: skip
    monkeypatch.setattr(experiment, "write_results", lambda *args: None)
    run_experiment(tmp_path, seeds=[0, 1])
    assert asked.keys() == {(seed, name) for seed in (0, 1) for name in experiment.METHODS}
    assert {split_of_text(text) for texts in asked.values() for text in texts} == {"test"}
    assert len({tuple(texts) for texts in asked.values()}) == 2 and {len(texts) for texts in asked.values()} == {150}


@pytest.mark.nightly
@pytest.mark.slow
def test_a_small_experiment_runs_and_goes_on_to_the_same_results(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "TEST_SIZE", 30)
    halves = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}  # still one question a step
    small = load_recipe("cpu").with_train(max_steps=2, num_trajectories=1, **halves)
    results = run_experiment(tmp_path / "a", seeds=[0], recipe=small)
    assert [(r.method, r.questions) for r in results] == [
        (method, questions) for method in experiment.METHODS for questions in (0, 1, 2)
    ]
    assert read_results(tmp_path / "a" / "results.jsonl") == results
    (tmp_path / "a" / "results.jsonl").unlink()
    stopped = tmp_path / "a" / "seed0" / "motif-all-rounds"
    (stopped / "test-2" / "items.jsonl").unlink()
    assert run_experiment(tmp_path / "a", seeds=[0], recipe=small) == results
    assert (tmp_path / "a" / "accuracy_by_questions.png").exists()
