# %% [markdown]
# # 07 · Beyond the paper
#
# MOTIF as published fixes many choices: three rounds, a note in words, credit for round 1 only. Since then a dozen
# papers have argued about each of them. Here every argument is one question with one measurement and one sentence of
# verdict. Where no difference is shown, the verdict says so.
#
# **You will learn**
# - what more rounds than in training bring, and what they cost;
# - to write your own carry strategy, and to test by experiment what a note must hold;
# - which choices are shown to matter on this task, and how to put the next one to the test.
#
# About 2 minutes on two CPU cores, no GPU needed; the three exercises take about 55 minutes.

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
from motif_lib.show import plots
from motif_lib.show.tables import Table
from motif_lib.studies.recorded import RECORDED

SEED, BUDGET = 0, load_recipe("cpu").train["max_completion_length"]
disable_progress_bar()  # of the weights

# %% [markdown]
# The model is motif-tiny with a **recorded** adapter: MOTIF, trained by `motif demo` with three rounds and
# `credit="all"`. What it answers here is sampled live: 27 problems of 4 to 12 steps, or 27 shorter ones, beside which
# the window has room for longer notes. A round holds four steps.

# %%
model, tokenizer = load_model(adapter=RECORDED / "demo" / "motif-all-rounds" / "adapter")
sampler = LocalSampler(model, tokenizer, BUDGET)
questions = load_task("ledger", size=27, seed=2, steps=(4, 12))
shorter = load_task("ledger", size=27, seed=2, steps=(5, 7))

# %% [markdown]
# ## 1. How many rounds?
#
# Trained with n = 3, asked with n = 1 to 6. A round's budget stays the same, so the total grows with n.
#
# *Predict:* a problem of 12 steps takes three rounds of work. What will rounds 4 to 6 do?

# %% tags=["nbval-ignore-output"]
by_rounds = {n: evaluate(questions, sampler, n, name=f"n = {n}", seed=SEED, progress=False) for n in range(1, 7)}
points = [(n, r.accuracy.value, r.accuracy.low, r.accuracy.high) for n, r in by_rounds.items()]
tokens = ", ".join(f"{r.tokens_per_question:.0f}" for r in by_rounds.values())
print(f"tokens a question with n = 1 to 6: {tokens}")
axes = plots.accuracy_by_length({"MOTIF all rounds": points})
axes.set(xlabel="rounds n at test")
axes.figure

# %% [markdown]
# *Figure 1: accuracy against the number of rounds at test, live, with 95 % intervals; 27 problems are few.*
#
# *What came out:* three rounds solve nearly all, two about half, one only what four steps can do: a smaller n fails on
# what does not fit. A larger n can at best repeat a boxed note. It costs tokens, on easy problems too, and each round
# can spoil what was right: in our run fewer were solved with four rounds and more than with three.
#
# Now the harder question, whether a note carries further than it was trained to. **Recorded** (`motif ablate longer`):
# four seeds were trained with *two* rounds on problems of 4 to 6 steps, and then asked problems of 8 to 12 steps in 2,
# 3, 4 and 6 rounds, 150 a seed. Three rounds hold 12 steps.
#
# *Predict:* does training with two rounds help with three? Whose notes carry further, those of `credit="all"` or those
# of `first`?

# %%
from motif_lib.studies.ablate import results_table
from motif_lib.studies.verdicts import decisive, read_recorded, recorded_verdicts, verdict_table

display(results_table(*read_recorded("longer")))

# %% [markdown]
# *What came out:* it carries, more or less far. Never trained on more than six steps or two rounds, three seeds of
# `all` solve 74 % of the long problems or more in three rounds, where the untrained model solves none; the fourth
# solves 24 %. (In two rounds only those of eight steps can be solved, 20 %.) Three seeds of `first` reach 85 % and
# more, and one 20 %, so no difference is shown. Rounds beyond the third gain nothing on average.
#
# ## 2. What should be carried?
#
# Between rounds only the note survives. A carry strategy is a function `(reply, finished, previous) -> note`. Four
# from the library, on the same reply: finished, and cut off by the budget.

