"""Every task through `load_task`: counts, gold forms, splits, and rows that cannot be read."""

from __future__ import annotations

import json
import re
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motif_lib.records import Question
from motif_lib.tasks import BENCHMARKS, Benchmark, load_task
from motif_lib.tasks.ledger import GAINS
from motif_lib.tasks.load import text

GOOD = {"question": "1 + 1?", "answer": "#### 2"}
MATH = {"problem": "x?", "answer": "2", "level": 1, "subject": "Algebra"}


def write(folder, name, *rows):
    """A JSONL file; a row that is bytes already is written as it is."""
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("name", "split", "count", "gold"),
    [
        ("gsm8k", "train", 7473, r"-?\d+"),
        ("gsm8k", "test", 1319, r"-?\d+"),
        ("math500", "test", 500, r".+"),
        ("aime2024", "test", 30, r"0|[1-9]\d{0,2}"),
    ],
)
def test_real_benchmarks_have_their_counts_and_gold_forms(benchmark_data, name, split, count, gold):
    questions = load_task(name, split, path=benchmark_data)
    assert len(questions) == len({question.id for question in questions}) == count
    assert all(re.fullmatch(gold, question.gold) for question in questions)
    assert questions[16].id == f"{name}-{split}-17"


@pytest.mark.parametrize(("split", "with_comma"), [("train", 79), ("test", 14)])
def test_gsm8k_golds_lose_their_commas_and_nothing_else(benchmark_data, split, with_comma):
    lines = (benchmark_data / f"gsm8k_{split}.jsonl").read_text(encoding="utf-8").splitlines()
    written = [json.loads(line)["answer"].split("#### ")[1] for line in lines]
    golds = [question.gold for question in load_task("gsm8k", split, path=benchmark_data)]
    changed = [(old, new) for old, new in zip(written, golds, strict=True) if old != new]
    assert len(changed) == with_comma
    assert all("," in old and int(new) == int(old.replace(",", "")) for old, new in changed)


def test_aime_golds_lose_their_zero_padding(benchmark_data):
    lines = (benchmark_data / "aime24_test.jsonl").read_text(encoding="utf-8").splitlines()
    written = [json.loads(line)["answer"] for line in lines]
    golds = [question.gold for question in load_task("aime2024", path=benchmark_data)]
    assert [int(old) for old in written] == [int(new) for new in golds]
    assert sum(old != new for old, new in zip(written, golds, strict=True)) == 7


def test_math500_is_tagged_by_level_and_subject(benchmark_data):
    tags = [question.tags for question in load_task("math500", path=benchmark_data)]
    assert {tag["level"] for tag in tags} == {1, 2, 3, 4, 5}
    assert len({tag["subject"] for tag in tags}) == 7


@pytest.mark.parametrize(
    ("task", "row", "says"),
    [
        ("gsm8k", {"question": "q"}, "column 'answer' is missing, the row has 'question'"),
        ("gsm8k", {"question": "q", "answer": "no mark"}, "no answer after '####'"),
        ("gsm8k", {"question": "q", "answer": "work ####  "}, "no answer after '####'"),
        ("gsm8k", {"question": " \n", "answer": "#### 1"}, "column 'question' is empty"),
        ("gsm8k", {"question": True, "answer": "#### 1"}, "holds bool, not text"),
        ("gsm8k", {"question": None, "answer": "#### 1"}, "holds NoneType, not text"),
        ("gsm8k", ["question", "answer"], "holds list, not an object"),
        ("gsm8k", b'{"question": "q", "ans', "line 1 column"),
        ("gsm8k", b'{"question": "\xff", "answer": "#### 1"}', "can't decode byte"),
        ("gsm8k", b"[" * 200_000, "nest|recursion"),
        ("gsm8k", b'{"question": "' + b"a" * 1_000_001 + b'"}', "longer than"),
        ("math500", {**MATH, "level": "Level 3"}, "column 'level' holds 'Level 3', not an integer"),
        ("math500", {**MATH, "subject": ""}, "column 'subject' is empty"),
        ("aime2024", {"problem": "x?", "answer": "12.5"}, "not an integer from 0 to 999"),
        ("aime2024", {"problem": "x?", "answer": "1000"}, "not an integer from 0 to 999"),
        ("gsm8k", {"question": "q", "answer": "#### twelve"}, "'twelve' cannot be graded .*must be a number"),
        ("math500", {**MATH, "problem": "y?", "answer": "$ $"}, "cannot be graded .*empty"),
        ("math500", {**MATH, "problem": "y?", "answer": "1+" * 600}, "cannot be graded .*longer than 1000"),
        ("gsm8k", {"question": "why " * 6_000, "answer": "#### 1"}, "has 23,999 characters, over 20,000"),
        ("gsm8k", {"question": "q", "answer": "#### 1,5"}, "'1,5' cannot be graded"),
        ("gsm8k", '{"question": "é", "answer": "#### 1"}'.encode("latin-1"), "can't decode byte"),
        ("gsm8k", json.dumps(GOOD).encode("utf-16"), "can't decode|line 1 column"),
        ("gsm8k", {"question": "q", "answer": ["#### 1"]}, "holds list, not text"),
        ("gsm8k", b'{"question": "q", "answer": "#### 1"}' * 2, "line 1 column"),
        ("gsm8k", b'{"question": NaN, "answer": "#### 1"}', "holds float, not text"),
        ("gsm8k", b"\x00\x00", "line 1 column|expecting|decode"),
    ],
)
def test_a_bad_row_is_named_with_its_file_or_skipped_with_a_warning(tmp_path, task, row, says):
    good = {"gsm8k": GOOD, "math500": MATH, "aime2024": {"problem": "x?", "answer": "007"}}[task]
    write(tmp_path, f"{task}_test.jsonl", good, row, {**good, "question": "2?", "problem": "2?"})
    with pytest.raises(ValueError, match=rf"{task}_test.jsonl, row 2: .*({says}).*") as error:
        load_task(task, path=tmp_path)
    assert "\n" not in str(error.value) and "on_bad='skip'" in str(error.value)
    with pytest.warns(UserWarning, match=r"skipped 1 of 3 rows: 2$"):
        kept = load_task(task, path=tmp_path, on_bad="skip")
    assert [question.id for question in kept] == [f"{task}-test-1", f"{task}-test-3"]


