"""The build command: same bytes twice, and `check` and nbval notice what changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from motif_lib.classroom.build_notebooks import ENVIRONMENT, main

SANITIZE = Path(__file__).with_name("sanitize.cfg")
SOURCE = """# %% [markdown]
# # A small notebook
# %%
import os
import time

import matplotlib.pyplot as plt
from motif_lib.widgets import context_meter
from motif_lib.widgets.data import Use

plt.plot([1, 2, 3])
plt.show()
# %%
start = time.perf_counter()
print(f"took {time.perf_counter() - start:.9f} s, offline {os.environ['HF_HUB_OFFLINE']}")
object()
# %% tags=["nbval-ignore-output"]
time.perf_counter()
# %%
{"a", "b", "c"}, 6 * 7
# %%
context_meter(lambda steps, budget, window, rounds: [Use(10, 0, 5, 0, window, "steps 1 to 4")])
"""
OTHER_OUTPUTS = [(", 42)", ", 43)"), (">5</td>", ">6</td>")]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def command(action: str, source: Path) -> int:
    return main([action, str(source), "--sanitize", str(SANITIZE)])


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The source of a notebook that has been built."""
    source = tmp_path_factory.mktemp("built") / "small.py"
    source.write_text(SOURCE)
    assert command("build", source) == 0
    return source


@pytest.fixture
def copied(built, tmp_path) -> Path:
    """A copy of source and notebook, to be broken."""
    for path in (built, built.with_suffix(".ipynb")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / built.name


def edit(path: Path, edits: list[tuple[str, str]]) -> str:
    """Replace text in a file; every edit must find something."""
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return text


def test_a_rebuild_changes_no_byte(built):
    before = built.with_suffix(".ipynb").read_bytes()
    assert command("build", built) == 0
    assert built.with_suffix(".ipynb").read_bytes() == before


def test_what_is_stored(built):
    notebook = nbformat.read(built.with_suffix(".ipynb"), as_version=4)
    assert "widgets" not in notebook.metadata and "version" not in notebook.metadata.language_info
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4, 5]
    view = notebook.cells[-1].outputs[0].data
    assert "<table>" in view["text/html"] and view["application/vnd.jupyter.widget-view+json"]["model_id"] == "0" * 32
    assert "offline 1" in notebook.cells[2].outputs[0].text
    assert notebook.cells[1].outputs[0].data["image/png"]


@pytest.mark.parametrize(
    "suffix, edits, said",
    [
        pytest.param(".ipynb", OTHER_OUTPUTS, ("42)", ">5</td>"), id="other outputs, plain and of a widget"),
        pytest.param(".py", [("6 * 7", "7 * 6")], ("7 * 6",), id="source out of step"),
        pytest.param(".py", [("6 * 7", "1 / 0")], ("ZeroDivisionError",), id="a cell that fails"),
    ],
)
def test_check_notices(copied, capfd, suffix, edits, said):
    edit(copied.with_suffix(suffix), edits)
    assert command("check", copied) == 1
    shown = "".join(capfd.readouterr())
    assert all(words in shown for words in said)


def test_check_passes_without_changing_anything(copied):
    text = edit(copied.with_suffix(".ipynb"), [("took 0.", "took 9.")])  # a time is free to differ
    assert command("check", copied) == 0
    assert copied.with_suffix(".ipynb").read_text() == text


@pytest.mark.parametrize("edits, failed", [([], 0), (OTHER_OUTPUTS, 2)], ids=["as built", "other outputs"])
def test_nbval_compares_strictly(copied, edits, failed):
    edit(copied.with_suffix(".ipynb"), edits)
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={SANITIZE}", f"--rootdir={copied.parent}"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, *options, str(copied.with_suffix(".ipynb"))],
        env=ENVIRONMENT | os.environ,
        capture_output=True,
        text=True,
    )
    assert run.returncode == bool(failed), run.stdout[-3000:]
    assert f"{failed} failed, {5 - failed} passed" in run.stdout or f"{5 - failed} passed" in run.stdout


def test_nothing_to_build_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["build"])
    assert "root of the repository" in capsys.readouterr().err