# %%
from motif_lib.carry import full_history, last_text, memory, progress_note
from motif_lib.protocol import reply_text

STRATEGIES = {
    "progress_note": progress_note,  # the paper
    "memory": memory,  # overwritten memory, as in MemAgent
    "last_text(60)": last_text(60),  # Markovian, as in Delethink
    "full_history": full_history,  # everything so far
}
note, whole = "12 after day zero", reply_text("=12\nday one buys 5=17\nday two loses 3=14", "14 after day two")
for name, carry in STRATEGIES.items():
    print(f"{name:14} finished: {carry(whole, True, note)!r}")
    print(f"{'':14} cut off:  {carry(whole[:46], False, note)!r}")

# %% [markdown]
# *Predict:* the model was trained with progress notes. Which of the others will work without training?

# %% tags=["nbval-ignore-output"]
def measure(strategies, n=3):
    rows = []
    for name, carry in strategies.items():
        report = evaluate(shorter, sampler, n, carry=carry, name=name, seed=SEED, progress=False)
        rows.append((name, str(report.accuracy), f"{report.prompt_tokens_per_question:.0f}"))
    return Table(f"Carry strategies, n = {n}, problems of 5 to 7 steps", ("", "accuracy", "prompt tokens"), rows)


display(measure(STRATEGIES))

# %% [markdown]
# *What came out:* `memory` alone, since it carries the same notes; with the other two a third is solved at most. A
# model understands the kind of note it was trained on. To judge a strategy fairly, train with it: `MotifTrainer(...,
# carry=memory)` takes the same function. And it needs room: beside a question of 12 steps and a reply the window leaves
# five tokens, enough for `47 after day four` and not for one word more.
#
# ### Exercise 1: salvage
#
# *Difficulty 3 of 5, 20 minutes.* A reply that the budget cut off has no answer, but it has work: lines such as
# `day two loses 3=14`. Write a strategy `salvage(reply, finished, previous)` that
# - gives the answer where there is one, of a long one the first `MAX_NOTE` characters;
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
# ### Exercise 2: an experiment with the note
#
# *Difficulty 3 of 5, 25 minutes.* A note such as `47 after day four` says two things, the total and the day. Which
# half does the next round need?
#
# 1. **Hypothesis.** Write down, before anything runs: which half alone keeps more of the accuracy? Why? Which result
#    would prove you wrong?
# 2. **Instrument.** Write `part_of(note, part)`. Of a note like `47 after day four` it gives `47` where `part` is
#    `"total"`, and `after day four` where it is `"day"`. A note of any other form, such as a box, comes back unchanged.
# 3. **Measurement.** The next cell asks 60 long problems with whole notes and with each half, paired.
# 4. **Conclusion.** Write two sentences: what is shown, and what is not.
#
# It is done when the hypothesis came first, and the conclusion claims nothing where the interval holds zero.

# %%
import re


def part_of(note, part):
    return None  # your turn


# %% [markdown]
# The check first; the measurement runs once it says "ok".

# %% tags=["nbval-ignore-output"]
from motif_lib.evaluate import compare

if checks.check_part_of(part_of).status == "ok":
    long = load_task("ledger", size=60, seed=3, steps=(5, 12))
    base = evaluate(long, sampler, 3, name="whole note", seed=SEED, progress=False)
    for part in ("total", "day"):

        def half(reply, finished, previous, part=part):
            return part_of(progress_note(reply, finished, previous), part)

        found = evaluate(long, sampler, 3, carry=half, name=part, seed=SEED, progress=False)
        display(compare(base, found))

