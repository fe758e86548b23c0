"""What this machine has: Python, packages, memory, a GPU, a network. Facts only; `doctor` judges them."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from motif_lib.files import PACKAGE
from motif_lib.runtime import WATCHED, host, in_memory, installed, needs

HUB = ("huggingface.co", 443)
GPU_PACKAGES = ("unsloth", "bitsandbytes")  # the extra `gpu`: none of it is needed on a CPU


@dataclass(frozen=True)
class Gpu:
    """One CUDA device: memory in bytes, capability such as 7.5 (a T4), and whether the installed torch can use it."""

    name: str
    memory: int
    capability: float
    usable: bool


@dataclass(frozen=True)
class Facts:
    """What was found. Memory and disk in bytes; `packages` holds None for what is not installed."""

    host: str = "local"
    python: str = "3.11.0"
    packages: dict[str, str | None] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)  # versions of what this process has in memory
    pins: dict[str, str] = field(default_factory=dict)
    cores: int = 2
    memory: int = 8 * 2**30
    disk: int = 20 * 2**30
    gpu: Gpu | None = None
    online: bool = False
    cached: frozenset[str] = frozenset()  # Hub ids that are on the disk
    data: frozenset[str] = frozenset()  # file names in the folder MOTIF_DATA


def look() -> Facts:
    """Gather the facts. Asks the network once, for at most two seconds; imports torch only where there is a GPU."""
    from packaging.requirements import Requirement

    names = ["motif_lib", *(Requirement(need).name for need in needs("notebook")), *GPU_PACKAGES, *WATCHED]
    data = Path(os.environ.get("MOTIF_DATA") or os.devnull)
    return Facts(
        host=host(),
        python=platform.python_version(),
        packages={name: installed(name) for name in names},
        imported=in_memory(),
        pins=pins(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory=memory(),
        disk=shutil.disk_usage(Path.cwd()).free,
        gpu=gpu(),
        online=online(),
        cached=frozenset(cached()),
        data=frozenset(path.name for path in data.glob("*.jsonl")) if data.is_dir() else frozenset(),
    )


def pins(file: Path = PACKAGE.parent / "constraints.txt") -> dict[str, str]:
    """The tested versions, by normalised name; none where the package is not a clone."""
    from packaging.utils import canonicalize_name

    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    pairs = [line.partition(";")[0].split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name.strip()): pinned.strip() for name, pinned in pairs}


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or less in a container."""
    import psutil

    total = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.exists() else ""
    return min(total, int(text)) if text.isdigit() else total


def gpu() -> Gpu | None:
    """The first CUDA device that the driver lists."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = [part.strip() for part in listed.stdout.partition("\n")[0].split(",")]
    if listed.returncode or len(fields) != 3 or not (fields[1].isdigit() and re.fullmatch(r"\d+\.\d+", fields[2])):
        return None
    import torch

    return Gpu(fields[0], int(fields[1]) * 2**20, float(fields[2]), torch.cuda.is_available())


def online(timeout: float = 2) -> bool:
    """Whether the Hub answers, and is not switched off by HF_HUB_OFFLINE."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    try:
        socket.create_connection(HUB, timeout).close()
    except OSError:
        return False
    return True


def cached() -> Iterator[str]:
    """Hub ids of the models and data sets in the Hub's cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    with suppress(CacheNotFound):
        yield from (repo.repo_id for repo in scan_cache_dir().repos)
