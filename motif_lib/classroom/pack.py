"""Everything for a room without a network, in one folder to carry there: `motif pack --out FOLDER --wheels`.

READ-ME-FIRST.txt   what to type in the room
motif_lib/ ...      the package with its model, recipes and recorded runs, and the files to install it from
notebooks/ teaching/
data/               the JSONL files of the folder MOTIF_DATA, if it names one
wheels/             all packages, for this operating system and Python; only with --wheels
SHA256SUMS          `sha256sum -c SHA256SUMS` finds what a USB stick has spoilt
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from motif_lib.files import PACKAGE

CLONE = PACKAGE.resolve().parent
FILES = ("pyproject.toml", "constraints.txt", "LICENSE", "README.md")
FOLDERS = ("motif_lib", "notebooks", "teaching", "docs")
JUNK = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.pyc", "*.part")  # a .part may be this pack itself
README = """MOTIF workbook, packed on {system} with Python {python}

1. Install: nothing is downloaded. The wheels are for {system} and Python {python}.
   python -m venv .venv
   .venv/bin/pip install --no-index --find-links wheels -c constraints.txt "motif_lib[notebook]"
   (Windows: .venv\\Scripts\\pip)
{wheels}
2. Say that there is no network, and where the data sets are:
   export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 {data}

3. Look at what will run here:
   .venv/bin/motif doctor

4. Open the workbook:
   .venv/bin/jupyter lab notebooks

Was it copied well?   sha256sum -c SHA256SUMS
"""
NO_WHEELS = """
   There are no wheels in this folder yet. With a network, on the same kind of machine, type here:
   {command}
"""


def pack(out: str | Path, wheels: bool = False) -> Path:
    """Write the folder, whole or not at all.

    Args:
        out: a folder that does not exist yet.
        wheels: download all packages too; this asks the package index that `pip` is configured for.

    Raises:
        RuntimeError: if `out` exists, the package does not run from a clone, or pip fails.
    """
    out = Path(out)
    if out.exists():
        raise RuntimeError(f"{out} exists: choose another folder with --out, or delete it")
    missing = [name for name in (*FILES, *FOLDERS) if not (CLONE / name).exists()]
    if missing:
        raise RuntimeError(f"motif pack runs in a clone of the repository: {', '.join(missing)} not found in {CLONE}")
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    _copy(part)
    if wheels:
        _download(part)
    (part / "READ-ME-FIRST.txt").write_text(read_me(part), encoding="utf-8")
    (part / "SHA256SUMS").write_text(sums(part), encoding="utf-8", newline="\n")
    os.replace(part, out)
    return out


def _copy(part: Path) -> None:
    """The clone's files, and the data sets."""
    part.mkdir(parents=True)
    for name in FILES:
        shutil.copy(CLONE / name, part)
    for name in FOLDERS:
        shutil.copytree(CLONE / name, part / name, ignore=JUNK)
    data = os.environ.get("MOTIF_DATA")
    for file in sorted(Path(data).glob("*.jsonl")) if data else ():
        (part / "data").mkdir(exist_ok=True)
        shutil.copy(file, part / "data")


def wheel_command() -> list[str]:
    """The pip command that fills `wheels/`, to be run in the packed folder."""
    return [sys.executable, "-m", "pip", "wheel", "-w", "wheels", "-c", "constraints.txt", ".[notebook]"]


def _download(part: Path) -> None:
    if code := subprocess.run(wheel_command(), cwd=part).returncode:
        raise RuntimeError(f"pip ended with status {code}: its message above says why; {part} is left as it was")


def read_me(part: Path) -> str:
    """READ-ME-FIRST.txt of a packed folder."""
    command = shlex.join(["python", *wheel_command()[1:]])
    return README.format(
        system=f"{platform.system()} {platform.machine()}",
        python=".".join(platform.python_version_tuple()[:2]),
        wheels="" if (part / "wheels").exists() else NO_WHEELS.format(command=command),
        data='MOTIF_DATA="$PWD/data"' if (part / "data").exists() else "",
    )


def sums(part: Path) -> str:
    """Lines for `sha256sum -c`, of all files of the folder."""
    files = sorted(path for path in part.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(part).as_posix()}\n" for path in files
    )
