"""The code on the page "Make it yours" runs as it stands, but for its sizes and for the model it would download."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from motif_lib.models.load import TINY_FOLDER
from motif_lib.records import read_traces
from motif_lib.tasks import BENCHMARKS
from motif_lib.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "make_it_yours.md").read_text(encoding="utf-8")
SECTIONS = {
    part.partition("\n")[0]: re.findall(r"```python\n(.*?)```", part, re.DOTALL) for part in PAGE.split("\n## ")
}
WHOLE, START = SECTIONS.pop("# Make it yours")
SMALLER = {
    "size=320": "size=4",
    "size=200": "size=4",
    "max_steps=40": "max_steps=1",
    "num_generations=8": "num_generations=2",
    "num_trajectories=4": "num_trajectories=1",
    "per_device_train_batch_size=64": "per_device_train_batch_size=4",
    "Qwen/Qwen2.5-0.5B-Instruct": "own-model",
}
SMALL_RUN = {
    "max_steps": 1,
    "num_generations": 2,
    "num_trajectories": 1,
    "per_device_train_batch_size": 4,
    "max_completion_length": 60,
}
CONFIG = Recipe.config


def run(code: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """Run code of the page in a folder, with small sizes; what it defines."""
    for old, new in SMALLER.items():
        code = code.replace(old, new)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Recipe, "config", lambda self, out, **changes: CONFIG(self, out, **changes | SMALL_RUN))
    (folder / "data").mkdir()
    row = '{"Body": "Ann has 3 plums and eats 1.", "Question": "How many are left?", "Answer": "2"}\n'
    (folder / "data" / "svamp_train.jsonl").write_text(row, encoding="utf-8")
    shutil.copytree(TINY_FOLDER, folder / "own-model")
    monkeypatch.setitem(BENCHMARKS, "svamp", None)  # taken away again after the test
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def traces(names: dict[str, Any]) -> list:
    return read_traces(Path(names["args"].output_dir) / "traces.jsonl")


DID_WHAT_IT_SAYS = {
    "Your own model": lambda names: names["model"].config.name_or_path == "own-model",
    "Your own data set": lambda names: (
        names["questions"][0].text == "Ann has 3 plums and eats 1. How many are left?"
        and {trace.trajectories[0].question.gold for trace in traces(names)} <= {"7", "30"}
    ),
    "Your own reward": lambda names: names["trainer"].state.log_history[0]["rewards/brevity/mean"] < 0,
    "Your own carry": lambda names: all(
        reply.carried == names["last_lines"](reply.text, reply.finished, "")
        for trace in traces(names)
        for reply in trace.trajectories[0].replies[:1]
    ),
    "More rounds": lambda names: {len(trace.trajectories[0].replies) for trace in traces(names)} == {5},
    "Evaluate an adapter": lambda names: [len(report.items) for report in names["reports"]] == [4, 4],
    "Plot a run": lambda names: Path("runs/mine/curves.png").stat().st_size > 10_000,
    "Watch the note": lambda names: (
        [entry["step"] for entry in names["trainer"].state.log_history if "note_use/own" in entry] == [0, 1]
        and Path("runs/watched/note_use.png").exists()
    ),
}


def test_every_size_that_is_made_smaller_stands_on_the_page():
    assert SECTIONS.keys() == DID_WHAT_IT_SAYS.keys()
    assert [old for old in SMALLER if old not in PAGE] == []


@pytest.mark.slow
def test_the_first_screen_runs(monkeypatch, tmp_path, capsys):
    names = run(WHOLE, monkeypatch, tmp_path)
    assert names["trainer"].state.global_step == 1 and "accuracy" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_what_a_section_shows_runs_and_does_what_it_says(section, monkeypatch, tmp_path):
    names = run("\n".join([START, *SECTIONS[section]]), monkeypatch, tmp_path)
    assert names["trainer"].state.global_step == 1
    assert DID_WHAT_IT_SAYS[section](names)
