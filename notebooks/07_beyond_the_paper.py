# %% [markdown]
# # 07 · Beyond the paper
#
# MOTIF as published fixes many choices: three rounds, a note in words, credit for round 1 only. Each is a switch here.
# We turn them one at a time and measure.
#
# **You will learn**
# - what more rounds than in training bring, and what they cost;
# - to write your own carry strategy, and to see how short a note may be;
# - what depends on which round is trained, which policy rolls out, and an early stop.
#
# About 2 minutes on two CPU cores, no GPU needed; the two exercises take about 30 minutes.

# %% [markdown]
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %% [markdown]
# First the imports.

# %%
# %matplotlib inline
from IPython.display import display
from transformers.utils.logging import disable_progress_bar

from motif_lib import LocalSampler, load_model, load_recipe, load_task, think
from motif_lib.evaluate import evaluate
from motif_lib.protocol import reply_text
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.recorded import RECORDED

SEED, BUDGET = 0, load_recipe("cpu").train["max_completion_length"]
disable_progress_bar()  # of the weights

# %% [markdown]
# The model is motif-tiny with a **recorded** adapter: MOTIF, trained by `motif demo` with three rounds and
# `credit="any"`. Everything it answers in this notebook is sampled live, on 27 problems of 4 to 12 steps.

# %%
model, tokenizer = load_model(adapter=RECORDED / "demo" / "motif-any-round" / "adapter")
sampler = LocalSampler(model, tokenizer, BUDGET)
questions = load_task("ledger", size=27, seed=2, steps=(4, 12))

# %% [markdown]
# ## 1. How many rounds?
#
# Trained with n = 3, asked with n = 1 to 6. A round's budget stays the same, so the total grows with n.
#
# *Predict:* a problem of 12 steps takes about three rounds of work. What will rounds 4 to 6 do?

# %% tags=["nbval-ignore-output"]
by_rounds = {n: evaluate(questions, sampler, n, name=f"n = {n}", seed=SEED, progress=False) for n in range(1, 7)}
rows = [(f"n = {n}", str(r.accuracy), f"{r.tokens_per_question:.0f}") for n, r in by_rounds.items()]
display(Table("Trained with 3 rounds, asked with n", ("", "accuracy", "tokens a question"), rows))

# %% [markdown]
# The same as a picture, with 95 % intervals; 27 problems are few.

# %% tags=["nbval-ignore-output"]
points = [(n, r.accuracy.value, r.accuracy.low, r.accuracy.high) for n, r in by_rounds.items()]
axes = plots.accuracy_by_length({"MOTIF any round": points})
axes.set(xlabel="rounds n at test")
axes.figure

# %% [markdown]
# *Figure 1: accuracy against the number of rounds at test, live.* A smaller n fails on what does not fit. A larger n
# gains nothing here and costs tokens, on easy problems too. Section 5 asks what stopping early would save.
#
# ## 2. What should be carried?
#
# Between rounds only the note survives. A carry strategy is a function `(reply, finished, previous) -> note`. Four
# from the library, on the same reply: finished, and cut off by the budget.

# %%
from motif_lib.carry import full_history, last_text, memory, progress_note

STRATEGIES = {
    "progress_note": progress_note,  # the paper
    "memory": memory,  # overwritten memory, as in MemAgent
    "last_text(60)": last_text(60),  # Markovian, as in Delethink
    "full_history": full_history,  # everything so far
}
NOTE = "12 apples after day zero"
whole = reply_text("=12\nday one buys 5=17\nday two loses 3=14", "14 apples after day two")
for name, carry in STRATEGIES.items():
    print(f"{name:14} finished: {carry(whole, True, NOTE)!r}")
    print(f"{'':14} cut off:  {carry(whole[:46], False, NOTE)!r}")

# %% [markdown]
# *Predict:* the model was trained with progress notes. Which of the others will work without training, and which one
# will not even run on the longest problems?

