"""Every recipe that ships: it loads, builds its `MotifConfig`, and says what it is estimated to take."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from motif_lib.models import memory
from motif_lib.tasks.ledger import split_of_text
from motif_lib.training.recipe import FOLDER, load_recipe
from motif_lib.training.runs import train_run

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GPUS = [name for name in NAMES if name.startswith("gpu-")]


def test_there_is_one_for_every_size_of_memory():
    assert NAMES == ["cpu", "cpu-0.5b", "gpu-16gb", "gpu-16gb-small", "gpu-24gb", "gpu-80gb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_config(name, tmp_path):
    """On a CPU the check for a GPU that Transformers makes is switched off; all else is checked."""
    recipe = load_recipe(name)
    config = recipe.config(tmp_path, use_cpu=True, bf16=False, fp16=False)
    replies = {"gpu-16gb-small": (3, 24), "cpu-0.5b": (2, 8)}.get(name, (3, 72))
    assert config.max_steps > 0 and (config.num_rounds, config.replies_per_question) == replies
    assert config.max_completion_length < recipe.load.get("window", 196 if recipe.model == "motif-tiny" else 320)


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
    assert len(questions) == 320 and {question.id.split("-4to12-")[0] for question in questions} == {"ledger-train"}
    assert {split_of_text(question.text) for question in questions} == {"train"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("train: {use_cpu: true, lerning_rate: 1}", "`train` of the recipe: .*lerning_rate"),
        ("train: {use_cpu: true, bf16: false, num_rounds: three}", "num_rounds holds 'three', not a whole number"),
        ("train: [1]", r"train holds \[1\], not keys with values; a recipe has the keys model, task"),
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
    assert estimate < 0.9 * int(re.findall(r"(\d+)gb", name)[0])
    page = Path(__file__).parents[1] / "docs" / "gpu.md"
    (row,) = re.findall(rf"^\| `{name}`.*", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"| {args.questions_per_step} | {written} GiB |" in row


MISTAKES = [  # (where, what a YAML file says, what the one line says)
    ("lora_rank: four", "lora_rank holds 'four', not a whole number"),
    ("lora_rank: 0", "lora_rank=0: it must be above 0"),
    ("lora_rank: on", "lora_rank holds True, not a whole number: YAML reads yes, no, on and off as"),
    ("questions: -3", "questions=-3: it must be above 0"),
    ("questions: [1]", r"questions holds \[1\], not a whole number or nothing"),
    ("task: [ledger]", r"task holds \['ledger'\], not text"),
    ("train: {use_cpu: true, bf16: false, learning_rate: fast}", "learning_rate holds 'fast', not a number"),
    ("train: {use_cpu: true, bf16: false, learning_rate: .nan}", "learning_rate is not a number"),
    ("train: {use_cpu: true, bf16: false, learning_rate: -1}", "learning_rate=-1.0: it must be 0 or more"),
    ("train: {use_cpu: true, bf16: false, num_rounds: 2.5}", "num_rounds holds 2.5, not a whole number"),
    ("train: {use_cpu: true, bf16: false, num_generations: [8]}", "num_generations holds"),
    ("train: {use_cpu: true, bf16: false, per_device_train_batch_size: -8}", "it must be above 0"),
    ("train: {use_cpu: true, bf16: false, save_strategy: no}", "save_strategy holds False, not text.*quotes"),
    ("train: {use_cpu: maybe, bf16: false}", "use_cpu holds 'maybe', not true or false"),
    ("train: {use_cpu: true, bf16: false, reward_weights: [1, b]}", "reward_weights holds 'b', not a number"),
    ("train: {use_cpu: true, bf16: false, lr_scheduler_type: linaer}", "linaer"),
    ("train: {use_cpu: true, bf16: false, optim: adamw_9bit}", "adamw_9bit"),
    ("train: {seed: 3}", "`train` has 'seed', which has no effect there: .*--seed"),
    ("train: {output_dir: here}", "`train` has 'output_dir', .*--out"),
    ("load: {adapter: here}", "`load` has 'adapter', which has no effect"),
    ("load: {unsloth: true}\ntrain: {use_cpu: true}", "Unsloth trains on a GPU only: .* leave use_cpu out"),
    ("load: {revision: v1}", "motif-tiny is a folder and has no revision 'v1'"),
    ("dial: {size: 3}", "`dial` has 'size', which has no effect there: it is `questions`"),
    ("extends: nothing", "it extends 'nothing', and there is none of that name"),
    ("extends: ../recipes/cpu", "there is none of that name"),
]


def test_every_wrong_value_is_one_line_that_names_it_and_leaves_no_folder(tmp_path):
    file, wrong = tmp_path / "recipe.yaml", []
    for text, message in MISTAKES:
        own = text.split(":")[0]
        rest = "".join(line + "\n" for line in ("model: motif-tiny", "task: ledger") if not line.startswith(own))
        file.write_text(f"{rest}{text}\n")
        try:
            train_run(load_recipe(file), tmp_path / "new" / "run")
            wrong.append(f"{text}: was trained")
        except ValueError as error:
            if not re.search(message, str(error)) or "\n" in str(error) or (tmp_path / "new").exists():
                wrong.append(f"{text}: {error}")
    assert not wrong, "\n".join(wrong)


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    file = tmp_path / "recipe.yaml"
    settings = "{use_cpu: true, bf16: false, learning_rate: 5e-6, max_grad_norm: 1, max_steps: '7', report_to: [none]}"
    file.write_text(f"\ufeffmodel: motif-tiny\ntask: ledger\nlora_rank: '8'\ntrain: {settings}\n", encoding="utf-8")
    recipe = load_recipe(file)
    config = recipe.config(tmp_path)
    assert (config.learning_rate, config.max_grad_norm, config.max_steps, recipe.lora_rank) == (5e-6, 1.0, 7, 8)
    assert type(config.max_grad_norm) is float


def test_a_recipe_extends_one_of_the_package(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: cpu\nquestions: 8\ndial: {steps: [1, 2]}\ntrain: {max_steps: 3}\n")
    mine, cpu = load_recipe(file), load_recipe("cpu")
    assert mine == replace(cpu, questions=8, dial={"steps": [1, 2]}, train=cpu.train | {"max_steps": 3})
