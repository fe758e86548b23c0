"""Wrong answers to exercises on texts and rounds (notebooks 00, 02, 03, 05, 07): (what the check must say, function).

Each is what a learner may well write; the table of all checks is in `test_checks.py`.
"""

from __future__ import annotations

import math
import re
from statistics import fmean

from motif_lib.carry import MAX_NOTE, full_history, memory, progress_note
from motif_lib.protocol import NO_NOTE, TAGS, messages, read_answer
from motif_lib.rewards.format import format_reward, is_soft, tags_once
from motif_lib.rewards.reference import faulty_accuracy, faulty_soft, faulty_tags
from motif_lib.rounds import think
from motif_lib.verify import verify
from motif_lib.verify.extract import boxes

# --- 00: the gold answer of a GSM8K row


def gold(cut=lambda answer: answer.rpartition("####")[2], comma="", strip=str.strip):
    return lambda answer: strip(cut(answer)).replace(",", comma)


GOLDS = [
    ("text, not a number", lambda answer: int(gold()(answer))),
    ("the mark is still in it", gold(cut=lambda answer: answer)),
    ("this is the work", gold(cut=lambda answer: answer.partition("####")[0])),
    ("a thousands separator", gold(comma=",")),
    ("white space", gold(strip=lambda text: text[1:])),
    ("the last one counts", gold(cut=lambda answer: answer.split("####")[1])),
    ("ends or begins at its comma", lambda answer: re.findall(r"\d+", answer)[-1]),
    ("ends or begins at its comma", lambda answer: re.search(r"####\s*(\d+)", answer)[1]),
    ("decimals are lost", lambda answer: re.search(r"-?\d+", gold()(answer))[0]),
    ("the sign", gold(strip=lambda text: text.strip(" -\n"))),
    ("drop them all", lambda answer: answer.rpartition("####")[2].strip().replace(",", "", 1)),
    ("change nothing else", lambda answer: f"{float(gold()(answer)):g}"),
    ("the zero is lost", gold(strip=lambda text: text.strip().lstrip("0"))),
]

# --- 00: the share of right answers


def verdicts(questions, sampler, n, final=lambda t: t.final, gold=lambda q: q.gold, task=lambda q: q.task):
    asked = zip(think(questions, sampler, n), questions)
    return [verify(final(t), gold(q), task(q)).correct for t, q in asked]


def by_text(questions, sampler, n):
    """What each question text got: one that is asked again falls together with the first."""
    return {q.text: v is True for q, v in zip(questions, verdicts(questions, sampler, n))}


SHARES = [
    ("not percent", lambda questions, sampler, n: 100 * fmean(v is True for v in verdicts(questions, sampler, n))),
    ("divide by how many", lambda questions, sampler, n: sum(v is True for v in verdicts(questions, sampler, n))),
    ("of wrong answers", lambda questions, sampler, n: fmean(v is not True for v in verdicts(questions, sampler, n))),
    (
        "digits that occur",
        lambda questions, sampler, n: fmean(t.question.gold in t.final for t in think(questions, sampler, n)),
    ),
    ("`.correct is True`", lambda questions, sampler, n: fmean(v is not None for v in verdicts(questions, sampler, n))),
    ("num_rounds rounds", lambda questions, sampler, n: fmean(v is True for v in verdicts(questions, sampler, 1))),
    (
        "the final answer counts",
        lambda questions, sampler, n: fmean(
            v is True for v in verdicts(questions, sampler, n, lambda t: t.replies[0].text)
        ),
    ),
    ("cannot be graded", lambda questions, sampler, n: fmean(v is not False for v in verdicts(questions, sampler, n))),
    (
        "cannot be graded",
        lambda questions, sampler, n: fmean(v for v in verdicts(questions, sampler, n) if v is not None),
    ),
    (
        "gold of its own question",
        lambda questions, *given: fmean(
            v is True for v in verdicts(questions, *given, gold=lambda q: questions[0].gold)
        ),
    ),
    ("not rounded", lambda *given: round(fmean(v is True for v in verdicts(*given)), 1)),
    ("not rounded", lambda *given: round(fmean(v is True for v in verdicts(*given)), 2)),
    ("rules of its own task", lambda *given: fmean(v is True for v in verdicts(*given, task=lambda q: "ledger"))),
    ("in another spelling", lambda *given: fmean(boxes(t.final)[-1:] == [t.question.gold] for t in think(*given))),
    ("more than once", lambda *given: fmean(by_text(*given).values())),
    ("more than once", lambda questions, *given: sum(by_text(questions, *given).values()) / len(questions)),
    (
        "changes what it is given",
        lambda questions, *given: fmean(map(bool, verdicts(questions, *given))) + drop(questions),
    ),
]


