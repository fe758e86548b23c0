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
# About 1 minute on two CPU cores, no GPU needed; the two exercises take about 10 minutes.
#
# ## The idea
#
# ```
# question ─► round-1 prompt ─► m replies ─► k trajectories each, rounds 2..n
#                                  ▲                        │
#                                  │                        ▼
#                               update ◄── m advantages ◄── m rewards
# ```
#
# | word | what it means here |
# |---|---|
# | round | one prompt and one reply, in a context of its own; there are n of them, and the last gives the answer |
# | note | the part of a reply that the next round sees, beside the question; *carry* is the rule that makes it |
# | trajectory | the replies to one question, from round 1 to round n |
# | group | the m replies of round 1 to the same question |
# | reward of a reply | k trajectories go on from it: how many of them end in the right answer? |
# | advantage of a reply | its reward compared with those of its group |
# | GRPO | the training method: of the m replies, those with a positive advantage become more likely, the others less |
#
# GRPO is short for group relative policy optimisation. With n = 1 nothing is carried and nothing rolled out, and MOTIF
# is plain GRPO.

# %% [markdown]
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %% [markdown]
# Settings and imports. Every notebook has one seed; the sizes are those of the CPU recipe, which `motif demo` trains
# by.

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
# model of about a million parameters that comes with the package. With one, the same code takes Qwen2.5-3B-Instruct.

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
# | `00_start_here` | what is all this? | the gold answer of a row |
# | `01_context_limits` | why does a model forget? | the room in a window |
# | `02_multi_round_thinking` | how can it go on thinking? | the loop over the rounds |
# | `03_rewards` | what is a good reply? | a format reward, an answer check |
# | `04_advantage_and_loss` | how does a reward become a gradient? | advantages, the clipped loss |
# | `05_gsm8k_training` | how is it trained? | a training run, live |
# | `06_evaluation` | did it help? | a fair comparison |
# | `07_beyond_the_paper` | what else could one try? | an own carry strategy |
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

# %%
from motif_lib.tasks import ledger

row = ledger.problems("train", size=1, seed=SEED, steps=(8, 8))[0].row()
print(row["question"], row["answer"], sep="\n\n")

# %% [markdown]
# **A prompt.** `messages` writes the chat of one round: a system message, which asks for `<reasoning>` and `<answer>`,
# and a user message with the question, from round 2 on a note, and which round it is. The model's chat template makes
# one text of it. This is all that motif-tiny sees of round 1; its template leaves the system message out, for it knows
# no other task. (A real model sees every word of it, and needs them.)

# %%
(question,) = load_task("ledger", split="train", size=1, seed=SEED, steps=(8, 8))
print(sampler.seen(messages(question.text, round=1, num_rounds=ROUNDS)))

# %% [markdown]
# **Rounds.** `think` runs them. The note is all that a round knows of the rounds before it.
#
# *Predict, then run:* the model has never been rewarded for anything. Will its notes be of use?

# %%
greedy = LocalSampler(model, tokenizer, BUDGET, temperature=0)
(trajectory,) = think([question], greedy, ROUNDS)
for reply in trajectory.replies:
    print(f"--- round {reply.round}: {reply.prompt_tokens} + {reply.tokens} tokens\n{reply.text}")
print(f"--- gold answer: {question.gold}")

# %% [markdown]
# It stops after a single step, its favourite habit, and leaves too much for the last round: the budget cuts that reply
# off before its answer. (The notes name coins and stamps where the question has cards. No answer depends on that word,
# and so small a model never learned to copy it.)
#
# **Rewards.** For each of m = 8 replies k = 4 trajectories are rolled out to the last round. A right answer there
# counts 2, a wrong one 0 (reference code), and the reply earns their mean.

# %% tags=["nbval-ignore-output"]
from motif_lib import FutureAccuracy

m, k = 8, 4
prompt = messages(question.text, 1, ROUNDS)
replies = [completion.text for completion in sampler([prompt] * m)]
reward = FutureAccuracy(sampler, num_trajectories=k, num_rounds=ROUNDS)
columns = {"question": [question.text] * m, "gold": [question.gold] * m, "task": [question.task] * m}
rewards = reward([prompt] * m, replies, **columns)
print([round(value, 2) for value in rewards])

# %% [markdown]
# **Advantages.** Reward minus mean of the group, in units of its spread. If all rewards of a group are equal, all its
# advantages are 0 and the question teaches nothing in this step.

# %% tags=["nbval-ignore-output"]
from motif_lib.carry import progress_note
from motif_lib.grpo import group_advantages

advantages = group_advantages(torch.tensor([rewards]))[0]
notes = [progress_note(reply, True, "") for reply in replies]
rows = [(note, f"{r:.2f}", f"{a:+.2f}") for note, r, a in zip(notes, rewards, advantages.tolist())]
Table(f"One group: m = {m}, k = {k}, n = {ROUNDS}", ("note of round 1", "reward", "advantage"), rows)

# %% [markdown]
# **An update.** The trainer does all of this for several questions a step and then takes one gradient step, which
# makes replies with a positive advantage more likely. It is TRL's `GRPOTrainer` with one more dial, `num_rounds`. One
# step of the CPU recipe, on two questions; its `reward` is the mean outcome plus 0.2 times the format reward of
# notebook 03:

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
# **An evaluation.** One step changes little. What fifty steps change was **recorded**: `motif demo` trained with this
# recipe ("round 1": the replies of round 1 are trained, as in the paper). Then the untrained model, called *base*, and
# the trained one were asked the same held-out problems in three rounds each.

# %%
from motif_lib.evaluate import Report, compare

base, trained = (Report.load(RECORDED / "demo" / name / "test") for name in ("base", "motif-round-1"))
compare(base, trained).table()

# %% [markdown]
# The brackets are 95 % intervals; the verdict below the table says "better" only where interval and test agree. This
# is one seed: notebook 05 shows three, and how far apart they end. You can repeat the run with `make demo`.
#
# ### Exercise 1: the gold answer
#
# *Difficulty 1 of 5, 5 minutes.* In a GSM8K row the gold answer stands at the end of the column `answer`, behind
# `####`. Write `gold_of(answer)` that gives it as text, ready to be compared with the same number written in another
# way: `"12 + 5 = 17\n#### 17"` gives `"17"`.

# %%
def gold_of(answer):
    return None  # your turn


# %% [markdown]
# The check runs your function on rows that have caught others out.

# %%
from motif_lib.checks import start as checks

checks.check_gold_of(gold_of)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `str.rpartition` cuts at the last occurrence. Some gold answers of GSM8K hold a comma, such as `1,080`.
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
# with m replies in round 1, k trajectories from each of them, and n rounds in all?

# %%
def replies_per_question(m, k, n):
    return None  # your turn


# %% [markdown]
# The reference code takes m = 8, k = 4, n = 3. How many replies does one of its steps sample?

# %%
checks.check_replies_per_question(replies_per_question)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The k trajectories of a reply share that reply: count round 1 once. How many rounds are left after it?
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
# ## What we saw
#
# - A question becomes prompts, replies, rewards, advantages and one update; each step is one call of the library.
# - The reward looks ahead: a reply in round 1 is as good as the answers that its note leads to.
# - Looking ahead has its price, m (1 + k (n - 1)) replies for one question.
#
# ## Next
#
# `01_context_limits`: what a window is, and why one round must fail on a long problem. It runs in a minute.
