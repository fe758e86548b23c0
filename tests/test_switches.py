"""The open questions: every switch does what docs/switches.md says, and what means nothing is refused in one line."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch
from test_future import PROMPTS, completions
from test_trainer import QUESTIONS, build, settings

from motif_lib.protocol import reply_text
from motif_lib.records import Question, Trajectory, read_traces
from motif_lib.rewards.control import controlled
from motif_lib.rewards.future import FutureAccuracy
from motif_lib.rewards.horizon import branch_ahead
from motif_lib.rewards.note import NoteReward
from motif_lib.rounds import advance, boxed, think
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.studies.ablate import load_grid
from motif_lib.training.config import MotifConfig
from motif_lib.training.recipe import load_recipe
from motif_lib.training.trained_tokens import note_begins

ROOT = Path(__file__).resolve().parents[1]
SWITCHES = ("trained_tokens", "note_reward", "horizon", "efficiency", "control", "multi_objective_aggregation")
BOXED = Completion(r"<answer>\boxed{1}</answer>", True, 1, 1)


@pytest.fixture
def make(random_model, tokenizer, tmp_path):
    def trainer(given=None, **changes):
        return build(random_model, tokenizer, tmp_path, given={"reward_funcs": (), **(given or {})}, **changes)

    return trainer


@pytest.fixture
def all_right(monkeypatch):
    """Every final answer is right."""
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", lambda ts, right=2.0: [right] * len(ts))


def step(trainer, tmp_path):
    """Traces and logged metrics of one step."""
    trainer.train()
    return read_traces(tmp_path / "traces.jsonl"), trainer.state.log_history[0]


def batch_of(trainer):
    """One scored batch of two questions, in the order of its rows."""
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # what `train` would set
    return trainer._generate_and_score_completions(
        [row for row in trainer.train_dataset.select([0, 1]) for _ in "abcd"]
    )


def places(completions, **columns):
    """Rewards that differ in every group."""
    return [float(place % 4) ** 2 for place in range(len(completions))]


# trained_tokens


@pytest.mark.parametrize(
    "text",
    [
        reply_text("2 + 3 = 5", "5 so far"),
        "<reasoning>é 😀 日</reasoning><answer>5 é</answer> and more",
        "<answer>5</answer> no, <answer>6</answer>",
        "<reasoning>2 + 3</reasoning>\n<answer>5 so f",
        "<answer>5</answer>",
    ],
)
def test_the_note_begins_with_the_token_that_begins_its_tag(tokenizer, text):
    ids, tag = tokenizer(text)["input_ids"], text.rfind("<answer>")
    begin = note_begins(ids, tokenizer.decode)
    assert len(tokenizer.decode(ids[:begin])) <= tag < len(tokenizer.decode(ids[: begin + 1]))


@pytest.mark.parametrize(
    "pieces, begin",
    [
        ([b"a", b"b\n<ans", b"wer>5"], 1),  # a token that writes both belongs to the note
        ([b"\xf0\x9f", b"\x98\x80", b"<answer>", b"5"], 2),  # a character of two tokens
        ([b"\xf0\x9f", b"<answer>", b"5"], 1),  # bytes that are no character
        ([b"no tag", b"<answer", b" >"], 3),
        ([], 0),
    ],
)
def test_the_note_is_found_in_any_tokens(pieces, begin):
    decode = lambda ids: b"".join(pieces[i] for i in ids).decode(errors="replace")  # noqa: E731
    assert note_begins(range(len(pieces)), decode) == begin


@pytest.mark.parametrize("which", ["note", "reasoning"])
def test_the_loss_falls_on_those_tokens_and_is_their_mean(make, tokenizer, which):
    """Rows of round 3 hand on no note; neither do replies without a tag, every fourth one here."""
    trainer = make({"reward_funcs": (places,)}, trained_tokens=which, credit="all", seed=3)
    replies = [reply_text("2 + 3 " * i, f"{5 + i} so far") if i % 4 else "2 + 3 = 5 " * i for i in range(8)]
    ids = [tokenizer(reply)["input_ids"] + [tokenizer.eos_token_id] for reply in replies]
    trainer.sampler.sample_ids = lambda prompts: ids
    batch = batch_of(trainer)
    mask = batch["completion_mask"] * batch["tool_mask"]
    last = ["Round 3 of 3." in prompt for prompt in tokenizer.batch_decode(batch["prompt_ids"])]
    assert any(final and "<answer>" in reply for final, reply in zip(last, replies)) and not all(last)
    for row, (reply, final) in enumerate(zip(replies, last)):
        note = "" if final or row % 4 == 0 else reply[reply.index("<answer>") :] + tokenizer.eos_token
        kept = note if which == "note" else (reply + tokenizer.eos_token).removesuffix(note or "\0")
        assert tokenizer.decode(batch["completion_ids"][row][mask[row].bool()]) == kept
    expected = -(mask * batch["advantages"].unsqueeze(1)).sum() / mask.sum()  # all ratios are 1
    assert batch["num_items_in_batch"] == mask.sum()
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(expected.item(), abs=1e-5)
    assert abs(expected) > 0.01


def test_by_default_all_tokens_are_trained(make):
    batch = batch_of(make())
    assert "tool_mask" not in batch and batch["num_items_in_batch"] == batch["completion_mask"].sum()


# horizon


def counting(chat):
    """Every round adds 1 to the number in its note, and the last one boxes the number as it stands."""
    user = chat[1]["content"]
    number = int(user.split("<progress>\n")[1].split("\n")[0])
    return reply_text("r", rf"\boxed{{{number}}}" if "Last round" in user else f"{number + 1}")


@pytest.mark.parametrize(
    "horizon, stands, calls", [(0, 5, []), (1, 5, [2]), (2, 6, [2, 2]), (3, 7, [2, 2, 2]), (None, 7, [2] * 3)]
)
def test_a_reply_of_round_1_is_credited_with_what_stands_then(horizon, stands, calls):
    """Its note says 5: rounds 2 and 3 of four would make it 7, if they are there. k = 2."""
    sampler = ScriptedSampler(counting)
    reward = FutureAccuracy(sampler, 2, 4, horizon=horizon)
    for gold in (5, 6, 7):
        asked = {"question": ["A?"], "gold": [str(gold)], "task": ["ledger"]}
        assert reward(PROMPTS[:1], completions("5"), **asked) == [2.0 * (gold == stands)]
    assert sampler.calls == calls * 3


def test_rows_of_several_rounds_keep_their_order_and_their_own_ends():
    sampler = ScriptedSampler(
        lambda chat: counting(chat) if "<progress>" in chat[1]["content"] else reply_text("r", "5")
    )
    one = advance([Trajectory(Question("A?", "1"), ())], sampler, 4)
    begun = [*advance(one, sampler, 4), *one, *advance(advance(one, sampler, 4), sampler, 4)]  # rounds 2, 1, 3
    found = branch_ahead(begun, sampler, 1, 4, horizon=1)
    lines = [future.replies[-1].prompt[1]["content"].splitlines()[-1] for (future,) in found]
    assert [line[:13] for line in lines] == ["Round 3 of 3.", "Round 2 of 2.", "Round 4 of 4."]
    assert [future.replies[: len(start.replies)] for (future,), start in zip(found, begun)] == [
        t.replies for t in begun
    ]
    assert branch_ahead([], sampler, 1, 4, horizon=1) == []


def test_a_horizon_goes_no_further_than_a_stop():
    over = think([Question("A?", "1")], ScriptedSampler(lambda chat: BOXED.text), 3, stop=boxed)
    assert branch_ahead(over, ScriptedSampler(counting), 4, 3, stop=boxed, horizon=1) == [over]


@pytest.mark.parametrize("horizon, rounds", [(None, 3), (0, 1), (1, 2)])
def test_the_trainer_looks_as_far(make, tmp_path, horizon, rounds):
    trainer = make(horizon=horizon)
    traces, _ = step(trainer, tmp_path)
    assert {len(future.replies) for trace in traces for future in trace.trajectories} == {rounds}
    assert trainer.args.replies_per_question == 4 * (1 + 2 * (rounds - 1))


# efficiency and control


@pytest.mark.parametrize("reply, rounds", [(BOXED, 2), (Completion("<answer>1</answer>"), 3)])
def test_a_right_answer_is_worth_more_after_fewer_rounds(make, tmp_path, all_right, reply, rounds):
    trainer = make(early_stop=True, efficiency=3.0)
    trainer.reward_funcs[0].sampler = lambda chats: [reply] * len(chats)
    traces, log = step(trainer, tmp_path)
    assert [trace.reward for trace in traces] == pytest.approx([2 * (1 - ((rounds - 1) / 3) ** 2)] * 8)
    assert {outcome for trace in traces for outcome in trace.outcomes} == {2.0} and log["motif/accuracy"] == 1


def test_an_inverted_reward_pays_for_what_is_wrong_and_accuracy_and_evaluation_stay_true(make, tmp_path, all_right):
    trainer = make(control="inverted", per_device_eval_batch_size=8)
    traces, log = step(trainer, tmp_path)
    assert {trace.reward for trace in traces} == {0.0} and {o for t in traces for o in t.outcomes} == {2.0}
    assert log["motif/accuracy"] == 1 and trainer.evaluate(QUESTIONS[:2])["eval_reward"] == 2
    assert controlled("inverted", [2.0, 0.0, None], 2.0, None) == [0.0, 2.0, None]


def test_a_random_reward_is_a_coin_and_the_same_for_a_seed(random_model, tokenizer, tmp_path, all_right):
    rewards = {}
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        trainer = build(
            random_model, tokenizer, tmp_path / folder, given={"reward_funcs": ()}, control="random", seed=seed
        )
        trainer.model.train()
        reward = trainer.reward_funcs[0]
        columns = {name: [row[name] for row in trainer.train_dataset] for name in ("question", "gold", "task")}
        rewards[folder] = reward(None, ["x"] * len(QUESTIONS), **columns)
    assert rewards["a"] == rewards["b"] != rewards["c"]
    assert {0.0, 2.0} < {value for found in rewards.values() for value in found} == {0.0, 1.0, 2.0}  # k = 2


# note_reward


def by_its_note(chat):
    """The last round boxes what its note says, and 0 if it has none; a round before hands its note on."""
    user = chat[1]["content"]
    note = user.split("<progress>\n")[1].split("\n</progress>")[0]
    said = "0" if note == "(no progress note)" else note
    return reply_text("r", rf"\boxed{{{said}}}" if "Last round" in user else note)


def test_a_note_earns_what_it_changes():
    """A (gold 1): one note says so, one is wrong. B (gold 0): no note would be right, so a wrong one costs 2."""
    sampler = ScriptedSampler(by_its_note)
    future = FutureAccuracy(sampler, 4, 3)
    rows = {"question": ["A?", "A?", "B?", "B?"], "gold": ["1", "1", "0", "0"], "task": ["ledger"] * 4}
    notes = completions("1", "7", "7", "0")
    future(PROMPTS, notes, **rows)
    calls = len(sampler.calls)
    assert NoteReward(future)(PROMPTS, notes, **rows) == [2.0, 0.0, -2.0, 0.0]
    assert sampler.calls[calls:] == [8, 8]  # rounds 2 and 3: k = 4 for each question, not for each reply


def test_a_note_that_nobody_reads_has_no_reward_of_its_own():
    """That of the last round, and one that stops; a row of round 2 is asked without its own note only."""
    sampler = ScriptedSampler(by_its_note)
    start = Trajectory(Question("A?", "1"), ())
    (first,) = advance([start], ScriptedSampler(lambda chat: reply_text("r", "1")), 3)
    (second,) = advance([first], sampler, 3)
    future = FutureAccuracy(sampler, 1, 3, stop=boxed)
    rows = {"start": [start, first, second, start]}
    replies = completions("1", "1", "1", r"\boxed{1}")
    future(PROMPTS, replies, **rows)
    assert NoteReward(future)(PROMPTS, replies, **rows) == [2.0, 2.0, None, None]


def test_the_trainer_adds_it_with_its_weight(make, tmp_path, monkeypatch):
    trainer = make({"reward_funcs": (places,)}, note_reward=0.5, credit="all", reward_weights=[1.0, 0.25], seed=1)
    assert trainer.reward_weights.tolist() == [1.0, 0.25, 0.5] and trainer.args.reward_weights == [1.0, 0.25]
    assert "rewards/note_reward/mean" in step(trainer, tmp_path)[1]
    monkeypatch.setattr(NoteReward, "__call__", lambda self, completions, **columns: places(completions))
    trainer.model.train()
    plain, noted = (groups(trainer, weight) for weight in (0.0, 0.5))
    assert (noted - plain).flatten().tolist() == pytest.approx([0.5 * (p - 3.5) for p in (0, 1, 4, 9)] * 2, abs=1e-4)


def groups(trainer, weight):
    """Advantages of a batch, without division by the spread, with this weight of the last reward."""
    trainer.scale_rewards, trainer.reward_weights[-1] = "none", weight
    trainer._roll_in = lambda inputs: [{**row, "start": Trajectory(Question("A?", "1"), ())} for row in inputs]
    return batch_of(trainer)["advantages"]


# TRL's own: normalise each reward, and its losses


def test_each_reward_is_divided_by_its_own_spread(make, monkeypatch):
    """GDPO: a reward of a hundredth of the other's spread weighs as much as it, before the sum over the batch."""
    large, small = torch.tensor([[2.0, 0, 1, 0], [1, 1, 0, 0]]), torch.tensor([[0.0, 1, 4, 9]] * 2) / 100
    monkeypatch.setattr("motif_lib.rewards.future.mean_outcome", lambda outcomes, left=[]: next(values))
    values = iter(large.flatten().tolist() * 2)  # the rewards, and once more for the metric
    tiny = lambda completions, **columns: small.flatten().tolist()  # noqa: E731
    tiny.__name__ = "tiny"
    trainer = make({"reward_funcs": (tiny,)}, multi_objective_aggregation="normalize_then_sum")
    apart = sum((r - r.mean(1, keepdim=True)) / r.std(1, keepdim=True) for r in (large, small))
    expected = apart / apart.std()
    assert batch_of(trainer)["advantages"].tolist() == pytest.approx(expected.flatten().tolist(), abs=0.03)


