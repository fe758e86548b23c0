"""Whole families of answers to the exercises, drawn by hypothesis: only the right member of each gets an "ok"."""

from __future__ import annotations

import re
from statistics import fmean, median

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from notebook_solutions import solution
from scipy.stats import binomtest
from test_checks import TABLE
from wrong_with_futures import chunks
from wrong_with_numbers import before, groups, table, wilson_by_hand
from wrong_with_text import halving, salvage, saving, tags_once

from motif_lib.carry import MAX_NOTE, memory
from motif_lib.checks import advantage, beyond, context, evaluation, rewards, rounds, start, training
from motif_lib.protocol import NO_NOTE, messages, read_answer
from motif_lib.rewards.future import outcomes_of
from motif_lib.rounds import branch, roll_out
from motif_lib.verify.extract import boxes

few = settings(max_examples=40, deadline=None, database=None, derandomize=True)
digit = st.integers(-2, 2)
percent = st.integers(0, 100).map(lambda value: value / 100)


def agree(result, right: bool) -> None:
    assert (result.status == "ok") is right, result


# --- any value and any crash is one line

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("check", [row[0] for row in TABLE], ids=[row[2] for row in TABLE])
@settings(few, max_examples=25)
@given(value=JUNK)
def test_whatever_a_function_gives_the_verdict_is_one_line_and_not_ok(check, value):
    result = check(lambda *given: value)
    assert result.status in ("not yet", "not quite") and "\n" not in str(result)


@pytest.mark.parametrize("check, name", [(row[0], row[2]) for row in TABLE], ids=[row[2] for row in TABLE])
@settings(few, max_examples=5)
@given(said=st.text(max_size=300))
def test_whatever_a_function_raises_the_call_that_did_it_is_shown(check, name, said):
    def crashes(*given):
        raise ValueError(said)

    result = check(crashes)
    assert re.search(rf"{name}\(.+\) raised ValueError", result.message) and "\n" not in result.message


@pytest.mark.parametrize("check, notebook, name", [row[:3] for row in TABLE], ids=[row[2] for row in TABLE])
@settings(few, max_examples=15)
@given(call=st.integers(1, 12), value=JUNK)
def test_a_solution_that_goes_wrong_in_one_call_is_not_ok(check, notebook, name, call, value):
    """Every single call of a check counts: no case passes whatever it is given."""
    right, calls = solution(notebook, name), [0]

    def wrong_once(*given):
        calls[0] += 1
        return ("no", value) if calls[0] == call else right(*given)

    result = check(wrong_once)
    agree(result, right=calls[0] < call)


# --- formulas


@few
@given(mkn=digit, mk=digit, mn=digit, m=digit, kn=digit, k=digit, one=digit)
@example(1, -1, 0, 1, 0, 0, 0)
@example(1, 0, -1, 1, 0, 0, 0)
@example(1, -1, 0, 0, 0, 0, 1)
def test_replies_per_question(mkn, mk, mn, m, kn, k, one):
    def formula(M, K, N):
        return mkn * M * K * N + mk * M * K + mn * M * N + m * M + kn * K * N + k * K + one

    agree(start.check_replies_per_question(formula), (mkn, mk, mn, m, kn, k, one) == (1, -1, 0, 1, 0, 0, 0))


@few
@given(least=digit, more=digit, room=digit, share=st.integers(0, 2))
@example(0, 0, 0, 1)
def test_room(least, more, room, share):
    def formula(prompt, budget, window):
        return max(least, min(budget + more, window - share * prompt + room))

    agree(context.check_room(formula), (least, more, room, share) == (min(least, 0), 0, 0, 1))


@few
@given(margin=st.integers(-1, 1), ahead=st.booleans(), smallest=st.booleans())
@example(0, True, True)
def test_smallest_budget(margin, ahead, smallest):
    def formula(one, three, least):
        wins = [b for b in one if (three[b] - one[b] if ahead else three[b]) >= least + margin]
        return (min(wins) if smallest else wins[0]) if wins else None

    agree(rounds.check_smallest_budget(formula), (margin, ahead, smallest) == (0, True, True))


@few
@given(tolerance=percent, ends=st.booleans())
@example(0.0, False)
def test_groups_without_signal(tolerance, ends):
    def formula(rewards, m):
        looked_at = [(g[0], g[-1]) if ends else g for g in groups(rewards, m)]
        return sum(max(g) - min(g) <= tolerance for g in looked_at) / len(looked_at)

    agree(training.check_groups_without_signal(formula), tolerance < 0.01 and not ends)


@few
@given(z=st.integers(150, 250).map(lambda value: value / 100), centred=st.booleans())
@example(1.96, True)
def test_interval(z, centred):
    result = evaluation.check_interval(lambda k, n: wilson_by_hand(k, n, z, centred))
    agree(result, centred and z == 1.96)


