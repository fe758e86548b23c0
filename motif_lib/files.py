"""Files that can be trusted: written whole or not at all, and sealed with checksums once they are complete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGE = Path(__file__).parent
LOCK = ".lock"
SEAL = "sha256.json"  # {file: SHA-256}, the last file written into a folder


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)  # half a file on a full disk is useless, but its space is not
        raise


@contextmanager
def locked(folder: str | Path, name: str = LOCK) -> Iterator[None]:
    """Keep a folder for this command alone; the system lets the lock go when the process ends, however it ends.

    The folder is made if need be, and removed again if nothing was put into it.

    Raises:
        RuntimeError: in one line, if another command holds the lock, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = FileLock(folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(f"another command is writing into {folder}: wait for it, or choose another --out") from None
    except OSError as error:
        raise RuntimeError(f"cannot write into {folder}: {error.strerror}; choose another --out") from None
    try:
        yield
    finally:
        if os.name == "nt":  # where a file that is open cannot be removed; elsewhere the next one could hold it by then
            lock.release()
        with suppress(OSError):
            (folder / name).unlink()
        lock.release()
        with suppress(OSError):  # as soon as one of them is not empty
            for path in new:
                path.rmdir()


def first_line(error: BaseException) -> str:
    """The first non-empty line of an error's text, for one-line messages."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a folder, but for the seal and what other processes may still be writing."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != SEAL]
    files = [path for path in files if not path.name.startswith("rng_state_")]
    return {path.name: sha256(path) for path in files}


def sha256(path: Path) -> str:
    """Checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(folder: Path) -> None:
    """Write the checksums of a finished folder.

    `training_args.bin` is deleted first: nothing here reads it, it is a pickle, and a token given to the Trainer would
    stand in it.
    """
    (folder / "training_args.bin").unlink(missing_ok=True)
    write_text(folder / SEAL, json.dumps(_digests(folder), indent=2) + "\n")


def damage(folder: Path) -> str | None:
    """What is wrong with a sealed folder, or None; a folder without a seal has none to break."""
    if not (folder / SEAL).exists():
        return None
    try:
        expected = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        found = _digests(folder)
        changed = [name for name in expected if found.get(name) != expected[name]]
    except (OSError, ValueError, TypeError) as error:
        return f"{SEAL} cannot be read ({error})"
    return f"{changed[0]} is missing or was changed" if changed else None