# %% [markdown]
# <details><summary>Hint</summary>
#
# `re.fullmatch(r"(\d+) (after day \w+)", note)` is None for a note of any other form; else its groups are the halves.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# import re
#
# def part_of(note, part):
#     found = re.fullmatch(r"(\d+) (after day \w+)", note)
#     if not found:
#         return note
#     return found[1] if part == "total" else found[2]
# ```
#
# Our conclusion: of 60 problems 50 are solved with the whole note, two with the total alone and none with the day
# alone, so both halves are needed; that a note in other words would do is not shown. Without the day the next round
# does not know where to go on, without the total not from what.
#
# </details>
#
# ## 3. Which replies are trained?
#
# The paper trains replies of round 1 only (`credit="first"`), each by the mean outcome of k = 4 futures. Asked why,
# [its author wrote](https://github.com/purbeshmitra/MOTIF/issues/1) (July 7, 2025):
#
# > Our motivation was to make the model "plan" in the first round and execute the "thinking" in the subsequent rounds.
# > [...] Also, we couldn't find any other way to assign an outcome based reward over multiple rounds, that cannot be
# > hacked.
#
# One other way is `credit="all"`: whole trajectories, each reply credited with the outcome of its own. The module
# `motif_lib.credit` derives it in a few lines: it is the policy gradient of the final accuracy, so the only thing to
# hack is the check of the final answer, as in round 1. `any` draws one round for all replies to a question. With k = 1
# there are no further futures, and a step costs a third of what it costs with k = 4.
#
# **Recorded** (`motif ablate`), as all that follows: one switch at a time, in short runs of 24 steps of 4 questions,
# four seeds, 100 held-out problems a seed, greedy. The base is `credit="all"` with k = 1.
#
# *Predict:* whose rounds 2 and 3 are better, those of `first` (with k = 4 futures) or those of `all` (with none beside
# the trajectory itself)?

# %%
from dataclasses import replace

from motif_lib.studies.ablate import figure

grid, results = read_recorded("questions")
told = recorded_verdicts("questions", "losses", "notes")
display(verdict_table([v for v in told if v.question == grid.asks["credit"][0]], "Round 1 only, or all rounds?"))
figure(replace(grid, switches={"credit": grid.switches["credit"]}), results).figure

# %% [markdown]
# *Figure 2: accuracy of every way to give credit; the intervals hold the spread of the seeds, the dashed line is the
# untrained model.*
#
# *What came out:* `first` ends 29.5 points behind [-51.3, -7.7], in each of four seeds, and for three times as many
# replies a step. Its later rounds change because they share the weights, and nothing holds them: the trained reply is
# never a last one (notebook 05). It still solves twice as many problems as the untrained model. This speaks neither for
# nor against the author's worry: the check of a Ledger answer cannot be hacked.
#
# ## 4. Who rolls out?
#
# The value of a round-1 reply is *what the policy makes of it* later. The reference script calls its rollout without
# the adapter (`lora_request=None`; reference code): all later rounds are answered by the **base** model, while
# evaluation uses the adapter. `rollout_policy="base"` reproduces that; the default is `"current"`.
#
# *Predict:* in which direction will the base model's values be off? Does that matter to an advantage?

# %%
display(verdict_table([v for v in told if "rollout_policy" in v.cell], "The base model answers the later rounds"))

# %% [markdown]
# *What came out:* better by 8.8 points [+0.4, +17.1], and not worse, as we had thought. The base makes less of the same
# notes, but a constant error cancels in the group's mean; what matters is a changed order. And a partner that stays as
# it is does not drift, as the later rounds of `first` do. Still, of so many comparisons one whose interval barely
# misses zero is a hint, not proof.
#
# ## 5. When to stop
#
# A note that already holds a `\boxed{}` says that the work is done; the rounds after it cost tokens. They might also
# correct it, or spoil it. The switch is `stop`, a function of the note, which `evaluate`, `think` and `branch` take;
# `motif_lib.rounds.boxed` stops at a boxed note.
#
# *Predict:* six rounds for problems of at most seven steps: how many of the tokens does the stop save?

# %% tags=["nbval-ignore-output"]
from motif_lib.rounds import boxed