def drop(questions):
    """Empties the list that it was given."""
    return 0 * len([questions.pop() for _ in range(len(questions))])


# --- 02: the loop over the rounds, and the note that one round hands to the next


def loop(
    first=1,
    told=lambda round: round,
    total=lambda num_rounds: num_rounds,
    note=lambda text, old: read_answer(text) or NO_NOTE,
    trusted=lambda completion: True,
    progress=lambda note: note,
    give=lambda texts: texts[-1],
    calls=lambda num_rounds: num_rounds,
):
    """A learner's loop, with room for one mistake."""

    def my_think(question, sampler, num_rounds):
        carried, texts = None, []
        for round in range(first, first + calls(num_rounds)):
            chat = messages(question, told(round), total(num_rounds), progress(carried))
            completion = sampler([chat])[0]
            texts.append(completion.text)
            carried = note(texts[-1], carried) if trusted(completion) else NO_NOTE
        return give(texts)

    return my_think


def one_chat(question, sampler, num_rounds):
    chat = []
    for round in range(1, num_rounds + 1):
        chat += messages(question, round, num_rounds, None)
        text = sampler([chat])[0].text
    return text


def step_by_step(question, sampler, num_rounds):
    """Every prompt says a word of its own."""

    def told(chats):
        return sampler([[*chat[:-1], chat[-1] | {"content": chat[-1]["content"] + "\nThink."}] for chat in chats])

    return loop()(question, told, num_rounds)


def question_grows(question, sampler, num_rounds):
    note = None
    for round in range(1, num_rounds + 1):
        text = sampler([messages(question, round, num_rounds, note)])[0].text
        note = read_answer(text) or NO_NOTE
        question += f" {note}"
    return text


def unbatched(question, sampler, num_rounds):
    return sampler(messages(question, 1, num_rounds))[0].text


def first_answer(reply):
    found = re.search(r"<answer>(.*?)</answer>", reply, re.DOTALL)
    return found[1].strip() if found else ""


def last_answered(texts):
    return next((text for text in reversed(texts) if read_answer(text)), texts[-1])


def until(done):
    """A loop that ends before the last round."""

    def my_think(question, sampler, num_rounds):
        note = None
        for round in range(1, num_rounds + 1):
            text = sampler([messages(question, round, num_rounds, note)])[0].text
            note = read_answer(text) or NO_NOTE
            if done(text):
                break
        return text

    return my_think


LOOPS = [
    ("call the sampler num_rounds times", loop(calls=lambda num_rounds: num_rounds - 1)),
    ("counted from 1", loop(first=0)),
    ("the same round", loop(told=lambda round: 1)),
    ("the wrong rounds", loop(told=lambda round: round + 1)),
    ("how many there are", loop(total=lambda num_rounds: num_rounds + 1)),
    ("a fresh context", one_chat),
    ("never reaches", loop(progress=lambda note: None)),
    ("the whole reply", loop(note=lambda text, old: text)),
    ("of round 1: take a new note", loop(note=lambda text, old: old or read_answer(text))),
    ("old notes pile up", loop(note=lambda text, old: f"{old}\n{read_answer(text)}")),
    ("not an empty text", loop(progress=lambda note: note or "")),
    ("round 1 sees none", loop(note=lambda text, old: "my note")),
    ("the reply of round 1", loop(give=lambda texts: texts[0])),
    ("give the whole last reply", loop(give=lambda texts: read_answer(texts[-1]))),
    ("give the text of the last reply", loop(give=tuple)),
    ("looks like a first round", loop(note=lambda text, old: read_answer(text))),
    ("the unfinished reasoning", loop(note=lambda text, old: read_answer(text) or text)),
    ("without an answer hands on NO_NOTE", loop(note=lambda text, old: read_answer(text) or "none")),
    ("lives for one round", loop(note=lambda text, old: read_answer(text) or old or NO_NOTE)),
    ("every round is asked", until(lambda text: "boxed" in text)),
    ("every round is asked", until(lambda text: not read_answer(text))),
    ("even if it has no answer", loop(give=last_answered)),
    ("even if it has no answer", loop(give=lambda texts: texts[-1] if read_answer(texts[-1]) else NO_NOTE)),
    ("no word more", step_by_step),
    ("no word more", question_grows),
    ("with 5 there are five", loop(calls=lambda num_rounds: min(3, num_rounds))),
    (
        "changed on its way",
        loop(note=lambda text, old: re.sub(r"\\boxed\{(.*?)\}", r"\1", read_answer(text) or NO_NOTE)),
    ),
    ("my_think('How many?'", lambda question, sampler, num_rounds: messages(question.text, 1, num_rounds)),
    ("not at completion.finished", loop(trusted=lambda completion: completion.finished)),
    ("of two answers", loop(note=lambda text, old: first_answer(text) or NO_NOTE)),
    ("changed on its way", loop(note=lambda text, old: " ".join((read_answer(text) or NO_NOTE).split()))),
    ("changed on its way", loop(note=lambda text, old: (read_answer(text) or NO_NOTE).lower())),
    ("changed on its way", loop(note=lambda text, old: (read_answer(text) or NO_NOTE)[:100])),
    ("there is one call", loop(calls=lambda num_rounds: max(2, num_rounds))),
    ("sampler([chat])", unbatched),
]


