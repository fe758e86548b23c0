"""Stand-ins with which the real Unsloth runs on a machine without a GPU, as it would on one.

Its loader, forward passes, fused LoRA and GRPO trainer are the real ones. What stands in: answers to what `torch.cuda`
is asked; the CPU for tensors, autocast and loss scaling that ask for CUDA; three Triton kernels in plain torch; and
bitsandbytes' own CPU kernels for its CUDA entry points.

Call `prepare`, import Unsloth, and call `finish`, in a process of its own. The stand-ins are for one version of Unsloth
and lean on names that it calls private: `LEANED_ON`.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import SimpleNamespace
from typing import Any

VERSION = "2026.10.9"
LEANED_ON = {  # module: names in it
    "unsloth.models.llama": ["FastLlamaModel"],
    "unsloth.models.rl": ["PatchFastRL"],
    "unsloth.models.loader": ["ALLOW_BITSANDBYTES"],
    "unsloth.models._utils": ["SUPPORTS_BFLOAT16"],
    "unsloth.kernels": ["fast_rms_layernorm", "fast_rope_embedding"],
    "unsloth.kernels.swiglu": ["swiglu_fg_kernel", "swiglu_DWf_DW_dfg_kernel", "_DWf_DW_dfg_traced"],
    "unsloth.kernels.utils": ["fast_dequantize", "fast_gemv"],
    "unsloth_zoo.device_type": ["device_is_bf16_supported"],
    "unsloth_zoo.gradient_checkpointing": ["UnslothCheckpointFunction"],
}
SETTINGS = {
    "UNSLOTH_ALLOW_CPU": "1",  # otherwise Unsloth takes its CPU backend, which is another program
    "UNSLOTH_COMPILE_DISABLE": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "UNSLOTH_GRPO_PREFIX_GROUPER": "0",  # its attention has no backward pass on a CPU
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DEACTIVATE_ASYNC_LOAD": "1",  # weights are loaded in this thread: a function mode holds in one thread
}
GIB = 2**30
CARD = SimpleNamespace(
    name="no GPU", major=8, minor=0, total_memory=80 * GIB, multi_processor_count=1, is_integrated=False
)


def prepare(bfloat16: bool) -> None:
    """Before the import of Unsloth: a GPU with bfloat16, or without, where a float32 model trains in float32."""
    os.environ.update(SETTINGS)
    import torch

    answer_for_cuda(torch, bfloat16)
    import bitsandbytes  # noqa: F401  before the raw stream, by which it would take itself for one with CUDA

    torch._C._cuda_getCurrentRawStream = lambda index=0: 0
    move_to_the_cpu(torch)


def finish(bfloat16: bool) -> None:
    """After the import of Unsloth; a RuntimeError if it lacks a name that the stand-ins lean on."""
    import torch

    if missing := missing_names():
        raise RuntimeError(f"Unsloth has no {', '.join(missing)}: mend the stand-ins, they are for {VERSION}")
    from unsloth.models import llama, rl

    os.environ["UNSLOTH_ALLOW_CPU"] = "0"  # while it is 1, Unsloth leaves TRL's trainers as they are
    rl.PatchFastRL(FastLanguageModel=llama.FastLlamaModel)
    allow_four_bit()
    replace_kernels(torch)
    claim_bfloat16(torch, bfloat16)


class Nothing:
    """A CUDA stream or event: it can be entered, and whatever it is told to do is done."""

    cuda_stream = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *error: Any) -> None: ...

    def _done(self, *args: Any, **kwargs: Any) -> Nothing:
        return self

    record = wait = synchronize = wait_stream = record_event = wait_event = _done


def answer_for_cuda(torch: Any, bfloat16: bool) -> None:
    """What `torch.cuda` is asked, answered for one idle card. `is_available` goes on telling the truth."""
    answers = {
        "device_count": 1,
        "current_device": 0,
        "get_device_properties": CARD,
        "get_device_capability": (CARD.major, CARD.minor),
        "mem_get_info": (60 * GIB, CARD.total_memory),
        "is_bf16_supported": bfloat16,
        "get_rng_state": torch.empty(0, dtype=torch.uint8),
        **dict.fromkeys(("set_rng_state", "synchronize", "empty_cache", "set_device")),
        **dict.fromkeys(("stream", "current_stream", "default_stream"), Nothing()),
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, always(answer))
    torch.cuda.memory.mem_get_info = torch.cuda.mem_get_info
    torch.cuda.Stream, torch.cuda.Event = type("Stream", (Nothing,), {}), type("Event", (Nothing,), {})


def always(answer: Any) -> Any:
    """A new function with one answer, whatever it is asked."""
    return lambda *args, **kwargs: answer


def cpu_for(device: Any) -> Any:
    """The CPU for a CUDA device, in any spelling; everything else as it is."""
    kind = getattr(device, "type", device)
    return "cpu" if type(kind) is int or str(kind).startswith("cuda") else device


def move_to_the_cpu(torch: Any) -> None:
    """Tensors, autocast and loss scaling that ask for a CUDA device get the CPU, for good."""

    class OnCpu(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = {key: value for key, value in (kwargs or {}).items() if key != "pin_memory"}
            if "device" in kwargs:
                kwargs["device"] = cpu_for(kwargs["device"])
            if function is torch.Tensor.cuda:
                return args[0]
            if function is torch.device and type(args[0]) is int:
                return torch.device("cuda", args[0])
            if function is torch.Tensor.to and len(args) > 1 and not isinstance(args[1], torch.Tensor | torch.dtype):
                args = args[0], cpu_for(args[1]), *args[2:]
            return function(*args, **kwargs)

    OnCpu().__enter__()
    for owner, name in [(torch.autocast, "__init__"), (torch.amp.GradScaler, "__init__")]:
        setattr(owner, name, with_cpu_first(getattr(owner, name)))
    for ask in (torch.is_autocast_enabled, torch.get_autocast_dtype):
        setattr(torch, ask.__name__, lambda device_type="cpu", ask=ask: ask(cpu_for(device_type)))
    for name in ("custom_fwd", "custom_bwd"):
        setattr(torch.amp, name, for_the_cpu(getattr(torch.amp, name)))


def with_cpu_first(init: Any) -> Any:
    """A constructor whose first argument is a device type."""
    return lambda self, device="cpu", *a, device_type=None, **k: init(self, cpu_for(device_type or device), *a, **k)


def for_the_cpu(decorate: Any) -> Any:
    """A decorator of an autograd function, for a device type."""
    return lambda *args, device_type, **kwargs: decorate(*args, device_type=cpu_for(device_type), **kwargs)


def replace_everywhere(old: Any, new: Any) -> None:
    """Put `new` where `old` is, in all modules of Unsloth: they import names from each other."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("unsloth", "Unsloth")):
            for key in [key for key, value in list(vars(module).items()) if value is old]:
                setattr(module, key, new)