LOSSES = [*load_grid("losses").cells("loss_type").values()]


def loss_settings(cell):
    return {key: cell[key] for key in ("loss_type", "importance_sampling_level", "num_iterations")}


@pytest.mark.parametrize("cell", LOSSES, ids=lambda cell: f"{cell['loss_type']}-{cell['importance_sampling_level']}")
def test_every_loss_of_the_grid_trains(make, cell):
    trainer = make({"reward_funcs": (places,)}, max_steps=2, **loss_settings(cell))
    before = {name: weight.clone() for name, weight in trainer.model.named_parameters() if "lora_B" in name}
    trainer.train()
    after = dict(trainer.model.named_parameters())
    assert all(not torch.equal(after[name], weight) for name, weight in before.items())
    assert all(entry["loss"] == entry["loss"] for entry in trainer.state.log_history if "loss" in entry)


def test_the_losses_of_the_grid_are_four(random_model, tokenizer, tmp_path):
    """Of one batch, whose ratios are not 1."""
    found, batch = set(), None
    for cell in LOSSES:
        given = {"reward_funcs": (places,), "peft_config": None}
        trainer = build(random_model, tokenizer, tmp_path, given=given, **loss_settings(cell))
        if batch is None:
            trainer.sampler.sample_ids = lambda prompts: [[5] * (1 + i) for i in range(8)]  # replies of several lengths
            batch = batch_of(trainer)
            noise = torch.rand(batch["completion_ids"].shape, generator=torch.Generator().manual_seed(0))
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
        old = batch["old_per_token_logps"] + noise - 0.5
        found.add(round(trainer.compute_loss(trainer.model, {**batch, "old_per_token_logps": old}).item(), 5))
    assert len(found) == 4


