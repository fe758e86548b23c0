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
# - what an advantage is, when a group has none, and why the loss starts near zero;
# - what the clipped loss does to the tokens of round 1, with TRL's own numbers beside ours.
#
# About 1 minute on two CPU cores, no GPU needed; the three exercises take about 45 minutes.
#
# On a hosted runtime such as Colab this cell installs the package, and mends what does not go with it. Where all is
# well it does nothing.

# %%
from motif_lib.runtime import prepare

prepare()

# %% [markdown]
# The dial of this notebook: m replies in a group, k trajectories from each, n rounds.

# %%
# %matplotlib inline
import numpy as np
import torch
from transformers.utils.logging import disable_progress_bar

from motif_lib import FutureAccuracy, MotifTrainer, Question, ScriptedSampler, load_model, messages
from motif_lib.protocol import reply_text
from motif_lib.show.tables import Table

SEED = 0
m, k, n = 4, 4, 3
torch.manual_seed(SEED)
disable_progress_bar()  # of the weights
model, tokenizer = load_model()

# %% [markdown]
# ## 1. From futures to rewards
#
# Four replies of round 1 to one question. Their notes differ: one is complete, one stops a day earlier, one has a
# wrong sum, one says nothing. What each note is worth shows only two rounds later, so k = 4 trajectories are rolled
# out from it.

# %%
from motif_lib.tasks.ledger import Ledger, note

problem = Ledger("Ann", "apples", ("buys", "loses", "finds", "sells"), (5, -3, 4, -2), (12, 17, 14, 18, 16))
question = Question(problem.text, gold="16")
complete, early, wrong = note(problem, 2), note(problem, 1), note(problem, 2).replace("14", "13")
works = [problem.work(0, 2), problem.work(0, 1), problem.work(0, 2).replace("14", "13"), problem.work(0, 2)]
notes = [complete, early, wrong, "some apples are left"]
replies = [reply_text(work, note) for work, note in zip(works, notes)]
print(question.text, *replies[:2], sep="\n\n")

# %% [markdown]
# The later rounds are scripted here, so that every number can be checked by hand: round 2 hands the note on, round 3
# gives the answers of the script in turn. The right one is 16.
#
# `FutureAccuracy`, the reward of MOTIF, asks a sampler for the later rounds and gives each reply the mean outcome of
# its trajectories: 2 for a right final answer, 0 for a wrong one (the scale of the reference code). **Predict** the
# four rewards from the script, then run.

# %%
answers = [[16, 16, 16, 9], [16, 9, 16, 9], [15, 15, 15, 15], [16, 9, 9, 9]]
turns = {note: iter(given) for note, given in zip(notes, answers)}


def later_round(chat):
    note = chat[-1]["content"].partition("<progress>\n")[2].partition("\n</progress>")[0]
    return reply_text("...", note if "Round 2" in chat[-1]["content"] else rf"\boxed{{{next(turns[note])}}}")


traces = []
future = FutureAccuracy(ScriptedSampler(later_round), k, n, on_traces=traces.extend)
columns = {"question": [question.text] * m, "gold": [question.gold] * m, "task": ["ledger"] * m}
rewards = future([messages(question.text, 1, n)] * m, replies, **columns)
print(rewards)
assert rewards == [1.5, 1.0, 0.0, 0.5]

# %% [markdown]
# The same group as a **branch tree**. Move k and see the rewards change with the number of futures; move n to 2 and
# the trajectories stop before they have answered. The last column, the advantage, is the subject of section 3.

# %%
from motif_lib.verify import verify
from motif_lib.widgets import branch_tree

branch_tree(traces, outcome=lambda trajectory: 2.0 * verify(trajectory.final, question.gold, "ledger").correct)

# %% [markdown]
# In the words of reinforcement learning: the note is the **state** after round 1, and the mean of outcomes sampled from
# it is a **Monte-Carlo estimate of its value**. PPO trains a second network to learn the value; here none is needed.
# VinePPO (Kazemnejad et al. 2024) estimates it the same way inside one long reply.
#
# ### Exercise 1: rewards from outcomes
#
# *Difficulty 1 of 5, 5 minutes.* Fill in `my_rewards(outcomes)`: a list with the k outcomes of each reply goes in,
# the m rewards come out. An outcome is None where the answer could not be graded, which is neither right nor wrong. The
# cell below your function checks it.


# %%
def my_rewards(outcomes):
    return None  # your turn


# %%
from motif_lib.checks import advantage as checks

