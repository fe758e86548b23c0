"""`evaluate` and its report: numbers worked out by hand, kills and restarts, re-grading, hostile text."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from types import SimpleNamespace

import pytest

from motif_lib.carry import last_text
from motif_lib.evaluate import Report, compare, evaluate, regrade
from motif_lib.evaluate.statistics import wilson
from motif_lib.protocol import NO_NOTE
from motif_lib.records import Question
from motif_lib.rounds import boxed
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.samplers.progress import anybody, report
from motif_lib.show.tables import Table


def question(i: int, gold: str = "1", **more) -> Question:
    return Question(f"q{i}", gold, "ledger", f"id-{i}", **more)


def asked(chat) -> str:
    return chat[-1]["content"].split("\n")[0]


def answering(replies: dict[str, list[str]]) -> ScriptedSampler:
    """In the last round each question's replies come in turn; in the others a note of two words."""
    turn = {name: iter(given) for name, given in replies.items()}
    return ScriptedSampler(
        lambda chat: next(turn[asked(chat)]) if "Last round" in chat[-1]["content"] else "<answer>my note</answer>"
    )


class Coin:
    """Right with probability 0.7, drawn from the generator that `evaluate` seeds; may be killed at a call."""

    def __init__(self, killed_at: int | None = None):
        self.killed_at, self.calls, self.rng = killed_at, 0, random.Random()

    def seed(self, value: int) -> None:
        self.rng.seed(value)

    def __call__(self, chats):
        self.calls += 1
        if self.calls == self.killed_at:
            raise KeyboardInterrupt
        return [Completion(rf"\boxed{{{int(self.rng.random() < 0.7)}}}", True, self.rng.randint(1, 9)) for _ in chats]


