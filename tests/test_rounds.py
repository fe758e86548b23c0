"""One question worked through by hand with a scripted sampler: every prompt, note and outcome is asserted.

The scripted model solves "Start 1. Add 2. Add 3. Add 4." one step a round: round 1 gives 3, round 2 gives 6, round 3
gives 10. A note that it cannot read makes it start again.
"""

from dataclasses import replace

import pytest

from motif_lib.protocol import NO_NOTE, reply_text
from motif_lib.records import Question, Trajectory
from motif_lib.rounds import boxed, branch, roll_out, think
from motif_lib.samplers.base import Completion, ScriptedSampler

QUESTION = Question("Start 1. Add 2. Add 3. Add 4.", "10", id="by-hand")
STEPS = {NO_NOTE: "Sum 3", "Sum 3": "Sum 6", "Sum 6": "\\boxed{10}"}


def note_in(chat):
    user = chat[1]["content"]
    return user.split("<progress>\n")[1].split("\n</progress>")[0] if "<progress>" in user else NO_NOTE


def scripted():
    return ScriptedSampler(lambda chat: reply_text("adding", STEPS[note_in(chat)]))


def test_three_rounds_by_hand():
    sampler = scripted()
    trajectory = think([QUESTION], sampler, num_rounds=3)[0]
    assert [r.round for r in trajectory.replies] == [1, 2, 3]
    assert [r.prompt[1]["content"] for r in trajectory.replies] == [
        "Start 1. Add 2. Add 3. Add 4.\nRound 1 of 3.",
        "Start 1. Add 2. Add 3. Add 4.\n<progress>\nSum 3\n</progress>\nRound 2 of 3.",
        "Start 1. Add 2. Add 3. Add 4.\n<progress>\nSum 6\n</progress>\nRound 3 of 3. "
        "Last round: give the final answer.",
    ]
    assert [r.carried for r in trajectory.replies] == ["Sum 3", "Sum 6", ""]
    assert trajectory.final == reply_text("adding", "\\boxed{10}")
    assert trajectory.tokens == 7 + 7 + 6  # words of the three replies: "Sum 3" is two
    assert sampler.calls == [1, 1, 1]


def test_a_batch_takes_one_call_a_round():
    sampler = scripted()
    think([QUESTION] * 5, sampler, num_rounds=3)
    assert sampler.calls == [5, 5, 5]


def test_each_trajectory_can_stop_at_a_round_of_its_own():
    """The notes are those of three rounds, so that any of them can go on; all that go further share a call."""
    sampler = scripted()
    begun = roll_out([Trajectory(QUESTION, ())] * 4, sampler, 3, until=[0, 2, 1, 3])
    assert [len(t.replies) for t in begun] == [0, 2, 1, 3] and sampler.calls == [3, 2, 1]
    assert [t.replies[-1].carried for t in begun[1:3]] == ["Sum 6", "Sum 3"]
    assert {t.final for t in roll_out(begun, scripted(), 3)} == {reply_text("adding", "\\boxed{10}")}


def test_one_round_is_plain_sampling():
    sampler = ScriptedSampler(lambda chat: "only")
    trajectory = think([QUESTION], sampler, num_rounds=1)[0]
    assert trajectory.final == "only" and trajectory.replies[0].carried == ""


def test_branching_shares_the_first_reply_and_rolls_out_k_times():
    first = think([QUESTION], scripted(), 3)[0].replies[:1]
    sampler = scripted()
    groups = branch([Trajectory(QUESTION, first)] * 2, sampler, num_trajectories=4, num_rounds=3)
    assert [len(g) for g in groups] == [4, 4] and sampler.calls == [8, 8]
    assert all(t.replies[0] == first[0] and len(t.replies) == 3 for g in groups for t in g)


def test_branching_from_a_finished_trajectory_gives_it_back():
    done = think([QUESTION], scripted(), 3)
    sampler = scripted()
    assert branch(done, sampler, 4, 3) == [done] and sampler.calls == []


def test_a_cut_off_reply_carries_only_the_marker():
    sampler = ScriptedSampler(lambda chat: Completion("<reasoning>\n1+2=3 and then", finished=False, tokens=5))
    replies = think([QUESTION], sampler, 2)[0].replies
    assert replies[0].carried == NO_NOTE and not replies[0].finished
    assert "1+2=3" not in replies[1].prompt[1]["content"]


SHORT = Question("Start 2. Add 1.", "3", id="short")


def two_lengths():
    """SHORT is boxed in round 1; QUESTION takes three rounds. Whoever is asked after its box spoils it."""

    def answer(chat):
        note = note_in(chat)
        if chat[1]["content"].startswith(SHORT.text):
            return reply_text("adding", "\\boxed{3}" if note == NO_NOTE else "\\boxed{99}")
        return reply_text("adding", STEPS[note])

    return ScriptedSampler(answer)


def test_each_question_stops_when_its_note_is_boxed():
    sampler = two_lengths()
    short, long = think([SHORT, QUESTION], sampler, 5, stop=boxed)
    assert [len(short.replies), len(long.replies)] == [1, 3]
    assert sampler.calls == [2, 1, 1]  # who has stopped is asked no more, and all are done before the cap of 5
    assert "\\boxed{3}" in short.final and "\\boxed{10}" in long.final


def test_without_a_stop_rule_every_round_is_asked():
    short = think([SHORT], two_lengths(), 2)[0]
    assert len(short.replies) == 2 and "\\boxed{99}" in short.final


def test_the_cap_ends_a_trajectory_that_never_says_it_is_done():
    assert len(think([QUESTION], scripted(), 2, stop=boxed)[0].replies) == 2


def test_branching_from_a_stopped_trajectory_gives_it_back():
    short = think([SHORT], two_lengths(), 1)[0]
    short = Trajectory(SHORT, (replace(short.replies[0], carried="\\boxed{3}"),))
    groups = branch([short, Trajectory(QUESTION, ())], two_lengths(), 4, 3, stop=boxed)
    assert groups[0] == [short] and len(groups[1]) == 4


@pytest.mark.parametrize("call", [lambda: think([QUESTION], scripted(), 0), lambda: branch([], scripted(), 0)])
def test_zero_rounds_or_trajectories_are_refused(call):
    with pytest.raises(ValueError, match="at least one"):
        call()
