"""Sampling from an OpenAI-compatible server, such as `vllm serve` or `transformers serve`.

One request a chat, many at a time: the server does the batching. Transient failures are retried with growing pauses
(no connection, time-out, 408, 429, 5xx); all others are one clear line. The server is not trusted: an answer is
bounded in time and in size, and its words are cut and cleaned before they enter a message.

What a request does not name the server takes from the model: of Qwen2.5 a repetition penalty and a top_k. Start vLLM
with `--generation-config vllm`, and it takes nothing.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

import httpx

from motif_lib.samplers.base import Chat, Completion

KEY_VARIABLE = "MOTIF_API_KEY"  # our own name: a key for another service is never sent to a server by accident
MAX_BYTES = 4_000_000  # of one answer
LONGEST_PAUSE = 30.0  # seconds between two tries, whatever the server asks for


class RetryableError(Exception):
    """A failure that another try may mend; `pause` is what the server asked for, in seconds."""

    def __init__(self, message: str, pause: float = 0.0):
        super().__init__(message)
        self.pause = pause


class ServerSampler:
    """Samples completions over HTTP. A key, where one is needed, is read from the environment: `MOTIF_API_KEY`.

    Args:
        url: base address, such as `http://localhost:8000/v1`.
        model: name of the model, or of a LoRA adapter, on the server.
        max_new_tokens: budget of a reply, in tokens.
        temperature: 0 for greedy decoding.
        top_p: nucleus mass, 1 for all of it.
        concurrency: most requests in flight.
        timeout: seconds for one try, from the connection to the last byte.
        tries: tries for one request.
        pause: seconds before the second try; twice as long before each one that follows.
        top_k, min_p, repetition_penalty: as in `Drawing`; asked for only where they change something, as they are no
            part of OpenAI's own interface.
        chat_template_kwargs: what the chat template is told, such as `{"enable_thinking": False}`; vLLM takes it.

    Raises:
        ValueError: from a call, if the server refuses the request, as for a prompt that does not fit its window.
        RuntimeError: from a call, if the server stays away, refuses the key or answers something else.
    """

    def __init__(
        self,
        url: str,
        model: str,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        concurrency: int = 32,
        timeout: float = 300.0,
        tries: int = 5,
        pause: float = 0.5,
        top_k: int = 0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ):
        self.url, self.name, self.max_new_tokens = url.rstrip("/"), model, max_new_tokens
        self.temperature, self.top_p = temperature, top_p
        self.concurrency, self.timeout, self.tries, self.pause = concurrency, timeout, tries, pause
        self.extras = {
            **({"top_k": top_k} if top_k else {}),
            **({"min_p": min_p} if min_p else {}),
            **({"repetition_penalty": repetition_penalty} if repetition_penalty != 1 else {}),
            **({"chat_template_kwargs": dict(chat_template_kwargs)} if chat_template_kwargs else {}),
        }
        self.random: random.Random | None = None
        if "@" in url:
            raise ValueError(f"the address of the server may not hold a password: put a key into {KEY_VARIABLE}")

    def seed(self, value: int) -> None:
        """Send a seed with every request that follows; how well it repeats is the server's business."""
        self.random = random.Random(value)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        """One completion for each chat, in order. The first error ends the call."""
        bodies = [self._body(chat) for chat in chats]
        over, pool = Event(), ThreadPoolExecutor(self.concurrency)
        limits = httpx.Limits(max_connections=self.concurrency)
        with httpx.Client(timeout=self.timeout, headers=key_header(), limits=limits) as client:
            futures = [pool.submit(self._complete, client, body, over) for body in bodies]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                return [future.result() for future in first_failed(done) or futures]
            finally:
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _body(self, chat: Chat) -> dict[str, Any]:
        """A request. Equal chats get seeds of their own: the k trajectories of one reply must differ."""
        body = {
            "model": self.name,
            "messages": chat,
            "max_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            **self.extras,
        }
        return body if self.random is None else {**body, "seed": self.random.getrandbits(31)}

    def _complete(self, client: httpx.Client, body: dict[str, Any], over: Event) -> Completion:
        """One chat, in several tries if need be; no more of them once the call is `over`."""
        for tried in range(1, self.tries + 1):
            try:
                return self._try(client, body)
            except RetryableError as failure:
                if tried == self.tries:
                    raise RuntimeError(f"{self.url}: {failure} (tried {tried} times)") from None
                pause = max(failure.pause, self.pause * 2 ** (tried - 1) * random.uniform(0.5, 1.0))
                if over.wait(min(pause, LONGEST_PAUSE)):
                    break
        raise RuntimeError(f"{self.url}: given up, another request failed")

    def _try(self, client: httpx.Client, body: dict[str, Any]) -> Completion:
        try:
            with client.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                data = self._read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ValueError(f"{self.url}: {str(error).rstrip('.')}; write it like http://localhost:8000/v1") from None
        except httpx.RequestError as error:
            raise RetryableError(f"{type(error).__name__}, is the server up?") from None
        check_status(response, data, self.url)
        return read_completion(data, self.url)

    def _read(self, response: httpx.Response) -> bytes:
        """The whole answer, unless it is too slow or too long."""
        data, deadline = b"", time.monotonic() + self.timeout
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                raise RuntimeError(f"{self.url}: an answer of more than {MAX_BYTES} bytes; lower max_new_tokens")
            if time.monotonic() > deadline:
                raise RetryableError(f"no whole answer within {self.timeout:g} s: raise timeout or lower concurrency")
        return data


def key_header() -> dict[str, str]:
    """The authorisation header, if the environment holds a key."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return {"Authorization": f"Bearer {key}"} if key else {}


def first_failed(done: set[Future]) -> list[Future]:
    """A future that raised, if any did."""
    return [future for future in done if future.exception()][:1]


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
