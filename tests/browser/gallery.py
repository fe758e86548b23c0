# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
# %% [markdown]
# # Every widget once, on scripted replies
# %%
import random
import re
from functools import partial

from motif_lib.protocol import reply_text
from motif_lib.records import Question, Trace
from motif_lib.rounds import branch, think
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.widgets import branch_tree, context_meter, reward_lab, round_stepper
from motif_lib.widgets.data import Costs, plan

rng = random.Random(0)
question = Question("Ann has 12 apples. " + " ".join(f"Day {d}: finds {d}." for d in range(1, 9)), "48")


# %%
def answer(chat):
    """Two to four days a round; the last round stops too early now and then, and one reply runs over its budget."""
    user = chat[-1]["content"]
    noted = re.search(r"Day (\d+): (\d+)", user.partition("<progress>")[2])
    day, total = map(int, noted.groups()) if noted else (0, 12)
    until, lines = min(8, day + rng.choice([2, 3, 4, 6])), []
    for d in range(day + 1, until + 1):
        lines.append(f"{d}:{total}+{d}={total + d}")
        total += d
    note = f"Day {until}: {total} apples <img src=x onerror=alert(1)>"
    if "Last round" in user:
        note = f"\\boxed{{{total}}}"
    text = reply_text("\n".join(lines), note)
    if len(lines) > 5:
        return Completion(text[:70], False, 64, len(user) // 3)
    return Completion(text, True, len(text) // 3, len(user) // 3)


def outcome(trajectory):
    return float(f"{{{trajectory.question.gold}}}" in trajectory.final)


sampler = ScriptedSampler(answer)
# %%
group = []
for start in think([question] * 8, sampler, 1):
    rolled = branch([start], sampler, 4, 3)[0]
    outcomes = tuple(map(outcome, rolled))
    group.append(Trace(tuple(rolled), outcomes, sum(outcomes) / 4 + 0.25 * start.replies[0].finished))
# %%
context_meter(partial(plan, Costs(60, 6, 10, 14, 9)), steps=12)
# %%
round_stepper(group, sampler=sampler, num_rounds=3, outcome=outcome)
# %%
reward_lab(r"The answer is \boxed{48}.", "48")
# %%
branch_tree(group, outcome=outcome)