checks.check_future_reward(my_rewards)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Filter out None first. What is the reward if nothing is left?
# </details>
#
# <details><summary>Solution: the library's own function</summary>
#
# ```python
# from statistics import fmean
#
#
# source: motif_lib.rewards.future.mean_outcome
#
#
# def my_rewards(outcomes):
#     return [mean_outcome(row) for row in outcomes]
# ```
# </details>
#
# ## 2. How noisy is k = 4?
#
# Let a reply lead to the right answer with probability p. Its true value is 2p; the reward is twice a binomial share,
# with the standard error 2√(p (1 − p) / k). **Predict, then run.** Of two replies with p = 0.3 and p = 0.6, how often
# does the worse one get at least the reward of the better one, with k = 4?

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
    assert abs(exact - drawn) < 0.01

# %% [markdown]
# One reward of k = 4 says little: its error is about as large as the steps between the four rewards of section 1.
# Training works all the same because the errors cancel over many groups, as they do in any stochastic gradient. A
# larger k buys precision at the price in the last column, m (1 + k (n − 1)) replies for a question; a larger group and
# more questions buy it too.
#
# Now without a script. motif-tiny writes one first reply to each of three questions, and 64 futures of each are
# rolled out. Sixteen rewards of k = 4 from the same state:

# %% tags=["nbval-ignore-output"]
from motif_lib import LocalSampler, branch, load_recipe, load_task, lora_config
from motif_lib.records import Trajectory
from motif_lib.rewards.future import outcomes_of
from motif_lib.rounds import advance

questions = load_task("ledger", split="validation", size=3, seed=SEED, steps=(2, 4))
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
# A reward of 1.0 is good news in a hard question and bad news in an easy one. GRPO compares a reply with the other
# replies to the same question: advantage = (reward − mean of the group) / standard deviation of the group.

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
# All three conventions are in use. They differ by a factor in one group, and between groups in how much an easy or
# hard question weighs.
#
# ### Exercise 2: group advantages
#
# *Difficulty 2 of 5, 15 minutes.* Fill in `my_advantages(rewards)` for a tensor of shape (B, m), B groups of m
# rewards, with the sample standard deviation. A group without spread must give zeros.


# %%
def my_advantages(rewards):
    return None  # your turn


# %%
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
# If all m rewards are equal, every advantage is 0 and the question was asked for nothing; TRL logs their share as
# `frac_reward_zero_std` ([trl 3857](https://github.com/huggingface/trl/issues/3857)). It happens to questions
# that are too easy or too hard. How often does it happen to m = 8 replies that are all equally good, right with
# probability p? All rewards are equal with probability Σ P(j of k right)^m, summed over j.

# %%
from motif_lib.grpo import group_advantages
from motif_lib.show import plots

print("three equal rewards:", group_advantages(torch.tensor([[2.0, 2.0, 2.0]])).tolist())
p = np.linspace(0, 1, 101)
ax = plots.new_axes(6.5, 3.2)
for size in (1, 4):
    equal = sum(binom.pmf(j, size, p) ** 8 for j in range(size + 1))
    ax.plot(p, equal, label=f"k = {size}: {equal[5]:.0%} at p = 0.05")
ax.set(xlabel="p, chance that a future is right", ylabel="share of groups without signal")
ax.legend()
ax.figure

# %% [markdown]
# *Figure 1: share of groups without signal, against p.* A larger k makes silent groups rare. But a difference in
# rewards is not yet a difference in value: here all replies are equally good, and what k = 4 brings to light is noise,
# which averages out over many groups. k helps where the replies do differ (section 2).
#
# ## 4. From advantages to a loss
#
# The loss needs the log-probability that the model gives to each token of the four replies. Here they are computed
# with motif-tiny. Replies differ in length, so a mask says which positions hold a token.

# %%
from torch.nn.utils.rnn import pad_sequence

from motif_lib.grpo import clipped_loss, token_logprobs

prompt = torch.tensor(sampler.render([messages(question.text, 1, n)]))  # (1, P)
encoded = tokenizer([reply + tokenizer.eos_token for reply in replies], add_special_tokens=False)
ids = [torch.tensor(row) for row in encoded["input_ids"]]
tokens = pad_sequence(ids, batch_first=True)  # (m, T)
mask = torch.tensor([[t < len(row) for t in range(tokens.shape[1])] for row in ids]).float()  # (m, T)


def log_probabilities(model):
    both = torch.cat([prompt.expand(m, -1), tokens], dim=1)  # (m, P + T)
    logits = model(both).logits[:, prompt.shape[1] - 1 : -1]  # (m, T, V)
    return token_logprobs(logits, tokens)  # (m, T)


