"""The hostile corpus through everything that touches text: prompts, parsing, verifying, rendering, saving, printing."""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from dataclasses import asdict, replace
from pathlib import Path

import ipywidgets as W
import pytest
from hostile import CANARY, CORPUS, ESCAPES, HTML
from hypothesis import given, settings
from hypothesis import strategies as st
from test_widgets import Tags, panels

from motif_lib import carry, protocol
from motif_lib.cli import main
from motif_lib.evaluate import Report, evaluate
from motif_lib.protocol import messages, read_answer, reply_text
from motif_lib.records import Question, Reply, Trace, Trajectory, read_traces, write_jsonl
from motif_lib.rewards.format import format_reward
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.show.tables import Table
from motif_lib.show.terminal import printable
from motif_lib.tasks import load_task
from motif_lib.verify import verify, verify_many
from motif_lib.verify.pool import Pool
from motif_lib.widgets.markup import safe

GOLD = "314159265"
ids = range(len(CORPUS))


@pytest.fixture(autouse=True)
def nothing_is_run(tmp_path, monkeypatch):
    """Every test works in an empty folder, in which no canary may appear; nor beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert not list(tmp_path.rglob(CANARY)), "text was run as code, or as a path"


def test_the_corpus_is_large_and_distinct():
    assert len(CORPUS) == len(set(CORPUS)) >= 300


def special_tokens(tokenizer, chat) -> list[int]:
    ids = tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, return_dict=True)["input_ids"]
    return [i for i in ids if i in tokenizer.all_special_ids]


def check_prompt(text: str) -> str:
    """The user turn of round 2 of 3 with the text as question and as note: our tags and the round stand once."""
    system, user = messages(text, 2, 3, text)
    assert (system["role"], user["role"], system["content"]) == ("system", "user", protocol.SYSTEM)
    content = user["content"]
    assert content.count("<progress>") == content.count("</progress>") == 1
    assert "<answer" not in content.lower() and "</answer" not in content.lower()
    rounds = [line for line in content.splitlines() if re.match(r"\s*round\s+\d+\s+of\s+\d+", line, re.IGNORECASE)]
    assert rounds == ["Round 2 of 3."]
    content.encode()
    return content


@pytest.mark.parametrize("text", CORPUS, ids=ids)
def test_a_prompt_keeps_its_shape(text, tokenizer):
    check_prompt(text)
    plain = special_tokens(tokenizer, messages("plain", 2, 3, "plain"))
    assert special_tokens(tokenizer, messages(text, 2, 3, text)) == plain, "no turn is ended or opened"


@pytest.mark.parametrize("text", CORPUS, ids=ids)
def test_reading_and_carrying_are_bounded(text):
    for reply in (text, reply_text(text, text), text * 50):
        assert (read_answer(reply) or "") in reply
        for strategy in (carry.progress_note, carry.memory, carry.full_history, carry.last_text(120)):
            assert len(strategy(reply, False, text)) <= carry.MAX_NOTE
        assert all(0 <= score <= 2 for score in format_reward([[{"content": reply}]]))


@pytest.mark.parametrize("task", ["gsm8k", pytest.param("math500", marks=pytest.mark.slow)])
def test_no_text_is_right_by_accident_and_none_hangs(monkeypatch, task):
    """In numbers or in LaTeX, bare, in an answer tag and in a box: wrong or ungradable, each within its limit."""
    pool = Pool(size=2, cpu_limit=1.0)
    monkeypatch.setattr("motif_lib.verify.pool._pool", pool)
    start = time.monotonic()
    try:
        for shape in ("{}", "<answer>{}</answer>", r"<answer>\boxed{{{}}}</answer>"):
            verdicts = verify_many([shape.format(t) for t in CORPUS], [GOLD] * len(CORPUS), task)
            assert not [t for t, v in zip(CORPUS, verdicts) if v.correct]
        for text in CORPUS:  # as a gold of its own
            assert verify("5", text, task).correct in (True, False, None)
    finally:
        pool.stop()
    assert time.monotonic() - start < 300


@pytest.mark.parametrize("text", CORPUS, ids=ids)
def test_every_record_comes_back_from_disk(text):
    question = Question(text, text, "ledger", text, tags={text: text})
    trajectory = Trajectory(question, (Reply(1, messages(text, 1, 1), text, text, False),))
    traces = [Trace((trajectory,), (None,), None, 1), Trace((trajectory,), (2.0,), 2.0, 2)]
    write_jsonl("t.jsonl", traces)
    assert read_traces("t.jsonl") == traces
    assert sum(1 for _ in open("t.jsonl", "rb")) == 2, "one line each"


@pytest.mark.slow
def test_html_stays_text_in_every_widget():
    for text in CORPUS:
        for name, panel in panels(text).items():
            bundle = panel._repr_mimebundle_()
            for shown in (panel.picture.value, bundle["text/html"]):
                check_html(shown, name)
            check_terminal(bundle["text/plain"])
        W.Widget.close_all()


FORBIDDEN = {"a", "img", "script", "iframe", "object", "embed", "form", "base", "link", "meta", "video", "body", "math"}


def check_html(source: str, where: str) -> None:
    seen = Tags(source)
    assert not seen.tags & FORBIDDEN, where
    assert not {a for a in seen.attributes if a.startswith("on") or a in ("href", "src", "action", "data")}, where
    source.encode()


def check_terminal(text: str) -> None:
    """No character that moves the cursor, changes colours or the direction of text, or that cannot be sent at all."""
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)


def test_html_and_escape_codes_stay_text_in_reports(tmp_path):
    questions = [Question(t, GOLD, "ledger", f"{i} {t}", tags={"subject": t}) for i, t in enumerate(CORPUS)]
    replies = iter(CORPUS * 2)
    report = evaluate(
        questions,
        ScriptedSampler(lambda chat: next(replies)),
        2,
        name="".join(HTML + ESCAPES),
        path="run",
        progress=False,
    )
    assert Report.load("run") == report and report.accuracy.value == 0
    check_html(report._repr_html_(), "report")
    check_terminal(str(report))
    assert sorted(os.listdir("run")) == ["items.jsonl", "run.json"] and os.listdir() == ["run"]


@pytest.mark.parametrize("text", CORPUS, ids=ids)
def test_tables_and_lines_for_a_terminal_are_printable(text):
    check_terminal(str(Table(text, (text, text), [(text, text)], [text])))
    check_html(Table(text, (text,), [(text,)], [text])._repr_html_(), "table")
    check_terminal(printable(text))
    assert "<" not in safe(text) and '"' not in safe(text)


@pytest.mark.slow
@pytest.mark.parametrize("text", [t for t in CORPUS if "\x00" not in t and t], ids=lambda t: ascii(t[:20]))
def test_no_name_leads_out_of_its_folder_or_to_the_terminal(text, monkeypatch, capsys):
    """As a task, a split and a recipe: refused, in one printable line."""
    Path("data").mkdir()
    for arguments in ({"name": text}, {"name": "gsm8k", "split": text}):
        with pytest.raises((ValueError, OSError)):
            load_task(path="data", **arguments)
    if not text.startswith("-"):
        monkeypatch.setattr("sys.argv", ["motif", "train", text, "--out", "run"])
        with pytest.raises(SystemExit) as error:
            main()
        said = capsys.readouterr()
        check_terminal(str(error.value) + said.out + said.err)
    assert os.listdir() == ["data"] and not os.listdir("data")


# --- fuzzing beside the corpus

pieces = st.lists(st.sampled_from(CORPUS) | st.text(max_size=20), max_size=6).map("".join)
fuzz = settings(max_examples=150, deadline=None)


@fuzz
@given(pieces)
def test_any_mixture_keeps_a_prompt_in_shape(text):
    once = protocol.neutralise(text)
    assert protocol.neutralise(once) == once
    check_prompt(text)


@fuzz
@given(pieces, pieces)
def test_any_mixture_is_read_verified_and_rendered(reply, answer):
    text = reply_text(reply, answer)
    assert read_answer(text) is not None
    assert verify(text, GOLD, "gsm8k").correct in (False, GOLD in text)
    check_html(f"<pre>{safe(text)}</pre>", "safe")
    check_terminal(printable(text))


@fuzz
@given(pieces)
def test_any_mixture_is_one_line_of_json(text):
    question = Question(text, text, tags={"subject": text})
    line = json.dumps(asdict(replace(question, id=text)), ensure_ascii=False).encode(errors="backslashreplace")
    assert b"\n" not in line and Question(**json.loads(line)) == replace(question, id=text)
