"""LocalSampler against Transformers' own generate, on a small random model."""

import pytest
import torch
from transformers import Qwen2ForCausalLM

from motif_lib.protocol import messages
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.prefill import deduplicate, shared_prefixes
from motif_lib.samplers.progress import listening


@pytest.fixture(scope="module")
def chats():
    questions = ["Ann has 3 eggs.", "Ben has 44 coins. Day 1: buys 5.", "Ann has 3 eggs.", "Jon has 9 pens. " * 4]
    return [messages(q, 1, 3) for q in questions]


def reference(model, tokenizer, prompt, budget):
    out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), max_new_tokens=budget,
                         do_sample=False)  # fmt: skip
    return out[0, len(prompt) :].tolist()


def test_greedy_equals_transformers_generate(random_model, tokenizer, chats):
    sampler = LocalSampler(random_model, tokenizer, 24, temperature=0)
    prompts = sampler.render(chats)
    assert sampler.sample_ids(prompts) == [reference(random_model, tokenizer, p, 24) for p in prompts]


def test_replies_that_end_leave_the_batch_and_change_nothing(random_model, tokenizer, chats):
    """Every token may end a turn with some probability, so replies end at many different steps."""
    sampler = LocalSampler(random_model, tokenizer, 40, temperature=0)
    prompts = sampler.render([*chats, *[messages(f"Cara has {i} cards.", 1, 2) for i in range(20)]])
    free = sampler.sample_ids(prompts)
    stop = {reply[2 + 3 * i % 36] for i, reply in enumerate(free[:8])} | set(sampler.stop.tolist())
    sampler.stop = torch.tensor(sorted(stop))
    expected = [reply[: next((i for i, t in enumerate(reply) if t in stop), len(reply)) + 1] for reply in free]
    assert len({len(e) for e in expected}) > 3
    assert sampler.sample_ids(prompts) == expected


@pytest.mark.parametrize("kind", [LocalSampler, GenerateSampler, GraphSampler])
def test_replies_are_reported_as_done_when_they_end(random_model, tokenizer, chats, kind):
    sampler, heard = kind(random_model, tokenizer, 40, temperature=0), []
    prompts = sampler.render([*chats, *[messages(f"Cara has {i} cards.", 1, 2) for i in range(20)]])
    sampler.stop = torch.tensor(sorted({reply[5 + i] for i, reply in enumerate(sampler.sample_ids(prompts)[:6])}))
    with listening(lambda tokens, replies: heard.append((tokens, replies))):
        replies = sampler.sample_ids(prompts)
    assert len({len(reply) for reply in replies}) > 3 and len(heard) > 3
    assert sum(tokens for tokens, _ in heard) == sum(map(len, replies))
    assert sum(done for _, done in heard) == pytest.approx(len(prompts))


def test_small_batches_give_the_same_greedy_replies(random_model, tokenizer, chats):
    whole = LocalSampler(random_model, tokenizer, 12, temperature=0)(chats)
    assert LocalSampler(random_model, tokenizer, 12, temperature=0, batch_size=2)(chats) == whole


def test_a_seed_repeats_and_another_differs(random_model, tokenizer, chats):
    sampler = LocalSampler(random_model, tokenizer, 12)
    runs = []
    for seed in (1, 1, 2):
        sampler.seed(seed)
        runs.append(sampler(chats))
    assert runs[0] == runs[1] != runs[2]
    assert runs[0][0].text != runs[0][2].text  # equal prompts share their prefill, not their sampling


def test_sampling_follows_the_models_distribution(random_model, tokenizer, chats):
    """First-token frequencies over 4,000 samples against softmax(logits / T)."""
    sampler = LocalSampler(random_model, tokenizer, 1, temperature=0.7, batch_size=4000)
    prompt = sampler.render(chats[:1])[0]
    expected = (random_model(torch.tensor([prompt])).logits[0, -1] / 0.7).softmax(-1)
    sampler.seed(0)
    drawn = torch.tensor([ids[0] for ids in sampler.sample_ids([prompt] * 4000)])
    seen = torch.bincount(drawn, minlength=len(expected)) / 4000
    assert (seen - expected).abs().max() < 4 * (0.25 / 4000) ** 0.5


