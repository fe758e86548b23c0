"""The commands `motif bench`, `motif doctor` and `motif gpu-day`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def bench(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or the path of a YAML file.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="File for the numbers, as JSON.")] = None,
):
    """Measure sampling against the reference's loop and the memory floor, and the parts of a training step.

    Example: motif bench cpu --out runs/bench.json
    """
    from rich import print

    from motif_lib.machine.bench import run_bench
    from motif_lib.training.recipe import load_recipe

    print(*run_bench(load_recipe(recipe), recipe, out).tables(), sep="\n")


@app.command()
def doctor():
    """Say what will run on this machine, what will not, and how to mend it; exit status 1 if something must be mended.

    Example: motif doctor && motif demo
    """
    from rich import print

    from motif_lib.machine.doctor import examine

    found = examine()
    print(*found.tables(), sep="\n")
    raise typer.Exit(0 if found.ok else 1)


@app.command("gpu-day")
def gpu_day(
    out: Annotated[Path, typer.Option(help="Folder of the results; a stopped day goes on in it.")] = Path(
        "runs/gpu-day"
    ),
    small: Annotated[bool, typer.Option(help="Sizes for a CPU, to see that all of it works.")] = False,
    carry: Annotated[bool, typer.Option(help="Only say what a machine without a network needs.")] = False,
):
    """Run everything worth seeing on a GPU, the most valuable first, and write one table.

    Example: motif gpu-day --out runs/gpu-day
    """
    from rich import print

    from motif_lib.machine import gpu_day as day

    print(day.carry() if carry else day.run_gpu_day(out, small))
