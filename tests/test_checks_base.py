"""The runner of the exercise checks: its three verdicts and the lines it prints."""

from __future__ import annotations

import pytest

from motif_lib.checks import Case, run
from motif_lib.checks.base import SHOWN, same, shown

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
            'not quite: raised TypeError: can only concatenate list (not "int") to list '
            "(the case: divide by the number of values)",
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
    import torch

    assert same(torch.tensor([[0.5, 1.5]]), [[0.5, 1.5]]) and not same(torch.tensor([0.5]), [[0.5]])
    assert shown(torch.tensor([0.1, 2.0])) == "[0.1, 2]"
    assert shown("x" * 1000).endswith("…") and len(shown("x" * 1000)) == SHOWN and "\n" not in shown(Lines())


class Lines:
    def __repr__(self) -> str:
        return "one\ntwo"
