"""Wrong answers to the exercises on futures (notebook 03): (what the check must say, function).

Each is what a learner may well write; the table of all checks is in `test_checks.py`.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, median

from motif_lib.protocol import messages
from motif_lib.records import Trajectory
from motif_lib.rewards.future import mean_outcome, outcomes_of
from motif_lib.rounds import advance, branch, roll_out, think

# --- k futures of each begun trajectory


def chunks(rolled, k):
    return [rolled[i : i + k] for i in range(0, len(rolled), k)]


def futures(copies=lambda begun, k: [t for t in begun for _ in range(k)], rounds=lambda n: n, total=lambda n: n):
    """A learner's `my_branch`, with room for one mistake."""

    def my_branch(begun, sampler, k, n):
        rolled = copies(begun, k)
        while len(rolled[0].replies) < rounds(n):
            rolled = advance(rolled, sampler, total(n))
        return chunks(rolled, k)

    return my_branch


def shared(at):
    """The copies are made when a trajectory has `at` replies already: up to there the futures share their draws."""

    def my_branch(begun, sampler, k, n):
        stems = roll_out(begun, sampler, n, until=[min(at, n)] * len(begun))
        return chunks(roll_out([t for t in stems for _ in range(k)], sampler, n), k)

    return my_branch


def shared_end(begun, sampler, k, n):
    groups = chunks(roll_out([t for t in begun for _ in range(k)], sampler, n), k)
    return [[replace(t, replies=(*t.replies[:-1], group[0].replies[-1])) for t in group] for group in groups]


def n_minus_one_more(begun, sampler, k, n):
    rolled = [t for t in begun for _ in range(k)]
    for _ in range(n - 1):
        rolled = advance(rolled, sampler, max(n, len(rolled[0].replies) + 1))
    return chunks(rolled, k)


def with_notes(change):
    """The note of each begun reply is changed first."""

    def my_branch(begun, sampler, k, n):
        changed = [replace(t, replies=(*t.replies[:-1], replace(t.replies[-1], carried=change(t)))) for t in begun]
        return branch(changed, sampler, k, n)

    return my_branch


def same_note_again(begun, sampler, k, n):
    """Every later round is asked with the note of round 1."""
    groups = []
    for start in begun:
        rolled = [start] * k
        while len(rolled[0].replies) < n:
            asked = [replace(t, replies=(*t.replies[:-1], replace(t.replies[-1], carried="note"))) for t in rolled]
            rolled = advance(rolled if len(rolled[0].replies) == 1 else asked, sampler, n)
        groups.append(rolled)
    return groups


def one_by_one(begun, sampler, k, n):
    """Right, and slow: a sampler call for each future and round."""
    return [[roll_out([start], sampler, n)[0] for _ in range(k)] for start in begun]


def merged(begun, sampler, k, n):
    """Equal replies to a question fall together."""
    found = {}
    for t in sum(branch(begun, sampler, k, n), []):
        found.setdefault((t.question.text, t.replies[0].text), []).append(t)
    return list(found.values())


def looked_up(begun, sampler, k, n):
    """Equal replies get the same futures."""
    found = {t.replies[0].text: group for t, group in zip(begun, branch(begun, sampler, k, n))}
    return [found[t.replies[0].text] for t in begun]


def texts(begun, sampler, k, n):
    return [[t.final for t in group] for group in branch(begun, sampler, k, n)]


def only_what_follows(begun, sampler, k, n):
    groups = branch(begun, sampler, k, n)
    return [[Trajectory(t.question, t.replies[1:]) for t in group] for group in groups]


def best_of_more(begun, sampler, k, n):
    return [group[:k] for group in branch(begun, sampler, k + 1, n)]


def at_least_one_round(begun, sampler, k, n):
    rolled = advance([t for t in begun for _ in range(k)], sampler, n)
    return chunks(roll_out(rolled, sampler, n), k)


def one_chat(begun, sampler, k, n):
    return [sampler(messages(t.question.text, 2, n, t.replies[-1].carried)) for t in begun]


