"""The settings of a draw and of the chat template, in every sampler that takes them."""

import pytest
import torch
import vllm_engine

from motif_lib.protocol import messages
from motif_lib.samplers.choose import SAMPLERS, make_sampler
from motif_lib.samplers.drawing import Drawing

CHATS = [messages(f"{name} has {n} eggs. " * n, 1, 3) for name in ("Ann", "Ben") for n in (1, 2, 4)]
SETTINGS = [
    {"top_k": 5},
    {"min_p": 0.2},
    {"repetition_penalty": 1.7},
    {"temperature": 2.0, "top_k": 9, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 1.3},
]
KINDS = ["local", "generate", "graph"]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_what_is_drawn_from_is_what_generate_draws_from(random_model, settings):
    """Its scores are the logits after all processors; the order matters."""
    ids = torch.randint(5, 200, (1, 12), generator=torch.Generator().manual_seed(0))
    out = random_model.generate(ids, do_sample=True, max_new_tokens=1, return_dict_in_generate=True,
                                output_scores=True, output_logits=True, **{"top_k": 0, **settings})  # fmt: skip
    how = Drawing(**settings)
    drawn = how.probabilities(how.penalised(out.logits[0], how.history(ids.tolist(), 7, ids.device)))
    plain = out.logits[0].softmax(-1)
    assert torch.equal(drawn, out.scores[0].softmax(-1)) and not torch.equal(drawn, plain)


@pytest.mark.parametrize("kind", KINDS)
def test_a_repetition_penalty_counts_prompt_and_reply_but_no_padding(kind, random_model, tokenizer):
    """Greedy, prompts of several lengths, replies that end at several steps: as `generate` gives them one at a time."""
    sampler = make_sampler(random_model, tokenizer, 40, 0.0, kind=kind, repetition_penalty=1.5)
    prompts, free = sampler.render(CHATS), []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = random_model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False,
                                    eos_token_id=-1, repetition_penalty=1.5)  # fmt: skip
        free.append(out[0, len(prompt) :].tolist())
    stop = {reply[5 * i] for i, reply in enumerate(free, 1)}
    sampler.stop = torch.tensor(sorted(stop))
    ended = [reply[: next((i for i, t in enumerate(reply) if t in stop), 39) + 1] for reply in free]
    assert sampler.sample_ids(prompts) == ended and len({len(reply) for reply in ended}) > 2
    plain = make_sampler(random_model, tokenizer, 40, 0.0, kind=kind)
    assert plain.sample_ids(prompts) != free


@pytest.mark.parametrize("setting", [{"top_k": 1}, {"min_p": 1.0}])
@pytest.mark.parametrize("kind", KINDS)
def test_drawing_from_one_token_is_greedy(kind, setting, random_model, tokenizer):
    greedy = make_sampler(random_model, tokenizer, 12, 0.0, kind=kind)(CHATS)
    assert make_sampler(random_model, tokenizer, 12, 1.0, kind=kind, **setting)(CHATS) == greedy


@pytest.mark.parametrize("kind", SAMPLERS)
def test_another_temperature_keeps_the_rest(kind, random_model, tokenizer, monkeypatch):
    vllm_engine.install(monkeypatch, random_model, tokenizer)
    rest = {"top_k": 3, "min_p": 0.1, "repetition_penalty": 1.2}
    told = {"thinking": False}
    sampler = make_sampler(random_model, tokenizer, 4, kind=kind, chat_template_kwargs=told, **rest).at(0.5, 0.9)
    assert sampler.drawing == Drawing(0.5, 0.9, **rest) and sampler.chat_template_kwargs == told


@pytest.mark.parametrize(
    "setting",
    [{"top_k": -1}, {"min_p": 2.0}, {"repetition_penalty": 0.0}, {"top_p": 1.5}, {"temperature": -1.0}],
    ids=str,
)
def test_a_value_out_of_its_range_is_one_line_when_the_sampler_is_made(setting, random_model, tokenizer):
    with pytest.raises(ValueError) as error:
        make_sampler(random_model, tokenizer, 4, **setting)
    (name,) = setting
    assert name.removeprefix("repetition_") in str(error.value) and "\n" not in str(error.value)


def test_the_chat_template_is_told_in_every_round(random_model, tokenizer, monkeypatch):
    template = tokenizer.chat_template + "{{ '' if enable_thinking is defined and not enable_thinking else 'THINK' }}"
    monkeypatch.setattr(tokenizer, "chat_template", template)
    chats = [messages("Ann has 3.", 1, 3), messages("Ann has 3.", 2, 3, "3 eggs")]
    for told, ending in (({"enable_thinking": False}, False), (None, True)):
        sampler = make_sampler(random_model, tokenizer, 4, chat_template_kwargs=told)
        texts = tokenizer.batch_decode(sampler.render(chats))
        assert [text.endswith("THINK") for text in texts] == [ending] * 2
