"""The command line as a user runs it: in a process of its own."""

import subprocess
import sys

import pytest

from motif_lib.cli import printable


def motif(*args, cwd=None, check=True):
    result = subprocess.run(
        [sys.executable, "-m", "motif_lib.cli", *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=500
    )
    assert not check or result.returncode == 0, result.stderr
    return result


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "train", "eval", "think", "experiment", "ablate", "tiny make", "bench", "export"),
        *("doctor", "grade", "pack"),
    ],
)
def test_every_command_has_help_with_an_example(command):
    text = motif(*command.split(), "--help").stdout
    assert "Example: motif" in text.replace("\n", " ")


def test_think_prints_every_round():
    text = motif(
        "think", "Ann has 12 apples, on day one buys 5. How many apples does Ann have now?", "--temperature", 0
    ).stdout
    assert [f"--- round {r}:" in text for r in (1, 2, 3)] == [True] * 3 and "\\boxed{17}" in text


@pytest.mark.slow
def test_the_demo_runs_resumes_and_repeats(tmp_path):
    """Two steps a method; a second call trains nothing and prints the same table; another folder gives the same too."""
    motif("demo", "--quick", "--out", tmp_path / "a")
    table = (tmp_path / "a" / "table.txt").read_text()
    assert "MOTIF any round" in table and "12 steps" in table
    for name in ("accuracy_by_length.png", "learning_curves.png", "curves.json", "settings.json",
                 "motif-round-1/adapter/adapter_model.safetensors", "motif-any-round/traces.jsonl",
                 "grpo/metrics.jsonl", "base/items.jsonl"):  # fmt: skip
        assert (tmp_path / "a" / name).exists(), name
    again = motif("demo", "--quick", "--out", tmp_path / "a")
    assert "Accuracy on held-out problems" in again.stdout and "step/s" not in again.stderr
    assert (tmp_path / "a" / "table.txt").read_text() == table
    motif("demo", "--quick", "--out", tmp_path / "b")
    assert (tmp_path / "b" / "table.txt").read_text() == table


@pytest.mark.parametrize(
    "args, message",
    [
        (["train", "nothing"], "no recipe 'nothing'"),
        (["ablate", "nothing"], "no grid"),
        (["think", "  "], "the question is empty"),
        (["think", "How many?", "--rounds", 0], "at least one round"),
        (["think", "Ann buys 5, " * 60], "do not fit the window"),
        (["think", "How many?", "--model", "/nowhere"], "cannot load /nowhere"),
        (["eval", "nothing"], "unknown task 'nothing'"),
        (
            ["think", "How many?", "--server", "http://x/v1", "--adapter", "a"],
            "name the adapter as the server knows it",
        ),
    ],
)
def test_errors_are_one_line_and_exit_status_one_or_two(args, message):
    result = motif(*args, check=False)
    assert result.returncode in (1, 2) and message in result.stderr and "Traceback" not in result.stderr


def test_terminal_escape_codes_of_a_model_are_shown_not_sent():
    assert printable("a\x1b[31mred\nb") == "a\\x1b[31mred\nb"
