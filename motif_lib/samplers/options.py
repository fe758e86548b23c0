"""The options of a command that opens a sampler (`samplers.open`), the same wherever they are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(help="Seed of data and sampling.")]
Model = Annotated[str, typer.Option(help="motif-tiny, a folder or a Hub id.")]
Adapter = Annotated[Path | None, typer.Option(help="Folder of a LoRA adapter.")]
Revision = Annotated[str | None, typer.Option(help="Commit, tag or branch of a Hub model, to pin it.")]
Rounds = Annotated[int, typer.Option(help="Number of rounds n.")]
Temperature = Annotated[float, typer.Option(min=0, help="0 is greedy.")]
Server = Annotated[str | None, typer.Option(help="Ask this OpenAI-compatible server: http://HOST:PORT/v1.")]
WINDOW = "window"


def read_budget(given: str | int) -> int | None:
    """A number of tokens, or None for the word "window"."""
    if given == WINDOW:
        return None
    if not str(given).isdecimal() or int(given) < 1:
        raise typer.BadParameter(f"{given!r} is neither a number of tokens above 0 nor {WINDOW!r}")
    return int(given)


Budget = Annotated[
    int | None,
    typer.Option(
        parser=read_budget,
        metavar="TOKENS|window",
        help="Token budget of one round; `window` is all the room that the window leaves beside the prompt.",
    ),
]
Thinking = Annotated[
    bool, typer.Option(help="Leave a model with a thinking mode, such as Qwen3, in it; --no-thinking switches it off.")
]


def template_kwargs(thinking: bool) -> dict[str, bool] | None:
    """What the chat template is told; nothing is told where the model's own way is wanted."""
    return None if thinking else {"enable_thinking": False}
