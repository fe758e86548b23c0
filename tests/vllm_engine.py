"""A stand-in for the vLLM engine that Unsloth puts beside a model: same calls, a small model on the CPU answers."""

import sys
import types
from dataclasses import dataclass, field
from types import SimpleNamespace

from motif_lib.samplers.local import LocalSampler


@dataclass
class SamplingParams:
    """Those of vLLM that are used, with its defaults."""

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop_token_ids: list = field(default_factory=list)
    seed: int | None = None
    detokenize: bool = True


def install(monkeypatch, model, tokenizer):
    """Give `model` an engine; the calls it got, as dictionaries, are added to the list that is returned."""
    calls = []

    def fast_generate(prompts, sampling_params, *, use_tqdm=True, lora_request=None):
        calls.append({"prompts": prompts, "params": sampling_params, "use_tqdm": use_tqdm, "lora": lora_request})
        return [answer(prompt["prompt_token_ids"], params) for prompt, params in zip(prompts, sampling_params)]

    def answer(prompt, params):
        more = {"top_k": params.top_k, "min_p": params.min_p, "repetition_penalty": params.repetition_penalty}
        sampler = LocalSampler(model, tokenizer, params.max_tokens, params.temperature, params.top_p, **more)
        sampler.stop = sampler.stop.new_tensor(params.stop_token_ids)
        if params.seed is not None:
            sampler.seed(params.seed)
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tuple(sampler.sample_ids([prompt])[0]))])

    def load_lora(model, save_directory, load_tensors=False):
        assert load_tensors
        model.peft_config["default"].save_pretrained(save_directory)  # as Unsloth does
        weights = {name: weight.clone() for name, weight in model.state_dict().items() if "lora_" in name}
        return SimpleNamespace(name=save_directory, weights=weights)

    for name, contents in {
        "vllm": {"SamplingParams": SamplingParams},
        "unsloth_zoo": {},
        "unsloth_zoo.vllm_utils": {"load_lora": load_lora},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("motif_lib.samplers.local.report", lambda *drawn: None)  # the engine reports nothing
    model.vllm_engine, model.fast_generate = object(), fast_generate
    return calls
