# %% [markdown]
# # 05 · Training
#
# The loop of the notebooks before, as a real training run: vanilla GRPO, in one round, and MOTIF, in three, live on
# this CPU. Then recorded runs that had more time, and what changes on a GPU with GSM8K.
#
# **You will learn**
# - to start, watch, stop and resume a MOTIF run, and to get vanilla GRPO from the same code with `num_rounds=1`;
# - to read its log: what a loss near zero says, what a group without signal is, what a cut reply costs;
# - to find out before a training whether there is anything to learn from;
# - what to change for Qwen2.5-3B and GSM8K on a GPU.
#
# About 2 minutes on two CPU cores, no GPU needed; the two exercises take about 25 minutes. The last section says what
# a GPU is for.

# %% [markdown]
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %% [markdown]
# **The recipe comes first**, for it decides how the model is loaded. A GPU recipe uses Unsloth, which makes training
# faster by patching other libraries: `recipe.prepare` imports it before them, and installs it on a hosted runtime. For
# a card such as Colab's T4, `RECIPE = "gpu-16gb"` is all that changes in this notebook.

# %%
from motif_lib import load_recipe

SEED = 0
RECIPE = "cpu"
recipe = load_recipe(RECIPE)
recipe.prepare()

# %% [markdown]
# **Where the runs are kept.** A hosted runtime is taken away when its time is up, with all its files. Name a folder
# that outlives it, and the cells below go on from what they find there: `KEEP = "motif-05"` is a folder in your Google
# Drive on Colab, which asks for your permission, and elsewhere one in your home folder. With `None` the runs go with
# the session. After a disconnect, connect and run all cells again.

# %%
# %matplotlib inline
import torch
from matplotlib.figure import Figure
from transformers.utils.logging import disable_progress_bar

from motif_lib.runtime import lasting_folder
from motif_lib.studies.recorded import RECORDED

KEEP = None
OUT = lasting_folder(KEEP)
disable_progress_bar()  # of the weights

# %% [markdown]
# ## 1. A recipe is a run
#
# A recipe is a YAML file: a model, a task, and the settings of `MotifConfig`, which are those of TRL's `GRPOConfig`
# plus the rounds. These are the recipes in the package. The last column is the price of one training question,
# `m (1 + k (n - 1))` replies: m replies in round 1, and for each of them k futures through the other rounds.

# %%
from motif_lib.training.recipe import FOLDER

print(f"{'recipe':16}{'model':28}{'task':8}{'m':>3}{'k':>3}{'n':>3}{'tokens a round':>16}{'replies':>9}")
for file in sorted(FOLDER.glob("*.yaml")):
    found = load_recipe(file)
    m, k, n = (found.train[key] for key in ("num_generations", "num_trajectories", "num_rounds"))
    budget = found.train["max_completion_length"]
    print(f"{file.stem:16}{found.model:28}{found.task:8}{m:3}{k:3}{n:3}{budget:16}{m * (1 + k * (n - 1)):9}")

# %% [markdown]
# A whole recipe is too long for a lesson: `cpu` takes 40 steps of 8 questions, with k = 4. So we take 8 steps of 4
# questions, with k = 2. Two runs are compared. **GRPO** has one round, and may fill the whole window with it: if it
# fails, then not because of a budget that we chose. **MOTIF** has three rounds of 60 tokens. (The large model's window
# is longer than the memory of any card allows, so with a GPU recipe GRPO keeps the recipe's budget.)
#
# *Predict, then run:* how many replies does one step of this smaller run sample with MOTIF, how many with GRPO (n = 1)?

# %%
recipe = recipe.with_train(max_steps=8)
METHODS = {"GRPO": {"num_rounds": 1}, "MOTIF": {"num_rounds": 3}}
if RECIPE == "cpu":
    recipe = recipe.with_train(per_device_train_batch_size=32, num_trajectories=2)
    METHODS["GRPO"] |= {"max_completion_length": None}  # all that the window leaves
