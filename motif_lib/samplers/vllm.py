"""Batched sampling by the vLLM engine that Unsloth loads beside a model (`fast_inference`), with the current adapter.

The engine shares the model's weights and takes the adapter anew at every call, straight from the model's memory. Not
run on a GPU: its calls are held to the signatures of the pinned wheels, and it answers the samplers' contract tests
with a stand-in for the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

from peft import PeftModel

from motif_lib.samplers.generate import GenerateSampler


class VllmSampler(GenerateSampler):
    """`GenerateSampler` with vLLM's `generate` inside; the same arguments.

    vLLM batches by itself: `batch_size` has no effect, and a seed repeats as far as vLLM does, whose batches may round
    differently.
    """

    def sample_ids(self, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
        """As in `LocalSampler`, by the policy as it is now; within `disable_adapter()` by its base."""
        self._check_fit(prompts)
        if not prompts:
            return []
        outputs = self.model.fast_generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            sampling_params=[self._params() for _ in prompts],
            lora_request=self._adapter(),
            use_tqdm=False,
        )
        return [list(output.outputs[0].token_ids) for output in outputs]

    def _params(self) -> Any:
        """Every setting is given: vLLM would take others from the model's generation config."""
        from vllm import SamplingParams

        return SamplingParams(
            max_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=0,
            repetition_penalty=1.0,
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
