"""The contract of every sampler, and a scripted one for teaching and tests.

A sampler is called with a list of chats and gives one `Completion` for each, in order. All rollouts of a round go into
one call: batching is the sampler's business, and so is the policy that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Chat = list[dict[str, str]]  # [{"role": "system", "content": ...}, {"role": "user", "content": ...}]


@dataclass(frozen=True)
class Completion:
    """One sampled completion.

    Args:
        text: decoded without the end-of-turn token.
        finished: False if the token budget cut it off.
        tokens: completion tokens, the end-of-turn token counted.
        prompt_tokens: tokens of the rendered chat.
    """

    text: str
    finished: bool = True
    tokens: int = 0
    prompt_tokens: int = 0


class Sampler(Protocol):
    """Anything that answers chats."""

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]: ...


class ScriptedSampler:
    """Answers by a plain function of the chat, without any model: `ScriptedSampler(lambda chat: "...")`.

    The function may return text or a `Completion`. Tokens are counted as words. `calls` keeps the size of every batch.
    """

    def __init__(self, answer: Callable[[Chat], str | Completion]):
        self.answer = answer
        self.calls: list[int] = []

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        self.calls.append(len(chats))
        return [self._complete(chat) for chat in chats]

    def _complete(self, chat: Chat) -> Completion:
        given = self.answer(chat)
        if isinstance(given, Completion):
            return given
        words = sum(len(message["content"].split()) for message in chat)
        return Completion(given, True, len(given.split()), words)
