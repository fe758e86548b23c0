"""The commands `motif grade` and `motif pack`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def grade(
    notebooks: Annotated[list[Path], typer.Argument(help="Filled notebooks, several at once.")],
    out: Annotated[Path, typer.Option(dir_okay=False, help="CSV file, one line an exercise.")] = Path("grades.csv"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Notebooks at once; default the number of CPU cores.")] = None,
    limit: Annotated[float, typer.Option(help="Seconds that one cell may take.")] = 300,
):
    """Run filled notebooks in fresh kernels and write the verdict on each exercise. Runs their code with your rights.

    Example: motif grade class/*/03_rewards.ipynb --out grades.csv
    """
    from rich import print

    from motif_lib.classroom import grade as grading
    from motif_lib.files import locked, write_text

    graded: set[str] = set()

    def keep(grades: list[grading.Grade]) -> None:
        write_text(out, grading.to_csv(grades))
        graded.update(line.notebook for line in grades)

    with locked(out.parent, f".{out.name}.lock"):
        try:
            grades = grading.grade(notebooks, jobs, limit, keep)
        except KeyboardInterrupt:
            raise typer.Exit(stopped(notebooks, graded, out)) from None
    print(grading.summary(grades))
    typer.echo(f"grades: {out}")


def stopped(notebooks: list[Path], graded: set[str], out: Path) -> int:
    """Say what an interrupted grading has kept, and how to grade the rest; the exit status."""
    rest = [str(path) for path in notebooks if str(path) not in graded]
    other = out.with_stem(f"{out.stem}-rest") if graded else out
    kept = f"{len(graded)} of {len(notebooks)} notebooks are graded in {out}" if graded else "no notebook is graded yet"
    typer.echo(f"Stopped: {kept}. For the rest: {shlex.join(['motif', 'grade', *rest, '--out', str(other)])}", err=True)
    return 130


@app.command()
def pack(
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.")] = Path("motif-packed"),
    wheels: Annotated[bool, typer.Option(help="Download all packages too (needs a network).")] = False,
):
    """Put the workbook into one folder for a room without a network.

    Example: motif pack --out /media/stick/motif --wheels
    """
    from motif_lib.classroom.pack import pack as pack_
    from motif_lib.files import locked

    with locked(out.parent, f".{out.name}.lock"):
        typer.echo(f"packed: {pack_(out, wheels)}; READ-ME-FIRST.txt in it says how to go on")
