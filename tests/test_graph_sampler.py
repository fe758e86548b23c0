"""GraphSampler without a GPU: its recordings are played back on the CPU, its merged copy is held to the policy."""

import copy
import inspect
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    masking_utils,
)

from motif_lib.models.load import load_model, lora_config
from motif_lib.protocol import messages
from motif_lib.samplers import cuda_graphs
from motif_lib.samplers.generate import until
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.merged_copy import MergedCopy, plain_class

CHATS = [messages(f"{name} has {n} eggs. " * (1 + n % 4), 1, 3) for name in ("Ann", "Ben") for n in range(6)]


class Recorder(TorchDispatchMode):
    """What a CUDA graph is to its kernels: the operations of one run, with the same tensors they ran on."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, out))
        return out

    def replay(self):
        """All of it again: each result goes where it went, whatever the program around it has done since."""
        for func, args, kwargs, old in self.calls:
            new = func(*args, **kwargs)
            for before, after in zip(*(x if isinstance(x, tuple | list) else (x,) for x in (old, new))):
                if isinstance(after, torch.Tensor) and after.data_ptr() != before.data_ptr():
                    before.copy_(after)


@pytest.fixture
def recordings(monkeypatch):
    """As on a GPU: every step is recorded once and then played back."""
    made = []

    def record(run, pool):
        # Recording runs the step, which recording a CUDA graph does not: put back what it has changed.
        buffers = run.__self__
        moved = [buffers.mask, buffers.slot, buffers.positions, *buffers.cache.keys, *buffers.cache.values]
        before = [tensor.clone() for tensor in moved]
        with Recorder() as recorder:
            run()
        for tensor, old in zip(moved, before):
            tensor.copy_(old)
        made.append(recorder)
        return recorder.replay

    monkeypatch.setattr(cuda_graphs, "record", record)
    return made


def adapted(model, scale=0.2):
    """With a LoRA adapter that changes something."""
    policy = get_peft_model(model, lora_config(4))
    torch.manual_seed(1)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    return policy.eval()


def ending(*samplers, prompts):
    """Make replies end at many different steps, some of them late."""
    free, stop = samplers[0].sample_ids(prompts), []
    for i, reply in enumerate(free):
        if 9 * i < len(reply) and max(len(until(other, [*stop, reply[9 * i]])) for other in free) > 140:
            stop.append(reply[9 * i])
    for sampler in samplers:
        sampler.stop = torch.tensor(sorted(set(stop)))


SIZES = dict(vocab_size=511, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3)  # fmt: skip


@pytest.mark.parametrize(
    "kind, config",
    [
        (Qwen2ForCausalLM, Qwen2Config),
        pytest.param(Qwen3ForCausalLM, Qwen3Config, marks=pytest.mark.slow),
        pytest.param(LlamaForCausalLM, LlamaConfig, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("lora", [False, True])
def test_greedy_replies_equal_local_samplers(kind, config, lora, tokenizer, recordings):
    """Through recordings, several segments, shrinking batches and lengths beyond the first bucket."""
    torch.manual_seed(0)
    model = kind(config(**SIZES, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)).eval()
    model = adapted(model) if lora else model
    local, other = (make(model, tokenizer, 180, temperature=0) for make in (LocalSampler, GraphSampler))
    prompts = local.render([*CHATS, messages("Cara has 3 eggs. " * 20, 1, 3)])
    assert 110 < max(map(len, prompts)) < 190  # the second bucket of lengths is reached, not from the start
    ending(local, other, prompts=prompts)
    replies = local.sample_ids(prompts)
    assert len({len(reply) for reply in replies}) > 3 and max(map(len, replies)) > 140
    assert other.sample_ids(prompts) == replies and other.sample_ids(prompts[::-1]) == replies[::-1]
    assert set(other.decoder.steps) >= {(8, 272), (16, 272), (8, 528)} and len(recordings) >= 3


def test_a_step_reads_nothing_back(random_model, tokenizer, recordings):
    """A graph cannot be recorded while the program waits for a value."""
    GraphSampler(random_model, tokenizer, 40)(CHATS)
    names = {func.__name__ for recorder in recordings for func, *_ in recorder.calls}
    assert "index_copy_.default" in names
    assert not names & {"_local_scalar_dense.default", "nonzero.default", "is_nonzero.default", "lift_fresh.default"}


@pytest.mark.slow
def test_nothing_is_recorded_again(random_model, tokenizer, recordings):
    """20 steps with prompts of varying numbers and lengths: few shapes, and the second time none is new."""
    sampler = GraphSampler(random_model, tokenizer, 40)
    steps = [[messages("Ann has 3 eggs. " * (1 + i % 7), 1, 3)] * (1 + 3 * i % 23) for i in range(20)]
    for chats in steps:
        sampler(chats)
    first, shapes = len(recordings), set(sampler.decoder.steps)
    addresses = [tensor.data_ptr() for tensor in sampler.decoder.buffers.by_row]
    assert shapes <= {(rows, 272) for rows in (8, 16, 32)} and len(shapes) >= 2
    for chats in steps[::-1]:
        sampler(chats)
    assert len(recordings) == first and [t.data_ptr() for t in sampler.decoder.buffers.by_row] == addresses


def test_a_longer_batch_after_a_short_one(random_model, tokenizer, recordings):
    """The buffers grow, and the old recordings go with them."""
    sampler, local = (kind(random_model, tokenizer, 20, temperature=0) for kind in (GraphSampler, LocalSampler))
    for chats in (CHATS[:2], [messages("Ann has 3 eggs. " * 12, 1, 3)] * 20, CHATS):
        assert sampler(chats) == local(chats)


@pytest.mark.parametrize("size, padded", [(1, 8), (8, 8), (9, 16), (17, 32), (64, 64), (65, 128), (256, 256)])
def test_buckets(size, padded):
    assert cuda_graphs.bucket(size, 8) == padded


def test_the_copy_follows_the_policy(random_model, tokenizer):
    base = copy.deepcopy(random_model)
    policy = adapted(random_model)
    sampler = GraphSampler(policy, tokenizer, 16, temperature=0)
    as_base, as_adapted = LocalSampler(base, tokenizer, 16, 0)(CHATS), LocalSampler(policy, tokenizer, 16, 0)(CHATS)
    assert sampler(CHATS) == as_adapted != as_base
    with policy.disable_adapter():
        assert sampler(CHATS) == as_base
    assert sampler(CHATS) == as_adapted
    with torch.no_grad():  # a training step
        for name, parameter in policy.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.3)
    trained = LocalSampler(policy, tokenizer, 16, 0)(CHATS)
    assert sampler(CHATS) == trained != as_adapted


def test_the_copy_owns_only_what_lora_adapts(random_model):
    policy = adapted(random_model)
    merged = MergedCopy(policy)
    theirs = {parameter.data_ptr() for parameter in policy.parameters()}
    own = {name for name, parameter in merged.model.named_parameters() if parameter.data_ptr() not in theirs}
    assert len(own) == 7 * 2 and all("_proj.weight" in name for name in own)
    assert not any(parameter.requires_grad for name, parameter in merged.model.named_parameters() if name in own)


@pytest.mark.parametrize("dtype, scale", [(torch.bfloat16, 3e-4), (torch.float16, 3e-5)])
def test_small_changes_of_the_weights_arrive(random_model, dtype, scale):
    """Rounded to the nearest most would be lost. The adapter is float32, the sum is rounded once."""
    policy = adapted(random_model.to(dtype), scale)
    merged = MergedCopy(policy)
    merged.sync()
    wanted, given, nearest = [], [], []
    for layer, weight in merged.merged:
        base, change = layer.get_base_layer().weight.float(), layer.get_delta_weight("default").detach()
        assert change.dtype == torch.float32 and weight.dtype == dtype
        step = (base + change).abs() * torch.finfo(dtype).eps + 1e-7  # more for the smallest numbers of float16
        assert ((weight.float() - base - change).abs() <= step).all()
        wanted.append(change.flatten())
        given.append((weight.float() - base).flatten())
        nearest.append(((base + change).to(dtype).float() - base).flatten())
    wanted, given, nearest = (torch.cat(parts) for parts in (wanted, given, nearest))
    share = lambda found: float((found * wanted).sum() / (wanted * wanted).sum())  # noqa: E731
    assert share(given) == pytest.approx(1, abs=0.2) and share(nearest) < 0.8


def test_the_same_policy_gives_the_same_copy_and_an_untouched_base_is_exact(random_model):
    policy = adapted(random_model.to(torch.bfloat16))
    merged = MergedCopy(policy)
    merged.sync()
    first = [weight.clone() for _, weight in merged.merged]
    merged.sync()
    assert all(torch.equal(old, weight) for old, (_, weight) in zip(first, merged.merged))
    with policy.disable_adapter():
        merged.sync()
    assert all(torch.equal(layer.get_base_layer().weight, weight) for layer, weight in merged.merged)


def test_packed_weights_are_unpacked(random_model, monkeypatch):
    """A stand-in for 4-bit weights, which need a GPU: bytes in `weight`, unpacked by PEFT's function."""
    plain = copy.deepcopy(random_model)
    for layer in random_model.model.layers:
        for module in (layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj):
            module.real = module.weight.detach()
            module.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.uint8), requires_grad=False)
    unpack = "motif_lib.samplers.merged_copy.dequantize_module_weight"
    monkeypatch.setattr(unpack, lambda module: getattr(module, "real", getattr(module, "weight", None)))
    copied = MergedCopy(random_model).model
    ids = torch.arange(10)[None]
    assert torch.allclose(copied(ids).logits, plain(ids).logits, atol=1e-5)


