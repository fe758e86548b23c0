"""`motif gpu-day` on a CPU with small sizes, from end to end; stopped anywhere, it goes on."""

import json
import signal
import subprocess
import sys

import pytest

from motif_lib.machine import gpu_day, gpu_parts
from motif_lib.machine.gpu_day import LIMITS, carry, markdown, run_gpu_day, table

FOUND = {"rows": [["a|b", "1"]], "seconds": 60.0, "device": "a card"}


def test_every_part_has_a_limit():
    assert LIMITS.keys() == gpu_parts.PARTS.keys()


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_on_a_cpu_ends_and_leaves_its_table(tmp_path):
    found = run_gpu_day(tmp_path, small=True)
    assert {row[0] for row in found.rows} == LIMITS.keys()
    assert not [row for row in found.rows if row[2].startswith("failed")], str(found)
    text = (tmp_path / "table.md").read_text()
    assert text == markdown(found) and "| tests | tests/test_on_gpu.py | 4 skipped" in text
    ways = [row[1] for row in found.rows if row[0] == "speed-3B-16-bit"]
    assert ways[1] == "one at a time, as the reference, batch of 1" and "GraphSampler, batch of 4" in ways
    said = dict((row[0], row[2]) for row in found.rows)
    assert said["graphs"].endswith(", 0")  # nothing new in the second half
    assert "| speed-3B-Unsloth | model, questions | small, random weights, ledger |" in text  # whatever its name is
    assert "motif-tiny, ledger" in text and "4 steps, " in text


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """Parts that are short scripts: `make(NAME, CODE)`; FILE in the code is where the result goes."""
    scripts = {}
    popen = subprocess.Popen

    def start(command, **kwargs):
        code = scripts[command[3]].replace("FILE", repr(str(tmp_path / f"{command[3]}.json")))
        return popen([sys.executable, "-c", code], **kwargs)

    monkeypatch.setattr(gpu_day.subprocess, "Popen", start)
    return scripts


WRITE = f"open(FILE, 'w').write({json.dumps(FOUND)!r})"


def test_a_part_that_fails_says_why_and_the_others_run(parts, tmp_path):
    parts |= {"tests": "raise RuntimeError('no tests here')", "graphs": WRITE}
    found = run_gpu_day(tmp_path, limits={"tests": 1, "graphs": 1})
    assert list(found.rows) == [("tests", "", "failed: RuntimeError: no tests here"), ("graphs", "a|b", "1")]
    assert "a card" in found.title and "a\\|b" in (tmp_path / "table.md").read_text()
    parts["tests"] = WRITE
    assert run_gpu_day(tmp_path, limits={"tests": 1}).rows == found.rows  # a failure is a result
    (tmp_path / "tests.json").unlink()
    assert run_gpu_day(tmp_path, limits={"tests": 1}).rows[0] == ("tests", "a|b", "1")


SLOW = "import signal, time; signal.signal(signal.SIGINT, lambda *_: {}); print('begun', flush=True); time.sleep(60)"


@pytest.mark.slow
def test_a_part_whose_time_is_over_may_say_how_far_it_came(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_day, "GRACE", 0.5)
    parts |= {"gsm8k": SLOW.format(f"({WRITE}, exit())"), "tiny": SLOW.format("None")}
    found = run_gpu_day(tmp_path, limits={"tiny": 0.02, "gsm8k": 0.02})
    assert list(found.rows) == [("tiny", "", "failed: stopped after 0.02 minutes"), ("gsm8k", "a|b", "1")]


@pytest.mark.slow
def test_a_day_that_is_stopped_in_a_part_goes_on_with_it(parts, tmp_path, monkeypatch):
    parts |= {"tests": WRITE, "graphs": SLOW.format(WRITE), "tiny": WRITE}
    limits = dict.fromkeys(("tests", "graphs", "tiny"), 1)
    monkeypatch.setattr(signal, "SIGINT", signal.SIGINT)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 2)
    with pytest.raises(KeyboardInterrupt):
        run_gpu_day(tmp_path, limits=limits)
    assert {path.name for path in tmp_path.glob("*.json")} == {"tests.json"}
    parts |= {"graphs": WRITE, "tests": "raise RuntimeError('run again')"}
    assert [row[0] for row in run_gpu_day(tmp_path, limits=limits).rows] == ["tests", "graphs", "tiny"]


def test_it_says_what_to_carry():
    text = str(carry())
    assert "motif_lib[gpu]" in text and "Qwen/Qwen2.5-3B-Instruct" in text and "6.2 GB" in text


def test_random_weights_have_the_shape_that_is_asked_for(tmp_path):
    from motif_lib.models import load_model
    from motif_lib.models.memory import Shape

    shape = gpu_parts.SMALL
    model, tokenizer = load_model(str(gpu_parts.random_model(shape, tmp_path / "random")))
    assert Shape.of(model.config) == shape and tokenizer.padding_side == "left"
    assert not table(tmp_path).rows
