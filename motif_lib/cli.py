"""The `motif` command: thin, every subcommand calls one function of the library."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from motif_lib.classroom.commands import app as classroom
from motif_lib.machine.commands import app as machine
from motif_lib.runtime import share_cores
from motif_lib.samplers.options import (
    Adapter,
    Budget,
    Model,
    Revision,
    Rounds,
    Seed,
    Server,
    Temperature,
    Thinking,
    template_kwargs,
)
from motif_lib.show.terminal import printable, write_anything
from motif_lib.training.commands import app as training

GOES_ON = {"demo", "warm", "train", "experiment", "ablate", "gpu-day"}  # and `eval` with --out


class Commands(TyperGroup):
    """The commands; Ctrl-C ends each of them with one line that says what is kept and how to go on."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            name, command = ctx.invoked_subcommand, shlex.join(["motif", *sys.argv[1:]])
            if name in GOES_ON or (name == "eval" and "--out" in command):
                typer.echo(
                    f"Stopped: what is done is kept, and the same command goes on from there: {command}", err=True
                )
            else:
                typer.echo(f"Stopped: nothing is kept. To begin again: {command}", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help=__doc__)
tiny = typer.Typer(no_args_is_help=True, help="The tiny model that ships with the package.")
app.add_typer(tiny, name="tiny")
app.add_typer(training)
app.add_typer(machine)
app.add_typer(classroom)

Out = Annotated[Path, typer.Option(help="Run folder; a stopped run in it goes on.")]
Size = Annotated[int | None, typer.Option(min=1, help="Number of questions; default 200, or all of a benchmark.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Runs at once, about 2 GB each; default one a core.")]
Seeds = Annotated[int, typer.Option(min=1, help="Number of seeds.")]


@app.command()
def demo(
    out: Out = Path("runs/demo"),
    seed: Seed = 0,
    quick: Annotated[bool, typer.Option(help="Two steps.")] = False,
    jobs: Jobs = None,
):
    """Train MOTIF (both credits) and vanilla GRPO on the CPU and compare them with the base on held-out problems.

    Example: motif demo --out runs/demo
    """
    from motif_lib.studies.demo import run_demo

    run_demo(out, seed, quick, jobs)


@app.command()
def train(
    recipe: str,
    out: Out = Path("runs/train"),
    seed: Seed = 0,
    adapter: Adapter = None,
    signal: Annotated[bool, typer.Option(help="First see what the model does with a few questions.")] = True,
):
    """Train by a recipe: a name such as `cpu`, or a YAML file; with --adapter, training of that adapter goes on.

    In one process; for several GPUs or machines docs/several_gpus.md has a script for torchrun and accelerate.

    Example: motif train cpu --out runs/mine
    """
    from motif_lib.training.recipe import load_recipe
    from motif_lib.training.runs import train_run

    if not train_run(load_recipe(recipe).going_on(adapter), out, seed, look=signal):
        raise typer.Exit(130)  # stopped by Ctrl-C: what follows it in a script must not run
    typer.echo(f"adapter: {out / 'adapter'}")


@app.command()
def experiment(out: Out = Path("runs/experiment"), seeds: Seeds = 3, jobs: Jobs = None):
    """Train and evaluate all methods with several seeds: accuracy against training questions.

    Example: motif experiment --seeds 3
    """
    from motif_lib.files import locked
    from motif_lib.studies.seeds import run_experiment

    with locked(out):
        run_experiment(out, range(seeds), jobs=jobs)


@app.command()
def ablate(
    grid: Annotated[
        str, typer.Argument(help="`questions`, `losses`, `longer`, `notes`, or a YAML file.")
    ] = "questions",
    out: Out = Path("runs/questions"),
    seeds: Seeds = 3,
    jobs: Jobs = None,
):
    """Turn one switch at a time (credit, rounds, carry, ...) with several seeds: a table and a figure with intervals.

    Example: motif ablate losses --out runs/losses --seeds 4
    """
    from motif_lib.files import locked
    from motif_lib.studies.ablate import load_grid, run_ablation

    with locked(out):
        run_ablation(load_grid(grid), out, range(seeds), jobs)


