"""The commands `motif bench` and `motif doctor`."""

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