def claim_bfloat16(torch: Any, bfloat16: bool) -> None:
    """Without a device Unsloth takes bfloat16 for missing, and answers for torch too."""
    from unsloth_zoo import device_type

    torch.cuda.is_bf16_supported = always(bfloat16)
    replace_everywhere(device_type.device_is_bf16_supported, always(bfloat16))
    for name, module in list(sys.modules.items()):
        if name.startswith("unsloth") and "SUPPORTS_BFLOAT16" in vars(module):
            module.SUPPORTS_BFLOAT16 = bfloat16


def allow_four_bit() -> None:
    """NF4 weights are unpacked by bitsandbytes' CPU kernels."""
    from bitsandbytes.functional import dequantize_4bit
    from unsloth.kernels import utils
    from unsloth.models import loader

    def dequantize(W, quant_state=None, out=None, use_global_buffer=False, dtype=None):
        if quant_state is None:
            return W
        turned = W.shape[0] == 1  # the transpose of what is packed
        full = dequantize_4bit(W.t(), quant_state).t() if turned else dequantize_4bit(W, quant_state)
        return full if out is None else out.copy_(full)

    def gemv(X, W, quant_state, out=None):
        product = X @ dequantize(W, quant_state).t()
        return product if out is None else out.copy_(product)

    loader.ALLOW_BITSANDBYTES = True
    replace_everywhere(utils.fast_dequantize, dequantize)
    replace_everywhere(utils.fast_gemv, gemv)


def replace_kernels(torch: Any) -> None:
    """RMS norm, rotary embedding and SwiGLU in plain torch: Triton has no kernels for a CPU."""
    from unsloth import kernels
    from unsloth.kernels import swiglu

    def norm(layer, X, *args, **kwargs):
        x = X.float()
        x = x * (x.square().mean(-1, keepdim=True) + layer.variance_epsilon).rsqrt()
        return layer.weight * x.to(X.dtype)

    def rotate(Q, K, cos, sin, rope_embedding_indices=None):
        """Q and K are (N, heads, T, D); cos and sin are (positions, D)."""
        cos, sin = cos.squeeze(), sin.squeeze()
        if rope_embedding_indices is None:
            cos, sin = cos[: Q.shape[2]], sin[: Q.shape[2]]
        else:
            positions = rope_embedding_indices.reshape(Q.shape[0], 1, -1).long()  # (N, 1, T)
            cos, sin = cos[positions], sin[positions]
        return tuple(x * cos + torch.cat((-x.chunk(2, -1)[1], x.chunk(2, -1)[0]), -1) * sin for x in (Q, K))

    def gated(e, g):
        return torch.nn.functional.silu(e.float()).to(e.dtype) * g

    replace_everywhere(kernels.fast_rms_layernorm, norm)
    replace_everywhere(kernels.fast_rope_embedding, rotate)
    replace_everywhere(swiglu.swiglu_fg_kernel, gated)
    replace_everywhere(swiglu.swiglu_DWf_DW_dfg_kernel, swiglu._DWf_DW_dfg_traced)


def missing_names() -> list[str]:
    """The private names that are not there."""
    return [
        f"{module}.{name}"
        for module, names in LEANED_ON.items()
        for name in names
        if not hasattr(importlib.import_module(module), name)
    ]
