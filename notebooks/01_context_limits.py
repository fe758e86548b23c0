# %% [markdown]
# # 01 · Context limits
#
# A model sees tokens, and only so many at once: its context window. Question and work share it. This notebook shows
# where a problem no longer fits, whatever the budget and however clever the model, what a wider window costs, and
# what several short ones need.
#
# **You will learn**
# - to count what a problem takes of a window, and to say from which length on one round cannot solve it;
# - to measure that cliff: accuracy as question and work outgrow the window;
# - what a longer context costs in memory and in work, and what cutting it into rounds saves.
#
# About 1 minute on two CPU cores, no GPU needed; the three exercises take about 40 minutes.

# %% [markdown]
# On a hosted runtime such as Colab the first cell installs the package, and mends what does not go with it. Where all
# is well it does nothing. Then come imports and settings: `WINDOW` belongs to the model; `BUDGET` is what the CPU
# recipe lets one of several rounds write, and `LONGEST` the number of steps of its longest problems. The sampler
# `whole` has no budget: its replies may fill the window.

# %%
from motif_lib.runtime import prepare

prepare()

# %%
# %matplotlib inline
from transformers.utils.logging import disable_progress_bar

from motif_lib import LocalSampler, load_model, load_recipe, load_task, messages, think
from motif_lib.show import plots
from motif_lib.show.colours import BLUE, GREY, VERMILLION

SEED = 0
recipe = load_recipe("cpu")
disable_progress_bar()  # of the weights
model, tokenizer = load_model()
BUDGET, WINDOW = recipe.train["max_completion_length"], model.config.max_position_embeddings
LONGEST = recipe.dial["steps"][1]
whole = LocalSampler(model, tokenizer, max_new_tokens=None, temperature=0)

# %% [markdown]
# ## 1. Tokens
#
# Before a model reads text, the tokenizer cuts it into tokens. Here is the prompt of one round, with a bar at every
# cut; it is all that the model sees. motif-tiny's tokenizer was made for Ledger problems: a word is one token, and so
# is every digit. Its chat template adds the marks of the turns, and leaves the system message out, since the tiny model
# knows its one task by heart.

# %%
(question,) = load_task("ledger", size=1, seed=SEED, steps=(3, 3))
(ids,) = whole.render([messages(question.text, round=1, num_rounds=1)])
print("|".join(tokenizer.decode([i]).replace("\n", "⏎") for i in ids))
print(f"\n{len(ids)} tokens of a window of {WINDOW}: {WINDOW - len(ids)} are left for the reply")

# %% [markdown]
# **The window holds the prompt and the reply together.** Whatever asks for more has to be refused, or cut. Many
# libraries cut silently; the reference code asks for up to 2,048 new tokens after a prompt in a window of 2,048.
# Ours refuses:

# %%
too_much = LocalSampler(model, tokenizer, max_new_tokens=WINDOW)
try:
    too_much([messages(question.text, round=1, num_rounds=1)])
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ### Exercise 1: the room for a reply
#
# *Difficulty 1 of 5, 5 minutes.* Write `room(prompt_tokens, budget, window)`: how many tokens may the reply have? Two
# limits apply: its own budget, and what the prompt leaves of the window.

# %%
def room(prompt_tokens, budget, window):
    return None  # your turn


# %%
from motif_lib.checks import context as checks

checks.check_room(room)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A minimum of two numbers. Can one of them be negative?
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def room(prompt_tokens, budget, window):
#     return max(0, min(budget, window - prompt_tokens))
# ```
#
# The context meter below computes it in the same way (`motif_lib.widgets.data.plan`).
#
# </details>
#
# ## 2. What question and work take
#
# Every day of a Ledger problem makes the question longer, and the reply too: the work of each day has to be written
# down. We count both, on ten problems of each length, with the work fully written out.

# %%
from motif_lib.protocol import reply_text
from motif_lib.tasks.ledger import note, problems


