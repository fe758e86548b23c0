"""Load a model for training or inference: the same call on a CPU and on a GPU.

Transformers and PEFT load it, on the GPU if there is one; with `unsloth=True`, for training on CUDA, Unsloth's
`FastLanguageModel` (`models.unsloth`). LoRA has the same rank, targets and names either way, so an adapter trained on
one loads on the other. An Unsloth model keeps its cache to itself: `samplers.choose` knows that.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from motif_lib.files import PACKAGE, damage, first_line
from motif_lib.models import unsloth as gpu
from motif_lib.models.chat import prepare
from motif_lib.models.cpu import for_cpu
from motif_lib.models.folders import TINY as TINY
from motif_lib.models.folders import check_model, read_settings
from motif_lib.runtime import check

TINY_FOLDER = PACKAGE / "assets" / TINY
OTHER_SIZES = "the weights have other sizes; name its own base as the model"
LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]  # reference code


def resolve(name: str) -> str:
    """`motif-tiny` is the model in the package; every other name is a folder or a Hub id.

    Raises:
        RuntimeError: for a folder that holds no model, such as an adapter or a run.
    """
    if name == TINY:
        return str(TINY_FOLDER)
    check_model(name)
    return name


def load_model(
    name: str = TINY,
    adapter: str | Path | None = None,
    revision: str | None = None,
    unsloth: bool = False,
    four_bit: bool = False,
    window: int = 2048,
    fast_inference: bool = False,
    max_lora_rank: int = 64,
) -> tuple[Any, Any]:
    """Load `(model, tokenizer)` for inference, with a saved LoRA adapter if one is named.

    Args:
        name: `motif-tiny`, a local folder or a Hub id.
        adapter: folder of a PEFT adapter.
        revision: Hub revision to pin.
        unsloth: load through Unsloth, to train on a CUDA GPU; before anything imports trl.
        four_bit: 4-bit weights, as in the paper; with `unsloth` only.
        window: longest prompt and reply together, in tokens; Unsloth asks for it.
        fast_inference: with a vLLM engine that shares the weights; with `unsloth` only.
        max_lora_rank: rank of the largest adapter that this engine will take.

    Raises:
        RuntimeError: if the weights are missing or corrupted, or do not fit, or a package is known to break what
            follows, in one line that says what to change.
    """
    if (four_bit or fast_inference) and not unsloth:
        option = "four_bit" if four_bit else "fast_inference"
        raise RuntimeError(f"{option}=True needs unsloth=True, and a CUDA GPU")
    check()
    if unsloth:
        gpu.import_unsloth()
    from safetensors import SafetensorError

    source = resolve(name)
    try:
        if unsloth:
            model, tokenizer = gpu.load(source, revision, four_bit, window, fast_inference, max_lora_rank)
            prepare(tokenizer)
        else:
            model, tokenizer = _load(source, revision)
        if adapter is not None:
            model = add_adapter(model, Path(adapter), source)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RuntimeError(f"cannot load {adapter or source}: {first_line(error)}") from error
    return model.eval(), tokenizer


def _load(source: str, revision: str | None) -> tuple[Any, Any]:
    """`(model, tokenizer)` through Transformers, on the GPU if there is one."""
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = load_tokenizer(source, revision)
    config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    model, info = AutoModelForCausalLM.from_pretrained(
        source,
        config=config,
        revision=revision,
        dtype="auto",
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation=attention_for(config),
        output_loading_info=True,
    )
    if info["missing_keys"]:
        raise ValueError(f"its files lack {some(info['missing_keys'])}: download the model again")
    return model.to("cuda") if gpu.has_cuda() else for_cpu(model), tokenizer


def attention_for(config: Any) -> str | None:
    """Our own attention on a CPU where it fits; None leaves the choice to Transformers, which knows each model."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    from motif_lib.models.attention import GROUPED, attends_to_all

    kind = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    fits = kind and attends_to_all(kind, config) and kind._supports_attention_backend
    return GROUPED if fits and not gpu.has_cuda() else None