@few
@given(sided=st.sampled_from(["two-sided", "less", "greater"]), factor=st.integers(1, 2), least=percent)
@example("two-sided", 1, 0.0)
def test_p_value(sided, factor, least):
    def formula(a, b):
        only_a, only_b = table(a, b)
        p = binomtest(only_a, only_a + only_b, alternative=sided).pvalue if only_a + only_b else 1.0
        return float(max(least, factor * p))

    agree(evaluation.check_p_value(formula), (sided, factor) == ("two-sided", 1) and least <= 0.03)


@few
@given(scale=percent, correction=st.integers(0, 1), eps=st.integers(3, 12), floor=st.sampled_from([0, 1e-3, 0.05]))
@example(1.0, 1, 4, 0)
@example(1.0, 1, 4, 1e-3)
def test_group_advantages(scale, correction, eps, floor):
    def formula(r):
        return scale * (r - r.mean(1, True)) / (r.std(1, keepdim=True, correction=correction).clamp(floor) + 10**-eps)

    right = scale >= 0.997 and correction == 1 and eps <= 6 and floor == 0
    agree(advantage.check_group_advantages(formula), right)


@pytest.mark.parametrize("floor", [1e-3, 1e-2, 0.1])
@few
@given(more=st.floats(0, 1))
def test_no_floor_below_a_spread_is_an_eps(floor, more):
    """Whatever eps goes with it, and however far above the usual floor it is."""
    least = floor * (1 + more)
    result = advantage.check_group_advantages(lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True).clamp(least))
    agree(result, right=False)


@few
@given(copies=digit, rounds=digit, rows=st.booleans(), at=st.integers(1, 3))
@example(0, 0, True, 1)
def test_branch(copies, rounds, rows, at):
    def formula(begun, sampler, k, n):
        stems = roll_out(begun, sampler, n, until=[at] * len(begun))  # what the futures share
        starts = [t for t in stems for _ in range(k + copies)] if rows else stems * (k + copies)
        return chunks(roll_out(starts, sampler, max(1, n + rounds)), max(1, k + copies))

    agree(rewards.check_branch(formula), (copies, rounds, rows, at) == (0, 0, True, 1))


@few
@given(of=st.sampled_from([fmean, sum, max, min, median, lambda row: row[-1]]), k=digit, n=digit, factor=percent)
@example(fmean, 0, 0, 1.0)
def test_future_reward(of, k, n, factor):
    def formula(begun, sampler, K, N):
        rows = map(outcomes_of, branch(begun, sampler, max(1, K + k), max(1, N + n)))
        graded = [[outcome for outcome in row if outcome is not None] for row in rows]
        return [factor * of(row) if row else None for row in graded]

    agree(rewards.check_future_reward(formula), (of, k, n, factor) == (fmean, 0, 0, 1.0))


@few
@given(
    shift=digit,
    dim=st.sampled_from([-1, 1]),
    scale=st.sampled_from([1.0, 0.5]),
    log=st.booleans(),
    attached=st.booleans(),
)
@example(0, -1, 1.0, True, True)
@example(0, -1, 1.0, True, False)
def test_logprobs(shift, dim, scale, log, attached):
    def formula(logits, tokens):
        logits = logits if attached else logits.detach()
        values = (scale * logits).log_softmax(dim) if log else (scale * logits).softmax(dim)
        return before(values.roll(shift, dims=1), tokens).gather(-1, tokens[:, :, None]).squeeze(-1)

    agree(advantage.check_logprobs(formula), (shift, dim, scale, log, attached) == (0, -1, 1.0, True, True))


@few
@given(low=percent, high=percent, tokens=st.booleans())
@example(0.8, 0.2, True)
def test_clipped_loss(low, high, tokens):
    def formula(new, old, a, mask):
        gain, ratio = a[:, None], (new - old).exp()
        values = -(ratio * gain).minimum(ratio.clamp(low, 1 + high) * gain) * mask
        return values.sum() / mask.sum() if tokens else (values.sum(1) / mask.sum(1)).mean()

    agree(advantage.check_clipped_loss(formula), (low, high, tokens) == (0.8, 0.2, True))


# --- texts


@few
@given(order=st.sampled_from([0.0, 0.25, 0.5, 1.0]), tag=st.sampled_from([0.0, 0.125, 0.25]))
@example(0.5, 0.125)
def test_format_weights(order, tag):
    whole = re.compile("<reasoning>.*?</reasoning>.*?<answer>.*?</answer>", re.DOTALL)
    result = rewards.check_format_reward(lambda text: order * bool(whole.search(text)) + tag * tags_once(text))
    agree(result, (order, tag) == (0.5, 0.125))