@app.command("eval")
def eval_(
    task: Annotated[str, typer.Argument(help="ledger, gsm8k, math500, aime2024 or gsm_symbolic.")] = "ledger",
    size: Size = None,
    rounds: Rounds = 3,
    budget: Budget = 60,
    model: Model = "motif-tiny",
    adapter: Adapter = None,
    revision: Revision = None,
    temperature: Temperature = 1.0,
    early_stop: Annotated[bool, typer.Option(help="A note with a boxed answer ends the rounds.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for every reply and verdict; resumes.")] = None,
    seed: Seed = 0,
    server: Server = None,
    thinking: Thinking = True,
):
    """Evaluate a model on a task: accuracy with its interval, by length, tokens spent.

    Example: motif eval ledger --rounds 3 --size 200
    """
    from rich import print

    if model == "motif-tiny":
        share_cores()
    from motif_lib.evaluate import evaluate
    from motif_lib.rounds import boxed
    from motif_lib.samplers.open import open_sampler
    from motif_lib.tasks import load_task

    questions, stop = load_task(task, size=size, seed=seed), boxed if early_stop else None
    sampler = open_sampler(model, adapter, revision, budget, temperature, server, template_kwargs(thinking))
    name = model + (f" at {revision}" if revision else "") + (f" with {adapter}" if adapter else "")
    print(evaluate(questions, sampler, rounds, name=name, path=out, seed=seed, stop=stop))


@app.command()
def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of a LoRA adapter.")],
    out: Annotated[Path, typer.Option(help="New folder for the merged model.")],
    model: Annotated[str | None, typer.Option(help="Base model; by default the one the adapter names.")] = None,
):
    """Merge an adapter into its base: 16-bit safetensors, tokenizer and a short model card.

    Example: motif export runs/train/adapter --out runs/merged
    """
    from motif_lib.files import locked
    from motif_lib.models.export import merge

    with locked(out.parent, f".{out.name}.lock"):
        merge(adapter, out, model)
    typer.echo(f"merged model: {out}")


@app.command()
def think(
    question: str,
    rounds: Rounds = 3,
    budget: Budget = 60,
    model: Model = "motif-tiny",
    adapter: Adapter = None,
    revision: Revision = None,
    temperature: Temperature = 1.0,
    seed: Seed = 0,
    server: Server = None,
    thinking: Thinking = True,
):
    """Answer one question in rounds and print every round.

    Example: motif think "Ann has 12 apples, on day one buys 5. How many apples does Ann have now?"
    """
    if model == "motif-tiny":
        share_cores()
    from motif_lib.records import Question
    from motif_lib.rounds import think as think_
    from motif_lib.samplers.open import open_sampler

    if not question.strip():
        raise typer.BadParameter("the question is empty: write one in quotes")
    sampler = open_sampler(model, adapter, revision, budget, temperature, server, template_kwargs(thinking))
    sampler.seed(seed)
    for reply in think_([Question(question, gold="")], sampler, rounds)[0].replies:
        cut = "" if reply.finished else f", cut off at {reply.tokens}"
        typer.echo(f"--- round {reply.round}: {reply.prompt_tokens} + {reply.tokens} tokens{cut}")
        typer.echo(printable(reply.text))


@tiny.command("make")
def tiny_make(out: Annotated[Path, typer.Option(help="Folder of the model.")] = Path("runs/tiny"), seed: Seed = 0):
    """Make motif-tiny from nothing: data, tokenizer, training, evaluation, model card.

    Example: motif tiny make --out runs/tiny
    """
    from motif_lib.files import locked
    from motif_lib.tiny.card import make

    with locked(out):
        make(out, seed)


def main() -> None:
    """Entry point: library errors end as one line on stderr, exit status 1."""
    try:
        write_anything()
        app()
    except ModuleNotFoundError as error:
        sys.exit(f"motif: {error}: `motif doctor` says what to install")
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"motif: {printable(str(error))}")


if __name__ == "__main__":
    main()
