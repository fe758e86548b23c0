"""Facts in, findings out: what a laptop, a Colab runtime and a broken installation are told."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from motif_lib.machine import doctor
from motif_lib.machine import facts as machine
from motif_lib.machine.doctor import judge
from motif_lib.machine.facts import Facts, Gpu
from motif_lib.runtime import install

NEEDS = [
    "torch>=2.9",
    "trl<1.15,>=1.14.2",
    'ipywidgets<9,>=7.7; extra == "notebook"',
    'ipykernel>=6; extra == "notebook"',
]
PACKAGES = {"torch": "2.13.0+cpu", "trl": "1.14.2", "ipywidgets": "8.1.9", "ipykernel": "7.4.0",
            "datasets": "4.8.5", "pyarrow": "26.0.1"}  # fmt: skip
LAPTOP = Facts(packages=PACKAGES, pins={"torch": "2.13.0"}, online=True)
T4 = Gpu("Tesla T4", 15 * 2**30, 7.5, usable=True)


def finding(facts, name, needs=NEEDS):
    found = judge(facts, needs)
    return next(f for f in (*found.machine, *found.work) if f.name == name)


def test_a_laptop_without_a_gpu_is_fine():
    found = judge(LAPTOP, NEEDS)
    assert found.ok and {f.verdict for f in found.machine} == {"ok"}
    assert finding(LAPTOP, "recipe cpu").verdict == "runs"


@pytest.mark.parametrize(
    "change, name, verdict, fix",
    [
        ({"python": "3.10.14"}, "Python", "problem", "Python 3.11"),
        ({"python": "4.0.1"}, "Python", "ok", ""),
        ({"memory": 2**30}, "memory", "problem", "use a larger machine"),
        ({"disk": 2**30}, "disk, free here", "note", "free some space"),
        ({"online": False}, "network", "note", "MOTIF_DATA"),
        ({"gpu": replace(T4, usable=False)}, "GPU", "note", "CUDA build of torch"),
        ({"gpu": T4}, "GPU", "ok", ""),
        (
            {"packages": PACKAGES | {"trl": None}},
            "trl",
            "problem",
            'pip install "trl>=1.14.2,<1.15"',
        ),
        ({"packages": PACKAGES | {"torch": None}}, "torch", "problem", 'pip install -c constraints.txt "torch>=2.9"'),
        ({"packages": PACKAGES | {"torch": None}, "pins": {}}, "torch", "problem", 'pip install "torch>=2.9"'),
        ({"packages": PACKAGES | {"torchao": "0.10.0"}}, "torchao", "problem", 'pip install "torchao>=0.16"'),
        ({"imported": {"pyarrow": "18.1.0"}}, "pyarrow", "problem", "restart the session"),
        (
            {"packages": PACKAGES | {"unsloth": "2026.10.9"}, "imported": {"trl": "1.14.2"}, "gpu": T4},
            "trl",
            "problem",
            "`import unsloth` first",
        ),
        ({"packages": PACKAGES | {"trl": "1.15.0"}}, "trl", "problem", "<1.15"),
        ({"packages": PACKAGES | {"torch": "2.12.0+cu130"}}, "torch", "note", "tested with 2.13.0"),
        ({"packages": PACKAGES | {"torch": "2.12.0+cpu"}, "pins": {}}, "torch", "ok", ""),
        ({"packages": PACKAGES | {"ipywidgets": None}}, "ipywidgets", "note", "pip install"),
        ({"packages": PACKAGES | {"ipywidgets": "7.7.1"}}, "ipywidgets", "ok", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(change, name, verdict, fix):
    facts = replace(LAPTOP, **change)
    found = finding(facts, name)
    assert found.verdict == verdict and fix in found.fix and bool(fix) == bool(found.fix)
    assert judge(facts, NEEDS).ok == (verdict != "problem")


RECIPE = "model: {model}\ntask: {task}\ntrain: {{bf16: true, use_cpu: {cpu}}}\n"


@pytest.mark.parametrize(
    "model, task, cpu, change, missing",
    [
        ("motif-tiny", "ledger", True, {"online": False}, []),
        ("org/big", "gsm8k", False, {"gpu": replace(T4, capability=9.0)}, []),
        ("org/big", "gsm8k", False, {}, ["CUDA GPU"]),
        ("org/big", "ledger", False, {"gpu": replace(T4, usable=False)}, ["CUDA GPU"]),
        ("org/big", "ledger", False, {"gpu": T4}, ["bfloat16"]),
        ("org/big", "gsm8k", True, {"online": False}, ["org/big", "gsm8k_train.jsonl"]),
        ("org/big", "gsm8k", True, {"online": False, "cached": frozenset({"org/big"})}, ["gsm8k_train.jsonl"]),
        ("motif-tiny", "gsm8k", True, {"online": False, "data": frozenset({"gsm8k_train.jsonl"})}, []),
        ("motif-tiny", "gsm_symbolic", True, {"online": False}, []),
    ],
)
def test_recipes(tmp_path, monkeypatch, model, task, cpu, change, missing):
    monkeypatch.setattr(doctor, "FOLDER", tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE.format(model=model, task=task, cpu=str(cpu).lower()))
    facts = replace(LAPTOP, **change)
    found = finding(facts, "recipe mine")
    assert found.verdict == ("does not run" if missing else "runs")
    assert all(part in found.fix for part in missing)
    assert judge(facts, NEEDS).ok  # a recipe for other hardware is no fault of this machine


QWEN = "model: Qwen/Qwen2.5-3B-Instruct\ntask: ledger\nload: {unsloth: true, four_bit: true, window: 2048}\n"


@pytest.mark.parametrize(
    "memory, unsloth, missing",
    [
        (15, "2026.10.9", ""),
        (15, None, f"Unsloth is not installed: {install('gpu')}"),
        (2, "2026.10.9", "about 2.8 GiB of GPU memory"),
    ],
)
def test_a_recipe_for_unsloth_needs_it_and_memory_for_its_model(tmp_path, monkeypatch, memory, unsloth, missing):
    monkeypatch.setattr(doctor, "FOLDER", tmp_path)
    (tmp_path / "mine.yaml").write_text(QWEN)
    gpu = replace(T4, memory=memory * 2**30)
    found = finding(replace(LAPTOP, gpu=gpu, packages=PACKAGES | {"unsloth": unsloth}), "recipe mine")
    assert found.verdict == ("does not run" if missing else "runs") and missing in found.fix


def test_every_recipe_of_the_package_is_judged():
    """A YAML file in the folder that is no recipe would stop the doctor."""
    found = judge(replace(LAPTOP, online=False), NEEDS)
    recipes = {f.name.removeprefix("recipe "): f.verdict for f in found.work if f.name.startswith("recipe ")}
    assert recipes == {
        "cpu": "runs",
        "cpu-0.5b": "does not run",  # a model and questions that are not there
        "gpu-16gb": "does not run",
        "gpu-16gb-small": "does not run",
        "gpu-24gb": "does not run",
        "gpu-80gb": "does not run",
    }


def test_notebooks(tmp_path, monkeypatch):
    """One replays recorded runs, and they are missing; without a kernel none runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "RECORDED", tmp_path / "recorded")
    for name, source in (("01_a", "1"), ("02_b", "from motif_lib.studies.recorded import RECORDED")):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": [{"source": source}]}))
    assert finding(LAPTOP, "notebook 01_a").verdict == "runs"
    assert finding(LAPTOP, "notebook 02_b").verdict == "does not run"
    (tmp_path / "recorded").mkdir()
    assert finding(LAPTOP, "notebook 02_b").verdict == "runs"
    without = replace(LAPTOP, packages=PACKAGES | {"ipykernel": None})
    assert "ipykernel" in finding(without, "notebook 01_a").fix


