"""The widgets without a browser: their arithmetic, what they show, and that hostile text stays text."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import ipywidgets as W
import pytest
from ipywidgets.embed import embed_data

from motif_lib import records
from motif_lib.protocol import messages
from motif_lib.records import Question, Reply, Trace, Trajectory
from motif_lib.rewards import reference
from motif_lib.samplers.base import ScriptedSampler
from motif_lib.show import colours
from motif_lib.widgets import branch_tree, context_meter, data, reward_lab, round_stepper
from motif_lib.widgets.data import Costs, Use
from motif_lib.widgets.markup import LIMIT, block, clean, number, safe, shorten

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)></pre></title></svg>\"' onclick=x \ud800\u202e\x00"
COSTS = Costs(prompt=60, question_step=6, reply_step=10, tags=14, note=9)
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def close_widgets():
    yield
    W.Widget.close_all()


def trajectory(
    *texts: str, gold: str = "48", finished: bool = True, question: str = "Ann has 12 apples."
) -> Trajectory:
    """One reply for each text; a round carries the first six characters of its text."""
    replies, note = [], None
    for round, text in enumerate(texts, 1):
        prompt = messages(question, round, len(texts), note)
        note = text[:6] if round < len(texts) else ""
        replies.append(Reply(round, prompt, text, note, finished, 50, 20 + round))
    return Trajectory(Question(question, gold), tuple(replies))


def trace(outcomes: tuple[float | None, ...], reward: float | None = None, rounds: int = 3, **kwargs) -> Trace:
    paths = [trajectory("first", *(f"{j}-{r}" for r in range(2, rounds + 1)), **kwargs) for j in range(len(outcomes))]
    return Trace(tuple(paths), outcomes, reward)


def explain(reply: str, gold: str, task: str) -> SimpleNamespace:
    if reply == "break":
        raise RuntimeError("cannot <b>score</b>")
    rows = [("answer", float(gold in reply), 0.0, f"cause {reply}"), ("format", 0.5, 0.5, "")]
    lines = [SimpleNamespace(name=n, ours=a, reference=b, cause=c) for n, a, b, c in rows]
    return SimpleNamespace(rows=lines, ours=sum(r[1] for r in rows), reference=sum(r[2] for r in rows))


class Tags(HTMLParser):
    """Every tag and attribute that a browser would see, and the text."""

    def __init__(self, source: str):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


# --- arithmetic


@pytest.mark.parametrize(
    "steps, budget, window, rounds, expected",
    [
        pytest.param(4, 64, 256, 1, [Use(84, 0, 54, 0, 256, "steps 1–4 of 4")], id="fits one round"),
        pytest.param(12, 64, 256, 1, [Use(132, 0, 64, 70, 256, "7 of 12 steps do not fit")], id="budget too small"),
        pytest.param(12, 999, 150, 1, [Use(132, 0, 18, 116, 150, "12 of 12 steps do not fit")], id="window too small"),
        pytest.param(
            8, 64, 256, 2,
            [Use(108, 0, 64, 0, 256, "steps 1–5 of 8"), Use(108, 9, 44, 0, 256, "steps 6–8 of 8")], id="two rounds",
        ),
        pytest.param(
            2, 64, 256, 2,
            [Use(72, 0, 34, 0, 256, "steps 1–2 of 2"), Use(72, 9, 14, 0, 256, "nothing left to do")], id="done early",
        ),
        pytest.param(10, 64, 100, 1, [Use(100, 0, 0, 134, 100, "10 of 10 steps do not fit")], id="prompt too long"),
    ],
)  # fmt: skip
def test_plan(steps, budget, window, rounds, expected):
    assert data.plan(COSTS, steps, budget, window, rounds) == expected


def test_a_plan_never_overfills_the_window():
    for steps in range(1, 30, 3):
        for budget in (8, 40, 200):
            for window in (50, 150, 400):
                for use in data.plan(COSTS, steps, budget, window, 3):
                    assert min(use.prompt, use.reply, use.lost) >= 0
                    assert use.prompt + use.note + use.reply + use.free == window


def test_uses_of_recorded_replies():
    """The note is 6 of the 15 characters that took 21 tokens, whatever the chat template makes of the prompt."""
    replies = trajectory("abcdef and more", "the end").replies
    whole = data.uses_of(replies, budget=64, window=256)
    assert [(u.prompt, u.note, u.reply, u.lost) for u in whole] == [(50, 0, 21, 0), (42, 8, 22, 0)]
    assert [u.lost for u in data.uses_of(replies, budget=10, window=256)] == [11, 12]
    assert [u.lost for u in data.uses_of(replies, budget=64, window=40)] == [
        31,
        32,
    ]  # 10 of the prompt, all of the reply


@pytest.mark.parametrize("rewards", [[0.0, 1.0], [0.5, 0.5, 0.5], [2.0, 0.0, 1.25, -0.5, 2.0]])
@pytest.mark.parametrize("scale", [True, False])
def test_advantages_are_those_of_grpo(rewards, scale):
    torch = pytest.importorskip("torch")
    from motif_lib.grpo import group_advantages

    expected = group_advantages(torch.tensor([rewards], dtype=torch.float64), scale)[0].tolist()
    assert data.advantages(rewards, scale) == pytest.approx(expected, abs=1e-9)


def test_tree_of_a_part_of_the_data():
    traces = [trace((1.0, 0.0, 1.0, 1.0), reward=1.0), trace((0.0, None, 0.0, 1.0)), trace((None, None, 1.0, 1.0))]
    full = data.build_tree(traces, 3, 4, 3)
    assert [b.future for b in full] == [0.75, pytest.approx(1 / 3), 1.0]
    assert [b.bonus for b in full] == [0.25, 0.0, 0.0] and full[0].reward == 1.0
    assert sum(b.advantage for b in full) == pytest.approx(0, abs=1e-9)
    half = data.build_tree(traces, 3, 2, 3)
    assert [b.reward for b in half] == [0.75, 0.0, None] and half[2].advantage is None  # nothing is known of the third
    assert [len(b.trajectories) for b in half] == [2, 2, 2]
    assert data.build_tree(traces, 1, 4, 3)[0].advantage is None  # one reply has nothing to be compared with


def test_tree_stopped_early_is_judged_anew():
    def right(t: Trajectory) -> float:
        return float(t.final == "0-2")

    (unknown,) = data.build_tree([trace((1.0, 1.0))], 1, 2, 2)
    assert unknown.outcomes == (None, None) and unknown.reward is None
    (judged,) = data.build_tree([trace((1.0, 1.0))], 1, 2, 2, right)
    assert judged.outcomes == (1.0, 0.0) and [len(t.replies) for t in judged.trajectories] == [2, 2]
    assert len(data.build_tree([trace((1.0, 1.0))], 1, 2, 1)[0].trajectories) == 1


# --- controls


def test_stepper_walks_and_stops_at_the_ends():
    stepper = round_stepper([trajectory("one", "two", "three"), trace((None, 1.0), rounds=2)])
    assert "round 1 of 3" in stepper.picture.value and stepper.back.disabled
    stepper.back.click()  # `click` does not care for `disabled`
    assert stepper.round.value == 1
    for _ in range(5):
        stepper.forth.click()
    assert stepper.round.value == 3 and stepper.forth.disabled and not stepper.back.disabled
    assert "three</pre>" in stepper.picture.value and "the answer in this reply is judged" in stepper.picture.value
    stepper.trajectory.value = 2  # two rounds only
    assert stepper.round.value == 2 and "round 2 of 2" in stepper.picture.value and "✓ right" in stepper.picture.value
    stepper.round.set_state({"value": 1})  # what a browser sends
    assert "round 1 of 2" in stepper.picture.value


def test_stepper_shows_what_is_carried_and_what_was_cut():
    stepper = round_stepper([trajectory("note A and the rest", "the end")])
    blue = colours.ROUND_COLOURS[0]
    assert f'<mark style="--c:{blue}">note A</mark> and the rest' in stepper.picture.value
    assert "6 of 19 characters are carried on; the rest is forgotten" in stepper.picture.value
    assert "cut this reply off" not in stepper.picture.value
    stepper.go(1)
    assert f'&lt;progress&gt;\n<mark style="--c:{blue}">note A</mark>\n&lt;/progress&gt;' in stepper.picture.value
    cut = round_stepper([trajectory("note A", "b", finished=False)])
    assert "cut this reply off after 21 tokens" in cut.picture.value


@pytest.mark.parametrize(
    "carried, said",
    [
        ("(no progress note)", "Nothing of this reply"),
        ("a rep", "5 of 7 characters"),
        ("Day 1. a reply", "The note has 14 characters; it is not a passage"),
    ],
)
def test_stepper_says_what_kind_of_note_it_is(carried, said):
    path = trajectory("a reply", "the end")
    path = replace(path, replies=(replace(path.replies[0], carried=carried), path.replies[1]))
    assert said in round_stepper([path]).picture.value


class Template:
    """A sampler that answers nothing and has a chat template like motif-tiny's."""

    def __call__(self, chats):
        return []

    def seen(self, chat):
        return "<|im_start|>" + "".join(message["content"] for message in chat if message["role"] != "system")


