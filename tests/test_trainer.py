"""MotifTrainer on a small random model: what is trained, who answers, and that the numbers are TRL's."""

import copy
import itertools
import re
from contextlib import nullcontext

import pytest
import torch
from trl import GRPOTrainer

from motif_lib import grpo
from motif_lib.models.load import lora_config
from motif_lib.records import Question, read_traces
from motif_lib.rewards.format import format_reward
from motif_lib.samplers.base import Completion
from motif_lib.samplers.choose import SAMPLERS
from motif_lib.samplers.local import LocalSampler
from motif_lib.training.config import MotifConfig
from motif_lib.training.trainer import MotifTrainer, to_dataset

QUESTIONS = [Question(f"Ann has {i} eggs.", str(i), "ledger", f"q{i}") for i in range(3, 9)]


def settings(out, **changes):
    values = dict(
        num_generations=4, num_trajectories=2, num_rounds=3, max_completion_length=8, per_device_train_batch_size=8,
        max_steps=1, learning_rate=1e-2, use_cpu=True, bf16=False, report_to="none", save_strategy="no",
        gradient_checkpointing=False, disable_tqdm=True, logging_steps=1, traced_questions=2,
    )  # fmt: skip
    return MotifConfig(output_dir=str(out), **{**values, **changes})


def build(model, tokenizer, out, questions=QUESTIONS, given=None, **changes):
    """A trainer; `given` are arguments of `MotifTrainer`, `changes` those of `MotifConfig`."""
    given = {"processing_class": tokenizer, "peft_config": lora_config(4), **(given or {})}
    return MotifTrainer(model, settings(out, **changes), questions, **given)


def asked(trainer, tokenizer):
    """The list that will hold prompt and reply, each as ids, of all that a trainer samples; and its prompts as text."""
    seen = []
    for sampler in (trainer.sampler, trainer.later_sampler):

        def watch(prompts, sample=sampler.sample_ids):
            replies = sample(prompts)
            seen.extend((tokenizer.decode(p), tuple(p), tuple(r)) for p, r in zip(prompts, replies))
            return replies

        sampler.sample_ids = watch
    return seen


@pytest.fixture
def make(random_model, tokenizer, tmp_path):
    def trainer(reward_funcs=(format_reward,), **changes):
        return build(random_model, tokenizer, tmp_path, given={"reward_funcs": reward_funcs}, **changes)

    return trainer


def trained_prompts(trainer, tokenizer):
    """The token ids that went through the model with gradients on, as text."""
    seen = []

    def watch(module, args, kwargs):
        if torch.is_grad_enabled() and module.training:
            seen.extend(tokenizer.batch_decode(kwargs["input_ids"]))

    trainer.model.register_forward_pre_hook(watch, with_kwargs=True)
    trainer.train()
    return seen


def test_only_round_one_is_trained(make, tokenizer, tmp_path):
    trainer = make()
    seen = trained_prompts(trainer, tokenizer)
    assert len(seen) == 8 and all("Round 1 of 3." in text and "<progress>" not in text for text in seen)
    firsts = [trace.trajectories[0].replies[0].text for trace in read_traces(tmp_path / "traces.jsonl")]
    assert len(firsts) == 8
    assert all(
        any(re.sub(r"<\|\w+\|>", "", text.split("assistant\n", 1)[1]).startswith(f) for text in seen) for f in firsts
    )


def test_any_round_trains_later_rounds_in_whole_groups(make, tokenizer):
    trainer = make(credit="any", max_steps=6, seed=1)
    seen = trained_prompts(trainer, tokenizer)
    prompts = [text.split("<|im_start|>assistant")[0].replace("<|endoftext|>", "") for text in seen]
    rounds = {next(r for r in (1, 2, 3) if f"Round {r} of 3." in p) for p in prompts}
    assert rounds == {1, 2, 3}
    assert all(prompts.count(p) % 4 == 0 for p in prompts)  # a group shares its prompt


def test_a_note_too_long_for_the_window_is_cut(random_model, tokenizer, tmp_path):
    """The window of the model is 256, and what does not fit would end the training."""
    trainer = MotifTrainer(
        random_model,
        settings(tmp_path, max_completion_length=60),
        QUESTIONS,
        processing_class=tokenizer,
        peft_config=lora_config(4),
        carry=lambda reply, finished, previous: "old " * 500 + "new",
    )
    trainer.train()
    ways = [t for trace in read_traces(tmp_path / "traces.jsonl") for t in trace.trajectories]
    (note,) = {reply.carried for way in ways for reply in way.replies[:-1]}
    assert note.endswith("new") and 49 < len(tokenizer(note)["input_ids"]) <= (256 - 60) // 2


def rows_of(batch, tokenizer):
    """Prompt and advantage of each row of a batch."""
    return list(zip(tokenizer.batch_decode(batch["prompt_ids"]), batch["advantages"].tolist()))


