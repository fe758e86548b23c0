# %% [markdown]
# # 03 · Rewards
#
# A reward is a program that reads text nobody foresaw. Training finds out what the program pays for, which need not
# be what its author meant.
#
# **You will learn**
# - to write a format reward and an answer check, and to try them on hard cases first;
# - what the reference script's rewards pay for real replies, and why that differs from ours;
# - to build the core of MOTIF: the futures of a reply, and the reward that they decide;
# - which replies a faulty reward prefers, in an experiment of your own.
#
# About 1 minute on two CPU cores, no GPU needed; the four exercises and the experiment take about 85 minutes.
#
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %%
# %matplotlib inline
from transformers.utils.logging import disable_progress_bar

from motif_lib import LocalSampler, format_reward, load_model, load_recipe, load_task, messages, think
from motif_lib.protocol import reply_text
from motif_lib.rewards import reference
from motif_lib.show import colours, plots
from motif_lib.show.tables import Table
from motif_lib.verify import verify

SEED = 3  # of all randomness
BUDGET = load_recipe("cpu").train["max_completion_length"]  # tokens of a reply
disable_progress_bar()  # of the weights
model, tokenizer = load_model()  # motif-tiny writes the replies

# %% [markdown]
# ## 1. One real reply, two opinions
#
# motif-tiny answers a problem of four days. The reply follows the format that the prompt asks for, to the letter.
#
# *Predict, then run:* our format reward pays at most 1.5 points: 0.5 for the strict structure, 0.5 for the soft one,
# 0.125 for each of four tags. *Strict* is the two blocks and nothing else, *soft* allows any text around them. The
# reference script (`motif.py` of [purbeshmitra/MOTIF](https://github.com/purbeshmitra/MOTIF)) has the same parts with
# the same weights. How many of the 1.5 points does it pay for this reply? `reference.explain` scores a reply both ways
# and names the causes.

# %%
(question,) = load_task("ledger", split="validation", size=1, seed=SEED, steps=(4, 4))
greedy = LocalSampler(model, tokenizer, BUDGET, temperature=0)
reply = think([question], greedy, num_rounds=1)[0].final
assert format_reward([reply]) == [1.5]
print(question.text, f"(gold: {question.gold})", reply, sep="\n\n")
found = reference.explain(reply, question.gold, "ledger")
assert sum(row.reference for row in found.rows[1:]) < 0.5
rows = [(row.name, f"{row.ours:.3f}", f"{row.reference:.3f}", row.cause) for row in found.rows]
total = ("sum", f"{found.ours:.3f}", f"{found.reference:.3f}", "")
Table("One reply, two scores", ("reward", "ours", "reference", "why they differ"), [*rows, total])

# %% [markdown]
# *What came out:* less than 0.5 of the 1.5 points, all of them for the tags. Both patterns of the structure miss a
# reply that does just what the prompt asks, and the tags lose 0.001 for every character; section 2 finds out why.
#
# The reply is not at fault. Train with such a reward, and you see a curve that stays at zero. Why it does is one of the
# most frequent questions about GRPO ([unsloth 1761](https://github.com/unslothai/unsloth/issues/1761),
# [open-r1 235](https://github.com/huggingface/open-r1/issues/235)). So write your own, and try it on hard cases
# before any training does.
#
# ### Exercise 1: a format reward
#
# *Difficulty 2 of 5, 15 minutes.* Fill in `format_score(text)`. It gives
# - 0.5 if a complete `<reasoning>` block stands before a complete `<answer>` block, whatever is inside, between or
#   around them; a block may be empty;
# - 0.125 for each of the four tags that occurs exactly once.
#
# A reply may have many lines, end without a newline, be cut off in the middle, or hold everything twice. The cell
# below your function tries it on such texts and names the mistake that it sees.


# %%
from motif_lib.protocol import REPLY_TAGS  # the four tags, in their order


def format_score(text):
    return None  # your turn


# %%
from motif_lib.checks import rewards as checks

checks.check_format_reward(format_score)