def found_answer(reply):
    """A pattern without re.DOTALL."""
    return (re.findall("<answer>(.*?)</answer>", reply) or [""])[-1]


def half_answer(reply):
    """An answer that was never closed is read to the end."""
    return reply.rpartition("<answer>")[2].partition("</answer>")[0].strip() if "<answer>" in reply else ""


def dotted(note, dots="..."):
    return note if len(note) <= MAX_NOTE else note[: MAX_NOTE - len(dots)] + dots


def middle_out(note):
    half = MAX_NOTE // 2
    return note if len(note) <= MAX_NOTE else note[:half] + note[-half:]


def whole_words(note):
    """Cut at the last blank, if there is one."""
    return note if len(note) <= MAX_NOTE else note[:MAX_NOTE].rsplit(" ", 1)[0]


NOTES = [
    ("stays for ever", lambda reply, finished, previous: previous or progress_note(reply, finished, previous)),
    ("not the reasoning", lambda reply, finished, previous: reply if finished else previous),
    ("in front of", lambda reply, finished, previous: f"{previous} {read_answer(reply) or ''}".strip()),
    ("thrown away", progress_note),
    ("leaves the note of the round before", lambda *given: read_answer(given[0]) or given[0]),
    ("no note before", lambda reply, finished, previous: read_answer(reply) or previous),
    ("cut off after its answer", lambda *given: memory(*given) if given[1] else given[2] or NO_NOTE),
    (
        "two answers",
        lambda reply, *given: memory(reply.partition("</answer>")[0] + "</answer>" * ("<an" in reply), *given),
    ),
    ("not bounded", lambda reply, finished, previous: read_answer(reply) or previous or NO_NOTE),
    ("not the reasoning", full_history),
    ("too short", lambda *given: memory(*given)[: MAX_NOTE - 1]),
    ("too short", lambda *given: memory(*given)[:200]),
    ("too short", lambda reply, *given: memory(reply[:MAX_NOTE], *given)),
    ("ended by itself", lambda *given: memory(given[0], given[1], "" if given[1] else given[2])),
    ("inside its answer", lambda reply, finished, previous: half_answer(reply) or previous or NO_NOTE),
    ("inside its answer", lambda *given: (progress_note if "<answer>" in given[0] else memory)(*given)),
    ("several lines", lambda *given: memory(*given).partition("\n")[0]),
    ("keep the beginning", lambda reply, *given: (read_answer(reply) or memory(reply, *given))[-MAX_NOTE:]),
    ("re.DOTALL", lambda reply, finished, previous: found_answer(reply) or previous or NO_NOTE),
    ("no dots", lambda reply, finished, previous: dotted(read_answer(reply) or previous or NO_NOTE)),
    ("no dots", lambda reply, finished, previous: dotted(read_answer(reply) or previous or NO_NOTE, "…")),
    ("first characters as they are", lambda reply, *given: middle_out(read_answer(reply) or memory(reply, *given))),
    ("first characters as they are", lambda reply, *given: whole_words(read_answer(reply) or memory(reply, *given))),
    (
        "changed on its way",
        lambda reply, *given: (read_answer(reply) or "").lower()[:MAX_NOTE] or memory(reply, *given),
    ),
    ("stays as it was", lambda reply, finished, previous: memory(reply, finished, previous[:100])),
    ("stays as it was", lambda reply, finished, previous: memory(reply, finished, previous.partition("\n")[0])),
    ("need not be there", lambda reply, *given: memory(reply if "</reasoning>" in reply else "", *given)),
]

