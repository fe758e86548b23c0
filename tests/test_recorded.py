"""What the package keeps of runs: complete, small, loadable, and without a path of the machine that made it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from motif_lib.carry import progress_note
from motif_lib.evaluate import Report, regrade
from motif_lib.evaluate.statistics import mean_estimate, paired_estimate
from motif_lib.evaluate.store import read_run, trajectory_of
from motif_lib.rounds import next_prompt
from motif_lib.studies.real_model import gains, read_answered, table
from motif_lib.studies.recorded import KEPT, RECORDED, keep_runs
from motif_lib.tasks import load_task

REAL_MODEL = "real-model"  # recorded by hand, with a model that is no part of the package
FIRST_RUN = RECORDED / REAL_MODEL / "float32"  # on another processor, not in all ways
PAGE = (Path(__file__).parents[1] / "docs" / "real_models.md").read_text(encoding="utf-8")
SCORES = ("correct", "lenient")
ROUNDS = ("1 round", "2 rounds", "3 rounds")
WAYS = {*ROUNDS, "2 rounds, no note", "2 rounds, another note"}
TRAINED = ("untrained", "cold-start", "rl")
CELLS = [
    ("correct", "strict, %", ".0f", sorted(WAYS)),
    ("lenient", "lenient, %", ".0f", ROUNDS),
    ("formed", "replies in format, %", ".1f", ROUNDS),
    ("tokens", "tokens", ".0f", ROUNDS),
]
LIMIT = 16 * 2**20  # bytes of all recorded runs


@pytest.fixture
def runs(tmp_path):
    """A made-up folder with a file for every pattern, and one that is not kept."""
    for name, patterns in KEPT.items():
        for pattern in patterns:
            path = tmp_path / "runs" / name / pattern.replace("motif-*", "motif-any").replace("*", "any")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"base_model_name_or_path": "/home/someone/motif-tiny", "r": 16}')
    (tmp_path / "runs" / "demo" / "any" / "checkpoint-20").mkdir()
    return tmp_path / "runs"


def test_the_patterns_are_kept_and_the_path_of_the_base_is_not(runs, tmp_path):
    for name in ("losses/old.txt", f"{REAL_MODEL}/untrained.jsonl"):
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).touch()
    files = keep_runs(runs, tmp_path / "out")
    assert (tmp_path / "out" / REAL_MODEL / "untrained.jsonl").exists()  # no run of `make recorded`
    assert not (tmp_path / "out" / "losses" / "old.txt").exists()
    assert len(files) == sum(map(len, KEPT.values()))
    assert not list((tmp_path / "out").rglob("checkpoint-*"))
    settings = json.loads((tmp_path / "out/demo/any/adapter/adapter_config.json").read_text())
    assert settings == {"base_model_name_or_path": "motif-tiny", "r": 16}


def test_an_unfinished_run_is_refused_and_what_is_there_stays(runs, tmp_path):
    keep_runs(runs, tmp_path / "out")
    (runs / "experiment" / "results.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl: finish that run first"):
        keep_runs(runs, tmp_path / "out")
    assert (tmp_path / "out" / "experiment" / "results.jsonl").exists()


def test_the_package_holds_all_of_it_small_and_without_a_path():
    files = [path for path in RECORDED.rglob("*") if path.is_file()]
    assert {path.relative_to(RECORDED).parts[0] for path in files} == {*KEPT, REAL_MODEL}
    assert sum(path.stat().st_size for path in files) < LIMIT
    for path in files:
        if path.suffix in (".json", ".jsonl", ".txt"):
            assert not re.search(r'"/(home|root|tmp|work|Users)', path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("method", ["base-one-round", "base-three-rounds", "grpo", "motif-round-1", "motif-all-rounds"])
def test_questions_prompts_and_verdicts_of_the_recorded_runs_are_those_of_today(method):
    """With another generator, protocol or verifier the README's numbers would be those of something else."""
    folder = RECORDED / "demo" / method / "test"
    settings, records = read_run(folder)
    trajectories = [trajectory_of(record) for record in records]
    asked = load_task("ledger", split="test", size=300, seed=0, steps=(4, 12))
    assert [trajectory.question for trajectory in trajectories] == asked
    n = settings["num_rounds"]
    for trajectory in trajectories:
        for done, reply in enumerate(trajectory.replies):
            prompt = next_prompt(replace(trajectory, replies=trajectory.replies[:done]), n)
            assert reply.prompt[1:] == prompt[1:]  # motif-tiny's chat template leaves the system message out
            assert reply.carried == ("" if done + 1 == n else progress_note(reply.text, reply.finished, ""))
    assert regrade(folder) == Report.load(folder)


def lines(name):
    """The recorded lines of a model, by way and question."""
    rows = read_answered(RECORDED / REAL_MODEL / f"{name}.jsonl")
    return {
        way: {row.question: row for row in rows if row.way == way} for way in dict.fromkeys(row.way for row in rows)
    }


def test_the_untrained_model_follows_the_protocol_and_the_page_has_its_table():
    """Notes in 90 % of finished first replies and boxes in 80 % of finished last ones, before any training."""
    untrained = lines("untrained")
    assert set(untrained) == WAYS and all(len(rows) == 100 for rows in untrained.values())
    for way in ("2 rounds", "3 rounds"):
        noted = [row.noted for row in untrained[way].values() if row.noted is not None]
        boxed = [row.boxed for row in untrained[way].values() if row.boxed is not None]
        assert sum(noted) >= 0.9 * len(noted) > 60 and sum(boxed) >= 0.8 * len(boxed) > 60
    for way, rows in untrained.items():
        strict, lenient = (mean_estimate([float(getattr(row, key)) for row in rows.values()]) for key in SCORES)
        tokens = f"{fmean(row.tokens for row in rows.values()):.0f}"
        assert f"| {way} | {whole(strict)} | {whole(lenient)} | {tokens} |" in PAGE


