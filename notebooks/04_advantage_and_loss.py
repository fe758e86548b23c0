# %% [markdown]
# # 04 · Advantage and loss
#
# We take one group of four replies by hand through everything that training does with it: from futures to rewards, from
# rewards to advantages, from advantages to a loss and a gradient. Then one function puts the parts together, and TRL
# does the same on a real step.
#
# ![A question is answered by m replies in round 1. Each reply leaves a note. From each note k futures run through
# rounds 2 and 3 to a final answer. The reward of a reply is the mean outcome of its futures; the advantage is the
# reward minus the mean of the group. The update makes round-1 replies with a positive advantage more
# likely.](../docs/one_step.png)
#
# *One step, from left to right and back. A right answer counts 2, a wrong one 0.*
#
# **You will learn**
# - what the mean outcome of k trajectories estimates, and how noisy it is with k = 4;
# - what an advantage is, when a group has none, and what dividing by its spread does;
# - where the log-probability of a token comes from, and what the clipped loss does to it;
# - what one step of the optimiser changes, with TRL's own numbers beside ours.
#
# About 1 minute on two CPU cores, no GPU needed; the three exercises and the experiment take about 65 minutes.
#
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %%
# %matplotlib inline
import numpy as np
import torch
from transformers.utils.logging import disable_progress_bar

from motif_lib import FutureAccuracy, MotifTrainer, ScriptedSampler, load_model, load_task, messages
from motif_lib.protocol import reply_text
from motif_lib.show.tables import Table

SEED = 0
m, k, n = 4, 4, 3  # the dial: m replies in a group, k trajectories from each, n rounds
torch.manual_seed(SEED)
disable_progress_bar()  # of the weights
model, tokenizer = load_model()

# %% [markdown]
# ## 1. From futures to rewards
#
# Four replies of round 1 to one question of 12 days. Their notes differ: one is complete, one stops a day earlier, one
# has a wrong sum, one says nothing. What each note is worth shows only two rounds later, so k = 4 trajectories are
# rolled out from it.

# %%
from motif_lib.tasks.ledger import DAYS_PER_ROUND, Ledger, note

(question,) = load_task("ledger", split="validation", size=1, seed=SEED, steps=(12, 12))
problem = Ledger.read(question.text)
day = DAYS_PER_ROUND  # what a round can do
total, false = str(problem.totals[day]), str(problem.totals[day] - 1)
work = problem.work(0, day)
notes = [note(problem, day), note(problem, day - 1), note(problem, day).replace(total, false), "some are left"]
works = [work, problem.work(0, day - 1), work.removesuffix(total) + false, work]
replies = [reply_text(work, note) for work, note in zip(works, notes)]
print(question.text, *replies[:2], sep="\n\n")

# %% [markdown]
# The later rounds are scripted here, so that every number can be checked by hand: round 2 hands the note on, round 3
# gives the answers of the script in turn, right or wrong.
#
# In notebook 03 you wrote the reward of MOTIF: `my_branch`, then a mean. `FutureAccuracy` is that reward as TRL calls
# it, on prompts and replies.
#
# *Predict, then run:* which four rewards follow from the script?

# %%
right, wrong = question.gold, str(int(question.gold) - 1)
script = [[right, right, right, wrong], [right, wrong, right, wrong], [wrong] * 4, [right, wrong, wrong, wrong]]
turns = {note: iter(answers) for note, answers in zip(notes, script)}


def later_round(chat):
    note = chat[-1]["content"].partition("<progress>\n")[2].partition("\n</progress>")[0]
    return reply_text("...", note if "Round 2" in chat[-1]["content"] else rf"\boxed{{{next(turns[note])}}}")


future = FutureAccuracy(ScriptedSampler(later_round), k, n)
columns = {"question": [question.text] * m, "gold": [question.gold] * m, "task": ["ledger"] * m}
rewards = future([messages(question.text, 1, n)] * m, replies, **columns)
assert rewards == [1.5, 1.0, 0.0, 0.5]
rewards

# %%
from motif_lib.verify import verify
from motif_lib.widgets import branch_tree