def tokens_of(days):
    drawn = problems("test", size=10, seed=SEED, steps=(days, days))
    prompts = whole.render([messages(problem.text, round=1, num_rounds=1) for problem in drawn])
    replies = [tokenizer(reply_text(p.work(), note(p, days)))["input_ids"] for p in drawn]
    return max(map(len, prompts)), max(map(len, replies)) + 1  # the end-of-turn token


taken = {days: tokens_of(days) for days in range(1, LONGEST + 1)}

# %% [markdown]
# *Predict, then look:* two steps take 52 tokens for the question and 35 for the work, four steps 66 and 53. How many
# steps fit the window?

# %%
LIMIT = max(days for days, (prompt, reply) in taken.items() if prompt + reply <= WINDOW)
for days in (2, 4, LIMIT, LIMIT + 1, LONGEST):
    prompt, reply = taken[days]
    print(f"{days:2} steps: question {prompt:3} + work {reply:3} = {prompt + reply:3} tokens, window {WINDOW}")
axes = plots.new_axes()
axes.plot(list(taken), [prompt for prompt, _ in taken.values()], color=GREY, label="question")
axes.plot(list(taken), list(map(sum, taken.values())), color=BLUE, label="question and work")
axes.axhline(WINDOW, color=VERMILLION, ls="--", label="window")
axes.set(xlabel="steps of the problem", ylabel="tokens", ylim=(0, None), xticks=range(2, LONGEST + 1, 2))
axes.legend()
axes.figure

# %% [markdown]
# *Figure 1: tokens of the question, and of question and work, against the number of steps.*
#
# *What came out:* 8 steps fit, 9 do not. Each step adds the same number of tokens, to the question and to the work,
# so both lines are straight, and two points of them were enough to know. Beyond the crossing no model that writes its
# work this way can finish in one window. That is arithmetic, not a lack of skill.
#
# ## 3. A problem that does not fit
#
# Here is one, of 12 steps. We ask for it in one round, with three budgets, and then with all that the window leaves.
#
# *Predict:* which budget gets an answer?

# %%
from motif_lib.protocol import read_answer

assert (LIMIT, LONGEST) == (8, 12)
(long_question,) = load_task("ledger", size=1, seed=SEED, steps=(LONGEST, LONGEST))
for budget in (20, 40, 60, None):
    one_round = LocalSampler(model, tokenizer, budget, temperature=0)
    (reply,) = think([long_question], one_round, num_rounds=1)[0].replies
    print(f"budget {budget or 'without end'}: {reply.tokens} tokens, answer: {read_answer(reply.text)}")
    assert not reply.finished
print(
    f"{reply.prompt_tokens} + {reply.tokens} = {reply.prompt_tokens + reply.tokens} tokens of {WINDOW}\n\n{reply.text}"
)

# %% [markdown]
# *What came out:* none. With the last one the reply fills the window to its end and breaks off in the middle of the
# work: there is no answer to grade. It is not wrong; it is missing. A larger budget would be refused, as above.
#
# What can be done? Forget the work, and keep only where it stands:
#
# ![The window fills up. In one round a problem of 12 steps fills its window of 196 tokens: the question, then the work
# of six steps and its answer; the other six do not fit and are lost. In three rounds of 60 tokens each, every round
# starts with a fresh window, which holds the question and from round 2 on a short note: four steps in each, and all 12
# are done.](../docs/window.png)
#
# *The same problem, in one window and in three. The yellow piece is the note of the round before. (The reply above gets
# a little further than the drawing: it spends no tokens on an answer.)*
#
# Each round begins with a fresh window. But it has to read the question again, and the note; what they leave is all
# that a round can write:

# %%
(last,) = whole.render([messages(long_question.text, round=3, num_rounds=3, progress="47 after day eight")])
print(f"question and note: {len(last)} tokens of {WINDOW}, left {WINDOW - len(last)}, budget of a round {BUDGET}")
assert BUDGET <= WINDOW - len(last)

