"""What will run on this machine, what will not, and what to do about it: `motif doctor`, or in a notebook `examine()`.

`look()` gathers facts, the rest is judgement about them. A version outside the bounds of the package's metadata is a
problem; one that differs from `constraints.txt` is only untested, and only a clone of the repository has that file.
That a laptop cannot run a recipe for a GPU is no problem: it is listed as not running, and the exit code does not
change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from motif_lib.files import PACKAGE
from motif_lib.machine.facts import Facts, Gpu, look
from motif_lib.models.memory import PRESETS, to_load
from motif_lib.models.unsloth import INSTALL
from motif_lib.runtime import Conflict, conflicts, install, needs
from motif_lib.show.tables import Table
from motif_lib.studies.recorded import RECORDED
from motif_lib.training.recipe import FOLDER, Recipe, load_recipe

MIN_DISK = 2 * 2**30  # the environment itself takes 2.3 GB (README)
MIN_MEMORY = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the report; `fix` says what to do about a problem or a note."""

    name: str
    found: str
    verdict: str  # ok, note, problem; for recipes and notebooks: runs, does not run
    fix: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings; shows itself as two tables in a terminal and in a notebook."""

    machine: tuple[Finding, ...]
    work: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the CPU notebooks run without mending anything first."""
        return all(finding.verdict != "problem" for finding in self.machine)

    def tables(self) -> list[Table]:
        return [_table("This machine", "found", self.machine), _table("What runs here", "needs", self.work)]

    def __str__(self) -> str:
        return "\n".join(map(str, self.tables()))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables())


def _table(title: str, column: str, findings: tuple[Finding, ...]) -> Table:
    notes = [f"{finding.name}: {finding.fix}" for finding in findings if finding.fix]
    return Table(title, ("", column, ""), [(f.name, f.found, f.verdict) for f in findings], notes)


def examine() -> Diagnosis:
    """Look at this machine and judge what will run. As the last line of a notebook cell it shows two tables."""
    return judge(look(), needs("notebook"))


def judge(facts: Facts, requirements: list[str]) -> Diagnosis:
    """Facts and requirements (`runtime.needs`) to findings."""
    broken = _conflicts(facts)
    machine = (*_machine(facts), *_packages(facts, requirements, broken))
    return Diagnosis(machine, (*_recipes(facts, broken), *_notebooks(facts, broken)))


def _conflicts(facts: Facts) -> dict[str, Conflict]:
    """What is known to break, by package; the order of imports counts where Unsloth can be used."""
    unsloth = bool(facts.gpu and facts.gpu.usable and facts.packages.get("unsloth"))
    return {found.package: found for found in conflicts(facts.packages, facts.imported, unsloth)}


def _machine(facts: Facts) -> Iterator[Finding]:
    """Python and the hardware."""
    from packaging.version import Version

    yield _limit("Python", facts.python, Version(facts.python).release >= (3, 11), "install Python 3.11 or newer")
    yield Finding("host", facts.host, "ok")
    yield Finding("CPU cores", str(facts.cores), "ok")
    little = "close other programs and kernels, or use a larger machine"
    yield _limit("memory", _gib(facts.memory), facts.memory >= MIN_MEMORY, little)
    full = "free some space, the environment and a run need about 2 GiB"
    yield _limit("disk, free here", _gib(facts.disk), facts.disk >= MIN_DISK, full, worst="note")
    yield _gpu(facts.gpu)
    offline = "models and data sets of the Hub must be in its cache or in the folder MOTIF_DATA; the rest runs"
    yield Finding("network", "yes" if facts.online else "offline", *(("ok", "") if facts.online else ("note", offline)))


def _limit(name: str, found: str, fine: bool, fix: str, worst: str = "problem") -> Finding:
    return Finding(name, found, "ok") if fine else Finding(name, found, worst, fix)


def _gpu(gpu: Gpu | None) -> Finding:
    if gpu is None:
        return Finding("GPU", "none: the CPU is enough for the notebooks", "ok")
    found = f"{gpu.name}, {_gib(gpu.memory)}"
    fix = "torch does not see it: install a CUDA build of torch (pytorch.org/get-started), or mend the driver"
    return _limit("GPU", found, gpu.usable, fix, worst="note")


