"""An evaluation during training measures the weights: from round 1, whatever round the credit would draw."""

import pytest
from test_trainer import QUESTIONS, asked, build

from motif_lib.records import Question, read_traces

UNSEEN = [Question(f"Bob has {i} nuts.", str(i), "ledger") for i in range(3, 7)]


def letters(completions, **columns):
    return [float(len(completion[0]["content"])) for completion in completions]


@pytest.mark.parametrize("credit", ["first", "any", "all"])
def test_the_same_weights_earn_the_same_whatever_the_step(random_model, tokenizer, tmp_path, credit):
    """With one token to choose from, nothing but the round could make a difference."""
    trainer = build(random_model, tokenizer, tmp_path, given={"reward_funcs": letters}, credit=credit, top_k=1)
    seen, rewards = asked(trainer, tokenizer), set()
    for trainer.state.global_step in range(4):
        rewards.add(trainer.evaluate(UNSEEN)["eval_reward"])
    assert len(rewards) == 1
    assert sum("Round 1 of 3." in text for text, _, _ in seen) == 4 * 16  # all that is scored
    assert not (tmp_path / "traces.jsonl").exists()


def test_the_best_model_is_that_of_the_highest_reward_and_traces_are_of_the_training(random_model, tokenizer, tmp_path):
    trainer = build(
        random_model, tokenizer, tmp_path, given={"eval_dataset": UNSEEN, "reward_funcs": letters}, credit="any",
        max_steps=3, load_best_model_at_end=True, eval_strategy="steps", eval_steps=1, save_strategy="steps",
        save_steps=1, num_generations_eval=2,
    )  # fmt: skip
    trainer.train()
    rewards = [entry["eval_reward"] for entry in trainer.state.log_history if "eval_reward" in entry]
    assert len(rewards) == 3 and trainer.state.best_metric == max(rewards)
    assert trainer.state.best_model_checkpoint.endswith(f"checkpoint-{1 + rewards.index(max(rewards))}")
    traces = read_traces(tmp_path / "traces.jsonl")
    assert [trace.step for trace in traces] == [step for step in range(3) for _ in range(8)]
    assert {trace.trajectories[0].question.text for trace in traces} <= {question.text for question in QUESTIONS}


def test_several_sets_are_told_apart(random_model, tokenizer, tmp_path):
    trainer = build(random_model, tokenizer, tmp_path, given={"eval_dataset": {"old": QUESTIONS[:2], "new": UNSEEN}})
    found = trainer.evaluate()
    assert {"eval_old_reward", "eval_new_reward"} <= found.keys()


def test_a_batch_of_an_evaluation_holds_whole_groups(random_model, tokenizer, tmp_path):
    half = {"per_device_eval_batch_size": 2}
    with pytest.raises(ValueError, match="^per_device_eval_batch_size=2 does not hold whole groups of 4: .*eval$"):
        build(random_model, tokenizer, tmp_path, given={"eval_dataset": UNSEEN}, **half)
    trainer = build(random_model, tokenizer, tmp_path, **half)  # nobody evaluates yet
    with pytest.raises(ValueError, match="whole groups of 4"):
        trainer.evaluate(UNSEEN)