def test_a_known_success_probability_gives_the_numbers_worked_out_by_hand():
    questions = [question(i, length=4 + i % 2, tags={"level": 1 + i // 5}) for i in range(10)]
    sampler = answering({f"q{i}": [rf"so \boxed{{{1 if i < 7 else 2}}}"] for i in range(10)})  # p = 0.7
    report = evaluate(questions, sampler, num_rounds=3, progress=False)
    accuracy = report.accuracy
    assert (accuracy.value, accuracy.n) == (0.7, 10)
    # Wilson by hand: (0.7 + 3.8415/20 -+ 1.96 * sqrt(0.021 + 3.8415/400)) / 1.38415 = (0.8921 -+ 0.3429) / 1.38415
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.3968, abs=1e-4), pytest.approx(0.8922, abs=1e-4))
    assert sampler.calls == [10, 10, 10], "one batched call a round"
    assert report.tokens_per_question == 2 + 2 + 2
    assert report.tokens_per_correct == pytest.approx(60 / 7)
    assert {key: estimate.value for key, estimate in report.by("length").items()} == {4: 4 / 5, 5: 3 / 5}
    assert {key: estimate.value for key, estimate in report.by("level").items()} == {1: 1.0, 2: 2 / 5}
    assert report.warnings == [
        "Few questions (10): the interval is 50 points wide, smaller differences cannot be seen."
    ]


@pytest.mark.parametrize(
    "cut, told", [(3, ["3 of 4 final replies were cut off: give them more tokens, or more rounds."]), (2, [])]
)
def test_replies_that_are_mostly_cut_off_are_told(cut, told, tmp_path):
    """As those of a real model in the 60 tokens that are enough for motif-tiny."""
    replies = {f"q{i}": [Completion("<reasoning>so", i >= cut, 60)] for i in range(4)}
    report = evaluate([question(i) for i in range(4)], answering(replies), 1, path=tmp_path, progress=False)
    assert report.warnings[1:] == Report.load(tmp_path).warnings[1:] == told
    replies = {f"q{i}": [Completion("", False, 0)] for i in range(4)}  # no room is told apart
    assert evaluate([question(i) for i in range(4)], answering(replies), 1, progress=False).cut == 0


def test_several_samples_give_avg_pass_and_vote_worked_out_by_hand():
    replies = {
        "q0": [r"\boxed{1}", r"\boxed{1}", r"\boxed{1}"],
        "q1": [r"\boxed{5}", r"\boxed{1}", r"\boxed{1.0}"],  # the vote joins equal numbers, however written
        "q2": [r"\boxed{5}", r"\boxed{1}", r"\boxed{5}"],
        "q3": ["", "", r"\boxed{1}"],  # one vote is enough where the others give none
    }
    report = evaluate([question(i) for i in range(4)], answering(replies), 1, samples=3, progress=False)
    assert [item.hits for item in report.items] == [3, 2, 1, 1]
    assert report.accuracy.value == pytest.approx(7 / 12)
    assert report.pass_at_k(1).value == pytest.approx(7 / 12)
    assert report.pass_at_k(2).value == pytest.approx((1 + 1 + 2 / 3 + 2 / 3) / 4)
    assert report.pass_at_k(3).value == 1.0
    voted = report.voted()
    assert [item.correct for item in voted.items] == [(True,), (True,), (False,), (True,)]
    assert report.tokens_per_question == voted.tokens_per_question == (3 + 3 + 3 + 1) / 4
    assert report.tokens_per_correct == pytest.approx(10 / 7)
    assert voted.tokens_per_correct == pytest.approx(10 / 3)


def test_the_lenient_score_is_apart_from_the_strict_one_in_report_table_vote_and_comparison(tmp_path):
    """Worked out by hand: a last number counts in any format, and cut off; what is right strictly is right anyway."""
    replies = {
        "q0": ["so 1", "it is 1.", "<answer>1</answer>"],  # out of format, in format
        "q1": ["<answer>\\boxed{1} in 3 days</answer>", "1 and 2", "1 or 2"],  # right once, outvoted by last numbers
        "q2": ["<reasoning>1", "<reasoning>1", "<reasoning>#### 1"],  # never in format
        "q3": ["<answer>\\boxed{1}</answer>, 1 of 7", "", "no idea"],  # right, and not by its last number
    }
    report = evaluate(
        [question(i) for i in range(4)], answering(replies), 1, samples=3, path=tmp_path, name="m", progress=False
    )
    assert [item.correct for item in report.items] == [
        (False, False, True), (True, False, False), (False,) * 3, (True, False, False)
    ]  # fmt: skip
    assert [item.lenient for item in report.items] == [
        (True, True, True), (True, False, False), (True,) * 3, (True, False, False)
    ]  # fmt: skip
    assert (report.accuracy.value, report.lenient.value) == (3 / 12, 8 / 12)
    lenient = report.leniently()
    assert lenient.accuracy == lenient.lenient == report.lenient and lenient.name == "m (lenient)"
    assert [item.lenient for item in report.voted().items] == [(True,), (False,), (True,), (True,)]
    assert report.voted().leniently().accuracy == lenient.voted().accuracy
    assert compare(report, lenient).difference.value == pytest.approx(5 / 12)
    row = next(line for line in str(report).splitlines() if "lenient (last number)" in line)
    assert " 66.7 " in row
    assert "lenient" not in (tmp_path / "items.jsonl").read_text()
    assert Report.load(tmp_path) == regrade(tmp_path) == report, "it is read from the stored replies"


def test_where_both_scores_are_the_same_the_table_has_one():
    report = evaluate([question(0), question(1)], answering({"q0": [r"\boxed{1}"], "q1": ["2"]}), progress=False)
    assert report.lenient == report.accuracy and "lenient" not in str(report)


def test_a_gold_that_is_no_number_keeps_its_strict_verdict():
    questions = [Question(f"q{i}", gold, "math500", str(i)) for i, gold in enumerate([r"\text{even}", "2k", "x=2"])]
    sampler = answering({"q0": [r"\boxed{\text{even}}, as 2 is"], "q1": ["so 2"], "q2": ["<reasoning>so 2"]})
    report = evaluate(questions, sampler, 1, progress=False)
    assert [item.correct for item in report.items] == [(True,), (False,), (False,)]
    assert [item.lenient for item in report.items] == [(True,), (False,), (True,)]


def test_a_stop_rule_answers_with_the_boxed_note_and_the_report_shows_what_it_saves(tmp_path):
    """Boxes 1 in round 1 and spoils it in every later round; a reply is one word, one token."""
    sampler = ScriptedSampler(
        lambda chat: rf"<answer>\boxed{{{1 if 'Round 1' in chat[-1]['content'] else 9}}}</answer>"
    )
    stopped = evaluate([question(0)], sampler, 4, path=tmp_path, progress=False, stop=boxed)
    whole = evaluate([question(0)], sampler, 4, progress=False)
    assert (stopped.accuracy.value, stopped.tokens_per_question) == (1.0, 1)
    assert (whole.accuracy.value, whole.tokens_per_question) == (0.0, 4)
    with pytest.raises(ValueError, match="stop was 'boxed', is None"):
        evaluate([question(0)], sampler, 4, path=tmp_path, progress=False)


def test_what_cannot_be_graded_counts_as_wrong_and_is_said():
    questions = [question(0), question(1, gold="a sum of money")]
    report = evaluate(questions, answering({"q0": [r"\boxed{1}"], "q1": [r"\boxed{1}"]}), progress=False)
    assert [item.correct for item in report.items] == [(True,), (None,)]
    assert report.accuracy.value == 0.5 and report.ungradable == 1
    assert "1 of 2 answers cannot be graded: counted as wrong." in str(report)


def test_every_round_is_on_disk_and_can_be_graded_again_without_the_model(tmp_path):
    sampler = answering({"q0": [r"\boxed{1}"], "q1": [r"\boxed{2}"]})
    report = evaluate(
        [question(0), question(1, tags={"subject": "Algebra"})], sampler, 2, path=tmp_path, progress=False
    )
    lines = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert [reply["text"] for reply in lines[1]["replies"]] == ["<answer>my note</answer>", r"\boxed{2}"]
    assert "<progress>\nmy note\n</progress>" in lines[1]["replies"][1]["prompt"][1]["content"]
    assert lines[1]["verdict"] == {"correct": False, "reason": "a different number", "answer": "2", "gold": "1"}
    assert lines[1]["sample"] == 0 and lines[1]["question"]["tags"] == {"subject": "Algebra"}
    assert Report.load(tmp_path) == regrade(tmp_path) == report

    def generous(replies, golds, task):
        assert (list(replies), list(golds), task) == ([r"\boxed{1}", r"\boxed{2}"], ["1", "1"], "ledger")
        return [SimpleNamespace(correct=True, reason="kind", answer=reply, gold="1") for reply in replies]

    assert regrade(tmp_path, generous).accuracy.value == 1.0
    assert Report.load(tmp_path) == report, "re-grading leaves the disk alone"


QUESTIONS = [question(i) for i in range(11)]
COINS = {"num_rounds": 2, "samples": 2, "batch_size": 4, "seed": 5, "progress": False}  # 22 trajectories, 6 batches


@pytest.mark.parametrize("killed_at", range(1, 13))
def test_killed_and_started_again_gives_the_same_report(tmp_path, killed_at):
    whole = evaluate(QUESTIONS, Coin(), path=tmp_path / "whole", **COINS)
    with pytest.raises(KeyboardInterrupt):
        evaluate(QUESTIONS, Coin(killed_at), path=tmp_path / "killed", **COINS)
    again = Coin()
    assert evaluate(QUESTIONS, again, path=tmp_path / "killed", **COINS) == whole
    assert again.calls == 12 - (killed_at - 1) // 2 * 2, "finished batches are not sampled again"
    assert (tmp_path / "killed" / "items.jsonl").read_bytes() == (tmp_path / "whole" / "items.jsonl").read_bytes()
    assert evaluate(QUESTIONS, Coin(), **COINS) == whole, "the same without a folder"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.33, 0.5, 0.77, 0.95, 0.9999])