def test_methods_that_others_have_replaced_are_not_used(random_model, tokenizer, monkeypatch):
    """As Unsloth does, for the whole process."""
    expected = LocalSampler(random_model, tokenizer, 8, temperature=0)(CHATS)

    def replaced(*args, **kwargs):
        raise AssertionError("called")

    for owner in (type(random_model), type(random_model.model), type(random_model.model.layers[0].self_attn)):
        monkeypatch.setattr(owner, "forward", replaced)
    for name in ("create_causal_mask", "create_sliding_window_causal_mask"):
        monkeypatch.setattr(masking_utils, name, replaced)
    assert GraphSampler(random_model, tokenizer, 8, temperature=0)(CHATS) == expected
    assert plain_class(Qwen2ForCausalLM) is not Qwen2ForCausalLM


def test_a_class_of_another_package_is_refused(random_model):
    """Its file may be what a patch has written."""
    random_model.__class__ = type("Compiled", (Qwen2ForCausalLM,), {"__module__": __name__})
    with pytest.raises(RuntimeError, match="Compiled is not Transformers' own: set sampler='generate'"):
        MergedCopy(random_model)


@pytest.mark.parametrize(
    "config, message",
    [
        (LoraConfig(target_modules=["q_proj"], use_dora=True), "DoRA"),
        (LoraConfig(target_modules=["q_proj"], lora_bias=True), "of another kind"),
        (LoraConfig(target_modules=["q_proj"], modules_to_save=["up_proj"]), "not built as in Transformers"),
        (PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM"), "learns a prompt"),
    ],
)
def test_an_adapter_that_a_sum_does_not_merge_is_refused(random_model, config, message):
    with pytest.raises(RuntimeError, match=message) as error:
        MergedCopy(get_peft_model(random_model, config))
    assert "sampler='generate'" in str(error.value)


def test_padding_that_sees_nothing_spoils_nothing(random_model, tokenizer, monkeypatch):
    """With a kernel that gives NaN to a query without keys, as Unsloth reports of float16 on a GPU."""
    expected = GraphSampler(random_model, tokenizer, 8, temperature=0)(CHATS)
    attention, empty = torch.nn.functional.scaled_dot_product_attention, []

    def kernel(*args, attn_mask=None, **kwargs):
        out = attention(*args, attn_mask=attn_mask, **kwargs)
        blind = torch.zeros(1, 1, 1, 1, dtype=torch.bool) if attn_mask is None else ~attn_mask.any(-1, keepdim=True)
        empty.append(bool(blind.any()))
        return out.masked_fill(blind, float("nan"))

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", kernel)
    assert GraphSampler(random_model, tokenizer, 8, temperature=0)(CHATS) == expected and empty and not any(empty)


def test_sampling_follows_the_models_distribution(random_model, tokenizer):
    """First and second tokens of 4,000 replies against softmax(logits / T)."""
    sampler = GraphSampler(random_model, tokenizer, 2, temperature=0.7, batch_size=4096)
    prompt = sampler.render(CHATS[:1])[0]
    sampler.seed(0)
    drawn = torch.tensor([ids[:1] + ids[-1:] for ids in sampler.sample_ids([prompt] * 4000)])
    first = (random_model(torch.tensor([prompt])).logits[0, -1] / 0.7).softmax(-1)
    seen = torch.bincount(drawn[:, 0], minlength=len(first)) / 4000
    assert (seen - first).abs().max() < 4 * (0.25 / 4000) ** 0.5
    common = int(first.argmax())
    after = drawn[drawn[:, 0] == common, 1]
    second = (random_model(torch.tensor([[*prompt, common]])).logits[0, -1] / 0.7).softmax(-1)
    seen = torch.bincount(after, minlength=len(second)) / len(after)
    assert len(after) > 100 and (seen - second).abs().max() < 4 * (0.25 / len(after)) ** 0.5


def test_nan_logits_are_an_error_not_a_token(random_model, tokenizer):
    with torch.no_grad():
        random_model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="NaN or infinite logits"):
        GraphSampler(random_model, tokenizer, 8)(CHATS)


