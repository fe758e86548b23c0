"""A plain copy of a policy for decoding: the adapter merged into 16-bit weights, everything else shared.

A LoRA adapter costs two more multiplications in every linear map, and 4-bit weights must be unpacked, at every token.
The copy pays for this once, when it is updated. It takes 2 bytes for every weight that LoRA adapts or 4-bit loading
packs; embeddings and norms are the policy's own tensors.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from typing import Any

import torch
from accelerate import init_empty_weights
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn
from transformers import PreTrainedModel

from motif_lib.models.attention import GROUPED, grouped_mask


class MergedCopy:
    """A Transformers model that computes what the policy computes, up to one rounding of its merged weights.

    Args:
        policy: a Transformers model, with a LoRA adapter or without, in 4-bit or not, however it was loaded.

    Raises:
        RuntimeError: if the model is not built as Transformers builds its class, or its adapter is not plain LoRA.
    """

    def __init__(self, policy: Any):
        source = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        if isinstance(policy, PeftModel) and policy.active_peft_config.is_prompt_learning:
            raise RuntimeError("an adapter that learns a prompt has no weights to merge: set sampler='generate'")
        config = copy.deepcopy(source.config)
        config._attn_implementation = GROUPED
        with init_empty_weights(include_buffers=False):
            self.model: PreTrainedModel = plain_class(type(source))(config)
        self.merged: list[tuple[LoraLayer, Tensor]] = []
        try:
            for path, module in self.model.named_modules():
                self._fill(module, source.get_submodule(path), source.dtype)
        except (AttributeError, KeyError) as error:
            name = type(source).__name__
            raise RuntimeError(f"{name} is not built as in Transformers ({error}): set sampler='generate'") from error
        self.model.to(source.device).eval()  # what is left to move: the tables of the rotary embedding
        self.model.generation_config = source.generation_config

    def _fill(self, module: nn.Module, given: nn.Module, dtype: torch.dtype) -> None:
        """Give one module of the copy its parameters: its own where they differ from the policy's."""
        if isinstance(given, LoraLayer) and (given.lora_variant or any(given.lora_bias.values())):
            raise AttributeError("its LoRA is of another kind, such as DoRA, which a sum does not merge")
        base: Any = given.get_base_layer() if isinstance(given, LoraLayer) else given
        for name in module._parameters:
            parameter = base._parameters[name]
            packed = parameter is not None and not parameter.is_floating_point()
            if name == "weight" and (packed or isinstance(given, LoraLayer)):
                weight = dequantize_module_weight(base).to(dtype, copy=True)
                parameter = nn.Parameter(weight, requires_grad=False)
                if isinstance(given, LoraLayer):
                    self.merged.append((given, parameter))
            module._parameters[name] = parameter

    @torch.no_grad()
    def sync(self) -> None:
        """Copy the policy's current weights; within `disable_adapter()`, those of the base."""
        generator = torch.Generator(self.model.device).manual_seed(0)  # the same policy gives the same copy
        with torch.autocast(self.model.device.type, enabled=False):
            for layer, weight in self.merged:
                total = dequantize_module_weight(layer.get_base_layer()).float()
                if not (layer.disable_adapters or layer.merged):
                    total = sum((layer.get_delta_weight(name) for name in layer.active_adapters), total)
                weight.copy_(dithered(total, weight.dtype, generator))


def dithered(total: Tensor, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """float32 numbers, rounded to what `dtype` can hold: up or down at random, with odds that keep their mean.

    Rounding to the nearest would lose changes below half a step of a weight: with bfloat16, a hundredth of the demo's
    adapter kept 32 % of its effect on the weights. Rounded at random it keeps 100 %, and the distance to the exact
    policy (KL) is no larger (our run). What `dtype` holds exactly stays as it is, so the copy of an untouched base is
    exact.
    """
    spare = 23 + int(math.log2(torch.finfo(dtype).eps))  # bits of float32's fraction that `dtype` lacks
    noise = torch.randint(0, 1 << spare, total.shape, dtype=torch.int32, device=total.device, generator=generator)
    return noise.add_(total.view(torch.int32)).bitwise_and_(-1 << spare).view(torch.float32)  # in place: it is large


def plain_class(patched: type) -> Any:
    """Transformers' own class of this name, as its file defines it.

    Unsloth replaces methods of Transformers' classes in the whole process. It also compiles the functions that make
    masks, again for each kind of cache. Fresh copies of both modules have none of that.

    Raises:
        RuntimeError: for a class from another package, whose file would be no plainer.
    """
    if not patched.__module__.startswith("transformers.models."):
        raise RuntimeError(f"{patched.__module__}.{patched.__name__} is not Transformers' own: set sampler='generate'")
    module, masks = fresh_module(patched.__module__), fresh_module("transformers.masking_utils")
    masks.AttentionMaskInterface.register(GROUPED, grouped_mask)  # its table is new too
    for name in vars(module).keys() & vars(masks).keys():
        if name.startswith("create_"):
            setattr(module, name, getattr(masks, name))
    return getattr(module, patched.__name__)


def fresh_module(name: str) -> Any:
    """A second copy of a module, from its file; `sys.modules` keeps the first."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
