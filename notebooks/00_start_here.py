# %% [markdown]
# # 00 · Start here
#
# A language model forgets: what falls out of its context window does not exist for it. MOTIF (Modular Thinking via
# Reinforcement Fine-tuning, arXiv 2507.02851) lets a model think in several rounds. Each round starts with an empty
# window and sees two things: the question, and one short note from the round before. Reinforcement learning teaches the
# model to write notes that the next round can use. This workbook builds that idea up, trains it, and measures it.
#
# **You will learn**
# - the whole path of one question: prompt, rounds, rewards, advantages, update, evaluation;
# - what a row of training data looks like, and what one question costs;
# - what is installed here, and how long each notebook will take.
#
# About 1 minute on two CPU cores, no GPU needed; the three exercises take about 25 minutes.
#
# ## The idea
#
# ```
# question ─► round-1 prompt ─► m replies ─► k futures each, rounds 2..n
#                                  ▲                        │
#                                  │                        ▼
#                               update ◄── m advantages ◄── m rewards
# ```
#
# | word | what it means here |
# |---|---|
# | round | one prompt and one reply, in a context of its own; there are n of them, and the last gives the answer |
# | note | the part of a reply that the next round sees, beside the question; *carry* is the rule that makes it |
# | trajectory | the replies to one question, one a round, from round 1 to round n |
# | futures of a reply | k trajectories that all begin with it and are drawn anew from there on |
# | group | the m replies of round 1 to the same question |
# | reward of a reply | how many of its futures end in the right answer? |
# | advantage of a reply | its reward compared with those of its group |
# | GRPO | the training method: of the m replies, those with a positive advantage become more likely, the others less |
#
# GRPO is short for group relative policy optimisation. With n = 1 nothing is carried, a reply has no futures, and MOTIF
# is plain GRPO.

# %% [markdown]
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %% [markdown]
# Settings and imports. Every notebook has one seed. A *recipe* is a file of settings for a training; the sizes here are
# those of the recipe `cpu`, which `motif demo` uses. A *budget* is the number of tokens that a reply may have.

# %%
from transformers.utils.logging import disable_progress_bar

from motif_lib import LocalSampler, load_model, load_recipe, load_task, messages, think
from motif_lib.show.tables import Table
from motif_lib.studies.recorded import RECORDED

SEED = 0
recipe = load_recipe("cpu")
BUDGET, ROUNDS = recipe.train["max_completion_length"], recipe.train["num_rounds"]
disable_progress_bar()  # of the weights

# %% [markdown]
# ## 1. What is here
#
# The versions that are installed, and the hardware that was found. Without a GPU everything runs with motif-tiny, a
# model of about a million parameters that comes with the package. It was pretrained on worked problems of one kind, in
# one round and in several, with good notes and bad ones: it knows how, but not what pays. On a GPU the same code runs
# Qwen2.5-3B-Instruct, if you name it.

# %% tags=["nbval-ignore-output"]
import os
import platform
from importlib.metadata import version

import torch

names = ("motif_lib", "torch", "transformers", "trl", "peft", "ipywidgets")
gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none found: the CPU is enough"
rows = [("Python", platform.python_version()), *((name, version(name)) for name in names)]
Table("What is here", ("", ""), [*rows, ("CPU cores", str(os.cpu_count())), ("GPU", gpu)])

# %% [markdown]
# How fast is this machine? One batch of 64 replies tells.

# %% tags=["nbval-ignore-output"]
import time

model, tokenizer = load_model()
sampler = LocalSampler(model, tokenizer, BUDGET)
sampler.seed(SEED)
questions = load_task("ledger", size=64, seed=SEED)
start = time.perf_counter()
tokens = sum(trajectory.tokens for trajectory in think(questions, sampler, num_rounds=1))
speed = tokens / (time.perf_counter() - start)
print(f"motif-tiny writes {speed:,.0f} tokens a second here")

# %% [markdown]
# ## 2. The map
#
# | notebook | the question it answers | you build |
# |---|---|---|
# | `00_start_here` | what is all this? | the gold answer of a row, a first experiment |
# | `01_context_limits` | why does a model forget? | the room in a window |
# | `02_multi_round_thinking` | how can it go on thinking? | the loop over the rounds |
# | `03_rewards` | what is a good reply? | a format reward, an answer check |
# | `04_advantage_and_loss` | how does a reward become a gradient? | advantages, the clipped loss |
# | `05_gsm8k_training` | how is it trained? | a training run, live |
# | `06_evaluation` | did it help? | a fair comparison |
# | `07_beyond_the_paper` | what else could one try? | a carry of your own |
#
# This cell tells how many minutes each of them runs on two CPU cores, and scales that by the speed measured above. The
# exercises take longer than the cells run.

