"""Every recipe that ships: it loads, builds its `MotifConfig`, and says what it is estimated to take."""

import re
from pathlib import Path

import pytest

from motif_lib.models import memory
from motif_lib.tasks.ledger import split_of_text
from motif_lib.training.recipe import FOLDER, load_recipe
from motif_lib.training.runs import train_run

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GPUS = [name for name in NAMES if name.startswith("gpu-")]


def test_there_is_one_for_every_size_of_memory():
    assert NAMES == ["cpu", "gpu-16gb", "gpu-24gb", "gpu-80gb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_config(name, tmp_path):
    """On a CPU the check for a GPU that Transformers makes is switched off; all else is checked."""
    recipe = load_recipe(name)
    config = recipe.config(tmp_path, use_cpu=True, bf16=False, fp16=False)
    assert config.max_steps > 0 and config.num_rounds == 3 and config.replies_per_question == 72
    assert config.max_completion_length < recipe.load.get("window", 320)


def test_the_papers_setting(tmp_path):
    """Values of the reference code."""
    recipe = load_recipe("gpu-80gb")
    config = recipe.config(tmp_path, use_cpu=True, bf16=False)
    assert recipe.model == "Qwen/Qwen2.5-3B-Instruct" and recipe.task == "gsm8k" and recipe.lora_rank == 64
    assert recipe.load == {"unsloth": True, "four_bit": True, "window": 2048}
    assert (config.num_generations, config.num_trajectories, config.questions_per_step) == (8, 4, 1)
    assert (config.learning_rate, config.lr_scheduler_type, config.warmup_steps) == (5e-6, "cosine", 100)
    assert (config.optim, config.adam_beta1, config.adam_beta2) == ("adamw_8bit", 0.9, 0.99)
    assert (config.weight_decay, config.max_grad_norm, config.beta) == (0.1, 0.1, 0.0)
    assert (config.later_temperature, config.later_top_p, config.max_steps) == (0.8, 0.95, 1000)


def test_a_run_trains_on_the_train_split():
    questions = load_recipe("cpu").load_questions(seed=3)
    assert len(questions) == 400 and {question.id.split("-4to12-")[0] for question in questions} == {"ledger-train"}
    assert {split_of_text(question.text) for question in questions} == {"train"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("train: {use_cpu: true, lerning_rate: 1}", "`train` of the recipe: .*lerning_rate"),
        ("train: {use_cpu: true, bf16: false, num_rounds: three}", "`train` of the recipe: .*'str'"),
        ("train: [1]", r"`train` holds \[1\], not keys with values; a recipe has the keys model, task"),
        ("load: {four_bits: true}", "`load` has an unknown key 'four_bits'"),
        ("dial: {stepz: 3}\ntrain: {use_cpu: true, bf16: false}", "`dial` of the recipe: .*stepz"),
        ("tusk: ledger", "unexpected keyword argument 'tusk'; a recipe has the keys model, task"),
        ("train: {", "recipe.yaml: while parsing a flow .*; a recipe has the keys"),
        ("\xff", "recipe.yaml: .* codec"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line_and_leaves_no_folder(tmp_path, text, message):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(f"model: motif-tiny\ntask: ledger\n{text}\n".encode("latin-1"))
    with pytest.raises(ValueError, match=message) as error:
        train_run(load_recipe(file), tmp_path / "run")
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name, changed",
    [
        ("gpu-16gb", {"bf16", "fp16"}),
        ("gpu-24gb", {"per_device_train_batch_size"}),
    ],
)
def test_the_smaller_ones_change_what_the_memory_asks_for_only(name, changed):
    def flat(recipe):
        return {"model": recipe.model, "task": recipe.task, "rank": recipe.lora_rank, **recipe.load, **recipe.train}

    recipe, paper = flat(load_recipe(name)), flat(load_recipe("gpu-80gb"))
    assert {key for key in recipe.keys() | paper.keys() if recipe.get(key) != paper.get(key)} == changed


@pytest.mark.parametrize("name", GPUS)
def test_the_estimate_in_the_comment_is_the_librarys_and_fits(name, tmp_path):
    recipe, text = load_recipe(name), (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    args = recipe.config(tmp_path, use_cpu=True, bf16=False, fp16=False)
    estimate = memory.for_recipe(recipe, args, memory.PRESETS[recipe.model]).total / memory.GIB
    (written,) = re.findall(r"Estimated peak: ([\d.]+) GiB", text)
    assert float(written) == pytest.approx(estimate, abs=0.05) and "Not run on a GPU" in text
    assert estimate < 0.9 * int(name[4:-2])
    page = Path(__file__).parents[1] / "docs" / "gpu.md"
    (row,) = re.findall(rf"^\| `{name}`.*", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"| {args.questions_per_step} | {written} GiB |" in row
