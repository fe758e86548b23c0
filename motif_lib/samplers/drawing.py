"""How a token is drawn from logits: with the settings of `generate`, in its order, by Transformers' processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


@dataclass(frozen=True)
class Drawing:
    """Sampling settings. Greedy decoding uses only the repetition penalty.

    Args:
        temperature: 0 for greedy decoding.
        top_p: nucleus mass, 1 for all of it.
        top_k: how many of the likeliest tokens to draw from, 0 for all.
        min_p: least probability, as a share of the most likely token's; None or 0 for any.
        repetition_penalty: divides the logits of tokens that occur in the prompt or the reply already; 1 for none.

    Raises:
        ValueError: for a value out of its range, from Transformers' processors.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature}: 0 for greedy decoding, else more")
        _ = self.penalty, self.warpers  # wrong values fail here, not in the middle of training

    @property
    def greedy(self) -> bool:
        """Is the most likely token taken?"""
        return self.temperature == 0

    @cached_property
    def penalty(self) -> RepetitionPenaltyLogitsProcessor | None:
        """The processor that lowers the logits of tokens that have occurred."""
        return None if self.repetition_penalty == 1 else RepetitionPenaltyLogitsProcessor(self.repetition_penalty)

    @cached_property
    def warpers(self) -> LogitsProcessorList:
        """The processors that shape the distribution, in the order of `generate`."""
        return LogitsProcessorList(
            [
                *([TemperatureLogitsWarper(self.temperature)] if self.temperature not in (0, 1) else []),
                *([TopKLogitsWarper(self.top_k)] if self.top_k else []),
                *([TopPLogitsWarper(self.top_p)] if self.top_p != 1 else []),
                *([MinPLogitsWarper(self.min_p)] if self.min_p else []),
            ]
        )

    def history(self, prompts: Sequence[Sequence[int]], budget: int, device: torch.device) -> Tensor | None:
        """The tokens of each of N rows, (N, P + budget); None without a penalty.

        Empty places repeat the row's first token, which changes nothing: a token counts once.
        """
        if self.penalty is None:
            return None
        width = max(map(len, prompts)) + budget
        return torch.tensor([[*prompt, *[prompt[0]] * (width - len(prompt))] for prompt in prompts], device=device)

    def penalised(self, logits: Tensor, history: Tensor | None) -> Tensor:
        """Logits, (N, V), after the repetition penalty."""
        return logits if self.penalty is None else self.penalty(history, logits.float())

    def probabilities(self, logits: Tensor) -> Tensor:
        """What is drawn from, (N, V), given penalised logits (N, V)."""
        return self.warpers(None, logits.float()).softmax(dim=-1)