# %% tags=["nbval-ignore-output"]
def measure(strategies, n=3):
    rows, notes = [], []
    for name, carry in strategies.items():
        try:
            report = evaluate(questions, sampler, n, carry=carry, name=name, seed=SEED, progress=False)
            rows.append((name, str(report.accuracy), f"{report.prompt_tokens_per_question:.0f}"))
        except ValueError as error:  # from the sampler: prompt and budget do not fit
            notes.append(f"{name} did not run: {error}")
    return Table(f"Carry strategies, n = {n}", ("", "accuracy", "prompt tokens a question"), rows, notes)


display(measure(STRATEGIES))

# %% [markdown]
# A model understands the kind of note it was trained on. To judge a strategy fairly, train with it: `MotifTrainer(...,
# carry=memory)` takes the same function.
#
# **Your own strategy takes a few lines.** How short may a note be? This one cuts the progress note after `size`
# characters: 40 hold all of it, `14 apples after day two`; 9 hold the total, but no longer the day.

# %% tags=["nbval-ignore-output"]
def short_note(size):
    def carry(reply, finished, previous):
        return progress_note(reply, finished, previous)[:size]

    return carry


display(measure({f"first {size} characters": short_note(size) for size in (40, 9, 0)}))

# %% [markdown]
# That is an information bottleneck with a dial: what is not in the note does not exist in the next round.
#
# ### Exercise 1: salvage
#
# *Difficulty 3 of 5, 20 minutes.* A reply that the budget cut off has no answer, but it has work: lines such as
# `day two loses 3=14`. Write a strategy `salvage(reply, finished, previous)` that
# - gives the answer where there is one, at most `MAX_NOTE` characters of it;
# - else `14 after day two` from the last *whole* line of work, one that begins with `day`;
# - else the note before, `previous`; else `NO_NOTE`.

# %%
from motif_lib.carry import MAX_NOTE
from motif_lib.protocol import NO_NOTE, read_answer


def salvage(reply, finished, previous):
    return None  # your turn


# %% [markdown]
# The check cuts replies in awkward places. Once it says "ok", your strategy is measured beside the paper's.

# %% tags=["nbval-ignore-output"]
from motif_lib.checks import beyond as checks

if checks.check_salvage(salvage).status == "ok":
    display(measure({"progress_note": progress_note, "salvage": salvage}))

# %% [markdown]
# <details><summary>Hint</summary>
#
# `read_answer(reply)` gives the answer or None. `re.findall(r"^day (\w+) .*=(\d+)\n", reply, re.MULTILINE)`
# finds lines that end in a newline, so that none of them is cut.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import re
#
# from motif_lib.carry import MAX_NOTE
# from motif_lib.protocol import NO_NOTE, read_answer
#
# def salvage(reply, finished, previous):
#     if answer := read_answer(reply):
#         return answer[:MAX_NOTE]
#     if lines := re.findall(r"^day (\w+) .*=(\d+)\n", reply, re.MULTILINE):
#         day, total = lines[-1]
#         return f"{total} after day {day}"
#     return previous or NO_NOTE
# ```
#
# </details>
#
# ## 3. Which round gets the credit?
#
# The paper trains replies of round 1 only (`credit="first"`). Later rounds improve only because they share the weights.
# `credit="any"` draws the trained round anew for every question: it rolls in to that round with the current policy, and
# then samples m replies there as usual. Everything else is the same.
#
# **Recorded** runs, three seeds, from `motif experiment`: accuracy on held-out problems against training questions.

# %%
from motif_lib.studies.seeds import by_seed, curve, read_results

results = read_results(RECORDED / "experiment" / "results.jsonl")
methods = ("MOTIF round 1", "MOTIF any round")
for method in methods:
    last = ", ".join(f"{100 * accuracy:.1f}" for accuracy in by_seed(results, method, 400))
    print(f"{method}: % right after 400 questions, by seed: {last}")
