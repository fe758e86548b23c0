"""One MOTIF step in one function, for reading: what `MotifTrainer` does, without the trainer.

`tests/test_step.py` holds its loss and its gradient to those of one step of `MotifTrainer` with TRL's defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from motif_lib.records import Question


def motif_step(
    model: Any, tokenizer: Any, questions: Sequence[Question], sampler: Any, m: int = 8, k: int = 4, n: int = 3
) -> tuple[Tensor, Tensor]:
    """The loss of one step on B questions, ready for `loss.backward()`, and the rewards (B, m) behind it.

    Args:
        model: the policy, which is also what `sampler` samples from.
        tokenizer: of the model.
        questions: B of them.
        sampler: a `LocalSampler`, at temperature 1.
        m: replies to each question, its group.
        k: trajectories rolled out from each reply.
        n: rounds of a trajectory.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from motif_lib.carry import progress_note
    from motif_lib.grpo import clipped_loss, group_advantages, token_logprobs
    from motif_lib.records import Trajectory
    from motif_lib.rewards import format_reward
    from motif_lib.rewards.future import mean_outcome, outcomes_of
    from motif_lib.rounds import add_reply, branch, next_prompt
    from motif_lib.samplers.base import Completion

    # 1. Prompts: round 1 of every question, m times. N = B * m rows, a group's rows side by side.
    starts = [Trajectory(question, ()) for question in questions for _ in range(m)]
    prompts = sampler.render([next_prompt(start, n) for start in starts])  # N lists of token ids

    # 2. Round-1 replies: these are what is trained.
    replies = sampler.sample_ids(prompts)  # N lists of up to T token ids
    texts = tokenizer.batch_decode(replies, skip_special_tokens=True)
    completions = [Completion(text, ids[-1] == tokenizer.eos_token_id, len(ids)) for text, ids in zip(texts, replies)]

    # 3. Futures: from each reply, k trajectories through rounds 2 to n.
    begun = [add_reply(start, reply, n, progress_note) for start, reply in zip(starts, completions)]
    futures = branch(begun, sampler, k, n)  # N lists of k trajectories

    # 4. Rewards: the mean outcome of a reply's futures, and its format.
    outcomes = [mean_outcome(outcomes_of(group)) or 0.0 for group in futures]
    rewards = (torch.tensor(outcomes) + torch.tensor(format_reward(texts))).view(-1, m)  # (B, m)

    # 5. Advantages: how much better than the rest of its group is a reply?
    advantages = group_advantages(rewards).flatten().to(model.device)  # (N,)

    # 6. Loss: raise the probability of every token of a reply with a positive advantage, lower the others'.
    rows = [[torch.tensor(ids, device=model.device) for ids in side] for side in (prompts, replies)]
    sides = [(rows[0], "left"), (rows[1], "right")]  # prompts end, and replies begin, in the same column
    ids = torch.cat([pad_sequence(row, True, tokenizer.pad_token_id, side) for row, side in sides], 1)  # (N, P + T)
    mask = torch.cat([pad_sequence([i >= 0 for i in row], True, False, side) for row, side in sides], 1)  # (N, P + T)
    T = max(map(len, replies))
    logits = model(input_ids=ids, attention_mask=mask.long()).logits[:, -T - 1 : -1]  # (N, T, V)
    logp = token_logprobs(logits, ids[:, -T:])  # (N, T)
    return clipped_loss(logp, logp.detach(), advantages, mask[:, -T:].float()), rewards