# --- 03: the rewards for format and for the right answer

BLOCKS = r"<reasoning>.*</reasoning>.*<answer>.*</answer>"


def from_match(match):
    return lambda text: 0.5 * bool(match(text)) + 0.125 * tags_once(text)


def pattern(inside=".*?", between=".*?"):
    whole = f"<reasoning>{inside}</reasoning>{between}<answer>{inside}</answer>"
    return lambda text: re.search(whole, text, re.DOTALL)


def in_order(places):
    return -1 not in places and places == sorted(places)


def first_end(text):
    """It looks for `</reasoning>` from the beginning of the text."""
    start, end = text.find("<reasoning>"), text.find("</reasoning>")
    return 0 <= start < end and is_soft(text[start:])


def from_the_end(text):
    """Right: each tag before the one that follows it."""
    end = len(text)
    for tag in reversed(TAGS[:4]):
        end = text.rfind(tag, 0, max(0, end))
    return end >= 0


ONE_LINE_ANSWER = r"<reasoning>[\s\S]*?</reasoning>[\s\S]*?<answer>\s*.*\s*</answer>"


def any_answer_behind(text):
    """It takes an `<answer>` behind the reasoning, and a complete one anywhere."""
    end = re.search("<reasoning>.*?</reasoning>", text, re.DOTALL)
    return end and read_answer(text) is not None and end.end() <= text.rfind("<answer>")


FORMATS = [
    ("not a list", lambda text: format_reward([text], strict_weight=0.0)),
    ("newlines around the tags", from_match(lambda text: "\n</reasoning>\n" in text)),
    ("does not match a newline", from_match(lambda text: faulty_soft(text))),
    ("re.match looks only at the very beginning", from_match(lambda text: re.match(BLOCKS, text, re.DOTALL))),
    ("length", lambda text: 0.5 * is_soft(text) + 0.125 * tags_once(text) - 0.001 * max(0, len(text) - 999)),
    ("wrong order", from_match(lambda text: all(tag in text for tag in TAGS[:4]))),
    ("the 0.5 stays", lambda text: 0.5 * (is_soft(text) and tags_once(text) == 4) + 0.125 * tags_once(text)),
    ("text.count(tag) == 1", lambda text: 0.5 * is_soft(text) + 0.125 * sum(tag in text for tag in TAGS[:4])),
    ("never closed", from_match(lambda text: re.search(BLOCKS[:-10], text, re.DOTALL))),
    ("nor is a reasoning", from_match(lambda text: re.search("<reasoning>.*<answer>.*</answer>", text, re.DOTALL))),
    ("an empty text", lambda text: 0.5 * is_soft(text) + 0.125 * (tags_once(text) or 4 * (not text))),
    ("newlines or not", lambda text: 0.5 * is_soft(text) + faulty_tags(text)),
    ("penalty for its length", lambda text: 0.5 * is_soft(text) + 0.125 * tags_once(text) - 0.001 * len(text)),
    ("not 1.0", lambda text: 1.0 * is_soft(text) + 0.125 * tags_once(text)),
    ("points are missing", lambda text: 0.5 * is_soft(text)),
    ("between the blocks", from_match(pattern(between=r"\s*"))),
    ("may be empty", from_match(pattern(inside=".+?"))),
    ("small letters", lambda text: 0.5 * is_soft(text.lower()) + 0.125 * tags_once(text.lower())),
    ("look on after </reasoning>", from_match(lambda text: in_order([text.find(tag) for tag in TAGS[:4]]))),
    ("look on after <reasoning>", from_match(first_end)),
    ("find and not rfind", from_match(lambda text: in_order([text.rfind(tag) for tag in TAGS[:4]]))),
    ("find and not rfind", from_match(lambda text: re.search(rf"{BLOCKS}(?!.*<)", text, re.DOTALL))),
    ("many lines", from_match(lambda text: re.search(ONE_LINE_ANSWER, text))),
    ("many lines", from_match(lambda text: re.search(BLOCKS[:-11] + ".{0,99}</answer>", text, re.DOTALL))),
    ("a tag too", from_match(pattern(inside="(?:(?!<answer>).)*?"))),
    ("no answer stands behind", from_match(any_answer_behind)),
]


def number(text):
    return float(text.replace(",", ""))


def claim(reply):
    """The content of the last box of the answer; "" if there is none."""
    return (boxes(read_answer(reply) or "") or [""])[-1]


