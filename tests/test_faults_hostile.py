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


def each(check, texts=CORPUS) -> None:
    """Run a check on every text, and list those that failed with what they raised."""
    failed = []
    for text in texts:
        try:
            check(text)
        except Exception as error:
            failed.append(f"{text[:40]!a}: {type(error).__name__}: {str(error)[:200]!a}")
    assert not failed, "\n".join([f"{len(failed)} of {len(texts)} texts:", *failed[:20]])


@pytest.fixture(autouse=True)
def nothing_is_run(tmp_path, monkeypatch):
    """Every test works in an empty folder, in which no canary may appear; nor beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert not list(tmp_path.rglob(CANARY)), "text was run as code, or as a path"


def special_tokens(tokenizer, chat) -> list[int]:
    ids = tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, return_dict=True)["input_ids"]
    return [i for i in ids if i in tokenizer.all_special_ids]


def check_prompt(text: str) -> str:
    """The user turn of round 2 of 3 with the text as question and as note: our tags and the round stand once."""
    system, user = messages(text, 2, 3, text)
    assert (system["role"], user["role"], system["content"]) == ("system", "user", protocol.system_message(2, 3))
    content = user["content"]
    assert content.count("<progress>") == content.count("</progress>") == 1
    assert "<answer" not in content.lower() and "</answer" not in content.lower()
    rounds = [line for line in content.splitlines() if re.match(r"\s*round\s+\d+\s+of\s+\d+", line, re.IGNORECASE)]
    assert rounds == ["Round 2 of 3."]
    content.encode()
    return content


def test_a_prompt_keeps_its_shape(tokenizer):
    plain = special_tokens(tokenizer, messages("plain", 2, 3, "plain"))

    def check(text):
        check_prompt(text)
        assert special_tokens(tokenizer, messages(text, 2, 3, text)) == plain, "a turn is ended or opened"

    each(check)


def test_reading_and_carrying_are_bounded():
    def check(text):
        for reply in (text, reply_text(text, text), text * 50):
            assert (read_answer(reply) or "") in reply
            for strategy in carry.CARRIES.values():
                assert all(len(strategy(reply, ended, text)) <= carry.MAX_NOTE for ended in (False, True))
            assert all(0 <= score <= 2 for score in format_reward([[{"content": reply}]]))

    each(check)


@pytest.mark.parametrize("task", ["gsm8k", pytest.param("math500", marks=pytest.mark.slow)])
def test_no_text_is_right_by_accident_and_none_hangs(monkeypatch, task):
    """Bare, in an answer tag, in a box, and as the gold: each is graded within its limit, and only a five is 5."""
    shapes = ("{}", "<answer>{}</answer>", r"<answer>\boxed{{{}}}</answer>")
    replies = [shape.format(text) for shape in shapes for text in CORPUS]
    pool = Pool(size=2, cpu_limit=0.5)
    monkeypatch.setattr("motif_lib.verify.pool._pool", pool)
    start = time.monotonic()
    try:
        as_reply = verify_many(replies, [GOLD] * len(replies), task)
        as_gold = verify_many(["5"] * len(CORPUS), CORPUS, task)
    finally:
        pool.stop()
    assert not [reply for reply, verdict in zip(replies, as_reply) if verdict.correct]
    assert not [text for text, verdict in zip(CORPUS, as_gold) if verdict.correct and not re.search("[5५]", text)]
    assert time.monotonic() - start < 300


def test_every_record_comes_back_from_disk():
    def check(text):
        question = Question(text, text, "ledger", text, tags={text: text})
        trajectory = Trajectory(question, (Reply(1, messages(text, 1, 1), text, text, False),))
        traces = [Trace((trajectory,), (None,), None, 1), Trace((trajectory,), (2.0,), 2.0, 2)]
        write_jsonl("t.jsonl", traces)
        assert read_traces("t.jsonl") == traces
        assert len(Path("t.jsonl").read_bytes().splitlines()) == 2, "one line each"

    each(check)


@pytest.mark.slow
def test_html_stays_text_in_every_widget():
    def check(text):
        for name, panel in panels(text).items():
            bundle = panel._repr_mimebundle_()
            for shown in (panel.picture.value, bundle["text/html"]):
                check_html(shown, name)
            check_terminal(bundle["text/plain"])
        W.Widget.close_all()

    each(check)


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


def test_tables_and_lines_for_a_terminal_are_printable():
    def check(text):
        check_terminal(str(Table(text, (text, text), [(text, text)], [text])))
        check_html(Table(text, (text,), [(text,)], [text])._repr_html_(), "table")
        check_terminal(printable(text))
        assert "<" not in safe(text) and '"' not in safe(text)

    each(check)


def refusal(error: type[BaseException] | tuple[type[BaseException], ...], call, *args, **kwargs) -> str:
    """What a call is refused with."""
    try:
        call(*args, **kwargs)
    except error as raised:
        return str(raised)
    raise AssertionError("it was not refused")


@pytest.mark.slow
def test_no_name_leads_out_of_its_folder_or_to_the_terminal(monkeypatch, capsys):
    """As a task, a split and a recipe: refused, in one printable line."""
    Path("data").mkdir()

    def check(text):
        for arguments in ({"name": text}, {"name": "gsm8k", "split": text}):
            refusal((ValueError, OSError), load_task, path="data", **arguments)
        if not text.startswith("-"):
            monkeypatch.setattr("sys.argv", ["motif", "train", text, "--out", "run"])
            said = refusal(SystemExit, main)
            printed = capsys.readouterr()
            check_terminal(said + printed.out + printed.err)
        assert os.listdir() == ["data"] and not os.listdir("data")

    each(check, [text for text in CORPUS if text and "\x00" not in text])


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
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # halves that meet are one
    question = Question(text, text, tags={"subject": text})
    line = json.dumps(asdict(replace(question, id=text)), ensure_ascii=False).encode(errors="backslashreplace")
    assert b"\n" not in line and Question(**json.loads(line)) == replace(question, id=text)