def test_a_file_cut_off_anywhere_is_mended_on_resume(tmp_path, share):
    whole = evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)
    data = (tmp_path / "items.jsonl").read_bytes()
    (tmp_path / "items.jsonl").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="finish it with the same evaluate call"):
        Report.load(tmp_path)
    assert evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS) == whole
    assert (tmp_path / "items.jsonl").read_bytes() == data


def test_each_batch_has_its_own_seed_and_keeps_it():
    class Seeded(Coin):
        def seed(self, value):
            seeds.append(value)
            super().seed(value)

    runs = []
    for seed in (5, 5, 6):
        seeds: list[int] = []
        evaluate(QUESTIONS, Seeded(), **COINS | {"seed": seed})
        runs.append(seeds)
    assert runs[0] == runs[1] and len({*runs[0], *runs[2]}) == 12


def test_a_finished_evaluation_is_not_sampled_again(tmp_path):
    whole = evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)
    assert evaluate(QUESTIONS, Coin(killed_at=1), path=tmp_path, **COINS) == whole


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_rounds": 3}, "num_rounds was 2, is 3"),
        ({"samples": 3}, "samples was 2, is 3"),
        ({"seed": 6}, "seed was 5, is 6"),
        ({"batch_size": 5}, "batch_size was 4, is 5"),
        ({"name": "other"}, "name was '', is 'other'"),
        ({"carry": lambda reply, finished, previous: ""}, "carry was 'progress_note', is"),
        ({"carry": last_text(7)}, "is 'last_text(7)'"),
        ({"questions": QUESTIONS[:10]}, "questions was 11, is 10"),
        ({"questions": [*QUESTIONS[:10], question(10, gold="2")]}, "questions_sha256"),
        ({"sampler": ScriptedSampler(lambda chat: "")}, "'Coin'}, is {'class': 'ScriptedSampler'}"),
        ({"sampler": type("Coin", (Coin,), {"temperature": 0.8})()}, "'temperature': 0.8"),
    ],
)
def test_another_configuration_does_not_resume(tmp_path, changed, says):
    evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)
    before = (tmp_path / "items.jsonl").read_bytes()
    arguments = {"questions": QUESTIONS, "sampler": Coin(), "path": tmp_path, **COINS} | changed
    with pytest.raises(ValueError, match="holds another evaluation .*choose another path, or delete") as error:
        evaluate(**arguments)
    assert says in str(error.value)
    assert (tmp_path / "items.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("run.json", b'{"name": ', r"run.json is not valid JSON"),
        ("items.jsonl", b'{"half"\n' * 30, r"items.jsonl, row 1: not a record"),
        ("items.jsonl", b"7\n" * 30, r"items.jsonl, row 1: not a record"),
        ("items.jsonl", b'{"question": {}}\n' * 30, r"items.jsonl, row 1: not a record"),
        ("run.json", None, "has items.jsonl but no run.json"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, file, content, says):
    evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)
    (tmp_path / file).write_bytes(content) if content else (tmp_path / file).unlink()
    with pytest.raises(ValueError, match=says):
        evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)


