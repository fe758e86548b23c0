"""The checks of notebook 05: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import pytest
from notebook_solutions import solution

from motif_lib.checks import training
from motif_lib.studies.demo import smoothed


def stub(*_):
    return None


def groups(rewards, m):
    return [rewards[i : i + m] for i in range(0, len(rewards), m)]


def share(flags):
    flags = list(flags)
    return sum(flags) / len(flags)


GROUPS = {
    "not every m-th": lambda rewards, m: share(
        len(set(rewards[i :: len(rewards) // m])) == 1 for i in range(len(rewards) // m)
    ),
    "right throughout": lambda rewards, m: share(not any(group) for group in groups(rewards, m)),
    "whole batch": lambda rewards, m: float(len(set(rewards)) == 1),
    "not their number": lambda rewards, m: float(sum(len(set(group)) == 1 for group in groups(rewards, m))),
    "at any value": lambda rewards, m: share(
        sum(group) in (0, m, 2 * m) and len(set(group)) == 1 for group in groups(rewards, m)
    ),
}
SMOOTHED = {
    "one value for each step": lambda values, w: [sum(values[i - w : i]) / w for i in range(w, len(values) + 1)],
    "divide by how many": lambda values, w: [sum(values[max(0, i + 1 - w) : i + 1]) / w for i in range(len(values))],
    "look back only": lambda values, w: [mean(values[max(0, i - w // 2) : i + w // 2 + 1]) for i in range(len(values))],
    "older than `width`": lambda values, w: [mean(values[: i + 1]) for i in range(len(values))],
    "not the mean": lambda values, w: [sorted(values[max(0, i + 1 - w) : i + 1])[0] for i in range(len(values))],
}


def mean(values):
    return sum(values) / len(values)


def test_stubs_and_solutions():
    assert training.check_groups_without_signal(stub).status == "not yet"
    assert training.check_smoothed(stub).status == "not yet"
    assert training.check_groups_without_signal(solution("05", "groups_without_signal")).status == "ok"
    assert training.check_smoothed(smoothed).status == "ok"


@pytest.mark.parametrize("named, wrong", GROUPS.items(), ids=GROUPS)
def test_mistakes_with_groups(named, wrong):
    result = training.check_groups_without_signal(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", SMOOTHED.items(), ids=SMOOTHED)
def test_mistakes_with_smoothing(named, wrong):
    result = training.check_smoothed(wrong)
    assert result.status == "not quite" and named in result.message