questions = recipe.load_questions(SEED)
for name, changes in METHODS.items():
    config = recipe.with_train(**changes).config(OUT / "look")
    asked, each = config.questions_per_step, config.replies_per_question
    print(f"{name}: {asked} questions x {each} = {asked * each} replies a step")
print(questions[0].text, "->", questions[0].gold)

# %% [markdown]
# *What came out:* 4 · 8 (1 + 2 · 2) = 160 with MOTIF, 4 · 8 = 32 with GRPO: looking two rounds ahead is what the MOTIF
# reward costs. With k = 1 and credit for all rounds of whole trajectories it would be 4 · 8 · 3 = 96.
#
# `recipe.load_questions` is one call of `load_task`: `load_task("ledger", split="train", steps=(4, 12))` here,
# `load_task("gsm8k", split="train")` in a recipe that says so. GSM8K comes from the Hub, or without a network from the
# folder that the environment variable `MOTIF_DATA` names.
#
# ## 2. Watch it train
#
# A Trainer tells its callbacks about every step. This one draws what matters for GRPO: the reward, its spread inside
# the groups (the standard deviation, mean over the groups), and the loss, which matters least. It also says how long
# the run still takes; after a resume only the steps of this session count for that.

# %%
from IPython.display import Markdown, display
from transformers import PrinterCallback, TrainerCallback

PANELS = {"reward": (0, 2), "motif/group_spread": (0, 1), "loss": (-0.1, 0.1)}  # the least each axis shows


def draw(log, title):
    figure = Figure(figsize=(10, 2.5), layout="constrained")
    for ax, (key, (low, high)) in zip(figure.subplots(1, len(PANELS)), PANELS.items()):
        values = [entry[key] for entry in log]
        ax.plot([entry["step"] for entry in log], values, marker="o", ms=4, clip_on=False)
        ax.set(title=key.split("/")[-1].replace("_", " "), xlabel="step", ylim=(min(low, *values), max(high, *values)))
        ax.locator_params(axis="x", integer=True)
    figure.suptitle(title)
    return figure


# %%
import time


class LivePlot(TrainerCallback):
    def on_train_begin(self, args, state, control, **kwargs):
        self.first, self.started = state.global_step, time.perf_counter()
        self.picture = display(Markdown("The first step is on its way."), display_id=True)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "reward" in (logs or {}):
            step_time = (time.perf_counter() - self.started) / (state.global_step - self.first)
            left = step_time * (state.max_steps - state.global_step)
            log = [entry for entry in state.log_history if "reward" in entry]
            self.picture.update(draw(log, f"step {state.global_step} of {state.max_steps}, about {left:.0f} s left"))


# %% [markdown]
# A trainer takes a model, settings, questions and a LoRA adapter to train; `recipe.load_model` gives model, tokenizer
# and adapter as the recipe wants them. Vanilla GRPO and MOTIF are the same trainer: what differs stands in `METHODS`.

# %%
from motif_lib import MotifTrainer


def make_trainer(name, *callbacks):
    args = recipe.with_train(**METHODS[name]).config(OUT / name, seed=SEED)
    model, tokenizer, adapter = recipe.load_model(SEED)
    callbacks = [LivePlot(), *callbacks]
    trainer = MotifTrainer(model, args, questions, processing_class=tokenizer, peft_config=adapter, callbacks=callbacks)
    trainer.remove_callback(PrinterCallback)  # the picture says it
    return trainer


# %% [markdown]
# **Vanilla GRPO**: one round, judged at once. The problems have 4 to 12 steps; up to 8 steps question and work fit the
# window, from 9 on they do not.
#
# *Predict, then run:* will the spread of the rewards inside the groups be large or small?

# %% tags=["nbval-ignore-output"]
from motif_lib.samplers.out_of_memory import free_memory
from motif_lib.training.runs import train_to_the_end

trainer = make_trainer("GRPO")
train_to_the_end(trainer)
grpo = trainer.state
assert grpo.global_step == grpo.max_steps

