"""The ablation runner: cells and statistics of a grid by hand, and a small grid run, stopped and resumed."""

import json
import zlib
from dataclasses import replace

import pytest
import yaml

from motif_lib.evaluate.statistics import wilson
from motif_lib.models.load import load_model
from motif_lib.rounds import check_room
from motif_lib.samplers.local import LocalSampler
from motif_lib.studies import ablate, demo
from motif_lib.studies.ablate import (
    CellResult,
    Grid,
    load_grid,
    minus_base,
    over_seeds,
    read_results,
    results_table,
    run_ablation,
)
from motif_lib.studies.recorded import GRIDS
from motif_lib.tasks import load_task
from motif_lib.tasks.ledger import Ledger, note, split_of_text
from motif_lib.training.recipe import load_recipe

pytestmark = pytest.mark.slow

BASE = {"credit": "any", "num_rounds": 2, "carry": "progress_note"}


def grid(**changes):
    return Grid(**{"recipe": "cpu", "base": BASE, "switches": {"credit": ["first", "any"]}, **changes})


def result(seed, cell, right, total=100, rounds=2):
    return CellResult(seed, cell, BASE, rounds, right, total, 50.0)


def test_cells_change_one_switch_and_the_base_is_one_of_them():
    switches = {"credit": ["first", "any", {"credit": "all", "num_rounds": 3}], "num_rounds": [2, 3]}
    assert grid(switches=switches).all_cells() == {
        "untrained": BASE,
        "base": BASE,
        "credit=first": {**BASE, "credit": "first"},
        "credit=all, num_rounds=3": {**BASE, "credit": "all", "num_rounds": 3},
        "num_rounds=3": {**BASE, "num_rounds": 3},
    }


@pytest.mark.parametrize("name, cells", [("questions", 14), ("losses", 4), ("longer", 2), ("notes", 3)])
def test_the_cells_of_a_grid_are_valid_settings_and_each_switch_asks_a_question(name, cells, tmp_path):
    """The base and each other value once, beside the untrained model; whole trajectories with one future are cheap."""
    found = load_grid(name)
    assert len(found.all_cells()) == 1 + cells
    for settings in found.all_cells().values():
        load_recipe(found.recipe).config(tmp_path, **{key: v for key, v in settings.items() if key != "carry"})
    assert (found.base["credit"], found.base["num_trajectories"]) == ("all", 1)
    assert found.asks.keys() == found.switches.keys()
    assert all(question.endswith("?") and source for question, source in found.asks.values())


@pytest.mark.parametrize("name", GRIDS)
def test_the_window_leaves_room_for_every_note_of_a_grid(name):
    """Of a note that is longer than the room the beginning would be lost, the total."""
    grid = load_grid(name)
    recipe = load_recipe(grid.recipe)
    sampler = LocalSampler(*load_model(recipe.model), recipe.train["max_completion_length"])
    for split, dial in (("train", grid.trained_on or recipe.dial), ("test", grid.asked or recipe.dial)):
        questions = load_task(recipe.task, split=split, size=300, seed=0, **dial)
        notes = [
            note(Ledger.read(question.text), day) for question in questions for day in range(1, question.length + 1)
        ]
        longest = max(len(ids) for ids in sampler.tokenizer(notes, add_special_tokens=False)["input_ids"])
        for settings in grid.all_cells().values():
            assert check_room(questions, sampler, settings.get("num_rounds", 3)) >= longest


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"switches": {"beta": [0.0, 0.1]}}, "beta is varied, but not in base"),
        ({"base": {**BASE, "carry": "nothing"}}, "no carry strategy 'nothing': choose from progress_note, memory"),
        ({"seeds": 3}, "seeds.*a grid has the keys recipe, base"),
    ],
)
def test_wrong_grids_say_what_to_change(changes, message, tmp_path):
    data = {"recipe": "cpu", "base": BASE, "switches": {}, **changes}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ValueError, match=message):
        load_grid(tmp_path / "grid.yaml")


