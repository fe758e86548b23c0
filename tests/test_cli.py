"""The command line: help, errors, and what the commands print; the demo in a process of its own, as a user runs it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import yaml

from motif_lib.cli import main, printable
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.training.recipe import FOLDER


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
        *("demo", "signal", "warm", "train", "eval", "think", "experiment", "ablate", "tiny make", "bench", "export"),
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


def test_doctor_tells_what_runs_and_its_status_says_whether_all_is_well(motif):
    status, text, _ = motif("doctor")
    assert "This machine" in text and "What runs here" in text and status == int(" problem " in text)


@pytest.mark.slow
def test_what_is_trained_is_evaluated_asked_measured_and_exported(motif, tmp_path):
    """The commands one after the other, each on what the one before it left, in a folder whose name has spaces."""
    here, settings = tmp_path / "my runs", {"max_steps": 1, "per_device_train_batch_size": 8, "num_trajectories": 1}
    here.mkdir()
    recipe = yaml.safe_load((FOLDER / "cpu.yaml").read_text())
    (here / "small.yaml").write_text(yaml.safe_dump({**recipe, "train": {**recipe["train"], **settings}}))
    status, text, _ = motif("train", here / "small.yaml", "--out", here / "run")
    assert status == 0 and f"adapter: {here / 'run' / 'adapter'}" in text
    adapted = ["--adapter", here / "run" / "adapter", "--temperature", 0]
    status, text, _ = motif("eval", "ledger", "--size", 2, "--early-stop", "--out", here / "items", *adapted)
    assert status == 0 and "accuracy" in text and len((here / "items" / "items.jsonl").read_text().splitlines()) == 2
    assert "--- round 3" in motif("think", "Ann has 12 apples, on day one buys 5. How many?", *adapted)[1]
    assert motif("export", here / "run" / "adapter", "--out", here / "merged")[0] == 0
    assert "--- round 3" in motif("think", "Ann has 12 apples. How many?", "--model", here / "merged")[1]


def test_an_interrupted_training_is_no_success(motif, tmp_path, monkeypatch):
    monkeypatch.setattr("motif_lib.training.runs.train_run", lambda *args, **kwargs: False)
    status, text, _ = motif("train", "cpu", "--out", tmp_path)
    assert status == 130 and "adapter" not in text


@pytest.mark.nightly
@pytest.mark.slow
def test_the_demo_runs_resumes_and_repeats(tmp_path):
    """Two steps a method. A second call, in a copy that has lost one method, trains only that, to the same table."""
    process("demo", "--quick", "--out", tmp_path / "a")
    table = (tmp_path / "a" / "table.txt").read_text()
    assert "MOTIF all rounds" in table and "to 8 steps" in table
    for name in ("accuracy_by_length.png", "learning_curves.png", "curves.json", "settings.json",
                 "motif-round-1/adapter/adapter_model.safetensors", "motif-all-rounds/traces.jsonl",
                 "grpo/metrics.jsonl", "base-one-round/test/items.jsonl"):  # fmt: skip
        assert (tmp_path / "a" / name).exists(), name
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "motif-all-rounds")
    again = process("demo", "--quick", "--out", tmp_path / "b")
    assert re.findall(r"^(.+): \d+ questions a step", again.stdout, re.MULTILINE) == ["MOTIF all rounds"]
    assert "Accuracy on held-out problems" in again.stdout
    for name in ("table.txt", "motif-all-rounds/test/items.jsonl", "motif-all-rounds/traces.jsonl"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes(), name


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
            "name what it serves with --model",
        ),
        (["eval", "--size", 1, "--revision", "nonsense"], "motif-tiny is a folder and has no revision 'nonsense'"),
        (["think", "How many?", "--revision", "nonsense"], "has no revision 'nonsense'"),
        (["eval", "--size", 1, "--server", "http://x/v1", "--revision", "v1"], "name what it serves with --model"),
        (["think", "How many?", "--budget", 0], "Invalid value for '--budget'"),
        (["experiment", "--seeds", 0], "Invalid value for '--seeds'"),
    ],
)
def test_an_error_is_one_line(motif, args, message):
    status, _, err = motif(*args)
    line = status if isinstance(status, str) else " ".join(re.sub(r"\x1b\[[0-9;]*m|[╭╮╰╯─│]", " ", err).split())
    assert message in line and status not in (0, None) and "Traceback" not in line


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_text_that_the_terminal_cannot_encode_is_escaped(encoding):
    code = "import sys; sys.argv = ['motif', 'train', '\u2211 \u00e9']; from motif_lib.cli import main; main()"
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert done.returncode == 1 and b"no recipe" in done.stderr and b"\\u2211" in done.stderr


def test_an_evaluation_is_known_by_its_model_adapter_and_revision(motif, tmp_path, monkeypatch):
    """The folder of one adapter is refused to another, and to the model without one; a pin reaches `load_model`."""
    asked = []

    def load_sampler(model, adapter, budget, temperature, chat_template_kwargs, revision):
        asked.append(revision)
        return ScriptedSampler(lambda chat: "<answer>\\boxed{1}</answer>")

    monkeypatch.setattr("motif_lib.samplers.open.load_sampler", load_sampler)
    command = ["eval", "ledger", "--size", 2, "--out", tmp_path / "a folder"]
    assert motif(*command, "--adapter", "one")[0] == 0
    again = motif(*command, "--adapter", "one")
    assert again[0] == 0 and "motif-tiny with one" in again[1]
    for other in ([], ["--adapter", "two"], ["--model", "org/m", "--adapter", "one", "--revision", "v2"]):
        assert "holds another evaluation (name was" in motif(*command, *other)[0]
    drawn = motif(*command, "--adapter", "one", "--seed", 1)[0]
    assert "seed was 0, is 1" in drawn and "questions_sha256 was" in drawn  # other questions too
    assert asked == [None] * 4 + ["v2", None]


@pytest.mark.parametrize("command", ["eval ledger --size 1", "think why?", "signal motif-tiny ledger --size 1"])
def test_a_thinking_mode_is_switched_off(motif, monkeypatch, command):
    """What Qwen3's chat template is told."""
    told = []

    def load_sampler(model, adapter, budget, temperature, chat_template_kwargs, revision):
        told.append(chat_template_kwargs)
        raise RuntimeError("seen")

    monkeypatch.setattr("motif_lib.samplers.open.load_sampler", load_sampler)
    for options in ([], ["--no-thinking"]):
        assert "seen" in motif(*command.split(), *options)[0]
    assert told == [None, {"enable_thinking": False}]