# %% [markdown]
# So the budget of a round is no whim. The window leaves hardly more beside the longest question and a note, and the
# few tokens to spare are for a longer note; four days of work fit 60 tokens.
#
# ## 4. Accuracy as the problem outgrows the window
#
# Now the measurement: 54 problems of 4 to 12 steps, one round each, with all that the window leaves. The model decodes
# greedily: it always takes the most likely token.
#
# *Predict:* will accuracy fall slowly, as the problems get harder, or at one place?

# %%
from motif_lib.evaluate import evaluate

questions = load_task("ledger", size=54, seed=SEED, **recipe.dial)
report = evaluate(questions, whole, num_rounds=1, progress=False)
by_length = report.by("length")
fits = [e.value for steps, e in by_length.items() if steps <= LIMIT]
beyond = [e.value for steps, e in by_length.items() if steps > LIMIT]
print(f"accuracy up to {LIMIT} steps {sum(fits) / len(fits):.2f}, beyond {sum(beyond) / len(beyond):.2f}")
assert min(fits) > max(beyond) == 0
curve = [(steps, e.value, e.low, e.high) for steps, e in by_length.items()]
plots.accuracy_by_length({"one round, whole window": curve}, fits=LIMIT).figure

# %% [markdown]
# *Figure 2: accuracy of one round against the number of steps, six problems each, 95 % intervals.*
#
# *What came out:* at one place, and at the one that Figure 1 names. Up to it the model solves every problem; one
# step later every reply is cut off. The intervals have width even where all six are right, or none: six problems by
# themselves prove neither "always" nor "never". A window twice as long would move the cliff to 21 steps, by the same
# two lines. It would not remove it.
#
# ## 5. Then why not a longer window?
#
# Because a longer context takes memory and time. For every token it has seen, each layer keeps a key and a value: the
# **KV cache**. motif-tiny's, measured after reading the prompt of section 1:

# %%
import torch

output = model(torch.tensor([ids]), use_cache=True)
measured = sum(t.nbytes for layer in output.past_key_values.layers for t in (layer.keys, layer.values))
print(f"{measured:,} bytes for {len(ids)} tokens of {output.logits.dtype}")

# %% [markdown]
# ### Exercise 2: the size of the cache
#
# *Difficulty 2 of 5, 15 minutes.* Write `cache_bytes(config, tokens, bytes_per_number)`: the bytes that the keys
# and values of one sequence take. The config of a Transformers model says `num_hidden_layers`, `num_attention_heads`,
# `num_key_value_heads` and `hidden_size`; a head is `hidden_size / num_attention_heads` wide. The check tries a model
# whose sizes all differ; once it says "ok", your formula is compared with the number measured above.

# %%
def cache_bytes(config, tokens, bytes_per_number):
    return None  # your turn


# %%
if checks.check_cache_bytes(cache_bytes).status == "ok":
    print(cache_bytes(model.config, len(ids), 4) == measured)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Only keys and values are stored, no queries. Several query heads share one KV head.
#
# </details>
# <details><summary>Solution</summary>
#
# ```python
# def cache_bytes(config, tokens, bytes_per_number):
#     width = config.hidden_size // config.num_attention_heads
#     return 2 * config.num_hidden_layers * config.num_key_value_heads * width * tokens * bytes_per_number
# ```
#
# </details>
#
# The same for the model of the paper, Qwen2.5-3B-Instruct, from the shape in its published config. The second column
# grows with the tokens. The third is the matrix of attention scores, one number for each pair of tokens in each query
# head of one layer: it grows with their square. Fast kernels never store that matrix, but they do compute every
# number of it.

# %%
from motif_lib.models.memory import PRESETS
from motif_lib.show.tables import Table