branch_tree(future.traces, outcome=lambda trajectory: 2.0 * verify(trajectory.final, question.gold, "ledger").correct)

# %% [markdown]
# *What came out:* three of four futures of the first note end right, 2 points each: 6 / 4 = 1.5. Two of four give 1.0,
# none 0.0, one 0.5. In the **branch tree** of the same group, move k and see the rewards change with the number of
# futures; move n to 2 and the trajectories stop before they have answered. Its last column, the advantage, is the
# subject of section 3.
#
# In the words of reinforcement learning: the note is the **state** after round 1, and the mean of outcomes sampled from
# it is a **Monte-Carlo estimate of its value**. PPO trains a second network to learn the value; here none is needed.
# VinePPO (Kazemnejad et al. 2024) estimates it the same way inside one long reply.
#
# ## 2. How noisy is k = 4?
#
# Let a reply lead to the right answer with probability p. Its true value is 2p; the reward is twice a binomial share,
# with the standard error 2√(p (1 − p) / k).
#
# *Predict, then run:* of two replies with p = 0.3 and p = 0.6, how often does the worse one get at least the reward of
# the better one, with k = 4?

# %%
from scipy.stats import binom

rng = np.random.default_rng(SEED)
print("  k   error of p = 0.3: exact   simulated   worse wins     tie   replies a question")
for size in (1, 4, 16, 64):
    exact = 2 * np.sqrt(0.3 * 0.7 / size)
    drawn = (2 * rng.binomial(size, 0.3, 100_000) / size).std()
    worse, better = (binom.pmf(np.arange(size + 1), size, p) for p in (0.3, 0.6))
    joint = np.outer(worse, better)  # (k + 1, k + 1): P(worse has i right, better has j right)
    upset, tie, cost = np.tril(joint, -1).sum(), np.trace(joint), m * (1 + size * (n - 1))
    print(f"{size:3} {exact:24.3f} {drawn:11.3f} {upset:12.1%} {tie:7.1%} {cost:20}")
    assert abs(exact - drawn) < 0.01 and (size != 4 or round(upset + tie, 3) == 0.293)

# %% [markdown]
# *What came out:* with k = 4 the worse reply wins in 10.5 % of the draws and ties in 18.8 %: in 29.3 % it gets at least
# as much. One reward of k = 4 says little: its error is about as large as the steps between the four rewards above.
# Training works all the same because the errors cancel over many groups, as they do in any stochastic gradient. A
# larger k buys precision at the price in the last column, m (1 + k (n − 1)) replies for a question; a larger group and
# more questions buy it too.
#
# Now without a script. motif-tiny writes one first reply to each of three questions of 4 to 6 days, and 64 futures of
# each are rolled out. Sixteen rewards of k = 4 from the same state:

# %% tags=["nbval-ignore-output"]
from motif_lib import LocalSampler, branch, load_recipe, lora_config
from motif_lib.records import Trajectory
from motif_lib.rewards.future import outcomes_of
from motif_lib.rounds import advance

questions = load_task("ledger", split="validation", size=3, seed=SEED, steps=(4, 6))
sampler = LocalSampler(model, tokenizer, load_recipe("cpu").train["max_completion_length"])
begun = advance([Trajectory(q, ()) for q in questions], sampler, n)
for futures in branch(begun, sampler, 64, n):
    estimates = np.reshape(outcomes_of(futures), (16, k)).mean(axis=1)
    p = estimates.mean() / 2
    formula = 2 * (p * (1 - p) / k) ** 0.5
    print(f"value {2 * p:.2f}: rewards scatter by {estimates.std():.2f}, by the formula {formula:.2f}")

# %% [markdown]
# The measured scatter follows the formula, up to its own noise. A state whose value is 0 or 2 has none.
#
# ## 3. From rewards to advantages
#
# **Intuition.** A reward of 1.0 is good news in a hard question and bad news in an easy one. So GRPO compares a reply
# only with the other replies to the same question: what counts is how far it is above or below their mean.
#
# **Formula.** advantage = (reward − mean of the group) / standard deviation of the group.
#
# **By hand.** The rewards 1.5, 1.0, 0.0 and 0.5 have the mean 0.75. The first is 0.75 above it. The squared distances
# sum to 1.25, so the sample standard deviation is √(1.25 / 3) = 0.645, and the first advantage is 0.75 / 0.645 = 1.16.

