"""The real Unsloth as the GPU recipes load it, without a GPU, and notebook 05 by a GPU recipe."""

import pytest
from suite import HERE, MARKS, script

pytestmark = MARKS
NOTEBOOK = next((HERE.parents[1] / "notebooks").glob("05_*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("unsloth")


@pytest.fixture(scope="module")
def sixteen_bit(folder):
    return script("sixteen_bit.py", folder / "sixteen-bit")


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


def test_notebook_05_trains_by_a_gpu_recipe(folder):
    found = script("notebook.py", folder / "notebook", NOTEBOOK)["notebook"]
    assert found == {"steps": [1, 2, 3, 4], "unsloth": True}
