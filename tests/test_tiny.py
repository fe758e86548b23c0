"""motif-tiny: the folder loads to the ids it was trained on, the recipe runs, the habits are what they say."""

import random
import re

import pytest

from motif_lib import protocol
from motif_lib.models.load import TINY_FOLDER, load_model
from motif_lib.samplers.local import LocalSampler
from motif_lib.tasks.ledger import problems, split_of
from motif_lib.tiny.pretraining_examples import FULL_NOTE, HASTY, STEADY, example


@pytest.fixture(scope="module")
def tiny():
    return load_model("motif-tiny")


def test_the_folder_is_small_and_safe():
    names = {path.name: path.stat().st_size for path in TINY_FOLDER.iterdir()}
    assert names["model.safetensors"] <= 6_000_000 and not any(
        n.endswith((".bin", ".pt", ".pkl", ".py")) for n in names
    )


def test_size_and_window(tiny):
    model, _ = tiny
    assert model.num_parameters() <= 3_000_000 and model.config.max_position_embeddings == 196
    assert model.config.model_type == "qwen2"


def test_auto_tokenizer_gives_the_ids_of_the_training(tiny):
    """AutoTokenizer rebuilds a Qwen2 tokenizer from the folder: it must encode as the one that was built here."""
    from motif_lib.tiny.tokenizer import build_tokenizer

    _, loaded = tiny
    built, rng = build_tokenizer(seed=0), random.Random(3)
    for _ in range(100):
        sample = example(rng)
        text = built.apply_chat_template(sample["prompt"] + sample["completion"], tokenize=False)
        assert loaded(text)["input_ids"] == built(text)["input_ids"]
        reply = sample["completion"][0]["content"]
        assert loaded.decode(loaded(reply)["input_ids"], skip_special_tokens=True) == reply


def test_tags_survive_decoding_and_special_tokens_do_not(tiny):
    _, tokenizer = tiny
    ids = tokenizer("<answer>5</answer><|im_end|>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<answer>5</answer>"
    assert all(len(tokenizer(tag)["input_ids"]) == 1 for tag in protocol.TAGS)


def test_a_day_costs_at_most_eleven_tokens(tiny):
    _, tokenizer = tiny
    for problem in problems("train", 50, steps=(10, 12)):
        for day in range(problem.days):
            line = problem.work(day, day + 1).split("\n")[1] + "\n"
            assert len(tokenizer(line)["input_ids"]) <= 11


def test_any_text_survives_the_tokenizer(tiny):
    _, tokenizer = tiny
    for text in ("naïve 語 👩‍🔬", "a\r\n\tb", "1,234.5 %", "\\boxed{\\frac{1}{2}}"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.slow
def test_one_round_with_the_whole_window_solves_what_fits_it_and_nothing_else(tiny):
    sampler = LocalSampler(*tiny, None, temperature=0)
    for steps, low, high in (((4, 8), 0.9, 1.0), ((9, 12), 0.0, 0.1)):
        found = problems("validation", 54, steps=steps)
        replies = sampler([protocol.messages(p.text, 1, 1) for p in found])
        right = sum(f"\\boxed{{{p.totals[-1]}}}" in (r.text) for p, r in zip(found, replies)) / len(found)
        assert low <= right <= high


def test_pretraining_draws_from_the_train_split_only():
    rng = random.Random(0)
    texts = {example(rng)["prompt"][1]["content"].split("\n")[0] for _ in range(2000)}
    held_out = {p.text for p in problems("test", 300, 0, (2, 3))}
    assert held_out and not texts & held_out
    assert all(split_of(p) == "test" for p in problems("test", 20))


def test_habits_occur_as_often_as_stated():
    """Among unfinished middle rounds: days done, and whether the note is full."""
    rng, days, full = random.Random(0), [], []
    while len(days) < 3000:
        sample = example(rng)
        user, reply = sample["prompt"][1]["content"], sample["completion"][0]["content"]
        question_days = user.count(" on day ")
        if "Last round" in user or question_days < 11 or "<progress>" in user:
            continue
        days.append(len(re.findall(r"^day .*=", reply, re.M)))
        full.append(bool(re.search(r"^\d+ after day \w+$|boxed", protocol.read_answer(reply))))
    assert sum(d == 1 for d in days) / 3000 == pytest.approx(HASTY, abs=0.04)
    assert sum(d == 4 for d in days) / 3000 == pytest.approx(STEADY, abs=0.04)
    assert sum(full) / 3000 == pytest.approx(FULL_NOTE, abs=0.04)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_recipe_runs_and_writes_its_card(tmp_path):
    from motif_lib.tiny.card import make

    make(tmp_path / "tiny", steps=3, questions=11)
    card = (tmp_path / "tiny" / "README.md").read_text()
    assert "synthetic examples in 3 steps" in card and "12 steps" in card
    model, tokenizer = load_model(str(tmp_path / "tiny"))
    assert model.num_parameters() == load_model()[0].num_parameters()


@pytest.mark.parametrize("fault", ["missing", "truncated", "flipped header"])
def test_damaged_weights_are_one_clear_line(fault, tmp_path):
    import shutil

    folder = shutil.copytree(TINY_FOLDER, tmp_path / "tiny")
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    if fault == "missing":
        weights.unlink()
    else:
        weights.write_bytes(data[: len(data) // 2] if fault == "truncated" else b"\xff" * 8 + data[8:])
    with pytest.raises(RuntimeError, match="cannot load .*tiny") as error:
        load_model(str(folder))
    assert "\n" not in str(error.value)
