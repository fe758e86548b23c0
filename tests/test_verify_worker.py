"""The worker: hostile input costs at most its limit; threads, forks, interrupts and a killed parent leave no mess."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from motif_lib.protocol import reply_text
from motif_lib.verify import verify, verify_many
from motif_lib.verify.pool import BATCH_LIMIT, Pool, Worker

pytestmark = pytest.mark.slow

EASY = (r"2\sqrt{2}", r"\sqrt{8}")
TOWER = ("2k", "9^{9^{9^{9}}}")

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def pool():
    pool = Pool(size=1, cpu_limit=1.0)
    pool.grade(EASY)
    yield pool
    pool.stop()


def pid(pool: Pool) -> int:
    return pool.workers[0].process.pid


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_is_started_once_and_reused(pool):
    before = pid(pool)
    assert pool.grade_many([EASY, (r"2\sqrt{2}", r"\sqrt{7}"), EASY]) == [
        (True, "equal by math-verify"),
        (False, "not equal by math-verify"),
        (True, "equal by math-verify"),
    ]
    assert pid(pool) == before


def test_a_tower_of_powers_costs_its_limit_and_the_next_pair_is_graded(pool):
    before, start = pid(pool), time.monotonic()
    correct, reason = pool.grade(TOWER)
    assert correct is False and reason.startswith("stopped: the answer needs over 1 s")
    assert time.monotonic() - start < 35
    assert pool.grade(EASY)[0] is True
    assert pid(pool) == before or not hasattr(os, "fork"), "the grader is forked again, sympy is not imported again"


def test_a_batch_of_towers_is_bounded_and_an_easy_answer_keeps_its_turn(monkeypatch):
    assert BATCH_LIMIT <= 12, "what the towers of a batch may cost"
    monkeypatch.setattr("motif_lib.verify.pool.BATCH_LIMIT", 6.0)
    towers = [("2k", f"{n}^{{9^{{9^{{9}}}}}}") for n in range(2, 10)]
    pool, start = Pool(size=2), time.monotonic()
    try:
        grades = pool.grade_many([*towers, EASY])
    finally:
        pool.stop()
    assert [correct for correct, _ in grades] == [False] * 8 + [True]
    assert time.monotonic() - start < 30  # computes for 10 s, on one core or two; 40 s without a limit for the batch


@linux
def test_memory_is_bounded():
    pool = Pool(size=1, memory_limit=400 << 20)
    try:
        pool.grade(EASY)
        with open(f"/proc/{pid(pool)}/limits") as limits:
            assert f"{400 << 20}" in next(line for line in limits if line.startswith("Max address space"))
        assert pool.grade(("2k", "2^{2^{40}}"))[0] is not True  # 128 GiB of integer
        assert pool.grade(EASY)[0] is True
    finally:
        pool.stop()


def test_a_worker_that_dies_is_replaced(pool):
    pool.workers[0].process.kill()
    pool.workers[0].process.wait()
    assert pool.grade(EASY)[0] is True


@linux
def test_a_worker_that_is_killed_at_work_is_replaced_and_the_pair_is_asked_again(pool, monkeypatch):
    """Someone else, such as the system when memory is short, kills it in the middle of a pair."""
    start, killed = Worker._start, []

    def kill_soon(self):
        start(self)
        if len(killed) < kills:
            os.killpg(self.process.pid, signal.SIGSTOP)  # so that it cannot answer first
            killed.append(self.process.pid)
            threading.Timer(0.3, os.killpg, (self.process.pid, signal.SIGKILL)).start()

    monkeypatch.setattr(Worker, "_start", kill_soon)
    for kills, expected in ((1, True), (2, False)):
        pool.stop()
        killed.clear()
        assert pool.grade(EASY)[0] is expected
        assert len(killed) == kills and not any(map(is_running, killed))
    assert pool.grade(EASY)[0] is True


def test_an_interrupt_does_not_shift_the_answers(pool, monkeypatch):
    def interrupt(self, line, seconds):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Worker, "_exchange", interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.grade((r"2\sqrt{2}", r"\sqrt{7}"))
    assert pool.grade(EASY)[0] is True


def test_a_worker_that_cannot_start_says_how_to_see_why(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RuntimeError, match="did not start; to see why, run: .*worker.py"):
        Pool(size=1).grade(EASY)


def test_threads_share_the_workers():
    results = {}

    def grade(n: int) -> None:
        results[n] = verify(rf"\boxed{{\sqrt{{{n * n * 2}}}}}", rf"{n}\sqrt{{2}}", "math500").correct

    threads = [threading.Thread(target=grade, args=(n,)) for n in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(2, 10), True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_its_own_workers():
    assert verify(r"\boxed{\sqrt{8}}", r"2\sqrt{2}", "math500").correct
    code = (
        "import os; from motif_lib.verify import verify\n"
        r"ask = lambda n: verify(r'\boxed{\sqrt{%d}}' % (2 * n * n), r'%d\sqrt{2}' % n, 'math500').correct"
        "\nassert ask(2); child = os.fork()\n"
        "results = [ask(n) for n in range(3, 9)]\n"
        "os._exit(results != [True] * 6) if child == 0 else None\n"
        "print(results == [True] * 6, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "0"], done.stderr


@linux
@pytest.mark.parametrize("answer", [EASY[1], TOWER[1]], ids=["idle", "busy"])
def test_no_orphan_when_the_parent_is_killed(answer):
    code = (
        "from motif_lib.verify import pool\n"
        "import threading, time\n"
        "pool._pool = pool.Pool(cpu_limit=2.0)\n"
        f"pool.grade_many([({EASY[0]!r}, {EASY[1]!r})])\n"
        f"threading.Thread(target=pool.grade_many, args=([('2k', {answer!r})],), daemon=True).start()\n"
        "time.sleep(0.3); print(next(w.process.pid for w in pool._pool.workers if w.process), flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 90
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(worker)


BIG = 1_000_000
HOSTILE = [
    r"\boxed{" * (BIG // 7),
    r"\boxed{" * 1_000 + "5" + "}" * 1_000,
    "{" * BIG,
    r"\boxed{" + "{" * 400 + "5" + "}" * 400 + "}",
    r"\boxed{" + "9" * BIG + "}",
    r"\boxed{" + "9" * 900 + "}",
    "<answer>" * (BIG // 8),
    "</answer>" * (BIG // 9),
    "<answer>" + "<answer>" * 2_000,
    r"\boxed{1e999999999}",
    r"\boxed{1" + ",000" * 200 + "}",
    r"\boxed{" + "1/" * 400 + "1}",
    r"\boxed{" + " " * 990 + "}",
    r"\boxed{" + "a " * 490 + "1}",
    r"\boxed{5" + " a" * 490 + "1}",
    r"\boxed{\text{" + "a" * 900 + "}",
    "\x00\ud800\u202e<answer>\\boxed{\ud83d}</answer>",
    r"\boxed{__import__('os').system('false')}",
]


def test_hostile_text_is_wrong_at_once_where_answers_are_numbers():
    start = time.monotonic()
    for text in HOSTILE:
        assert verify(text, "5", "gsm8k").correct in (False, text.startswith(r"\boxed{" * 9) and "5" in text), text[:40]
        assert verify(reply_text("...", text), "5", "aime2024").correct in (True, False), text[:40]
    assert time.monotonic() - start < 20


def test_hostile_latex_is_bounded(monkeypatch):
    monkeypatch.setattr("motif_lib.verify.pool._pool", Pool(size=2, cpu_limit=1.0))
    towers = [r"\boxed{9^{9^{9^{9}}}}", r"\boxed{10000000!}", r"\boxed{\sum_{n=1}^{10^{9}} \sin n}"]
    nested = [r"\boxed{" + r"\sqrt{" * 90 + "2" + "}" * 90 + "}", r"\boxed{" + "(" * 400 + "x" + ")" * 400 + "}"]
    replies = [*HOSTILE, *towers, *nested]
    verdicts = verify_many(replies, [r"\frac{x}{2}"] * len(replies), "math500")
    assert all(verdict.correct in (False, None) for verdict in verdicts)
    assert verify(r"\boxed{\sqrt{8}}", r"2\sqrt{2}", "math500").correct is True