@pytest.mark.parametrize(
    "answer, gold",
    [("work #### 1,234", "1234"), ("#### 12,345,678.5", "12345678.5"), ("#### 18.0", "18"), (7, "7"), (8.0, "8"),
     (2.5, "2.5"), ("#### 9 (apples)", "9"), ("#### -3", "-3"), ("#### -1,200", "-1200")],
)  # fmt: skip
def test_numbers_are_read_as_data_sets_write_them(tmp_path, answer, gold):
    write(tmp_path, "gsm8k_test.jsonl", {"question": "q", "answer": answer})
    assert [question.gold for question in load_task("gsm8k", path=tmp_path)] == [gold]


def test_a_repeated_question_is_kept_once_with_one_warning(tmp_path):
    """As MAWPS has them; the rows keep their numbers, and a row with another answer is named."""
    write(
        tmp_path, "gsm8k_test.jsonl", GOOD, {"question": "2?", "answer": "#### 2"}, GOOD, {**GOOD, "answer": "#### 3"}
    )
    with pytest.warns(UserWarning, match="left out 2 of 4 rows .*: 3, 4; with another answer: 4") as warned:
        kept = load_task("gsm8k", path=tmp_path)
    assert len(warned) == 1 and [(q.id, q.gold) for q in kept] == [("gsm8k-test-1", "2"), ("gsm8k-test-2", "2")]


def test_a_dial_that_a_file_does_not_have_is_refused(tmp_path):
    write(tmp_path, "gsm8k_test.jsonl", GOOD)
    for dial in ({"revision": "abc"}, {"steps": (1, 2)}):
        with pytest.raises(ValueError, match=f"'{next(iter(dial))}' has no effect on the files in .*: leave it out"):
            load_task("gsm8k", path=tmp_path, **dial)


