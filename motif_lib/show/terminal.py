"""Text of a model or a data set on its way to a terminal."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def printable(text: str) -> str:
    """Escape codes, direction marks and other control characters made visible; lines and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def write_anything() -> None:
    """Let stdout and stderr write as an escape what their encoding lacks, as a code page of Windows does, not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
