"""Importing the package is light; what the design calls light stays free of torch."""

import subprocess
import sys
import time

import pytest

LIGHT = ["motif_lib", "motif_lib.rounds", "motif_lib.samplers.base", "motif_lib.tasks", "motif_lib.verify",
         "motif_lib.evaluate", "motif_lib.rewards.future", "motif_lib.training.recipe", "motif_lib.show.plots",
         "motif_lib.cli", "motif_lib.machine.doctor"]  # fmt: skip


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", LIGHT)
def test_no_torch_is_imported(module):
    heavy = f"import sys, {module}; print([m for m in ('torch', 'transformers', 'trl', 'unsloth') if m in sys.modules])"
    assert run(heavy).strip() == "[]"


def test_import_takes_under_a_third_of_a_second():
    """Best of five, so that a busy machine does not fail it; the import itself takes a few milliseconds."""
    code = "import time; t = time.perf_counter(); import motif_lib; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(5)) < 0.3


def test_every_public_name_resolves():
    import motif_lib

    started = time.perf_counter()
    for name in motif_lib.__all__:
        assert getattr(motif_lib, name) is not None
    assert time.perf_counter() - started < 60
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        motif_lib.nothing  # noqa: B018
