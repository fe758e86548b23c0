"""A budget that is the window: who may write how much, what is refused before anything is sampled, what is recorded."""

from types import SimpleNamespace

import pytest
import torch
import typer
from small_models import small_model
from test_trainer import build

from motif_lib.carry import fitting
from motif_lib.evaluate import evaluate
from motif_lib.models import memory
from motif_lib.models.memory import PRESETS, to_train
from motif_lib.protocol import NO_NOTE, messages
from motif_lib.records import Question, read_traces
from motif_lib.rounds import check_room
from motif_lib.samplers.choose import make_sampler
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.options import read_budget
from motif_lib.training.recipe import load_recipe


@pytest.mark.parametrize("kind", [LocalSampler, GenerateSampler])
def test_no_row_goes_beyond_the_window_of_a_model_with_a_table_of_positions(kind, tokenizer):
    """GPT-2 has 256 positions: a row that stayed in the batch for the sake of others would ask for another one."""
    model = small_model("gpt2")
    model.generation_config.eos_token_id = 2
    sampler = kind(model, tokenizer, None, temperature=0)
    sampler.stop = torch.tensor([-1])  # none is drawn
    prompts = [[5 + i % 7 for i in range(size)] for size in (250, 240, 256 - 1, 228, 250)]
    assert [len(reply) for reply in sampler.sample_ids(prompts)] == [6, 16, 1, 28, 6]


def test_a_full_row_leaves_the_batch_at_once_and_the_others_go_on_with_theirs(random_model, tokenizer, monkeypatch):
    rows, step = [], LocalSampler._choose
    monkeypatch.setattr(LocalSampler, "_choose", lambda self, logits: rows.append(len(logits)) or step(self, logits))
    sampler = LocalSampler(random_model, tokenizer, None, temperature=0)
    sampler.stop = torch.tensor([-1])
    sampler.sample_ids([[5] * 250, *[[6 + i] * 240 for i in range(9)]])
    assert rows == [10] * 6 + [9] * 10


def test_a_repetition_penalty_holds_in_replies_of_different_length(random_model, tokenizer):
    random_model.config.max_position_embeddings = 64
    chats = [messages("Ann has 3 eggs. " * times, 1, 3) for times in (3, 1, 5)]
    ways = [kind(random_model, tokenizer, None, 0, repetition_penalty=1.3) for kind in (LocalSampler, GenerateSampler)]
    assert ways[0](chats) == ways[1](chats) and ways[0](chats)[1].tokens > ways[0](chats)[0].tokens


def test_a_model_without_a_window_needs_a_number(random_model, tokenizer, monkeypatch):
    monkeypatch.setattr("motif_lib.samplers.model_sampler.window", lambda model: None)
    with pytest.raises(ValueError, match="^this model names no window to fill: give max_new_tokens as a number$"):
        make_sampler(random_model, tokenizer, None)
    assert LocalSampler(random_model, tokenizer, 4)([messages("Ann has 3 eggs. " * 60, 1, 1)])[0].tokens <= 4


def test_a_full_window_is_one_clear_line(random_model, tokenizer):
    sampler = LocalSampler(random_model, tokenizer, None)
    chat = messages("Ann has 3 eggs. " * 60, 1, 1)
    assert sampler.leaves_room([chat, messages("Ann has 3 eggs.", 1, 1)]) == [False, True]
    with pytest.raises(ValueError, match=r"^a prompt of \d+ tokens leaves no room in the window of 256: shorten"):
        sampler([chat])
    assert len(sampler.sample_ids([[5] * 255])[0]) == 1  # one token is room


# ---- refused before anything is sampled


def asked(window, budget):
    """A sampler whose prompts have as many tokens as the user's message has words."""

    def render(chats):
        return [[0] * len(chat[-1]["content"].split()) for chat in chats]

    return SimpleNamespace(window=window, max_new_tokens=budget, render=render)


SHORT, LONG = Question("a b c", "1"), Question("a " * 40, "1")
ONE = 40 + len("Round 1 of 1. Last round: give the final answer.".split())
NOTED = ONE + len(f"<progress> {NO_NOTE} </progress>".split())


@pytest.mark.parametrize("budget", [10, None])
@pytest.mark.parametrize("rounds, prompt", [(1, ONE), (2, NOTED), (5, NOTED)])
def test_the_smallest_window_that_will_do_does_and_one_token_less_does_not(budget, rounds, prompt):
    window = prompt + (budget or 1)
    assert check_room([SHORT, LONG], asked(window, budget), rounds) == (None if rounds == 1 else 3)
    with pytest.raises(
        ValueError, match=f"^1 of 2 .* window of {window - 1}: .* {prompt} tokens.* window of {window}$"
    ):
        check_room([SHORT, LONG], asked(window - 1, budget), rounds)


def test_the_largest_budget_that_will_do_is_named_and_does():
    with pytest.raises(ValueError, match=f"and a budget of 30 tokens .*prompt has {NOTED} tokens.*budget to 10, or"):
        check_room([LONG], asked(NOTED + 10, 30), 3)
    assert check_room([LONG], asked(NOTED + 10, 10), 3) == 3 and check_room([SHORT], asked(NOTED + 10, 10), 3) == 40