axes = plots.accuracy_by_length({method: curve(results, method) for method in methods})
axes.set(xlabel="training questions", ylabel="accuracy (range of the seeds)")
axes.figure

# %% [markdown]
# *Figure 2: credit for round 1 against credit for any round, recorded; mean of three seeds, the bars reach from the
# worst seed to the best.* Where only round 1 is trained, the seeds end far apart. The base model has a habit of giving
# up in the last round. Credit for round 1 reaches that habit only through the shared weights, since the trained reply
# is never a last one.
#
# There is a third, `credit="all"`: whole trajectories, each reply credited with the outcome of its own. The module
# `motif_lib.credit` derives all three in a few lines; section 6 measures them.
#
# ## 4. Who rolls out?
#
# The value of a round-1 reply is *what the policy makes of it* later. The reference script calls its rollout without
# the adapter (`lora_request=None`; reference code): all later rounds are answered by the **base** model, while
# evaluation uses the adapter. `rollout_policy="base"` reproduces that; the default is `"current"`.
#
# We sample eight round-1 replies for each of six long questions, and value each three times, with k = 4: by the current
# policy, by the current policy again, as a control, and by the base.
#
# *Predict:* in which direction will the base model's values be off? Does that matter to an advantage?

# %% tags=["nbval-ignore-output"]
from motif_lib import Trajectory, branch
from motif_lib.rewards.future import mean_outcome, outcomes_of
from motif_lib.rounds import advance


def base_sampler(chats):
    with model.disable_adapter():
        return sampler(chats)


sampler.seed(SEED)
begun = advance([Trajectory(q, ()) for q in questions if q.length in (7, 9) for _ in range(8)], sampler, 3)
values = {}
for policy, rolled_by in {"current": sampler, "current again": sampler, "base": base_sampler}.items():
    values[policy] = [mean_outcome(outcomes_of(futures)) for futures in branch(begun, rolled_by, 4, 3)]

# %% [markdown]
# The level does not matter, it cancels in the group's mean. What matters is the order inside the groups, and how many
# groups are left with any order at all. The last column: of the replies with an advantage in both valuations, how many
# have the other sign than in the first row?

# %% tags=["nbval-ignore-output"]
from torch import tensor

from motif_lib.grpo import group_advantages

advantages = {policy: group_advantages(tensor(found).view(-1, 8)) for policy, found in values.items()}
rows = []
for policy, found in advantages.items():
    flat, mean = (found == 0).all(dim=1).sum(), tensor(values[policy]).mean()
    signs = found * advantages["current"]
    apart = 100 * (signs < 0).sum() / (signs != 0).sum()
    rows.append((policy, f"{mean:.2f}", f"{flat} of {len(found)}", f"{apart:.0f} %"))
columns = ("valued by", "mean value, of 2", "groups without signal", "advantages of the other sign")
display(Table("The same replies, three valuations", columns, rows))

# %% [markdown]
# The base makes less of the same notes; that is plain. The order is another matter: the control disagrees with itself
# too, by the noise of k = 4, and only disagreement beyond that is the base's fault. With 48 replies that difference is
# a guess. The reason to roll out with the current policy is that training moves it away from the base: otherwise
# replies are judged by a partner they will not have.
#
# ## 5. When to stop
#
# A note that already holds a `\boxed{}` says that the work is done; the rounds after it cost tokens. They might also
# correct it, or spoil it. With n = 6 this happens often. We count, and check what the last round made of the box.

# %% tags=["nbval-ignore-output"]
from motif_lib.verify import verify
from motif_lib.verify.extract import boxes

