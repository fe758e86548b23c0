"""Random draws in training: with the same settings in every round, and new rounds for every generation."""

import copy
import random

import pytest
from test_trainer import asked, build

from motif_lib.credit import roll_in
from motif_lib.records import Question

ROUNDS = [f"Round {round} of 3." for round in (1, 2, 3)]


def train(trainer, tokenizer):
    """All that is sampled in a training, after a look that every round is in it."""
    seen = asked(trainer, tokenizer)
    trainer.train()
    assert all(any(round in text for text, _, _ in seen) for round in ROUNDS)
    return seen


@pytest.mark.parametrize("setting", [{}, {"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-6}, {"temperature": 1e-6}])
def test_one_token_to_choose_from_gives_one_reply_to_a_prompt_in_every_round(
    random_model, tokenizer, tmp_path, setting
):
    seen = train(build(random_model, tokenizer, tmp_path, credit="all", seed=1, **setting), tokenizer)
    replies = [(round, ids, reply) for text, ids, reply in seen for round in ROUNDS if round in text]
    for round in ROUNDS:
        prompts = {ids for r, ids, _ in replies if r == round}
        given = {(ids, reply) for r, ids, reply in replies if r == round}
        assert (len(given) == len(prompts)) == bool(setting)


@pytest.mark.parametrize("penalty", [1.0, 1e-6])
def test_a_reward_for_repetition_holds_in_every_round(random_model, tokenizer, tmp_path, penalty):
    """So strong a one lets only tokens be chosen that have occurred."""
    trainer = build(random_model, tokenizer, tmp_path, credit="all", seed=1, repetition_penalty=penalty)
    seen = train(trainer, tokenizer)
    for round in ROUNDS:
        replies = [set(reply) <= set(ids) for text, ids, reply in seen if round in text]
        assert all(replies) == (penalty < 1)


@pytest.mark.parametrize("kwargs", [None, {"enable_thinking": False}])
def test_the_chat_template_is_told_the_same_in_every_round(random_model, tokenizer, tmp_path, kwargs):
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template += "{% if enable_thinking is defined and not enable_thinking %}no thoughts{% endif %}"
    seen = train(build(random_model, tokenizer, tmp_path, credit="all", chat_template_kwargs=kwargs), tokenizer)
    assert {text.endswith("no thoughts") for text, _, _ in seen} == {kwargs is not None}


def drawn(trainer, monkeypatch, **train):
    """The round that each generation of a training with `credit="any"` draws, 0-based."""
    rounds = []

    def watch(*args, **kwargs):
        starts = roll_in(*args, **kwargs)
        rounds.append(len(starts[0].replies))
        return starts

    monkeypatch.setattr("motif_lib.training.trainer.roll_in", watch)
    trainer.train(**train)
    return rounds


FOUR_A_STEP = dict(
    credit="any", per_device_train_batch_size=4, gradient_accumulation_steps=4, steps_per_generation=1, max_steps=4,
    save_strategy="steps", save_steps=1, num_trajectories=1, traced_questions=1,
)  # fmt: skip


@pytest.mark.parametrize(
    "size, generations, done",
    [(16, [4, 4, 4, 4], 2), (4, [4, 4, 4, 4], 2), (8, [4, 4, 4, 4], 3), (6, [4, 2, 4, 2], 2)],
    ids=["all steps in one epoch", "a step an epoch", "amid an epoch", "epochs that end amid a step"],
)
def test_every_generation_of_a_step_draws_its_own_rounds_and_a_resumed_step_the_same(
    random_model, tokenizer, tmp_path, monkeypatch, size, generations, done
):
    questions = [Question(f"Ann has {i} eggs.", str(i)) for i in range(size)]
    untrained = copy.deepcopy(random_model)
    trainer = build(random_model, tokenizer, tmp_path, questions, **FOUR_A_STEP)
    rounds = drawn(trainer, monkeypatch)
    streams = [random.Random(f"42-{step}-0") for step in range(4)]
    assert rounds == [stream.randint(0, 2) for stream, times in zip(streams, generations) for _ in range(times)]
    assert len(set(rounds[:4])) > 1
    adapter, traces = tmp_path / "checkpoint-4" / "adapter_model.safetensors", tmp_path / "traces.jsonl"
    whole = adapter.read_bytes(), traces.read_bytes()
    adapter.unlink()
    again = build(untrained, tokenizer, tmp_path, questions, **FOUR_A_STEP)
    resumed = drawn(again, monkeypatch, resume_from_checkpoint=str(tmp_path / f"checkpoint-{done}"))
    assert resumed == rounds[sum(generations[:done]) :]
    assert (adapter.read_bytes(), traces.read_bytes()) == whole


def test_a_second_training_of_one_trainer_draws_as_the_first(random_model, tokenizer, tmp_path, monkeypatch):
    trainer = build(random_model, tokenizer, tmp_path, **{**FOUR_A_STEP, "max_steps": 1})
    assert drawn(trainer, monkeypatch) == drawn(trainer, monkeypatch)