# %% [markdown]
# <details><summary>Hint</summary>
#
# In a regular expression `.` matches any character but the newline; `re.DOTALL` changes that. `re.match` begins at
# the start of the text, `re.search` anywhere. `text.count(tag)` counts.
# </details>
#
# <details><summary>Solution: the parts of the library's `format_reward`, without its strict one</summary>
#
# ```python
# from motif_lib.protocol import REPLY_TAGS
#
#
# source: motif_lib.rewards.format.is_soft
#
#
# source: motif_lib.rewards.format.tags_once
#
#
# def format_score(text):
#     return 0.5 * is_soft(text) + 0.125 * tags_once(text)
# ```
# </details>
#
# ## 2. The format, on many real replies
#
# Replies of round 1, sampled at temperature 1 with the budget of a round: some are complete, some are cut off.
#
# *Predict, then run:* which of the three parts does the reference pay at all?

# %% tags=["nbval-ignore-output"]
questions = load_task("ledger", split="validation", size=64, seed=SEED, steps=(4, 12))
sampler = LocalSampler(model, tokenizer, BUDGET)
sampler.seed(SEED)
replies = [completion.text for completion in sampler([messages(q.text, 1, num_rounds=3) for q in questions])]
rows = [reference.explain(reply, "", "ledger").rows[1:] for reply in replies]
for part in zip(*rows, strict=True):
    ours, theirs = (sum(getattr(row, who) for row in part) / len(rows) for who in ("ours", "reference"))
    print(f"{part[0].name:14} mean of ours {ours:.3f}   mean of the reference {theirs:.3f}")
assert not any(row.reference for strict, soft, _ in rows for row in (strict, soft))

# %% [markdown]
# *What came out:* only the tags: strict and soft pay nothing for any reply. A reward that is the same for a whole group
# does not change the advantage: these two parts cost computing time and teach nothing.
#
# The cause is one flag. In a Python pattern the dot does not match a newline unless `re.DOTALL` is set. The soft
# pattern then fails on every newline inside the tags, and the strict one wants exactly one line in each block **and** a
# newline after `</answer>`, where a model simply stops. Which spelling earns both?

# %%
spellings = {
    "as the prompt asks": "<reasoning>\na\n</reasoning>\n<answer>\nb\n</answer>",
    "a newline behind it": "<reasoning>\na\n</reasoning>\n<answer>\nb\n</answer>\n",
    "two lines of reasoning": "<reasoning>\na\na\n</reasoning>\n<answer>\nb\n</answer>\n",
    "all on one line": "<reasoning>a</reasoning><answer>b</answer>",
}
faulty = (reference.faulty_strict, reference.faulty_soft, reference.faulty_tags)
scores = {name: [part(text) for part in faulty] for name, text in spellings.items()}
ours = {name: format_reward([text])[0] for name, text in spellings.items()}
rows = [(name, *(f"{score:.3f}" for score in [*scores[name], ours[name]])) for name in spellings]
assert not any(strict and soft for strict, soft, _ in scores.values())
Table("The reference's format rewards", ("spelling", "strict", "soft", "tags", "ours, all parts"), rows)

# %% [markdown]
# None does: the strict pattern needs newlines where the soft one forbids them. The reference pays at most 1.0 of its
# 1.5 points, and at most 0.5 once the reasoning has a second line.
#
# ### A penalty nobody wrote
#
# The tag count takes off 0.001 for each character after the end of the answer, in two places. One of them looks for
# the end at `</answer>` **with a newline behind it**. Without that newline the split returns the whole reply as "what
# comes after".
#
# *Predict, then run:* what does a perfect reply of 3,000 characters earn, with the newline and without?

# %%
frame = len(reply_text("", "5"))
lengths = range(100, 3001, 100)
perfect = [reply_text("x" * (length - frame), "5") for length in lengths]
ax = plots.new_axes(6.5, 3.2)
ax.axhline(4 * 0.125, color=colours.BLUE, lw=4, alpha=0.4, label="ours, either way")
for style, (name, end) in zip(("--", "-"), {"a newline": "\n", "no newline": ""}.items()):
    curve = [reference.faulty_tags(text + end) for text in perfect]
    ax.plot(lengths, curve, style, color=colours.ORANGE, label=f"reference, {name} at the end")
    print(f"3,000 characters, {name} at the end: {curve[-1]:.3f}")