# %%
mean = sum(rewards) / m
squares = sum((r - mean) ** 2 for r in rewards)
spreads = {
    "sample std, divides by m − 1: TRL, ours": (squares / (m - 1)) ** 0.5,
    "std that divides by m: numpy's default": (squares / m) ** 0.5,
    "no division: Dr. GRPO": 1.0,
}
rows = [(name, *(f"{(r - mean) / spread:+.3f}" for r in rewards)) for name, spread in spreads.items()]
Table(f"Advantages; the group's mean is {mean}", ("", *(f"reward {r}" for r in rewards)), rows)

# %% [markdown]
# All three conventions are in use. What does the division do? It makes every group equally loud. The rewards 1, 0, 0, 0
# and the rewards 0.01, 0, 0, 0 get the same advantages, 1.5 for the first reply; without the division it gets 0.75 and
# 0.0075. That is good if a small difference matters as much as a large one, and bad if it is an accident of format.
# Section 7 is an experiment on it.
#
# ### Exercise 1: group advantages
#
# *Difficulty 2 of 5, 15 minutes.* Fill in `my_advantages(rewards)` for a tensor of shape (B, m), B groups of m
# rewards, with the sample standard deviation. A group without spread must give zeros, or nearly: add an eps to the
# spread that is larger than the rounding error of a mean, about 1e-7.


# %%
def my_advantages(rewards):
    return None  # your turn


# %%
from motif_lib.checks import advantage as checks

checks.check_group_advantages(my_advantages)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `rewards.mean(dim=1, keepdim=True)` has the shape (B, 1). torch's `std` divides by m − 1. TRL adds 1e-4 to the
# spread.
# </details>
#
# <details><summary>Solution: the library's own function</summary>
#
# ```python
# source: motif_lib.grpo.group_advantages as my_advantages
# ```
# </details>
#
# ### A group without signal
#
# If all m rewards are equal, every advantage is 0 and the question was asked for nothing. TRL logs the share of such
# **silent** groups as `frac_reward_zero_std` ([trl 3857](https://github.com/huggingface/trl/issues/3857)). It happens
# to questions that are too easy or too hard.
#
# *Predict, then run:* let m = 8 replies be equally good, each of their futures right with probability p. The group is
# silent if all m have the same number j of right futures: that has the probability Σ P(j of k right)^m, summed over j.
# At p = 0.05, which share of the groups is silent with k = 1, and which with k = 4?

# %%
from motif_lib.grpo import group_advantages
from motif_lib.show import plots

print("three equal rewards:", group_advantages(torch.tensor([[2.0, 2.0, 2.0]])).tolist())
p = np.linspace(0, 1, 101)
ax = plots.new_axes(6.5, 3.2)
for size in (1, 4):
    equal = sum(binom.pmf(j, size, p) ** 8 for j in range(size + 1))
    ax.plot(p, equal, label=f"k = {size}: {equal[5]:.0%} at p = 0.05")
    assert f"{equal[5]:.0%}" == {1: "66%", 4: "19%"}[size]
ax.set(xlabel="p, chance that a future is right", ylabel="share of groups without signal")
ax.legend()
ax.figure

