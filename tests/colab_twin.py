"""A twin of Colab's CPU runtime, and the notebooks in it: `python tests/colab_twin.py LIST [NOTEBOOK ...]`.

LIST is Colab's package list, `pip-freeze.txt` of github.com/googlecolab/backend-info. Its versions become constraints,
and the part of them that our packages meet is installed into a virtual environment, once. Each notebook gets a runtime
of its own (a copy of that environment), an empty folder, and a kernel of Colab's version that has loaded numpy, pandas,
pyarrow and torch; its first cell installs the package from the last commit here. Where that cell asks for a restart the
notebook begins again in a fresh kernel, as its reader would.

What differs from Colab: the CUDA build of torch, as package indexes have it; no front end of Colab's; no GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from motif_lib.classroom.workbook import first_cell
from motif_lib.files import write_text

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = f"git+{ROOT.as_uri()}"
USED = "import numpy, pandas, pyarrow, torch"  # what a runtime has loaded that was in use before
# Beside what motif_lib asks for: the kernel, and what its packages look for and use where they find it.
BESIDE = """ipykernel ipython ipywidgets jupyter_client notebook antlr4-python3-runtime gcsfs jax omegaconf pandas
polars pyarrow scikit-learn seaborn sentence-transformers tensorboard timm torchao torchdata torchtune wandb""".split()
TOOLS = "pip setuptools wheel".split()


@dataclass
class Result:
    """What became of one notebook: its errors, the restarts that it asked for, and seconds in all."""

    name: str
    errors: list[str]
    restarts: int
    seconds: float

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {len(self.errors)} errors, {self.restarts} restarts, {self.seconds:.0f} s",
            *self.errors,
        ]
        return "\n  ".join(lines)


def pins(text: str) -> dict[str, str]:
    """Name to version of a package list; a wheel at an address counts by the version in its file name.

    CUDA's own packages are left out: the build of torch that an index has brings those it was made with.
    """
    found = {}
    for line in text.splitlines():
        if match := re.match(r"([\w.-]+)==([\w.]+)", line) or re.match(r"([\w.-]+) @ .*/\w+-(\d[\d.]*)(?:%2B|-)", line):
            found[canonicalize_name(match[1])] = match[2]
    return {name: version for name, version in found.items() if not name.startswith(("nvidia-", "triton"))}


def wanted(pinned: dict[str, str]) -> list[str]:
    """The packages to install: of ours and of those beside them, what Colab has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [canonicalize_name(Requirement(need).name) for need in project["dependencies"]]
    return [f"{name}=={pinned[name]}" for name in map(canonicalize_name, [*names, *BESIDE]) if name in pinned]


def environment(folder: Path, python: str, pinned: dict[str, str]) -> Path:
    """The virtual environment with Colab's versions; made once for a list."""
    constraints = "".join(f"{name}=={version}\n" for name, version in sorted(pinned.items()))
    file = folder / "constraints.txt"
    if file.exists() and file.read_text(encoding="utf-8") == constraints:
        return folder / "base"
    subprocess.run([python, "-m", "venv", folder / "base"], check=True)
    pip = [folder / "base" / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *(f"{name}=={pinned[name]}" for name in TOOLS)], check=True)
    write_text(folder / "constraints.part", constraints)
    subprocess.run([*pip, "-c", folder / "constraints.part", *wanted(pinned)], check=True)
    os.replace(folder / "constraints.part", file)
    return folder / "base"


def fresh_runtime(base: Path, folder: Path) -> Path:
    """A copy of the environment by hard links: pip replaces files there, and the ones here stay."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, symlinks=True, copy_function=os.link)
    kernel = (
        '{"argv": ["%s", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "", "language": ""}'
    )
    write_text(folder / "kernels" / "colab" / "kernel.json", kernel % (folder / "bin" / "python"))
    return folder


def run(path: Path, runtime: Path, used: bool) -> Result:
    """Run one notebook, alone in an empty folder."""
    started, restarts = time.perf_counter(), 0
    while True:
        notebook = nbformat.read(path, as_version=4)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        first.source = first_cell(ADDRESS)
        if used:
            notebook.cells.insert(0, nbformat.v4.new_code_cell(USED))
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, runtime, folder)
            left = sorted(file.name for file in Path(folder).iterdir())
        failed = errors(notebook) + [f"left in its folder: {', '.join(left)}"] * bool(left)
        if restarts or not any("restart the session" in error for error in failed):
            return Result(path.stem, failed, restarts, time.perf_counter() - started)
        restarts += 1


def execute(notebook: nbformat.NotebookNode, runtime: Path, folder: str) -> None:
    """Run the cells in a kernel of the runtime, to the end or, as Colab's "Run all" does, to the first error."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    environment |= {"COLAB_RELEASE_TAG": "twin", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    specs = KernelSpecManager(kernel_dirs=[str(runtime / "kernels")], ensure_native_kernel=False)
    manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=specs)
    client = NotebookClient(notebook, km=manager, timeout=900, startup_timeout=300,
                            resources={"metadata": {"path": folder}})  # fmt: skip
    with suppress(CellExecutionError):  # `errors` reads it from the notebook
        asyncio.run(client.async_execute(env=environment))


def errors(notebook: nbformat.NotebookNode) -> list[str]:
    """One line for each cell that ended in an error."""
    cells = [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    ends = [(number, output) for number, cell in cells for output in cell.outputs if output.output_type == "error"]
    return [f"cell {number}: {output.ename}: {output.evalue[:300]}" for number, output in ends]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 if a cell of a notebook ended in an error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("list", type=Path, help="Colab's package list")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of notebooks/*.ipynb if not given")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "colab-twin", help="where the twin is kept")
    parser.add_argument("--python", default="python3.13", help="a Python of Colab's version")
    parser.add_argument("--unused", action="store_true", help="a kernel that has loaded nothing yet")
    given = parser.parse_intermixed_args(arguments)
    started, failed = time.perf_counter(), 0
    base = environment(given.folder.resolve(), given.python, pins(given.list.read_text(encoding="utf-8")))
    for path in given.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
        runtime = fresh_runtime(base, base.with_name("runtime"))
        result = run(path, runtime, used=not given.unused)
        failed += bool(result.errors)
        print(result, flush=True)
    print(f"{failed} of the notebooks failed; {(time.perf_counter() - started) / 60:.1f} minutes in all")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
