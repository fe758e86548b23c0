"""What the demo evaluates, and what it prints."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from motif_lib.evaluate import Item, Report
from motif_lib.models.load import load_tokenizer
from motif_lib.protocol import messages
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.studies import demo
from motif_lib.studies.demo import BASES, METHODS, evaluate_run, longest_that_fits, results_table, run_demo
from motif_lib.tasks import ledger, load_task
from motif_lib.tasks.ledger import split_of_text
from motif_lib.training.recipe import load_recipe


def report_of(name: str, lengths: list[int], tokens: int = 1_234) -> Report:
    """All solved up to 8 steps, none beyond."""
    questions = [Question(f"q{i}", "1", id=str(i), length=length) for i, length in enumerate(lengths)]
    items = (Item(q, (q.length <= 8,), ("1",), ("",), (tokens,), (9,), (True,), ("1",)) for q in questions)
    return Report(name, {}, tuple(items))


def test_the_table_of_all_systems_fits_a_terminal_of_80_columns():
    """At its widest; what fits one window and what does not are counted apart."""
    text, lengths = io.StringIO(), [4 + i % 9 for i in range(300)]
    table = results_table({name: report_of(name, lengths) for name in (*BASES, *METHODS)}, fits=8)
    Console(file=text, width=80, color_system=None, force_jupyter=False).print(table)
    rows = [line for line in text.getvalue().splitlines() if line.startswith(("│ base", "│ GRPO", "│ MOTIF"))]
    assert len(rows) == 5, "a row each, none of them wrapped"
    cells = [cell.strip() for cell in rows[0].split("│")[1:-1]]
    assert cells == ["base, one round", "100 [98, 100]", "0 [0, 3]", "56 [50, 62]", "1234"]


def test_without_longer_problems_there_is_a_dash():
    (row,) = results_table({"GRPO": report_of("GRPO", [4, 5])}, fits=8).rows
    assert row[2] == "-"


def test_the_longest_problem_that_fits_is_counted_with_all_its_work():
    """The window of motif-tiny holds eight steps: the ids of question and perfect reply, put together, say so."""
    tokenizer = load_tokenizer()
    for steps, fits in ((8, True), (9, False)):
        question = load_task("ledger", size=1, seed=0, steps=(steps, steps))[0]
        prompt = tokenizer.apply_chat_template(messages(question.text, 1, 1), add_generation_prompt=True)["input_ids"]
        reply = tokenizer(ledger.replies(question, 1)[0])["input_ids"] + [tokenizer.eos_token_id]
        assert (len(prompt) + len(reply) <= 196) == fits
    assert longest_that_fits(load_task("ledger", size=90, seed=0, steps=(4, 12)), "motif-tiny") == 8
    assert longest_that_fits([question], "motif-tiny") == 0


def test_each_method_is_evaluated_with_its_own_adapter(tmp_path, monkeypatch, in_turn):
    """The base without one, each other with what its own run left, in the rounds and the budget of its training (None:
    all that the window leaves); on held-out problems, the same for all."""
    asked, trained, problems = [], [], []
    monkeypatch.setattr(demo, "train_run", lambda recipe, out, *args, **kwargs: trained.append(out) or True)

    def evaluate_run(recipe, adapter, questions, out, name, seed):
        asked.append((name, adapter, recipe.train["num_rounds"], recipe.train["max_completion_length"]))
        problems.append(questions)

    monkeypatch.setattr(demo, "evaluate_run", evaluate_run)
    monkeypatch.setattr(demo, "report_results", lambda *args: None)
    assert run_demo(tmp_path, quick=True).keys() == {*BASES, *METHODS}
    folders = [tmp_path / name for name in ("motif-all-rounds", "motif-round-1", "grpo")]  # the shortest last
    assert trained == folders and asked == [
        ("MOTIF all rounds", folders[0] / "adapter", 3, 60),
        ("MOTIF round 1", folders[1] / "adapter", 3, 60),
        ("GRPO", folders[2] / "adapter", 1, None),
        ("base, one round", None, 1, None),
        ("base, three rounds", None, 3, 60),
    ]
    assert problems == [problems[0]] * 5 and {split_of_text(question.text) for question in problems[0]} == {"test"}


def test_a_run_is_evaluated_with_its_rounds_and_budget_and_greedily(tmp_path, monkeypatch):
    loaded, asked = [], []
    monkeypatch.setattr(demo, "load_sampler", lambda *args, **load: loaded.append((args, load)) or "the sampler")
    monkeypatch.setattr(demo, "evaluate", lambda *args, **options: asked.append((args, options["stop"])))
    recipe = replace(load_recipe("cpu"), load={"window": 196}).with_train(num_rounds=2, temperature=0.7)
    evaluate_run(recipe, tmp_path / "adapter", [], tmp_path, "a", 0)
    evaluate_run(recipe.with_train(early_stop=True), None, [], tmp_path, "b", 0, num_rounds=4)
    paths = (tmp_path / "adapter", None)
    assert loaded == [(("motif-tiny", path, 60), {"temperature": 0.0, "window": 196}) for path in paths]
    assert asked == [(([], "the sampler", 2), None), (([], "the sampler", 4), boxed)]
