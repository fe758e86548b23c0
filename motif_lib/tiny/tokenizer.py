"""The tokenizer of motif-tiny: Qwen2's own class and pre-tokenizer, trained on Ledger, with the protocol's tags added.

It is built on Qwen2's pre-tokenizer because `AutoTokenizer` rebuilds that one for a folder whose config says `qwen2`:
another one would be replaced without a word, and the ids would no longer be those of the training. The tags are added
tokens that are not special, so `skip_special_tokens=True` keeps them in the text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tokenizers import AddedToken
from transformers import Qwen2Tokenizer

from motif_lib import protocol
from motif_lib.tasks.ledger import DAYS
from motif_lib.tiny.pretraining_examples import example

VOCABULARY = 512  # at most, tags and special tokens included; Ledger needs 495
END_OF_TURN, PADDING = "<|im_end|>", "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for m in messages if m['role'] != 'system' %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def corpus(seed: int, size: int) -> Iterator[str]:
    """Prompts and replies. The words of the system message are in the vocabulary, though the chat template drops it."""
    rng = random.Random(f"tokenizer-{seed}")
    for _ in range(size):
        sample = example(rng)
        chat = sample["prompt"][1:] + sample["completion"]  # without the system message, as in the chat template
        yield "\n".join(f"{m['role']}\n{m['content']}" for m in chat)
        yield " ".join(DAYS)  # one token each, also the days that pretraining never reaches


def build_tokenizer(seed: int = 0, size: int = 5_000) -> Qwen2Tokenizer:
    """Train the tokenizer; digits stay single tokens, each word of Ledger and of the prompts becomes one."""
    blank = Qwen2Tokenizer(eos_token=END_OF_TURN, pad_token=PADDING, unk_token=PADDING)
    learned = VOCABULARY - len(protocol.TAGS) - 2  # the rest is <|im_start|>, <|im_end|> and the tags
    trained = blank.train_new_from_iterator(corpus(seed, size), learned, show_progress=False)
    special = ["<|im_start|>", END_OF_TURN]
    trained.add_special_tokens(
        {"additional_special_tokens": special[:1], "eos_token": END_OF_TURN, "pad_token": PADDING}
    )
    trained.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in protocol.TAGS])
    trained.chat_template = CHAT_TEMPLATE
    trained.padding_side = "left"
    return trained
