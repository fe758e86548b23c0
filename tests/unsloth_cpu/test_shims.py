"""The stand-ins' names and version, and how `make` installs Unsloth: tests that need no Unsloth."""

import ast
import os
import shutil
import subprocess

import pytest
import shims
from suite import HERE


def taken(file):
    """Dotted names from Unsloth's modules that a file imports, or reads of what it imports."""
    tree, local, found = ast.parse(file.read_text()), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unsloth"):
            local |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        if isinstance(node, ast.Import):
            local |= {a.asname: a.name for a in node.names if a.asname and a.name.startswith("unsloth")}
    for node in ast.walk(tree):
        name, _, rest = ast.unparse(node).partition(".") if isinstance(node, ast.Attribute) else ("", "", "")
        if name in local and rest.isidentifier():
            found.add(f"{local[name]}.{rest}")
    modules = {name.rpartition(".")[0] for name in found}
    return found | (set(local.values()) - modules)


def test_the_names_that_the_suite_leans_on_are_listed():
    listed = {f"{module}.{name}" for module, names in shims.LEANED_ON.items() for name in names}
    used = set().union(*(taken(file) for file in HERE.glob("*.py")))
    assert used <= listed and listed - used == {"unsloth.models._utils.SUPPORTS_BFLOAT16"}  # looked up as text


def test_a_name_that_is_gone_is_missing(monkeypatch):
    monkeypatch.setattr(shims, "LEANED_ON", {"json": ["loads", "no_such"]})
    assert shims.missing_names() == ["json.no_such"]


def test_they_are_those_of_one_version():
    pins = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().split())
    assert pins["unsloth"] == pins["unsloth_zoo"] == shims.VERSION


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
def test_where_unsloth_does_not_install_make_says_so_in_one_line_and_goes_on(tmp_path):
    """But what fails later, such as a test, fails `make`."""
    shutil.copytree(HERE, tmp_path / "tests" / "unsloth_cpu")
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HERE.parents[1] / file, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho Looking for it\necho ERROR: there is none >&2\nexit 1\n")
    python.chmod(0o755)
    (tmp_path / ".venv" / "test.done").touch()
    alone = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}  # not part of another make
    done = subprocess.run(["make", "test-unsloth"], cwd=tmp_path, capture_output=True, text=True, env=alone)
    said, then, *_ = done.stdout.splitlines()
    assert said == "Unsloth does not install here, its tests will be skipped: there is none"
    assert "pytest" in then and done.returncode and not (tmp_path / ".venv" / "unsloth.done").exists()