def test_all_rounds_train_each_reply_in_a_trajectory_of_its_own(make, tokenizer):
    trainer = make(credit="all", num_trajectories=1, max_steps=2, seed=1)
    prompts = [text.split("<|im_start|>assistant")[0] for text in trained_prompts(trainer, tokenizer)]
    groups = [[p for p in prompts[start : start + 8] if q.text in p] for start in (0, 8) for q in QUESTIONS]
    rounds = [{r for p in group for r in (1, 2, 3) if f"Round {r} of 3." in p} for group in groups if group]
    assert len(rounds) == 4 and set.union(*rounds) == {1, 2, 3} and max(map(len, rounds)) > 1


def test_a_row_drawn_after_an_early_stop_is_not_trained_but_counts_in_its_group(make, tokenizer, monkeypatch):
    """Every note of the roll-in is boxed, so a row drawn at round 2 or 3 has ended: it earns 2, the others 0."""
    trainer = make(reward_funcs=(), credit="all", early_stop=True, seed=1)
    trainer.reward_funcs[0].sampler = trainer.sample_later  # the later rounds stay with the model
    boxed = [Completion("<answer>\\boxed{1}</answer>", True, 1, 1)]
    monkeypatch.setattr(trainer, "sample_later", lambda chats: boxed * len(chats))
    right = lambda ts, right: [2.0 * ("boxed" in t.replies[0].text) for t in ts]  # noqa: E731
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", right)
    trainer.model.train()
    batch = trainer._generate_and_score_completions(
        [row for row in trainer.train_dataset.select([0, 1]) for _ in "abcd"]
    )
    rows = rows_of(batch, tokenizer)
    drawn_later = [advantage for prompt, advantage in rows if "Round 2 of 3." in prompt]
    drawn_first = [advantage for prompt, advantage in rows if "Round 1 of 3." in prompt]
    assert drawn_later and set(drawn_later) == {0.0}
    assert drawn_first and max(drawn_first) < 0  # below a group mean that the stopped ones have raised


def test_traces_hold_k_futures_that_share_the_trained_reply(make, tmp_path):
    make().train()
    traces = read_traces(tmp_path / "traces.jsonl")
    for trace in traces:
        assert len(trace.trajectories) == len(trace.outcomes) == 2
        assert all(len(t.replies) == 3 and t.replies[0] == trace.trajectories[0].replies[0] for t in trace.trajectories)
        assert trace.step == 0 and trace.reward in (0.0, 1.0, 2.0)


@pytest.mark.parametrize("sampler", ["local", "generate", "graph"])
@pytest.mark.parametrize("policy, same", [("current", True), ("base", False)])
def test_who_answers_the_later_rounds(make, policy, same, sampler):
    """The later rounds must see the adapter: with it bent, their greedy replies equal the bent model's own, and with
    `rollout_policy="base"` those of the untouched base."""
    trainer = make(rollout_policy=policy, sampler=sampler)
    assert type(trainer.sampler) is type(trainer.later_sampler) is SAMPLERS[sampler]
    chats = [row["prompt"] for row in trainer.train_dataset]
    trainer.sampler, trainer.later_sampler = trainer.sampler.at(0), trainer.later_sampler.at(0)
    base = trainer.sampler(chats)
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            if "lora_B" in name:
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    bent = trainer.sampler(chats)
    assert bent != base
    assert trainer.sample_later(chats) == (bent if same else base)


def test_the_merged_copy_follows_the_training(make, tokenizer):

    def letters(completions, **kwargs):
        return [float(len(completion[0]["content"])) for completion in completions]

    trainer = make(reward_funcs=(letters,), sampler="graph", max_steps=3, learning_rate=0.1)
    chats = [row["prompt"] for row in trainer.train_dataset]
    before = trainer.sampler.at(0)(chats)
    trainer.train()
    after = trainer.sampler.at(0)(chats)
    assert after == LocalSampler(trainer.policy, tokenizer, 8, temperature=0)(chats) != before


@pytest.mark.parametrize("credit, fits", [("any", True), ("all", False)])
def test_unsloth_cannot_turn_vllm_on_for_credit_all(make, monkeypatch, credit, fits):
    init = GRPOTrainer.__init__

    def turned_on(self, *args, **kwargs):
        init(self, *args, **kwargs)
        kwargs["args"].use_vllm = True

    monkeypatch.setattr(GRPOTrainer, "__init__", turned_on)
    with nullcontext() if fits else pytest.raises(ValueError, match="leave out fast_inference"):
        make(credit=credit)


def test_the_outcome_scale_is_configuration(make, monkeypatch, tmp_path):
    graded = lambda ts, right: [right] * len(ts)  # noqa: E731
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", graded)
    make(outcome_reward=1.0).train()
    assert {trace.reward for trace in read_traces(tmp_path / "traces.jsonl")} == {1.0}


