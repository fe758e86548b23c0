"""Does a model in 4-bit or float16 still make sense, and does its sampler see the adapter? Asked once, after loading.

Weights that were unpacked wrongly, or that overflow, give NaN or one token over and over. A sampler that does not see
the adapter rolls out the base. Either looks like training that learns nothing. The canary is another adapter, put in
place of the trained one for a moment: if nothing changes, the adapter is not in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from motif_lib.protocol import messages

QUESTION = "Ann has 12 apples and buys 5. How many apples does Ann have now?"
TOKENS = 16  # of the reply that is checked
SPREADS = 0.1, 0.3, 1.0  # standard deviations of the canary's B: from less than the weights' own effect to far more
NOT_FINITE = (
    "the model gives NaN or infinite logits: its weights are damaged or do not fit into float16; load it again, or use "
    "a GPU with bfloat16"
)
ONE_TOKEN = (
    "the model says one token over and over: its 4-bit weights were unpacked wrongly (install the bitsandbytes of the "
    "gpu extra), or its tokenizer is another model's"
)


def check_coherence(sampler: Any, policy: Any) -> None:
    """Sample one greedy reply if the policy is in 4-bit or float16; if it has an adapter, a second one under a canary.

    Args:
        sampler: a `LocalSampler` of the policy.
        policy: the model, in a `PeftModel` or not.

    Raises:
        RuntimeError: in one line with the likely cause, if logits are NaN or infinite, if the reply is one token over
            and over, or if the canary changes nothing.
    """
    if not fragile(policy):
        return
    brief = sampler.at(0.0)
    brief.max_new_tokens = min(TOKENS, brief.max_new_tokens or TOKENS)
    prompts = brief.render([messages(QUESTION, 1, 3)])
    logits, reply = next_logits(policy, prompts[0]), brief.sample_ids(prompts)[0]
    if not logits.isfinite().all():
        raise RuntimeError(NOT_FINITE)
    if len(reply) > TOKENS // 2 and len(set(reply)) == 1:
        raise RuntimeError(ONE_TOKEN)
    if weights := adapter_weights(policy):
        without = "answers without the adapter: it is disabled, merged, or not the active one"
        if not depends(weights, lambda: next_logits(policy, prompts[0]).tolist(), logits.tolist()):
            raise RuntimeError(f"the model {without}")
        if not depends(weights, lambda: brief.sample_ids(prompts)[0], reply):
            raise RuntimeError(f"{type(sampler).__name__} {without}")


def fragile(policy: Any) -> bool:
    """Is it in 4-bit, or in float16?"""
    return getattr(policy.config, "quantization_config", None) is not None or policy.dtype == torch.float16


@torch.no_grad()
def next_logits(policy: Any, prompt: list[int]) -> Tensor:
    """Logits of the token after a prompt, (V,)."""
    ids = torch.tensor([prompt], device=policy.device)
    with torch.autocast(policy.device.type, policy.dtype, policy.dtype.itemsize == 2):  # the adapter is in float32
        return policy(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1].float()


def adapter_weights(policy: Any) -> list[Tensor]:
    """The B matrices of the LoRA adapter that is trained; none without one."""
    return [weight for name, weight in policy.named_parameters() if "lora_B" in name]


def depends(weights: list[Tensor], answer: Callable[[], list], usual: list) -> bool:
    """Do other weights change the answer? The canary grows until they do."""
    for spread in SPREADS:
        with canary(weights, spread):
            if answer() != usual:
                return True
    return False


@contextmanager
def canary(weights: list[Tensor], spread: float) -> Iterator[None]:
    """Make the B matrices random inside the block; afterwards they are what they were."""
    kept = [weight.detach().clone() for weight in weights]
    generator = torch.Generator().manual_seed(0)  # its own: training draws as if nothing had been asked
    try:
        with torch.no_grad():
            for weight in weights:
                weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
        yield
    finally:
        with torch.no_grad():
            for weight, was in zip(weights, kept):
                weight.copy_(was)