sampler.seed(SEED)
long_runs = think(questions, sampler, 6)
boxed = [(t, reply) for t in long_runs if (reply := next((r for r in t.replies if boxes(r.carried)), None))]
early = [verify(reply.carried, t.question.gold, "ledger").correct for t, reply in boxed]
late = [verify(t.final, t.question.gold, "ledger").correct for t, _ in boxed]
print(f"{len(boxed)} of {len(long_runs)} trajectories had a box in a note before round 6")
print(f"right if stopped there: {sum(early)}, right at the end: {sum(late)}")
print("rounds that a stop saves:", sum(6 - reply.round for _, reply in boxed), "of", 6 * len(long_runs))

# %% [markdown]
# The switch for it is `stop`, a function of the note: `evaluate`, `think` and `branch` take it, and
# `early_stop: true` in a recipe trains with it. `motif_lib.rounds.boxed` stops at a boxed note. Both ways, n up to 6:

# %% tags=["nbval-ignore-output"]
from motif_lib.rounds import boxed as at_a_box

rows = []
for name, rule in (("always 6 rounds", None), ("stop at a boxed note", at_a_box)):
    report = evaluate(questions, sampler, 6, name=name, seed=SEED, progress=False, stop=rule)
    rows.append((name, str(report.accuracy), f"{report.tokens_per_question:.0f}"))
display(Table("Early stop, live", ("", "accuracy", "tokens a question"), rows))

# %% [markdown]
# ### Exercise 2: what an early stop saves
#
# *Difficulty 2 of 5, 10 minutes.* Rounds differ in length. Write `tokens_saved(trajectory)`: the tokens of the rounds
# after the first note that holds a box; 0 if there is none. A `Trajectory` has `replies`; a reply has `text`, `carried`
# (the note it hands on, empty in the last round) and `tokens`; its `prompt_tokens` do not count here.

# %%
from motif_lib.verify.extract import boxes


def tokens_saved(trajectory):
    return None  # your turn


# %% [markdown]
# Once the check says "ok", your function measures the trajectories above.

# %% tags=["nbval-ignore-output"]
if checks.check_tokens_saved(tokens_saved).status == "ok":
    total = sum(trajectory.tokens for trajectory in long_runs)
    print(f"{sum(map(tokens_saved, long_runs))} of {total} tokens")

# %% [markdown]
# <details><summary>Hint</summary>
#
# `boxes(text)` lists the boxes of a text. Find the first reply whose note has one.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# from motif_lib.verify.extract import boxes
#
# def tokens_saved(trajectory):
#     for number, reply in enumerate(trajectory.replies, 1):
#         if boxes(reply.carried):
#             return sum(later.tokens for later in trajectory.replies[number:])
#     return 0
# ```
#
# </details>
#
# ## 6. All switches, measured
#
# **Recorded**, twice. `motif ablate --seeds 3` turned one switch at a time. Every cell was trained with three
# seeds, 30 steps of 4 questions, and asked 100 held-out problems per seed. `base` is `credit="any"`, the current
# policy, n = 3, k = 4 and a progress note.
#
# One switch then got longer runs and more seeds. `motif ablate credit --seeds 4` has the recipe of the demo and 200
# held-out problems per seed. Its last cell has k = 1 besides: each reply is credited with the outcome of the one
# trajectory that it is part of, as in GRPO on whole conversations. A step then samples 192 replies, n for each of its
# 64 rows, where credit for round 1 with k = 4 samples 576.
#
# *Predict:* which switches will make no difference that 300 questions can show? What do k = 4 futures buy?

# %%
from motif_lib.studies.ablate import figure, load_grid, results_table
from motif_lib.studies.ablate import read_results as read_cells

for name in ("ablation", "credit"):
    grid, cells = load_grid(name), read_cells(RECORDED / name / "results.jsonl")
    display(results_table(grid, cells), figure(grid, cells).figure)