def whole_text(reply, gold):
    """Is the last box of the whole reply, or the reply without a box, the gold number?"""
    last = (boxes(reply) or [reply])[-1]
    return bool(last) and not last.strip("1234567890., ") and number(last) == number(gold)


def with_comma(reply, gold):
    """The claim may have a thousands separator, the gold may not."""
    bare = claim(reply).replace(",", "")
    return bare.strip("1234567890. ") == "" and float(bare) == float(gold)


def judged(rule):
    """By a rule on the boxes of the answer that are numbers, or on the answer itself; the others are skipped."""

    def is_correct(reply, gold):
        answer = read_answer(reply)
        claims = (boxes(answer) or [answer]) if answer else []
        numbers = [number(claim) for claim in claims if re.fullmatch(r"\s*[\d.,]+\s*", claim)]
        return bool(numbers) and rule(numbers, number(gold))

    return is_correct


def compared(equal, claims=lambda found: found, pattern=r"\\boxed\{(.*?)\}", read=read_answer):
    """Every claim is compared with the gold in this way; one that is no number is wrong."""

    def is_correct(reply, gold):
        answer = read(reply)
        try:
            found = [number(claim) for claim in claims(re.findall(pattern, answer or "") or [answer or ""])]
        except ValueError:
            return False
        return bool(found) and all(equal(value, number(gold)) for value in found)

    return is_correct


def boxed_mean(reply, gold):
    found = boxes(read_answer(reply) or "")
    if not found[1:] or not all(re.fullmatch(r"[\d.]+", box) for box in found):
        return verified(reply, gold)
    return fmean(map(float, found)) == number(gold)


def majority(reply, gold):
    found = boxes(read_answer(reply) or "")
    return sum(verified(claim, gold) for claim in found) > len(found) / 2 if found[1:] else verified(reply, gold)


def verified(reply, gold):
    return verify(reply, gold).correct


def signed(reply, gold, pattern=r"\\boxed\{(.*?)\}", clean=lambda text: text, read=lambda text: text):
    """The solution of the notebook, with room for one mistake."""
    answer = read_answer(reply) or ""
    try:
        found = {number(clean(read(claim))) for claim in re.findall(pattern, answer) or [answer]}
    except (ValueError, IndexError):
        return False
    return found == {number(clean(gold))}


