# %% [markdown]
# # 01 · Context limits
#
# A model sees tokens, and only so many at once. This notebook shows what a window is, what it costs to widen it, and
# where a single round must fail, however clever the model is.
#
# **You will learn**
# - to count what a problem takes of a window, and to say from which length on one round cannot solve it;
# - to measure that: accuracy as the problem outgrows the token budget;
# - what attention keeps in memory and how its time grows, and what several short contexts save.
#
# About 1 minute on two CPU cores, no GPU needed; the two exercises take about 20 minutes.

# %% [markdown]
# On a hosted runtime such as Colab the first cell installs the package, and mends what does not go with it. Where all
# is well it does nothing. Then come imports and settings: `BUDGET` is the number of tokens a reply may have, as in the
# CPU recipe; `WINDOW` belongs to the model.

# %%
from motif_lib.runtime import prepare

prepare()

# %%
from motif_lib import LocalSampler, load_model, load_recipe, load_task, messages, think
from motif_lib.evaluate import evaluate
from motif_lib.protocol import reply_text
from motif_lib.show import plots
from motif_lib.show.colours import BLUE, GREY, VERMILLION
from motif_lib.show.tables import Table
from motif_lib.tasks import ledger

# %%
# %matplotlib inline
import torch
from transformers.utils.logging import disable_progress_bar

SEED = 0
torch.manual_seed(SEED)
disable_progress_bar()  # of the weights
model, tokenizer = load_model()
BUDGET, WINDOW = load_recipe("cpu").train["max_completion_length"], model.config.max_position_embeddings
greedy = LocalSampler(model, tokenizer, BUDGET, temperature=0)

# %% [markdown]
# ## 1. Tokens
#
# Before a model reads text, the tokenizer cuts it into tokens. Here is the prompt of one round, cut where the
# tokenizer cuts it: all that the model sees. motif-tiny's tokenizer was made for Ledger problems: a word is one token,
# and so is every digit. Its chat template adds the marks of the turns, and leaves the system message out, since the
# tiny model knows its one task by heart.

# %%
(question,) = load_task("ledger", size=1, seed=SEED, steps=(3, 3))
(ids,) = greedy.render([messages(question.text, round=1, num_rounds=1)])
print("|".join(tokenizer.decode([i]).replace("\n", "⏎") for i in ids))
print(f"\n{len(ids)} tokens; window {WINDOW}, budget of a reply {BUDGET}")

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


# %% [markdown]
# The check asks for prompts of all sizes.

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
# ## 2. What a problem takes
#
# Every day of a Ledger problem makes the question longer, and the reply too: the work of each day has to be written
# down. We count both, on ten problems of each length, with the work fully written out.

# %%
from statistics import fmean

from motif_lib.tasks.ledger import note


def tokens_of(days):
    drawn = ledger.problems("test", size=10, seed=SEED, steps=(days, days))
    prompts = greedy.render([messages(problem.text, round=1, num_rounds=1) for problem in drawn])
    replies = [tokenizer(reply_text(p.work(), note(p, days)))["input_ids"] for p in drawn]
    return fmean(map(len, prompts)), fmean(map(len, replies)) + 1  # the end-of-turn token


taken = {days: tokens_of(days) for days in range(1, 13)}

# %% [markdown]
# *Predict, then look:* at how many steps does the reply first need more than the budget?

# %%
axes = plots.new_axes()
axes.plot(list(taken), [prompt for prompt, _ in taken.values()], color=GREY, label="prompt")
axes.plot(list(taken), [reply for _, reply in taken.values()], color=BLUE, label="reply, all work written")
axes.axhline(BUDGET, color=VERMILLION, ls="--", label="budget of a reply")
axes.set(xlabel="steps of the problem", ylabel="tokens (mean of 10 problems)", ylim=(0, None))
axes.legend()
axes.figure

# %% [markdown]
# *Figure 1: tokens of prompt and reply against the number of steps.* The reply crosses the budget; beyond that
# point, no model that writes its work this way can finish in one round. That is arithmetic, not a lack of skill:

# %%
LIMIT = max(days for days, (_, reply) in taken.items() if reply <= BUDGET)
print(f"up to {LIMIT} steps of work fit {BUDGET} tokens, {LIMIT + 1} do not")
assert all(reply > BUDGET for days, (_, reply) in taken.items() if days > LIMIT)

# %% [markdown]
# ## 3. Accuracy as the problem outgrows the budget
#
# Now the measurement: the same problems in one round, once with the budget and once with twice as many tokens. The
# model decodes greedily: it always takes the most likely token.

# %%
questions = load_task("ledger", size=72, seed=SEED, steps=(1, 12))
reports = {}
for budget in (BUDGET, 2 * BUDGET):
    sampler = LocalSampler(model, tokenizer, budget, temperature=0)
    reports[f"budget {budget}"] = evaluate(questions, sampler, num_rounds=1, progress=False)
