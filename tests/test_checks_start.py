"""The checks of notebook 00: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import pytest
from notebook_solutions import solution

from motif_lib.checks import start


def gold(cut=lambda answer: answer.rpartition("####")[2], comma="", strip=str.strip):
    return lambda answer: strip(cut(answer)).replace(",", comma)


GOLDS = {
    "text, not a number": lambda answer: int(gold()(answer)),
    "the mark is still in it": gold(cut=lambda answer: answer),
    "this is the work": gold(cut=lambda answer: answer.partition("####")[0]),
    "a thousands separator": gold(comma=","),
    "white space": gold(strip=lambda text: text[1:]),
    "the last one counts": gold(cut=lambda answer: answer.split("####")[1]),
    "the sign": gold(strip=lambda text: text.strip(" -\n")),
}
COSTS = {
    "once for every trajectory": lambda m, k, n: m * k * n,
    "round 1 is left out": lambda m, k, n: m * k * (n - 1),
    "after the first, not n (": lambda m, k, n: m * (1 + k * n),
    "not n - 2": lambda m, k, n: m * (1 + k * (n - 2)),
    "trajectories are missing": lambda m, k, n: m * n,
    "multiply by m": lambda m, k, n: m + k * (n - 1),
    "not one": lambda m, k, n: m * (1 + k),
    "branches once": lambda m, k, n: m * k ** (n - 1),
    "whatever k is": lambda m, k, n: 26 if n == 5 else m * k,
}


def test_stubs_and_solutions():
    assert start.check_gold_of(lambda _: None).status == "not yet"
    assert start.check_replies_per_question(lambda *_: None).status == "not yet"
    assert start.check_gold_of(solution("00", "gold_of")).status == "ok"
    assert start.check_replies_per_question(solution("00", "replies_per_question")).status == "ok"


@pytest.mark.parametrize("named, wrong", GOLDS.items(), ids=GOLDS)
def test_mistakes_with_the_gold(named, wrong):
    result = start.check_gold_of(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", COSTS.items(), ids=COSTS)
def test_mistakes_with_the_cost(named, wrong):
    result = start.check_replies_per_question(wrong)
    assert result.status == "not quite" and named in result.message


def test_the_library_costs_the_same(tmp_path):
    from motif_lib.training.config import MotifConfig

    sizes = dict(num_generations=8, num_trajectories=4, num_rounds=3, per_device_train_batch_size=8)
    config = MotifConfig(str(tmp_path), **sizes, use_cpu=True, bf16=False)
    assert start.check_replies_per_question(lambda m, k, n: m * (1 + k * (n - 1))).status == "ok"
    assert config.replies_per_question == 72