# %% [markdown]
# *Figures 3 and 4: accuracy of every cell, recorded; the intervals hold the spread of the seeds, the dashed line is the
# untrained model.* In figure 3 only two differences from the base are larger than that spread: with `last_text` and
# `full_history`, cut to the 60 tokens that every strategy has here, hardly a problem is solved. Whether `credit="all"`,
# 24 points ahead, is better, these runs cannot say: one and the same switch, `rollout_policy="base"`, gave 17, 88 and
# 21 % in three seeds. Short runs of RL are that noisy. A single seed can show anything.
#
# In figure 4 `all` ends ahead of `any` in each seed, by 2.7 points; one of three comparisons whose interval barely
# misses zero is a hint, not proof. Credit for round 1, the paper's, ends behind in each seed, between 50 and 86 %. And
# k = 1 is not shown to be worse than k = 4, at a third of the replies: no gain from the futures shows here. But that is
# one made-up task and one small model.
#
# Your own grid is a short YAML file, like `motif_lib/studies/grids/ablation.yaml`; a run that was stopped goes on.
#
# ## 7. Several notes, and other words
#
# `grow` lets every trajectory go on in several ways in each round, and the answers vote: `(5, 1, 1)` is
# self-consistency over five whole trajectories, `(1, 1, 5)` five answers from one path, and `keep` says which notes go
# on. Here, live, the *untrained* model. Then the trained one gets the same problems in other words, with other numbers,
# and with a sentence about somebody else's things.
#
# *Predict:* where in a trajectory is a second chance worth most? Which change of the question hurts?

# %% tags=["nbval-ignore-output"]
from motif_lib.evaluate.robustness import robustness
from motif_lib.evaluate.run import with_ids
from motif_lib.evaluate.trees import grow, majority_note, tree_report

sampler.seed(SEED)
rows = []
for widths, keep in (((1, 1, 1), list), ((1, 1, 5), list), ((3, 3, 3), majority_note), ((5, 1, 1), list)):
    report = tree_report(grow(with_ids(questions), base_sampler, widths, keep=keep), str(widths))
    name = f"{widths}, {'the most frequent note' if keep is majority_note else 'all'} carried on"
    rows.append((name, str(report.accuracy), f"{report.tokens_per_question:.0f}"))
display(Table("Trees, untrained model", ("replies in each round", "accuracy", "tokens a question"), rows))
display(robustness(questions, sampler, name="Robustness of the trained model", progress=False))

# %% [markdown]
# With so few problems the intervals of the trees overlap: another seed gives another order. The robustness of the model
# needs no more questions. It has only ever read these very sentences; new numbers are no trouble, new words are.
#
# ## 8. Open questions
#
# Each is a project of some days, and starts from a switch or a function in this notebook.
#
# - **A price for rounds.** InftyThink+ describes a penalty for many rounds. Reward a reply less for every round that
#   its trajectories use after a boxed note. Does accuracy suffer?
# - **Carry and training.** Train with `memory`, `last_text` and `full_history` (`MotifTrainer(..., carry=...)`), at
#   equal tokens. Which one wins, and on which lengths?
# - **Is the note used?** `motif_lib.evaluate.carry_probe` hands the last round an empty, a foreign and the true note.
#   Run it on checkpoints along a training: when does the note begin to matter?
# - **How large should k be?** At equal numbers of replies a step, trade k against m. The noise of k is in notebook 04.
# - **Credit.** Draw the trained round not evenly, but where groups have signal.
# - **The reference's fault, over a whole run.** Train with `rollout_policy="base"` and three seeds. From which step on
#   does it fall behind?
#
# A result counts if it has an interval, equal budgets and more than one seed: notebook 06.
#
# ## What we saw
#
# - The number of rounds at test is a free choice, and it has a price.
# - A carry strategy is a function of a few lines; a model reads the notes it was trained on best.
# - Which round is trained and who rolls out decide what the advantage means.
# - A boxed note is a signal to stop, if the model has learned to mean it.
#
# ## Next
#
# Back to [00_start_here](00_start_here.ipynb), or to a project of your own: `motif train --help`.