def test_a_stepper_shows_the_prompt_that_the_model_sees():
    path = trajectory("note A and the rest", "the end")
    stepper = round_stepper([path], sampler=Template())
    stepper.go(1)
    for shown in (stepper.picture.value, stepper._repr_mimebundle_()["text/html"]):
        assert "&lt;|im_start|&gt;Ann has 12 apples." in shown and "You solve a problem" not in Tags(shown).text
        assert re.search("&lt;progress&gt;\n<mark [^>]*>note A</mark>\n&lt;/progress&gt;", shown)
    unknown = round_stepper([path])
    assert "system message, if the model's chat template takes it" in unknown.picture.value
    card = unknown._repr_mimebundle_()["text/html"]
    assert "The question, as sent" in card and "You solve a problem" not in card


def test_the_static_stepper_is_a_card_for_each_round_with_the_note_between_them():
    items = [trajectory("one", "two"), trajectory("note A, more", "note B, more", "the end", gold="$4$")]
    stepper = round_stepper(items)
    stepper.trajectory.value = 1
    html = stepper._repr_mimebundle_()["text/html"]
    text = Tags(html).text
    order = [text.index(word) for word in ("round 1 of 3", "▼note A▼", "round 2 of 3", "▼note B▼", "round 3 of 3")]
    assert order == sorted(order) and "trajectory 2 of 2" in text and text.count("▼") == 4
    for colour, note in zip(colours.ROUND_COLOURS, ["note A", "note B"], strict=False):
        marks = re.findall(rf'<mark style="([^"]*)">{note}</mark>', html)
        assert len(marks) == 2 and all(colour in style for style in marks), "reply, next prompt"
    assert "break-inside: avoid" in html and "word-break: normal" in html and "note A, more" in repr(stepper)