# %% tags=["nbval-ignore-output"]
from motif_lib.classroom.workbook import MINUTES, PACE  # PACE: tokens a second where the minutes were measured

rows = [(name, str(minutes), f"{minutes * PACE / speed:.1f}") for name, minutes in MINUTES.items()]
Table("Run time", ("notebook", "minutes on two CPU cores", "minutes here, estimated"), rows)

# %% [markdown]
# ## 3. The whole path
#
# Now the picture from the top, step by step.
#
# **A question.** Ledger is the task that comes with the package: word problems drawn from a seed, in which one day is
# one step of work, so that the number of steps is a dial. Rows have the two columns of GSM8K, a set of school
# problems; the right answer, called *gold*, stands behind `####`.
#
# **A window.** The prompt and the reply share one window. Would this question and its full work fit?

# %%
from motif_lib.tasks import ledger

row = ledger.problems("train", size=1, seed=SEED, steps=(10, 10))[0].row()
print(row["question"], row["answer"], sep="\n\n")
(question,) = load_task("ledger", split="train", size=1, seed=SEED, steps=(10, 10))
(work,) = ledger.replies(question, 1)  # a perfect reply in one round
(prompt,) = sampler.render([messages(question.text, round=1, num_rounds=1)])
needed = len(tokenizer(work)["input_ids"]) + 1  # and the end
print(f"prompt {len(prompt)} + work {needed} = {len(prompt) + needed} tokens; the window has {sampler.window}")

# %% [markdown]
# *Predict, then run:* in one round, with all that the window leaves, what will the end of the reply look like?

# %%
whole = LocalSampler(model, tokenizer, None, temperature=0)  # None: as many tokens as the window leaves
(reply,) = think([question], whole, num_rounds=1)[0].replies
print(f"...{reply.text[-120:]}\n--- {reply.tokens} tokens; ended by itself: {reply.finished}")

# %% [markdown]
# *What came out:* day after day is worked, and then the window is full: no `<answer>`, so no answer. The model is not
# to blame, and no training will help, for the tokens are not there. Up to 8 steps question and work fit this window; 9
# steps do not. A model of billions of parameters has a longer window, and meets longer problems.
#
# **A prompt.** So the work is cut into rounds. `messages` writes the chat of one round: a system message, which asks
# for `<reasoning>` and `<answer>`, and a user message with the question, from round 2 on a note, and which round it is.
# The model's chat template makes one text of it. This is all that motif-tiny sees of round 1; its template leaves the
# system message out, for it knows no other task. (A real model sees every word of it, and needs them.)

# %%
print(sampler.seen(messages(question.text, round=1, num_rounds=ROUNDS)))

# %% [markdown]
# **Rounds.** `think` runs them. The note is all that a round knows of the rounds before it; a round of 60 tokens holds
# four days.
#
# *Predict, then run:* the model has never been rewarded for anything, and in most of its pretraining texts a round
# stops after one day. Will three rounds be of use to it?

# %%
def show(trajectory):
    for reply in trajectory.replies:
        print(f"--- round {reply.round}: {reply.prompt_tokens} + {reply.tokens} tokens\n{reply.text}")
    print(f"--- gold answer: {trajectory.question.gold}")


greedy = LocalSampler(model, tokenizer, BUDGET, temperature=0)
show(think([question], greedy, ROUNDS)[0])

# %% [markdown]
# *What came out:* no. Its notes are true, but each round stops after a single step, its favourite habit. Eight steps
# are left for the last round, and the budget cuts that reply off before its answer. Rounds alone do not help: the model
# has to *use* them.
#
# *Predict, then run:* the same model after training by the outcomes (its *adapter*, the weights that training adds, is
# **recorded**, from `motif demo`). Three rounds of four days would do for 10 steps. What will its first two notes say?

# %%
from motif_lib import load_sampler

trained = load_sampler("motif-tiny", RECORDED / "demo" / "motif-all-rounds" / "adapter", BUDGET, temperature=0)
show(think([question], trained, ROUNDS)[0])

