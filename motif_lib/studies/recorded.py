"""Keep what the notebooks show of finished runs in `assets/recorded`: small, and without any path of the machine.

    make recorded      # trains for some two and a half hours, then: python -m motif_lib.studies.recorded runs

runs/demo         from `motif demo`: settings, metrics, traces, adapters and every reply of the evaluation
runs/experiment   from `motif experiment`: one line for each seed, method and number of questions, table, figure
runs/questions    from `motif ablate`: one line for each seed and cell, table, figure
runs/losses, runs/longer, runs/notes    from `motif ablate` with that name: the same

`real-model` stays as it is: it comes from `motif_lib.studies.real_model`, with a model that the package does not have.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from motif_lib.files import PACKAGE, write_text
from motif_lib.models.load import TINY

RECORDED = PACKAGE / "assets" / "recorded"
GRIDS = ("questions", "losses", "longer", "notes")
KEPT = {
    "demo": [
        "settings.json",
        "table.txt",
        "*.png",
        "*/test/*",
        "*/settings.json",
        "*/metrics.jsonl",
        "motif-*/traces.jsonl",
        "*/adapter/adapter_model.safetensors",
        "*/adapter/adapter_config.json",
    ],
    **{name: ["settings.json", "results.jsonl", "table.txt", "*.png"] for name in ("experiment", *GRIDS)},
}


def kept_files(runs: Path) -> Iterator[Path]:
    """The files to keep, relative to `runs`.

    Raises:
        FileNotFoundError: if a run is missing or lacks one of its files.
    """
    for name, patterns in KEPT.items():
        for pattern in patterns:
            files = sorted((runs / name).glob(pattern))
            if not files:
                raise FileNotFoundError(f"{runs / name} has no {pattern}: finish that run first")
            yield from (path.relative_to(runs) for path in files)


def keep_runs(runs: str | Path, out: str | Path = RECORDED) -> list[Path]:
    """Replace the runs in `out` by the kept files of `runs`, and return them. All runs must be complete."""
    runs, out = Path(runs), Path(out)
    files = list(kept_files(runs))
    for name in KEPT:
        shutil.rmtree(out / name, ignore_errors=True)
    for file in files:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(runs / file, out / file)
        if file.name == "adapter_config.json":
            _name_base(out / file)
    return files


def _name_base(path: Path) -> None:
    """PEFT writes the folder that the base was loaded from; elsewhere only its name means something."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    write_text(path, json.dumps({**settings, "base_model_name_or_path": TINY}, indent=2) + "\n")


if __name__ == "__main__":
    for path in keep_runs(sys.argv[1]):
        print(path)
