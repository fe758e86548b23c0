"""The examples in the docstrings of the method's own files give what they show."""

import doctest
import importlib

import pytest

MODULES = ("protocol", "carry", "rounds", "grpo", "rewards.format", "verify.lenient")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    failed, tried = doctest.testmod(importlib.import_module(f"motif_lib.{name}"))
    assert tried and not failed
