"""The exercise checks: a stub is "not yet", a right answer "ok", each wrong answer is named; and their runner."""

from __future__ import annotations

import ast
import math
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest
import torch
import wrong_with_futures as futures
import wrong_with_numbers as numbers
import wrong_with_text as text
from notebook_solutions import card_and_stub, solution, solution_code
from torch.nn.functional import cross_entropy

import motif_lib.checks
from motif_lib.carry import MAX_NOTE
from motif_lib.checks import Case, advantage, beyond, context, evaluation, rewards, rounds, run, start, training
from motif_lib.checks.base import SHOWN, same, shown
from motif_lib.classroom.solutions import with_bodies
from motif_lib.grpo import group_advantages
from motif_lib.protocol import read_answer
from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import judge
from motif_lib.rounds import branch
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.verify import verify


def rows(rewards, m):
    return np.array(rewards).reshape(-1, m)


# check, notebook of its folded solution, function to write, wrong answers
TABLE = [
    (start.check_gold_of, "00", "gold_of", text.GOLDS),
    (start.check_replies_per_question, "00", "replies_per_question", numbers.COSTS),
    (start.check_share_right, "00", "share_right", text.SHARES),
    (context.check_room, "01", "room", numbers.ROOMS),
    (context.check_cache_bytes, "01", "cache_bytes", numbers.CACHES),
    (context.check_shortest_window, "01", "shortest_window", numbers.WINDOWS),
    (rounds.check_my_think, "02", "my_think", text.LOOPS),
    (rounds.check_keep_note, "02", "keep_note", text.NOTES),
    (rounds.check_smallest_budget, "02", "smallest_budget", numbers.BUDGETS),
    (rewards.check_format_reward, "03", "format_score", text.FORMATS),
    (rewards.check_is_correct, "03", "is_correct", text.CORRECT),
    (rewards.check_branch, "03", "my_branch", futures.BRANCHES),
    (rewards.check_future_reward, "03", "my_rewards", futures.FUTURES),
    (advantage.check_group_advantages, "04", "my_advantages", numbers.ADVANTAGES),
    (advantage.check_logprobs, "04", "my_logprobs", numbers.LOGPROBS),
    (advantage.check_clipped_loss, "04", "my_loss", numbers.LOSSES),
    (training.check_groups_without_signal, "05", "groups_without_signal", numbers.GROUPS),
    (training.check_silent_by_length, "05", "silent_by_length", text.SILENT),
    (evaluation.check_interval, "06", "interval", numbers.INTERVALS),
    (evaluation.check_p_value, "06", "p_value", numbers.P_VALUES),
    (evaluation.check_share_shown, "06", "share_shown", numbers.SHARES_SHOWN),
    (beyond.check_salvage, "07", "salvage", text.SALVAGES),
    (beyond.check_part_of, "07", "part_of", text.HALVES),
    (beyond.check_tokens_saved, "07", "tokens_saved", text.SAVINGS),
]
# as good as the folded solution: any small eps, any kind of array, the formula instead of scipy, the library's own
ALSO_RIGHT = [
    (advantage.check_group_advantages, lambda rewards: group_advantages(rewards, eps=1e-4).numpy()),
    (advantage.check_group_advantages, lambda rewards: group_advantages(rewards, eps=1e-6).numpy()),
    (advantage.check_group_advantages, lambda rewards: group_advantages(rewards, eps=1e-3).tolist()),
    (advantage.check_group_advantages, numbers.zeros_where_silent),
    (
        advantage.check_group_advantages,
        lambda r: (r - r.mean(1, True)) / (r.var(1, keepdim=True) + 1e-8).sqrt(),
    ),
    (
        advantage.check_logprobs,
        lambda logits, tokens: torch.distributions.Categorical(logits=numbers.before(logits, tokens)).log_prob(tokens),
    ),
    (training.check_silent_by_length, lambda *given: text.by_length(text.one_run_after_the_other(*given))),
    (
        beyond.check_salvage,  # the last line of a reply that ended by itself is whole, and an open answer is one
        lambda reply, finished, before: (
            read_answer(reply, finished) or text.salvage(reply + "\n" * finished, finished, before)
        )[:MAX_NOTE],
    ),
    (
        advantage.check_logprobs,
        lambda logits, tokens: -cross_entropy(numbers.before(logits, tokens).mT, tokens, reduction="none"),
    ),
    (
        advantage.check_clipped_loss,
        lambda new, old, a, mask: numbers.average(
            (-numbers.weighted(new, old, a)).maximum(-(new - old).exp().clamp(0.8, 1.2) * a[:, None]), mask
        ),
    ),
    (training.check_groups_without_signal, lambda rewards, m: float((np.ptp(rows(rewards, m), axis=1) == 0).mean())),
    (training.check_groups_without_signal, lambda rewards, m: float((rows(rewards, m).std(axis=1) < 1e-9).mean())),
    (evaluation.check_interval, numbers.wilson_by_hand),
    (evaluation.check_share_shown, numbers.one_after_the_other),
    (beyond.check_tokens_saved, lambda trajectory: sum(map(text.tokens, text.after_the_box(trajectory)))),
    (rewards.check_format_reward, lambda text: format_reward([text], strict_weight=0.0)[0]),
    (rewards.check_branch, branch),
    (rewards.check_branch, futures.one_by_one),
    (rewards.check_future_reward, lambda *given: [trace.reward for trace in judge(*given)]),
    (rewards.check_is_correct, lambda reply, gold: verify(reply, gold).correct),
    (rewards.check_is_correct, text.compared(math.isclose)),
    (rewards.check_format_reward, text.from_match(text.from_the_end)),
]


