"""ServerSampler in the dialects of the servers that people have: what each is told, and what it answers.

llama.cpp's answers are recorded ones of its own server with Qwen2.5-Coder-0.5B-Instruct, a context of 256 tokens and
one slot. `MOTIF_SERVER=http://localhost:8080/v1 pytest tests/test_dialects.py -k recorded` records them anew.
"""

import json
import os
import warnings
from pathlib import Path

import httpx
import pytest
from chat_server import completion, serving

from motif_lib.samplers.server import KEY_VARIABLE, ServerSampler

RECORDED = Path(__file__).parent / "data_llama_cpp.jsonl"
PAGES = ("/v1/models", "/", "/openapi.json")
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+3?"}]
MORE = {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2, "chat_template_kwargs": {"enable_thinking": False}}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def models(owner):
    return {"/v1/models": (200, {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}]})}


VLLM, LLAMA_CPP = models("vllm"), models("llamacpp")
OLLAMA = {**models("library"), "/": (200, b"Ollama is running")}
TRANSFORMERS = {"/v1/models": (200, {"data": []}), "/openapi.json": (200, {"paths": {"/load_model": {}}})}


@pytest.mark.parametrize(
    "pages, silent, told",
    [
        ({}, {}, MORE),
        (models("someone"), {}, MORE),
        (VLLM, {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "chat_template_kwargs": {}}, MORE),
        (
            LLAMA_CPP,
            {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "chat_template_kwargs": {}},
            {"top_k": 7, "min_p": 0.1, "repeat_penalty": 1.2, "chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            TRANSFORMERS,
            {
                "generation_config": '{"do_sample": true, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}',
                "chat_template_kwargs": {},
            },
            {
                "generation_config": '{"do_sample": true, "top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2}',
                "chat_template_kwargs": {"enable_thinking": False},
            },
        ),
        (OLLAMA, {}, None),
    ],
    ids=["silent", "unknown", "vllm", "llama.cpp", "transformers", "ollama"],
)
def test_a_server_is_told_every_setting_by_its_own_name(pages, silent, told):
    with serving(lambda body, handler: (200, completion("fine")), pages) as server:
        ServerSampler(server.url, "m", 5)([CHAT])
        plain = {"model": "m", "messages": CHAT, "max_tokens": 5, "temperature": 1.0, "top_p": 1.0}
        assert server.bodies.pop() == {**plain, **silent}
        if told:
            ServerSampler(server.url, "m", 5, **MORE)([CHAT])
            assert server.bodies.pop() == {**plain, **told}


@pytest.mark.parametrize("name", MORE)
def test_what_ollama_would_overlook_is_refused(name):
    with serving(pages=OLLAMA) as server:
        with pytest.raises(ValueError, match=f"Ollama overlooks {name} in a request: leave it out"):
            ServerSampler(server.url, "m", 5, **{name: MORE[name]})([CHAT])
        assert not server.bodies


def test_ollamas_answers_by_its_documents():
    """Its `openai/openai.go`: thinking apart from the content, a reason that may be null."""
    given = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp_ollama",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "5", "reasoning": "2+3"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 26, "completion_tokens": 8, "total_tokens": 34},
    }  # fmt: skip
    with serving(lambda body, handler: (200, given), OLLAMA) as server:
        (whole,) = ServerSampler(server.url, "m", 8)([CHAT])
        given["choices"][0]["finish_reason"] = None
        (cut,) = ServerSampler(server.url, "m", 8)([CHAT])
        assert (whole.text, whole.finished, whole.tokens, whole.prompt_tokens) == ("5", True, 8, 26)
        assert not cut.finished


def test_a_server_that_is_loading_its_model_is_waited_for():
    """Else it would be taken for one that is not known."""
    pages = {"/v1/models": (503, {"error": {"message": "Loading model", "code": 503}})}

    def answer(body, handler):
        return 200, completion("fine")

    with serving(answer, pages) as server:
        asker = ServerSampler(server.url, "m", 5, tries=2, pause=0.01)
        with pytest.raises(RuntimeError, match=r"status 503: Loading model \(tried 2 times\)"):
            asker([CHAT])
        pages.update(LLAMA_CPP)
        asker([CHAT])
        assert server.bodies[0]["repeat_penalty"] == 1.0


