"""What the documents tell people to type exists: commands of `motif`, targets of the Makefile, files, sections."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
import typer

from motif_lib.classroom.grade import Grade
from motif_lib.cli import app, main
from motif_lib.machine.doctor import Diagnosis
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.training.recipe import FOLDER

UsageError = typer.BadParameter.__base__  # of click, or of the copy of it inside newer typers
ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LESSONS = sorted((ROOT / "teaching").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES, *LESSONS]
TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def commands(text: str, program: str) -> list[str]:
    """What a document's code types after the name of a program."""
    lines = [line for block, span in CODE.findall(text) for line in (block or span).splitlines()]
    parts = [part.partition(" # ")[0].strip().removeprefix(".venv/bin/") for line in lines for part in line.split("&&")]
    return [part[len(program) + 1 :].strip() for part in parts if re.match(rf"{program}( |$)", part)]


def parse(line: str) -> None:
    """Parse a command line without running it; a command that is only named needs no arguments.

    Raises:
        UsageError: if there is no such command or option.
    """
    command = typer.main.get_command(app)
    words = shlex.split(line)
    if words and words[0].startswith("--"):  # eager options act while they are parsed
        if words[0] not in ["--help", *(name for option in command.params for name in option.opts)]:
            raise UsageError(f"no option {words[0]}")
        return
    while hasattr(command, "commands") and words:
        context = typer.Context(command)
        _, command, words = command.resolve_command(context, words)
    if words and words != ["--help"]:
        command.make_context("motif", words)


def examples(command: Any) -> list[str]:
    if hasattr(command, "commands"):
        return [line for sub in command.commands.values() for line in examples(sub)]
    lines = re.findall(r"Example: (.*)", command.help or "")
    assert lines, f"{command.name} has no example"
    return [part.strip().removeprefix("motif ") for line in lines for part in line.split("&&")]


def test_there_is_something_to_check():
    assert all(path.exists() for path in DOCUMENTS) and len(DOCUMENTS) >= 5
    assert len([line for path in DOCUMENTS for line in commands(path.read_text(), "motif")]) >= 10


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_motif_command_parses(path):
    for line in commands(path.read_text(), "motif"):
        parse(line)


@pytest.mark.parametrize("line", ["dance", "demo --fast", "eval ledger --size many", "tiny bake", "--instal"])
def test_a_command_that_does_not_exist_is_found(line):
    with pytest.raises(UsageError):
        parse(line)


def test_every_example_of_a_help_text_parses():
    for line in examples(typer.main.get_command(app)):
        parse(line)


TRAJECTORY = Trajectory(Question("How many?", "17"), (Reply(1, [], "17", "", True),))
# What a command calls, and what that gives back; each is replaced by a double that takes the same arguments only.
CALLED = {
    "demo": {"studies.demo.run_demo": None},
    "warm": {"training.warm.warm_run": True},
    "train": {"training.runs.train_run": True},
    "signal": {
        "training.preflight.sample_questions": [],
        "samplers.open.load_sampler": None,
        "training.preflight.preflight": "the table",
    },
    "experiment": {"studies.seeds.run_experiment": None},
    "ablate": {"studies.ablate.run_ablation": None},
    "eval": {"tasks.load_task": [], "samplers.open.load_sampler": None, "evaluate.evaluate": "the report"},
    "think": {"samplers.open.load_sampler": Mock(), "rounds.think": [TRAJECTORY]},
    "gpu-day": {"machine.gpu_day.run_gpu_day": "the table"},
    "export": {"models.export.merge": None},
    "bench": {"machine.bench.run_bench": Mock(tables=lambda: ["the table"])},
    "doctor": {"machine.doctor.examine": Diagnosis((), ())},
    "grade": {"classroom.grade.grade": [Grade("a.ipynb", "room", "ok", "", "ran")]},
    "pack": {"classroom.pack.pack": Path("folder")},
    "tiny": {"tiny.card.make": None},
}


