"""Fixtures shared by all tests, which run with the network closed."""

import os
from pathlib import Path

import offline  # noqa: F401  closes it
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """Folder with real GSM8K, MATH-500 and AIME rows, which are not part of the project."""
    for folder in (os.environ.get("MOTIF_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "gsm8k_test.jsonl").exists():
            return Path(folder)
    pytest.skip(
        "no benchmark files: set MOTIF_DATA to a folder with gsm8k_test.jsonl, math500_test.jsonl, aime24_test.jsonl"
    )


@pytest.fixture(scope="session")
def tokenizer():
    """motif-tiny's kind of tokenizer, trained in a moment."""
    from motif_lib.tiny.tokenizer import build_tokenizer

    return build_tokenizer(size=300)


@pytest.fixture
def random_model(tokenizer):
    """A small random Qwen2 with a window of 256; made afresh for every test, so a test may train or break it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).eval()


@pytest.fixture
def in_turn(monkeypatch):
    """Studies do their runs in this process, one after the other: what a test has patched holds in them."""

    def run(tasks, jobs=None, each=lambda results: None):
        results = {}
        for title, task in tasks.items():
            results[title] = task()
            each(results)
        return results

    for study in ("demo", "seeds", "ablate"):
        monkeypatch.setattr(f"motif_lib.studies.{study}.side_by_side", run)