def test_the_static_tree_is_four_narrow_columns():
    tree = branch_tree([trace((1.0, 0.0), reward=0.75), trace((0.0, None))])
    rows = tree.table(**tree.values).rows
    assert rows == [("first", "✓ ✗", "0.5 + 0.25 = 0.75", "+0.71"), ("first", "✗ ?", "0", "−0.71")]


def ask_controls(stepper):
    question, gold, start = stepper.widget.children[0].children
    return question, gold, start


def test_stepper_asks_live():
    sampler = ScriptedSampler(lambda chat: f"<answer>{len(chat[-1]['content'])}</answer>")
    stepper = round_stepper(sampler=sampler, num_rounds=2, outcome=lambda t: float(t.question.gold in t.final))
    assert "No replies yet" in stepper.picture.value and stepper.table(**stepper.values).cards == []
    question, gold, start = ask_controls(stepper)
    question.value, gold.value = "How many?", "9"
    start.click()
    start.click()
    assert sampler.calls == [1] * 4 and len(stepper.items) == 2 and stepper.trajectory.value == 1
    assert "How many?" in stepper.picture.value and "round 1 of 2" in stepper.picture.value and not start.disabled


def test_an_error_is_shown_not_swallowed(monkeypatch):
    monkeypatch.setattr(reference, "explain", explain)

    def broken(chats):
        raise RuntimeError("no <b>model</b>")

    stepper = round_stepper(sampler=broken, num_rounds=2)
    ask_controls(stepper)[2].click()
    assert "RuntimeError: no &lt;b&gt;model&lt;/b&gt;" in stepper.picture.value
    lab = reward_lab("fine", "1")
    lab.controls["reply"].value = "break"
    assert "RuntimeError: cannot &lt;b&gt;score" in lab.picture.value
    lab.controls["reply"].value = "fine again"
    assert "RuntimeError" not in lab.picture.value