def test_counts_and_the_budget_are_reported(random_model, tokenizer, chats):
    sampler = LocalSampler(random_model, tokenizer, 5, temperature=0)
    for completion, prompt in zip(sampler(chats), sampler.render(chats)):
        assert completion.prompt_tokens == len(prompt)
        assert completion.tokens <= 5 and (completion.finished or completion.tokens == 5)


def test_what_a_model_sees_is_what_is_rendered(random_model, tokenizer, chats):
    sampler = LocalSampler(random_model, tokenizer, 6)
    assert tokenizer.batch_decode(sampler.render(chats)) == [sampler.seen(chat) for chat in chats]
    assert sampler.seen(chats[0]).startswith("<|im_start|>user\nAnn has 3 eggs."), "motif-tiny's has no system message"


def test_a_prompt_that_cannot_fit_is_refused(random_model, tokenizer):
    with pytest.raises(ValueError, match="do not fit the window of 256"):
        LocalSampler(random_model, tokenizer, 64)([messages("Day 1: buys 5. " * 60, 1, 3)])


def test_nan_logits_are_an_error_not_a_token(random_model, tokenizer, chats):
    broken = Qwen2ForCausalLM(random_model.config).eval()
    broken.lm_head.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="NaN"):
        LocalSampler(broken, tokenizer, 4)(chats)


def test_no_chats_no_completions(random_model, tokenizer):
    assert LocalSampler(random_model, tokenizer, 4)([]) == []


def test_deduplicate():
    assert deduplicate([[3], [1, 2], [3]]) == ([(1, 2), (3,)], [1, 0, 1])


def test_prefixes_are_shared_by_halves_and_leave_a_token_over():
    prompts = [(1, 2, 3, 4), (1, 2, 3, 5, 6), (7, 8), (9,)]
    assert shared_prefixes(prompts) == ([(1, 2, 3), (7,), ()], [0, 0, 1, 2])


def test_later_rounds_of_one_question_equal_transformers_generate(random_model, tokenizer):
    """Prompts that share their question but not their notes go through the shared prefix."""
    long, other = "Ann has 3 eggs, on day one buys 5. " * 5, "Jon has 9 pens, on day one uses 1. " * 5
    chats = [messages(long, 2, 3, f"{d} eggs after day one") for d in range(6)]
    chats += [messages(other, 3, 3, "8 pens after day one")]
    sampler = LocalSampler(random_model, tokenizer, 20, temperature=0)
    prompts = sampler.render(chats)
    assert len(shared_prefixes(deduplicate(prompts)[0])[0]) == 2
    assert sampler.sample_ids(prompts) == [reference(random_model, tokenizer, p, 20) for p in prompts]


def test_grouped_attention_gives_transformers_own_replies(random_model, tokenizer, chats):
    """With padding, copies and rows that leave; 4 query heads share 2 key heads."""
    from motif_lib.models.attention import GROUPED

    assert random_model.config.num_attention_heads > random_model.config.num_key_value_heads
    prompts = LocalSampler(random_model, tokenizer, 70, temperature=0).render(chats)
    expected = [reference(random_model, tokenizer, p, 70) for p in prompts]
    random_model.set_attn_implementation(GROUPED)
    assert LocalSampler(random_model, tokenizer, 70, temperature=0).sample_ids(prompts) == expected


def test_the_cache_grows_in_steps_and_copies_nothing_in_between():
    from transformers import Qwen2Config

    from motif_lib.models.attention import ROOM, RoomyCache

    cache = RoomyCache(Qwen2Config(num_hidden_layers=1))
    news = torch.randn(ROOM + 6, 3, 2, 1, 4)  # tokens, rows, heads, 1, head size
    places = []
    for new in news:
        keys, values = cache.update(new, -new, 0)
        places.append(keys.data_ptr())
    assert torch.equal(keys, news.squeeze(3).permute(1, 2, 0, 3)) and torch.equal(values, -keys)
    assert len(set(places)) == 3  # the first token, then room for ROOM more, then once again
    cache.batch_select_indices(torch.tensor([2, 0]))
    kept, _ = cache.update(news[0][[2, 0]], news[0][[2, 0]], 0)
    assert torch.equal(kept[:, :, :-1], keys[[2, 0]])
