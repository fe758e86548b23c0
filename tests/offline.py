"""Closes the network for the process that imports this: loopback stays, everything else is refused and remembered."""

from __future__ import annotations

import atexit
import os
import socket
import sys

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", "/", socket.gethostname())
attempts: list[str] = []


def _refuse(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "/"  # a path is a Unix socket
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0] or "localhost"
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if not host.startswith(LOOPBACK):
        attempts.append(f"{event} {host}")
        raise ConnectionRefusedError(f"the network is closed in tests: {host}")


sys.addaudithook(_refuse)
if report := os.environ.get("MOTIF_TEST_ATTEMPTS"):
    atexit.register(lambda: open(report, "a").write("".join(line + "\n" for line in attempts)))
