"""A carry that asks for its notes in a call of its own: batched, counted, recorded; nothing changes without one."""

import json
import random
from collections import Counter
from dataclasses import replace
from unittest.mock import Mock

import pytest
from test_trainer import asked, build

from motif_lib.carry import asking_with_room, asks, capped, memory, name_of, progress_note, summarise
from motif_lib.credit import roll_in
from motif_lib.evaluate import Report, evaluate
from motif_lib.evaluate.trees import grow, tree_report
from motif_lib.protocol import NO_NOTE, reply_text
from motif_lib.records import Question, Reply, Trajectory, read_traces, to_json
from motif_lib.rewards.format import format_reward
from motif_lib.rewards.future import FutureAccuracy
from motif_lib.rewards.note import NoteReward
from motif_lib.rounds import boxed, branch, ended, summary_prompt, think
from motif_lib.samplers.base import Completion, ScriptedSampler

ASKED = "is over. Write your progress note."
CUT = Completion("<reasoning>\n1 + 2 = 3, </progress><|im_end|> and", False, 7, 20)
QUESTION = Question("Ann?", "3")


def solver(chat):
    """Every reply is cut off; a summary names its round, costs 5 tokens and reads 30."""
    user = chat[-1]["content"]
    if ASKED not in user:
        return Completion(r"\boxed{3}", True, 4, 10) if "Last round" in user else CUT
    return Completion(f"<answer>sum of {user.splitlines()[-1][:7]}</answer>", True, 5, 30)


def test_a_call_of_its_own_writes_the_note_also_of_a_reply_that_was_cut():
    sampler = ScriptedSampler(solver)
    (trajectory,) = think([QUESTION], sampler, 3, summarise)
    one, two, three = trajectory.replies
    assert (one.carried, two.carried, three.carried) == ("sum of Round 1", "sum of Round 2", "")
    assert "sum of Round 1" in two.prompt[-1]["content"] and one.text == CUT.text and three.summary is None
    user = two.summary.prompt[-1]["content"]
    assert "<progress>\nsum of Round 1\n</progress>" in user and user.count("<") == 4  # hostile text opens no tag
    assert "1 + 2 = 3, ‹/progress>‹|im_end|›" in user and "<progress>" not in one.summary.prompt[-1]["content"]
    assert think([QUESTION], ScriptedSampler(solver), 3, progress_note)[0].replies[0].carried == NO_NOTE


def test_the_summaries_of_a_round_are_one_batch():
    sampler = ScriptedSampler(solver)
    done = think([QUESTION] * 5, sampler, 3, summarise)
    assert sampler.calls == [5, 5, 5, 5, 5]  # two rounds with their notes, and the last round
    sampler.calls.clear()
    begun = [Trajectory(QUESTION, t.replies[:1]) for t in done[:2]]
    branch(begun, sampler, 4, 3, summarise)
    assert sampler.calls == [8, 8, 8]  # the note that is there is not written again
    sampler.calls.clear()
    think([QUESTION] * 5, sampler, 1, summarise)
    assert sampler.calls == [5]


def test_a_summary_without_an_answer_leaves_what_memory_would_carry():
    def silent(chat):
        user = chat[-1]["content"]
        return "no idea" if ASKED in user else reply_text("r", "mine") if "Round 1 of" in user else CUT

    one, two = think([QUESTION], ScriptedSampler(silent), 3, summarise)[0].replies[:2]
    assert one.carried == two.carried == "mine" and one.summary.text == two.summary.text == "no idea"


def test_a_stop_rule_reads_the_note_of_the_summary():
    boxing = lambda chat: r"<answer>\boxed{3}</answer>" if ASKED in chat[-1]["content"] else CUT  # noqa: E731
    (trajectory,) = think([QUESTION], ScriptedSampler(boxing), 4, summarise, boxed)
    assert len(trajectory.replies) == 1 and trajectory.replies[0].carried == r"\boxed{3}"


def test_its_tokens_are_counted_and_it_is_read_back(tmp_path):
    report = evaluate([QUESTION], ScriptedSampler(solver), 3, carry=summarise, path=tmp_path, progress=False)
    (item,) = report.items
    assert item.tokens == (2 * (7 + 5) + 4,) and item.prompt_tokens == (2 * (20 + 30) + 10,)
    assert Report.load(tmp_path) == report and report.settings["carry"] == "summarise"
    (line,) = (tmp_path / "items.jsonl").read_text().splitlines()
    one, _, three = json.loads(line)["replies"]
    assert one["summary"]["tokens"] == 5 and "summary" not in three and "summary" not in one["summary"]
    (tree,) = grow([replace(QUESTION, id="a")], ScriptedSampler(solver), (2, 1, 1), summarise)
    assert tree_report([tree], "").items[0].tokens == (2 * item.tokens[0],)