# %% [markdown]
# *Figure 1: share of groups without signal, against p.*
#
# *What came out:* two of three groups with k = 1 (66 %), one of five with k = 4 (19 %). But a difference in rewards is
# not yet a difference in value: here all replies are equally good, and what k = 4 brings to light is noise, which
# averages out over many groups. k helps where the replies do differ (section 2).
#
# ## 4. The log-probability of a reply
#
# Training makes replies more or less likely. The probability of a reply is the product of those of its tokens; in
# logarithms it is a sum, so we need the log-probability of each token. The model reads prompt and reply in one go and
# gives **logits**: for each position a row of V numbers, one for each token of the vocabulary that may come *next*. So
# the row at position t says nothing about the token at t, which it has read already, but predicts the one at t + 1. The
# log-probability of token t comes from the logits at t − 1.
#
# By hand: a prompt of P = 3 tokens at positions 0 to 2, a reply of T = 2 tokens at 3 and 4. Position 2, the last one of
# the prompt, predicts the first token of the reply; position 3 predicts the second; position 4 predicts what would come
# after the reply, and is dropped. We need positions 2 and 3: `logits[:, P - 1 : -1]`.
#
# ### Exercise 2: the shift
#
# *Difficulty 2 of 5, 15 minutes.* Fill in `my_logprobs(logits, tokens)`. `logits` (N, P + T, V) are those of N prompts
# with their replies, `tokens` (N, T) are the ids of the replies alone. It gives the log-probability of each of these
# tokens, (N, T). A training takes their gradient, so no `detach()` may stand on the way.


# %%
def my_logprobs(logits, tokens):
    return None  # your turn


# %%
checks.check_logprobs(my_logprobs)

# %% [markdown]
# <details><summary>Hint</summary>
#
# P is `logits.shape[1] - tokens.shape[1]`. `log_softmax(dim=-1)` turns logits into log-probabilities.
# `values.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)` picks, at each position, the value of that token.
# </details>
#
# <details><summary>Solution: the library's own function, with the shift in front of it</summary>
#
# ```python
# source: motif_lib.grpo.token_logprobs
#
#
# def my_logprobs(logits, tokens):
#     P = logits.shape[1] - tokens.shape[1]
#     return token_logprobs(logits[:, P - 1 : -1], tokens)
# ```
# </details>
#
# The next two sections need the log-probabilities of the four replies of section 1. This cell turns the replies into
# token ids, and `log_probabilities` asks a model for them. Replies differ in length, so the short ones are padded, and
# a mask says which positions hold a token.

# %%
from peft import get_peft_model
from torch.nn.utils.rnn import pad_sequence

from motif_lib.grpo import clipped_loss, token_logprobs

prompt = torch.tensor(sampler.render([messages(question.text, 1, n)]))  # (1, P)
encoded = tokenizer([reply + tokenizer.eos_token for reply in replies], add_special_tokens=False)
ids = [torch.tensor(row) for row in encoded["input_ids"]]
tokens = pad_sequence(ids, batch_first=True)  # (m, T)
mask = torch.tensor([[t < len(row) for t in range(tokens.shape[1])] for row in ids]).float()  # (m, T)


def log_probabilities(model):
    logits = model(torch.cat([prompt.expand(m, -1), tokens], dim=1)).logits  # (m, P + T, V)
    return token_logprobs(logits[:, prompt.shape[1] - 1 : -1], tokens)  # (m, T)


# %% [markdown]
# ## 5. The clipped loss
#
# **Intuition.** Good replies should become more likely, bad ones less. But the replies were drawn by the model as it
# was, and say little about a model that is far from it. So each token may move a little, and then it is left alone.
#
# **Formula.** The **ratio** says how far a token has moved: its probability now, divided by that when it was drawn,
# exp(logp − old_logp). The objective of a token is the smaller of ratio · A and clip(ratio, 0.8, 1.2) · A, where A is
# the advantage of its reply; the loss is minus the mean over all trained tokens. So a ratio that has moved by more than
# 20 % in the wanted direction is **clipped**: the objective is constant there.
#
# **By hand.** A token had the probability 0.5 and has 0.7 now: ratio 1.4. With A = 1 the objective is
# min(1.4, 1.2) = 1.2, a constant: no gradient, far enough. With A = −1 it is min(−1.4, −1.2) = −1.4, with a gradient:
# a bad token that has become more likely is pushed back, however far it went.
#
# ![Two curves of what the loss takes against the ratio, probability now divided by probability before; both start at
# ratio 1. With a positive advantage the curve rises with the ratio up to 1.2 and is flat beyond: no gradient. With a
# negative advantage it rises as the ratio falls down to 0.8, and is flat below. In the other direction, where the
# policy moved the wrong way, nothing is clipped.](../docs/clip.png)
#
# *In the grey zone the token has moved far enough, and the gradient stops. On the other side it never stops: what went
# the wrong way can always come back.*
#
# MOTIF as trained here takes one step for each batch, so that every ratio is 1 and nothing is clipped; the clip is for
# those who reuse a batch.
#
# **And KL?** Many recipes add a second brake: β times the KL divergence, the mean of log(probability now / probability
# in the untrained model) over the model's own tokens. By hand: where every token is twice as likely as it was, that is
# log 2 = 0.69 a token; where nothing has moved, 0. It pulls the model back to where it began. Here β is 0, as in the
# recipe and by TRL's default: the reward is a program that checks an answer, so there is no learned judge to be
# outwitted, and a second copy of the model in memory is saved. `motif_lib.grpo.kl_estimate` estimates it as TRL does.
#
# ### Exercise 3: the clipped loss
#
# *Difficulty 3 of 5, 25 minutes.* Fill in `my_loss(logp, old_logp, advantages, mask)`. By the formula above it gives
# one number, minus the mean objective of the trained tokens. All are tensors: `logp`, `old_logp` and `mask` (N, T),
# `advantages` (N,); the mask is 1 at trained tokens and 0 at padding.