def test_reward_lab_scores_both_ways(monkeypatch):
    monkeypatch.setattr(reference, "explain", explain)
    lab = reward_lab("48", "48")
    rows = [list(row) for row in lab.table(**lab.values).rows]
    assert rows == [["answer", "1", "0", "cause 48"], ["format", "0.5", "0.5", ""], ["sum", "1.5", "0.5", ""]]
    assert lab.picture.value.count("≠") == 2 and "cause 48" in lab.picture.value
    lab.controls["gold"].value = "7"
    assert lab.picture.value.count("≠") == 0


def test_reward_lab_explains_by_default():
    lab = reward_lab(r"It is \boxed{1,000}.", "1000")
    assert [row[0] for row in lab.table(**lab.values).rows][-1] == "sum" and lab.picture.value.count("≠") >= 1


def test_meter_follows_its_sliders():
    meter = context_meter(lambda *sizes: data.plan(COSTS, *sizes), steps=12)
    bars = meter.picture.value.count('class="motif-bar"')
    assert bars == 3 and "do not fit" not in meter.picture.value
    meter.controls["rounds"].value = 1
    assert meter.picture.value.count('class="motif-bar"') == 1 and "7 of 12 steps do not fit" in meter.picture.value
    recorded = context_meter(trajectory("abcdefgh", "end").replies)
    assert set(recorded.controls) == {"budget", "window"}


@pytest.mark.parametrize("use", [Use(132, 0, 64, 70, 256), Use(50, 6, 20, 0, 256), Use(100, 0, 0, 34, 100)])
def test_bar_is_to_scale(use):
    from motif_lib.widgets.meter import render_bar

    scale = max(use.window, use.prompt + use.note + use.reply + use.lost)
    widths = [float(w) for w in re.findall(r"width:([\d.]+)%", render_bar(use, 2, scale))]
    assert sum(widths) == pytest.approx(100, abs=0.1)
    assert widths[0] == pytest.approx(100 * use.prompt / scale, abs=0.01)


