"""What runs side by side (`pytest -n 2`), tests or notebooks: one core for each, and nothing shared that is written."""

import atexit
import os
import shutil
import tempfile

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch, here and in whatever a test starts
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="ipython-")  # a kernel writes its history there
    atexit.register(shutil.rmtree, os.environ["IPYTHONDIR"], ignore_errors=True)


def pytest_configure(config):
    """With --nbval, notebooks run as they were built, but on one thread, which gives the same outputs as two."""
    if config.getoption("nbval", False):
        from motif_lib.classroom.build_notebooks import ENVIRONMENT

        os.environ |= ENVIRONMENT | {"OMP_NUM_THREADS": "1"}