# %%
def my_loss(logp, old_logp, advantages, mask):
    return None  # your turn


# %%
checks.check_clipped_loss(my_loss)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `advantages.unsqueeze(1)` broadcasts against (N, T). `tensor.clamp(0.8, 1.2)` and `a.minimum(b)` keep the gradient.
# The mean over the trained tokens is a masked sum divided by `mask.sum()`.
# </details>
#
# <details><summary>Solution: the library's own function</summary>
#
# ```python
# source: motif_lib.grpo.clipped_loss as my_loss
# ```
# </details>
#
# At the first step the model that is trained is the one that sampled: every ratio is 1.
#
# *Predict, then run:* what is the loss of our four replies, and what is the gradient?

# %%
advantages = group_advantages(torch.tensor([rewards]))[0]  # (m,)
logp = log_probabilities(model).detach().requires_grad_()  # (m, T)
loss = clipped_loss(logp, logp.detach(), advantages, mask)
loss.backward()
lengths = mask.sum(dim=1)  # (m,)
print("tokens of the replies:", lengths.int().tolist())
print(f"loss {loss.item():.4f}; by hand {-(advantages * lengths).sum() / lengths.sum():.4f}")
print(f"mean of each reply first, then of the group: {advantages.mean().abs():.4f}")
print("gradient at each token of the replies:", [f"{row[0]:+.4f}" for row in logp.grad])
assert torch.allclose(logp.grad, -advantages[:, None] * mask / mask.sum(), atol=1e-6)

# %% [markdown]
# *What came out:* the advantages of a group sum to zero, so the loss is zero but for the lengths: TRL's default
# (`loss_type="dapo"`) lets every token weigh the same, and with equal lengths, or with the mean of each reply taken
# first, it is zero exactly. **The gradient is not**: each token is pulled by −advantage / number of tokens. So a loss
# near zero at the start is no sign of failure, and a falling loss none of success ([trl
# 2703](https://github.com/huggingface/trl/issues/2703), [unsloth
# 2291](https://github.com/unslothai/unsloth/issues/2291)); look at the reward and at its spread inside the groups.
#
# ## 6. One step of the optimiser
#
# The gradient says in which direction each weight should move; the optimiser moves it: weight ← weight − learning rate
# · gradient. That is all of `torch.optim.SGD`; AdamW, which the recipes use, also scales the gradient of each weight by
# its recent size. The model that is trained is called the **policy**. Here it is motif-tiny with a fresh **LoRA
# adapter**, small matrices that are added to its weights: only they move.
#
# *Predict, then run:* the advantages are +1.16, +0.39, −1.16 and −0.39. After one step, which of the four replies are
# more likely than before? Mind that they share most of their tokens: the first and the last differ in their note alone.

