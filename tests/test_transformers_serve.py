"""ServerSampler against the real `transformers serve`, in this process. It skips where `transformers[serving]` is not.

`MOTIF_REAL_MODEL=FOLDER` names a model to try besides motif-tiny.
"""

import os
import socket
import time

import httpx
import pytest

from motif_lib.evaluate import evaluate
from motif_lib.models.load import TINY_FOLDER, load_model
from motif_lib.protocol import messages
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.server import ServerSampler
from motif_lib.tasks import load_task

for package in ("fastapi", "uvicorn", "openai"):
    pytest.importorskip(package, reason="pip install 'transformers[serving]' to run it")

CHATS = [messages(f"{name} has 12 apples and buys {n}. How many now?", 1, 3) for name, n in (("Ann", 5), ("Ben", 7))]
FOLDERS = [str(TINY_FOLDER), *filter(None, [os.environ.get("MOTIF_REAL_MODEL")])]


@pytest.fixture(scope="module")
def url():
    from transformers.cli.serve import Serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Serve(host="127.0.0.1", port=port, device="cpu", dtype="float32", non_blocking=True)
    for _ in range(100):
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/v1"
    server.kill_server()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("folder", FOLDERS)
def test_greedy_replies_and_counts_are_those_of_the_model_here(url, folder):
    """The same chat template, no setting of the model's own, the end token counted, the cut seen."""
    model, tokenizer = load_model(folder)
    for budget in (3, 40):
        there = ServerSampler(url, folder, budget, 0)
        assert there(CHATS) == LocalSampler(model.float(), tokenizer, budget, 0)(CHATS)
    assert there.dialect.name == "transformers serve"


def test_it_draws_and_a_seed_repeats(url):
    """motif-tiny's files do not ask for sampling: without our generation config each reply would be the greedy one."""
    asker, drawn = ServerSampler(url, FOLDERS[0], 40, 1.5), []
    for seed in (1, 1, 2):
        asker.seed(seed)
        drawn.append(asker(CHATS[:1] * 3))
    assert drawn[0] == drawn[1] != drawn[2] and len({reply.text for reply in drawn[0]}) > 1


def test_an_evaluation_is_that_of_the_model_here(url):
    questions = load_task("ledger", size=3, seed=0)
    here = evaluate(questions, LocalSampler(*load_model(), 60, 0), 2, progress=False)
    there = evaluate(questions, ServerSampler(url, FOLDERS[0], 60, 0), 2, progress=False)
    assert there.items == here.items