def test_nan_is_gone_with_the_weights_that_gave_it(random_model, tokenizer):
    """What is masked is multiplied by zero, which does not make a NaN less of one: the buffers go."""
    sampler, broken = GraphSampler(random_model, tokenizer, 8, temperature=0), random_model.model.layers[0]
    expected, weight = sampler(CHATS), broken.input_layernorm.weight
    whole = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
        with pytest.raises(FloatingPointError):
            sampler(CHATS)
        weight.copy_(whole)
    assert sampler(CHATS) == expected


def test_samplers_at_another_temperature_share_the_memory(random_model, tokenizer):
    sampler = GraphSampler(adapted(random_model), tokenizer, 8)
    greedy = sampler.at(0)
    assert greedy.decoder is sampler.decoder and greedy.merged is sampler.merged and greedy.greedy
    assert not sampler.greedy and sampler.temperature == 1


def test_out_of_memory_gives_the_buffers_back(random_model, tokenizer, monkeypatch, capsys):
    sampler = GraphSampler(random_model, tokenizer, 8, temperature=0)
    expected, load, rows = sampler(CHATS), cuda_graphs.Buffers.load, []

    def full(self, cache, mask):
        rows.append(len(mask))
        if len(mask) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        load(self, cache, mask)

    monkeypatch.setattr(cuda_graphs.Buffers, "load", full)
    assert sampler(CHATS) == expected and rows == [16, 6, 6]
    assert sampler.decoder.buffers.shape[0] == 6 and "6 from now on" in capsys.readouterr().out


