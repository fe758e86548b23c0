"""Notebook 05 with a GPU recipe, in the order of its cells: Unsloth comes first, loads the model and attaches LoRA."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from motif_lib.classroom.build_notebooks import read_source, run
from motif_lib.training.recipe import FOLDER

ROOT = Path(__file__).resolve().parents[1]
# A stand-in for Unsloth on a machine that claims to have a GPU: it says what was imported before it, and keeps calls.
STAND_IN = """
import sys
BEFORE = [name for name in ("trl", "transformers", "peft", "torch") if name in sys.modules]
import peft, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.cuda.mem_get_info = lambda *args: (16 << 30, 16 << 30)
torch.cuda.is_bf16_supported = lambda **kwargs: True
CALLS = []
class FastLanguageModel:
    def from_pretrained(model_name, **kwargs):
        CALLS.append("4-bit" if kwargs["load_in_4bit"] else "16-bit")
        model = AutoModelForCausalLM.from_pretrained(model_name)
        model.config.quantization_config = {}
        return model, AutoTokenizer.from_pretrained(model_name)
    def get_peft_model(model, r, lora_alpha, target_modules, **kwargs):
        CALLS.append(f"LoRA {r}")
        return peft.get_peft_model(model, peft.LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=target_modules))
"""
# Colab as it is before the second cell: Unsloth is not there yet, and pip brings it. There is no GPU for torch.
HOSTED = """
import sys
from motif_lib import runtime
from motif_lib.models import unsloth
unsloth.has_cuda = lambda: True
def pip(requirements):
    print("pip installs", *requirements)
    sys.path.insert(0, {folder!r})
runtime.pip = pip
"""
SAID = "import unsloth, json; print(json.dumps([unsloth.BEFORE, unsloth.CALLS, grpo.global_step, motif.global_step]))"


@pytest.fixture
def package(tmp_path) -> Path:
    """A folder with the stand-in, and the metadata of what the extra `gpu` installs."""
    folder = tmp_path / "site"
    (folder / "unsloth").mkdir(parents=True)
    (folder / "unsloth" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    for name, version in (("unsloth", "2026.10.9"), ("bitsandbytes", "0.50.2")):
        (folder / f"{name}-{version}.dist-info").mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    return folder


@pytest.fixture
def recipe(tmp_path) -> Path:
    """gpu-16gb, but for what no CPU can do and what would take it hours."""
    settings = yaml.safe_load((FOLDER / "gpu-16gb.yaml").read_text(encoding="utf-8"))
    settings |= {"model": "motif-tiny", "task": "ledger", "questions": 8, "lora_rank": 4}
    settings["train"] |= {"fp16": False, "optim": "adamw_torch", "max_completion_length": 8, "num_trajectories": 1}
    settings["train"] |= {"num_generations": 2, "gradient_accumulation_steps": 2}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return tmp_path / "mine.yaml"


def cells(recipe: Path, package: Path, keep: str):
    """The notebook up to its log, with another recipe and a folder to keep the runs in: nothing else is changed."""
    notebook = read_source(ROOT / "notebooks" / "05_gsm8k_training.py")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    log = next(number for number, cell in enumerate(code) if '"Last steps, live"' in cell.source)
    notebook.cells = code[: log + 1]
    changes = {'RECIPE = "cpu"': f"RECIPE = {str(recipe)!r}", "KEEP = None": f"KEEP = {keep!r}"}
    for old, new in changes.items():
        (cell,) = [cell for cell in notebook.cells if old in cell.source]
        cell.source = cell.source.replace(old, new)
    notebook.cells[0].source = HOSTED.format(folder=str(package)) + notebook.cells[0].source
    notebook.cells[-1].source += f"\n{SAID}"
    return notebook


def text(notebook) -> str:
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.slow
def test_the_recipe_is_all_that_changes(recipe, package, tmp_path, monkeypatch):
    """Unsloth is installed and comes before all that it patches; the second time the kept runs are found complete."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")  # a hosted runtime, but without Google Drive
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    keep = str(tmp_path / "kept")
    printed = text(run(cells(recipe, package, keep), tmp_path))
    assert "pip installs unsloth>=2026.10.9 bitsandbytes>=" in printed
    before, calls, grpo, motif = json.loads(printed.rstrip().splitlines()[-1])
    assert before == [] and calls == ["4-bit", "LoRA 4"] * 3 and (grpo, motif) == (8, 8)
    assert "Stopped at step 3" in printed
    again = text(run(cells(recipe, package, keep), tmp_path))
    assert "Stopped at" not in again and json.loads(again.rstrip().splitlines()[-1])[2:] == [8, 8]