def test_it_shows_itself_in_a_notebook_and_escapes_what_it_found():
    html = judge(replace(LAPTOP, gpu=replace(T4, name="<script>x")), NEEDS)._repr_html_()
    assert html.count("<table>") == 2 and "&lt;script&gt;x" in html and "<script>" not in html


def test_facts_of_this_machine(monkeypatch, tmp_path):
    """The real ones, but for the network: nothing is asked, and what is installed is found."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MOTIF_DATA", str(tmp_path))
    (tmp_path / "gsm8k_test.jsonl").touch()
    monkeypatch.setattr("socket.create_connection", lambda *args: pytest.fail("offline, but the network was asked"))
    facts = machine.look()
    assert facts.packages["motif_lib"] and facts.packages["torch"] and facts.pins["trl"] == "1.14.2"
    assert facts.cores >= 1 and facts.memory > 2**20 and facts.disk > 0 and not facts.online
    assert facts.data == {"gsm8k_test.jsonl"}
    assert any(need.startswith("ipywidgets") for need in machine.needs("notebook"))
    assert not any(need.startswith(("unsloth", "pytest")) for need in machine.needs("notebook"))


@pytest.mark.parametrize(
    "variable, name", [("COLAB_RELEASE_TAG", "Colab"), ("KAGGLE_KERNEL_RUN_TYPE", "Kaggle"), ("X", "local")]
)
def test_host(monkeypatch, variable, name):
    monkeypatch.setenv(variable, "x")
    assert machine.host() == name


@pytest.mark.parametrize(
    "code, text, name",
    [
        (0, "Tesla T4, 15360, 7.5\nother, 1, 2\n", "Tesla T4"),
        (0, "", None),
        (9, "NVIDIA-SMI has failed", None),
        (0, "A GPU, [N/A], 8.0", None),
    ],
)
def test_gpu_is_what_the_driver_lists(monkeypatch, code, text, name):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=code, stdout=text))
    found = machine.gpu()
    assert (found and found.name) == name
    assert found is None or (found.memory, found.capability) == (15360 * 2**20, 7.5)


def test_no_answer_from_the_hub_means_offline(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def refuse(*args):
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", refuse)
    assert machine.online() is False
