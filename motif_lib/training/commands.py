"""The commands before a training, `motif signal` and `motif warm`; `cli` puts them beside `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motif_lib.runtime import share_cores
from motif_lib.samplers.options import (
    Adapter,
    Budget,
    Revision,
    Rounds,
    Seed,
    Server,
    Temperature,
    Thinking,
    template_kwargs,
)

app = typer.Typer()


@app.command()
def signal(
    model: Annotated[str, typer.Argument(help="motif-tiny, a folder or a Hub id; with --server what it serves.")],
    task: Annotated[str, typer.Argument(help="ledger, gsm8k, math500, aime2024 or gsm_symbolic.")],
    size: Annotated[int, typer.Option(min=1, help="Number of questions.")] = 32,
    replies: Annotated[int, typer.Option(min=2, help="Replies to each question, m.")] = 8,
    rounds: Rounds = 3,
    budget: Budget = 60,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the training whose time is estimated.")] = 100,
    adapter: Adapter = None,
    revision: Revision = None,
    temperature: Temperature = 1.0,
    seed: Seed = 0,
    server: Server = None,
    thinking: Thinking = True,
):
    """Before training: is there anything to learn? Format, notes, accuracy, groups with signal, time, and advice.

    Example: motif signal motif-tiny ledger
    """
    from rich import print

    if model == "motif-tiny":
        share_cores()
    from motif_lib.samplers.open import open_sampler
    from motif_lib.training.preflight import Plan, preflight, sample_questions

    questions = sample_questions(task, size, seed)
    sampler = open_sampler(model, adapter, revision, budget, temperature, server, template_kwargs(thinking))
    plan = Plan(rounds, replies, max_completion_length=budget, max_steps=steps)
    print(preflight(questions, sampler, plan, name=f"{model} on {task}", seed=seed))


@app.command()
def warm(
    recipe: str,
    out: Annotated[Path, typer.Option(help="Run folder; a stopped run in it goes on.")] = Path("runs/warm"),
    seed: Seed = 0,
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