def test_one_round_is_vanilla_grpo(make, tmp_path):
    trainer = make(num_rounds=1)
    trainer.sample_later = None  # no later round may be asked for
    trainer.train()
    assert all(
        len(t.trajectories) == 1 and len(t.trajectories[0].replies) == 1 for t in read_traces(tmp_path / "traces.jsonl")
    )


def test_loss_and_advantages_equal_the_teaching_twin(make, monkeypatch):
    """TRL's numbers of one step against motif_lib.grpo's."""
    trainer = make(reward_funcs=())
    trainer.current_gradient_accumulation_steps = 1  # what `train` would set
    rewards = itertools.cycle([2.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])  # and once more for the metric
    monkeypatch.setattr("motif_lib.rewards.future.mean_outcome", lambda outcomes: next(rewards))
    trainer.model.train()
    batch = trainer._prepare_inputs([row for row in trainer.train_dataset.select([0, 1]) for _ in range(4)])
    loss = trainer.compute_loss(trainer.model, dict(batch))
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)  # (8, P + T)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    length = batch["completion_ids"].shape[1]
    positions = mask.cumsum(1).sub(1).clamp(min=0)
    logits = trainer.model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, -length - 1 : -1]
    logp = grpo.token_logprobs(logits, batch["completion_ids"])  # (8, T)
    mine = grpo.clipped_loss(logp, logp.detach(), batch["advantages"], batch["completion_mask"])
    assert loss.item() == pytest.approx(mine.item(), abs=1e-4)
    expected = grpo.group_advantages(torch.tensor([[2.0, 0, 1, 0], [1, 1, 0, 0]])).flatten()
    assert sorted(batch["advantages"].tolist()) == pytest.approx(sorted(expected.tolist()), abs=1e-3)


def test_metrics_come_through_trainers_logging(make):
    trainer = make()
    trainer.train()
    entry = trainer.state.log_history[0]
    for name in ("reward", "rewards/future_accuracy/mean", "motif/accuracy", "motif/group_spread",
                 "motif/groups_without_signal", "frac_reward_zero_std"):  # fmt: skip
        assert name in entry


def test_an_adapter_loads_in_plain_peft(make, random_model, tokenizer, tmp_path):
    from peft import PeftModel

    base = copy.deepcopy(random_model)
    trainer = make()
    trainer.train()
    trainer.save_model(str(tmp_path / "adapter"))
    chats = [row["prompt"] for row in trainer.train_dataset]
    sampler = trainer.sampler.at(0)
    here = sampler(chats)
    sampler.model = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert sampler(chats) == here


@pytest.mark.parametrize(
    "change, message",
    [
        ({"num_generations": 1}, "m >= 2"),
        ({"num_trajectories": 0}, "k must be at least 1"),
        ({"num_rounds": 0}, "at least one round"),
        ({"credit": "last"}, "choose one of first, any, all"),
        ({"credit": "all", "use_vllm": True}, "set use_vllm=False"),
        ({"rollout_policy": "old"}, "current or base"),
        ({"per_device_train_batch_size": 6}, "whole groups of 4"),
        ({"generation_batch_size": 12, "per_device_train_batch_size": 8}, "must be divisible"),
        ({"max_completion_length": 0}, "needs a budget"),
        ({"max_completion_length": None, "loss_type": "dr_grpo"}, "divides by the budget: give max_completion_length"),
        ({"max_completion_length": None, "use_vllm": True}, "vLLM needs a budget: give max_completion_length"),
        ({"temperature": 0.0}, "would be the same"),
    ],
)
def test_bad_settings_are_one_clear_line(tmp_path, change, message):
    with pytest.raises(ValueError, match=message) as error:
        settings(tmp_path, **change)
    assert "\n" not in str(error.value)


def test_the_cost_of_the_papers_setting(tmp_path):
    """m (1 + k (n - 1)) = 8 (1 + 4 x 2) = 72 replies to a question."""
    assert settings(tmp_path, num_generations=8, num_trajectories=4).replies_per_question == 72


def test_a_generation_may_be_larger_than_a_step(make, tokenizer):
    """`generation_batch_size` 16 of 8 replies a step: four questions are asked at once, for two steps."""
    trainer = make(generation_batch_size=16, max_steps=2)
    assert trainer.args.questions_per_step == 4 and trainer.args.steps_per_generation == 2
    seen = asked(trainer, tokenizer)
    trainer.train()
    assert sum("Round 1 of 3." in text for text, _, _ in seen) == 16 and trainer.state.global_step == 2


def test_the_dataset_is_in_trls_schema():
    row = to_dataset(QUESTIONS, 3)[0]
    assert set(row) == {"prompt", "question", "gold", "task", "grading"} and row["prompt"][1]["content"].endswith(
        "Round 1 of 3."
    )