# %% [markdown]
# *What came out:* four days in each of the first two rounds, noted as total and day; then the last two days and the
# box. Training showed it no such note: it was only told which answers were right. The rest of this section says how.
#
# **Rewards.** Back to the untrained model. Each of m = 8 replies of round 1 gets k futures, which are rolled out to the
# last round. A right answer there counts 2, a wrong one 0 (as in the *reference code*, that of the paper's authors),
# and the reply earns their mean. The recipe takes k = 4; here it is 16, so that there is less luck in what you see.

# %% tags=["nbval-ignore-output"]
from motif_lib import FutureAccuracy

m, k = 8, 16
prompt = messages(question.text, 1, ROUNDS)
replies = [completion.text for completion in sampler([prompt] * m)]
reward = FutureAccuracy(sampler, num_trajectories=k, num_rounds=ROUNDS)
columns = {"question": [question.text] * m, "gold": [question.gold] * m, "task": [question.task] * m}
rewards = reward([prompt] * m, replies, **columns)
print([round(value, 2) for value in rewards])

# %% [markdown]
# **Advantages.** Reward minus mean of the group, divided by the spread of the group (the CPU recipe leaves the division
# out; notebook 05 says why). If all rewards of a group are equal, all its advantages are 0 and the question teaches
# nothing in this step: a group *without signal*.
#
# *Predict:* which notes get a positive advantage?

# %% tags=["nbval-ignore-output"]
from motif_lib.carry import progress_note
from motif_lib.grpo import group_advantages

advantages = group_advantages(torch.tensor([rewards]))[0]
notes = [progress_note(reply, True, "") for reply in replies]
rows = [(note, f"{r:.2f}", f"{a:+.2f}") for note, r, a in zip(notes, rewards, advantages.tolist())]
Table(f"One group: m = {m}, k = {k}, n = {ROUNDS}", ("note of round 1", "reward", "advantage"), rows)

# %% [markdown]
# *What came out:* those of replies that worked four days and say where they stand, total and day: if round 2 does the
# same, the last round can finish. After a note of day one it cannot: one, four and four days are not ten. And from
# "some are left" nobody can go on. With k = 4 the same group would be less tidy: a good note may earn nothing, a poor
# one may be lucky.
#
# **An update.** The trainer does all of this for several questions a step and then takes one gradient step, which
# makes replies with a positive advantage more likely. It is the `GRPOTrainer` of TRL, Hugging Face's library for such
# trainings, with rounds added. One step of the CPU recipe, on two questions; its `reward` is the mean outcome plus 0.2
# times the format reward of notebook 03:

# %% tags=["nbval-ignore-output"]
import tempfile

from motif_lib.training.runs import read_metrics, train_run

small = recipe.with_train(max_steps=1, per_device_train_batch_size=16)
with tempfile.TemporaryDirectory() as folder:
    assert train_run(small, folder, seed=SEED, title="one step")
    (step,) = read_metrics(folder)
shown = ("reward", "motif/accuracy", "motif/groups_without_signal", "loss", "grad_norm")
Table("One training step", ("", "value"), [(name, f"{step[name]:.3f}") for name in shown])

# %% [markdown]
# **An evaluation.** One step changes little. What forty steps change was **recorded**: `motif demo` trained GRPO in one
# round that may fill the window, and two kinds of MOTIF in three rounds of 60 tokens. "Round 1" is the paper's: the
# replies of round 1 are trained, with k = 4 futures each. "All rounds" trains the replies of every round, each by the
# outcome of its own trajectory (k = 1). The untrained model is called *base*. All five were asked the same held-out
# problems.
#
# *Predict, then run:* who solves problems that do not fit the window, and who is best at those that do?

# %%
from motif_lib.evaluate import Report
from motif_lib.studies.demo import BASES, METHODS, folder_of, longest_that_fits, results_table

reports = {name: Report.load(folder_of(RECORDED / "demo", name) / "test") for name in BASES | METHODS}
fits = longest_that_fits([item.question for item in reports["GRPO"].items], "motif-tiny")
results_table(reports, fits)

# %% [markdown]
# *What came out:* where the window is too short, one round solves nothing, before and after GRPO: training cannot make
# room. Rounds can, but they are not enough: the untrained model has them, and solves none of the long problems either.
# MOTIF with all rounds trained solves every one. With round 1 alone it ends in between, and has even lost problems that
# fit: notebook 05 shows when, and why. On problems that fit, one round is as good as the best of MOTIF, and cheaper.
#
# The brackets are 95 % intervals. This is one seed: notebook 05 shows three, and how far apart they end. You can repeat
# the run with `make demo`.
#
# ### Exercise 1: the gold answer
#
# *Difficulty 1 of 5, 5 minutes.* In a GSM8K row the gold answer stands at the end of the column `answer`, behind
# `####`. Write `gold_of(answer)` that gives it as text, ready to be compared: without white space around it, and
# without the comma of a number such as `1,080`. So `"12 + 5 = 17\n#### 17"` gives `"17"`.