def test_a_question_that_alone_does_not_fit_says_so_with_both_numbers():
    said = (
        f"^2 of 2 questions .* window of {ONE}: the longest prompt alone has {ONE} tokens; take shorter questions, or"
    )
    with pytest.raises(ValueError, match=said):
        check_room([LONG, LONG], asked(ONE, 10), 1)


def test_a_note_is_cut_to_what_the_longest_question_leaves(tokenizer):
    """Half of what is left beside the reply, or less; a reply without a budget counts as half of the window."""

    def most(budget, room=None):
        sampler = SimpleNamespace(window=256, tokenizer=tokenizer, max_new_tokens=budget)
        note = fitting(lambda *reply: "eggs " * 300, sampler, room)("", True, "")
        return len(tokenizer(note, add_special_tokens=False)["input_ids"])

    assert (most(56), most(56, 20), most(None), most(None, 30), most(56, 0)) == (100, 20, 64, 30, 1)


def test_a_run_cuts_notes_to_what_its_longest_question_leaves(random_model, tokenizer, tmp_path, monkeypatch):
    from motif_lib.training import runs

    random_model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    found = []
    monkeypatch.setattr(runs, "train_in", lambda out, settings, recipe, make, *rest, **more: found.append(make(recipe)))
    train = {**load_recipe("cpu").train, "max_completion_length": 60, "num_rounds": 2}
    recipe = runs.Recipe(model=str(tmp_path / "model"), task="ledger", lora_rank=4, train=train)
    questions = [Question("Ann has 3 eggs. " * times, "3", id=str(times)) for times in (*range(1, 8), 12)]
    runs.train_run(recipe, tmp_path / "run", questions=questions, carry=lambda *reply: "eggs " * 300)
    note = found[0].reward_funcs[0].carry("", True, "")
    later = found[0].sampler.render([messages(questions[-1].text, 2, 2, note)])[0]
    size = len(tokenizer(note, add_special_tokens=False)["input_ids"])
    assert size < (256 - 60) // 2 and 256 - 60 - 8 <= len(later) <= 256 - 60


def test_an_evaluation_cuts_notes_like_a_training(random_model, tokenizer):
    """One rambling note of hundreds must not end it; of these questions the longest leaves the least room."""
    questions = [Question("Ann has 3 eggs. " * times, "3", id=str(times)) for times in (1, 5, 12)]
    sampler, given = LocalSampler(random_model, tokenizer, 60), []

    def rambling(reply, finished, previous):
        given.append(previous)
        return "eggs " * 300

    evaluate(questions, sampler, 3, carry=rambling, progress=False)
    later = sampler.render([messages(questions[-1].text, 3, 3, given[-1])])[0]
    assert 256 - 60 - 8 <= len(later) <= 256 - 60


# ---- training, evaluation, settings


def test_a_training_fills_the_window_in_every_round(random_model, tokenizer, tmp_path):
    random_model.config.max_position_embeddings = 96
    trainer = build(random_model, tokenizer, tmp_path, max_completion_length=None)
    trainer.train()
    replies = [r for trace in read_traces(tmp_path / "traces.jsonl") for t in trace.trajectories for r in t.replies]
    sizes = [(r.round, len(trainer.sampler.render([r.prompt])[0]) + r.tokens) for r in replies if not r.finished]
    assert {*sizes} == {(1, 96), (2, 96), (3, 96)} and trainer.state.global_step == 1


def test_an_evaluation_says_that_its_budget_is_the_window(random_model, tokenizer, tmp_path):
    def report(budget):
        sampler = LocalSampler(random_model, tokenizer, budget)
        return evaluate([Question("Ann has 3 eggs.", "3")], sampler, 1, path=tmp_path / "out", progress=False)

    assert report(None).settings["sampler"]["max_new_tokens"] == "window"
    assert sum(report(None).items[0].prompt_tokens + report(None).items[0].tokens) <= 256
    with pytest.raises(ValueError, match="another evaluation"):
        report(8)


def test_yaml_and_the_command_line_have_a_word_for_it(tmp_path):
    assert load_recipe("cpu").with_train(max_completion_length=None).config(tmp_path).max_completion_length is None
    assert read_budget("window") is None and read_budget("60") == read_budget(60) == 60
    for wrong in ("0", "-3", "all", "", "6.5"):
        with pytest.raises(typer.BadParameter, match="neither a number of tokens above 0 nor 'window'"):
            read_budget(wrong)


def test_memory_is_estimated_for_the_most_of_prompt_and_reply():
    shape, most = PRESETS["Qwen/Qwen2.5-0.5B-Instruct"], {"graph": True}
    window = to_train(shape, False, 8, 2048, 32, 8, None, **most)
    reply, prompt = (to_train(shape, False, 8, 2048, 32, 8, budget, **most) for budget in (2048, 1))
    assert window.update == reply.update > prompt.update
    assert window.rollout == pytest.approx(prompt.rollout, rel=1e-2) and window.rollout > reply.rollout
    assert isinstance(window, memory.GpuMemory)