# %% [markdown]
# At the first step the model that is trained is the one that sampled: every ratio of probabilities is 1. **Predict,
# then run.** What is the loss, and what is the gradient?

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
# The advantages of a group sum to zero, so the loss is zero but for the lengths: TRL's default (`loss_type="dapo"`)
# lets every token weigh the same, and with equal lengths, or with the mean of each reply taken first, it is zero
# exactly. **The gradient is not**: each token is pulled by −advantage / number of tokens. So a loss near zero at the
# start is no sign of failure, and a falling loss none of success ([trl
# 2703](https://github.com/huggingface/trl/issues/2703), [unsloth
# 2291](https://github.com/unslothai/unsloth/issues/2291)); look at the reward and at its spread inside the groups.
#
# Where does the gradient lead? Here is the smallest policy there is: four numbers, a softmax over them, and each
# reply is one token with probability 1/4. Eight steps on the same group:

# %%
theta = torch.zeros(m, requires_grad=True)
optimizer = torch.optim.SGD([theta], lr=0.3)
old = theta.log_softmax(dim=0).detach().unsqueeze(1)  # (m, 1)
print("step    loss   clipped   ratio of each reply: probability now / before")
for step in range(8):
    new = theta.log_softmax(dim=0).unsqueeze(1)  # (m, 1)
    loss, ratio = clipped_loss(new, old, advantages, torch.ones(m, 1)), (new - old).exp().squeeze(1)
    clipped = ((ratio - 1) * advantages.sign() > 0.2).sum()
    print(f"{step:4} {round(loss.item(), 3) + 0.0:7.3f} {clipped:9}  ", *(f"{r:7.2f}" for r in ratio.tolist()))
    optimizer.zero_grad(), loss.backward(), optimizer.step()
assert ratio[0] > ratio[1] > 1 > ratio[3] > ratio[2]

# %% [markdown]
# Replies move in the order of their advantages. A ratio that has moved by more than 20 % in the wanted direction is
# **clipped**: the loss takes the smaller of ratio · A and clipped ratio · A, which is constant there, and the gradient
# stops. MOTIF as trained here makes one step for each batch, so that nothing is clipped at all; clipping is for those
# who reuse a batch.
#
# ![Two curves of what the loss takes against the ratio, probability now divided by probability before; both start at
# ratio 1. With a positive advantage the curve rises with the ratio up to 1.2 and is flat beyond: no gradient. With a
# negative advantage it rises as the ratio falls down to 0.8, and is flat below. In the other direction, where the
# policy moved the wrong way, nothing is clipped.](../docs/clip.png)
#
# *In the grey zone the token has moved far enough, and the gradient stops. On the other side it never stops: what went
# the wrong way can always come back.*
#
# ### Exercise 3: the clipped loss
#
# *Difficulty 3 of 5, 25 minutes.* Fill in `my_loss`: with ratio = exp(logp − old_logp), the negative mean over the
# trained tokens of min(ratio · A, clip(ratio, 0.8, 1.2) · A). All are tensors: `logp`, `old_logp` and `mask` (N, T),
# `advantages` (N,).


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
# ## 5. One step in one function
#
# You have met every part of a training step. `motif_step` puts them in order: six stages, no class, nothing hidden.
# Read it from top to bottom; the shapes are those of this notebook. Then run it: four questions, m replies to each,
# k trajectories from each reply. The policy is motif-tiny with a fresh LoRA adapter; only the adapter gets a gradient.

# %%
import inspect

from IPython.display import Markdown

from motif_lib import motif_step

Markdown("```python\n" + inspect.getsource(motif_step).split('"""')[2] + "```")

# %% tags=["nbval-ignore-output"]
from peft import get_peft_model

torch.manual_seed(SEED)  # draws the adapter
policy = get_peft_model(model, lora_config(16))
questions = load_task("ledger", split="train", size=4, seed=SEED, steps=(2, 4))
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
# - The reward of a reply is the mean outcome of its futures, a Monte-Carlo estimate of the value of its note. With k
#   = 4 and p = 0.3 its standard error is 0.46 on a scale from 0 to 2.
# - The advantage compares a reply with its own group. A group of equal rewards teaches nothing.
# - The loss starts near zero whatever is to be learned; its gradient does not. Watch the reward and the spread inside
#   the groups.
# - `motif_step` is the whole method on one screen, and one step of `MotifTrainer` has its loss and its gradient.
#
# ## Next
#
# [05_gsm8k_training](05_gsm8k_training.ipynb): many such steps. GRPO and MOTIF train live on this CPU, and recorded
# runs show what comes later.