CORRECT = [
    ("Write the pattern raw", lambda *given: signed(*given, pattern="\boxed{(.*?)}")),
    ("Write the pattern raw", lambda *given: signed(*given, pattern=r"\boxed{(.*?)}")),
    ("keep the sign", lambda *given: signed(*given, clean=lambda text: text.strip().lstrip("-"))),
    ("keep the sign", lambda *given: bool(given[0].count("-") == 0 and verify(*given).correct)),
    ("`5 or 6` is no number", lambda *given: signed(*given, read=lambda text: re.findall(r"-?[\d,.]+", text)[0])),
    ("`5 or 6` is no number", lambda *given: signed(*given, read=lambda text: re.findall(r"-?[\d,.]+", text)[-1])),
    ("`5 or 6` is no number", lambda *given: signed(*given, read=lambda text: re.sub(r"[^-\d.]", "", text))),
    ("this answer is right", lambda reply, gold: False),
    ("give True or False", lambda reply, gold: 2.0 * verify(reply, gold).correct),
    ("5.4 is not 5", judged(lambda claims, gold: all(int(claim) == int(gold) for claim in claims))),
    ("5.4 is not 5", judged(lambda claims, gold: all(abs(claim - gold) < 1 for claim in claims))),
    ("5.01 is not 5", judged(lambda claims, gold: all(abs(claim - gold) < 0.1 for claim in claims))),
    ("whichever comes first", judged(lambda claims, gold: claims[0] == gold if claims else False)),
    ("do not skip it", judged(lambda claims, gold: set(claims) == {gold})),
    ("claim itself", lambda reply, gold: bool(boxes(read_answer(reply) or "")) and verify(reply, gold).correct),
    ("box in the reasoning", lambda reply, gold: not boxes(read_answer(reply) or "") or verify(reply, gold).correct),
    ("15 is not 5", lambda reply, gold: gold in (read_answer(reply) or "")),
    ("another spelling", lambda reply, gold: faulty_accuracy(reply, gold) == 2.0),
    ("another spelling", lambda reply, gold: claim(reply)[:1] != " " and whole_text(claim(reply), gold)),
    ("another spelling", lambda reply, gold: claim(reply).strip().replace(",", "") == gold.replace(",", "")),
    ("another spelling", lambda reply, gold: "," not in claim(reply) and whole_text(claim(reply), gold)),
    ("another spelling", with_comma),
    ("box in the reasoning", lambda reply, gold: any(whole_text(rf"\boxed{{{box}}}", gold) for box in boxes(reply))),
    ("cut off", lambda reply, gold: whole_text(read_answer(reply) or reply, gold)),
    ("hedge", lambda reply, gold: whole_text(read_answer(reply) or "", gold)),
    ("one claim", lambda reply, gold: len(boxes(read_answer(reply) or "")) == 1 and verify(reply, gold).correct),
    ("the last one", lambda reply, gold: bool(verify(reply.partition("</answer>")[0] + "</answer>", gold).correct)),
    ("near is not equal", compared(lambda a, b: abs(a - b) < 0.02)),
    ("no tolerance", compared(lambda a, b: math.isclose(a, b, rel_tol=1e-3))),
    ("no tolerance", compared(lambda a, b: math.isclose(a, b, rel_tol=1e-6))),
    ("no tolerance", compared(lambda a, b: abs(a - b) < 1e-3)),
    ("no tolerance", compared(lambda a, b: round(a, 2) == round(b, 2))),
    ("`nan`", compared(lambda a, b: not abs(a - b) > 1e-9)),
    ("no majority", majority),
    ("no mean", boxed_mean),
    ("no two of three", compared(float.__eq__, claims=lambda found: found[:2])),
    ("no two of three", compared(float.__eq__, claims=lambda found: found[-2:])),
    ("no two of three", compared(float.__eq__, claims=lambda found: [found[0], found[-1]])),
    ("an empty box", compared(float.__eq__, pattern=r"\\boxed\{([^}]+)\}")),
    ("0 is a number", compared(lambda a, b: a != 0 and a == b)),
    ("0 is a number", compared(float.__eq__, claims=lambda found: [claim or "0" for claim in found])),
    ("only a complete one", compared(float.__eq__, read=lambda reply: read_answer(reply, True))),
    (
        "its first or its last line",
        compared(float.__eq__, claims=lambda found: [claim.split("\n")[-1] for claim in found]),
    ),
    ("never closed", compared(float.__eq__, pattern=r"\\boxed\{([^}]*)")),
    ("ZeroDiv", lambda reply, gold: verify(reply, gold).correct or 1 / (read_answer(reply) != r"\boxed{many}") < 0),
]

# --- 05: questions that teach nothing, before a training


def is_right(t, text=lambda t: t.final):
    return verify(text(t), t.question.gold, t.question.task).correct is True


def outcomes(questions, sampler, n, m, judge=is_right):
    """The m outcomes of each question."""
    found = [judge(t) for t in think([q for q in questions for _ in range(m)], sampler, n)]
    return [(q.length, found[i * m : (i + 1) * m]) for i, q in enumerate(questions)]


def one_run_after_the_other(questions, sampler, n, m):
    runs = [[is_right(t) for t in think(questions, sampler, n)] for _ in range(m)]
    return [(q.length, [run[i] for run in runs]) for i, q in enumerate(questions)]


def by_length(groups, silent=lambda group: len(set(group)) == 1, mean=fmean):
    return {length: mean(silent(g) for of, g in groups if of == length) for length, _ in groups}


def every_mth(questions, sampler, n, m):
    found = [v is True for v in verdicts([*questions] * m, sampler, n)]
    return [(q.length, found[i * m : (i + 1) * m]) for i, q in enumerate(questions)]


def pooled(groups):
    return {length: float(len({v for of, g in groups if of == length for v in g}) == 1) for length, _ in groups}


def merged(names, groups):
    """The outcomes of questions of one name together."""
    found = {}
    for name, (length, group) in zip(names, groups):
        found.setdefault(name, (length, []))[1].extend(group)
    return list(found.values())


