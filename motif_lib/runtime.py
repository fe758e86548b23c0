"""Where the package comes from, and what must be installed beside it: for first cells, `motif doctor`, `load_model`.

A hosted runtime such as Colab's brings packages of its own, and some of them break those that are installed later.
`CONFLICTS` lists what is known; `prepare` mends it, in the first cell of every notebook.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

# What pip installs: git+https://github.com/OWNER/NAME@TAG. A fork changes this line and runs `make notebooks`.
SOURCE = ""  # as long as it is empty nothing is installed: on an index, `motif_lib` could be anybody's

HOSTS = {"Colab": "COLAB_RELEASE_TAG", "Kaggle": "KAGGLE_KERNEL_RUN_TYPE", "Binder": "BINDER_SERVICE_HOST"}
DRIVE = "/content/drive"  # where Colab mounts it
RESTART = "restart the session (Colab: Runtime > Restart session; Jupyter: Kernel > Restart), then run the first cell"


@dataclass(frozen=True)
class Bound:
    """Versions of a package that work, as in a requirement, and why others do not; it may be missing if `optional`."""

    package: str
    versions: str
    reason: str
    optional: bool = False


CONFLICTS = (
    Bound("torchao", ">=0.16", "PEFT attaches no LoRA beside an older one", optional=True),
    Bound("pyarrow", ">=21", "datasets needs it"),
    Bound("datasets", ">=4.7,<5", "TRL needs it"),
    Bound("trl", ">=1.14.2,<1.15", "MotifTrainer is made on it"),
)
# Packages that others are compiled against or patch: for these, the version in memory must be the one on disk.
WATCHED = ("numpy", "pyarrow", "torch", "torchao", "transformers", "peft", "datasets", "trl", "unsloth")


@dataclass(frozen=True)
class Conflict:
    """One thing that must be mended; as text, one line with the remedy."""

    package: str
    found: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.package} {self.found}: {self.reason}; {self.remedy}"


class NotReady(RuntimeError):
    """The packages are not as they must be: one line that says what to do, and nothing else in a notebook."""

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"{type(self).__name__}: {self}"]


def install(extra: str = "", source: str | None = None) -> str:
    """The command that installs the package, with an extra if one is named."""
    source = SOURCE if source is None else source
    name = f"motif_lib[{extra}]" if extra else "motif_lib"
    if source:
        return f'pip install "{name} @ {source}"'
    return f'pip install -e ".[{extra}]" in your copy of the repository' if extra else "pip install git+https://ADDRESS"


def installed(package: str) -> str | None:
    """The version that is installed, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def in_memory() -> dict[str, str]:
    """Versions of the watched packages that this process has imported."""
    return {name: str(getattr(sys.modules[name], "__version__", "")) for name in WATCHED if name in sys.modules}


def conflicts(
    packages: Mapping[str, str | None], memory: Mapping[str, str], unsloth: bool = False
) -> Iterator[Conflict]:
    """What is known to break, of the installed versions (None: missing) and those in memory.

    Args:
        unsloth: whether it will be used, which has to be imported before trl.
    """
    for bound in CONFLICTS:
        found = packages.get(bound.package)
        if not fits(found, bound.versions) and not (bound.optional and found is None):
            remedy = f'pip install "{bound.package}{bound.versions}"'
            yield Conflict(bound.package, found or "is missing", bound.reason, remedy)
    for name, loaded in memory.items():
        found = packages.get(name)
        if loaded and found and loaded.partition("+")[0] != found.partition("+")[0]:
            yield Conflict(name, f"{loaded} is in memory", f"{found} is installed by now", RESTART)
    if unsloth and "trl" in memory and "unsloth" not in memory:
        yield Conflict(
            "trl", "was imported before Unsloth", "Unsloth patches it", f"{RESTART}, or `import unsloth` first"
        )


def fits(found: str | None, versions: str) -> bool:
    """Is the version installed, and within its bounds?"""
    from packaging.specifiers import SpecifierSet

    return found is not None and SpecifierSet(versions).contains(found, prereleases=True)


def here(unsloth: bool = False) -> list[Conflict]:
    """The conflicts of this process."""
    return list(conflicts({name: installed(name) for name in WATCHED}, in_memory(), unsloth))


def check(unsloth: bool = False) -> None:
    """Raise `NotReady` with the first conflict, before it costs anybody time."""
    for conflict in here(unsloth):
        raise NotReady(str(conflict))


def needs(*extras: str) -> list[str]:
    """The requirements of the installed package and of some of its extras, as its metadata have them."""
    from packaging.requirements import Requirement

    try:
        texts = requires("motif_lib") or []
    except PackageNotFoundError:  # a copy of the sources on the path
        return []
    marked = [(text, Requirement(text).marker) for text in texts]
    return [text for text, m in marked if m is None or any(m.evaluate({"extra": extra}) for extra in ("", *extras))]


def host() -> str:
    """Colab, Kaggle, Binder or local, by what each sets in the environment."""
    return next((name for name, variable in HOSTS.items() if variable in os.environ), "local")


def prepare(*extras: str) -> None:
    """Prepare a hosted runtime: install what is missing, and replace what breaks. If all is well, nothing happens.

    Args:
        extras: of the package, such as `gpu`.

    Raises:
        NotReady: in one line, if the session has to be restarted, if pip fails, or on a machine of your own, where you
            are told what to type.
    """
    if wrong := missing(*extras):
        command = "pip install " + " ".join(f'"{requirement}"' for requirement in wrong)
        if host() == "local":
            raise NotReady(f"{'; '.join(wrong.values())}: {command}")
        print(f"{'; '.join(wrong.values())}: {command}")
        pip(list(wrong))
    check()
    share_cores()


def share_cores() -> None:
    """One thread for torch, unless OMP_NUM_THREADS says another number: what suits a model as small as motif-tiny.

    Threads wait for each other. Beside one busy program on two cores two threads are four times as slow as alone, and
    one is nearly as fast as alone; on idle cores one takes 1.1 to 1.6 times as long as two (LOG.md). Replies are the
    same. A training differs in its last digits, so the commands that train do not call this.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # for a torch that is imported later
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)


def missing(*extras: str) -> dict[str, str]:
    """The requirements that are not met, each with what was found instead."""
    from packaging.requirements import Requirement

    bad = {conflict.package: conflict for conflict in here() if conflict.remedy != RESTART}
    wrong = {f"{b.package}{b.versions}": f"{bad[b.package]}".partition(";")[0] for b in CONFLICTS if b.package in bad}
    for need in map(Requirement, needs(*extras)):
        found = installed(need.name)
        if need.name not in bad and not fits(found, str(need.specifier)):
            wrong[f"{need.name}{need.specifier}"] = f"{need.name} {found or 'is missing'}"
    return wrong


def pip(requirements: list[str]) -> None:
    """Install requirements in this Python.

    Raises:
        NotReady: if pip fails; its message stands above.
    """
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]
    if subprocess.run(command).returncode:
        raise NotReady(f"pip could not install {', '.join(requirements)}: its message above says why")
    invalidate_caches()


def lasting_folder(name: str | None) -> Path:
    """A folder that outlives a hosted runtime: in Google Drive on Colab, in the home folder elsewhere.

    Args:
        name: of the folder, or its whole path; None for a temporary one, which goes with the session.
    """
    if name is None:
        return Path(tempfile.mkdtemp())
    home = Path.home()
    if host() == "Colab" and not Path(name).is_absolute():
        from google.colab import drive

        drive.mount(DRIVE)
        home = Path(DRIVE) / "MyDrive"
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