# %%
def gold_of(answer):
    return None  # your turn


# %%
from motif_lib.checks import start as checks

checks.check_gold_of(gold_of)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `str.rpartition` cuts at the last occurrence: the work may hold a `####` too.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def gold_of(answer):
#     return answer.rpartition("####")[2].replace(",", "").strip()
# ```
#
# `motif_lib.tasks.load.gsm8k` reads rows in this way, and says which row is at fault where there is no answer.
#
# </details>
#
# ### Exercise 2: the price of a question
#
# *Difficulty 1 of 5, 5 minutes.* Write `replies_per_question(m, k, n)`: how many replies are sampled for one question
# with m replies in round 1, k futures of each of them, and n rounds in all? (The reference code takes m = 8, k = 4,
# n = 3.)

# %%
def replies_per_question(m, k, n):
    return None  # your turn


# %%
checks.check_replies_per_question(replies_per_question)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The k futures of a reply share that reply: count round 1 once. How many rounds are left after it?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def replies_per_question(m, k, n):
#     return m * (1 + k * (n - 1))
# ```
#
# `MotifConfig.replies_per_question` is the same formula; with m = 8, k = 4, n = 3 it gives 72.
#
# </details>
#
# ### Exercise 3: an experiment
#
# *Difficulty 2 of 5, 15 minutes.* One round with the whole window (the untrained model, which was pretrained to answer
# so), or three rounds of 60 tokens (the trained one)? First the **hypothesis**: for problems of 6 steps and of 11,
# which of the two solves more, and why? Write it here, with a number for each of the four: ...
#
# Then the **measurement**. Write `share_right(questions, sampler, num_rounds)`: the share of the questions, from 0 to
# 1, whose final answer is right. `think` gives a trajectory for each question, and
# `verify(trajectory.final, question.gold, question.task).correct` is True if its answer is right, False if it is
# wrong, and None if nothing can be graded, which is no right answer either. Once the check says "ok", your function
# measures both.

# %%
from motif_lib import think
from motif_lib.verify import verify


def share_right(questions, sampler, num_rounds):
    return None  # your turn


# %%
if checks.check_share_right(share_right).status == "ok":
    for steps in (6, 11):
        asked = load_task("ledger", size=20, seed=SEED, steps=(steps, steps))
        one, three = share_right(asked, whole, 1), share_right(asked, trained, ROUNDS)
        print(f"{steps} steps: one window {one:.0%}, three rounds {three:.0%}")

# %% [markdown]
# **Conclusion**, two sentences, here: for which problems would you take three rounds? What would you measure before you
# say so of another model? ...
#
# <details><summary>Hint</summary>
#
# `think(questions, sampler, num_rounds)` keeps the order of the questions. Count the verdicts that are `True`.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# from motif_lib import think
# from motif_lib.verify import verify
#
# def share_right(questions, sampler, num_rounds):
#     trajectories = think(questions, sampler, num_rounds)
#     verdicts = [verify(t.final, q.gold, q.task).correct for t, q in zip(trajectories, questions)]
#     return sum(verdict is True for verdict in verdicts) / len(questions)
# ```
#
# A conclusion that the numbers carry: "With 6 steps one window is at least as good and costs one prompt. With 11 it
# solves nothing, because question and work do not fit; only rounds can, if the model has learned to fill them. With 20
# questions a difference of two or three of them may be luck (notebook 06). Of another model I would first measure how
# long its replies are, and how long its window is."
#
# </details>
#
# ## What we saw
#
# - A question becomes prompts, replies, rewards, advantages and one update; each step is one call of the library.
# - What does not fit the window cannot be answered in one round, whatever the training. With good notes it can, in
#   three.
# - The reward looks ahead: a reply in round 1 is as good as the answers that its note leads to.
# - Looking ahead has its price, m (1 + k (n - 1)) replies for one question.
#
# ## Next
#
# [01_context_limits](01_context_limits.ipynb): what a window is, and why one round must fail on a long problem.