qwen = PRESETS["Qwen/Qwen2.5-3B-Instruct"]
rows = []
for tokens in (2_048, 8_192, 32_768, 131_072):
    cache, scores = qwen.cache_bytes() * tokens, qwen.heads * tokens**2 * 2  # bfloat16: 2 bytes
    rows.append((f"{tokens:,}", f"{cache / 2**20:,.0f}", f"{scores / 2**20:,.0f}"))
Table("Qwen2.5-3B, one sequence, MiB, computed", ("tokens", "KV cache", "scores of one layer"), rows)

# %% [markdown]
# **Time:** one layer of attention in Qwen2.5-3B's shape, with all scores computed, on this CPU.
#
# *Predict:* twice the tokens, how many times as long?

# %% tags=["nbval-ignore-output"]
import time


def seconds(tokens, heads=16, width=128):
    q, k, v = torch.randn(3, heads, tokens, width)  # (heads, tokens, width) each
    start = time.perf_counter()
    (q @ k.mT / width**0.5).softmax(dim=-1) @ v  # (heads, tokens, tokens), then (heads, tokens, width)
    return time.perf_counter() - start


sizes = (128, 256, 512, 1024, 2048)
times = [1000 * min(seconds(tokens) for _ in range(3)) for tokens in sizes]
print("each size against the one before:", ", ".join(f"{b / a:.1f} times" for a, b in zip(times, times[1:])))

# %% tags=["nbval-ignore-output"]
axes = plots.new_axes()
axes.loglog(sizes, times, "o-", color=BLUE, label="measured here")
square = [times[-1] * (tokens / sizes[-1]) ** 2 for tokens in sizes]
axes.loglog(sizes, square, ":", color=GREY, label="square of the tokens, through the last point")
axes.set(xlabel="tokens", ylabel="milliseconds, best of 3", xticks=sizes, xticklabels=sizes)
axes.minorticks_off()
axes.legend()
axes.figure

# %% [markdown]
# *Figure 3: time of one attention layer against the number of tokens, both axes logarithmic.*
#
# *What came out:* there are exactly four times as many scores. The time grows as the line above the figure says: less
# than four times where fixed costs still count, and more where the scores outgrow the processor's fast memory.
#
# Now cut one long context into rounds, and count **all** the work of Qwen2.5-3B. Each token costs two operations for
# every parameter. Attention adds, in every layer, four for each token before it and each number of a query: two for the
# score, two for the sum of values. Every round reads the question again.
#
# *Predict:* three rounds in place of one, how much less work is that in all?

# %%
QUESTION, WORK = 200, 5_800  # tokens: of a prompt, of the whole work
rows, one = [], None
for n in (1, 2, 3, 6, 12, 24):
    context = QUESTION + WORK / n  # tokens of a round
    parameters = n * context * 2 * (qwen.matrices + qwen.tables) / 1e12
    attention = n * context**2 / 2 * 4 * qwen.layers * qwen.heads * qwen.head_size / 1e12
    one = one or parameters + attention
    amounts = parameters, attention, (parameters + attention) / one, qwen.cache_bytes() * context / 2**20
    rows.append((str(n), f"{context:,.0f}", *(f"{amount:,.{d}f}" for amount, d in zip(amounts, (1, 1, 2, 0)))))
columns = ("rounds", "longest context", "parameters", "attention", "all, 1 round = 1", "cache, MiB")
Table("One problem, cut into rounds: operations in 10^12, computed", columns, rows)

# %% [markdown]
# *What came out:* hardly any less. Attention does fall with the number of rounds, but at this length it was only an
# eighth of the work. The parameters are used for every token, and many rounds read the question many times: 24 rounds
# are *more* work than one. (A sampler could keep the question's cache from round to round; ours does not.)
#
# So what binds is not the work. It is the **window**, and the **memory of the cache**, which has to be held for every
# reply that is written at the same time. Both are set by the longest context, and rounds cut that down. The price: a
# round does not see the work of the rounds before it. Something has to be carried from one to the next, and it has to
# be short. That is the subject of notebook 02.
#
# ## 6. Where must it fail? Turn the dials
#
# The context meter fills the windows of several rounds with one problem. It uses the token counts of section 2, and
# it assumes a model that stops in time and writes a good note.
#
# *Predict:* it starts with 12 steps in three rounds of 60 tokens. Can two rounds do it with a larger budget? Can one,
# and with which window? Then turn the dials.

