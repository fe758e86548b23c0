"""The command line: help, errors, and what the commands print; the demo in a process of its own, as a user runs it."""

import subprocess
import sys

import pytest

from motif_lib.cli import main, printable


@pytest.fixture
def motif(monkeypatch, capsys):
    """Run a command: exit status (an error's line counts as its own status), stdout, stderr."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["motif", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def process(*args, check=True):
    command = [sys.executable, "-m", "motif_lib.cli", *map(str, args)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert not check or result.returncode == 0, result.stderr
    return result


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "train", "eval", "think", "experiment", "ablate", "tiny make", "bench", "export"),
        *("doctor", "grade", "pack"),
    ],
)
def test_every_command_has_help_with_an_example(motif, command):
    status, text, _ = motif(*command.split(), "--help")
    assert status == 0 and "Example: motif" in text.replace("\n", " ")


def test_think_prints_every_round(motif):
    question = "Ann has 12 apples, on day one buys 5. How many apples does Ann have now?"
    _, text, _ = motif("think", question, "--temperature", 0)
    assert [f"--- round {r}:" in text for r in (1, 2, 3)] == [True] * 3 and "\\boxed{17}" in text


@pytest.mark.slow
def test_the_demo_runs_resumes_and_repeats(tmp_path):
    """Two steps a method; a second call trains nothing and prints the same table; another folder gives the same too."""
    process("demo", "--quick", "--out", tmp_path / "a")
    table = (tmp_path / "a" / "table.txt").read_text()
    assert "MOTIF any round" in table and "12 steps" in table
    for name in ("accuracy_by_length.png", "learning_curves.png", "curves.json", "settings.json",
                 "motif-round-1/adapter/adapter_model.safetensors", "motif-any-round/traces.jsonl",
                 "grpo/metrics.jsonl", "base/test/items.jsonl"):  # fmt: skip
        assert (tmp_path / "a" / name).exists(), name
    again = process("demo", "--quick", "--out", tmp_path / "a")
    assert "Accuracy on held-out problems" in again.stdout and "step/s" not in again.stderr
    assert (tmp_path / "a" / "table.txt").read_text() == table
    process("demo", "--quick", "--out", tmp_path / "b")
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
def test_an_error_is_one_line(motif, args, message):
    status, _, err = motif(*args)
    line = status if isinstance(status, str) else err
    assert message in line and status not in (0, None) and "Traceback" not in line


def test_an_error_ends_the_process_with_status_one_and_no_traceback():
    result = process("train", "nothing", check=False)
    assert result.returncode == 1 and "no recipe 'nothing'" in result.stderr and "Traceback" not in result.stderr


def test_terminal_escape_codes_of_a_model_are_shown_not_sent():
    assert printable("a\x1b[31mred\nb") == "a\\x1b[31mred\nb"