SILENT = [
    ("with signal", lambda *given: by_length(outcomes(*given), lambda group: len(set(group)) > 1)),
    ("all wrong is as silent", lambda *given: by_length(outcomes(*given), all)),
    ("all right is as silent", lambda *given: by_length(outcomes(*given), lambda group: not any(group))),
    ("not percent", lambda *given: {k: 100 * v for k, v in by_length(outcomes(*given)).items()}),
    ("not their number", lambda *given: by_length(outcomes(*given), mean=sum)),
    ("question by itself", lambda *given: pooled(outcomes(*given))),
    ("not one of each", lambda *given: by_length(every_mth(*given))),
    ("give a dict", lambda *given: [*by_length(outcomes(*given)).values()]),
    ("equal, by the number", lambda *given: dict.fromkeys(by_length(outcomes(*given)), 0.3)),
    ("in whatever words", lambda *given: by_length(outcomes(*given, judge=lambda t: t.final))),
    (
        "only the final answer",
        lambda *given: by_length(outcomes(*given, judge=lambda t: is_right(t, lambda t: t.replies[0].text))),
    ),
    ("share is 0.0", lambda *given: {length: share for length, share in by_length(outcomes(*given)).items() if share}),
    ("num_rounds rounds each", lambda qs, sampler, n, m: by_length(outcomes(qs, sampler, 1, m))),
    (
        "gold of its own question",
        lambda qs, *given: by_length(outcomes(qs, *given, judge=lambda t: verified(t.final, qs[0].gold))),
    ),
    ("not rounded", lambda *given: {k: round(v, 2) for k, v in by_length(outcomes(*given)).items()}),
    (
        "rules of its own task",
        lambda *given: by_length(outcomes(*given, judge=lambda t: verified(t.final, t.question.gold) is True)),
    ),
    ("more than once", lambda qs, *given: by_length(merged([q.text for q in qs], outcomes(qs, *given)))),
]

# --- 07: a carry that saves a note from an unfinished reply, and the tokens that stopping early saves

LINE = r"^day (\w+) .*=(\d+)\n"


def salvage(reply, finished, previous, line=LINE, which=-1, fallback=True, bound=2000, keep=False):
    if note := read_answer(reply):
        return note[:bound]
    if keep and previous:
        return previous
    lines = re.findall(line, reply, re.MULTILINE)
    if lines:
        return f"{lines[which][1]} after day {lines[which][0]}"
    return (previous or NO_NOTE) if fallback else NO_NOTE


def unanswered(reply):
    return re.sub("</?answer>", "", reply)


def all_but_the_last(reply):
    return "\n".join([*reply.splitlines()[:-1], ""])


def with_options(**options):
    return lambda reply, finished, previous: salvage(reply, finished, previous, **options)


SALVAGES = [
    ("as `progress_note` does", lambda reply, finished, previous: reply[-120:]),
    ("a reply without an answer", progress_note),
    ("19 has become 1", with_options(line=r"^day (\w+) .*=(\d+)$")),
    ("first whole line", with_options(which=0)),
    ("this is the change", with_options(line=r"^day (\w+) \w+ (\d+)=\d+\n")),
    ("leaves the note as it was", with_options(fallback=False)),
    ("replaces the old note", with_options(keep=True)),
    ("say NO_NOTE", lambda *given: "" if salvage(*given) == NO_NOTE else salvage(*given)),
    ("bound the note", with_options(bound=None)),
    ("keep the beginning", lambda *given: (read_answer(given[0]) or salvage(*given))[-MAX_NOTE:]),
    ("hands on that answer", lambda reply, *given: salvage(unanswered(reply), *given)),
    (
        "even if the reply was cut after it",
        lambda reply, finished, before: salvage(reply if finished else unanswered(reply), finished, before),
    ),
    ("splitlines()[:-1]", lambda reply, *given: read_answer(reply) or salvage(all_but_the_last(reply), *given)),
    ("one digit or three", with_options(line=r"^day (\w+) .*=(\d\d)\n")),
    ("a day any name", with_options(line=r"^day (one|two|three|four|five|six|seven|eight|nine|ten) .*=(\d+)\n")),
    ("look further back", with_options(line=r"^day (\w+) .*=(\d+)\n(?:day.*)?\Z")),
    ("even in a reply that ended", lambda *given: read_answer(given[0])[:MAX_NOTE] if given[1] else salvage(*given)),
    ("salvage its work too", lambda *given: (read_answer(given[0]) or NO_NOTE) if given[1] else salvage(*given)),
    ("a line without one is none", with_options(line=r"^day (\w+) .*?(\d+)\n")),
    (
        "more than a few days",
        lambda reply, *given: salvage(reply.replace("day five", "DAY").replace("day six", "DAY"), *given),
    ),
    ("beginning of a line", with_options(line=r"day (\w+) .*=(\d+)\n")),
    ("no dots", lambda *given: dotted(salvage(*given, bound=None))),
    ("first characters as they are", lambda *given: middle_out(salvage(*given, bound=None))),
    ("of two answers", lambda reply, *given: first_answer(reply)[:MAX_NOTE] or salvage(reply, *given)),
    ("changed on its way", lambda reply, *given: (read_answer(reply) or "").lower() or salvage(reply, *given)),
    ("changed on its way", with_options(bound=100)),
    ("stays as it was", lambda reply, finished, previous: salvage(reply, finished, " ".join(previous.split()))),
    ("leaves the note as it was", lambda reply, *given: salvage(reply if "\n" in reply else reply + "\n", *given)),
    ("first line of a reply", lambda reply, *given: salvage(reply if reply[:3] != "day" else "." + reply, *given)),
]