def test_a_record_without_a_summary_is_written_as_it_always_was():
    reply = Reply(1, [], "text", "note", True, 3, 2)
    fields = ["round", "prompt", "text", "carried", "finished", "prompt_tokens", "tokens"]
    assert list(json.loads(to_json(reply))) == fields
    assert list(json.loads(to_json(replace(reply, summary=reply)))["summary"]) == fields


def test_a_cap_and_a_window_hold_for_it_too(tokenizer):
    assert name_of(carry := capped(summarise, tokenizer, 3)) == "capped(summarise, 3)"
    note = think([QUESTION], ScriptedSampler(solver), 2, carry)[0].replies[0].carried
    assert note.endswith("Round 1") and 0 < len(tokenizer(note)["input_ids"]) <= 3
    narrow = ScriptedSampler(solver)
    narrow.leaves_room = lambda chats: [ASKED not in chat[-1]["content"] for chat in chats]
    (item,) = evaluate([QUESTION], narrow, 3, carry=summarise, progress=False).items
    assert narrow.calls == [1, 1, 1] and item.tokens == (2 * 7 + 4,)  # no call that would not fit
    assert asking_with_room(memory, narrow) is memory


def test_your_own_carry_may_ask():
    @asks(lambda trajectory, n: [{"role": "user", "content": f"shorten: {trajectory.replies[-1].text}"}])
    def short(reply, finished, previous):
        return f"{reply} was {previous}" if previous else reply

    sampler = ScriptedSampler(lambda chat: "short" if "shorten: long" in chat[-1]["content"] else "long")
    assert think([QUESTION], sampler, 2, short)[0].replies[0].carried == "short was long"


def test_the_reward_asks_for_the_note_of_the_trained_reply_and_counts_its_cost():
    logged, sampler, traces = {}, ScriptedSampler(solver), []
    reward = FutureAccuracy(sampler, 3, 2, summarise, on_traces=traces.extend)
    columns = {"question": ["Ann?"], "gold": ["3"], "task": ["ledger"]}
    assert reward([[]], ["<reasoning>"], log_metric=logged.__setitem__, **columns) == [2.0]
    assert sampler.calls == [1, 3] and logged["motif/later_tokens"] == 5 + 3 * 4 and logged["motif/later_replies"] == 4
    assert traces[0].trajectories[2].replies[0].carried == "sum of Round 1"


def trained_texts(trainer, tokenizer):
    """The texts that the loss of a training to come falls on, prompts included; a row of weight 0 is left out."""
    trained = []

    def watch(module, args, kwargs):
        if module.training and "logits_to_keep" in kwargs:
            trained.extend(tokenizer.batch_decode(kwargs["input_ids"]))

    trainer.model.register_forward_pre_hook(watch, with_kwargs=True)
    return trained


@pytest.mark.parametrize(
    "credit, which, notes",
    [("first", "all", {False}), ("all", "reasoning", {False}), ("all", "note", {True}), ("all", "all", {False, True}),
     ("any", "note", {True})],
)  # fmt: skip
def test_a_training_samples_summaries_and_trains_them_or_not(random_model, tokenizer, tmp_path, credit, which, notes):
    settings = dict(credit=credit, trained_tokens=which, seed=1)
    trainer = build(random_model, tokenizer, tmp_path, given={"carry": summarise}, **settings)
    seen, trained, batches = asked(trainer, tokenizer), trained_texts(trainer, tokenizer), []
    score = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: batches.append(score(inputs)) or batches[-1]
    trainer.train()
    assert batches and not any("tool_mask" in batch for batch in batches)  # whole replies and whole notes
    assert any(ASKED in prompt for prompt, _, _ in seen) and {ASKED in text for text in trained} == notes
    replies = [r for t in read_traces(tmp_path / "traces.jsonl") for w in t.trajectories for r in w.replies]
    assert all((r.summary is not None) == (r.round < 3) for r in replies)


