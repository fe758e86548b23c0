"""ServerSampler against a real server on the loopback address: slow, wrong, absent and hostile ones."""

import socket
import threading
import time

import pytest
from chat_server import completion, serving

from motif_lib.samplers.server import KEY_VARIABLE, ServerSampler

KEY = "sk-secret-of-the-test"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def chat(text="How many?"):
    return [{"role": "user", "content": text}]


def sampler(server, **changes):
    return ServerSampler(server.url, "m", 50, **{"timeout": 5.0, "tries": 3, "pause": 0.01, **changes})


def then_good(*failures):
    """An answer that fails in turn, then is good."""
    left = list(failures)
    return lambda body, handler: left.pop(0)(handler) if left else (200, completion("fine"))


def hang_up(handler):
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def cut_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    hang_up(handler)


def drip(handler):
    """One byte at a time: no single read times out, the whole answer never comes."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize(
    "failure",
    [
        lambda h: (429, {"error": {"message": "slow down"}}),
        lambda h: (500, b"<html>oops"),
        lambda h: (503, b""),
        lambda h: (408, b""),
        hang_up,
        cut_short,
        lambda h: h.send(200, b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["429", "500", "503", "408", "hang up", "cut short", "garbled"],
)
def test_what_passes_is_tried_again(failure):
    with serving(then_good(failure, failure)) as server:
        assert sampler(server)([chat()])[0].text == "fine"
        assert len(server.bodies) == 3 and server.bodies[0] == server.bodies[2]


@pytest.mark.parametrize("slow", [lambda h: time.sleep(30), drip], ids=["silent", "dripping"])
def test_a_slow_answer_times_out_and_is_tried_again(slow):
    with serving(then_good(slow)) as server:
        started = time.monotonic()
        assert sampler(server, timeout=0.3)([chat()])[0].text == "fine"
        assert time.monotonic() - started < 15  # the answer itself takes 30 s


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://localhost/v1", "localhost", "http://[::1/v1"])
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(ValueError, match="write it like http://localhost:8000/v1"):
        ServerSampler(url, "m", 50, pause=100)([chat()])


def test_tries_are_bounded_and_the_last_error_is_told():
    with serving(lambda body, handler: (500, {"error": {"message": "out of memory\n\x1b[31mred"}})) as server:
        with pytest.raises(RuntimeError, match=r"status 500: out of memory  ?\[31mred \(tried 3 times\)") as error:
            sampler(server)([chat()])
        assert len(server.bodies) == 3 and "\n" not in str(error.value) and "\x1b" not in str(error.value)


@pytest.mark.slow
def test_pauses_grow_and_the_servers_wish_is_kept():
    with serving(lambda body, handler: (503, b"")) as server:
        with pytest.raises(RuntimeError):
            sampler(server, tries=4, pause=0.1)([chat()])
        gaps = [b - a for a, b in zip(server.times, server.times[1:])]
        assert 0.05 <= gaps[0] and 0.1 <= gaps[1] and 0.2 <= gaps[2]
    with serving(then_good(lambda h: h.send(429, b"", Retry_After="1"))) as server:
        sampler(server)([chat()])
        assert server.times[1] - server.times[0] >= 1


@pytest.mark.parametrize(
    "status, payload, error, message",
    [
        (400, {"error": {"message": "maximum context length is 400 tokens"}}, ValueError, "refuses .* length is 400"),
        (422, {"detail": [{"msg": "bad"}]}, ValueError, "refuses the request"),
        (401, {"error": {"message": f"wrong key {KEY}"}}, RuntimeError, f"set {KEY_VARIABLE}"),
        (404, b"no such model", RuntimeError, "no such model; is this the base address"),
        (302, b"", RuntimeError, "status 302"),
        (200, b"{not json", RuntimeError, "not a chat completion"),
        (200, b"", RuntimeError, "not a chat completion"),
        (200, [1, 2], RuntimeError, "not a chat completion"),
        (200, b"[" * 100_000, RuntimeError, "not a chat completion"),
        (200, {"choices": []}, RuntimeError, "not a chat completion"),
        (200, {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}, RuntimeError, "with its usage"),
        (200, completion(7, tokens=1), RuntimeError, "not a chat completion"),
        (200, completion("x", tokens="many"), RuntimeError, "not a chat completion"),
        (200, b" " * 5_000_000, RuntimeError, "more than 4000000 bytes"),
    ],
)
def test_what_will_not_pass_is_one_short_line_at_once(status, payload, error, message, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with serving(lambda body, handler: (status, payload)) as server:
        with pytest.raises(error, match=message) as caught:
            sampler(server)([chat()])
        assert len(server.bodies) == 1
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400 and KEY not in str(caught.value)


def test_nobody_there():
    with serving() as server:
        absent = sampler(server, tries=2)
    with pytest.raises(RuntimeError, match=r"ConnectError, is the server up\? \(tried 2 times\)"):
        absent([chat()])


@pytest.mark.parametrize("url", ["localhost:8000/v1", "http://[bad", "ftp://localhost/v1"])
def test_an_address_that_is_none(url):
    with pytest.raises((ValueError, RuntimeError), match="localhost:8000/v1|ftp://|bad") as error:
        ServerSampler(url, "m", 5, tries=1)([chat()])
    assert "\n" not in str(error.value)


def test_one_failure_ends_the_call_without_waiting_for_the_rest():
    def answer(body, handler):
        if body["messages"][0]["content"] == "bad":
            return 400, b"no"
        time.sleep(0.2)
        return 200, completion("fine")

    with serving(answer) as server:
        started = time.monotonic()
        with pytest.raises(ValueError, match="refuses the request: no"):
            sampler(server, concurrency=2)([chat("bad"), *[chat()] * 50])
        assert time.monotonic() - started < 1.5
        time.sleep(0.5)
        assert len(server.bodies) < 10


def test_no_request_goes_on_waiting_after_a_failure():
    """Else a program that ends would hang until the last pause is over."""

    def answer(body, handler):
        if body["messages"][0]["content"] == "bad":
            time.sleep(0.2)
            return 400, b"no"
        return handler.send(503, b"", Retry_After="20")

    def waiting():
        return [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]

    with serving(answer) as server:
        with pytest.raises(ValueError, match="refuses the request"):
            sampler(server)([chat(), chat("bad")])
        time.sleep(0.3)
        assert not waiting()


def test_the_key_comes_from_the_environment_and_is_never_shown(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with serving(lambda body, handler: (500, f"I was sent {KEY}".encode())) as server:
        asker = sampler(server, tries=1)
        with pytest.raises(RuntimeError, match=r"I was sent \*\*\*") as error:
            asker([chat()])
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
        assert KEY not in f"{error.value} {asker!r} {vars(asker)}"
    monkeypatch.delenv(KEY_VARIABLE)
    with serving() as server:
        sampler(server)([chat()])
        assert "Authorization" not in server.headers[0]


def test_concurrency_is_used_and_bounded():
    def answer(body, handler):
        time.sleep(0.05)
        return 200, completion(body["messages"][0]["content"])

    with serving(answer) as server:
        texts = [c.text for c in sampler(server, concurrency=4)([chat(f"q{i}") for i in range(24)])]
        assert texts == [f"q{i}" for i in range(24)] and 2 <= server.most_busy <= 4


@pytest.mark.slow
def test_more_in_flight_than_httpx_allows_by_itself():
    def answer(body, handler):
        time.sleep(1.0)
        return 200, completion("fine")

    with serving(answer) as server:
        sampler(server, concurrency=150, timeout=30.0)([chat()] * 150)
        assert server.most_busy > 100


def test_a_password_in_the_address_is_refused():
    with pytest.raises(ValueError, match="may not hold a password") as error:
        ServerSampler(f"http://me:{KEY}@localhost/v1", "m", 5)
    assert KEY not in str(error.value)


def test_what_is_asked_for():
    with serving() as server:
        asker = sampler(server, temperature=0.8, top_p=0.95)
        asker([chat(), chat()])
        assert server.bodies[0] == {
            "model": "m", "messages": chat(), "max_tokens": 50, "temperature": 0.8, "top_p": 0.95,
        }  # fmt: skip
        asker.seed(3)
        asker([chat(), chat()])
        assert server.bodies[2]["seed"] != server.bodies[3]["seed"]  # trajectories from one reply must differ


def test_settings_beyond_openais_are_sent_where_they_change_something():
    more = {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2, "chat_template_kwargs": {"enable_thinking": False}}
    with serving() as server:
        sampler(server, **more)([chat()])
        sampler(server)([chat()])
        assert server.bodies[0] == {**server.bodies[1], **more} and not more.keys() & server.bodies[1].keys()


def test_null_content_and_other_reasons_to_stop():
    with serving(lambda body, handler: (200, completion(None, "content_filter", 0))) as server:
        (given,) = sampler(server)([chat()])
        assert (given.text, given.finished) == ("", False)


def test_the_eval_command_asks_a_server():
    from typer.testing import CliRunner

    from motif_lib.cli import app

    command = ["eval", "ledger", "--size", "4", "--rounds", "2", "--model", "m", "--temperature", "0", "--server"]
    with serving() as server:
        result = CliRunner().invoke(app, [*command, server.url])
        assert result.exit_code == 0 and len(server.bodies) == 8
        pinned = CliRunner().invoke(app, [*command, server.url, "--revision", "v1"])
        assert pinned.exit_code == 1 and "no --revision" in str(pinned.exception) and len(server.bodies) == 8
        refused = CliRunner().invoke(app, [*command, server.url, "--adapter", "a"])
        assert refused.exit_code == 1 and len(server.bodies) == 8