def test_tree_follows_its_sliders():
    tree = branch_tree([trace((1.0, 0.0)), trace((0.0, 0.0))])
    assert tree.picture.value.count("<circle") == 1 + 2 + 2 * 2 * 2
    assert "+0.71" in tree.picture.value and "−0.71" in tree.picture.value and "<b>10 replies</b>" in tree.picture.value
    tree.controls["k"].value = 1
    assert tree.picture.value.count("<circle") == 1 + 2 + 2 * 2
    tree.controls["m"].value = 1
    assert "0.71" not in tree.picture.value
    other = branch_tree([trace((1.0,)), trace((0.0,), question="Another?")])
    assert len(other.controls["group"].options) == 2


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: round_stepper([]), "no trajectories"),
        (lambda: round_stepper([trajectory("a")], num_rounds=3), "give a sampler"),
        (lambda: round_stepper(sampler=ScriptedSampler("a")), "no trajectories"),
        (lambda: branch_tree([]), "no traces"),
        (lambda: context_meter([]), "no replies"),
    ],
)
def test_errors_say_what_to_give(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- what is shown


def panels(text: str) -> dict:
    """Every widget with one text in every place where a model or a data set may write."""
    path = trajectory(text, text, text, gold=text, question=text)
    group = [Trace((path, path), (1.0, 0.0), 0.5, step=3), Trace((path, path), (0.0, 0.0), 0.0, step=3)]
    return {
        "stepper": round_stepper(group),
        "tree": branch_tree(group),
        "lab": reward_lab(text, text),
        "meter": context_meter(lambda *_: [Use(1, 1, 1, 1, 4, text)]),
    }


@pytest.mark.parametrize("name", ["stepper", "tree", "lab", "meter"])
def test_hostile_text_stays_text(monkeypatch, name):
    monkeypatch.setattr(reference, "explain", explain)
    panel = panels(EVIL)[name]
    bundle = panel._repr_mimebundle_()
    for shown in (panel.picture.value, bundle["text/html"]):
        seen = Tags(shown)
        assert not seen.tags & {"script", "img"} and not {a for a in seen.attributes if a.startswith("on")}
        assert not re.search("[\ud800\u202e\x00]", shown)
        shown.encode()
    assert "<script>alert(1)</script>" in Tags(panel.picture.value).text
    json.dumps(bundle).encode()
    bundle["text/plain"].encode()
    json.dumps(embed_data([panel.widget]), ensure_ascii=False).encode()  # what is sent to a browser


@pytest.mark.parametrize("name", ["stepper", "tree", "lab", "meter"])
def test_enormous_text_is_bounded(name):
    panel = panels("<&" * 500_000)[name]
    assert len(panel.picture.value) < 20 * LIMIT and len(panel._repr_mimebundle_()["text/html"]) < 60_000


@pytest.mark.parametrize("name", ["stepper", "tree", "lab", "meter"])
def test_mimebundle_has_a_view_for_every_reader(monkeypatch, name):
    monkeypatch.setattr(reference, "explain", explain)
    panel = panels("plain $5$ text")[name]
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", VIEW}
    assert bundle[VIEW]["model_id"] == panel.widget.model_id
    seen = Tags(bundle["text/html"])
    assert ("pre" if name == "stepper" else "table") in seen.tags
    assert not seen.tags & {"svg", "style"} and not seen.attributes - {"scope", "style"}
    assert ("plain" if name == "tree" else "plain $5$ text") in seen.text  # of the tree, the notes
    assert "Static view" in seen.text and "plain" in bundle["text/plain"]
    loose = re.sub(r"(?s)<(code|pre)\b[^>]*>.*?</\1>", "", bundle["text/html"])
    assert "$" not in loose, "front ends would typeset it as a formula"


def test_every_control_is_labelled():
    for panel in panels("x").values():
        for control in panel.controls.values():
            tip = control.tooltip if control.has_trait("tooltip") else control.description_tooltip
            assert control.description and tip


def test_a_thousand_trajectories_open_in_a_second(tmp_path):
    paths = [trajectory("a" * 3000, "b" * 3000, f"c{i}", question=f"Question {i}") for i in range(1000)]
    file = tmp_path / "traces.jsonl"
    records.write_jsonl(file, [Trace(tuple(paths[i : i + 4]), (1.0, 0.0, 0.0, None), 0.25) for i in range(0, 1000, 4)])
    start = time.process_time()
    stepper = round_stepper(records.read_traces(file))
    bundle = stepper._repr_mimebundle_()
    assert time.process_time() - start < 1
    assert "trajectory 1 of 1,000" in bundle["text/html"] and len(bundle["text/html"]) < 20_000
    stepper.trajectory.value = 999
    assert "Question 999" in stepper.picture.value


def test_text_helpers():
    assert safe("a" * 20, limit=5) == "aaaaa … (15 more characters)" and clean("a\tb\nc") == "a\tb\nc"
    assert (
        block("a<b a<b", None, "a<b", "#000") == '<pre tabindex="0">a&lt;b <mark style="--c:#000">a&lt;b</mark></pre>'
    )
    assert "(4 more characters)" in block("b" + "a" * (LIMIT + 3), None, "b", "#000")
    assert shorten("ab\x00cd", 5) == "ab\ufffdcd"
    assert shorten("a" * 30 + "note", 20) == "a" * 10 + "\n… (14 more characters) …\n" + "a" * 6 + "note"
    assert [number(v) for v in (None, 1.0, 0.5, -0.25, 1 / 3, 10.0)] == ["–", "1", "0.5", "−0.25", "0.33", "10"]


def test_colours_are_distinct_and_visible_on_both_themes():
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    assert len(set(colours.ROUND_COLOURS)) == 6 and colours.round_colour(7) == colours.ROUND_COLOURS[0]
    assert len(set(colours.METHOD_COLOURS.values())) == len(colours.METHOD_COLOURS)
    assert not set(colours.METHOD_COLOURS.values()) & set(colours.ROUND_COLOURS[1:4])
    for colour in {*colours.ROUND_COLOURS, *colours.METHOD_COLOURS.values()}:
        assert 1.05 / (luminance(colour) + 0.05) > 2 and (luminance(colour) + 0.05) / 0.0565 > 3  # white, #111