@pytest.mark.parametrize(
    "settings, wrong",
    [(dict(trained_tokens="note"), "trained_tokens='note' with credit='first' would train nothing"),
     (dict(credit="all", horizon=0), "horizon=0: no round reads a note")],
)  # fmt: skip
def test_what_no_call_for_a_note_could_learn_is_refused(random_model, tokenizer, tmp_path, settings, wrong):
    with pytest.raises(ValueError, match=wrong) as error:
        build(random_model, tokenizer, tmp_path, given={"carry": summarise}, **settings)
    assert "\n" not in str(error.value)


def waiting(credit="all", trained="note", carry=summarise, stop=None, n=3, m=40, policy=solver):
    """Where rows begin, and the sampler that took them there."""
    sampler = ScriptedSampler(policy)
    return roll_in([QUESTION], m, credit, random.Random(0), sampler, n, carry, stop, trained), sampler


def test_a_roll_in_draws_replies_and_the_calls_between_them_evenly():
    starts, _ = waiting(trained="all", m=5_000)
    drawn = Counter((len(t.replies), bool(summary_prompt(t, 3, summarise))) for t in starts)
    assert drawn.keys() == {(0, False), (1, False), (2, False), (1, True), (2, True)}
    assert all(abs(count - 1_000) < 4 * (5_000 * 0.2 * 0.8) ** 0.5 for count in drawn.values()), drawn
    assert {bool(summary_prompt(t, 3, summarise)) for t in waiting(trained="reasoning")[0]} == {False}
    assert {bool(summary_prompt(t, 3, summarise)) for t in waiting(trained="note")[0]} == {True}
    assert len({id(t) for t in waiting("any")[0]}) == 1


def test_a_trained_note_is_written_once_and_judged_by_its_futures():
    starts, sampler = waiting(n=2, m=4)
    assert sampler.calls == [4]  # round 1; no note is thrown away
    told = ScriptedSampler(lambda chat: r"\boxed{3}" if "good" in chat[-1]["content"] else r"\boxed{4}")
    reward, notes = FutureAccuracy(told, 2, 2, summarise), ["<answer>good</answer>", "<answer>bad</answer>"] * 2
    assert reward([None] * 4, notes, start=starts) == [2.0, 0.0, 2.0, 0.0] and told.calls == [8]
    one = reward.traces[0].trajectories[0].replies[0]
    assert (one.text, one.carried, one.summary.text) == (CUT.text, "good", notes[0])
    assert one.summary.prompt == summary_prompt(starts[0], 2, summarise)


def test_a_drawn_note_without_room_is_no_row_of_the_loss():
    narrow = asking_with_room(summarise, Mock(leaves_room=lambda chats: [False], spec=["leaves_room"]))
    starts, _ = waiting(carry=narrow, m=4)
    assert all(ended(t, 3) and all(r.summary is None for r in t.replies) for t in starts)


def test_a_reply_that_boxes_its_answer_waits_for_its_note_all_the_same(random_model, tokenizer, tmp_path):
    boxing = lambda chat: reply_text("r", r"\boxed{3}")  # noqa: E731
    starts, _ = waiting(stop=boxed, n=2, m=4, policy=boxing)
    trainer = build(random_model, tokenizer, tmp_path, given={"carry": summarise}, num_rounds=2, credit="all",
                    early_stop=True)  # fmt: skip
    assert all(ended(t, 2, boxed) and trainer._goes_on(t) for t in starts)
    assert {trainer._trained_call(t)["is_note"] for t in starts} == {True}
    reward = FutureAccuracy(ScriptedSampler(lambda chat: r"\boxed{4}"), 1, 2, summarise, stop=boxed)
    assert reward([None] * 4, ["<answer>go on</answer>"] * 4, start=starts) == [0.0] * 4  # it went on, and was wrong


def test_the_format_of_a_note_alone_is_that_of_an_answer():
    texts = ["<answer>5</answer>", "<reasoning>2 + 3</reasoning><answer>5</answer>", "5", "<answer>5"]
    assert format_reward(texts, is_note=[True] * 4) == [1.5, 0.75, 0.25, 0.375]
    assert format_reward(texts[:2], is_note=[False, False]) == format_reward(texts[:2]) == [0.25, 1.5]


def test_the_note_reward_of_a_note_by_its_own_call_is_what_it_adds():
    starts, _ = waiting(n=2, m=2)
    told = ScriptedSampler(lambda chat: r"\boxed{3}" if "good" in chat[-1]["content"] else r"\boxed{4}")
    future = FutureAccuracy(told, 2, 2, summarise)
    future([None] * 2, ["<answer>good</answer>", "<answer>bad</answer>"], start=starts)
    assert NoteReward(future)(start=starts) == [2.0, 0.0]