rows = []
for name, rule in (("always 6 rounds", None), ("stop at a boxed note", boxed)):
    report = evaluate(shorter, sampler, 6, name=name, seed=SEED, progress=False, stop=rule)
    rows.append((name, str(report.accuracy), f"{report.tokens_per_question:.0f}"))
display(Table("Early stop, live", ("", "accuracy", "tokens a question"), rows))

# %% [markdown]
# *What came out:* well over a third, and no loss of accuracy is to be seen: a note that boxes the answer is final.
#
# With `early_stop: true` a recipe also trains with it. Then `efficiency: 3.0` pays less for a right answer the more
# rounds it took: each outcome times 1 - ((n_used - 1) / 3)². InftyThink+, where the factor is from, published for
# R1-Distill-Qwen-1.5B on MATH-500 91.6 % at 6.1K tokens without it, and 90.0 % at 3.4K with it. Here, recorded:
# `early_stop` takes 112 tokens a question in place of 124, and `efficiency` on top 113; accuracy is 9.0 points higher
# with it, an interval of [-20.8, +38.8], so no difference is shown.
#
# ### Exercise 3: what an early stop saves
#
# *Difficulty 2 of 5, 10 minutes.* Rounds differ in length. Write `tokens_saved(trajectory)`: the tokens of the rounds
# after the first note that holds a box; 0 if there is none. A `Trajectory` has `replies`; a reply has `text`, `carried`
# (the note it hands on, empty in the last round) and `tokens`; its `prompt_tokens` do not count here.

# %%
from motif_lib.verify.extract import boxes


def tokens_saved(trajectory):
    return None  # your turn


# %% [markdown]
# Once the check says "ok", your function measures six rounds on the shorter problems.

# %% tags=["nbval-ignore-output"]
if checks.check_tokens_saved(tokens_saved).status == "ok":
    sampler.seed(SEED)
    long_runs = think(shorter, sampler, 6)
    print(f"{sum(map(tokens_saved, long_runs))} of {sum(run.tokens for run in long_runs)} tokens")

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
# ## 6. Every question, and what was measured
#
# All recorded settings in one table: those of `motif ablate questions`, as above; of `motif ablate losses`, with two
# updates for each generation; and of `motif ablate notes`, where a call of its own writes the note (`summarise`) on
# problems of 5 to 7 steps in two rounds.
#
# *Predict:* of all these choices, which matter? Which make no difference that so few seeds can show?

# %%
display(verdict_table(told, "The open questions, one switch at a time. Recorded"))
shown = decisive(told)
print(f"{len(shown)} of {len(told)} are shown to differ, the largest first:")
for v in shown:
    print(f"{v.effect.points[0]} points: {v.changes}, against {v.against}")

# %% [markdown]
# *What came out:* eight of eighteen differ. Three choices matter on this task: **what is trained** (all rounds, and not
# the note alone), **how rewards are scaled**, and, as it should be, **that the reward is the right one**. One sentence
# for each question:
#
# - **Train round 1 only?** Worse, by 29.5 points.
# - **May the base model answer the later rounds?** Where only round 1 is trained that may even help.
# - **Do notes decay without a gradient?** Not shown: with the reasoning alone trained, 7.5 points less, and the
#   interval holds zero. With the note alone trained nothing is learned: a day has to be worked out before it is noted.
# - **Reward the note itself?** Not shown to differ; two of four seeds learned late.
# - **How far ahead must credit look?** Not shown to differ: even with h = 0, where a note earns nothing, it learns.
# - **Do fewer rounds cost accuracy?** Not shown to differ; the stop saves a tenth of the tokens.
# - **Did the right reward teach it?** Yes: with a random one 13.2 %, with its opposite 2.8 %, and 34.2 % without
#   training.
# - **Scale each reward by itself?** Dividing the sum by its spread costs 51.2 points: giving up in good format pays
#   (notebook 05). Dividing each reward by its own spread before wins 32.8 of them back.
# - **Which loss?** Not shown to differ. GRPO's own ends at 96 to 100 % in all four seeds; Dr. GRPO and GSPO each fall
#   to 2 % in one of them.
# - **Does a call of its own write a better note?** No: it costs more tokens and ends 21.0 points behind. But motif-tiny
#   had never seen such a prompt, and RL alone taught it that. Left untrained, the call costs another 13.3 points, an
#   interval that holds zero.
#
# "Not shown to differ" does not mean equal: the interval says how large a difference may still hide. And this is one
# made-up task and one small model.
#
# ## 7. Several notes, and other words
#
# `grow` lets every trajectory go on in several ways in each round, and the answers vote: `(5, 1, 1)` is
# self-consistency over five whole trajectories, `(1, 1, 5)` five answers from one path. Here the *untrained* model.
# Then the trained one gets the same problems in other words, with other numbers, and with a sentence about somebody
# else's things.
#
# *Predict:* where in a trajectory is a second chance worth most? Which change of the question hurts?

