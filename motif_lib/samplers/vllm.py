"""Batched sampling by the vLLM engine that Unsloth loads beside a model (`fast_inference`), with the current adapter.

The engine shares the model's weights and reads the adapter again at every call, straight from the model's memory. This
has not run on a GPU: its calls are checked against the signatures of the pinned wheels, and it passes the samplers'
contract tests with a stand-in for the engine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from motif_lib.samplers.model_sampler import ModelSampler
from motif_lib.samplers.progress import report


class VllmSampler(ModelSampler):
    """Samples completions by `model.fast_generate`; arguments as in `ModelSampler`.

    vLLM batches by itself: `batch_size` has no effect, and a seed repeats only as well as vLLM does, since its batches
    may round differently.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *args: Any, **kwargs: Any):
        super().__init__(model, tokenizer, *args, **kwargs)
        self.seeds: random.Random | None = None

    def seed(self, value: int) -> None:
        """Make the calls that follow repeatable; every request gets a seed of its own."""
        self.seeds = random.Random(value)

    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """As in `ModelSampler`, from the current policy; within `disable_adapter()`, from its base."""
        limits = self.limits(prompts)
        if not prompts:
            return []
        outputs = self.model.fast_generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            sampling_params=[self._params(limit) for limit in limits],
            lora_request=self._adapter(),
            use_tqdm=False,
        )
        replies = [list(output.outputs[0].token_ids) for output in outputs]
        report(sum(map(len, replies)), max(limits), map(len, replies))
        return replies

    def _params(self, limit: int) -> Any:
        """Every setting is given: vLLM would take others from the model's generation config."""
        from vllm import SamplingParams

        return SamplingParams(
            max_tokens=limit,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.drawing.top_k,
            min_p=self.drawing.min_p or 0.0,
            repetition_penalty=self.drawing.repetition_penalty,
            stop_token_ids=self.stop.tolist(),
            seed=self.seeds.getrandbits(31) if self.seeds else None,
            detokenize=False,
        )

    def _adapter(self) -> Any:
        """A request for the adapter as it is now; None for the base."""
        if not isinstance(self.model, PeftModel) or not self.model.get_model_status().enabled:
            return None
        from unsloth_zoo.vllm_utils import load_lora

        return load_lora(self.model, scratch().name, load_tensors=True)


@cache
def scratch() -> TemporaryDirectory:
    """Where Unsloth writes the adapter's settings, beside the weights that stay in memory; gone with the process."""
    return TemporaryDirectory()
