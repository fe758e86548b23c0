"""What a stranger meets first says the same everywhere: versions, Python, workflows, ways to install, the picture."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from PIL import Image

import motif_lib
from motif_lib.moved import MOVED

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def test_one_version():
    """pip's own is read from `__init__`; the citation and the newest entry of the changelog agree with it."""
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    (newest, *_) = re.findall(r"^## (\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation["version"] == newest == motif_lib.__version__


def test_the_changelog_lists_every_path_that_moved():
    listed = re.findall(r"^\| `(\S+)` \| `(\S+)` \|$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert dict(listed) == MOVED and len(listed) == len(MOVED)


def test_the_workflows_try_every_python_that_the_package_names():
    pythons = WORKFLOWS["tests"]["jobs"]["fast"]["strategy"]["matrix"]["python"]
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert pythons == named and PROJECT["requires-python"] == f">={pythons[0]}"


def test_the_pins_install_on_the_oldest_python_that_is_named():
    """On 3.11.0 too: Debian 12 has 3.11.2, and what `pip freeze` writes on a newer one may want more."""
    oldest, refused = PROJECT["requires-python"].removeprefix(">=") + ".0", []
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for pin in (Requirement(line) for line in lines if line and not line.startswith("#")):
        if pin.marker is None or pin.marker.evaluate({"python_full_version": oldest}):
            with suppress(PackageNotFoundError):
                found = metadata(pin.name)
                wanted = SpecifierSet(found["Requires-Python"] or "")
                refused += [str(pin)] * (pin.specifier.contains(found["Version"]) and not wanted.contains(oldest))
    assert not refused


def test_the_workflows_call_targets_of_the_makefile():
    steps = [step for flow in WORKFLOWS.values() for job in flow["jobs"].values() for step in job["steps"]]
    called = {step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")}
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert called == {"lint", "test-fast", "test", "test-nightly", "site"} and called <= set(targets)


def test_the_readme_can_be_read_in_five_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


def drawn(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("draw")


def test_the_pictures_are_those_that_their_script_draws(monkeypatch):
    """The PNG of each names the SVG that it was made from: another machine's fonts would give other bytes."""
    draw = drawn(monkeypatch)
    assert {path.stem for path in draw.FOLDER.glob("*.svg")} == set(draw.PICTURES)
    for name, module in draw.PICTURES.items():
        svg = (draw.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert svg == module.draw(), f"{name}.svg is old: run python docs/draw.py"
        assert Image.open(draw.FOLDER / f"{name}.png").text[draw.SOURCE] == draw.digest(svg), f"{name}.png is old"


def test_a_picture_keeps_its_words_inside_and_says_what_it_shows(monkeypatch):
    """A letter is taken as 0.62 of its size, a bold one as 0.7: the widest of the fonts that a browser may take."""
    for module in drawn(monkeypatch).PICTURES.values():
        root = ElementTree.fromstring(module.draw())
        assert len(root.findtext("{*}desc")) > 100
        width, height = map(float, root.get("viewBox").split()[2:])
        for found in root.iter("{http://www.w3.org/2000/svg}text"):
            size, anchor = float(found.get("font-size")), found.get("text-anchor")
            long = len(found.text) * size * (0.7 if found.get("font-weight") == "bold" else 0.62)
            left = float(found.get("x")) - long * {"start": 0, "middle": 0.5, "end": 1}[anchor]
            assert left > 0 and left + long < width and size < float(found.get("y")) < height - size / 2, found.text
            assert size >= 14


@pytest.mark.slow
def test_the_conda_environment_resolves_within_the_constraints():
    """Its pip lines, against what is installed here; Python itself is conda's part."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, _, packages = environment["dependencies"]
    assert python.removeprefix("python=") in PROJECT["requires-python"]
    words = [word for line in packages["pip"] for word in line.split()]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--no-build-isolation", *words]
    done = subprocess.run(pip, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Would install motif_lib-{motif_lib.__version__}" in done.stdout
