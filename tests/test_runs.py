"""Run folders: complete runs are left alone, stopped ones go on, foreign ones are refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zlib
from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file

from motif_lib.evaluate import evaluate
from motif_lib.records import Question
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.studies.demo import run_demo
from motif_lib.training import runs
from motif_lib.training.recipe import Recipe, load_recipe

QUESTIONS = [Question(f"Ann has {i} eggs.", str(i), "ledger", f"q{i}") for i in range(3, 30)]


@pytest.fixture(autouse=True)
def outcomes(monkeypatch):
    """A random model is never right: outcomes by a hash of the reply instead, so that there is something to learn."""
    right = lambda ts, right=2.0: [right * (zlib.crc32(t.final.encode()) % 2) for t in ts]  # noqa: E731
    monkeypatch.setattr("motif_lib.rewards.future.outcomes_of", right)


@pytest.fixture
def recipe(random_model, tokenizer, tmp_path):
    """A recipe on a small random model: four steps, a checkpoint at every second one."""
    folder = tmp_path / "model"
    random_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    train = dict(
        num_generations=4, num_trajectories=2, max_completion_length=8, per_device_train_batch_size=4, max_steps=4,
        learning_rate=1e-2, use_cpu=True, bf16=False, report_to="none", save_steps=2, gradient_checkpointing=False,
        disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    return Recipe(model=str(folder), task="ledger", lora_rank=4, train=train)


def adapter(out):
    return load_file(out / "adapter" / "adapter_model.safetensors")


def rewards(out):
    return [entry["reward"] for entry in runs.read_metrics(out)]


def same(a, b):
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_a_complete_run_leaves_adapter_metrics_and_traces(recipe, tmp_path):
    out = tmp_path / "run"
    assert runs.train_run(recipe, out, questions=QUESTIONS)
    assert len(rewards(out)) == 4 and len(set(rewards(out))) > 1 and (out / "traces.jsonl").exists() and adapter(out)
    assert json.loads((out / "settings.json").read_text())["recipe"]["lora_rank"] == 4


@pytest.mark.slow
def test_a_run_stopped_by_ctrl_c_goes_on_to_the_same_end(recipe, tmp_path, monkeypatch, capsys):
    """The signal arrives in step 2; the run that goes on must equal one that was never stopped."""
    assert runs.train_run(recipe, tmp_path / "whole", questions=QUESTIONS)
    seen = []

    def interrupt(self, traces):
        seen.append(traces)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("motif_lib.training.trainer.MotifTrainer._trace", interrupt)
        assert not runs.train_run(recipe, tmp_path / "stopped", questions=QUESTIONS)
    assert "goes on from there" in capsys.readouterr().out
    assert not (tmp_path / "stopped" / "adapter").exists()
    assert runs.train_run(recipe, tmp_path / "stopped", questions=QUESTIONS)
    assert rewards(tmp_path / "stopped") == rewards(tmp_path / "whole")
    assert same(adapter(tmp_path / "stopped"), adapter(tmp_path / "whole"))


def test_ctrl_c_in_the_last_step_is_heard_too(recipe, tmp_path, monkeypatch):
    """The run is complete, but its caller, such as a demo with more to train, must stop."""
    with monkeypatch.context() as patch:
        patch.setattr(
            "motif_lib.training.trainer.MotifTrainer._trace", lambda self, traces: os.kill(os.getpid(), signal.SIGINT)
        )
        assert not runs.train_run(recipe.with_train(max_steps=1), tmp_path / "run", questions=QUESTIONS)
    assert adapter(tmp_path / "run")
    assert runs.train_run(recipe.with_train(max_steps=1), tmp_path / "run", questions=QUESTIONS)


def test_the_threads_are_recorded_and_may_change(recipe, tmp_path):
    """A folder of another machine, or of a version that did not record them, is the same run."""
    out, settings = tmp_path / "run", {"recipe": recipe.settings(), "seed": 0}
    (out / "checkpoint-1").mkdir(parents=True)
    for known in ({}, {"threads": 2}):
        (out / "settings.json").write_text(json.dumps({**settings, **known}, indent=2, sort_keys=True) + "\n")
        assert runs.open_run(out, {**settings, "threads": 1}) == out
        assert json.loads((out / "settings.json").read_text()).get("threads") == known.get("threads")
    with pytest.raises(RuntimeError, match="other settings"):
        runs.open_run(out, {**settings, "seed": 1, "threads": 2})


def test_a_complete_run_is_not_trained_again(recipe, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    runs.open_run(tmp_path / "run", {"recipe": recipe.settings(), "seed": 0})
    (tmp_path / "run" / "adapter").mkdir()
    monkeypatch.setattr(runs, "make_trainer", lambda *args: pytest.fail("trained again"))
    assert runs.train_run(recipe, tmp_path / "run", questions=QUESTIONS)


def test_a_folder_of_another_run_is_refused(recipe, tmp_path):
    runs.open_run(tmp_path / "run", {"seed": 1})
    (tmp_path / "run" / "checkpoint-2").mkdir()
    with pytest.raises(RuntimeError, match="other settings: choose another folder"):
        runs.train_run(recipe, tmp_path / "run", seed=2, questions=QUESTIONS)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RuntimeError, match="cannot write the run folder .* choose another with --out"):
        runs.open_run(tmp_path / "file" / "run", {})


def test_a_half_written_checkpoint_is_not_trusted(tmp_path):
    for step, whole in ((2, True), (10, True), (12, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    (tmp_path / "checkpoint-11 (a copy)").mkdir()  # of somebody else: neither used nor removed
    assert runs.last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert not (tmp_path / "checkpoint-12").exists() and (tmp_path / "checkpoint-11 (a copy)").exists()


def test_recipes_are_found_by_name_and_checked(tmp_path):
    assert load_recipe("cpu").model == "motif-tiny"
    with pytest.raises(ValueError, match="no recipe 'gpu99': name one of .*cpu"):
        load_recipe("gpu99")
    (tmp_path / "bad.yaml").write_text("model: m\ntask: ledger\nrank: 3\n")
    with pytest.raises(ValueError, match="rank.*a recipe has the keys model, task"):
        load_recipe(tmp_path / "bad.yaml")


def test_a_run_does_not_go_on_with_other_questions(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "train_to_the_end", lambda trainer: pytest.fail("trained"))
    with pytest.raises(pytest.fail.Exception):
        runs.train_run(recipe, tmp_path / "run", questions=QUESTIONS)
    (tmp_path / "run" / "checkpoint-2").mkdir()
    sources = json.loads((tmp_path / "run" / "sources.json").read_text())
    assert sources["questions"] == len(QUESTIONS) and sources["model_commit"] is None and sources["questions_sha256"]
    other = replace(recipe, model=str(shutil.copytree(recipe.model, tmp_path / "other")))
    weights = load_file(tmp_path / "other" / "model.safetensors")
    weights["model.norm.weight"][3] += 0.5
    save_file(weights, tmp_path / "other" / "model.safetensors", {"format": "pt"})
    shutil.rmtree(recipe.model)
    shutil.move(other.model, recipe.model)  # a folder whose weights were replaced
    with pytest.raises(ValueError, match="was begun with .*model_sha256"):
        runs.train_run(recipe, tmp_path / "run", questions=QUESTIONS)
    changed = [*QUESTIONS[:-1], Question("Ann has 29 eggs.", "30", "ledger", "q29")]
    with pytest.raises(ValueError, match="was begun with .*: bring those back, .* or choose another folder") as error:
        runs.train_run(recipe, tmp_path / "run", questions=changed)
    assert "\n" not in str(error.value)


def test_a_launcher_of_several_processes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="written by one process"):
        runs.train_run(load_recipe("cpu"), tmp_path)
    assert not list(tmp_path.iterdir())


MISTAKES = {
    "an optimiser that is not installed": {"optim": "grokadamw"},
    "a schedule without such an option": {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"cycles": 2}},
    "weights for other rewards": {"reward_weights": [1.0, 1.0, 1.0]},
    "an unknown loss": {"loss_type": "gspo-2"},
    "a reply longer than the window": {"max_completion_length": 250},
    "groups of another size": {"num_generations": 3},
    "an unknown setting": {"lerning_rate": 1.0},
    "a wrong type": {"num_rounds": "three"},
    "more questions a step than there are": {"per_device_train_batch_size": 400},
}


def test_a_mistake_leaves_a_folder_that_takes_the_mended_recipe(recipe, tmp_path, monkeypatch):
    """Each mistake is one line, in a folder of its own; then the mended recipe begins there."""
    wrong, begun = [], []
    for what, settings in MISTAKES.items():
        out = tmp_path / what
        try:
            runs.train_run(recipe.with_train(**settings), out, questions=QUESTIONS)
            wrong.append(f"{what}: trained")
        except (ValueError, RuntimeError) as error:
            wrong += [f"{what}: {error}"] * ("\n" in str(error))
        with monkeypatch.context() as patch:
            patch.setattr(runs, "train_to_the_end", lambda trainer: begun.append(trainer) or 1 / 0)
            with pytest.raises(ZeroDivisionError):
                runs.train_run(recipe, out, questions=QUESTIONS)
    assert not wrong and len(begun) == len(MISTAKES), "\n".join(wrong)


def test_nothing_is_written_before_a_trainer_stands(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "try_optimizer", lambda trainer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runs.train_run(recipe, tmp_path / "new" / "run", questions=QUESTIONS)
    assert not (tmp_path / "new").exists()


HOLD = (
    "import sys; from motif_lib.files import locked\nwith locked(sys.argv[1]): print(1, flush=True); sys.stdin.read()"
)


def test_a_folder_that_a_living_command_writes_is_refused_and_a_kill_frees_it(recipe, tmp_path, monkeypatch):
    """Every writer: a training, an evaluation and a demo."""
    out = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"1\n"
    for write in (
        lambda: runs.train_run(recipe, out, questions=QUESTIONS),
        lambda: evaluate(QUESTIONS, ScriptedSampler(lambda chat: "1"), path=out),
        lambda: run_demo(out, quick=True),
    ):
        with pytest.raises(RuntimeError, match="another command is writing into .*run: wait for it") as error:
            write()
        assert "\n" not in str(error.value)
    assert [path.name for path in out.iterdir()] == [".lock"]
    holder.kill()
    holder.wait()
    evaluate(QUESTIONS, ScriptedSampler(lambda chat: "1"), path=out, progress=False)
    assert sorted(path.name for path in out.iterdir()) == ["items.jsonl", "run.json"]


def test_a_byte_order_mark_in_the_metrics_is_read(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'\xef\xbb\xbf{"reward": 1}\n{"reward": 2}\n')
    assert rewards(tmp_path) == [1, 2]
