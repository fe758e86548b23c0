"""The checks of notebook 07: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import re

import pytest
from notebook_solutions import solution

from motif_lib.carry import progress_note
from motif_lib.checks import beyond
from motif_lib.protocol import NO_NOTE, read_answer
from motif_lib.verify.extract import boxes

LINE = r"^day (\w+) .*=(\d+)\n"


def salvage(reply, finished, previous, line=LINE, which=-1, fallback=True, bound=2000, keep=False):
    if note := read_answer(reply):
        return note[:bound]
    if keep and previous:
        return previous
    found = re.findall(line, reply, re.MULTILINE)
    if found:
        return f"{found[which][1]} after day {found[which][0]}"
    return (previous or NO_NOTE) if fallback else NO_NOTE


def with_options(**options):
    return lambda reply, finished, previous: salvage(reply, finished, previous, **options)


CARRIES = {
    "as `progress_note` does": lambda reply, finished, previous: reply[-120:],
    "a reply without an answer": progress_note,
    "19 has become 1": with_options(line=r"^day (\w+) .*=(\d+)$"),
    "first whole line": with_options(which=0),
    "this is the change": with_options(line=r"^day (\w+) \w+ (\d+)=\d+\n"),
    "leaves the note as it was": with_options(fallback=False),
    "replaces the old note": with_options(keep=True),
    "say NO_NOTE": lambda *given: "" if salvage(*given) == NO_NOTE else salvage(*given),
    "bound the note": with_options(bound=None),
}


def saved(
    trajectory,
    after=1,
    pick=0,
    seen=lambda reply: boxes(reply.carried),
    count=lambda replies: sum(r.tokens for r in replies),
):
    hits = [i for i, reply in enumerate(trajectory.replies) if seen(reply)]
    return count(trajectory.replies[hits[pick] + after :]) if hits else 0


def saving(**options):
    return lambda trajectory: saved(trajectory, **options)


SAVINGS = {
    "saves nothing": saving(seen=lambda reply: boxes(read_answer(reply.text) or ""), after=0),
    "has to be paid": saving(after=0),
    "first boxed note, not at the last": saving(pick=-1),
    "tokens, not rounds": saving(count=len),
    "a box in the reasoning": saving(seen=lambda reply: reply.carried and boxes(reply.text)),
}


def test_stubs_and_solutions():
    assert beyond.check_salvage(lambda *_: None).status == "not yet"
    assert beyond.check_tokens_saved(lambda _: None).status == "not yet"
    assert beyond.check_salvage(solution("07", "salvage")).status == "ok"
    assert beyond.check_tokens_saved(solution("07", "tokens_saved")).status == "ok"


@pytest.mark.parametrize("named, wrong", CARRIES.items(), ids=CARRIES)
def test_mistakes_with_carry(named, wrong):
    result = beyond.check_salvage(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", SAVINGS.items(), ids=SAVINGS)
def test_mistakes_with_savings(named, wrong):
    result = beyond.check_tokens_saved(wrong)
    assert result.status == "not quite" and named in result.message