def whole(share):
    """A share and its interval, in whole per cent."""
    return f"{100 * share.value:.0f} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def test_the_page_has_what_training_did():
    models = [lines(name) for name in TRAINED]
    assert all(set(model) == WAYS for model in models)
    assert all(set(rows) == set(models[0]["2 rounds"]) for model in models for rows in model.values())
    for key, title, form, ways in CELLS:
        for way in ways:
            values = [f"{mean(model, way, key):{form}}" for model in models]
            assert f"| {title}: {way} | {' | '.join(values)} |" in PAGE


@pytest.mark.parametrize(
    "before, after, ways, key",
    [
        ("untrained", "cold-start", ["2 rounds"] * 2, "formed"),
        ("untrained", "rl", ["1 round"] * 2, "correct"),
        ("untrained", "rl", ["1 round"] * 2, "lenient"),
        ("untrained", "rl", ["2 rounds"] * 2, "correct"),
        ("cold-start", "rl", ["2 rounds"] * 2, "correct"),
        ("cold-start", "cold-start", ["2 rounds, no note", "2 rounds"], "correct"),
        ("rl", "rl", ["2 rounds, no note", "2 rounds"], "correct"),
        ("cold-start", "cold-start", ["1 round", "3 rounds"], "correct"),
        ("rl", "rl", ["1 round", "3 rounds"], "correct"),
        ("untrained", "cold-start", ["2 rounds, no note"] * 2, "lenient"),
    ],
)
def test_the_page_has_the_paired_differences(before, after, ways, key):
    was, now = (lines(name)[way] for name, way in zip((before, after), ways, strict=True))
    apart = paired_estimate(
        [float(getattr(now[question], key)) - float(getattr(was[question], key)) for question in was]
    )
    found = " ".join(apart.points)
    assert found in " ".join(PAGE.split()).replace(" points [", " [")


def mean(model, way, key):
    return fmean(float(getattr(row, key)) for row in model[way].values()) * (1 if key == "tokens" else 100)


def test_what_the_pages_say_of_the_first_run_is_in_its_lines():
    """Notes in 90 % of finished first replies and boxes in 80 % of last ones, before any training;
    and a cold start after which significantly more replies are in format."""
    before, after = (read_answered(FIRST_RUN / f"{name}.jsonl") for name in ("untrained", "cold-start"))
    assert {row.question for row in before} == {row.question for row in after} and len(after) == 200
    shown = {row[0]: row for row in table(before).rows}
    assert shown["2 rounds"][1:] == ("13.0 [7.8, 21.0]", "15.0 [9.3, 23.3]", "288", "84 of 90", "96 of 97")
    assert [shown[way][1][:4] for way in ("1 round", "3 rounds", "2 rounds, no note")] == ["11.0", "15.0", "8.0 "]
    rows = {row[1]: row[2:] for row in gains(before, after).rows if row[0] == "2 rounds, 100 questions"}
    assert table(after).rows[1][:3] == ("1 round", "13.0 [7.8, 21.0]", "16.0 [10.1, 24.4]")
    assert rows["replies in format"] == ("81.5", "90.5", "+9.0", "[+2.7, +15.0]", "0.0054")
    assert rows["strict accuracy"][:3] == ("13.0", "16.0", "+3.0")


def test_what_the_pages_say_of_rl_in_the_first_run_is_in_its_lines():
    """Format is shown to rise from the untrained model on, accuracy is not, and RL alone changes nothing for sure."""
    untrained, cold, rl = (read_answered(FIRST_RUN / f"{name}.jsonl") for name in ("untrained", "cold-start", "rl"))
    assert table(rl).rows[0][:4] == ("2 rounds", "18.0 [11.7, 26.7]", "19.0 [12.5, 27.8]", "262")
    by_all = {row[1]: row[2:6] for row in gains(untrained, rl).rows if row[0] == "2 rounds, 100 questions"}
    assert table(rl).rows[1][:4] == ("1 round", "18.0 [11.7, 26.7]", "20.0 [13.3, 28.9]", "137")
    assert ("replies in format", "62.0", "89.0") in [row[1:4] for row in gains(untrained, rl).rows]
    assert [row[:2] for row in table(rl).rows[2:]] == [
        ("2 rounds, no note", "16.0 [10.1, 24.4]"),
        ("2 rounds, another note", "12.0 [7.0, 19.8]"),
    ]
    assert by_all["replies in format"] == ("81.5", "94.0", "+12.5", "[+5.7, +18.8]")
    assert by_all["strict accuracy"] == ("13.0", "18.0", "+5.0", "[-4.1, +13.9]")
    assert by_all["lenient accuracy"] == ("15.0", "19.0", "+4.0", "[-4.9, +12.7]")
    by_rl = {row[1]: row[4:6] for row in gains(cold, rl).rows if row[0] == "2 rounds, 100 questions"}
    assert by_rl["replies in format"] == ("+3.5", "[-1.5, +8.4]") and by_rl["strict accuracy"] == (
        "+2.0",
        "[-5.5, +9.4]",
    )
