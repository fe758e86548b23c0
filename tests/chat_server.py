"""A real HTTP server on the loopback address that speaks enough of OpenAI's chat API, and fails on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WINDOW = 400  # words
Answer = Callable[[dict[str, Any], BaseHTTPRequestHandler], tuple[int, Any] | None]


def words(text: str) -> int:
    return len(text.split())


def completion(text: str, reason: str = "stop", tokens: int | None = None, prompt_tokens: int = 0) -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}],
        "usage": {"completion_tokens": words(text) if tokens is None else tokens, "prompt_tokens": prompt_tokens},
    }


def counting(body: dict[str, Any], handler: BaseHTTPRequestHandler) -> tuple[int, Any]:
    """Answers with the first words of the question and of a draw by the seed; cut at the budget, as a model is."""
    prompt = sum(words(message["content"]) for message in body["messages"])
    if prompt + body["max_tokens"] > WINDOW:
        return 400, {"error": {"message": f"maximum context length is {WINDOW} tokens\nand more"}}
    drawn = body.get("seed", 0) if body["temperature"] else 0
    text = f"draw {drawn % 1_000_003} of {body['messages'][-1]['content']}".split()
    cut = text[: body["max_tokens"]]
    return 200, completion(" ".join(cut), "length" if len(cut) < len(text) else "stop", prompt_tokens=prompt)


class Server(ThreadingHTTPServer):
    """Keeps the requests it got, their headers, and the most it had in hand at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer, pages: dict[str, tuple[int, Any]]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.pages, self.lock = answer, pages, threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.busy = self.most_busy = 0
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address) -> None:
        """A client that hung up is no news here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.send(*self.server.pages.get(self.path, (404, {"detail": "Not Found"})))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.headers.append(dict(self.headers))
            self.server.times.append(time.monotonic())
            self.server.busy += 1
            self.server.most_busy = max(self.server.most_busy, self.server.busy)
        given = (
            self.server.answer(body, self) if self.path == "/v1/chat/completions" else (404, {"detail": "Not Found"})
        )
        with self.server.lock:
            self.server.busy -= 1
        if given is not None:
            self.send(*given)

    def send(self, status: int, payload: Any, **headers: str) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(answer: Answer = counting, pages: dict[str, tuple[int, Any]] | None = None):
    """A running `Server`; `pages` are what it has besides the chat API."""
    server = Server(answer, pages or {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
