r"""Traces of solved Ledger problems in several habits, good and bad: what motif-tiny is pretrained on.

Before RL the model has no goal, only habits. In a round that is not the last it may stop after one day (`hasty`, the
most frequent, so greedy decoding starts there too), do four days, which is what a round's budget holds (`steady`), or
run on past the budget (`overrun`). Its note may be `full` or `vague`. In the last round it may give up early. RL has to
find out which habits reach the right answer two rounds later.
"""

from __future__ import annotations

import random

from motif_lib import protocol
from motif_lib.tasks.ledger import DAYS, DAYS_PER_ROUND, Ledger, draw, note, split_of

HASTY, STEADY, OVERRUN = 0.57, 0.36, 0.07
FULL_NOTE = 0.80
GIVE_UP = 0.25
MOST_DAYS = 12


def vague_note(rng: random.Random, problem: Ledger, day: int) -> str:
    """A note that does not say where the work stands."""
    return rng.choice([f"{problem.totals[day]} so far", f"day {DAYS[day]} is done", "some are left"])


def round_reply(rng: random.Random, problem: Ledger, done: int, last: bool) -> str:
    """One reply of a multi-round solution, in a habit drawn from `rng`; `done` days are in the note already."""
    left = problem.days - done
    if last:
        until = done + (min(left, rng.randint(1, 2)) if rng.random() < GIVE_UP else left)
        return protocol.reply_text(problem.work(done, until), f"\\boxed{{{problem.totals[until]}}}")
    overrun = DAYS_PER_ROUND + rng.randint(2, 6)
    until = done + min(left, rng.choices([1, DAYS_PER_ROUND, overrun], [HASTY, STEADY, OVERRUN])[0])
    full = until == done or rng.random() < FULL_NOTE
    return protocol.reply_text(
        problem.work(done, until), note(problem, until) if full else vague_note(rng, problem, until)
    )


def example(rng: random.Random) -> dict[str, list[dict[str, str]]]:
    """One pretraining example: `{"prompt": messages, "completion": messages}`, from the train split only."""
    problem = draw(rng, rng.randint(1, MOST_DAYS))
    while split_of(problem) != "train":
        problem = draw(rng, problem.days)
    num_rounds = rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 6])
    round = rng.randint(1, num_rounds)
    done, progress = 0, None
    if round > 1:
        done = min(problem.days, rng.choice([0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12]))
        lost = rng.choice(["", vague_note(rng, problem, rng.randint(1, problem.days))])
        progress = note(problem, done) if done else lost
    if num_rounds == 1:
        text = protocol.reply_text(problem.work(), note(problem, problem.days))
    else:
        text = round_reply(rng, problem, done, round == num_rounds)
    prompt = protocol.messages(problem.text, round, num_rounds, progress)
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": text}]}