# %% tags=["nbval-ignore-output"]
torch.manual_seed(SEED)  # draws the adapter
policy = get_peft_model(model, lora_config(16))
optimizer = torch.optim.SGD([p for p in policy.parameters() if p.requires_grad], lr=1.0)
before = log_probabilities(policy)  # (m, T)
optimizer.zero_grad()  # forget the gradient of the step before
clipped_loss(before, before.detach(), advantages, mask).backward()  # a gradient for each weight
optimizer.step()  # move the weights
change = ((log_probabilities(policy) - before) * mask).detach()  # (m, T)
for text, gain, row, reply in zip(notes, advantages, change, tokens):
    token = tokenizer.decode(reply[row.abs().argmax()])
    print(f"{text!r:20} advantage {gain:+.2f}, log-probability {row.sum():+.3f}, most of it at {token!r}")
assert change.sum(dim=1).argmin() == 2 and 5 * change[0].sum().abs() < change[2].sum().abs()

# %% [markdown]
# *What came out:* not what the size of the advantages says. One token took nearly the whole step: the false digit,
# which the model had found very unlikely. The best reply hardly moved. Its tokens are what the model says anyway, and
# where a probability is close to 1, its logarithm has hardly any gradient. Tokens that all four replies share are
# pulled by advantages that sum to zero. So a step changes the places where replies differ and the model is not sure.
# (These replies were written by hand. In training they are sampled, and such an unlikely digit is rare.)
#
# ## 7. An experiment: divide by the spread, or not?
#
# The smallest policy there is: for each of two questions a softmax over four numbers, one for each of four replies. In
# question one a reply is right (reward 2), three are wrong (0). In question two all four are wrong, and one is written
# a little more neatly (0.02).
#
# *Predict, then run:* this is your hypothesis. We reuse one batch for 20 steps, so that the clip has something to do.
# With the division, how likely will the right reply become, and how likely the neat wrong one? And without the
# division? Every reply begins at 0.25. Write down four numbers and run; then try a gap of 0.5 in place of 0.02, or
# another learning rate.


# %%
def probabilities(rewards, scale, steps=20, lr=0.2):
    theta = torch.zeros(len(rewards), requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=lr)
    gain = group_advantages(torch.tensor([rewards]), scale=scale)[0]  # (m,)
    old = theta.log_softmax(dim=0).detach().unsqueeze(1)  # (m, 1)
    for _ in range(steps):
        optimizer.zero_grad()
        clipped_loss(theta.log_softmax(dim=0).unsqueeze(1), old, gain, torch.ones(len(rewards), 1)).backward()
        optimizer.step()
    return theta.softmax(dim=0)  # (m,)


# %%
groups = {"one reply is right": [2.0, 0.0, 0.0, 0.0], "all wrong, one is neater": [0.02, 0.0, 0.0, 0.0]}
found = {name: [probabilities(rewards, scale)[0].item() for scale in (True, False)] for name, rewards in groups.items()}
assert [round(p, 2) for both in found.values() for p in both] == [0.40, 0.40, 0.40, 0.25]
rows = [(name, *(f"{p:.2f}" for p in both)) for name, both in found.items()]
Table("Probability of the first reply after 20 steps", ("group", "divided", "not divided"), rows)

# %% [markdown]
# *What came out:* 0.40 for the right reply, divided or not: the spread of its group is 1. The clip stops it there, when
# each other reply has fallen from 0.25 to 0.20, a ratio of 0.8. The neat wrong reply gets just as far with the
# division, and stays at 0.25 without it. The division cannot know which gap matters.
#
# This is no toy: where nobody can finish the last round, all outcomes of a group are equal, and only the format
# differs. Divided by its spread, that small difference teaches the model to give up in the right format. So the recipe
# of motif-tiny says `scale_rewards: none`.
#
# **Your conclusion**, in one sentence: what did you expect, what was the number, and when would you divide?
#
# ## 8. One step in one function
#
# You have written the parts of a training step. `motif_step` puts them in order: six stages, no class, nothing hidden.
# Your functions stand in it under the library's names:
#
# | stage | in `motif_step` | you wrote |
# |---|---|---|
# | futures | `branch` | `my_branch`, in notebook 03 |
# | rewards | `mean_outcome(outcomes_of(group))` | `my_rewards`, in notebook 03 |
# | | `format_reward` | `format_score`, in notebook 03 |
# | advantages | `group_advantages` | `my_advantages` |
# | loss | `logits[:, -T - 1 : -1]`, `token_logprobs` | `my_logprobs` |
# | | `clipped_loss` | `my_loss` |
#
# ```python
# source: motif_lib.step.motif_step
# ```
#
# Here it runs: four questions, m replies to each, k trajectories from each reply, with the policy of section 6. It
# shows the rewards, one row for each question.

