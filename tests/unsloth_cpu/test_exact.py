"""The real Unsloth in float32, without a GPU: what `shims.py` stands in for is not tested, all else is."""

import re

import pytest
from suite import MARKS, script

pytestmark = MARKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("unsloth")


@pytest.fixture(scope="module")
def exact(folder):
    return script("exact.py", folder / "exact")


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


def test_nothing_is_left_in_the_working_folder_and_generate_does_not_warn(exact, folder):
    assert exact.left == [] and list((folder / "cache" / "motif_lib").glob("unsloth_compiled_cache/*.py"))
    assert "`max_length`" not in exact.printed