def test_the_embedded_model_gives_the_same_greedy_replies():
    model, tokenizer = load_model()
    chats = [messages(f"Ann has {n} apples, on day one buys {n}. How many apples has Ann now?", 1, 3) for n in range(9)]
    assert GraphSampler(model, tokenizer, 60, 0)(chats) == LocalSampler(model, tokenizer, 60, 0)(chats)


def test_a_model_of_other_parts_is_refused_in_one_line(random_model):
    random_model.model.layers[0].mlp.gate_up = random_model.model.layers[0].mlp.gate_proj
    del random_model.model.layers[0].mlp.gate_proj
    with pytest.raises(RuntimeError, match="Qwen2ForCausalLM is not built as in Transformers .*'generate'"):
        MergedCopy(random_model)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes comes with the gpu extra only")
def test_real_four_bit_weights_are_unpacked(tmp_path):
    """NF4 with double quantisation. In training mode: for inference bitsandbytes repacks weights on some CPUs."""
    torch.manual_seed(0)
    sizes = {**SIZES, "hidden_size": 128, "intermediate_size": 256, "initializer_range": 0.1}
    Qwen2ForCausalLM(Qwen2Config(**sizes)).to(torch.bfloat16).save_pretrained(tmp_path)
    packing = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    packed = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=packing, dtype=torch.bfloat16)
    assert type(packed.model.layers[0].mlp.up_proj.weight).__name__ == "Params4bit"
    policy, ids = adapted(packed, scale=0.1).train(), torch.randint(0, 511, (4, 32))
    merged = MergedCopy(policy)
    merged.sync()
    difference = (merged.model(ids).logits - policy(ids).logits).norm() / policy(ids).logits.norm()
    assert difference < 0.05
    with policy.disable_adapter():
        merged.sync()
        assert torch.equal(merged.model(ids).logits, policy(ids).logits)


@pytest.mark.parametrize(
    "error, message",
    [
        (RuntimeError("CUDA error: operation not permitted when stream is capturing\nlong story"),
         r"no CUDA graph of a decoding step \(CUDA error: .* is capturing\): set sampler='generate' and start again$"),
        (torch.OutOfMemoryError("CUDA out of memory"), "^CUDA out of memory$"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_recorded_says_what_to_do(monkeypatch, error, message):
    def run():
        raise error

    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **kwargs: nullcontext())
    with pytest.raises(type(error), match=message):
        cuda_graphs.record(run, pool=(0, 1))


def test_what_torch_is_asked_for_is_there():
    """`torch.cuda.graph` cannot run here, but its signature is in every build."""
    assert {"pool", "capture_error_mode"} <= set(inspect.signature(torch.cuda.graph.__init__).parameters)
    assert callable(torch.cuda.graph_pool_handle) and hasattr(torch.cuda.CUDAGraph, "replay")


@pytest.mark.parametrize("tokens, padded", [(1, 272), (272, 272), (273, 528), (2048, 2064), (2064, 2064), (2065, 4112)])
def test_a_full_window_of_padded_prompts_fits_its_bucket(tokens, padded):
    assert cuda_graphs.padded_length(tokens) == padded