# settings and documents


def test_the_switch_that_contributing_shows_is_the_one_that_we_have_in_under_60_lines():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = text.partition("```diff\n")[2].partition("\n```")[0].splitlines()
    added = 0
    for line in lines:
        if line.startswith("+++ "):
            source = (ROOT / line[4:]).read_text(encoding="utf-8").splitlines()
        else:
            assert line[1:] in source, line
            added += line.startswith("+")
    assert 30 < added < 60


def test_the_page_names_every_switch():
    page = (ROOT / "docs" / "switches.md").read_text(encoding="utf-8")
    assert [switch for switch in SWITCHES if f"| `{switch}: " not in page] == []


@pytest.mark.parametrize("name", ["questions", "losses"])
def test_the_base_of_a_grid_is_what_we_have_without_the_switches(name, tmp_path):
    grid, defaults = load_grid(name), {field.name: field.default for field in fields(MotifConfig)}
    assert name == "losses" or {*SWITCHES} <= {*grid.switches}
    assert all(grid.base[switch] == defaults[switch] for switch in grid.switches if switch in (*SWITCHES, "loss_type"))
    run = load_recipe("cpu").config(tmp_path, **{key: value for key, value in grid.base.items() if key != "carry"})
    assert (run.max_steps // run.num_iterations, run.questions_per_step) == (24, 4)  # as long in all grids


@pytest.mark.parametrize(
    "change, message",
    [
        ({"trained_tokens": "tags"}, "choose one of all, note, reasoning"),
        ({"trained_tokens": "note", "num_rounds": 1}, "one round has no note; set num_rounds > 1"),
        ({"trained_tokens": "reasoning", "num_rounds": 1}, "one round has no note"),
        ({"horizon": 3}, "num_rounds=3 leaves 2 after the first; choose 0 to 2, or None"),
        ({"horizon": -1}, "choose 0 to 2"),
        ({"efficiency": 3.0}, "set early_stop=True"),
        ({"efficiency": 3.0, "early_stop": True, "num_rounds": 1}, "num_rounds > 1"),
        ({"efficiency": 2.0, "early_stop": True}, "would earn nothing; set it above 2"),
        ({"efficiency": 3.0, "early_stop": True, "horizon": 1}, "leave one of them out"),
        ({"control": "noise"}, "choose one of random, inverted, or None"),
        ({"control": "random", "efficiency": 3.0, "early_stop": True}, "leave one of them out"),
        ({"note_reward": -1.0, "credit": "all"}, "it is a weight, 0 or more"),
        ({"note_reward": 1.0, "credit": "all", "num_rounds": 1}, "one round has no note"),
        ({"note_reward": 1.0, "credit": "all", "horizon": 0}, "no round reads the note"),
        ({"note_reward": 1.0}, "only adds to reward_weights: set credit='all'"),
        ({"note_reward": 1.0, "credit": "all", "control": "random"}, "leave one of them out"),
        ({"note_reward": 1.0, "credit": "all", "use_vllm": True}, "set use_vllm=False"),
        ({"multi_objective_aggregation": "gdpo"}, "choose one of sum_then_normalize, normalize_then_sum"),
        ({"multi_objective_aggregation": "normalize_then_sum", "scale_rewards": "none"}, "set scale_rewards='group'"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as error:
        settings(tmp_path, **change)
    assert "\n" not in str(error.value)
