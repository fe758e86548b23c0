"""What `motif bench` measures: the parts of a step add up, the floor counts the bytes that are there."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import Qwen2ForCausalLM

from motif_lib.machine import bench, measure
from motif_lib.models.memory import WORKSPACE
from motif_lib.records import Question
from motif_lib.training.recipe import Recipe
from motif_lib.training.runs import make_trainer

pytestmark = pytest.mark.slow

QUESTIONS = [Question(f"Ann has {i} eggs.", str(i), "ledger", f"q{i}") for i in range(3, 30)]


@pytest.fixture
def recipe(random_model, tokenizer, tmp_path):
    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    train = dict(
        num_generations=4, num_trajectories=2, max_completion_length=8, per_device_train_batch_size=8, max_steps=7,
        use_cpu=True, bf16=False, report_to="none", save_strategy="no", gradient_checkpointing=False, disable_tqdm=True,
        logging_steps=1,
    )  # fmt: skip
    return Recipe(model=str(tmp_path / "model"), task="ledger", questions=8, lora_rank=4, train=train)


def test_a_bench_measures_writes_and_predicts(recipe, tmp_path):
    found = bench.run_bench(recipe, "small", tmp_path / "new" / "bench.json", batches=(4, 8))
    ways = ["one at a time, as the reference", "GraphSampler", "GenerateSampler", "LocalSampler"]
    assert [(s.way, s.batch) for s in found.speeds] == [(ways[0], 1), *((way, n) for way in ways[1:] for n in (4, 8))]
    assert all(s.tokens_per_second > 0 for s in found.speeds)
    assert set(found.step) == {"round 1", "later rounds", "verify", "update"} and min(found.step.values()) > 0
    assert found.training_seconds == pytest.approx(7 * sum(found.step.values()))
    stored = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert stored["training_seconds"] == found.training_seconds and stored["speeds"][2]["batch"] == 8
    speeds, parts = map(str, found.tables())
    assert "times the loop" in speeds and "7 steps: about" in parts


def test_every_sampler_draws_as_the_later_rounds_do(recipe, tmp_path):
    train = {**recipe.train, "temperature": 0.8, "top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2}
    trainer = make_trainer(replace(recipe, train=train), tmp_path / "run", 0, QUESTIONS, "bench")
    own, (*others, last) = trainer.later_sampler, measure.samplers(trainer)
    assert last is own and own.drawing.top_k == 7 and len(others) == 2
    assert all((s.drawing, s.max_new_tokens, s.batch_size) == (own.drawing, 8, own.batch_size) for s in others)


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a test says so, however busy the machine is."""
    now = [0.0]
    monkeypatch.setattr(measure, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("slow, owner, calls", [("later rounds", "later_sampler", 2), ("round 1", "sampler", 1)])
def test_time_is_charged_to_the_part_that_spent_it(recipe, tmp_path, clock, slow, owner, calls):
    trainer = make_trainer(recipe, tmp_path / "run", 0, QUESTIONS, "bench")
    sampler = getattr(trainer, owner)
    quick = sampler.sample_ids

    def sample(prompts):
        clock[0] += 0.5
        return quick(prompts)

    sampler.sample_ids = sample
    assert measure.measure_step(trainer) == {slow: 0.5 * calls, "verify": 0, "update": 0}


def test_the_roll_in_of_any_credit_has_a_part_of_its_own(recipe, tmp_path, clock):
    trainer = make_trainer(recipe.with_train(credit="any"), tmp_path / "run", 1, QUESTIONS, "bench")
    roll_in = trainer._roll_in

    def one_call(inputs):
        trainer.sample_later([])
        return roll_in(inputs)

    def sample_later(chats):
        clock[0] += 0.5 if not chats else 0
        return later(chats)

    later, trainer.sample_later, trainer._roll_in = trainer.sample_later, sample_later, one_call
    assert measure.measure_step(trainer) == {"roll-in": 0.5, "verify": 0, "update": 0}


def test_later_prompts_are_those_of_round_two(recipe, tmp_path):
    trainer = make_trainer(recipe, tmp_path / "run", 0, QUESTIONS, "bench")
    texts = trainer.processing_class.batch_decode(measure.later_prompts(trainer, 20))
    assert len(texts) == 20 and all("<progress>" in text and "Round 2 of 3." in text for text in texts)
    assert len({text.split("<progress>")[0] for text in texts}) == 3  # 8 prompts a question


def test_the_loop_counts_new_tokens_only(recipe, tmp_path, clock):
    trainer = make_trainer(recipe, tmp_path / "run", 0, QUESTIONS, "bench")
    new = torch.zeros(1, 8, dtype=torch.long)

    def generate(input_ids, **kwargs):
        clock[0] += 0.25
        return torch.cat([input_ids, new], dim=1)

    trainer.policy.generate = generate
    assert measure.one_by_one(trainer.policy, trainer.later_sampler, [[1, 2, 3]] * 6) == 8 / 0.25


def test_bytes_read_leave_an_input_table_out(random_model):
    config = random_model.config
    tied = Qwen2ForCausalLM(type(config)(**{**config.to_dict(), "tie_word_embeddings": True}))
    assert measure.bytes_read(random_model) == measure.bytes_read(tied) == 4 * tied.num_parameters()


def test_on_a_gpu_the_peak_stands_beside_the_estimate(recipe, monkeypatch):
    monkeypatch.setattr(bench, "peak_memory", lambda: 3 * 2**30)
    found = bench.run_bench(replace(recipe, load={"window": 256}), batches=(4,))
    assert found.estimated_bytes > WORKSPACE
    _, parts = map(str, found.tables())
    assert "peak GPU memory 3.0 GiB" in parts and "estimated 0.9 GiB" in parts
