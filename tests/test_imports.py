"""Importing the package is light; what the design calls light stays free of torch."""

import subprocess
import sys

import pytest

import motif_lib

LIGHT = ["motif_lib", "motif_lib.rounds", "motif_lib.samplers.base", "motif_lib.tasks", "motif_lib.verify",
         "motif_lib.evaluate", "motif_lib.rewards.future", "motif_lib.training.recipe", "motif_lib.show.plots",
         "motif_lib.cli", "motif_lib.machine.doctor"]  # fmt: skip


def test_no_torch_is_imported():
    """By any of them, one after the other in a fresh process; the first module that loads it is named."""
    code = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module(module)
    print(module, [name for name in ("torch", "transformers", "trl", "unsloth") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [f"{module} []" for module in LIGHT]


def test_every_public_name_resolves():
    for name in motif_lib.__all__:
        assert getattr(motif_lib, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        motif_lib.nothing  # noqa: B018
