"""The table over all grids: what is compared with what, when something is better, and what is read of the recorded."""

import json
from pathlib import Path

import pytest

from motif_lib.files import write_text
from motif_lib.records import to_lines
from motif_lib.studies.ablate import CellResult, Grid, load_grid
from motif_lib.studies.recorded import GRIDS
from motif_lib.studies.verdicts import decisive, nearest, read_recorded, recorded_verdicts, verdict_table, verdicts

ROOT = Path(__file__).resolve().parents[1]
BASE = {"early_stop": False, "efficiency": None, "credit": "all"}
SWITCHES = {"efficiency": [None, {"early_stop": True}, {"early_stop": True, "efficiency": 3.0}], "credit": ["first"]}
GRID = Grid("cpu", BASE, SWITCHES, asks={"efficiency": ["Do fewer rounds cost accuracy?", "InftyThink+"]})
STOP, SHORT = "early_stop=True", "early_stop=True, efficiency=3.0"


def results(right):
    """Of 100 questions in each seed, by cell."""
    return [
        CellResult(seed, cell, BASE, 3, hits, 100, 120.0 + seed)
        for cell, by_seed in right.items()
        for seed, hits in enumerate(by_seed)
    ]


RIGHT = {
    "untrained": [10, 10, 10],
    "base": [40, 41, 42],
    STOP: [70, 72, 71],
    SHORT: [50, 50, 53],
    "credit=first": [41, 40, 44],
}


def test_a_verdict_needs_an_interval_without_zero():
    found = {v.cell: v for v in verdicts(GRID, results(RIGHT))}
    assert {name: v.verdict for name, v in found.items()} == {
        STOP: "better",
        SHORT: "worse",
        "credit=first": "not shown to differ",
    }
    assert (found[STOP].effect.value, found[STOP].tokens) == (pytest.approx(0.30), 121.0)
    assert found[SHORT].effect.value == pytest.approx(-0.20)  # against early_stop; against the base it is ahead
    assert [v.cell for v in decisive(list(found.values()))] == [STOP, SHORT]


def test_one_switch_at_a_time_is_turned():
    assert [nearest(GRID, cell) for cell in (STOP, SHORT, "credit=first")] == ["base", STOP, "base"]
    grids = [load_grid(name) for name in GRIDS]
    pairs = [(cell, nearest(grid, cell)) for grid in grids for cell in list(grid.all_cells())[2:]]
    others = {cell: against for cell, against in pairs if against != "base"}
    assert others == {
        "credit=first, num_trajectories=4, rollout_policy=base": "credit=first, num_trajectories=4",
        SHORT: STOP,
        "multi_objective_aggregation=normalize_then_sum, scale_rewards=group": "scale_rewards=group",
        "loss_type=grpo, importance_sampling_level=sequence": "loss_type=grpo",
        "carry=summarise, trained_tokens=reasoning": "carry=summarise",
    }


def test_a_row_says_question_setting_effect_tokens_verdict_and_source():
    table = verdict_table(verdicts(GRID, results(RIGHT)))
    effect = "+30.0 [+22.2, +37.3]"
    asked = "Do fewer rounds cost accuracy?"
    assert table.rows[0] == (asked, "early_stop: True", "base", effect, "121", "better", "InftyThink+")
    assert table.rows[1][1:3] == ("efficiency: 3.0", "early_stop: True")
    assert table.rows[2][0] == "credit" and table.rows[2][-1] == ""  # a switch that nothing asks


def test_what_is_not_recorded_yet_is_left_out(tmp_path):
    """Whole grids, and cells of one that still runs; the words are those of today."""
    grid = load_grid("questions")
    write_text(tmp_path / "questions" / "settings.json", json.dumps({"ablation": grid.settings()}, sort_keys=True))
    some = {"base": [40, 41], "control=random": [10, 12], "scale_rewards=group": [39, 42]}
    write_text(tmp_path / "questions" / "results.jsonl", to_lines(results(some)))
    found = recorded_verdicts(folder=tmp_path)
    assert [(v.cell, v.verdict) for v in found] == [
        ("control=random", "worse"),
        ("scale_rewards=group", "not shown to differ"),
    ]
    assert found[0].question == "Did the right reward teach it?" and "2506.10947" in found[0].source
    assert recorded_verdicts("losses", folder=tmp_path) == []


def test_a_grid_that_was_changed_since_is_read_as_it_was_recorded(tmp_path):
    settings = {**load_grid("longer").settings(), "base": {"credit": "any"}, "switches": {"credit": ["any", "first"]}}
    write_text(tmp_path / "longer" / "settings.json", json.dumps({"ablation": settings}))
    write_text(tmp_path / "longer" / "results.jsonl", to_lines(results({"base": [90, 91], "credit=first": [50, 52]})))
    grid, found = read_recorded("longer", tmp_path)
    assert [(v.cell, v.against, v.verdict) for v in verdicts(grid, found)] == [("credit=first", "base", "worse")]


def test_the_page_shows_every_recorded_verdict():
    page = (ROOT / "docs" / "switches.md").read_text(encoding="utf-8")
    rows = verdict_table(recorded_verdicts()).rows
    assert rows and [row for row in rows if f"| {' | '.join(row)} |" not in page] == []
