"""The cold start: which traces are kept, what the loss falls on, that it helps, that it goes on, and what it is for."""

import json
import os
import re
import shutil
import signal
from dataclasses import replace

import pytest
from test_runs import adapter, outcomes, same  # noqa: F401  outcomes that a random model can learn from

from motif_lib import protocol
from motif_lib.evaluate import evaluate
from motif_lib.records import Question, Reply, Trajectory
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.tasks import load_task
from motif_lib.tasks.ledger import Ledger, replies
from motif_lib.training import runs, warm
from motif_lib.training.recipe import Recipe, load_recipe

RIGHT = protocol.reply_text("so it is", "\\boxed{{{}}}")


@pytest.fixture
def recipe(random_model, tokenizer, tmp_path):
    """A recipe on a small random model; its cold start has a checkpoint at every second step."""
    folder = tmp_path / "model"
    random_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    train = dict(
        num_generations=4, num_trajectories=1, max_completion_length=8, per_device_train_batch_size=4, max_steps=1,
        num_rounds=2, learning_rate=0.0, use_cpu=True, bf16=False, report_to="none", gradient_checkpointing=False,
        disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    fine_tuned = dict(learning_rate=1e-2, per_device_train_batch_size=4, save_steps=2)
    return Recipe(str(folder), "ledger", lora_rank=4, dial={"steps": [1, 2]}, train=train, warm=fine_tuned)


@pytest.fixture
def scripted(monkeypatch):
    """Let a function of the chat answer in the place of the model; the sampler counts its calls."""

    def install(answer):
        sampler = ScriptedSampler(answer)
        monkeypatch.setattr("motif_lib.training.config.MotifConfig.make_sampler", lambda *args: sampler)
        monkeypatch.setattr(warm, "check_coherence", lambda *args: None)
        return sampler

    return install


def days(chat):
    return Ledger.read(chat[-1]["content"].partition("\n")[0]).totals


def solves_short_ones(chat):
    """Right and in format if there is one day only, else right without format."""
    totals = days(chat)
    return RIGHT.format(totals[-1]) if len(totals) == 2 else f"<answer>\\boxed{{{totals[-1]}}}</answer>"


def losses(out):
    return [entry["loss"] for entry in runs.read_metrics(out)]


def test_a_run_stopped_by_ctrl_c_goes_on_to_the_same_end(recipe, tmp_path, monkeypatch, capsys):
    """Six questions make twelve examples and, in two epochs, six steps; the signal arrives in the fourth."""
    recipe = replace(recipe, warm=recipe.warm | {"num_train_epochs": 2})
    assert warm.warm_run(recipe, tmp_path / "whole", size=6)
    step = warm.WarmTrainer.training_step

    def interrupt(self, *args, **kwargs):
        if self.state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(warm.WarmTrainer, "training_step", interrupt)
        assert not warm.warm_run(recipe, tmp_path / "stopped", size=6)
    assert "goes on from there" in capsys.readouterr().out and not (tmp_path / "stopped" / "adapter").exists()
    assert warm.warm_run(recipe, tmp_path / "stopped", size=6)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 6
    assert same(adapter(tmp_path / "stopped"), adapter(tmp_path / "whole"))
    monkeypatch.setattr(warm, "train_in", lambda *args: pytest.fail("trained again"))
    assert warm.warm_run(recipe, tmp_path / "whole", size=6)
    with pytest.raises(RuntimeError, match="other settings: choose another folder"):
        warm.warm_run(recipe, tmp_path / "whole", size=7)


def test_sampling_goes_on_where_it_stopped_and_right_traces_in_format_are_kept(recipe, tmp_path, scripted, monkeypatch):
    """Four questions, twice each, two rounds, a batch a question: Ctrl-C comes in the third batch."""
    monkeypatch.setattr(warm, "CPU_BATCH", 2)

    def stops(chat):
        if len(sampler.calls) == 5:
            raise KeyboardInterrupt
        return solves_short_ones(chat)

    sampler = scripted(stops)
    with pytest.raises(KeyboardInterrupt):
        warm.warm_run(recipe, tmp_path / "run", size=4, samples=2)
    assert len((tmp_path / "run" / "traces" / "items.jsonl").read_text().splitlines()) == 4
    sampler = scripted(solves_short_ones)
    assert warm.warm_run(recipe, tmp_path / "run", size=4, samples=2)
    assert sampler.calls == [2] * 4, "two batches of two trajectories in two rounds are left"
    sources = json.loads((tmp_path / "run" / "sources.json").read_text())
    assert sources["traces"] == 4, "two of four questions have one day; both samples of each are right and in format"


def test_nothing_right_is_one_line_that_says_what_to_do(recipe, tmp_path, scripted):
    scripted(lambda chat: f"<answer>\\boxed{{{days(chat)[-1]}}}</answer>")
    with pytest.raises(RuntimeError, match="of 6 trajectories 6 are right, 0 in format .* take easier") as error:
        warm.warm_run(recipe, tmp_path / "run", size=3, samples=2)
    assert "\n" not in str(error.value) and [path.name for path in (tmp_path / "run").iterdir()] == ["traces"]
    with pytest.raises(RuntimeError, match="of 6 trajectories"):
        warm.warm_run(replace(recipe, warm={"learning_rate": 1.0}), tmp_path / "run", size=3, samples=2)


def test_traces_that_are_there_are_used_if_they_are_of_training_questions(recipe, tmp_path):
    short = {"steps": (1, 2)}
    for name, rounds, split in (("good", 2, "train"), ("three", 3, "train"), ("held out", 2, "test")):
        questions = load_task("ledger", split=split, size=4, **short)
        evaluate(questions, ScriptedSampler(solves_short_ones), rounds, path=tmp_path / name, progress=False)
    assert warm.warm_run(recipe, tmp_path / "run", traces=tmp_path / "good")
    assert json.loads((tmp_path / "run" / "sources.json").read_text())["traces"] == 2
    for name, message in (("three", "traces of 3 rounds"), ("held out", "answers to test questions")):
        with pytest.raises(ValueError, match=message):
            warm.warm_run(recipe, tmp_path / "other", traces=tmp_path / name)
    with pytest.raises(ValueError, match="leave size and samples out"):
        warm.warm_run(recipe, tmp_path / "other", size=3, traces=tmp_path / "good")
    assert not (tmp_path / "other").exists()


def test_the_loss_falls_on_the_reply_only(recipe, tmp_path):
    kept = [warm.solved(question, 2) for question in replace(recipe, questions=3).load_questions()]
    trainer = warm.make_trainer(warm.WarmRecipe.of(recipe), tmp_path / "run", 0, kept, recipe)
    tokenizer, wanted = trainer.processing_class, [reply for trajectory in kept for reply in trajectory.replies]
    assert len(trainer.train_dataset) == len(wanted) == 6
    for row, reply in zip(trainer.train_dataset, wanted):
        trained = [token for token in row["labels"] if token != -100]
        assert tokenizer.decode(trained).strip() == reply.text + tokenizer.eos_token
        prompt = tokenizer.apply_chat_template(reply.prompt, tokenize=False, add_generation_prompt=True)
        assert tokenizer.decode(row["input_ids"]).startswith(prompt) and trained[-1] != -100


def test_training_goes_on_with_the_adapter(recipe, tmp_path):
    """With a learning rate of zero it ends with the weights that it began with."""
    assert warm.warm_run(recipe, tmp_path / "warm", size=6)
    began = adapter(tmp_path / "warm")
    assert any(weights.any() for name, weights in began.items() if "lora_B" in name)
    questions = load_task("ledger", split="train", size=4)
    goes_on = recipe.going_on(tmp_path / "warm" / "adapter")
    assert runs.train_run(goes_on, tmp_path / "run", questions=questions)
    assert same(adapter(tmp_path / "run"), began)
    assert same(adapter(tmp_path / "warm"), began)


def test_from_an_adapter_too_a_stopped_training_goes_on_to_the_same_end(recipe, tmp_path):
    """And not with other weights in the adapter's folder."""
    assert warm.warm_run(recipe, tmp_path / "warm", size=6)
    questions = load_task("ledger", split="train", size=4)
    learns = recipe.going_on(tmp_path / "warm" / "adapter")
    learns = learns.with_train(learning_rate=1e-2, max_steps=2, save_steps=1)
    run = tmp_path / "run"
    assert runs.train_run(learns, run, questions=questions)
    whole = adapter(run)
    assert whole.keys() == adapter(tmp_path / "warm").keys() and not same(whole, adapter(tmp_path / "warm"))
    shutil.rmtree(run / "adapter")
    shutil.rmtree(run / "checkpoint-2")
    assert runs.train_run(learns, run, questions=questions)
    assert same(adapter(run), whole)
    shutil.rmtree(tmp_path / "warm" / "adapter")
    shutil.move(run / "adapter", tmp_path / "warm" / "adapter")
    with pytest.raises(ValueError, match="was begun with .*adapter_sha256"):
        runs.train_run(learns, run, questions=questions)


def test_an_adapter_that_cannot_be_gone_on_with_is_one_line(recipe, tmp_path):
    assert warm.warm_run(recipe, tmp_path / "warm", size=6)
    goes_on = recipe.going_on(tmp_path / "warm" / "adapter")
    on_gpu = replace(goes_on, train={key: value for key, value in goes_on.train.items() if key != "use_cpu"})
    for wrong, message in (
        (replace(goes_on, lora_rank=8), "has rank 4, the recipe 8: write lora_rank: 4"),
        (recipe.going_on(tmp_path / "warm"), "holds no LoRA adapter"),
        (replace(goes_on, model="motif-tiny"), "cannot load .*adapter"),
        (replace(on_gpu, load={"unsloth": True}), "with Unsloth a run begins .*motif export .*adapter --out FOLDER"),
        (goes_on.with_train(beta=0.1), "with beta a run begins .*motif export"),
    ):
        with pytest.raises(RuntimeError, match=message) as error:
            wrong.load_model()
        assert "\n" not in str(error.value)


def test_a_recipe_without_an_adapter_is_known_as_before():
    """Folders from before `warm` and `adapter` go on; a cold start changes no training."""
    cpu = load_recipe("cpu")
    assert cpu.settings().keys() == {"model", "task", "questions", "lora_rank", "dial", "train", "load"}
    assert cpu.going_on("a").settings()["adapter"] == "a" and cpu.warm


@pytest.mark.parametrize("rounds", [1, 2, 3, 5])
def test_ledgers_own_traces_are_right_and_in_format(rounds):
    for question in load_task("ledger", split="train", size=12, steps=(1, 12)):
        trajectory = warm.solved(question, rounds)
        assert warm.in_format(trajectory) and len(trajectory.replies) == rounds
        assert protocol.read_answer(trajectory.final) == f"\\boxed{{{question.gold}}}"
        worked = [len(re.findall(r"^day .*=", text, re.MULTILINE)) for text in replies(question, rounds)]
        assert sum(worked) == question.length and max(worked) <= max(4, -(-question.length // rounds))


def test_a_reply_that_is_cut_or_holds_a_chat_token_is_not_learned():
    def one(text, finished=True):
        return Trajectory(Question("How many?", "1"), (Reply(1, [], text, "", finished),))

    good = RIGHT.format(1)
    assert warm.in_format(one(good)) and not warm.in_format(one(good, finished=False))
    assert not warm.in_format(one("Sure! " + good)) and not warm.in_format(one(good.replace("it", "<|im_end|>")))
    row = warm.to_examples([one(good.replace("it", "\ud800"))], {"enable_thinking": False})[0]
    assert "?" in row["completion"][0]["content"] and row["chat_template_kwargs"] == {"enable_thinking": False}
