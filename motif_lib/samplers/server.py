"""Sampling from an OpenAI-compatible server: llama.cpp's, Ollama, `vllm serve`, `transformers serve` or another.

One request a chat, many at a time: the server does the batching. Transient failures are retried with growing pauses
(no connection, time-out, 408, 429, 5xx); all others are one clear line. The server is not trusted: an answer is
bounded in time and in size, and its words are cut and cleaned before they enter a message.

What a request does not name the server takes from elsewhere. So the sampler looks which server it talks to, and tells
it all settings in its own words (`samplers.dialects`).
"""

from __future__ import annotations

import os
import random
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from threading import Event
from typing import Any, TypeVar

import httpx

from motif_lib.samplers.base import Chat, Completion
from motif_lib.samplers.dialects import NEUTRAL, Dialect, recognise
from motif_lib.samplers.progress import report
from motif_lib.samplers.server_answers import KEY_VARIABLE, RetryableError, check_status, read_completion

T = TypeVar("T")
MAX_BYTES = 4_000_000  # of one answer
LONGEST_PAUSE = 30.0  # seconds between two tries, whatever the server asks for
PAGE_SECONDS = 5.0  # for a page that tells which server this is


class ServerSampler:
    """Samples completions over HTTP. A key, where one is needed, is read from the environment: `MOTIF_API_KEY`.

    Args:
        url: base address, such as `http://localhost:8000/v1`.
        model: name of the model, or of a LoRA adapter, on the server.
        max_new_tokens: budget of a reply, in tokens; a number, as servers differ in what they do without one.
        temperature: 0 for greedy decoding.
        top_p: nucleus mass, 1 for all of it.
        concurrency: most requests in flight; None for what suits the kind of server.
        timeout: seconds for one try, from the connection to the last byte.
        tries: tries for one request.
        pause: seconds before the second try; twice as long before each one that follows.
        top_k, min_p, repetition_penalty: as in `Drawing`; a server that is not known is asked for them only where they
            change something, as they are no part of OpenAI's own interface.
        chat_template_kwargs: what the chat template is told, such as `{"enable_thinking": False}`; not for Ollama.

    Raises:
        ValueError: for no budget; from a call, if the server refuses the request, as for a prompt that does not fit its
            window, or would overlook a setting.
        RuntimeError: from a call, if the server stays away, refuses the key or answers something else.
    """

    def __init__(
        self,
        url: str,
        model: str,
        max_new_tokens: int | None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        concurrency: int | None = None,
        timeout: float = 300.0,
        tries: int = 5,
        pause: float = 0.5,
        top_k: int = 0,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ):
        if max_new_tokens is None:
            raise ValueError("the window of a server's model is not known here: give its replies a budget in tokens")
        self.url, self.name, self.max_new_tokens = url.rstrip("/"), model, max_new_tokens
        self.temperature, self.top_p = temperature, top_p
        self.concurrency, self.timeout, self.tries, self.pause = concurrency, timeout, tries, pause
        self.top_k, self.min_p, self.repetition_penalty = top_k, min_p or 0.0, repetition_penalty
        self.chat_template_kwargs = dict(chat_template_kwargs or {})
        self.dialect: Dialect | None = None
        self.random: random.Random | None = None
        if "@" in url:
            raise ValueError(f"the address of the server may not hold a password: put a key into {KEY_VARIABLE}")

    def seed(self, value: int) -> None:
        """Send a seed with every request that follows; how well it repeats is the server's business."""
        self.random = random.Random(value)

    def __call__(self, chats: Sequence[Chat]) -> list[Completion]:
        """One completion for each chat, in order. The first error ends the call."""
        if not chats:
            return []
        over = Event()
        with httpx.Client(timeout=self.timeout, headers=key_header(), limits=httpx.Limits()) as client:
            self.dialect = self.dialect or self._retried(partial(self._recognise, client), over)
            extras = self.dialect.fields({name: getattr(self, name) for name in NEUTRAL}, self.temperature)
            bodies = [self._body(chat, extras) for chat in chats]
            pool = ThreadPoolExecutor(self.concurrency or self.dialect.at_once)
            futures = [pool.submit(self._retried, partial(self._try, client, body), over) for body in bodies]
            try:
                for future in as_completed(futures):
                    self._look_at(future.result())
                return [future.result() for future in futures]
            finally:
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _look_at(self, completion: Completion) -> None:
        """Report a reply, and say so if not its budget but the server's context ended it."""
        report(completion.tokens, self.max_new_tokens, [completion.tokens])
        if not completion.finished and 0 < completion.tokens < self.max_new_tokens:
            said = f"{self.url} cut a reply before its budget was used: start the server with a larger context"
            warnings.warn(said, stacklevel=3)

    def _recognise(self, client: httpx.Client) -> Dialect:
        """Which kind of server this is, by its pages; it has to be up for that."""

        def read(page: str) -> str:
            try:
                response, data = self._ask(client, "GET", page, PAGE_SECONDS)
                if response.status_code == 503:  # llama.cpp while it loads the model
                    check_status(response, data, page)
                return data.decode(errors="replace") if response.status_code == 200 else ""
            except RetryableError:
                if page.endswith("/models"):
                    raise
            except RuntimeError:  # far too long for one of these pages
                pass
            return ""

        return recognise(read, self.url)

    def _body(self, chat: Chat, extras: Mapping[str, Any]) -> dict[str, Any]:
        """A request. Equal chats get seeds of their own: the k trajectories of one reply must differ."""
        body = {
            "model": self.name,
            "messages": chat,
            "max_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            **extras,
        }
        return body if self.random is None else {**body, "seed": self.random.getrandbits(31)}

    def _retried(self, attempt: Callable[[], T], over: Event) -> T:
        """The result of an attempt, retried if need be, but not once the call is `over`."""
        for tried in range(1, self.tries + 1):
            try:
                return attempt()
            except RetryableError as failure:
                if tried == self.tries:
                    raise RuntimeError(f"{self.url}: {failure} (tried {tried} times)") from None
                pause = max(failure.pause, self.pause * 2 ** (tried - 1) * random.uniform(0.5, 1.0))
                if over.wait(min(pause, LONGEST_PAUSE)):
                    break
        raise RuntimeError(f"{self.url}: given up, another request failed")

    def _try(self, client: httpx.Client, body: dict[str, Any]) -> Completion:
        response, data = self._ask(client, "POST", f"{self.url}/chat/completions", self.timeout, json=body)
        check_status(response, data, self.url)
        return read_completion(data, self.url)

    def _ask(
        self, client: httpx.Client, method: str, url: str, timeout: float, **request: Any
    ) -> tuple[httpx.Response, bytes]:
        """A response and the whole of its answer, unless that is too slow or too long."""
        try:
            with client.stream(method, url, timeout=timeout, **request) as response:
                return response, self._read(response, timeout)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ValueError(f"{self.url}: {str(error).rstrip('.')}; write it like http://localhost:8000/v1") from None
        except httpx.RequestError as error:
            raise RetryableError(f"{type(error).__name__}, is the server up?") from None

    def _read(self, response: httpx.Response, timeout: float) -> bytes:
        data, deadline = b"", time.monotonic() + timeout
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                raise RuntimeError(f"{self.url}: an answer of more than {MAX_BYTES} bytes; lower max_new_tokens")
            if time.monotonic() > deadline:
                raise RetryableError(f"no whole answer within {timeout:g} s: raise timeout or lower concurrency")
        return data


def key_header() -> dict[str, str]:
    """The authorisation header, if the environment holds a key."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    return {"Authorization": f"Bearer {key}"} if key else {}
