"""What a trainer is given works, or is one line when the trainer is made; two trainings share no file."""

import copy

import pytest
from datasets import Dataset, IterableDataset
from peft import PeftModel, get_peft_model
from test_trainer import QUESTIONS, build, settings

from motif_lib.models.load import lora_config
from motif_lib.records import read_traces
from motif_lib.rewards.format import format_reward
from motif_lib.training.inputs import to_dataset
from motif_lib.training.refusals import check_trainer
from motif_lib.training.trainer import MotifTrainer

ROWS = [{"question": f"Ann has {i} eggs.", "answer": i, "weight": 0.5} for i in range(3, 9)]


@pytest.fixture
def make(random_model, tokenizer, tmp_path):
    return lambda questions=QUESTIONS, given=None, **changes: build(
        random_model, tokenizer, tmp_path, questions, given, **changes
    )


@pytest.mark.parametrize(
    "data",
    [
        lambda: ROWS,
        lambda: iter(QUESTIONS),
        lambda: to_dataset(QUESTIONS, 3),
        lambda: Dataset.from_list(ROWS),
        lambda: to_dataset(ROWS, 3).to_iterable_dataset(),
        lambda: IterableDataset.from_generator(lambda: iter(to_dataset(QUESTIONS, 3))),
    ],
    ids=["dicts", "iterator", "data set", "data set without prompts", "iterable", "generator"],
)
@pytest.mark.parametrize("credit", ["first", "all"])
def test_every_kind_of_data_trains(make, data, credit, tmp_path):
    trainer = make(data(), credit=credit)
    trainer.train()
    assert len(read_traces(tmp_path / "traces.jsonl")) == 8 and trainer.state.global_step == 1


def test_a_dict_becomes_a_question():
    row = to_dataset([{**ROWS[0], "task": "gsm8k"}, {**ROWS[1], "gold": " 7", "task": "gsm8k"}], 2)
    assert row["question"][0] == "Ann has 3 eggs." and list(row["gold"]) == ["3", " 7"]
    assert list(row["task"]) == ["gsm8k"] * 2 and row["weight"][0] == 0.5
    assert row["prompt"][0][1]["content"] == "Ann has 3 eggs.\nRound 1 of 2."
    assert to_dataset(ROWS, 2)["task"][0] == QUESTIONS[0].task


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "no questions"),
        ([{"answer": "5"}], "question 1 has no text under 'question'; its keys are 'answer'"),
        ([ROWS[0], {"question": "How many?"}], "question 2 has no text or number under 'gold' or 'answer'"),
        ([{"question": "How many?", "gold": True}], "it holds True"),
        ([{"question": "How many?", "gold": "eggs"}], "question 1: the answer 'eggs' cannot be graded"),
        (["How many?"], "question 1 is a str"),
        (Dataset.from_list([{"prompt": "How many?"}]), "no column 'question', 'gold', 'task'"),
        (Dataset.from_list(ROWS).to_iterable_dataset(), "no column 'prompt', 'gold', 'task'"),
        (to_dataset(QUESTIONS, 5), "made for 5 rounds, the config says num_rounds=3"),
        (to_dataset(QUESTIONS, 5).to_iterable_dataset(), "made for 5 rounds, the config says num_rounds=3"),
        (to_dataset(QUESTIONS, 1), "made for 1 rounds"),
        (QUESTIONS[:1], "fewer than the 2 of one generation"),
    ],
)
def test_useless_data_is_one_line(make, rows, message):
    with pytest.raises(ValueError, match=message) as error:
        make(rows)
    assert "\n" not in str(error.value)


def test_a_late_row_of_another_number_of_rounds_is_found_too(make):
    rows = [*to_dataset(QUESTIONS, 3), *to_dataset(QUESTIONS, 5)]
    with pytest.raises(ValueError, match="made for 5 rounds"):
        make(Dataset.from_list(rows))


@pytest.mark.parametrize("rewards", [format_reward, [format_reward], (format_reward,), None, []])
def test_rewards_come_alone_or_in_a_list(make, rewards):
    trainer = make(given={"reward_funcs": rewards})
    assert trainer.reward_func_names == ["future_accuracy", "format_reward"][: 2 if rewards else 1]


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_a_model_with_nothing_to_train_is_refused(random_model, tokenizer, tmp_path, beta):
    get_peft_model(copy.deepcopy(random_model), lora_config(4)).save_pretrained(tmp_path / "adapter")
    model = PeftModel.from_pretrained(random_model, tmp_path / "adapter")  # as load_model does, for inference
    with pytest.raises(ValueError, match="^no weight of the model is trainable: .*is_trainable=True"):
        MotifTrainer(model, settings(tmp_path, beta=beta), QUESTIONS, processing_class=tokenizer)


def test_a_trainable_adapter_goes_on(random_model, tokenizer, tmp_path):
    model = get_peft_model(random_model, lora_config(4))
    trainer = build(model, tokenizer, tmp_path, given={"peft_config": None}, beta=0.1)
    trainer.train()
    assert trainer.state.log_history[0]["grad_norm"] >= 0


@pytest.mark.parametrize(
    "given, changes, message",
    [
        ({"peft_config": None}, {"rollout_policy": "base"}, "rollout_policy='base'.*: give a peft_config"),
        ({"tools": [len]}, {}, "^tools: the later rounds"),
        ({"rollout_func": len}, {}, "^rollout_func: the later rounds"),
        ({"environment_factory": len}, {}, "^environment_factory: the later rounds"),
    ],
)
def test_an_argument_without_effect_is_one_line(make, given, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        make(given=given, **changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("launched", ["is_fsdp_enabled", "is_deepspeed_enabled"])
def test_a_launcher_that_splits_the_model_is_refused(make, launched):
    trainer = make()
    check_trainer(trainer)
    setattr(trainer, launched, True)
    with pytest.raises(ValueError, match="with DDP"):
        check_trainer(trainer)


def test_a_new_training_keeps_the_traces_of_the_one_before(random_model, tokenizer, tmp_path):
    def steps(name):
        return [trace.step for trace in read_traces(tmp_path / name)]

    build(copy.deepcopy(random_model), tokenizer, tmp_path, traced_questions=1).train()
    first = (tmp_path / "traces.jsonl").read_bytes()
    two = {"traced_questions": 1, "max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    trainer = build(random_model, tokenizer, tmp_path, **two)
    trainer.train()
    assert (tmp_path / "traces-1.jsonl").read_bytes() == first and steps("traces.jsonl") == [0] * 4 + [1] * 4
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert steps("traces.jsonl") == [0] * 4 + [1] * 4 and not (tmp_path / "traces-2.jsonl").exists()
    trainer.train()
    assert steps("traces-2.jsonl") == [0] * 4 + [1] * 4 == steps("traces.jsonl")