BRANCHES = [
    ("not one long list", lambda *given: sum(branch(*given), [])),
    ("this is one list for each of the k", lambda *given: [list(column) for column in zip(*branch(*given))]),
    ("one list for each begun trajectory, and not", lambda *given: [sum(branch(*given), [])]),
    ("one future is not k", lambda begun, sampler, k, n: branch(begun, sampler, 1, n)),
    ("with its k futures", lambda begun, sampler, k, n: branch(begun, sampler, k + 1, n)),
    ("have not gone on", lambda begun, sampler, k, n: [[t] * k for t in begun]),
    ("the last round is not reached", futures(rounds=lambda n: n - 1)),
    ("one round too many", lambda begun, sampler, k, n: branch(begun, sampler, k, n + 1)),
    ("wrong number of rounds", lambda begun, sampler, k, n: branch(begun, sampler, k, n + 2)),
    (
        "a round 1 of their own",
        lambda begun, sampler, k, n: chunks(think([t.question for t in begun] * k, sampler, n), k),
    ),
    ("of other replies are mixed in", futures(copies=lambda begun, k: list(begun) * k)),
    ("of other replies are mixed in", lambda begun, *given: branch([begun[0]] * len(begun), *given)),
    ("the last round is not reached", only_what_follows),
    ("a whole Trajectory", texts),
    ("from the note of its own reply", with_notes(lambda t: "")),
    ("from the note of its own reply", with_notes(lambda t: t.replies[-1].text)),
    ("share one draw", lambda begun, sampler, k, n: [[t] * k for t in roll_out(begun, sampler, n)]),
    ("share their round 2", shared(at=2)),
    ("share their last round", shared_end),
    ("that its own round 2 wrote", same_note_again),
    ("which round of how many", futures(total=lambda n: n + 1)),
    ("which round of how many", futures(total=lambda n: max(3, n))),
    ("k and n are arguments", lambda begun, sampler, k, n: branch(begun, sampler, k, 3)),
    ("k and n are arguments", lambda begun, sampler, k, n: branch(begun, sampler, 2, n)),
    ("not n - 1 rounds more", n_minus_one_more),
    ("two replies may be equal", merged),
    ("two replies may be equal", looked_up),
    ("sampled and thrown away", best_of_more),
    ("nothing is left to sample", at_least_one_round),
    ("a list of chats", one_chat),
]

# --- the mean outcome of the futures


def outcomes(begun, sampler, k, n):
    return [outcomes_of(group) for group in branch(begun, sampler, k, n)]


def pooled(*given):
    """(values, how many replies): the outcomes of all futures together."""
    rows = outcomes(*given)
    return [value for row in rows for value in row], len(rows)


def rewarded(rule):
    return lambda *given: [rule(row) for row in outcomes(*given)]


def of_the_group(begun, *given):
    """One mean for all replies to a question."""
    rows = outcomes(begun, *given)
    return [fmean(v for row, other in zip(rows, begun) if other.question == t.question for v in row) for t in begun]


def first_gold(begun, *given):
    groups = branch(begun, *given)
    return [mean_outcome(outcomes_of([replace(t, question=begun[0].question) for t in group])) for group in groups]


def shared_draw(begun, sampler, k, n):
    return [mean_outcome(outcomes_of([t] * k)) for t in roll_out(begun, sampler, n)]


def by_text(begun, *given):
    """Equal replies get the same reward."""
    found = {t.replies[0].text: mean_outcome(row) for t, row in zip(begun, outcomes(begun, *given))}
    return [found[t.replies[0].text] for t in begun]


FUTURES = [
    ("the sum", rewarded(sum)),
    ("not the best outcome", rewarded(max)),
    ("leave out None only", rewarded(lambda row: mean_outcome([value or None for value in row]))),
    ("no median, no vote", rewarded(median)),
    ("no median, no vote", rewarded(lambda row: max(set(row), key=row.count))),
    ("the reward is 0.0", rewarded(lambda row: mean_outcome(row) or None)),
    ("the worst outcome", rewarded(min)),
    ("no factor on top", rewarded(lambda row: 2 * fmean(row))),
    ("share of right answers", rewarded(lambda row: fmean(value == 2.0 for value in row))),
    ("only one future", rewarded(lambda row: row[0])),
    ("only one future", shared_draw),
    ("take their means", rewarded(list)),
    ("one reward for each reply", lambda *given: fmean(pooled(*given)[0])),
    ("the mean over all replies", lambda *given: [fmean(pooled(*given)[0])] * pooled(*given)[1]),
    ("of a whole group", of_the_group),
    ("gold of its own question", first_gold),
    ("grade the last reply", lambda begun, *given: [mean_outcome(outcomes_of([t])) for t in begun]),
    ("its own k futures", rewarded(lambda row: fmean(row) - 1)),
    ("divide by 3", rewarded(lambda row: sum(row) / 4)),
    ("k and n are arguments", lambda begun, sampler, k, n: rewarded(fmean)(begun, sampler, 4, n)),
    ("whatever n is", lambda begun, sampler, k, n: rewarded(fmean)(begun, sampler, k, min(n, 3))),
    ("whatever n is", lambda begun, sampler, k, n: rewarded(fmean)(begun, sampler, k, min(n, 4))),
    ("None and not 0", rewarded(lambda row: fmean(value or 0.0 for value in row))),
    ("leave it out", rewarded(fmean)),
    ("not by k", rewarded(lambda row: None if mean_outcome(row) is None else sum(filter(None, row)) / len(row))),
    ("the mean of the others", rewarded(lambda row: None if None in row else fmean(row))),
    (
        "of the outcomes that are left",
        rewarded(lambda row: mean_outcome(row) and fmean(1.0 if v is None else v for v in row)),
    ),
    ("a reward of its own", by_text),
]