@settings(few, max_examples=120)
@given(
    inside=st.sampled_from([".*", ".*?", ".+", ".+?", "[^<]*", r"\w*"]),
    between=st.sampled_from([".*", ".*?", r"\s*", "", "\n"]),
    flags=st.sampled_from([re.DOTALL, re.DOTALL | re.IGNORECASE, 0]),
    look=st.sampled_from(["search", "match", "fullmatch"]),
)
@example(".*?", ".*", re.DOTALL, "search")
def test_format_patterns(inside, between, flags, look):
    whole = re.compile(f"<reasoning>{inside}</reasoning>{between}<answer>{inside}</answer>", flags)
    result = rewards.check_format_reward(lambda text: 0.5 * bool(getattr(whole, look)(text)) + 0.125 * tags_once(text))
    agree(result, {inside, between} <= {".*", ".*?"} and flags == re.DOTALL and look == "search")


@few
@given(
    tolerance=st.sampled_from([0.0, 0.0002, 0.02, 0.5, 1.0]),
    which=st.sampled_from(["all", "first", "last", "any", "most", "ends"]),
)
@example(0.0, "all")
@example(0.0, "most")
@example(0.0, "ends")
def test_is_correct(tolerance, which):
    def number(text):
        try:
            return float(text.replace(",", ""))
        except ValueError:
            return float("inf")

    def formula(reply, gold):
        answer = read_answer(reply) or ""
        claims = re.findall(r"\\boxed\{(.*?)\}", answer) or [answer]
        near = [abs(number(claim) - number(gold)) <= tolerance for claim in claims]
        most, ends = sum(near) > len(near) / 2, near[0] and near[-1]
        found = {"all": all(near), "first": near[0], "last": near[-1], "any": any(near), "most": most, "ends": ends}
        return found[which]

    agree(rewards.check_is_correct(formula), (tolerance, which) == (0.0, "all"))


@few
@given(stop=st.sampled_from(["never", "box", "no answer", "same note"]), lag=st.integers(0, 1), fresh=st.booleans())
@example("never", 0, True)
def test_my_think(stop, lag, fresh):
    def my_think(question, sampler, num_rounds):
        notes, chat = [None], []
        for round in range(1, num_rounds + 1):
            new = messages(question, round, num_rounds, notes[max(0, len(notes) - 1 - lag)])
            chat = new if fresh else chat + new
            text = sampler([chat])[0].text
            notes.append(read_answer(text) or NO_NOTE)
            ends = {"box": "boxed" in text, "no answer": notes[-1] == NO_NOTE, "same note": notes[-1] == notes[-2]}
            if ends.get(stop):
                break
        return text

    agree(rounds.check_my_think(my_think), (stop, lag, fresh) == ("never", 0, True))


@few
@given(
    number=st.sampled_from([r"\d+", r"\d\d", r"\d", r".+"]),
    words=st.sampled_from([r"after day \w+", r"day \w+", r"\w+", r".*"]),
    match=st.sampled_from([re.fullmatch, re.match, re.search]),
    halves=st.sampled_from([("total", "day"), ("day", "total")]),
)
@example(r"\d+", r"after day \w+", re.fullmatch, ("total", "day"))
def test_part_of(number, words, match, halves):
    formula = halving(f"({number}) ({words})", match, halves)
    right = (r"\d+", r"after day \w+", re.fullmatch, ("total", "day"))
    agree(beyond.check_part_of(formula), (number, words, match, halves) == right)


@few
@given(
    after=st.integers(0, 2),
    pick=st.sampled_from([0, -1]),
    prompts=st.integers(0, 1),
    where=st.sampled_from(["note", "answer", "text"]),
)
@example(1, 0, 0, "note")
@example(1, 0, 0, "answer")
def test_tokens_saved(after, pick, prompts, where):
    def count(replies):
        return sum(reply.tokens + prompts * reply.prompt_tokens for reply in replies)

    def seen(reply):
        return boxes({"note": reply.carried, "answer": read_answer(reply.text) or "", "text": reply.text}[where])

    right = (after, pick, prompts, where) == (1, 0, 0, "note")
    agree(beyond.check_tokens_saved(saving(after, pick, seen, count)), right)


@pytest.mark.parametrize("check, carry", [(rounds.check_keep_note, memory), (beyond.check_salvage, salvage)])
@few
@given(more=digit, dots=st.sampled_from(["", "...", "…", "\n"]), start=st.integers(0, 2))
@example(0, "", 0)
@example(0, "...", 0)
def test_a_long_answer_is_cut_after_max_note_characters(check, carry, more, dots, start):
    def cut(reply, finished, previous):
        note = read_answer(reply) or carry(reply, finished, previous)
        return note if len(note) <= MAX_NOTE else note[start : start + MAX_NOTE + more - len(dots)] + dots

    agree(check(cut), (more, dots, start) == (0, "", 0))
