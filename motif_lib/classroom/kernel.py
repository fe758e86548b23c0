"""A fresh Jupyter kernel that runs cells one at a time, each within a limit of seconds."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

STARTUP = 120.0  # seconds for a kernel to answer
MAX_OUTPUT = 100_000  # characters kept of what a cell prints


class KernelDied(RuntimeError):
    """The kernel ended while a cell ran."""


class Kernel:
    """A running kernel and the client that talks to it; `timeouts` counts the cells that ran into their limit."""

    def __init__(self, manager: Any, client: Any, stop: Event):
        self.manager, self.client, self.stop, self.timeouts = manager, client, stop, 0

    def execute(self, source: str, limit: float) -> tuple[str, str]:
        """Run one cell: what it printed, and its error in one line or an empty text.

        Raises:
            TimeoutError: after `limit` seconds; the cell has been interrupted.
            KernelDied: if the kernel ends, or `stop` is set.
        """
        request, printed, error = self.client.execute(source, allow_stdin=False, stop_on_error=False), "", ""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if self.stop.is_set():
                raise KernelDied("stopped")
            try:
                message = self.client.get_iopub_msg(timeout=min(0.5, limit))
            except queue.Empty:
                if not self.manager.is_alive():
                    raise KernelDied("the kernel died") from None
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                printed = (printed + content["text"])[-MAX_OUTPUT:]
            elif kind == "error":
                error = f"{content['ename']}: {content['evalue']}"[:200]
            elif kind == "status" and content["execution_state"] == "idle":
                return printed, error
        self.timeouts += 1
        self.manager.interrupt_kernel()
        raise TimeoutError


@contextmanager
def fresh_kernel(folder: Path, stop: Event | None = None) -> Iterator[Kernel]:
    """A fresh kernel of this Python in a folder; ended at once when done."""
    from jupyter_client.manager import KernelManager

    from motif_lib.classroom.build_notebooks import ENVIRONMENT

    manager = KernelManager(kernel_name="python3")
    places = {"IPYTHONDIR": str(folder / ".ipython"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment = os.environ | ENVIRONMENT | places | {"OMP_NUM_THREADS": "1"}
    manager.start_kernel(cwd=str(folder), env=environment, extra_arguments=["--log-level=50"])
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=STARTUP)
        yield Kernel(manager, client, stop or Event())
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