def test_over_seeds_by_hand():
    """Shares 0.4, 0.5, 0.6: mean 0.5, standard deviation 0.1, t(0.975, 2) = 4.303: 0.5 -+ 4.303 * 0.1 / sqrt(3)."""
    found = over_seeds([result(seed, "base", right) for seed, right in enumerate((40, 50, 60))])
    assert (found.value, found.n) == (0.5, 300)
    assert (found.low, found.high) == (pytest.approx(0.2516, abs=1e-4), pytest.approx(0.7484, abs=1e-4))
    assert over_seeds([result(0, "base", 40)]) == wilson(40, 100)
    alike = over_seeds([result(seed, "base", 50) for seed in range(3)])  # seeds say nothing: the questions do
    assert (alike.low, alike.high) == (wilson(150, 300).low, wilson(150, 300).high)


def test_the_table_pairs_each_cell_with_the_base_of_its_seed():
    """Differences 10 and 20 points: mean 15, sd 7.07, t(0.975, 1) = 12.71: 15 -+ 63.5."""
    results = [
        result(0, "base", 40),
        result(1, "base", 50),
        result(0, "credit=first", 50),
        result(1, "credit=first", 70),
    ]
    rows = {row[0]: row for row in results_table(grid(), results).rows}
    assert rows["credit=first"][4] == "+15.0 [-48.5, +78.5]" and rows["credit=first"][6] == "50.0, 70.0"
    assert rows["base"][4] == "" and "untrained" not in rows


def test_a_cell_is_compared_with_the_base_asked_in_as_many_rounds():
    """By default in as many as in training, each cell in its own."""
    asked = [result(0, cell, right, rounds=n) for cell, n, right in (
        ("base", 2, 40), ("base", 1, 10), ("credit=first", 2, 50), ("credit=first", 1, 30))]  # fmt: skip
    rows = {row[:2]: row[4] for row in results_table(grid(rounds=[2, 1]), asked).rows}
    assert rows["credit=first", "2"].startswith("+10.0 ") and rows["credit=first", "1"].startswith("+20.0 ")
    own = [result(0, "base", 40, rounds=2), result(0, "num_rounds=3", 70, rounds=3)]
    rows = {row[:2]: row[4] for row in results_table(grid(switches={"num_rounds": [2, 3]}), own).rows}
    assert rows["num_rounds=3", "3"].startswith("+30.0 ")


def test_equal_seeds_do_not_make_a_difference_certain():
    """20 points in both seeds, 200 questions: Newcombe by hand from Wilson's [0.335, 0.469] and [0.531, 0.665]."""
    bases, better = ([result(seed, cell, right) for seed in (0, 1)] for cell, right in (("base", 40), ("other", 60)))
    found = minus_base(better, bases)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.1026, abs=2e-3), pytest.approx(0.2924, abs=2e-3))


