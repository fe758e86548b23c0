"""Thinking trees by hand: a scripted sampler that says what it is told to, in order; a reply is one or two words."""

import pytest

from motif_lib.evaluate import evaluate
from motif_lib.evaluate.statistics import wilson
from motif_lib.evaluate.trees import grow, majority_note, tree_report
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.samplers.base import Completion, ScriptedSampler

QUESTION = Question("Start 1. Add 2.", "3", id="q")


def saying(*answers):
    turn = iter(answers)
    return ScriptedSampler(lambda chat: Completion(f"<answer>{next(turn)}</answer>", True, 10, 100))


def notes(tree):
    return [[reply.carried for reply in leaf.replies[:-1]] for leaf in tree.leaves]


def test_the_full_tree_by_hand():
    """2 notes, 3 answers from each: 2 + 6 replies; the answers 3, 5, 5, 3, 3.0, 7 vote for 3, which has three votes."""
    answers = [rf"\boxed{{{x}}}" for x in ("3", "5", "5", "3", "3.0", "7")]
    sampler = saying("a", "b", *answers)
    tree = grow([QUESTION], sampler, (2, 3))[0]
    assert sampler.calls == [2, 6]
    assert notes(tree) == [["a"]] * 3 + [["b"]] * 3
    assert tree.answer is tree.leaves[0] and (tree.tokens, tree.prompt_tokens) == (80, 800)
    assert "<progress>\nb\n</progress>" in tree.leaves[5].replies[1].prompt[1]["content"]


def test_the_most_frequent_note_is_carried_on_and_the_dropped_ones_are_paid():
    """3 notes, of which one is kept, and 2 answers: 5 replies."""
    sampler = saying("Sum 2", "sum  3", "Sum 3", r"\boxed{4}", r"\boxed{3}")
    tree = grow([QUESTION], sampler, (3, 2), keep=majority_note)[0]
    assert sampler.calls == [3, 2]
    assert notes(tree) == [["sum  3"]] * 2 and tree.tokens == 50


def test_a_missing_note_has_no_vote():
    sampler = saying("", "", "Sum 3", r"\boxed{3}")
    assert notes(grow([QUESTION], sampler, (3, 1), keep=majority_note)[0]) == [["Sum 3"]]


def test_your_own_keep():
    """A beam of 2: after every round the two longest notes go on."""
    longest = lambda ts: sorted(ts, key=lambda t: -len(t.replies[-1].carried))[:2]  # noqa: E731
    sampler = saying("a", "aaa", "aa", "b", "bbb", "bb", "c", r"\boxed{1}", r"\boxed{2}")
    tree = grow([QUESTION], sampler, (3, 2, 1), keep=longest)[0]
    assert sampler.calls == [3, 4, 2]
    assert notes(tree) == [["aaa", "bbb"], ["aa", "bb"]]


def test_a_branch_that_has_stopped_is_one_leaf_and_asks_no_more():
    sampler = saying(r"\boxed{3}", "on", r"\boxed{4}", r"\boxed{4}")
    tree = grow([QUESTION], sampler, (2, 2, 2), stop=boxed)[0]
    assert sampler.calls == [2, 2] and [len(leaf.replies) for leaf in tree.leaves] == [1, 2, 2]
    assert tree.answer is tree.leaves[1] and tree.tokens == 40


def test_self_consistency_is_the_vote_that_evaluate_takes():
    """widths (3, 1) against `samples=3` and `voted`: the same replies, the same answers, the same cost."""
    questions = [QUESTION, Question("Start 2. Add 2.", "4", id="r")]
    final = [rf"\boxed{{{x}}}" for x in (3, 3, 1, 5, 5, 4)]
    report = tree_report(grow(questions, saying(*["note"] * 6, *final), (3, 1)), "vote")
    voted = evaluate(questions, saying(*["note"] * 6, *final), 2, samples=3, progress=False).voted()
    assert [item.correct for item in report.items] == [item.correct for item in voted.items] == [(True,), (False,)]
    assert report.accuracy == voted.accuracy == wilson(1, 2)
    assert report.tokens_per_question == voted.tokens_per_question == 60


def test_a_tree_without_any_answer_is_wrong():
    tree = grow([QUESTION], saying("a", "", ""), (1, 2))[0]
    assert tree_report([tree], "none").accuracy.value == 0


@pytest.mark.parametrize("widths", [(), (2, 0)])
def test_wrong_widths_say_what_to_change(widths):
    with pytest.raises(ValueError, match="at least 1"):
        grow([QUESTION], saying(), widths)


def test_a_keep_that_keeps_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one has to go on"):
        grow([QUESTION], saying("a", "b"), (1, 1), keep=lambda trajectories: [])
