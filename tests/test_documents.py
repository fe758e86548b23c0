"""What the documents tell people to type exists: commands of `motif`, targets of the Makefile, files, sections."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from motif_lib.cli import app

UsageError = typer.BadParameter.__base__  # of click, or of the copy of it inside newer typers
ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "teaching").glob("*.md"))]
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
    group = typer.main.get_command(app)
    found = [line for name in group.commands for line in examples(group.commands[name])]
    assert len(found) >= len(group.commands)
    for line in found:
        parse(line)


def examples(command: Any) -> list[str]:
    if hasattr(command, "commands"):
        return [line for sub in command.commands.values() for line in examples(sub)]
    lines = re.findall(r"Example: (.*)", command.help or "")
    assert lines, f"{command.name} has no example"
    return [part.strip().removeprefix("motif ") for line in lines for part in line.split("&&")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_and_linked_file_exists(path):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.split()[0] for line in commands(path.read_text(), "make") if line} <= targets
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text())
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing, missing


@pytest.mark.parametrize("path", sorted((ROOT / "teaching").glob("*.md")), ids=lambda path: path.name)
def test_the_sections_that_a_lesson_names_exist(path):
    """`01, sections 2 and 3` or a heading `## 01 ...` with `(section 2)` under it."""
    named, notebook = set(), ""
    for line in path.read_text().splitlines():
        notebook = (re.match(r"## (0\d) ", line) or re.match(r"()## ", line) or [None, notebook])[1]
        here = re.findall(r"\b(0\d), (?:end of )?sections? (\d)(?: (?:and|to) (\d))?", line)
        named |= {(book, number) for book, *numbers in here for number in numbers if number}
        named |= {(notebook, number) for number in re.findall(r"\(section (\d)\)", line) if notebook}
    for book, number in sorted(named):
        (source,) = (ROOT / "notebooks").glob(f"{book}_*.py")
        assert re.search(rf"^# ## {number}\. ", source.read_text(), re.MULTILINE), (path.name, book, number)
    assert named or path.name == "README.md"


def test_the_api_pages_hold_every_module():
    package = ROOT / "motif_lib"
    modules = [path.relative_to(ROOT).with_suffix("") for path in package.rglob("*.py") if path.stem != "__init__"]
    listed = re.findall(r"automodule:: (\S+)", (ROOT / "docs" / "api.md").read_text())
    assert sorted(listed) == sorted(".".join(path.parts) for path in modules)


def test_the_readme_shows_the_tree_as_it_is():
    """Every module and folder of the package has its place in the layout, and nothing else has."""
    section = (ROOT / "README.md").read_text().partition("## How the code is laid out")[2].partition("```")[2]
    lines = section.partition("```")[0].partition("motif_lib/")[2].strip("\n").splitlines()
    named = [name.strip().rstrip("/") for line in lines for name in line[2:].partition("   ")[0].split(",")]
    package = ROOT / "motif_lib"
    there = [path.name for path in package.iterdir() if path.suffix == ".py" or (path.is_dir() and path.name[0] != "_")]
    assert sorted(filter(None, named)) == sorted(name for name in there if name != "__init__.py")


def test_hooks_run_what_is_here_and_download_nothing():
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/python -m ")


def test_completion_is_printed():
    """The script of the shell, without a change to any file of the user."""
    code = "import sys; sys.argv = ['motif', '--show-completion', 'bash']; from motif_lib.cli import main; main()"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(ROOT),
                   "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "_MOTIF_COMPLETE" in done.stdout, done.stderr