@pytest.fixture
def small(random_model, tokenizer, tmp_path, monkeypatch, in_turn):
    """Two cells beside the base on a random model, asked with one and two rounds; one step each, on outcomes by a hash
    of the reply, as a random model is never right."""
    outcomes = lambda ts, right=2.0: [right * (zlib.crc32(t.final.encode()) % 2) for t in ts]  # noqa: E731
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", outcomes)
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    train = dict(
        num_generations=4, num_trajectories=2, max_completion_length=8, per_device_train_batch_size=4, max_steps=1,
        learning_rate=1e-2, temperature=1.0, use_cpu=True, bf16=False, report_to="none", save_steps=1,
        gradient_checkpointing=False, disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    recipe = {"model": str(tmp_path / "model"), "task": "ledger", "questions": 4, "lora_rank": 4,
              "dial": {"steps": [1, 2]}, "train": train}  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    switches = {"credit": ["any", "all"], "carry": ["progress_note", "full_history"]}
    return grid(recipe=str(tmp_path / "recipe.yaml"), switches=switches, rounds=[2, 1], questions=6, note_tokens=10)


def test_a_stopped_ablation_goes_on_and_leaves_a_tidy_table_and_a_figure(small, tmp_path, monkeypatch):
    trained, real = [], ablate.train_run

    def stopped(recipe, out, seed=0, **options):
        trained.append(out.name)
        return len(trained) != 2 and real(recipe, out, seed, **options)

    monkeypatch.setattr(ablate, "train_run", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_ablation(small, tmp_path / "out", [0])
    assert trained == ["base", "credit=all"] and len(read_results(tmp_path / "out" / "results.jsonl")) == 4
    monkeypatch.setattr(ablate, "train_run", real)
    results = run_ablation(small, tmp_path / "out", [0])
    assert [(r.cell, r.rounds) for r in results] == [
        (cell, rounds) for cell in ("untrained", "base", "credit=all", "carry=full_history") for rounds in (2, 1)
    ]
    assert read_results(tmp_path / "out" / "results.jsonl") == results and {r.total for r in results} == {6}
    assert (tmp_path / "out" / "ablation.png").stat().st_size > 5_000
    assert "carry=full_history" in (tmp_path / "out" / "table.txt").read_text()
    settings = json.loads((tmp_path / "out" / "seed0" / "carry=full_history" / "settings.json").read_text())
    assert settings["carry"] == "capped(full_history, 10)" and settings["recipe"]["train"]["credit"] == "any"
    replies = {cell: (tmp_path / "out" / "seed0" / cell / "test-2" / "items.jsonl").read_text() for cell in (
        "untrained", "base", "credit=all")}  # fmt: skip
    assert len({*replies.values()}) == 3  # each cell answers with its own adapter
    run = json.loads((tmp_path / "out" / "seed0" / "carry=full_history" / "test-2" / "run.json").read_text())
    assert run["carry"] == "capped(full_history, 10)" and run["num_rounds"] == 2


def test_every_cell_is_asked_the_same_held_out_problems(small, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ablate, "_run_cell", lambda *args: asked.append([q.text for q in args[-1]]) or [])
    monkeypatch.setattr(ablate, "write_results", lambda *args: None)
    run_ablation(small, tmp_path / "out", [0])
    assert asked == [asked[0]] * 4 and {split_of_text(text) for text in asked[0]} == {"test"}


def test_a_grid_can_ask_longer_problems_than_it_trains_on(small, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(ablate, "_run_cell", lambda grid, recipe, *args: asked.append((recipe.dial, args[-1])) or [])
    monkeypatch.setattr(ablate, "write_results", lambda *args: None)
    run_ablation(replace(small, trained_on={"steps": [1, 1]}, asked={"steps": [2, 3]}), tmp_path / "out", [0])
    assert len(asked) == 4 and all(dial == {"steps": [1, 1]} for dial, _ in asked)
    assert all({question.length for question in questions} == {2, 3} for _, questions in asked)


def test_a_mistake_in_the_last_cell_is_found_before_anything_is_trained(small, tmp_path):
    wrong = Grid(small.recipe, BASE, {"credit": ["all", "last"]}, questions=2)
    with pytest.raises(ValueError, match="credit='last'"):
        run_ablation(wrong, tmp_path / "out", [0])
    assert not (tmp_path / "out").exists()


def test_an_ablation_with_early_stop_trains_and_asks_with_it(small, tmp_path, monkeypatch):
    asked, real = [], demo.evaluate
    monkeypatch.setattr(demo, "evaluate", lambda *args, stop, **rest: asked.append(stop) or real(*args, **rest))
    run_ablation(
        Grid(small.recipe, {**BASE, "early_stop": False}, {"early_stop": [True]}, questions=2), tmp_path / "out", [0]
    )
    assert [stop is not None for stop in asked] == [False, False, True]  # untrained, base, early_stop=True
