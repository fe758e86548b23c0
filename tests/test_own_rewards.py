"""A learner's own reward, data and curves: plain functions of text work, and what would teach nothing is said."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
from test_trainer import QUESTIONS, build

from motif_lib import Question, ScriptedSampler, think
from motif_lib.evaluate import evaluate
from motif_lib.rewards.format import format_reward
from motif_lib.training.curves import plot
from motif_lib.training.own_rewards import own_rewards

CHATS = [[{"role": "assistant", "content": text}] for text in ("a", "bbb", "cc", "d")]
COLUMNS = {"prompts": [""] * 4, "completion_ids": [[1]] * 4, "question": ["p", "p", "q", "q"], "gold": ["1"] * 4}


def called(reward, chats=CHATS):
    """What a reward gives as TRL calls it, and the lines that it says."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (given,) = own_rewards([reward])
        scores = [given(completions=chats, **COLUMNS) for _ in range(2)][0]
    return scores, [str(line.message) for line in said if "replaces the format reward" not in str(line.message)]


def by_columns(texts, **columns):
    return [len(text) + float(gold) for text, gold in zip(texts, columns["gold"])]


@pytest.mark.parametrize(
    "reward, wanted",
    [
        (lambda texts: map(len, texts), [1, 3, 2, 1]),
        (lambda texts, gold: [float(gold[i]) * i for i in range(len(texts))], [0.0, 1.0, 2.0, 3.0]),
        (by_columns, [2.0, 4.0, 3.0, 2.0]),
        (lambda completions, **kwargs: [len(chat[0]["content"]) for chat in completions], [1, 3, 2, 1]),
        (lambda completions: [None, 1.0, None, 2.0], [None, 1.0, None, 2.0]),
        (lambda **given: [len(chat) + i for i, chat in enumerate(given["completions"])], [1, 2, 3, 4]),
    ],
)
def test_a_reward_of_texts_and_one_in_trl_s_contract_work(reward, wanted):
    assert called(reward) == (wanted, [])


@pytest.mark.parametrize(
    "reward, blind",
    [
        (lambda completions, **kwargs: [-len(chat) / 100 for chat in completions], True),
        (lambda texts, **columns: [float(question == "p") for question in columns["question"]], True),
        (lambda texts, **columns: [1.0, 1.0, 1.0, 0.0], False),
        (lambda texts, **columns: [None] * 4, False),
    ],
)
def test_a_reward_that_tells_no_replies_apart_says_so_once(reward, blind):
    _, said = called(reward)
    assert len(said) == blind and all("teaches nothing" in line and "\n" not in line for line in said)
    assert called(reward, [CHATS[0]] * 4)[1] == []  # equal replies may earn the same


@pytest.mark.parametrize(
    "rewards, warned",
    [([by_columns], True), ([format_reward], False), ([], False), ([partial(format_reward), by_columns], False)],
)
def test_the_format_reward_is_not_dropped_silently(rewards, warned):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        own_rewards(rewards)
    assert ["replaces the format reward" in str(line.message) for line in said] == [True] * warned


def test_a_reward_of_one_text_is_refused_in_one_line():
    def format_score(text):
        return 1.0

    with pytest.raises(ValueError, match=r"format_score\(text\).*def format_score\(texts, \*\*columns\)"):
        own_rewards([format_reward, format_score])


def test_models_and_the_format_reward_stay_what_they_are():
    async def judge(completions, **kwargs):
        return []

    assert own_rewards([format_reward, "a/model", judge]) == [format_reward, "a/model", judge]


def test_a_training_with_a_reward_of_texts_is_plotted_in_one_call(random_model, tokenizer, tmp_path):
    given = {"reward_funcs": [format_reward, by_columns]}
    trainer = build(random_model, tokenizer, tmp_path, given=given, save_strategy="steps", save_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["rewards/by_columns/mean"] > 0
    for run in (trainer, tmp_path, str(tmp_path)):
        assert [axes.get_ylabel() for axes in plot(run, ["reward", "loss"]).axes] == ["reward", "loss"]
    with pytest.raises(ValueError, match="no 'nothing' in the log: choose from .*reward"):
        plot(trainer, ["nothing"])
    with pytest.raises(ValueError, match="holds no metrics.jsonl and no checkpoint"):
        plot(tmp_path / "none")


def test_a_list_of_dicts_can_be_asked_and_evaluated():
    rows = [{"question": "3 + 4?", "answer": 7}, {"question": "1 + 1?", "gold": "2"}]
    sampler = ScriptedSampler(lambda chat: r"<reasoning>x</reasoning><answer>\boxed{7}</answer>")
    assert [t.question.gold for t in think(rows, sampler, 2)] == ["7", "2"]
    assert evaluate(rows, sampler, 2, progress=False).accuracy.value == 0.5
    for ask in (think, evaluate):
        with pytest.raises(ValueError, match="question 2 has no text or number under 'gold' or 'answer'"):
            ask([rows[0], {"question": "How many?"}], sampler)
        with pytest.raises(ValueError, match="question 1 is a str"):
            ask(["How many?"], sampler)


def test_a_number_is_a_gold():
    assert Question("3 + 4?", 7) == Question("3 + 4?", "7") and QUESTIONS[0].gold == "3"
