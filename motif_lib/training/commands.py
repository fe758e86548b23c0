"""The command before a training, `motif signal`; `cli` puts it beside `train`."""

from __future__ import annotations

from typing import Annotated

import typer

from motif_lib.runtime import share_cores
from motif_lib.samplers.options import Adapter, Budget, Revision, Rounds, Seed, Server, Temperature

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
    sampler = open_sampler(model, adapter, revision, budget, temperature, server)
    plan = Plan(rounds, replies, max_completion_length=budget, max_steps=steps)
    print(preflight(questions, sampler, plan, name=f"{model} on {task}", seed=seed))
