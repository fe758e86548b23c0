"""What the demo evaluates, and what it prints."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from motif_lib.evaluate import Item, Report
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.studies import demo
from motif_lib.studies.demo import METHODS, evaluate_run, results_table, run_demo
from motif_lib.tasks.ledger import split_of_text
from motif_lib.training.recipe import load_recipe


def test_the_table_of_all_systems_fits_a_terminal_of_80_columns():
    """At its widest: all of 22 questions a length solved."""
    questions = [Question(f"q{i}", "1", id=str(i), length=4 + i % 9) for i in range(198)]
    items = tuple(Item(q, (True,), ("1",), ("",), (1_234,), (9,), (True,), ("1",)) for q in questions)
    text = io.StringIO()
    table = results_table({name: Report(name, {}, items) for name in ("base", *METHODS)})
    Console(file=text, width=80, color_system=None, force_jupyter=False).print(table)
    lines = text.getvalue().splitlines()
    assert sum("100 [85, 100]" in line for line in lines) == 9, "a row each, none of them wrapped"
    row = next(line for line in lines if line.startswith("│ 12 steps"))
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["12 steps", *["100 [85, 100]"] * 4]
    assert next(line for line in lines if line.startswith("│ tokens")).count("1234") == 4


def test_each_method_is_evaluated_with_its_own_adapter(tmp_path, monkeypatch, in_turn):
    """The base without one, each other with what its own run left, in as many rounds as it was trained; on held-out
    problems, the same for all."""
    asked, trained, problems = [], [], []
    monkeypatch.setattr(demo, "train_run", lambda recipe, out, *args, **kwargs: trained.append(out) or True)

    def evaluate_run(recipe, adapter, questions, out, name, seed):
        asked.append((name, adapter, recipe.train["num_rounds"], recipe.train.get("credit")))
        problems.append(questions)

    monkeypatch.setattr(demo, "evaluate_run", evaluate_run)
    monkeypatch.setattr(demo, "report_results", lambda *args: None)
    assert run_demo(tmp_path, quick=True).keys() == {"base", *METHODS}
    folders = [tmp_path / name for name in ("grpo", "motif-round-1", "motif-any-round")]
    assert trained == folders and asked == [
        ("base", None, 3, None),
        ("GRPO", folders[0] / "adapter", 1, None),
        ("MOTIF round 1", folders[1] / "adapter", 3, "first"),
        ("MOTIF any round", folders[2] / "adapter", 3, "any"),
    ]
    assert problems == [problems[0]] * 4 and {split_of_text(question.text) for question in problems[0]} == {"test"}


def test_a_run_is_evaluated_as_it_was_trained(tmp_path, monkeypatch):
    loaded, asked = [], []
    monkeypatch.setattr(demo, "load_sampler", lambda *args, **load: loaded.append((args, load)) or "the sampler")
    monkeypatch.setattr(demo, "evaluate", lambda *args, **options: asked.append((args, options["stop"])))
    recipe = replace(load_recipe("cpu"), load={"window": 256}).with_train(num_rounds=2, temperature=0.7)
    evaluate_run(recipe, tmp_path / "adapter", [], tmp_path, "a", 0)
    evaluate_run(recipe.with_train(early_stop=True), None, [], tmp_path, "b", 0, num_rounds=4)
    assert loaded == [(("motif-tiny", path, 60, 0.7), {"window": 256}) for path in (tmp_path / "adapter", None)]
    assert asked == [(([], "the sampler", 2), None), (([], "the sampler", 4), boxed)]