curves = {}
for name, report in reports.items():
    curves[name] = [(steps, e.value, e.low, e.high) for steps, e in report.by("length").items()]
beyond = fmean(accuracy for steps, accuracy, *_ in curves[f"budget {BUDGET}"] if steps > LIMIT + 1)
print(f"beyond {LIMIT + 1} steps, budget {BUDGET}: accuracy {beyond:.2f}")
assert beyond <= 0.2
plots.accuracy_by_length(curves).figure

# %% [markdown]
# *Figure 2: accuracy of one round against the number of steps, six problems each, 95 % intervals.* With the budget it
# falls to the floor where Figure 1 says it must. Twice the budget moves the cliff; it does not remove it.
#
# What does such a failure look like? The reply breaks off in the middle of the work, and there is no answer to grade.
# It is not wrong; it is missing.

# %%
(long_question,) = load_task("ledger", size=1, seed=SEED + 1, steps=(10, 10))
(trajectory,) = think([long_question], greedy, num_rounds=1)
(reply,) = trajectory.replies
print(reply.text)
print(f"\nfinished: {reply.finished}, {reply.tokens} of {BUDGET} tokens, gold answer {long_question.gold}")
assert not reply.finished and reply.tokens == BUDGET

# %% [markdown]
# ## 4. Then why not a longer window?
#
# Because a longer context takes memory and time. For every token it has seen, each layer keeps a key and a value: the
# **KV cache**. motif-tiny's, measured after reading the prompt above:

# %%
output = model(torch.tensor([ids]), use_cache=True)
measured = sum(t.nbytes for layer in output.past_key_values.layers for t in (layer.keys, layer.values))
print(f"{measured:,} bytes for {len(ids)} tokens of {output.logits.dtype}")

# %% [markdown]
# ### Exercise 2: the size of the cache
#
# *Difficulty 2 of 5, 15 minutes.* Write `cache_bytes(config, tokens, bytes_per_number)`: the bytes that the keys
# and values of one sequence take. The config of a Transformers model says `num_hidden_layers`, `num_attention_heads`,
# `num_key_value_heads` and `hidden_size`; a head is `hidden_size / num_attention_heads` wide. Your function should
# give the number measured above.

# %%
def cache_bytes(config, tokens, bytes_per_number):
    return None  # your turn


# %% [markdown]
# The check tries a model whose sizes all differ. Once it says "ok", your formula meets the measurement.

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
# *What came out:* the number of scores grows exactly four times. The time grows as the line above the figure says:
# less than four times where fixed costs still count, and more where the scores outgrow the processor's fast memory.
#
# Now cut one long context into rounds, and count **all** the work of Qwen2.5-3B. Each token costs two operations for
# every parameter, and in attention four for each token before it, each layer and each number of a query: two for the
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
# *What came out:* hardly any. Attention does fall with the number of rounds, but at this length it was only an eighth
# of the work. The parameters are used for every token, and many rounds read the question many times: 24 rounds are
# *more* work than one. (A sampler that keeps the question's cache saves that reading; ours does.)
#
# So what binds is not the work. It is the **window**, and the **memory of the cache**, which has to be held for every
# reply that is written at the same time. Both count the longest context, and rounds cut that down. The price: a piece
# does not see the pieces before it. Something has to be carried from one to the next, and it has to be short. That is
# the subject of notebook 02.
#
# ## 5. Where must it fail? Turn the dials
#
# The context meter fills the windows of several rounds with one problem. It uses the token counts of section 2, and
# it assumes a model that stops in time and writes a good note.
#
# Start with twelve steps in three rounds, then take rounds away: which is the smallest number that solves it? With
# one round, which budget would it need? At how many steps does the window itself become the limit?

# %%
from functools import partial

from motif_lib.widgets import context_meter
from motif_lib.widgets.data import Costs, plan

(prompt_1, reply_1), (prompt_12, reply_12) = taken[1], taken[12]
question_step, reply_step = round((prompt_12 - prompt_1) / 11), round((reply_12 - reply_1) / 11)
note_tokens = len(tokenizer(note(ledger.problems("test", 1)[0], 2))["input_ids"])
base, tags = round(prompt_1) - question_step, round(reply_1) - reply_step  # of a problem without steps
costs = Costs(base, question_step, reply_step, tags, note_tokens)
print(costs)
context_meter(partial(plan, costs), steps=12, budget=BUDGET, window=WINDOW, rounds=3)

# %% [markdown]
# ## What we saw
#
# - Prompt and reply share one window, and a reply has a budget. Work that does not fit is lost, not wrong.
# - You can compute beforehand at which length one round must fail; the measured accuracy falls there.
# - A wider window moves that limit. Its cache grows with the tokens, its attention work with their square.
# - Several short contexts hold a smaller cache than one long context, for about the same work in all, if something
#   short can be carried on.
#
# ## Next
#
# [02_multi_round_thinking](02_multi_round_thinking.ipynb): you write the loop that carries a note from round to round.
