"""Wrong answers to the exercises on numbers (notebooks 00, 01, 02, 04, 05, 06): (what the check must say, function).

Each is what a learner may well write; the table of all checks is in `test_checks.py`.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import count
from statistics import fmean
from types import SimpleNamespace

import numpy as np
import torch
from scipy.stats import beta, binomtest, chi2, fisher_exact

from motif_lib.evaluate.statistics import mcnemar, wilson
from motif_lib.grpo import clipped_loss, group_advantages, token_logprobs
from motif_lib.widgets.data import plan

# --- 00: replies that one question costs

COSTS = [
    ("once for every future", lambda m, k, n: m * k * n),
    ("round 1 is left out", lambda m, k, n: m * k * (n - 1)),
    ("after the first, not n (", lambda m, k, n: m * (1 + k * n)),
    ("not n - 2", lambda m, k, n: m * (1 + k * (n - 2))),
    ("futures are missing", lambda m, k, n: m * n),
    ("multiply by m", lambda m, k, n: m + k * (n - 1)),
    ("not one", lambda m, k, n: m * (1 + k)),
    ("branches once", lambda m, k, n: m * k ** (n - 1)),
    ("whatever k is", lambda m, k, n: 32 if n == 4 else m * k),
    ("only the k futures go on", lambda m, k, n: m * (1 + k) * (n - 1)),
    ("multiply the two", lambda m, k, n: m * (k + n - 1)),
    ("small sizes only", lambda m, k, n: {4: 32, 1: m, 3: 72}.get(n, 0)),
]

# --- 02: the smallest budget at which three rounds beat one


def leads(one, three, margin=1):
    return [budget for budget in sorted(one) if three[budget] - one[budget] >= margin]


BUDGETS = [
    ("a lead of one question is luck", lambda one, three, margin: min(leads(one, three), default=None)),
    ("already", lambda one, three, margin: max(leads(one, three, margin), default=None)),
    ("both solve the same", lambda one, three, margin: max(three, key=lambda b: (three[b], b))),
    ("not the lead", lambda one, three, margin: next((three[b] - one[b] for b in leads(one, three, margin)), None)),
    ("not what is solved", lambda one, three, margin: next((three[b] for b in leads(one, three, margin)), None)),
    ("exactly `margin`", lambda one, three, margin: min(leads(one, three, margin + 1), default=None)),
    ("whatever order", lambda one, three, margin: next((b for b in one if three[b] - one[b] >= margin), None)),
    ("with margin=1", lambda one, three, margin: min(leads(one, three, 4), default=None)),
    ("with margin=1", lambda one, three, margin: min(leads(one, three, 2), default=None)),
    (
        "different orders",
        lambda one, three, margin: min(
            (b for b, x, y in zip(one, one.values(), three.values()) if y - x >= margin), default=None
        ),
    ),
    ("nowhere, give None", lambda one, three, margin: min(leads(one, three, margin), default=0)),
    ("nowhere, give None", lambda one, three, margin: min(leads(one, three, margin), default=float("inf"))),
    (
        "a lead of one round",
        lambda one, three, margin: min((b for b in one if abs(three[b] - one[b]) >= margin), default=None),
    ),
    (
        "nowhere, give None",
        lambda one, three, margin: min(leads(one, three, margin), default=0 if margin == 1 else None),
    ),
    ("the lead counts", lambda one, three, margin: next((b for b in leads(one, three) if three[b] >= margin), None)),
    (
        "however many one round solves",
        lambda one, three, margin: next((b for b in leads(one, three, margin) if three[b] >= 2 * one[b]), None),
    ),
]

# --- 01: the room that a prompt leaves, and the bytes of the cache

ROOMS = [
    ("the budget is forgotten", lambda prompt, budget, window: max(0, window - prompt)),
    ("room of the prompt", lambda prompt, budget, window: window - budget),
    ("this is the whole window", lambda prompt, budget, window: window),
    ("here the budget ends", lambda prompt, budget, window: min(budget, window - prompt - budget) // 2),
    ("the window is forgotten", lambda prompt, budget, window: budget),
    ("this is the prompt", lambda prompt, budget, window: budget if prompt == 100 else prompt),
    ("leaves 0 tokens, not less", lambda prompt, budget, window: min(budget, window - prompt)),
    (
        "to the last token",
        lambda prompt, budget, window: max(0 if prompt > window else 1, min(budget, window - prompt)),
    ),
    (
        "would leave 70 tokens",
        lambda prompt, budget, window: budget if prompt + 2 * budget <= window else max(0, window - prompt),
    ),
    ("from the arguments", lambda prompt, budget, window: max(0, min(budget, 320 - prompt))),
    ("from the arguments", lambda prompt, budget, window: max(0, min(64, window - prompt))),
]


def cached(config, tokens, size=2, keys=2, layers=True, heads=None, width=None, power=1):
    heads = heads or config.num_key_value_heads
    width = width or config.hidden_size // config.num_attention_heads
    return keys * (config.num_hidden_layers if layers else 1) * heads * width * tokens**power * size


CACHES = [
    ("a key and a value", lambda c, t, b: cached(c, t, b, keys=1)),
    ("the layers are missing", lambda c, t, b: cached(c, t, b, layers=False)),
    ("not the query heads", lambda c, t, b: cached(c, t, b, heads=c.num_attention_heads)),
    (
        "values are stored like keys",
        lambda c, t, b: cached(c, t, b, keys=1) + cached(c, t, b, keys=1, heads=c.num_attention_heads),
    ),
    ("not hidden_size", lambda c, t, b: cached(c, t, b, width=c.hidden_size)),
    ("not with their square", lambda c, t, b: cached(c, t, b, power=2)),
    ("the tokens are missing", lambda c, t, b: cached(c, t, b, power=0)),
    ("one token in one layer", lambda c, t, b: cached(c, t, b) + 1),
    ("fixed in the function", lambda c, t, b: cached(c, t, 2)),
    ("not always 4", lambda c, t, b: cached(c, t, 4)),
    ("no token", lambda c, t, b: cached(c, max(1, t), b)),
    ("do not divide it", lambda c, t, b: cached(c, t, b, heads=c.num_attention_heads // c.num_key_value_heads)),
    ("from `config`", lambda c, t, b: cached(c, t, b, width=7)),
]


def shares(costs, steps, rounds, note=True, question=True, tags=True):
    """The window of a round that does an equal share of the steps."""
    seen = (costs.prompt + steps * costs.question_step) * question + costs.note * (note and rounds > 1)
    return seen + costs.tags * tags + costs.reply_step * -(-steps // rounds)


def first_window(costs, steps, rounds, more=0, note=True):
    """The solution with a mistake: a window too large or too small, or no note."""
    costs = costs if note else SimpleNamespace(**{**vars(costs), "note": 0})
    return more + next(size for size in count(1) if not plan(costs, steps, size, size, rounds)[-1].lost)


WINDOWS = [
    ("one round: the steps are shared", lambda c, steps, n: first_window(c, steps, 1)),
    ("the note is forgotten", lambda c, steps, n: first_window(c, steps, n, note=False)),
    ("one token too few", lambda c, steps, n: first_window(c, steps, n, more=-1)),
    ("a smaller window does it", lambda c, steps, n: first_window(c, steps, n, more=1)),
    ("it stands in the window too", lambda c, steps, n: shares(c, steps, n, question=False)),
    ("question stands in its window", lambda c, steps, n: shares(c, steps, n, note=False, question=False)),
    ("not everything is divided", lambda c, steps, n: first_window(c, steps, 1) // n if n > 1 else 344),
    ("the tags of a reply", lambda c, steps, n: shares(c, steps, n, tags=False)),
    ("nothing may be lost", lambda c, steps, n: first_window(c, steps, n, more=-9)),
    ("need not share", shares),
    ("there is no note", lambda c, steps, n: first_window(c, steps, n) + c.note * (n == 1)),
    ("each of them still needs", lambda c, steps, n: first_window(c, steps, n) if n < 18 else 192),
    ("other models have others", lambda c, steps, n: {3: 246, 1: 344, 24: 201}.get(n, 142)),
    ("begin with 1 token", lambda c, steps, n: max(100, first_window(c, steps, n))),
    ("search on", lambda c, steps, n: min(1_000, first_window(c, steps, n))),
]

# --- 04: advantages from rewards, log-probabilities from logits, the loss from both

ADVANTAGES = [
    ("divides by m", lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True, correction=0)),
    ("not divided by the spread", lambda r: group_advantages(r, scale=False)),
    ("square root", lambda r: (r - r.mean(1, True)) / r.var(1, keepdim=True)),
    ("standard error", lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True) * r.shape[1] ** 0.5),
    ("the range", lambda r: (r - r.mean(1, True)) / (r.amax(1, True) - r.amin(1, True))),
    ("eps is too large", lambda r: group_advantages(r, eps=0.1)),
    ("eps is too large", lambda r: group_advantages(r, eps=0.01)),
    ("keep the shape", lambda r: group_advantages(r)[r.std(1) > 0]),
    ("a rounding error off", lambda r: group_advantages(r, eps=1e-8)),
    ("a rounding error off", lambda r: group_advantages(r, eps=0).nan_to_num()),
    ("not subtracted", lambda r: r / r.std(1, keepdim=True)),
    ("from each reward take", lambda r: r - 1),
    ("its own mean", lambda r: (r - r.mean()) / r.std()),
    ("small eps", lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True)),
    ("may have no spread", lambda r: r * 0 if r.std() == 0 else (r - r.mean(1, True)) / r.std(1, keepdim=True)),
    ("a floor below it", lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True).clamp(min=1e-3)),
    ("a floor below it", lambda r: (r - r.mean(1, True)) / r.std(1, keepdim=True).clamp(min=0.05)),
    ("a floor below it", lambda r: (r - r.mean(1, True)) / (r.var(1, keepdim=True) + 1e-4).sqrt()),
    ("a small spread is a spread", lambda r: group_advantages(r) * (r.std(1, keepdim=True) > 0.05)),
    ("not rounded", lambda r: group_advantages(r).round(decimals=2)),
    ("cut off", lambda r: group_advantages(r).clamp(-2, 2)),
    ("changes what it is given", lambda r: r.sub_(r.mean(1, True)).div_(r.std(1, keepdim=True) + 1e-4)),
]


def zeros_where_silent(rewards):
    """Right without any eps."""
    silent = rewards.amax(1, True) == rewards.amin(1, True)
    return torch.where(silent, 0.0, (rewards - rewards.mean(1, True)) / rewards.std(1, keepdim=True))


LOGPROBS = [
    ("one position earlier", lambda logits, tokens: token_logprobs(logits[:, -tokens.shape[1] :], tokens)),
    ("shifted twice", lambda logits, tokens: token_logprobs(logits[:, -tokens.shape[1] - 2 : -2], tokens)),
    ("log-probabilities yet", lambda logits, tokens: gathered(before(logits, tokens), tokens)),
    ("log-probabilities yet", lambda logits, tokens: gathered(logits[:, -tokens.shape[1] :], tokens)),
    ("take its logarithm", lambda logits, tokens: token_logprobs(before(logits, tokens), tokens).exp()),
    ("take its logarithm", lambda logits, tokens: token_logprobs(logits[:, -tokens.shape[1] :], tokens).exp()),
    ("the last dimension", lambda logits, tokens: gathered(before(logits.log_softmax(dim=1), tokens), tokens)),
    ("the likeliest token", lambda logits, tokens: before(logits, tokens).log_softmax(dim=-1).max(dim=-1).values),
    ("not for each reply", lambda logits, tokens: token_logprobs(before(logits, tokens), tokens).sum(dim=1)),
    ("not for each reply", lambda logits, tokens: token_logprobs(before(logits, tokens), tokens).mean(dim=1)),
    ("the other sign", lambda logits, tokens: -token_logprobs(before(logits, tokens), tokens)),
    (
        "of the P + T positions",
        lambda logits, tokens: token_logprobs(logits[:, 4:-1], tokens)[:, : tokens.shape[1] + 9],
    ),
    ("any length", lambda logits, tokens: token_logprobs(logits[:, 2:4], tokens)),
    ("the first positions are the prompt's", lambda logits, tokens: token_logprobs(logits[:, :2], tokens)),
    ("exp overflows", lambda logits, tokens: gathered(before(logits, tokens).softmax(dim=-1).log(), tokens)),
    ("exp overflows", lambda logits, tokens: gathered(naive(before(logits, tokens)), tokens)),
    ("its own tokens", lambda logits, tokens: token_logprobs(before(logits, tokens), tokens[:1].expand_as(tokens))),
    ("no detach()", lambda logits, tokens: token_logprobs(before(logits, tokens).detach(), tokens)),
    ("no detach()", torch.no_grad()(lambda logits, tokens: token_logprobs(before(logits, tokens), tokens))),
    ("no numpy", lambda logits, tokens: token_logprobs(before(logits, tokens), tokens).tolist()),
    ("the gradient of all of it", lambda logits, tokens: gathered(half_attached(before(logits, tokens)), tokens)),
]


def half_attached(logits):
    """Log-probabilities without the gradient of their normaliser."""
    return logits - logits.logsumexp(dim=-1, keepdim=True).detach()


def before(logits, tokens):
    """(N, T, V): the logits that predict the tokens of the reply."""
    return logits[:, -tokens.shape[1] - 1 : -1]


def naive(logits):
    return (logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()


def gathered(values, tokens):
    return values.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def weighted(new, old, a):
    """(N, T): the ratio times the advantage, not clipped."""
    return (new - old).exp() * a[:, None]


def surrogate(new, old, a, low=0.8):
    """(N, T): the clipped objective, before masking and averaging."""
    return weighted(new, old, a).minimum((new - old).exp().clamp(low, 1.2) * a[:, None])


def average(values, mask):
    return (values * mask).sum() / mask.sum()


LOSSES = [
    ("the sign", lambda *given: -clipped_loss(*given)),
    ("exp(logp - old_logp)", lambda new, old, a, mask: -average((new - old) * a[:, None], mask)),
    ("compares it with the one before", lambda new, old, a, mask: clipped_loss(new, 0 * old, a, mask)),
    ("clip the ratio", lambda new, old, a, mask: -average(weighted(new, old, a), mask)),
    (
        "minimum of clipped and unclipped",
        lambda new, old, a, mask: -average((new - old).exp().clamp(0.8, 1.2) * a[:, None], mask),
    ),
    ("clip(ratio, 0.8, 1.2)", lambda new, old, a, mask: clipped_loss(new, old, a, mask, epsilon=0.3)),
    (
        "take the minimum",
        lambda new, old, a, mask: (
            -average(weighted(new, old, a).maximum((new - old).exp().clamp(0.8, 1.2) * a[:, None]), mask)
        ),
    ),
    ("upside down", lambda new, old, a, mask: clipped_loss(old, new, a, mask)),
    ("of two log-probabilities", lambda new, old, a, mask: clipped_loss((new / old).log(), 0 * old, a, mask)),
    (
        "advantages.unsqueeze(1)",
        lambda new, old, a, mask: (
            -average((new - old).exp().clamp(0.8, 1.2).minimum((new - old).exp()) * a, mask)
            if len(new) > 1
            else clipped_loss(new, old, a, mask)
        ),
    ),
    ("not pushed below", lambda new, old, a, mask: -average(surrogate(new, old, a, low=None), mask)),
    ("padding counts", lambda new, old, a, mask: -surrogate(new, old, a).mean()),
    ("mask.sum()", lambda new, old, a, mask: -(surrogate(new, old, a) * mask).mean()),
    (
        "each reply first",
        lambda new, old, a, mask: -((surrogate(new, old, a) * mask).sum(1) / mask.sum(1)).mean(),
    ),
    ("nothing added", lambda new, old, a, mask: -(surrogate(new, old, a) * mask).sum() / (mask.sum() + 1)),
    (
        "not its product",
        lambda new, old, a, mask: -average(weighted(new, old, a).minimum(weighted(new, old, a).clamp(0.8, 1.2)), mask),
    ),
    (
        "before the sum",
        lambda new, old, a, mask: (
            -average(weighted(new, old, a), mask).minimum(average((new - old).exp().clamp(0.8, 1.2) * a[:, None], mask))
        ),
    ),
    (
        "one ratio for the reply",
        lambda new, old, a, mask: clipped_loss(
            new + (((new - old) * mask).sum(1, True) / mask.sum(1, True) - (new - old)), old, a, mask
        ),
    ),
    ("no detach()", lambda *given: clipped_loss(*given).detach()),
    ("no detach()", lambda *given: clipped_loss(*given).item()),
    ("for each token min", lambda new, old, a, mask: clipped_loss(new, old, a.clamp(min=-0.5), mask)),
    ("no upper bound", lambda new, old, a, mask: -average(surrogate(new, old, a).maximum(-3 * a[:, None].abs()), mask)),
    ("whatever its advantage", lambda new, old, a, mask: -of_the_others(surrogate(new, old, a) * mask).mean()),
    ("changes what it is given", lambda new, old, a, mask: clipped_loss(new, old, a.mul_(-1).neg(), mask)),
]


def of_the_others(values):
    return values[values != 0]


# --- 05: groups that teach nothing, and a curve drawn smooth


def groups(rewards, m):
    return [rewards[i : i + m] for i in range(0, len(rewards), m)]


def alike(group):
    return len(set(group)) == 1


GROUPS = [
    (
        "not every m-th",
        lambda rewards, m: fmean(alike(rewards[i :: len(rewards) // m]) for i in range(len(rewards) // m)),
    ),
    ("right throughout", lambda rewards, m: fmean(not any(group) for group in groups(rewards, m))),
    ("each group by itself", lambda rewards, m: float(alike(rewards))),
    ("that do teach something", lambda rewards, m: 1 - fmean(map(alike, groups(rewards, m)))),
    ("not percent", lambda rewards, m: 100 * fmean(map(alike, groups(rewards, m)))),
    ("wrong throughout", lambda rewards, m: fmean(alike(group) and any(group) for group in groups(rewards, m))),
    ("not only two", lambda rewards, m: fmean(group[0] == group[1] for group in groups(rewards, m))),
    ("not only two", lambda rewards, m: fmean(group[0] == group[-1] for group in groups(rewards, m))),
    ("nor one with the mean", lambda rewards, m: fmean(sum(group) / m == group[0] for group in groups(rewards, m))),
    (
        "differ a little",
        lambda rewards, m: fmean(alike([round(reward, 2) for reward in group]) for group in groups(rewards, m)),
    ),
    ("differ a little", lambda rewards, m: fmean(max(group) - min(group) < 0.1 for group in groups(rewards, m))),
    ("not their number", lambda rewards, m: float(sum(map(alike, groups(rewards, m))))),
    (
        "at any value",
        lambda rewards, m: fmean(sum(group) in (0, m, 2 * m) and alike(group) for group in groups(rewards, m)),
    ),
    ("a spread of 1e-16", lambda rewards, m: fmean(bool(np.std(group) == 0) for group in groups(rewards, m))),
    ("a spread of 1e-16", lambda rewards, m: fmean(all(r == fmean(g) for r in g) for g in groups(rewards, m))),
    ("That mixes groups", lambda rewards, m: fmean(map(alike, groups(sorted(rewards), m)))),
]

# --- 06: Wilson's interval and the paired test


def wald(successes, n, z=1.96):
    p = successes / n
    half = z * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


def from_scipy(method, scale=1.0):
    def interval(successes, n):
        found = binomtest(successes, n).proportion_ci(0.95, method=method)
        return scale * found.low, scale * found.high

    return interval


def wilson_by_hand(successes, n, z=1.96, centred=True):
    p, shrink = successes / n, 1 + z**2 / n
    middle = (p + z**2 / (2 * n)) / shrink if centred else p
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / shrink
    return middle - half, middle + half


INTERVALS = [
    ("not percent", from_scipy("wilson", scale=100)),
    ("give (low, high), not an Estimate", wilson),
    ("in this order", lambda k, n: from_scipy("wilson")(k, n)[::-1]),
    ("Wald", wald),
    ("z = 1.96", lambda k, n: wilson_by_hand(k, n, z=1.0)),
    ("square root", lambda k, n: wilson_by_hand(k, n, z=1.96**2)),
    ("Clopper-Pearson", from_scipy("exact")),
    ("continuity correction", from_scipy("wilsoncc")),
    (
        "Jeffreys",
        lambda k, n: (0.0 if k == 0 else beta.ppf(0.025, k + 0.5, n - k + 0.5), beta.ppf(0.975, k + 0.5, n - k + 0.5)),
    ),
    ("Agresti-Coull", lambda k, n: wald(k + 1.96**2 / 2, n + 1.96**2)),
    ("0.1135", lambda k, n: from_scipy("wilson" if k else "exact")(k, n)),
    ("mirror image", lambda k, n: from_scipy("wilson" if k < n else "exact")(k, n)),
    ("not the Wilson interval", lambda k, n: wilson_by_hand(k, n, z=1.9)),
    ("below 0", lambda k, n: wilson_by_hand(k, n, centred=False)),
    ("the middle", lambda k, n: wald(k, n) if 0 < k < n else wilson_by_hand(k, n)),
    ("for many", lambda k, n: wald(k, n) if n >= 1_000 else wilson_by_hand(k, n)),
    ("for many", lambda k, n: (max(wilson_by_hand(k, n)[0], 0.001) if k else 0.0, wilson_by_hand(k, n)[1])),
    ("for few", lambda k, n: (0.0 if k <= 1 else wilson_by_hand(k, n)[0], wilson_by_hand(k, n)[1])),
]


def table(a, b):
    only_a = sum(x is True and y is not True for x, y in zip(a, b))
    only_b = sum(y is True and x is not True for x, y in zip(a, b))
    return only_a, only_b


def only(a, b):
    return table(a, b)[0]


def neither(a, b):
    return sum(x is None and y is None for x, y in zip(a, b))


def exact(successes, n, alternative="two-sided"):
    return binomtest(successes, n, alternative=alternative).pvalue if n else 1.0


def unequal(a, b):
    return exact(table(a, b)[1], sum(x != y for x, y in zip(a, b)))


def unpaired(a, b):
    right_a, right_b = sum(x is True for x in a), sum(y is True for y in b)
    return float(fisher_exact([[right_a, len(a) - right_a], [right_b, len(b) - right_b]]).pvalue)


def chi_square(a, b, correction=0):
    only_a, only_b = table(a, b)
    differ = only_a + only_b
    return float(chi2.sf(max(0, abs(only_a - only_b) - correction) ** 2 / differ, 1)) if only_a != only_b else 1.0


P_VALUES = [
    ("at most 1", lambda a, b: 2 * exact(min(table(a, b)), sum(table(a, b)), "less") if sum(table(a, b)) else 1.0),
    ("chi-square approximation", chi_square),
    ("chi-square approximation", lambda a, b: chi_square(a, b, correction=1)),
    ("toss no coin", lambda a, b: binomtest(table(a, b)[0], sum(table(a, b))).pvalue),
    ("there is no evidence", lambda a, b: 0.0),
    ("counts as wrong", unequal),
    ("one-sided", lambda a, b: exact(table(a, b)[1], sum(table(a, b)), "greater")),
    ("pair by pair", unpaired),
    ("leave out those on which they agree", lambda a, b: exact(table(a, b)[1], len(a)) if table(a, b)[1] else 1.0),
    ("the order of the two", lambda a, b: exact(table(a, b)[1], sum(table(a, b))) if table(a, b)[1] else 1.0),
    ("a None is not left out", lambda a, b: unequal(*zip(*[p for p in zip(a, b) if None not in p] or [(True, True)]))),
    ("tells nothing", lambda a, b: exact(only(a, b) + neither(a, b), only(a, b) + only(b, a) + 2 * neither(a, b))),
    ("few differences", lambda a, b: exact(table(a, b)[0], sum(table(a, b))) if sum(table(a, b)) > 4 else 1.0),
    (
        "many differences",
        lambda a, b: exact(table(a, b)[0], sum(table(a, b))) if sum(table(a, b)) < 25 else chi_square(a, b),
    ),
    ("both kinds of disagreement", lambda a, b: 0.5 ** (max(table(a, b)) - 1) if sum(table(a, b)) else 1.0),
]


p_of = cache(mcnemar)


def simulated(only_a, only_b, n, alpha=0.05, better=None, tests=400):
    """The share of drawn tests with p below `alpha`, of those in which one of the two is better, if it is named."""
    told = {"a": lambda a, b: a > b, "b": lambda a, b: b > a, None: lambda a, b: True}[better]
    return fmean(p_of(a, b) < alpha and told(a, b) for a, b in drawn(only_a, only_b, n, tests))


def drawn(only_a, only_b, n, tests=400):
    """(a alone, b alone) of each test."""
    chances = [only_a, only_b, 1 - only_a - only_b]
    return np.random.default_rng(0).multinomial(n, chances, size=tests)[:, :2].tolist()


def by_normal(counts):
    """The share of the tests that the normal approximation takes for a difference."""
    return fmean(abs(a - b) > 1.96 * math.sqrt(a + b) for a, b in counts)


def one_by_one(only_a, only_b, n):
    """(a alone, b alone), drawn as if a question could be both."""
    rng = np.random.default_rng(0)
    return list(zip(rng.binomial(n, only_a, 400).tolist(), rng.binomial(n, only_b, 400).tolist()))


def one_after_the_other(only_a, only_b, n):
    """Right: b alone among the questions that a alone does not solve."""
    rng = np.random.default_rng(1)
    a = rng.binomial(n, only_a, 400)
    b = rng.binomial(n - a, only_b / (1 - only_a))
    return fmean(p_of(*counts) < 0.05 for counts in zip(a.tolist(), b.tolist()))


def overlapping(only_a, only_b, n):
    """Where a question is drawn for both, it is taken from both."""
    rng = np.random.default_rng(0)
    a, b = rng.random((400, n)) < only_a, rng.random((400, n)) < only_b
    return list(zip((a & ~b).sum(1).tolist(), (b & ~a).sum(1).tolist()))


SHARES_SHOWN = [
    ("not percent", lambda a, b, n: 100 * simulated(a, b, n)),
    ("show nothing", lambda a, b, n: 1 - simulated(a, b, n)),
    ("the test is two-sided", lambda a, b, n: simulated(a, b, n, alpha=0.10)),
    ("draw, for each test", lambda a, b, n: float(mcnemar(round(a * n), round(b * n)) < 0.05)),
    ("a gain for a", lambda a, b, n: simulated(a, b, n, better="b")),
    ("hardly any test", lambda a, b, n: max(0.2, simulated(a, b, n))),
    ("never differ", lambda a, b, n: simulated(a, b, n) if a + b else 1.0),
    ("use n", lambda a, b, n: simulated(a, b, 200)),
    ("b alone solves all n", lambda a, b, n: simulated(a, b, n + 1)),
    ("b alone solves all n", lambda a, b, n: by_normal(drawn(a, b, n))),
    ("never both", lambda *given: fmean(p_of(*counts) < 0.05 for counts in one_by_one(*given))),
    ("never both", lambda *given: fmean(p_of(*counts) < 0.05 for counts in overlapping(*given))),
    ("400 or more", lambda a, b, n: simulated(a, b, n, tests=40)),
    ("400 or more", lambda a, b, n: simulated(a, b, n, tests=100)),
]
