"""What every sampler owes its callers: a script, a model in memory (in four ways), and a server over HTTP."""

import pytest
import torch
import vllm_engine
from chat_server import serving

from motif_lib.protocol import messages
from motif_lib.records import Question
from motif_lib.rounds import think
from motif_lib.samplers.base import Completion, ScriptedSampler
from motif_lib.samplers.generate import GenerateSampler
from motif_lib.samplers.graph import GraphSampler
from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.progress import listening
from motif_lib.samplers.server import ServerSampler
from motif_lib.samplers.vllm import VllmSampler

MODELS = {"local": LocalSampler, "generate": GenerateSampler, "graph": GraphSampler, "vllm": VllmSampler}
CHATS = [messages(f"{name} has {number} eggs.", 1, 3) for name in ("Ann", "Ben", "Cara") for number in (3, 44)]


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        yield running


@pytest.fixture(params=["scripted", "local", "generate", "graph", "vllm", "server"])
def make(request):
    """`make(budget, temperature)`: a sampler with a window of 256 (model) or 400 (server)."""
    if request.param == "scripted":
        return lambda budget, temperature=1.0: ScriptedSampler(cut_at(budget))
    if request.param in MODELS:
        parts = request.getfixturevalue("random_model"), request.getfixturevalue("tokenizer")
        if request.param == "vllm":
            vllm_engine.install(request.getfixturevalue("monkeypatch"), *parts)
        return lambda budget, temperature=1.0: MODELS[request.param](*parts, budget, temperature)
    url = request.getfixturevalue("server").url
    return lambda budget, temperature=1.0: ServerSampler(url, "m", budget, temperature, tries=1)


def cut_at(budget):
    """A script that repeats the question, cut at the budget."""

    def answer(chat):
        text = chat[-1]["content"].split()
        return Completion(" ".join(text[:budget]), len(text) <= budget, min(len(text), budget), len(text))

    return answer


def with_a_seed(sampler):
    if not hasattr(sampler, "seed"):
        pytest.skip(f"{type(sampler).__name__} draws nothing")
    return sampler


def test_no_chats_no_completions(make):
    assert make(8)([]) == []


def test_one_completion_a_chat_in_order(make):
    """Greedy replies depend on the chat alone: a batch equals its chats one by one, whatever their order."""
    sampler = make(12, 0)
    alone = [sampler([chat])[0] for chat in CHATS]
    assert sampler(CHATS) == alone and sampler(CHATS[::-1]) == alone[::-1]
    assert len({given.text for given in alone}) > 1
    assert all(isinstance(given, Completion) and isinstance(given.text, str) for given in alone)


def test_a_cut_reply_is_not_finished_and_spends_the_budget(make):
    for given in make(2, 0)(CHATS):
        assert (given.finished, given.tokens) == (False, 2)


def test_tokens_are_counted(make):
    for budget in (1, 5, 60):
        for given in make(budget)(CHATS):
            assert 0 < given.tokens <= budget and given.prompt_tokens > 0
            assert given.finished or given.tokens == budget
    short, long = make(4)([messages("Ann has 3.", 1, 3), messages("Ann has 3 eggs. " * 5, 1, 3)])
    assert short.prompt_tokens < long.prompt_tokens


def test_a_budget_that_does_not_fit_is_one_clear_line(make):
    sampler = make(600)
    if isinstance(sampler, ScriptedSampler):
        pytest.skip("a script has no window")
    with pytest.raises(ValueError, match="window|context length") as error:
        sampler(CHATS[:1])
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def narrow(sampler):
    """The sampler, with a window of 64 tokens: a reply that fills it is short."""
    sampler.window = 64
    return sampler


def test_without_a_budget_each_reply_has_all_the_room_beside_its_own_prompt(make):
    """Not a token less, not a token more: as if each prompt had been given its own room as a budget."""
    chats = [messages("Cara has 5 eggs. " * times, 1, 3) for times in (3, 1, 5, 2, 4)]
    if isinstance(make(1), ServerSampler):
        with pytest.raises(ValueError, match="give its replies a budget"):
            make(None)
    elif not isinstance(make(1), ScriptedSampler):
        sampler = narrow(make(None, 0))
        rooms = [64 - len(ids) for ids in sampler.render(chats)]
        alone = [make(room, 0)([chat])[0] for chat, room in zip(chats, rooms)]
        assert sampler(chats) == alone and len({*rooms}) == 5
        full = [given.tokens == room for given, room in zip(alone, rooms)]
        assert sum(full) == 4 and [given.finished for given in alone] == [not each for each in full]


@pytest.mark.parametrize("budget", [12, None])
def test_what_is_drawn_is_reported_and_changes_nothing(make, budget):
    """Every token once, every reply as done in the end; without a listener the replies are the same."""
    if isinstance(make(12), ScriptedSampler if budget else ScriptedSampler | ServerSampler):
        pytest.skip("a script draws nothing, and a server wants a budget")
    sampler, heard = narrow(make(budget, 0)), []
    with listening(lambda tokens, replies: heard.append((tokens, replies))):
        given = sampler(CHATS)
    assert sum(tokens for tokens, _ in heard) == sum(reply.tokens for reply in given)
    assert sum(replies for _, replies in heard) == pytest.approx(len(CHATS)) and min(heard)[1] > 0
    assert sampler(CHATS) == given


def test_a_seed_repeats_and_another_differs(make):
    sampler, drawn = with_a_seed(make(12)), []
    for seed in (1, 1, 2):
        sampler.seed(seed)
        drawn.append(sampler(CHATS))
    assert drawn[0] == drawn[1] != drawn[2]


def test_equal_chats_are_drawn_apart(make):
    """The k trajectories that leave one reply start from equal chats."""
    sampler = with_a_seed(make(12))
    sampler.seed(0)
    assert len({given.text for given in sampler(CHATS[:1] * 8)}) > 4


def test_it_can_think_in_rounds(make):
    (trajectory,) = think([Question("Ann has 3 eggs.", "3")], make(12), num_rounds=3)
    assert [reply.round for reply in trajectory.replies] == [1, 2, 3]


@pytest.mark.parametrize("kind", [GenerateSampler, GraphSampler])
def test_the_ways_of_a_model_in_memory_agree(kind, random_model, tokenizer):
    """Greedy, with replies that end at many different steps."""
    local, other = (way(random_model, tokenizer, 40, temperature=0) for way in (LocalSampler, kind))
    prompts = local.render([*CHATS, *[messages(f"Cara has {i} cards.", 2, 3, f"{i} cards") for i in range(20)]])
    stop = torch.tensor(sorted({reply[2 + 3 * i % 36] for i, reply in enumerate(local.sample_ids(prompts)[:8])}))
    local.stop = other.stop = stop
    replies = local.sample_ids(prompts)
    assert len({len(reply) for reply in replies}) > 3 and other.sample_ids(prompts) == replies


def test_defaults_of_a_model_do_not_change_what_is_sampled(random_model, tokenizer):
    """Qwen2.5 brings a repetition penalty: with it, `generate` would not sample from the policy that is trained."""
    plain = GenerateSampler(random_model, tokenizer, 24, temperature=0)(CHATS)
    random_model.generation_config.update(repetition_penalty=1.8, top_k=1, temperature=0.1, top_p=0.1)
    assert GenerateSampler(random_model, tokenizer, 24, temperature=0)(CHATS) == plain
    assert (
        len({reply.text for reply in GenerateSampler(random_model, tokenizer, 4)(CHATS[:1] * 32)}) > 1
    )  # a top_k of 1 would leave one