ax.set(xlabel="characters of a perfect reply", ylabel="reward of the tags")
ax.legend()
ax.figure

# %% [markdown]
# *Figure 1: reward of the four tags against the length of a perfect reply.*
#
# *What came out:* with the newline 0.5, as by our rules. Without it about −2.5: the split finds no end, so all 3,000
# characters cost 0.001 each.
#
# A right answer is worth 2 points in the reference. So there is a length at which a right reply earns less than a wrong
# short one:


# %%
def right_and_long(length):
    return reference.explain(reply_text("x" * (length - frame), r"\boxed{5}"), "5").reference


wrong_and_short = reference.explain(reply_text("?", r"\boxed{6}"), "5").reference
turn = next(length for length in lengths if right_and_long(length) < wrong_and_short)
print(f"wrong and short: {wrong_and_short:.2f}; right, but {turn} characters long: {right_and_long(turn):.2f}")

# %% [markdown]
# What would training make of it? You will measure that in section 6.
#
# ## 3. The answer
#
# What does a reply claim? By our rule: what stands in its last complete `<answer>`, and there every box,
# `\boxed{...}`, is a claim.
#
# ### Exercise 2: is it right?
#
# *Difficulty 3 of 5, 20 minutes.* Fill in `is_correct(reply, gold)` for questions whose answer is a number: True if
# the last `<answer>` claims the gold number and nothing else, else False. Both arguments are text, and `1000`, `1,000`
# and `1000.0` are one number. `read_answer(reply)` gives the text of the last complete `<answer>`, or None. Every box
# in it is a claim; without a box, the whole text is.


# %%
from motif_lib import read_answer


def is_correct(reply, gold):
    return None  # your turn


# %%
checks.check_is_correct(is_correct)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Turn every box of the answer into a number, without `,` and spaces. Right if the set of these numbers is `{gold}`.
# Catch the `ValueError` of a text that is no number: such a box is a claim too, and a wrong one.
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# import re
#
# from motif_lib import read_answer
#
#
# def number(text):
#     try:
#         return float(text.replace(",", ""))
#     except ValueError:
#         return None
#
#
# def is_correct(reply, gold):
#     answer = read_answer(reply)
#     if answer is None:
#         return False
#     claims = re.findall(r"\\boxed\{(.*?)\}", answer) or [answer]
#     return {number(claim) for claim in claims} == {number(gold)}
# ```
#
# `motif_lib.verify.verify` does the same for numbers, reads many more spellings, and says why.
# </details>
#
# ## 4. More faults, live
#
# The reference looks for characters: 2 points if `\boxed{gold}` occurs in the answer text, 1 if anywhere else, 0 if
# not. On AIME, a contest whose answers are whole numbers from 0 to 999, it only looks for the digits of the gold in the
# whole reply.
#
# *Predict, then run:* for which of these nine replies does it pay too little, and for which too much? The second cell
# gives the points for the answer alone.

# %%
box = r"\boxed{%s}"
cases = {
    "a space in the box": (reply_text("x", box % " 5 "), "5", "gsm8k"),
    "a decimal": (reply_text("x", box % "5.0"), "5", "gsm8k"),
    "another LaTeX fraction": (reply_text("x", box % r"\dfrac12"), r"\frac12", "math500"),
    "a comma in the gold": (reply_text("x", box % "1000"), "1,000", "gsm8k"),
    "a hedge": (reply_text("x", " or ".join(box % n for n in (3, 4, 5))), "5", "gsm8k"),
    "cut off, no answer": ("<reasoning>\nperhaps " + box % 5, "5", "gsm8k"),
    "right only in the reasoning": (reply_text(box % 5, box % 6), "5", "gsm8k"),
    "AIME: digits in passing": (reply_text("126 of them", box % 3), "26", "aime2024"),
    "AIME: a padded gold": (reply_text("x", box % 25), "025", "aime2024"),
}