# %%
from functools import partial

from motif_lib.widgets import context_meter
from motif_lib.widgets.data import Costs, plan

question_step, reply_step = ((b - a) // (LONGEST - 1) for a, b in zip(taken[1], taken[LONGEST]))
without_note = whole.render([messages(long_question.text, round=3, num_rounds=3)])[0]
base, tags = taken[1][0] - question_step, taken[1][1] - reply_step + 1  # a note has a token more than a boxed answer
costs = Costs(base, question_step, reply_step, tags, note=len(last) - len(without_note))
print(costs)
assert costs == Costs(38, 7, 9, 18, 10)  # those of the drawing in section 3
context_meter(partial(plan, costs), steps=LONGEST, budget=BUDGET, window=WINDOW, rounds=3)

# %% [markdown]
# *What came out:* two rounds cannot, whatever the budget: the window leaves room for six steps and five. One round
# needs a window of 248 tokens (247 in section 2: the meter counts a box as long as a note). And with three rounds a
# window a little shorter than 196 would do. How short can it be?
#
# ### Exercise 3: an experiment
#
# *Difficulty 3 of 5, 20 minutes.* How short a window do n rounds need for 12 steps?
#
# 1. **Hypothesis.** Before you compute anything, write down what happens to that window when the rounds double, and
#    what it is for 100 rounds.
# 2. **Measurement.** Write `shortest_window(costs, steps, rounds)`: the smallest window in which that many rounds solve
#    the problem, if each may fill all that the window leaves. `plan(costs, steps, budget, window, rounds)` gives the
#    use of each round's window; in the last one, `.lost` says how many tokens do not fit.
# 3. **Conclusion.** Two sentences: was the hypothesis right? What does no number of rounds save?

# %%
from motif_lib.widgets.data import plan


def shortest_window(costs, steps, rounds):
    return None  # your turn


# %%
if checks.check_shortest_window(shortest_window).status == "ok":
    for rounds in (1, 2, 3, 4, 6, 12, 100):
        print(f"{rounds:3} rounds: a window of {shortest_window(costs, LONGEST, rounds)} tokens")

# %% [markdown]
# <details><summary>Hint</summary>
#
# The budget of a round may be the whole window: `plan` takes what is left of it. Try one window after the other.
#
# </details>
# <details><summary>Solution and conclusion</summary>
#
# ```python
# from itertools import count
#
# from motif_lib.widgets.data import plan
#
# def shortest_window(costs, steps, rounds):
#     return next(size for size in count(1) if not plan(costs, steps, size, size, rounds)[-1].lost)
# ```
#
# 248, 203, 186, 177, 168, 159 and 159 tokens: nothing like one half for twice the rounds, and from 12 rounds on no more
# gain. Every round pays for the question, the note, the tags and one step of work. Rounds cut down the work in a
# window, and nothing else: a question that does not fit the window by itself cannot be helped by MOTIF.
#
# </details>
#
# ## What we saw
#
# - Prompt and reply share one window. Work that does not fit is lost, not wrong, and no budget brings it back.
# - You can compute beforehand at which length one round must fail; the measured accuracy falls there.
# - A wider window moves that limit. Its cache grows with the tokens, its attention scores with their square.
# - Rounds hardly save work. They cut down the longest context, and with it the window and the cache that are needed, if
#   something short can be carried on.
#
# ## Next
#
# [02_multi_round_thinking](02_multi_round_thinking.ipynb): you write the loop that carries a note from round to round.