# %% [markdown]
# *What came out:* small, whatever the reward. A group is eight replies to *one* question. If the question fits, the
# untrained model solves it nearly every time: eight rewards of 2. If it does not fit, all eight are cut off: eight
# rewards of 0. (The rest is format: replies in the right format earn up to 1.5 points, here at weight 0.2.) Exercise 2
# measures it.
#
# **MOTIF**: three rounds of 60 tokens. A run on a shared machine gets interrupted. The stop button of the notebook
# (or Ctrl-C) ends the run after the step it is in and writes a checkpoint. Here a callback presses it in step 3. A new
# trainer on the same folder then goes on from the checkpoint: weights, optimizer, learning rate and the order of the
# questions. (`motif train` and `motif demo` do this by themselves: run the same command again.)

# %% tags=["nbval-ignore-output"]
import signal


class PressStop(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 2:  # two steps are done
            signal.raise_signal(signal.SIGINT)


del trainer  # a GPU has no room for two
free_memory()
trainer = make_trainer("MOTIF", PressStop())
train_to_the_end(trainer)
print("checkpoints:", [path.name for path in sorted((OUT / "MOTIF").glob("checkpoint-*"))])
assert trainer.state.global_step >= 3  # more, where `OUT` held a run that was further

# %% tags=["nbval-ignore-output"]
del trainer
free_memory()
trainer = make_trainer("MOTIF")
train_to_the_end(trainer)
motif = trainer.state
assert motif.global_step == motif.max_steps
steps = [entry["step"] for entry in motif.log_history if "reward" in entry]
assert steps == list(range(1, motif.max_steps + 1))  # no step lost, none done twice

# %% [markdown]
# Eight small steps teach little, and two runs of eight steps cannot be compared: the curves are mostly noise. What they
# are good for is reading the log.
#
# ## 3. Read the log
#
# Here are the last steps of both runs. `clipped_ratio` is the share of trained replies that the budget cut off (not the
# clipping of notebook 04), `frac_reward_zero_std` the share of groups in which all rewards are equal.

# %% tags=["nbval-ignore-output"]
from motif_lib.show.tables import Table

KEYS = ["motif/accuracy", "reward", "motif/group_spread", "frac_reward_zero_std", "completions/clipped_ratio", "loss"]
rows = []
for name, state in {"GRPO": grpo, "MOTIF": motif}.items():
    last = [entry for entry in state.log_history if "reward" in entry][-3:]
    rows += [(f"{name}, step {entry['step']}", *(f"{entry[key]:.3f}" for key in KEYS)) for entry in last]
display(Table("Last steps, live", ("", *(key.split("/")[-1] for key in KEYS)), rows))

# %% [markdown]
# ### "My loss is zero. Is it broken?"
#
# The question most asked about GRPO ([trl 2703](https://github.com/huggingface/trl/issues/2703), [unsloth
# 2291](https://github.com/unslothai/unsloth/issues/2291)). There are two reasons for it, and the loss does not tell
# them apart. The advantages of a group sum to zero, so the loss is nearly zero, while each reply pulls with its own
# advantage (notebook 04, section 5): that is the rule, and fine. Or all advantages are zero, and the gradient with
# them: `frac_reward_zero_std` is near 1, as in the rows of GRPO here, and little or nothing is learned. **Read the
# reward and its spread; a falling loss is no goal in GRPO.**
#
# ### "The reward stands still."
#
# A question is without signal when it is too hard (all wrong) or too easy (all right) for the whole group ([trl
# 3857](https://github.com/huggingface/trl/issues/3857)). More replies m, and more futures k of each, make that rarer.
# So watch the share of such groups.
#
# ### Exercise 1: groups without signal
#
# *Difficulty 1 of 5, 5 minutes.* Write the metric, `groups_without_signal(rewards, m)`. `rewards` is a flat list in
# which the m rewards of a group follow each other; return the share of groups whose rewards are all equal, from 0 to 1.
# The check runs it on small batches, each made to catch one mistake.

# %%
def groups_without_signal(rewards, m):
    return None  # your turn


# %%
from motif_lib.checks import training as checks

checks.check_groups_without_signal(groups_without_signal)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Cut the list into slices `rewards[i : i + m]`. A slice of equal values has a `set` of size 1.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def groups_without_signal(rewards, m):
#     groups = [rewards[i : i + m] for i in range(0, len(rewards), m)]
#     return sum(len(set(group)) == 1 for group in groups) / len(groups)
# ```
# TRL logs the same share as `frac_reward_zero_std`, ours for the MOTIF reward alone is `motif/groups_without_signal`.
#
# </details>
#
# ### "What happens to a reply that is cut off?"
#
# It has no `<answer>`, so the next round gets `(no progress note)` and starts from nothing; in the last round it is
# wrong. (The reference code hands on the whole unfinished reasoning instead.) In the traces of a recorded run, see the
# next section, we can look up what a cut cost: they hold round-1 replies with their k futures and the reward.

# %%
from statistics import fmean

from motif_lib import read_traces

traces = read_traces(RECORDED / "demo" / "motif-round-1" / "traces.jsonl")
for ended, name in ((True, "ended by themselves"), (False, "were cut off")):
    rewards = [trace.reward for trace in traces if trace.trajectories[0].replies[0].finished == ended]
    mean = f"mean reward {fmean(rewards):.2f} of 2" if rewards else ""
    print(f"round-1 replies that {name:19}: {len(rewards):4}  {mean}")

# %% [markdown]
# ### "The reward rises and the answers get worse."
#
# Our first runs did that: accuracy rose for seven steps and then fell below the untrained model's (`LOG.md`). Take the
# last round of a problem that is not half done. Nothing can save it, every outcome is 0. But some replies give up after
# two steps and close their answer, format reward 1.5; others go on until the budget cuts them, 0.125 for one tag.
#
# *Predict, then run:* if GRPO divides by the spread of the group, how large are the advantages of those who gave up?

# %%
from motif_lib.grpo import group_advantages

formats = torch.tensor([[1.5, 1.5, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125]])
outcomes = torch.tensor([[2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])  # another group: right or wrong, format alike
for name, weight, scale in (("divided by the spread", 1.0, True), ("not divided, format at 0.2", 0.2, False)):
    given_up, right = group_advantages(weight * formats, scale)[0, 0], group_advantages(outcomes, scale)[0, 0]
    print(f"{name:27}: advantage of giving up {given_up:+.2f}, of a right answer {right:+.2f}")

# %% [markdown]
# *What came out:* as large as that of a right answer, +1.62. The model may learn it, also where it could have finished:
# dividing makes every group equally important, also one in which nothing but the format differs. The `cpu` recipe
# therefore sets `scale_rewards: none` (as Dr. GRPO does, arXiv 2503.20783) and a small `reward_weights` for the format:
# +0.21 against +1.50. What dividing costs in training was measured too: 51.2 points in short runs, four seeds (notebook
# 07, section 6).
#
# ## 4. Recorded runs
#
# The package holds runs of the whole `cpu` recipe, made with `motif demo` and, with three seeds, `motif experiment`.
# **Everything in this section is recorded: nothing is computed live.** The curves show how often the rollouts of
# training reached the right answer.
#
# *Predict, then run:* the problems have 4 to 12 steps, each length equally often, and one window holds up to 8 steps.
# Where will the curve of GRPO end?

# %%
from motif_lib.show import plots
from motif_lib.studies import demo
from motif_lib.training.runs import read_metrics

logs = {name: read_metrics(demo.folder_of(RECORDED / "demo", name)) for name in demo.METHODS}


def curves(key, ylabel):
    values = {name: demo.smoothed([entry[key] for entry in log], 5) for name, log in logs.items()}
    points = {name: list(enumerate(curve, 1)) for name, curve in values.items()}
    return plots.learning_curves(points, ylabel=ylabel).figure


display(curves("motif/accuracy", "accuracy of the rollouts"))
display(curves("motif/groups_without_signal", "groups without signal"))

# %% [markdown]
# *Figures 1 and 2: accuracy of the rollouts while training, and the share of groups whose MOTIF rewards are all equal;
# recorded, one seed, mean of 5 steps.*
#
# *What came out:* where it began, near the share of problems that fit: 5 of 9 lengths. Training cannot raise it, for
# the other four have no room. "MOTIF round 1", the paper's method, trains the replies of round 1 only, with k = 4
# futures each; "MOTIF all rounds" trains every round of whole trajectories (k = 1). Both rise alike for a dozen steps.
# Then "all rounds" passes GRPO, near step 20, and goes on rising, while "round 1" loses what it had gained.
#
# A method learns only from the share above its curve in figure 2. For GRPO nearly every group is silent from the first
# step: right eight times of eight, or wrong eight times. With k futures a reply's reward lies anywhere from 0 to 2, and
# equal rewards are rarer; with k = 1 an outcome is right or wrong, so "all rounds" mostly has more silent groups than
# "round 1". A group that is not silent need not teach anything true: once the first replies of a group are all alike,
# the mean outcomes of "round 1" still differ, by the luck of four futures. The updates follow that luck, and the later
# rounds, which share the weights and which nothing holds, drift: a day too far, a box forgotten.
#
# ### Exercise 2: an experiment, is there anything to learn?
#
# *Difficulty 3 of 5, 20 minutes.* You can know this before a training, and without one: ask the untrained model each
# question eight times (m = 8). A question whose eight outcomes are all equal is silent.
#
# **Hypothesis**, here, with a number for each: which share of questions is silent for GRPO (one round, whole window) at
# 5, 7, 9 and 11 steps? And for MOTIF (three rounds)? ...
#
# **Measurement.** Write `silent_by_length(questions, sampler, num_rounds, m)`. It asks each question m times and gives
# a dict: from each `question.length` to the share of its questions that are silent, from 0 to 1.
# `think(questions, sampler, num_rounds)` asks a question as often as you list it and gives the trajectories in the same
# order; `verify(trajectory.final, question.gold, question.task).correct` is True for a right answer. Once the check
# says "ok", your function measures.

# %%
from motif_lib import think
from motif_lib.verify import verify


def silent_by_length(questions, sampler, num_rounds, m):
    return None  # your turn


# %%
from motif_lib import load_sampler, load_task

if checks.check_silent_by_length(silent_by_length).status == "ok":
    asked = [q for steps in (5, 7, 9, 11) for q in load_task("ledger", size=6, seed=SEED, steps=(steps, steps))]
    for name, budget, n in (("GRPO", None, 1), ("MOTIF", 60, 3)):
        base = load_sampler("motif-tiny", None, budget)
        base.seed(SEED)
        print(name, {steps: f"{share:.0%}" for steps, share in silent_by_length(asked, base, n, m=8).items()})

# %% [markdown]
# **Conclusion**, three sentences, here: from which questions can each method learn, and what does that say about figure
# 2? Which questions would you take for a GRPO run that has something to learn from? ...
#
# <details><summary>Hint</summary>
#
# List each question m times, one after the other: then the outcomes of a question are a slice of m, as in exercise 1.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# from motif_lib import think
# from motif_lib.verify import verify
#
# def silent_by_length(questions, sampler, num_rounds, m):
#     trajectories = think([question for question in questions for _ in range(m)], sampler, num_rounds)
#     right = [verify(t.final, t.question.gold, t.question.task).correct is True for t in trajectories]
#     silent = {}
#     for i, question in enumerate(questions):
#         outcomes = right[i * m : (i + 1) * m]
#         silent.setdefault(question.length, []).append(len(set(outcomes)) == 1)
#     return {length: sum(found) / len(found) for length, found in silent.items()}
# ```
#
# A conclusion that the numbers carry: "For GRPO nearly all questions are silent, the short ones because all eight
# replies are right, the long ones because none can be; a rising reward would be news from the format. With three rounds
# some trajectories use their rounds and others do not, so the outcomes differ; only the longest questions may be silent
# here too, for they need two full rounds in a row. For GRPO one would need questions that fit the window and that the
# model solves sometimes." With six questions a length these shares are rough; `motif signal` measures them for any
# model and data set, with intervals.
#
# </details>
#
# ### Three seeds
#
# One seed proves little. The recorded experiment trained every method with three seeds; all checkpoints of a seed were
# asked the same 150 held-out problems.
#
# *Predict, then run:* Does MOTIF with 15 % of the questions reach GRPO with all of them, as the paper's abstract says
# of its own setting?

# %%
from motif_lib.studies.seeds import answers, read_results, results_table

results = read_results(RECORDED / "experiment" / "results.jsonl")
display(results_table(results), results_table(results, long=True))
print("\n".join(answers(results)))

# %% [markdown]
# *What came out:* not with 15 %, 48 questions, in any seed. With 30 %, 96 questions, "round 1" is ahead of GRPO with
# all 320 in each seed, and "all rounds" in two of three. But GRPO's line is the untrained model's: there is nothing
# that it could learn here. Passing it says that rounds work, and little about how few samples they need. What the seeds
# do show: "all rounds" ends at 100 % of the long problems in every one, "round 1" anywhere between 1.5 and 73.8 %,
# though it was near 100 % after 96 questions. (Who takes the best checkpoint has to choose it on other questions than
# these.)
#
# The range over seeds is part of the result. Ours is a small model with a small window, on problems of which the longer
# ones do not fit it: it shows the mechanism, and nothing about the size of the effect on GSM8K or MATH.
#
# ### And GSM8K?
#
# A model of three billion parameters wants a GPU, see section 5. A small real one was tried on a CPU core, as it comes,
# in bfloat16: Qwen2.5-Coder-0.5B-Instruct. In two rounds of 300 tokens it boxes the right answer to 10 of 100 GSM8K
# test questions ([notebook 06](06_evaluation.ipynb), section 7). Is there anything to learn from? It was asked 50 easy
# training questions, four times each at temperature 0.7: 33 of 200 trajectories were right, and in 19 of the 50 groups
# some were right and some wrong. So there is. After a cold start 14 of the 100 are right, and 12 steps of RL later 18:
# too few questions to show a difference. In one round of 600 it is 11 before and 21 after, which is one, but most of it
# may be the box (docs/real_models.md).
#
# ## 5. The same on a GPU
#
# **Not run here: needs a GPU.** Set `RECIPE = "gpu-80gb"` above, or `gpu-24gb` or `gpu-16gb` for a smaller card, then
# restart and run all cells: they stay as they are. `motif train gpu-80gb --out runs/gsm8k` takes all steps of the
# recipe. It has the settings of the reference code (Qwen2.5-3B-Instruct, GSM8K, m = 8, k = 4, n = 3), but for its
# budget: prompt and reply have to fit the window. What differs from `cpu`:

# %%
recipes = load_recipe("cpu"), load_recipe("gpu-80gb")
found = [{"model": r.model, "task": r.task, "lora_rank": r.lora_rank, **r.load, **r.train} for r in recipes]
names = [name for name in found[0] | found[1] if found[0].get(name) != found[1].get(name)]
rows = [(name, *(str(settings.get(name, "")) for settings in found)) for name in names]
display(Table("Two recipes", ("setting", "cpu", "gpu-80gb"), rows))

# %% [markdown]
# A step of it samples 72 replies of up to 1024 tokens: that is where the time goes. So the later rounds are sampled in
# one batched call each, and on a GPU by a copy of the model into which the adapter is merged (`samplers/graph.py`). If
# memory runs out, lower in this order: `rollout_batch_size` (fewer replies decoded together, the same result),
# `max_completion_length`, `num_trajectories`.
#
# ## What we saw
#
# - MOTIF is GRPO with another reward: one number, `num_rounds`, switches between them.
# - One round can fill its window and no more; training does not change that.
# - The reward and its spread inside groups tell how a run does; the loss starts near zero and tells little.
# - A group of equal rewards teaches nothing, which can be measured before a training; a reply that is cut off hands
#   nothing on.
# - A stopped run goes on from its checkpoint.
#
# ## Next
#
# [06_evaluation](06_evaluation.ipynb): is the trained model better, and how sure is that?