# %% tags=["nbval-ignore-output"]
from motif_lib.evaluate.robustness import robustness
from motif_lib.evaluate.run import with_ids
from motif_lib.evaluate.trees import grow, tree_report

sampler.seed(SEED)
rows = []
with model.disable_adapter():
    for widths in ((1, 1, 1), (1, 1, 5), (5, 1, 1)):
        report = tree_report(grow(with_ids(shorter), sampler, widths), str(widths))
        rows.append((str(widths), str(report.accuracy), f"{report.tokens_per_question:.0f}"))
display(Table("Trees, untrained model", ("replies in each round", "accuracy", "tokens a question"), rows))
display(robustness(shorter, sampler, name="Robustness of the trained model", progress=False))

# %% [markdown]
# *What came out:* a vote over several replies helps. Five whole trajectories may be ahead of five last answers, at
# twice the tokens: a note that went wrong cannot be mended in the last round. With so few problems the intervals
# overlap, and another seed gives another order. The model has only ever read these very sentences: new numbers are
# little trouble, but other words are, and a sentence about somebody else.
#
# ## 8. A project of your own
#
# Put the next question to the test, alone or in a group, in some days. Hand in one page with five headings:
#
# 1. **Question.** One sentence, one switch, and where it comes from.
# 2. **Hypothesis.** Which way, by about how many points, and which result would prove you wrong.
# 3. **Plan.** A grid, a copy of `motif_lib/studies/grids/losses.yaml` with your values; the seeds; the questions; what
#    it costs: time one seed, and multiply. Are the tokens equal? From the spread of the seeds in section 3: could so
#    few runs show the effect that you expect?
# 4. **Measurement.** `motif ablate mine.yaml --seeds 4 --out runs/mine`; a run that was stopped goes on.
# 5. **Conclusion.** The row of your table, its verdict, and one sentence on what it does not show.
#
# **It is done when** hypothesis and plan were written before the first run, each setting has at least four seeds and an
# interval, budgets are equal or both costs are stated, failed runs are told, and somebody else gets your table from
# your command. "Not shown to differ" is a full result; a better number of one seed is none.
#
# Questions that nobody has answered here:
#
# - **Carry and room.** With shorter problems (`dial: {steps: [5, 7]}` in a copy of the recipe) notes may be longer.
#   Train with `memory`, `last_text` and `full_history`, at equal tokens. Which one wins, and on which lengths?
# - **The price of rounds.** Turn `efficiency` from 2.1 to 6, and draw accuracy against tokens. Where is the knee?
# - **When does the note begin to matter?** `note_use` in a recipe hands the last round an empty, a foreign and the true
#   note at every checkpoint. What happens first, better notes or better reading?
# - **Futures or questions?** At equal numbers of replies a step, trade k against m. The noise of k is in notebook 04.
# - **Where to look.** Draw the trained round not evenly, but where groups have signal.
#
# ## Next
#
# Back to [00_start_here](00_start_here.ipynb), or to your project: `motif ablate --help`.