def test_a_page_that_is_broken_is_only_not_known():
    pages = {"/v1/models": (500, b"oops"), "/": (200, b" " * 5_000_000), "/openapi.json": (200, b"\xff[")}
    with serving(lambda body, handler: (200, completion("fine")), pages) as server:
        asker = ServerSampler(server.url, "m", 5)
        assert asker([CHAT])[0].text == "fine" and asker.dialect.name == "other"


def test_a_context_that_ends_a_reply_before_its_budget_is_told():
    with serving(lambda body, handler: (200, completion("1 2 3", "length"))) as server:
        with pytest.warns(UserWarning, match="cut a reply before its budget was used: start the server with a larger"):
            ServerSampler(server.url, "m", 5)([CHAT])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ServerSampler(server.url, "m", 3)([CHAT])


def exchange(url):
    """The calls that are recorded."""

    def asker(budget, temperature, **more):
        return ServerSampler(url, "qwen", budget, temperature, concurrency=1, **more)

    drawn = asker(12, 1.0)
    drawn.seed(5)
    first = drawn([CHAT, CHAT])
    drawn.seed(5)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        short = asker(300, 0)([[{"role": "user", "content": "Write the numbers from 1 to 200, with commas."}]])[0]
    with pytest.raises(ValueError) as refused:
        asker(5, 0)([[{"role": "user", "content": "word " * 300}]])
    return {
        "greedy": asker(24, 0)([CHAT])[0],
        "cut": asker(3, 0)([CHAT])[0],
        "drawn": first,
        "again": drawn([CHAT, CHAT]),
        "penalised": asker(24, 0, repetition_penalty=1.9)([CHAT])[0],
        "templated": asker(24, 0, chat_template_kwargs={"enable_thinking": False})([CHAT])[0],
        "short": short,
        "warned": [str(warning.message) for warning in seen],
        "refused": str(refused.value),
    }


def record(url):
    """Talk to a real server and keep all of it."""
    pages, chats = {}, []
    for page in PAGES:
        answer = httpx.get(url.removesuffix("/v1") + page)
        pages[page] = [answer.status_code, answer.text[: None if page.endswith("models") else 200]]

    def forward(body, handler):
        answer = httpx.post(f"{url}/chat/completions", json=body, timeout=300)
        chats.append({"request": body, "status": answer.status_code, "answer": answer.json()})
        return answer.status_code, answer.content

    with serving(forward, as_bytes(pages)) as server:
        exchange(server.url)
    RECORDED.write_text("".join(json.dumps(line) + "\n" for line in (pages, *chats)))


def as_bytes(pages):
    return {page: (status, text.encode()) for page, (status, text) in pages.items()}


def test_a_recorded_exchange_with_llama_cpp():
    if url := os.environ.get("MOTIF_SERVER"):
        record(url)
    pages, *chats = map(json.loads, RECORDED.read_text().splitlines())

    def answer(body, handler):
        found = next((i for i, chat in enumerate(chats) if chat["request"] == body), None)
        return (404, b"not recorded") if found is None else (chats[found]["status"], chats.pop(found)["answer"])

    with serving(answer, as_bytes(pages)) as server:
        given = exchange(server.url)
    assert not chats
    assert given["greedy"].finished and "5" in given["greedy"].text and given["greedy"].prompt_tokens > 20
    assert (given["cut"].finished, given["cut"].tokens) == (False, 3)
    assert given["greedy"].text.startswith(given["cut"].text)
    assert given["again"] == given["drawn"] and given["drawn"][0] != given["drawn"][1]
    assert given["penalised"].text != given["greedy"].text == given["templated"].text
    assert not given["short"].finished and given["short"].tokens < 300 and "larger context" in given["warned"][0]
    assert "exceeds the available context size" in given["refused"]