def documented() -> list[str]:
    """Every command line with arguments, or that can do without, in a document or in a help text."""
    written = [line for path in DOCUMENTS for line in commands(path.read_text(), "motif")]
    lines = dict.fromkeys(
        [*written, *examples(typer.main.get_command(app)), "eval gsm8k --model org/model --revision v1 --adapter a"]
    )
    bare = ("think", "grade", "export", "warm", "train", "signal", "tiny")  # these need an argument
    return [line for line in lines if line and not line.startswith("--") and "--help" not in line and line not in bare]


@pytest.mark.parametrize("line", documented())
def test_every_documented_command_runs_to_what_it_calls(line, monkeypatch, tmp_path):
    """The work is replaced, the command is not: what it imports is there, and takes what the command gives it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLDER / "cpu.yaml", "mine.yaml")  # the recipe of one's own that the documents speak of
    doubles = {}
    for name, value in CALLED[line.split()[0]].items():
        module, _, function = name.rpartition(".")
        real = getattr(importlib.import_module(f"motif_lib.{module}"), function)
        doubles[name] = create_autospec(real, return_value=value)
        monkeypatch.setattr(f"motif_lib.{name}", doubles[name])
    monkeypatch.setattr("sys.argv", ["motif", *shlex.split(line)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    asked_server = {"samplers.open.load_sampler"} if "--server" in line else set()
    assert {name for name, double in doubles.items() if not double.called} == asked_server


def test_every_command_is_documented():
    assert {line.split()[0] for line in documented()} == set(typer.main.get_command(app).commands) == set(CALLED)


def test_every_make_target_can_be_followed_to_its_end(tmp_path):
    """A dry run, in a folder that has nothing yet."""
    (tmp_path / "tests" / "unsloth_cpu").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tests/unsloth_cpu/requirements.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(["make", "-n", *TARGETS], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr


def anchors(path: Path) -> set[str]:
    """What a link to a heading of this file may name."""
    headings = re.findall(r"^#+ (.*)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_and_linked_heading_exists(path):
    text = path.read_text()
    assert {line.split()[0] for line in commands(text, "make") if line} <= set(TARGETS)
    links = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"^\[\w+\]: (\S+)", text, re.MULTILINE)
    for link in links:
        name, _, heading = link.partition("#")
        if "://" not in link:
            assert (path.parent / name).exists(), link
            assert not heading or heading in anchors(path.parent / name), link


@pytest.mark.parametrize("path", [*LESSONS, ROOT / "docs" / "symptoms.md"], ids=lambda path: path.name)
def test_the_sections_that_a_page_names_exist(path):
    """`01, sections 2 and 3`, its words in quotes, or a heading `## 01 ...` with `(section 2)` under it."""
    named, notebook = set(), ""
    notebooks = "\n".join(source.read_text() for source in (ROOT / "notebooks").glob("*.py"))
    for line in re.sub(r"\[(0\d)\]", r"\1", path.read_text()).splitlines():
        if line.startswith("**See it.**"):
            assert [words for words in re.findall(r'\("([^"]+)"\)', line) if words not in notebooks] == []
        notebook = (re.match(r"## (0\d) ", line) or re.match(r"()## ", line) or [None, notebook])[1]
        here = re.findall(r"\b(0\d), (?:end of )?sections? (\d)(?: (?:and|to) (\d))?", line)
        named |= {(book, number) for book, *numbers in here for number in numbers if number}
        named |= {(notebook, number) for number in re.findall(r"\(section (\d)\)", line) if notebook}
    for book, number in sorted(named):
        (source,) = (ROOT / "notebooks").glob(f"{book}_*.py")
        assert re.search(rf"^# ## {number}\. ", source.read_text(), re.MULTILINE), (path.name, book, number)
    assert named or path.name == "README.md"


def test_the_readme_shows_the_tree_as_it_is():
    """Every module and folder of the package has its place in the layout, and nothing else has."""
    section = (ROOT / "README.md").read_text().partition("## How the code is laid out")[2].partition("```")[2]
    lines = section.partition("```")[0].partition("motif_lib/")[2].strip("\n").splitlines()
    named = [name.strip().rstrip("/") for line in lines for name in line[2:].partition("   ")[0].split(",")]
    package = ROOT / "motif_lib"
    there = [path.name for path in package.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name[0] != "_")]
    assert sorted(filter(None, named)) == sorted(name for name in there if name != "__init__.py")