# %%
answers = {name: reference.explain(*case).rows[0] for name, case in cases.items()}
rows = [(name, f"{row.ours:.0f}", f"{row.reference:.0f}", row.cause) for name, row in answers.items()]
assert [row.ours > row.reference for row in answers.values()] == [True] * 4 + [False] * 4 + [True]
assert all(row.ours != row.reference for row in answers.values())
Table("Points for the answer", ("reply", "ours", "reference", "why they differ"), rows)

# %% [markdown]
# *What came out:* all nine go wrong. The first four and the last are right answers in another spelling, and it pays too
# little for them; the other four contain the right characters without claiming them, and it pays too much.
#
# The comma does occur: 79 of the 7,473 training answers of GSM8K and 14 of its 1,319 test answers have one (counted
# in `openai/gsm8k`, main). `load_task("gsm8k")` drops it from the gold.
#
# How often does looking for digits go wrong? Here are final replies of motif-tiny to problems of 4 to 8 days. A reply
# is full of intermediate totals, and one of them may be the gold by chance: where more replies are paid than are right,
# the digits stood there and nobody claimed them.

# %%
questions = load_task("ledger", split="validation", size=60, seed=SEED, steps=(4, 8))
finals = [trajectory.final for trajectory in think(questions, greedy, num_rounds=3)]
right = [bool(verify(reply, q.gold, "ledger").correct) for reply, q in zip(finals, questions)]
paid = [bool(reference.faulty_aime(reply, q.gold)) for reply, q in zip(finals, questions)]
false_hits = sum(p and not r for p, r in zip(paid, right))
print(f"{len(finals)} replies, {sum(right)} right; looking for digits pays {sum(paid)}, {false_hits} of them wrong")
assert sum(paid) >= sum(right)

# %% [markdown]
# ### The reply that a faulty reward is looking for
#
# Training searches for replies that are paid. Here is one that needs no arithmetic at all: it boxes every number.
#
# *Predict, then run:* what is its mean reward over 200 problems, by the reference and by ours?

# %%
hedge = reply_text("all of them", " ".join(box % n for n in range(100)))
questions = load_task("ledger", size=200, seed=SEED)
theirs = sum(reference.faulty_accuracy(hedge, q.gold) for q in questions) / len(questions)
ours = sum(2.0 * verify(hedge, q.gold, "ledger").correct for q in questions) / len(questions)
print(f"The hedge earns {theirs} points of 2 from the reference, and {ours} from ours.")
assert (theirs, ours) == (2.0, 0.0)

# %% [markdown]
# *What came out:* all of it, 2.0, against 0.0. Every gold has two digits, so one of the hundred boxes holds it, and a
# search finds it. Our rule reads a claim, and a hundred different claims are none.
#
# ## 5. The core of MOTIF: what is a note worth?
#
# So far a reward has read one reply. MOTIF trains the reply of round 1, on a problem that takes three rounds, and
# there is nothing to grade in it: its `<answer>` holds a note, say `47 after day four`. Is that a good note? Let the
# model go on from it and see whether it gets there. It draws its words, so one try may be luck: let it go on k times.
#
# Each try is a **future** of the reply: a copy of the trajectory that goes on to round n with draws of its own. A right
# final answer counts 2 points and a wrong one 0, as in the reference code, and
#
# reward of the reply = mean outcome of its k futures.
#
# By hand, with k = 4: if three futures end right, the reward is (2 + 2 + 0 + 2) / 4 = 1.5; if one does, 0.5. This
# reward does not read the note. It pays for what the note makes possible.
#
# ### Exercise 3: the futures of a reply
#
# *Difficulty 3 of 5, 25 minutes.* Fill in `my_branch(begun, sampler, k, n)`. `begun` is a list of trajectories, all of
# them after the same round: round 1, or a later one. For each of them `my_branch` gives a list of its k futures. A
# future is the whole trajectory, from the begun replies to that of round n, and the sampler is asked for every future
# anew.
#
# `advance(trajectories, sampler, n)` gives the trajectories one round longer: it shows the sampler each question with
# the last note, and adds the reply. It changes nothing that you give it. `trajectory.replies` are the replies so far.


