"""What every tokenizer needs for chats: a template that takes our messages, and a padding token."""

from __future__ import annotations

from typing import Any

FOLD = """{%- if messages[1:] and messages[0]['role'] == 'system' and messages[1]['role'] == 'user' -%}
{%- set asked = messages[0]['content'] + '\n\n' + messages[1]['content'] -%}
{%- set messages = [{'role': 'user', 'content': asked}] + messages[2:] -%}
{%- endif -%}
"""


def usable_template(tokenizer: Any) -> str:
    """The tokenizer's chat template; if it refuses a system role, as Gemma's does, that text goes before the user's.

    Raises:
        ValueError: if it has no chat template.
    """
    try:
        template = tokenizer.get_chat_template()
    except ValueError:
        raise ValueError(
            "this tokenizer has no chat template: take an instruct model, or set chat_template in tokenizer_config.json"
        ) from None
    return template if takes_system(tokenizer, template) else FOLD + template


def takes_system(tokenizer: Any, template: str) -> bool:
    """Does the template accept a system message? One that drops it, as motif-tiny's does, does so on purpose."""
    from jinja2 import TemplateError

    chat = [{"role": "system", "content": "!"}, {"role": "user", "content": "?"}]
    try:
        tokenizer.apply_chat_template(chat, tokenize=False, chat_template=template)
    except TemplateError:
        return False
    return True


def prepare(tokenizer: Any) -> Any:
    """Make a tokenizer ready for decoding and training: it pads on the left, and gets what it lacks.

    Without a padding token it pads with the end token. TRL renders the trained round itself, so a template that
    refuses a system role is replaced here (`usable_template`).

    Raises:
        ValueError: if it has neither of the two tokens.
    """
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise ValueError("its tokenizer has neither a padding nor an end token: name them in tokenizer_config.json")
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.chat_template:
        tokenizer.chat_template = usable_template(tokenizer)
    return tokenizer