def _packages(facts: Facts, requirements: list[str], broken: dict[str, Conflict]) -> Iterator[Finding]:
    """Known conflicts, then installed versions against the bounds, then against the pins."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for name, conflict in broken.items():
        yield Finding(name, conflict.found, "problem", f"{conflict.reason}; {conflict.remedy}")
    for need in map(Requirement, requirements):
        if need.name in broken:
            continue
        extra = need.marker is not None
        found = facts.packages.get(need.name)
        command = f'pip install {"-c constraints.txt " if facts.pins else ""}"{need.name}{need.specifier}"'
        if found is None:
            yield Finding(need.name, "missing", "note" if extra else "problem", command)
        elif not need.specifier.contains(found, prereleases=True):
            yield Finding(need.name, found, "problem", command)
        elif (pin := facts.pins.get(canonicalize_name(need.name))) not in (None, found.partition("+")[0]):
            yield Finding(need.name, found, "note", f"within its bounds; tested with {pin}")
        else:
            yield Finding(need.name, found, "ok")


def _recipes(facts: Facts, broken: dict[str, Conflict]) -> Iterator[Finding]:
    """The recipes of the package: does model, task and device exist here, and can the packages train?"""
    for path in sorted(FOLDER.glob("*.yaml")):
        recipe = load_recipe(path)
        missing = [*map(str, broken.values()), *_missing(recipe.model, recipe.task, facts), *_device(recipe, facts)]
        needs = f"{recipe.model}, {recipe.task}{'' if recipe.train.get('use_cpu') else ', GPU'}"
        yield Finding(f"recipe {path.stem}", needs, "does not run" if missing else "runs", "; ".join(missing))


def _missing(model: str, task: str, facts: Facts) -> Iterator[str]:
    from motif_lib.models.load import TINY
    from motif_lib.tasks.generated import GENERATED
    from motif_lib.tasks.rows import BENCHMARKS

    if not (facts.online or model == TINY or Path(model).exists() or model in facts.cached):
        yield f"{model} is not on this machine: connect once, or copy its folder and name that as the model"
    if task in GENERATED or facts.online:
        return
    benchmark = BENCHMARKS.get(task)
    stem = (benchmark.file if benchmark else None) or task
    if not (any(name.startswith(f"{stem}_") for name in facts.data) or (benchmark and benchmark.hub in facts.cached)):
        yield f"{task} is not on this machine: connect once, or put {stem}_train.jsonl into the folder MOTIF_DATA"


def _device(recipe: Recipe, facts: Facts) -> Iterator[str]:
    gpu = facts.gpu
    if recipe.train.get("use_cpu"):
        return
    if gpu is None or not gpu.usable:
        yield "it needs a CUDA GPU"
        return
    if recipe.train.get("bf16") and gpu.capability < 8:
        yield f"{gpu.name} has no bfloat16: set bf16 to false and fp16 to true in a copy of the recipe"
    shape, four_bit = PRESETS.get(recipe.model), recipe.load.get("four_bit", False)
    if shape and (need := to_load(shape, four_bit).total) > gpu.memory:
        yield f"its model alone takes about {_gib(int(need))} of GPU memory: use a smaller one in a copy of the recipe"
    if recipe.load.get("unsloth") and facts.packages.get("unsloth") is None:
        yield f"Unsloth is not installed: {INSTALL}"


def _notebooks(facts: Facts, broken: dict[str, Conflict]) -> Iterator[Finding]:
    """The notebooks here or in the clone; each of them runs on a CPU."""
    tools = [name for name in ("ipykernel", "ipywidgets") if facts.packages.get(name) is None]
    found = find_notebooks()
    if not found:
        yield Finding("notebooks", "CPU", "does not run", "none here: start in the folder that holds notebooks/")
    for path in found:
        missing = list(map(str, broken.values()))
        if tools:
            missing.append(f"install {', '.join(tools)}: {install('notebook')}")
        if "motif_lib.studies.recorded" in path.read_text(encoding="utf-8") and not RECORDED.exists():
            missing.append("recorded runs are missing from this installation: install the newest version")
        yield Finding(f"notebook {path.stem}", "CPU", "does not run" if missing else "runs", "; ".join(missing))


def find_notebooks() -> list[Path]:
    """The workbook's notebooks: in ./notebooks, here, or in the clone that the package runs from."""
    for folder in (Path("notebooks"), Path(), PACKAGE.parent / "notebooks"):
        if found := sorted(folder.glob("0[0-9]_*.ipynb")):
            return found
    return []


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