# %% tags=["nbval-ignore-output"]
from motif_lib import motif_step

policy.zero_grad()
questions = load_task("ledger", split="train", size=4, seed=SEED, steps=(4, 7))
sampler = LocalSampler(policy, tokenizer, sampler.max_new_tokens)
sampler.seed(SEED)
loss, step_rewards = motif_step(policy, tokenizer, questions, sampler, m, k, n)
loss.backward()
gradient = [p.grad for p in policy.parameters() if p.grad is not None]
norm = sum(part.square().sum() for part in gradient).sqrt()
step_rewards

# %% [markdown]
# ### The trainer does the same
#
# `MotifTrainer` is TRL's `GRPOTrainer` with these six stages inside. It adds what long runs need: an optimiser,
# checkpoints, logging, several GPUs. Here it takes one step on the same questions, with the same random numbers. The
# table puts its numbers beside those of `motif_step`.

# %% tags=["nbval-ignore-output"]
import tempfile

from transformers import PrinterCallback

policy.zero_grad()
sizes = dict(num_generations=m, num_trajectories=k, per_device_train_batch_size=4 * m, shuffle_dataset=False)
usual = dict(scale_rewards="group", reward_weights=None)  # TRL's defaults; notebook 05 says why the recipe has others
config = load_recipe("cpu").with_train(**sizes, **usual, max_steps=1).config(tempfile.mkdtemp(), seed=SEED)
trainer = MotifTrainer(policy, config, questions, processing_class=tokenizer)
trainer.sampler.seed(SEED)
trainer.later_sampler = trainer.sampler  # all rounds draw from one stream of random numbers, as above
trainer.remove_callback(PrinterCallback)  # the table below says it
trainer.train()
logged = trainer.state.log_history[0]

# %% tags=["nbval-ignore-output"]
silent = (step_rewards.std(dim=1) == 0).float().mean()
pairs = {
    "mean reward": (step_rewards.mean(), logged["reward"]),
    "groups without signal": (silent, logged["frac_reward_zero_std"]),
    "loss": (loss.item(), logged["loss"]),
    "norm of the gradient": (norm, logged["grad_norm"]),
}
assert all(np.isclose(mine, trl, rtol=1e-3, atol=1e-5) for mine, trl in pairs.values())
rows = [(name, f"{mine:.4f}", f"{trl:.4f}") for name, (mine, trl) in pairs.items()]
Table("One step of training", ("", "motif_step", "MotifTrainer"), rows)

# %% [markdown]
# The step trained the tokens of round 1 and nothing else: the replies of the later rounds were sampled to find out
# what the first ones are worth, and thrown away.
#
# ## What we saw
#
# - The reward of a reply is the mean outcome of its futures, a Monte-Carlo estimate of the value of its note. With
#   k = 4 and p = 0.3 its standard error is 0.46 on a scale from 0 to 2.
# - The advantage compares a reply with its own group. A group of equal rewards teaches nothing; dividing by the spread
#   makes a group of almost equal rewards as loud as any other.
# - The log-probability of a token comes from the logits one position before it.
# - The loss starts near zero whatever is to be learned; its gradient does not. Watch the reward and the spread inside
#   the groups.
# - `motif_step` is the whole method on one screen, made of what you wrote, and one step of `MotifTrainer` has its loss
#   and its gradient.
#
# ## Next
#
# [05_gsm8k_training](05_gsm8k_training.ipynb): many such steps. GRPO and MOTIF train live on this CPU, and recorded
# runs show what comes later.
