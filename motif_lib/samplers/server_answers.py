"""What a chat server answers: a completion, or an error in one line. Nothing in it is trusted."""

from __future__ import annotations

import json
import os

import httpx

from motif_lib.samplers.base import Completion

KEY_VARIABLE = "MOTIF_API_KEY"  # our own name: a key for another service is never sent to a server by accident


class RetryableError(Exception):
    """A failure that another try may mend; `pause` is what the server asked for, in seconds."""

    def __init__(self, message: str, pause: float = 0.0):
        super().__init__(message)
        self.pause = pause


def check_status(response: httpx.Response, data: bytes, url: str) -> None:
    """Raise for every status but 200: `RetryableError` where another try may help."""
    status = response.status_code
    if status == 200:
        return
    if status in (408, 429) or status >= 500:
        raise RetryableError(f"status {status}{server_message(data)}", asked_pause(response))
    if status in (401, 403):
        raise RuntimeError(f"{url}: status {status}, the key is missing or wrong: set {KEY_VARIABLE}")
    if status in (400, 413, 422):
        raise ValueError(f"{url}: the server refuses the request{server_message(data)}")
    raise RuntimeError(f"{url}: status {status}{server_message(data)}; is this the base address, ending in /v1?")


def asked_pause(response: httpx.Response) -> float:
    """Seconds of a `Retry-After` header; 0 if there is none, or a date."""
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0


def server_message(data: bytes) -> str:
    """A colon and what a server said in an error: one short printable line that does not repeat the key."""
    try:
        answer = json.loads(data)
        error = answer.get("error") or answer.get("detail") or answer
        text = str(error["message"] if isinstance(error, dict) and "message" in error else error)
    except (ValueError, AttributeError, RecursionError):
        text = data.decode(errors="replace")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    text = text.replace(key, "***") if key else text
    text = "".join(c if c.isprintable() else " " for c in text)[:200].strip()
    return f": {text}" if text else ""


def read_completion(data: bytes, url: str) -> Completion:
    """The completion in a server's answer.

    Raises:
        RuntimeError: if it is not one.
    """
    try:
        answer = json.loads(data)
        choice, usage = answer["choices"][0], answer["usage"]
        text, tokens, prompt_tokens = choice["message"]["content"], usage["completion_tokens"], usage["prompt_tokens"]
        if not (isinstance(text, str | None) and isinstance(tokens, int) and isinstance(prompt_tokens, int)):
            raise TypeError
        return Completion(text or "", choice["finish_reason"] == "stop", tokens, prompt_tokens)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise RuntimeError(f"{url}: the answer is not a chat completion with its usage{server_message(data)}") from None
