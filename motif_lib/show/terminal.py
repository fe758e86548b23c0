"""Text of a model or a data set on its way to a terminal."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def printable(text: str) -> str:
    """Escape codes, direction marks and other control characters made visible; lines and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def write_anything() -> None:
    """Let stdout and stderr escape what their encoding lacks, such as a Windows code page, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
