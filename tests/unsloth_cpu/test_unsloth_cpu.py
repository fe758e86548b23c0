"""The real Unsloth under this library, without a GPU: what `shims.py` stands in for is not tested, all else is.

Every script runs in a process of its own, as Unsloth changes Transformers, PEFT and TRL for good, and leaves its facts
in a JSON file.
"""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import shims

HERE = Path(__file__).parent
NOTEBOOK = next((HERE.parents[1] / "notebooks").glob("05_*.py"))


def unusable() -> str:
    """Why Unsloth cannot be run here; empty if it can."""
    try:
        found = version("unsloth")
        version("unsloth_zoo"), version("bitsandbytes")
    except PackageNotFoundError as error:
        return f"{error.name} is not installed: make .venv/unsloth.done"
    return "" if found == shims.VERSION else f"the stand-ins are for unsloth {shims.VERSION}, this is {found}"


pytestmark = [pytest.mark.slow, pytest.mark.unsloth, pytest.mark.skipif(bool(unusable()), reason=unusable())]


def script(name, out, *more):
    """Run a script in a working folder of its own: the facts it found, what it printed, what it left lying there."""
    work = out / f"work-{name}"
    work.mkdir(parents=True)
    env = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(out.parent / "cache")}
    command = [sys.executable, str(HERE / name), str(out), *map(str, more)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=work, env=env, timeout=550)
    assert result.returncode == 0, result.stderr[-3000:]
    return Found(json.loads((out / "found.json").read_text()), result.stdout + result.stderr, list(work.iterdir()))


class Found:
    """Facts by step; a step that failed fails the test that asks for it."""

    def __init__(self, steps, printed, left):
        self.steps, self.printed, self.left = steps, printed, left

    def __getitem__(self, step):
        found = self.steps[step]
        assert not str(found).startswith("Traceback"), found
        return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("unsloth")


@pytest.fixture(scope="module")
def exact(folder):
    return script("exact.py", folder / "exact")


@pytest.fixture(scope="module")
def sixteen_bit(folder):
    return script("sixteen_bit.py", folder / "sixteen-bit")


def test_unsloth_computes_what_transformers_does(exact):
    found = exact["model"]
    assert found["logits"] < 1e-4 and found["gradients"] < 1e-5
    assert found["trainer"] == found["trl"] == "UnslothGRPOTrainer"  # beneath MotifTrainer
    assert found["samplers"] == ["graph", "generate"] and found["trained"] == ["lora_A", "lora_B"]


def test_every_sampler_answers_greedily_as_transformers_does(exact):
    found = exact["samplers"]
    for replies in (found["adapted"], found["base"]):
        assert replies["generate"] == replies["graph"] == replies["local"]
    assert found["adapted"]["local"][:6] != found["base"]["local"]
    assert found["in training as before"]
    packed = exact["four_bit_samplers"]
    assert packed["generate"] == packed["graph"] != found["adapted"]["generate"]


def test_an_adapter_of_unsloth_answers_everywhere(exact):
    found = exact["adapters"]
    assert found["peft"] == found["unsloth"] == found["policy"]
    assert sum(a == b for a, b in zip(found["merged"], found["policy"])) >= 10  # of 12: saved in 16 bits


@pytest.mark.parametrize("credit", ["first", "any", "all"])
def test_a_run_by_every_credit(exact, credit):
    found = exact["credits"][credit]
    assert found["done"] and found["steps"] == [1, 2] and found["adapted"] > 1e-4


def test_a_run_that_was_stopped_goes_on(exact):
    assert exact["resume"] == {"done": [False, True], "steps": [1, 2], "begun at": [0, 1]}


def test_out_of_memory_half_the_replies_are_taken(exact):
    assert exact["halving"] == {"done": True, "steps": [1, 2], "sizes": [4, 2, 2, 2, 2]}


def test_a_plain_model_is_refused_in_one_line(exact):
    assert re.match(r"this process has imported Unsloth, .* or restart Python \(the kernel\)$", exact["plain_model"])


def test_the_gradients_are_those_of_trl(exact, folder):
    assert exact["gradients_of_steps"] == [56, 56, 56]
    cases = script("steps.py", folder / "exact")["gradients"]
    assert len(cases) == 3 and all(case["norm"] > 1e-3 and case["difference"] < 1e-4 for case in cases), cases


@pytest.mark.parametrize(
    "recipe, dtype, precision",
    [
        ("gpu_80gb", "torch.bfloat16", [True, False, "bf16"]),
        ("gpu_16gb", "torch.float16", [False, True, "fp16"]),
    ],
)
def test_a_gpu_recipe_trains_as_it_says(sixteen_bit, recipe, dtype, precision):
    found = sixteen_bit[recipe]
    assert found["done"] and found["steps"] == [1, 2] and found["adapted"] > 1e-7
    assert found["weights"] == "Linear4bit" and found["fused"] == "apply_lora_o"
    assert (found["dtype"], found["precision"]) == (dtype, precision)
    assert found["optimizer"] == ["bitsandbytes.optim.adamw", 8]


def test_long_windows_are_checkpointed_by_unsloth(sixteen_bit):
    assert sixteen_bit["checkpointing"] >= 4  # once a layer


def test_without_bitsandbytes_there_is_no_4_bit_and_that_is_said(sixteen_bit):
    assert "bitsandbytes is missing or broken, so there is no 4-bit" in sixteen_bit["no_bitsandbytes"]


def test_a_pinned_revision_is_the_one_that_is_loaded(sixteen_bit):
    found = sixteen_bit["pinned"]
    assert [found["hidden"], found["commit"]] == found["wanted"]


def test_a_precision_that_unsloth_would_override_is_refused(sixteen_bit):
    assert sixteen_bit["no_precision"].endswith("Unsloth trains this model with bf16=True and fp16=False: set them so")


def test_the_canary_finds_what_does_not_see_the_adapter(sixteen_bit):
    *fine, graph, policy = sixteen_bit["canary"]
    assert fine == ["", ""]
    assert graph.startswith("GraphSampler answers without the adapter") and policy.startswith("the model answers")


def test_nothing_is_left_in_the_working_folder_and_generate_does_not_warn(exact, folder):
    assert exact.left == [] and list((folder / "cache" / "motif_lib").glob("unsloth_compiled_cache/*.py"))
    assert "`max_length`" not in exact.printed


@pytest.mark.skipif("recipe.load_model" not in NOTEBOOK.read_text(), reason="notebook 05 loads no GPU recipe")
def test_notebook_05_trains_by_a_gpu_recipe(folder):
    found = script("notebook.py", folder / "notebook", NOTEBOOK)["notebook"]
    assert found == {"steps": [1, 2, 3, 4], "unsloth": True}