# %%
from motif_lib.rounds import advance  # one more round for each trajectory of a list


def my_branch(begun, sampler, k, n):
    return None  # your turn


# %%
checks.check_branch(my_branch)

# %% [markdown]
# <details><summary>Hint</summary>
#
# First make the copies, k of each side by side: `[trajectory for trajectory in begun for _ in range(k)]`. Then go on
# while they have fewer than n replies. At the end cut the long list into pieces of k.
# </details>
#
# <details><summary>Solution</summary>
#
# ```python
# from motif_lib.rounds import advance
#
#
# def my_branch(begun, sampler, k, n):
#     futures = [trajectory for trajectory in begun for _ in range(k)]
#     while len(futures[0].replies) < n:
#         futures = advance(futures, sampler, n)
#     return [futures[i : i + k] for i in range(0, len(futures), k)]
# ```
# </details>
#
# <details><summary>The same in the library: motif_lib.branch</summary>
#
# `roll_out` is your loop over the rounds. What has ended already, by a `stop` rule, is not copied.
#
# ```python
# source: motif_lib.rounds.branch
# ```
# </details>
#
# ### Exercise 4: the reward of MOTIF
#
# *Difficulty 2 of 5, 10 minutes.* Fill in `my_rewards(begun, sampler, k, n)`: for each begun trajectory the mean
# outcome of its own k futures. `outcomes_of(futures)` grades the final replies of a list of futures: 2.0 for a right
# one, 0.0 for a wrong one, and None if the gold answer cannot be read, which is neither right nor wrong. Leave None out
# of the mean. If nothing is left, the reward is None, which TRL does not count.


# %%
from motif_lib import branch  # the library's twin of my_branch
from motif_lib.rewards.future import outcomes_of


def my_rewards(begun, sampler, k, n):
    return None  # your turn


# %%
checks.check_future_reward(my_rewards)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `branch(begun, sampler, k, n)` gives one list of futures for each begun trajectory: grade each list by itself. Filter
# out None before you take the mean. What is the reward if nothing is left?
# </details>
#
# <details><summary>Solution: with the library's own mean</summary>
#
# ```python
# from statistics import fmean
#
# from motif_lib import branch
# from motif_lib.rewards.future import outcomes_of
#
#
# source: motif_lib.rewards.future.mean_outcome
#
#
# def my_rewards(begun, sampler, k, n):
#     return [mean_outcome(outcomes_of(futures)) for futures in branch(begun, sampler, k, n)]
# ```
# </details>
#
# ## 6. An experiment: break the reward
#
# Training makes more likely what is paid best in a group. So a reward can be tried before any training: let motif-tiny
# write eight replies of round 1 to problems that no single window can hold, and look at the replies that a reward likes
# best. `judge` is your two functions in one: the futures of each reply, and their mean outcome. The cell prints the
# rewards and notes of the first question.

# %% tags=["nbval-ignore-output"]
from motif_lib.carry import fitting, progress_note
from motif_lib.records import Trajectory
from motif_lib.rewards.future import judge
from motif_lib.rounds import check_room

m, k, n = 8, 4, 3
questions = load_task("ledger", split="validation", size=8, seed=SEED, steps=(9, 12))
carry = fitting(progress_note, sampler, check_room(questions, sampler, n))  # cuts a note that fills the window
begun = advance([Trajectory(q, ()) for q in questions for _ in range(m)], sampler, n, carry)
rewards = [trace.reward for trace in judge(begun, sampler, k, n, carry)]  # one for each reply, m a question
first = [start.replies[0] for start in begun]
for reply, reward in zip(first[:m], rewards):
    print(f"reward {reward:.1f}   note {reply.carried!r}")