def go_on_with(model: Any, adapter: Path, rank: int, source: str) -> Any:
    """The model with a saved adapter of this rank, to train it further.

    Raises:
        RuntimeError: in one line, if the folder cannot be loaded, or holds an adapter of another rank or model.
    """
    from safetensors import SafetensorError

    if (found := read_settings(adapter)["r"]) != rank:
        raise RuntimeError(f"the adapter in {adapter} has rank {found}, the recipe {rank}: write lora_rank: {found}")
    try:
        return add_adapter(model, adapter, resolve(source), trainable=True)
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise RuntimeError(f"cannot load {adapter}: {first_line(error)}") from error


def add_adapter(model: Any, folder: Path, source: str, trainable: bool = False) -> Any:
    """The model with a saved adapter around it, frozen unless it is to be trained on.

    Raises:
        OSError: if the folder is damaged.
        ValueError: if the adapter has other layers than the model; a base of another name alone is a warning.
    """
    from peft import PeftModel
    from peft.utils import get_peft_model_state_dict, load_peft_weights

    if flaw := damage(folder):
        raise OSError(flaw)
    config = adapter_config(folder)
    base = config.base_model_name_or_path
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found missing adapter keys")  # said below, in one line
        try:
            model = PeftModel.from_pretrained(
                model, str(folder), is_trainable=trainable, config=config, use_safetensors=True
            )
        except RuntimeError as error:
            if "size mismatch" not in str(error):  # torch's, a line for every layer
                raise
            raise ValueError(f"it was made for another model, {base}, not for {source}: {OTHER_SIZES}") from error
    given = set(load_peft_weights(str(folder), device="cpu"))
    wanted = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    if odd := sorted(name for name in given ^ wanted if "lora_" in name):
        raise ValueError(f"it was made for another model, {base}, not for {source}: only one of them has {some(odd)}")
    if base and bare_name(base) != bare_name(source):
        warnings.warn(f"this adapter was trained on {base}, not on {source}: they fit, but may not mix", stacklevel=3)
    return model


def bare_name(name: str) -> str:
    """A model's name without its folder or owner, and without what Unsloth adds for its packed copies."""
    return Path(name).name.lower().removesuffix("-bnb-4bit").removesuffix("-unsloth")


def some(names: Collection[str]) -> str:
    """A few of many names."""
    first = sorted(names)[0]
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first


def load_tokenizer(name: str = TINY, revision: str | None = None) -> Any:
    """The tokenizer of a model by name, made ready (`models.chat.prepare`)."""
    from transformers import AutoTokenizer

    return prepare(AutoTokenizer.from_pretrained(resolve(name), revision=revision, trust_remote_code=False))


def with_lora(model: Any, rank: int = 64, alpha: int | None = None, seed: int = 0) -> tuple[Any, Any]:
    """`(model, peft_config)` for a trainer: Unsloth attaches the adapter itself, elsewhere the trainer does."""
    if gpu.is_unsloth(model):
        return gpu.attach_lora(model, rank, alpha or rank, LORA_TARGETS, seed), None
    return model, lora_config(rank, alpha)


def lora_config(rank: int = 64, alpha: int | None = None) -> Any:
    """PEFT's `LoraConfig` with the paper's targets.

    Args:
        rank: 64 in the reference code; 16 is enough for motif-tiny.
        alpha: equal to the rank in the reference code, and by default here.
    """
    check()
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=alpha or rank, target_modules=LORA_TARGETS, task_type="CAUSAL_LM")


def adapter_config(adapter: Path) -> Any:
    """The settings of a saved adapter, without those that are off and that an older PEFT does not know.

    A newer PEFT writes all its settings; an older one warns of each that it does not know, whatever its value.
    """
    from peft import LoraConfig

    known = inspect.signature(LoraConfig).parameters
    return LoraConfig.from_peft_type(**{k: v for k, v in read_settings(adapter).items() if v or k in known})