def test_without_the_notebook_extra_grade_says_who_knows_what_to_install(motif, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbformat", None)  # its import fails
    status, _, _ = motif("grade", tmp_path / "a.ipynb", "--out", tmp_path / "grades.csv")
    assert "nbformat" in status and "`motif doctor` says what to install" in status


def test_an_error_ends_the_process_with_status_one_and_no_traceback():
    result = process("train", "nothing", check=False)
    assert result.returncode == 1 and "no recipe 'nothing'" in result.stderr and "Traceback" not in result.stderr


def test_terminal_escape_codes_of_a_model_are_shown_not_sent():
    assert printable("a\x1b[31mred\nb") == "a\\x1b[31mred\nb"


LONG = {  # the function that is interrupted, and what is said
    "demo --quick --out {}": ("studies.demo.run_demo", "goes on from there: motif demo --quick --out"),
    "warm cpu --out {}": ("training.warm.warm_run", "goes on from there: motif warm cpu --out"),
    "train cpu --out {}": ("training.runs.train_run", "goes on from there: motif train cpu --out"),
    "signal motif-tiny ledger": ("training.preflight.preflight", "To begin again: motif signal motif-tiny ledger"),
    "experiment --out {} --seeds 2": ("studies.seeds.run_experiment", "goes on from there: motif experiment --out"),
    "ablate --out {}": ("studies.ablate.run_ablation", "goes on from there: motif ablate --out"),
    "gpu-day --out {}": ("machine.gpu_day.run_gpu_day", "goes on from there: motif gpu-day --out"),
    "eval --out {}": ("evaluate.evaluate", "goes on from there: motif eval --out"),
    "eval --size 3": ("evaluate.evaluate", "nothing is kept. To begin again: motif eval --size 3"),
    "bench cpu --out {}": ("machine.bench.run_bench", "nothing is kept. To begin again: motif bench cpu --out"),
    "pack --out {}": ("classroom.pack.pack", "nothing is kept. To begin again: motif pack --out"),
    "export adapter --out {}": ("models.export.merge", "nothing is kept. To begin again: motif export adapter"),
    "tiny make --out {}": ("tiny.card.make", "nothing is kept. To begin again: motif tiny make --out"),
}


@pytest.mark.parametrize("command", LONG)
def test_ctrl_c_says_what_is_kept_and_the_right_command(motif, monkeypatch, tmp_path, command):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    where, says = LONG[command]
    monkeypatch.setattr(f"motif_lib.{where}", interrupted)
    status, _, err = motif(*(word.format(tmp_path / "my run") for word in command.split()))
    assert status == 130 and says in err and "Traceback" not in err
    assert "{}" not in command or f"'{tmp_path / 'my run'}'" in err
    assert not list(tmp_path.rglob("*")), "nothing is left where nothing was done"


@pytest.mark.parametrize("command", ["demo --quick", "experiment", "ablate"])
def test_a_study_that_was_stopped_in_a_training_says_the_same(motif, in_turn, monkeypatch, tmp_path, command):
    """`train_run` hears Ctrl-C, saves and returns: what goes on after it, a script too, must know."""
    study = {"demo": "demo", "experiment": "seeds", "ablate": "ablate"}[command.split()[0]]
    report = SimpleNamespace(items=[], tokens_per_question=0)
    monkeypatch.setattr(f"motif_lib.studies.{study}.train_run", lambda *args, **kwargs: False)
    monkeypatch.setattr(f"motif_lib.studies.{study}.evaluate_run", lambda *args, **kwargs: report)
    status, _, err = motif(*command.split(), "--out", tmp_path / "my run")
    assert status == 130 and f"goes on from there: motif {command} --out '{tmp_path / 'my run'}'" in err


def test_a_place_that_cannot_be_written_is_said_before_the_work_begins(motif, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "out"
    for where in ("machine.bench._measure", "classroom.grade.grade", "classroom.pack.pack", "models.export.merge",
                  "tiny.card.make", "studies.seeds.run_experiment", "studies.demo._run_methods"):  # fmt: skip
        monkeypatch.setattr(f"motif_lib.{where}", lambda *args, **kwargs: pytest.fail("worked"))
    for command in ("bench cpu", "grade a.ipynb", "pack", "export adapter", "tiny make", "experiment", "demo"):
        status, _, _ = motif(*command.split(), "--out", inside)
        assert "cannot write into" in str(status) and "choose another --out" in status, (command, status)


SLOW = "import time\ntime.sleep(60)"


@pytest.mark.slow
def test_an_interrupted_grading_ends_soon_and_keeps_what_it_has(tmp_path):
    """One notebook is done, one sleeps for a minute: the first is in the CSV, and the command for the rest is said."""
    import nbformat

    names = {"done": "", "sleeps": SLOW}
    for name, code in names.items():
        cells = ["from motif_lib.checks import context as checks", code]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    out, command = tmp_path / "grades.csv", [sys.executable, "-m", "motif_lib.cli", "grade"]
    command += [str(tmp_path / f"{name}.ipynb") for name in names]
    running = subprocess.Popen(
        [*command, "--out", str(out), "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job begins with it ignored
    )
    end = time.monotonic() + 120
    while not (out.exists() and "done.ipynb" in out.read_text()) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2)
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert time.monotonic() - started < 5 and running.returncode == 130, said
    assert "Stopped: 1 of 2 notebooks are graded" in said and "Traceback" not in said
    assert f"motif grade {tmp_path / 'sleeps.ipynb'} --out {tmp_path / 'grades-rest.csv'}" in said
    assert "done.ipynb" in out.read_text() and "sleeps.ipynb" not in out.read_text()
