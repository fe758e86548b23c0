"""The MOTIF reward by hand: a scripted policy whose futures are known."""

import itertools

import pytest

from motif_lib.protocol import messages, reply_text
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.rewards.future import FutureAccuracy, mean_outcome, outcomes_of
from motif_lib.rounds import boxed, think
from motif_lib.samplers.base import ScriptedSampler

ROWS = {"question": ["A?", "A?", "B?", "B?"], "gold": ["1", "1", "2", "2"], "task": ["ledger"] * 4}
PROMPTS = [messages(q, 1, 3) for q in ROWS["question"]]


def completions(*notes):
    return [[{"role": "assistant", "content": reply_text("r", note)}] for note in notes]


def policy(answers):
    """Round 2 hands the note on; round 3 answers by it, taking turns where the script gives several answers."""
    turns = {note: itertools.cycle(given) for note, given in answers.items()}

    def answer(chat):
        user = chat[1]["content"]
        note = user.split("<progress>\n")[1].split("\n</progress>")[0]
        return reply_text("r", note if "Round 2" in user else f"\\boxed{{{next(turns[note])}}}")

    return ScriptedSampler(answer)


def test_rewards_of_two_questions_by_hand():
    """k = 4. good: 4 of 4 right, half: 2 of 4, for question A (gold 1); bad: 0 of 4, most: 3 of 4, for B (gold 2)."""
    sampler = policy({"good": [1], "half": [1, 9], "bad": [1], "most": [2, 2, 2, 7]})
    logged = {}
    reward = FutureAccuracy(sampler, num_trajectories=4, num_rounds=3)
    found = reward(PROMPTS, completions("good", "half", "bad", "most"), log_metric=logged.__setitem__, **ROWS)
    assert found == [2.0, 1.0, 0.0, 1.5]
    assert sampler.calls == [16, 16]  # two batched calls: rounds 2 and 3 of all 4 x 4 trajectories
    assert logged["motif/accuracy"] == pytest.approx((2 + 1 + 0 + 1.5) / 4 / 2)
    assert logged["motif/group_spread"] == pytest.approx((0.5 + 0.75) / 2)
    assert logged["motif/groups_without_signal"] == 0


def test_a_group_of_equal_rewards_is_counted_as_without_signal():
    logged = {}
    reward = FutureAccuracy(policy({"good": [1], "bad": [3]}), 2, 3)
    reward(PROMPTS, completions("good", "good", "good", "bad"), log_metric=logged.__setitem__, **ROWS)
    assert logged["motif/groups_without_signal"] == 1


def test_one_round_judges_the_reply_itself():
    def unused(chat):
        raise AssertionError("no later round exists")

    reward = FutureAccuracy(ScriptedSampler(unused), 4, num_rounds=1)
    assert reward(PROMPTS, completions("\\boxed{1}", "\\boxed{2}", "\\boxed{2}", "no"), **ROWS) == [2.0, 0.0, 2.0, 0.0]


def test_a_branch_in_the_last_round_is_its_own_outcome():
    """credit="any" may start at round 3: nothing is left to roll out."""
    from motif_lib.rounds import advance

    start = [Trajectory(Question("A?", "1"), ())] * 2
    for _ in range(2):
        start = advance(start, ScriptedSampler(lambda chat: reply_text("r", "half")), 3)
    sampler = policy({})
    reward = FutureAccuracy(sampler, 4, 3)
    assert reward(PROMPTS[:2], completions("\\boxed{1}", "\\boxed{5}"), start=start) == [2.0, 0.0]
    assert sampler.calls == []


def test_a_reply_that_stops_is_judged_by_its_own_note():
    """It is not rolled out, where round 2 would have spoiled it; nor is a start that had stopped before."""
    sampler = policy({"half": [1, 9]})
    reward = FutureAccuracy(sampler, 4, 3, stop=boxed)
    columns = {column: values[:2] for column, values in ROWS.items()}
    assert reward(PROMPTS[:2], completions("\\boxed{1}", "half"), **columns) == [2.0, 1.0]
    assert sampler.calls == [4, 4]
    over = think([Question("A?", "1")], ScriptedSampler(lambda chat: reply_text("r", "\\boxed{1}")), 3, stop=boxed)
    assert reward(PROMPTS[:1], completions("\\boxed{7}"), start=over) == [2.0]


def test_traces_are_handed_on():
    kept = []
    reward = FutureAccuracy(policy({"good": [1]}), 3, 3, on_traces=kept.extend)
    reward(PROMPTS[:1], completions("good"), **{column: values[:1] for column, values in ROWS.items()})
    assert len(kept) == 1 and len(kept[0].trajectories) == 3 and kept[0].reward == 2.0


@pytest.mark.parametrize("outcomes, mean", [([2, 0, None], 1.0), ([None, None], None), ([2, 2, 0, 0], 1.0)])
def test_outcomes_that_cannot_be_graded_are_left_out(outcomes, mean):
    assert mean_outcome(outcomes) == mean


def test_every_question_is_graded_by_the_rules_of_its_own_task():
    """x + y is LaTeX: as a number it cannot be graded. 7 apples are a number: in LaTeX they are a product."""
    asked = [Question("?", "7", "gsm8k"), Question("?", "x + y", "math500"), Question("?", "1000", "aime2024")]
    answers = ["7 apples", "y + x", "1000"]
    replies = [Reply(1, [], rf"\boxed{{{answer}}}", "", True) for answer in answers]
    trajectories = [Trajectory(question, (reply,)) for question, reply in zip(asked, replies)]
    assert outcomes_of(trajectories) == [2.0, 2.0, 0.0]
    assert outcomes_of(trajectories[::-1]) == [0.0, 2.0, 2.0] and outcomes_of([]) == []


def test_a_completion_without_its_end_token_is_recorded_as_cut():
    """Token 2 ends a reply; a carry that looks at `finished` and the traces see which one was cut off."""
    traces, seen = [], []

    def carry(reply, finished, previous):
        seen.append(finished)
        return "note"

    reward = FutureAccuracy(
        ScriptedSampler(lambda chat: "1"), 1, 2, carry, ended=lambda ids: ids[-1] == 2, on_traces=traces.extend
    )
    reward(PROMPTS[:2], completions("a", "b"), question=["A?"] * 2, gold=["1"] * 2, task=["ledger"] * 2,
           completion_ids=[[5, 6, 2], [5, 6]])  # fmt: skip
    firsts = [trace.trajectories[0].replies[0] for trace in traces]
    assert seen == [True, False] == [reply.finished for reply in firsts] and [r.tokens for r in firsts] == [3, 2]