@pytest.mark.parametrize("check, notebook, name, wrong", TABLE, ids=[row[0].__name__ for row in TABLE])
def test_a_check_knows_a_stub_the_solution_and_every_wrong_answer(check, notebook, name, wrong):
    assert check(lambda *_: None).status == check(lambda *_: ...).status == "not yet"
    assert check(solution(notebook, name)).status == "ok"
    said = [(message, check(function)) for message, function in wrong]
    unnamed = [
        f"{message!r} is not in: {r}" for message, r in said if r.status != "not quite" or message not in r.message
    ]
    assert wrong and not unnamed, "\n".join(unnamed)


@pytest.mark.parametrize("notebook, name", [row[1:3] for row in TABLE], ids=[row[2] for row in TABLE])
def test_a_solution_is_a_body_and_its_exercise_imports_what_it_needs(notebook, name):
    """A learner who is stuck sees how it is done, and no name of the card is a `NameError`."""
    code = solution_code(notebook, name)
    card, stub = card_and_stub(notebook, name)
    assert name in {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    assert ours(code) <= ours(stub)
    assert f"`{name}" in card and "source:" not in code


def ours(code: str) -> set[str]:
    """The names that a cell imports from the library."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in found if node.module.startswith("motif_lib") for alias in node.names}


def test_a_body_is_that_of_the_library():
    text = with_bodies("Words.\nsource: motif_lib.grpo.group_advantages as mine\nMore.")
    scope = {}
    exec(text[len("Words.\n") : -len("\nMore.")], scope)
    assert same(scope["mine"](torch.eye(3)), group_advantages(torch.eye(3)))
    assert "# (B, m)" in text and "Args:" not in text and "Tensor" not in text and "source:" not in text
    with pytest.raises(AttributeError):
        with_bodies("source: motif_lib.grpo.no_such_function")


@pytest.mark.parametrize("check, function", ALSO_RIGHT)
def test_another_right_answer_is_ok_too(check, function):
    assert check(function).status == "ok"


def test_every_check_is_in_the_table():
    topics = [import_module(f"motif_lib.checks.{module.name}") for module in iter_modules(motif_lib.checks.__path__)]
    checks = {value for topic in topics for name, value in vars(topic).items() if name.startswith("check_")}
    assert checks == {row[0] for row in TABLE}


# --- the runner

CASES = [
    Case("divide by the number of values", lambda f: f([1, 2, 6]), 3.0),
    Case(lambda got: f"an empty list gives 0.0, not {got}", lambda f: f([]), 0.0),
]


def unfinished(values):
    raise NotImplementedError


@pytest.mark.parametrize(
    "function, line",
    [
        pytest.param(lambda v: None, "not yet: mean gives nothing back; fill it in and run this cell again", id="None"),
        pytest.param(lambda v: ..., "not yet: mean gives nothing back", id="Ellipsis"),
        pytest.param(unfinished, "not yet: mean gives nothing back", id="NotImplementedError"),
        pytest.param(lambda v: sum(v) / 2, "not quite: divide by the number of values (wanted 3, got 4.5)", id="value"),
        pytest.param(
            lambda v: sum(v) / len(v) if v else -1,
            "not quite: an empty list gives 0.0, not -1 (wanted 0, got -1)",
            id="a later case, mistake named by the value",
        ),
        pytest.param(
            lambda v: v + 1,
            'not quite: mean([1, 2, 6]) raised TypeError: can only concatenate list (not "int") to list',
            id="raised",
        ),
        pytest.param(3.0, "not quite: pass the function itself, not 3", id="result instead of function"),
        pytest.param(lambda v: sum(v) / max(1, len(v)), "ok: mean passes 2 hard cases", id="ok"),
    ],
)
def test_verdict_is_one_line(capsys, function, line):
    result = run("mean", function, CASES)
    printed = capsys.readouterr().out
    assert printed == f"{result}\n" and printed.count("\n") == 1
    assert printed.startswith(line)
    assert result.status == line.partition(":")[0]


@pytest.mark.parametrize(
    "function, said",
    [
        (lambda a, b: a + b, "add([1, 2], 'three') raised TypeError: can only concatenate list"),
        (lambda a, b: {}[b], "add([1, 2], 'three') raised KeyError: 'three'"),
        (lambda a, b: a.clear() or {}[b], "add([1, 2], 'three') raised KeyError"),  # the input as it was
        (lambda a, b: len(a), "add([1, 2], 'three') gives 2, and that raises TypeError: object of type 'int'"),
        (lambda a, b: print(a, end=""), "add gives None every time: is a `return` missing?"),
    ],
)
def test_a_crash_shows_the_input_that_did_it(function, said):
    cases = [Case("a mistake that it is not", lambda f: len(f([1, 2], "three")), 5)]
    if "None" in said:
        cases = [Case("a mistake that it is not", lambda f: f([1, 2], "three"), 5)]
    result = run("add", function, cases)
    assert result.status == "not quite" and result.message.startswith(said)


def test_what_a_crash_means_comes_first_where_the_case_knows_it():
    cases = [Case("wrong", lambda f: f(torch.ones(2, 1)), 1.0, broken="a hint"), Case("wrong", lambda f: f(Lines()), 2)]
    said = run("one", lambda x: x.no, cases).message
    assert said == "a hint; one([[1], [1]]) raised AttributeError: 'Tensor' object has no attribute 'no'"
    assert run("one", lambda x: 1.0 if len(x) else 0, cases).message.startswith("one(one two) raised TypeError")
    assert (
        "(a ScriptedSampler)" in run("one", lambda x: 1 / 0, [Case("", lambda f: f(ScriptedSampler(len)), 1)]).message
    )


def test_a_right_value_is_not_enough_if_the_arguments_are_changed():
    cases = [Case("the least of them", lambda f: f([3, 1, 2]), 1)]
    assert run("least", lambda values: sorted(values)[0], cases).status == "ok"
    said = run("least", lambda values: values.sort() or values[0], cases).message
    assert said == "least([3, 1, 2]) changes what it is given: make a new value of it instead"
    assert run("least", lambda values: values.sort() or values[1], cases).message.startswith("the least of them")
    doubled = run("doubled", lambda r: r.mul_(2), [Case("twice", lambda f: f(torch.ones(2)), [2.0, 2.0])])
    assert doubled.message.startswith("doubled([1, 1]) changes what it is given")


def test_a_stub_is_not_blamed_for_what_the_case_does_with_none():
    assert run("pair", lambda: None, [Case(lambda got: got[1], lambda f: [f()], ["two"])]).status == "not yet"


def test_a_value_that_the_case_did_not_think_of():
    unhashable = Case(lambda got: {1: "one"}.get(got, "another number"), lambda f: f(), 2)
    assert run("number", lambda: [1], [unhashable]).message == "not a list like this (wanted 2, got [1])"


def test_none_may_be_a_right_answer_but_not_the_only_one():
    cases = [Case("None if it cannot be graded", lambda f: f("?"), None), Case("right", lambda f: f("1"), 1.0)]
    assert run("grade", lambda text: None, cases).status == "not yet"
    assert run("grade", lambda text: float(text) if text.isdigit() else None, cases).status == "ok"
    assert run("grade", lambda text: 1.0, cases).message.startswith("None if it cannot be graded (wanted None")


@pytest.mark.parametrize(
    "got, wanted, equal",
    [
        (0.1 + 0.2, 0.3, True),
        (3, 3.0, True),
        (True, 1, False),
        (0.0, None, False),
        ("3", 3.0, False),
        ((1.0, [2.0]), [1, (2,)], True),
        ([1.0], [1.0, 2.0], False),
        ({"a": 1e-9}, {"a": 0.0}, True),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_same(got, wanted, equal):
    assert same(got, wanted) is equal


def test_tensors_are_compared_and_shown_as_lists():
    assert same(torch.tensor([[0.5, 1.5]]), [[0.5, 1.5]]) and not same(torch.tensor([0.5]), [[0.5]])
    assert shown(torch.tensor([0.1, 2.0])) == "[0.1, 2]"
    assert shown("x" * 1000).endswith("…") and len(shown("x" * 1000)) == SHOWN and "\n" not in shown(Lines())


class Lines:
    def __repr__(self) -> str:
        return "one\ntwo"