COLUMNS = st.sampled_from(["question", "answer", "problem", "level", "subject"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(COLUMNS, SCALARS | st.lists(SCALARS)))
def test_no_row_makes_a_reader_fail_in_any_other_way(row):
    for benchmark in BENCHMARKS.values():
        try:
            question = benchmark.question(row)
        except ValueError:
            continue
        assert question.text and question.gold


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    (tmp_path / "gsm8k_test.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n")
    assert load_task("gsm8k", path=tmp_path)[0].text == "1 + 1?"


def test_blank_lines_count_as_rows_but_hold_none(tmp_path):
    write(tmp_path, "gsm8k_test.jsonl", b"", GOOD, b"  ")
    assert [question.id for question in load_task("gsm8k", path=tmp_path)] == ["gsm8k-test-2"]


def test_a_new_data_set_takes_a_function_and_a_line(tmp_path, monkeypatch):
    def svamp(row):
        return Question(f"{text(row, 'Body')} {text(row, 'Question')}", text(row, "Answer"), task="gsm8k")

    monkeypatch.setitem(BENCHMARKS, "svamp", Benchmark(svamp, hub="ChilleD/SVAMP"))
    write(
        tmp_path, "svamp_test.jsonl", {"Body": "Two hens.", "Question": "How many?", "Answer": 2.0}
    )  # as in SVAMP's own file
    assert load_task("svamp", path=tmp_path) == [Question("Two hens. How many?", "2", "gsm8k", "svamp-test-1")]
    write(tmp_path, "svamp_test.jsonl", {"Body": "Two hens.", "Question": "How many?"})
    with pytest.raises(ValueError, match="svamp_test.jsonl.*row 1.*column 'Answer' is missing"):
        load_task("svamp", path=tmp_path)


class Hub:
    """A stand-in for the `datasets` package that keeps the calls, or fails as it does without a network."""

    def __init__(self, rows=(), error=None):
        self.rows, self.error, self.calls = rows, error, []

    def load_dataset(self, *args, **kwargs):
        self.calls.append((*args, kwargs))
        if self.error:
            raise self.error
        return self.rows


@pytest.mark.parametrize(
    ("task", "row", "call"),
    [
        ("gsm8k", GOOD, ("openai/gsm8k", "main", {"split": "test", "revision": "abc"})),
        ("math500", MATH, ("HuggingFaceH4/MATH-500", None, {"split": "test", "revision": "abc"})),
        (
            "aime2024",
            {"problem": "x?", "answer": "025"},
            ("HuggingFaceH4/aime_2024", None, {"split": "train", "revision": "abc"}),
        ),
    ],
)
def test_without_a_folder_rows_come_from_the_hub(monkeypatch, task, row, call):
    hub = Hub([row])
    monkeypatch.delenv("MOTIF_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", hub)
    assert [question.id for question in load_task(task, revision="abc")] == [f"{task}-test-1"]
    assert hub.calls == [call]


@pytest.mark.parametrize("error", [ConnectionError("no route\nmore"), FileNotFoundError("not cached"), OSError()])
def test_without_a_network_one_line_says_what_to_set(monkeypatch, error):
    monkeypatch.delenv("MOTIF_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "datasets", Hub(error=error))
    with pytest.raises(ConnectionError, match=r"^cannot load openai/gsm8k .* set MOTIF_DATA to a folder.*$"):
        load_task("gsm8k")


def test_the_environment_names_the_folder_and_a_missing_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", types.ModuleType("datasets"))  # the Hub must not be asked
    monkeypatch.setenv("MOTIF_DATA", str(write(tmp_path, "gsm8k_test.jsonl", GOOD)))
    assert load_task("gsm8k")[0].gold == "2"
    with pytest.raises(FileNotFoundError, match=r"no aime2024_test.jsonl or aime24_test.jsonl in"):
        load_task("aime2024")


def test_ledger_golds_and_lengths_agree_with_the_text():
    for question in load_task("ledger", size=90, seed=3, steps=(2, 10)):
        start = int(re.search(r"has (\d+)", question.text)[1])
        days = re.findall(r"on day \w+ (\w+) (\d+)", question.text)
        assert int(question.gold) == start + sum(int(n) if verb in GAINS else -int(n) for verb, n in days)
        assert question.length == len(days)
        assert question.task == "ledger"


@pytest.mark.parametrize("task", ["ledger", "gsm_symbolic"])
def test_generated_tasks_repeat_grow_and_keep_their_splits_apart(task):
    few, many = load_task(task, size=20), load_task(task, size=60)
    assert few == many[:20], "a larger size starts with the same questions"
    assert len({question.id for question in many}) == len({question.text for question in many}) == 60
    others = [load_task(task, split, size=300, seed=seed) for split in ("train", "validation") for seed in (0, 1)]
    assert not {q.text for q in many} & {q.text for questions in others for q in questions}
    assert not {q.id for q in many} & {q.id for q in load_task(task, size=60, seed=1)}, "ids tell seeds apart"


def test_gsm_symbolic_golds_are_numbers():
    assert all(re.fullmatch(r"-?\d+(\.\d+)?", q.gold) for q in load_task("gsm_symbolic", "train", size=300))


def test_a_part_of_a_benchmark_is_a_seeded_choice_in_file_order(tmp_path):
    write(tmp_path, "gsm8k_test.jsonl", *({"question": f"q{i}", "answer": f"#### {i}"} for i in range(1, 51)))
    chosen = [int(question.gold) for question in load_task("gsm8k", size=10, seed=1, path=tmp_path)]
    assert chosen == sorted(set(chosen)) and len(chosen) == 10 and chosen != list(range(1, 11))
    assert chosen == [
        int(question.id.split("-")[-1]) for question in load_task("gsm8k", size=10, seed=1, path=tmp_path)
    ]
    assert chosen != [int(question.gold) for question in load_task("gsm8k", size=10, seed=2, path=tmp_path)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "gsm9k"}, "unknown task 'gsm9k': choose one of ledger, gsm_symbolic, gsm8k"),
        ({"name": "gsm8k", "size": 0}, "size=0: ask for at least one"),
        ({"name": "gsm8k", "size": 3}, "has 1 questions, size=3"),
        ({"name": "gsm8k", "on_bad": "ignore"}, "on_bad='ignore'"),
        ({"name": "ledger", "split": "dev"}, "split='dev': choose one of train, validation, test"),
        ({"name": "gsm_symbolic", "split": "dev"}, "split='dev': choose one of train, validation, test"),
        ({"name": "ledger", "steps": (5, 4)}, r"steps=\(5, 4\)"),
    ],
)
def test_wrong_arguments_say_what_to_change(tmp_path, arguments, says):
    write(tmp_path, "gsm8k_test.jsonl", GOOD)
    with pytest.raises(ValueError, match=says):
        load_task(path=tmp_path, **arguments)
