"""The command of the cold start; `cli` puts it beside `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def warm(
    recipe: str,
    out: Annotated[Path, typer.Option(help="Run folder; a stopped run in it goes on.")] = Path("runs/warm"),
    seed: Annotated[int, typer.Option(help="Seed of data and sampling.")] = 0,
    size: Annotated[int | None, typer.Option(min=1, help="Training questions; default 200.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Own trajectories a question; default 4.")] = None,
    traces: Annotated[Path | None, typer.Option(help="Folder of an evaluation that has them.")] = None,
):
    """Fine-tune on traces that were right, so that tags and notes are there before RL: a cold start.

    They are the model's own, those that are right and in format; Ledger's are written by rule, unless you ask for own.

    Example: motif warm cpu --out runs/warm && motif train cpu --adapter runs/warm/adapter
    """
    from motif_lib.training.recipe import load_recipe
    from motif_lib.training.warm import warm_run

    if not warm_run(load_recipe(recipe), out, seed, size, samples, traces):
        raise typer.Exit(130)
    typer.echo(f"adapter: {out / 'adapter'}")