# %% [markdown]
# A good note is true, and it is far along. Because Ledger problems can be solved by a program, both can be measured:
# count the days of work that a note hands on, 0 if it is false or says no day. A group in which all replies are paid
# the same has no best one, and is left out.
#
# *Predict, then run:* this is your hypothesis. Compare three rewards: that of MOTIF, the reference's rewards for
# format, and one that you break yourself, `mine`; as it stands it pays for brevity. For each write down: will the reply
# that it likes best hand on more days than the average reply, or fewer? Will it be longer or shorter? Then run, change
# `mine`, and run again: a reward for the number of digits, for the words `after day`, for whatever you would have
# trusted.


# %% tags=["nbval-ignore-output"]
from motif_lib.tasks.ledger import Ledger, note


def mine(reply):
    return -len(reply.text)  # break it: any number that you compute from reply.text or from its note, reply.carried


def days_handed_on(start):
    problem, carried = Ledger.read(start.question.text), start.replies[0].carried
    return next((day for day in range(1, problem.days + 1) if note(problem, day) == carried), 0)


pay = {"MOTIF: mean outcome of the futures": rewards}
pay["the reference's format"] = [sum(part(reply.text) for part in faulty) for reply in first]
pay["mine"] = [mine(reply) for reply in first]

# %% tags=["nbval-ignore-output"]
from statistics import fmean

groups = [range(i, i + m) for i in range(0, len(first), m)]
best = {"no reward: all replies": range(len(first))}
for name, paid in pay.items():
    heard = [group for group in groups if len({paid[i] for i in group}) > 1]
    best[name] = [i for group in heard for i in group if paid[i] == max(paid[j] for j in group)]
days = {name: fmean(days_handed_on(begun[i]) for i in chosen) for name, chosen in best.items() if chosen}
rows = [(name, f"{days[name]:.1f}", f"{fmean(len(first[i].text) for i in best[name]):.0f}") for name in days]
average, motif, reference_format, *_ = days.values()
assert motif > average > reference_format
Table("The replies that a reward likes best", ("reward", "days handed on", "characters"), rows)

# %% [markdown]
# *What came out:* MOTIF likes replies that hand on far more days than the average one, mostly the four that a round can
# do: the further along a note is, the more of its futures reach the end. It has read none of these notes. One lucky
# future can still lift a poor note; notebook 04 measures that noise. The reference's format likes the replies that stop
# after a day or less, as brevity does: its penalty counts characters, and work is made of characters. Same model, same
# replies; trained with this reward, it would learn to do less.
#
# **Your conclusion**, in one sentence: what did you expect, what was the number, and would you train with this reward?
#
# ## 7. Reward lab
#
# Paste any reply. Both scores and the cause of each difference follow when you leave the field. Begin with the reply
# that stands there: delete the second line of the reasoning; add a newline at the end; write `5.0`; write a second
# box; remove `</answer>`.

# %%
from motif_lib.widgets import reward_lab

start = reply_text("She has 2 and buys 3.\n2 + 3 = 5", box % " 5 ")
lab = reward_lab(start, "5", "gsm8k", tasks=("gsm8k", "ledger", "math500", "aime2024"))
lab

# %% [markdown]
# ## What we saw
#
# - A perfect reply earned only part of the reference's format points, because a dot does not match a newline; two of
#   the three parts were the same for every real reply, and so taught nothing.
# - The third part was a length penalty that nobody had written down. It can outweigh a right answer, and in a group it
#   prefers the reply that has done less.
# - Looking for characters loses right answers in another spelling and pays wrong ones that contain the digits. A
#   reply that boxes everything earns everything.
# - The reward of MOTIF is the mean outcome of k futures of a reply: `branch`, then a mean. It reads no note; it finds
#   out what the note is worth.
# - A check is only as good as the cases it was tried on. Ours is tried on several hundred in `tests/test_verify.py`,
#   and it is not perfect either: if you find a reply that it grades wrongly, add the case.
#
# ## Next
#
# [04_advantage_and_loss](04_advantage_and_loss.ipynb): what becomes of a reward once it is computed. One group of four
# replies goes by hand through advantage, loss and gradient.
