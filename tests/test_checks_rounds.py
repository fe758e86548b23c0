"""The checks of notebook 02: a stub is "not yet", the solution "ok", and each likely mistake is named."""

from __future__ import annotations

import pytest
from notebook_solutions import solution

from motif_lib.carry import MAX_NOTE, full_history, memory, progress_note
from motif_lib.checks import rounds
from motif_lib.protocol import NO_NOTE, messages, read_answer


def loop(
    first=1,
    told=lambda round: round,
    total=lambda num_rounds: num_rounds,
    note=lambda text, old: read_answer(text) or NO_NOTE,
    progress=lambda note: note,
    give=lambda texts: texts[-1],
    calls=lambda num_rounds: num_rounds,
):
    """A learner's loop, with room for one mistake."""

    def my_think(question, sampler, num_rounds):
        carried, texts = None, []
        for round in range(first, first + calls(num_rounds)):
            chat = messages(question, told(round), total(num_rounds), progress(carried))
            texts.append(sampler([chat])[0].text)
            carried = note(texts[-1], carried)
        return give(texts)

    return my_think


def one_chat(question, sampler, num_rounds):
    chat = []
    for round in range(1, num_rounds + 1):
        chat += messages(question, round, num_rounds, None)
        text = sampler([chat])[0].text
    return text


def unbatched(question, sampler, num_rounds):
    return sampler(messages(question, 1, num_rounds))[0].text


LOOPS = {
    "call the sampler num_rounds times": loop(calls=lambda num_rounds: num_rounds - 1),
    "counted from 1": loop(first=0),
    "the same round": loop(told=lambda round: 1),
    "the wrong rounds": loop(told=lambda round: round + 1),
    "how many there are": loop(total=lambda num_rounds: num_rounds + 1),
    "a fresh context": one_chat,
    "never reaches": loop(progress=lambda note: None),
    "the whole reply": loop(note=lambda text, old: text),
    "of round 1: take a new note": loop(note=lambda text, old: old or read_answer(text)),
    "old notes pile up": loop(note=lambda text, old: f"{old}\n{read_answer(text)}"),
    "not an empty text": loop(progress=lambda note: note or ""),
    "round 1 sees none": loop(note=lambda text, old: "my note"),
    "the reply of round 1": loop(give=lambda texts: texts[0]),
    "give the whole last reply": loop(give=lambda texts: read_answer(texts[-1])),
    "give the text of the last reply": loop(give=tuple),
    "looks like a first round": loop(note=lambda text, old: read_answer(text)),
    "the unfinished reasoning": loop(note=lambda text, old: read_answer(text) or text),
    "without an answer hands on NO_NOTE": loop(note=lambda text, old: read_answer(text) or "none"),
    "lives for one round": loop(note=lambda text, old: read_answer(text) or old or NO_NOTE),
    "there is one call": loop(calls=lambda num_rounds: max(2, num_rounds)),
    "sampler([chat])": unbatched,
}
NOTES = {
    "stays for ever": lambda reply, finished, previous: previous or progress_note(reply, finished, previous),
    "not the reasoning": lambda reply, finished, previous: reply if finished else previous,
    "in front of": lambda reply, finished, previous: f"{previous} {read_answer(reply) or ''}".strip(),
    "thrown away": progress_note,
    "leaves the note of the round before": lambda *given: read_answer(given[0]) or given[0],
    "no note before": lambda reply, finished, previous: read_answer(reply) or previous,
    "cut off after its answer": lambda *given: memory(*given) if given[1] else given[2] or NO_NOTE,
    "two answers": lambda reply, *given: memory(
        reply.partition("</answer>")[0] + "</answer>" * ("<an" in reply), *given
    ),
    "not bounded": lambda reply, finished, previous: read_answer(reply) or previous or NO_NOTE,
}


def test_stubs_and_solutions():
    assert rounds.check_my_think(lambda *_: None).status == "not yet"
    assert rounds.check_keep_note(lambda *_: None).status == "not yet"
    assert rounds.check_my_think(solution("02", "my_think")).status == "ok"
    assert rounds.check_keep_note(solution("02", "keep_note")).status == "ok"


@pytest.mark.parametrize("named, wrong", LOOPS.items(), ids=LOOPS)
def test_mistakes_with_the_loop(named, wrong):
    result = rounds.check_my_think(wrong)
    assert result.status == "not quite" and named in result.message


@pytest.mark.parametrize("named, wrong", NOTES.items(), ids=NOTES)
def test_mistakes_with_the_note(named, wrong):
    result = rounds.check_keep_note(wrong)
    assert result.status == "not quite" and named in result.message


def test_other_carries_are_not_mistaken_for_a_memory():
    assert rounds.check_keep_note(full_history).status == "not quite"
    assert rounds.check_keep_note(lambda *given: memory(*given)[: MAX_NOTE - 1]).status == "not quite"
