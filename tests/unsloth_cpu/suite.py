"""Runs the scripts of this folder, each in a process of its own: Unsloth changes Transformers, PEFT and TRL for good.

A script leaves its facts in a JSON file, and the tests read them.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import shims

HERE = Path(__file__).parent


def unusable() -> str:
    """Why Unsloth cannot be run here; empty if it can."""
    try:
        found = version("unsloth")
        version("unsloth_zoo"), version("bitsandbytes")
    except PackageNotFoundError as error:
        return f"{error.name} is not installed: make test-unsloth"
    return "" if found == shims.VERSION else f"the stand-ins are for unsloth {shims.VERSION}, this is {found}"


MARKS = [pytest.mark.slow, pytest.mark.unsloth, pytest.mark.skipif(bool(unusable()), reason=unusable())]


def script(name, out, *more):
    """Run a script in a working folder of its own: the facts it found, what it printed, what it left lying there."""
    work = out / f"work-{name}"
    work.mkdir(parents=True)
    env = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(out.parent / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(HERE / name), str(out), *map(str, more)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=work, env=os.environ | env, timeout=550)
    assert result.returncode == 0, result.stderr[-3000:]
    return Found(json.loads((out / "found.json").read_text()), result.stdout + result.stderr, list(work.iterdir()))


class Found:
    """Facts by step; a step that failed fails the test that asks for it."""

    def __init__(self, steps, printed, left):
        self.steps, self.printed, self.left = steps, printed, left

    def __getitem__(self, step):
        found = self.steps[step]
        assert not str(found).startswith("Traceback"), found
        return found