def halving(form=r"(\d+) (after day \w+)", match=re.fullmatch, halves=("total", "day"), kind=str, other=None):
    def part_of(note, part):
        if not (found := match(form, note)):
            return note if other is None else other
        return kind(found[1 + halves.index(part)]) if part == "total" else found[1 + halves.index(part)]

    return part_of


HALVES = [
    ("give '47', not the number", halving(kind=int)),
    ("the halves are swapped", halving(halves=("day", "total"))),
    ("says which half is asked for", lambda note, part: halving()(note, "total")),
    ("leave the blank", halving(form=r"(\d+)( after day \w+)")),
    ("keep the words too", halving(form=r"(\d+) after day (\w+)")),
    ("keep the words too", halving(form=r"(\d+) after (day \w+)")),
    ("the total is `47`", lambda note, part: note),
    ("the day is `after day four`", lambda note, part: halving()(note, part) if part == "total" else note),
    ("one digit or three", halving(form=r"(\d\d) (after day \w+)")),
    ("comes back unchanged", halving(match=re.search)),
    ("comes back unchanged", halving(match=re.match)),
    ("comes back unchanged", halving(other="")),
    ("comes back unchanged", halving(other=NO_NOTE)),
    ("comes back unchanged", halving(form=r"(\d+) (.*)")),
    ("comes back unchanged", lambda note, part: halving()(note.strip(), part)),
    ("comes back unchanged", lambda note, part: halving()(note.lower(), part)),
    ("comes back unchanged", lambda note, part: halving()(note.partition("\n")[0], part)),
    ("raised KeyError", lambda note, part: dict(zip(("total", "day"), note.split(" ", 1)))[part]),
]


def saving(
    after=1,
    pick=0,
    seen=lambda reply: boxes(reply.carried),
    count=lambda replies: sum(reply.tokens for reply in replies),
):
    def tokens_saved(trajectory):
        hits = [i for i, reply in enumerate(trajectory.replies) if seen(reply)]
        return count(trajectory.replies[hits[pick] + after :]) if hits else 0

    return tokens_saved


def tokens(reply):
    return reply.tokens


def after_the_box(trajectory):
    """Right: the replies before which a note was boxed."""
    notes = [reply.carried for reply in trajectory.replies]
    return [reply for i, reply in enumerate(trajectory.replies) if any(map(boxes, notes[:i]))]


SAVINGS = [
    ("saves nothing", saving(seen=lambda reply: boxes(read_answer(reply.text) or ""), after=0)),
    ("give 0, not None", lambda trajectory: saving()(trajectory) or None),
    ("begins two rounds after", saving(after=2)),
    ("half a box", saving(seen=lambda reply: "boxed" in reply.carried)),
    ("half a box", saving(seen=lambda reply: r"\boxed{" in reply.carried)),
    ("more than its box", saving(seen=lambda reply: re.fullmatch(r"\\boxed\{.*\}", reply.carried))),
    ("has to be paid", saving(after=0)),
    ("first boxed note, not at the last", saving(pick=-1)),
    ("tokens, not rounds", saving(count=len)),
    ("reply.tokens", saving(count=lambda replies: sum(reply.tokens + reply.prompt_tokens for reply in replies))),
    ("a box in the reasoning", saving(seen=lambda reply: reply.carried and boxes(reply.text))),
    ("read reply.carried", saving(seen=lambda reply: reply.carried and boxes(read_answer(reply.text) or ""))),
    ("not digits only", saving(seen=lambda reply: re.search(r"\\boxed\{\d+\}", reply.carried))),
    ("a round that was cut off", saving(count=lambda replies: sum(r.tokens for r in replies if r.finished))),
    ("count them all", saving(count=lambda replies: sum(r.tokens for r in replies if r.tokens != 50))),
]
