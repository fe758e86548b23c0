"""Out of memory in a rollout: smaller batches, the same replies, and one line that says so."""

import pytest
import torch

from motif_lib.samplers.local import LocalSampler
from motif_lib.samplers.out_of_memory import smaller_when_full

pytestmark = pytest.mark.slow

PROMPTS = [[5 + i] * (3 + i % 4) for i in range(12)]
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried ..."),
]


class Small(LocalSampler):
    """A sampler on a device with room for `room` rows."""

    room, error = 12, None
    sample_ids = smaller_when_full(LocalSampler.sample_ids)

    def _decode(self, prompts):
        if len(prompts) > self.room:
            raise self.error
        return super()._decode(prompts)


@pytest.fixture
def sampler(random_model, tokenizer):
    return Small(random_model, tokenizer, max_new_tokens=6, temperature=0)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_full_memory_halves_the_batch_until_it_fits(sampler, capsys, error):
    expected = sampler.sample_ids(PROMPTS)
    sampler.room, sampler.error = 4, error
    assert sampler.sample_ids(PROMPTS) == expected
    assert sampler.batch_size == 3
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Out of memory with 12 replies decoded together: 6 from now on." and len(said) == 2
    assert sampler.sample_ids(PROMPTS) == expected and not capsys.readouterr().out, "the smaller size stays"


def test_one_row_that_does_not_fit_and_other_errors_are_raised(sampler):
    sampler.room, sampler.error = 0, ERRORS[0]
    with pytest.raises(torch.OutOfMemoryError):
        sampler.sample_ids(PROMPTS)
    assert sampler.batch_size == 1 and not sampler.model.training
    sampler.error = RuntimeError("shapes differ")
    with pytest.raises(RuntimeError, match="shapes differ"):
        sampler.sample_ids(PROMPTS)
    assert sampler.sample_ids([]) == []
