"""Load: 100,000 traced replies and 10,000 evaluated items within stated time and memory; kernels share the assets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from motif_lib.models.load import TINY_FOLDER

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize(
    "work, count, expected, megabytes",
    [
        ("traces", 100_000, {"replies": 99_996}, 600),
        ("evaluation", 10_000, {"items": 10_000, "same": True}, 350),
    ],
)
def test_load_stays_within_time_and_memory(tmp_path, work, count, expected, megabytes):
    """The bounds are about twice what was measured on two cores: 309 MiB and 5 s, 164 MiB and 3 s."""
    command = [sys.executable, str(HERE / "fault_load.py"), work, str(count), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    found = json.loads(done.stdout)
    print(found)
    assert expected.items() <= found.items()
    assert found["MB peak"] < megabytes and found["seconds"] < 120


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads shared memory from /proc")
def test_notebook_kernels_share_what_they_only_read(tmp_path):
    """Three kernels with the model take less together than three times what each maps: libraries count once."""
    command = [sys.executable, str(HERE / "fault_load.py"), "kernels", "3", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    found = json.loads(done.stdout)
    print(found)
    assert found["MB together"] < 0.9 * found["MB if nothing were shared"] < 0.9 * 3 * 800


def test_using_the_embedded_model_writes_nothing_beside_it():
    """So that any number of kernels can share one installed package, read-only."""

    def contents() -> dict[str, str]:
        files = [path for path in TINY_FOLDER.rglob("*") if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = contents()
    code = "from motif_lib.cli import app; app(['think', 'Ann has 3 eggs, on day one buys 2. How many?'])"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
    assert contents() == before