@pytest.mark.parametrize(
    "mixed", [lambda lines: lines * 2, lambda lines: lines[4:8] + lines[:4], lambda lines: lines[::-1]]
)
def test_the_answers_of_two_evaluations_at_once_are_not_taken_for_one(tmp_path, mixed):
    evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)
    file = tmp_path / "items.jsonl"
    file.write_bytes(b"".join(mixed(file.read_bytes().splitlines(keepends=True))))
    with pytest.raises(ValueError, match="in another order, as of two evaluations at once"):
        evaluate(QUESTIONS, Coin(), path=tmp_path, **COINS)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"questions": []}, "no questions"),
        ({"questions": [question(1), question(2), question(1)]}, "two questions have the id 'id-1'"),
        ({"num_rounds": 0}, "num_rounds=0"),
        ({"samples": 0}, "samples=0"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_wrong_arguments_say_what_to_change(tmp_path, changed, says):
    with pytest.raises(ValueError, match=says):
        evaluate(**{"questions": QUESTIONS, "sampler": Coin(), "path": tmp_path / "new"} | changed)
    assert not (tmp_path / "new").exists(), "nothing is left behind"


def test_other_weights_do_not_resume_and_the_same_ones_do_wherever_they_lie(tmp_path, random_model, tokenizer):
    """One weight of one layer is enough, and so is an adapter; a copy of the model is the same."""
    import copy

    from motif_lib.models.load import lora_config
    from motif_lib.samplers.local import LocalSampler

    def run(model):
        return evaluate([question(0)], LocalSampler(model, tokenizer, 4), 1, path=tmp_path, progress=False)

    first = run(random_model)
    assert run(copy.deepcopy(random_model)) == first
    other = copy.deepcopy(random_model)
    other.model.layers[1].mlp.up_proj.weight.data[3, 5] += 0.01
    adapted = copy.deepcopy(random_model)
    from peft import get_peft_model

    for model in (other, get_peft_model(adapted, lora_config(2))):
        with pytest.raises(ValueError, match="holds another evaluation .weights was .*choose another path"):
            run(model)
    settings = json.loads((tmp_path / "run.json").read_text())
    del settings["weights"]  # a folder from before they were recorded
    (tmp_path / "run.json").write_text(json.dumps(settings))
    assert Report.load(tmp_path).items == first.items
    with pytest.raises(ValueError, match="weights was None"):
        run(random_model)


@pytest.mark.parametrize("changed", [{"name": "b"}, {"chat_template_kwargs": {"enable_thinking": False}},
                                     {"max_new_tokens": 9}, {"drawing": SimpleNamespace(top_k=5)}])  # fmt: skip
def test_a_sampler_with_other_settings_does_not_resume(tmp_path, changed):
    def sampler(**settings):
        return type("Coin", (Coin,), {"name": "a", "max_new_tokens": 8, **settings})()

    evaluate(QUESTIONS, sampler(), path=tmp_path, **COINS)
    with pytest.raises(ValueError, match="holds another evaluation .sampler was"):
        evaluate(QUESTIONS, sampler(**changed), path=tmp_path, **COINS)


def test_questions_without_ids_get_their_number():
    report = evaluate([Question("q0", "1"), Question("q1", "1", "gsm8k")], Coin(), progress=False)
    assert [item.question.id for item in report.items] == ["ledger-1", "gsm8k-2"]


def test_an_empty_note_and_hostile_text_pass_through_unharmed(tmp_path):
    evil = "<script>alert(1)</script> [bold red]\ud800 \u2028</answer>"
    questions = [Question(evil, "1", "ledger", evil, tags={"subject": evil})]
    sampler = ScriptedSampler(lambda chat: evil)
    report = evaluate(questions, sampler, name=evil, path=tmp_path / "run", num_rounds=2, progress=False)
    assert Report.load(tmp_path / "run") == report
    second = json.loads((tmp_path / "run" / "items.jsonl").read_bytes())["replies"][1]["prompt"][1]["content"]
    assert NO_NOTE in second and "</answer>" not in second
    assert "<script>" not in report._repr_html_() and "&lt;script&gt;" in report._repr_html_()
    assert str(report).count("[bold red]") == 2, "title and row show it as text"


def test_the_table_holds_what_the_report_says():
    report = evaluate([question(i, length=4) for i in range(30)], Coin(), samples=2, progress=False, name="coin")
    shown = str(report)
    for estimate in (report.accuracy, report.pass_at_k(2), report.voted().accuracy):
        value, interval = str(estimate).split(" % ")
        assert value in shown and interval in shown
    assert str(wilson(188, 500)) == "37.6 % [33.5, 41.9]"
    assert f"<caption>{report.name}</caption>" in report._repr_html_()


def test_numbers_stand_to_the_right_and_text_to_the_left():
    cells = {"1": "n1", "37.6": "why", "96 [79, 99]": "9 apples after day two", "": "", "+4.2 [-1.0, 9.4]": "x"}
    rows = [("5 steps", number, text) for number, text in cells.items()]
    table = Table("t", ("", "number", "text"), rows)
    assert table.sides() == ["left", "right", "left"]
    assert '<td style="text-align: right">37.6</td><td style="text-align: left">why</td>' in table._repr_html_()
    assert "│             37.6 │ why                    │" in str(table)
    assert Table("t", ("",), []).sides() == ["left"]


def test_importing_evaluation_needs_neither_torch_nor_scipy():
    heavy = "{'torch', 'scipy', 'numpy', 'datasets'}"
    code = f"import sys, motif_lib.evaluate, motif_lib.tasks; print({heavy} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_tags_of_any_kind_are_shown():
    tags = [{"topic": ["sets", "sums"]}, {"topic": {"a": 1}}, {"topic": "sums"}, {"topic": ["sets", "sums"]}, {}]
    questions = [Question(f"q{i}", "1", id=str(i), tags=tag) for i, tag in enumerate(tags)]
    report = evaluate(questions, ScriptedSampler(lambda chat: "1"), 1, progress=False)
    assert {key: estimate.n for key, estimate in report.by("topic").items()} == {
        "['sets', 'sums']": 2, "sums": 1, "{'a': 1}": 1
    }  # fmt: skip
    assert "topic ['sets', 'sums']" in str(report)


class Slow:
    """Draws 10 tokens of a budget of 20 for each chat, one at a time, and looks at the bar in between."""

    def __init__(self, look):
        self.look = look

    def __call__(self, chats):
        for token in range(1, 11):
            report(len(chats), 20, [10] * len(chats) if token == 10 else [])
            self.look()
        return [Completion(r"\boxed{1}", True, 10) for _ in chats]


def test_the_bar_moves_with_tokens_and_ends_at_the_number_of_trajectories(capsys, monkeypatch):
    from motif_lib.evaluate import bar, run

    made, seen = [], []

    class Kept(bar.Bar):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self.bar)

    monkeypatch.setattr(run, "Bar", Kept)
    report_ = evaluate([question(i) for i in range(4)], Slow(lambda: seen.append(made[0].n)), 2, batch_size=2)
    assert report_.accuracy.n == 4 and made[0].n == 4
    assert seen == sorted(seen) and seen[:3] == pytest.approx([0.05, 0.1, 0.15]) and seen[9] == pytest.approx(1)
    assert seen[20] == pytest.approx(2.05), "after the first batch"
    shown = capsys.readouterr().err
    assert "4.0/4" in shown and "tokens/s" in shown


def test_without_a_bar_nobody_listens(capsys):
    heard = []
    evaluate([question(0)], Slow(lambda: heard.append(anybody())), 1, progress=False)
    assert heard == [False] * 10 and capsys.readouterr().err == ""


def test_other_settings_of_a_server_do_not_resume(tmp_path):
    from chat_server import completion, serving

    from motif_lib.samplers.server import ServerSampler

    with serving(lambda body, handler: (200, completion("1"))) as server:

        def run(**more):
            return evaluate([question(0)], ServerSampler(server.url, "m", 4, **more), 1, path=tmp_path, progress=False)

        first = run()
        assert run() == first
        for more in ({"chat_template_kwargs": {"enable_thinking": False}}, {"top_k": 5}, {"repetition_penalty": 1.1}):
            with pytest.raises(ValueError, match=f"another evaluation .sampler was .*{next(iter(more))}"):
                run(**more)
