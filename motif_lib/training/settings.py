"""The values of a YAML file, in the types of their settings; a wrong value is one line that names the setting."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list",
         dict: "keys with values", NoneType: "nothing"}  # fmt: skip
POSITIVE = {"per_device_train_batch_size", "gradient_accumulation_steps", "steps_per_generation", "questions",
            "max_completion_length", "save_steps", "logging_steps", "rollout_batch_size", "lora_rank",
            "note_use"}  # fmt: skip
NOT_NEGATIVE = {"learning_rate", "temperature", "later_temperature", "weight_decay", "max_grad_norm", "warmup_steps",
                "beta", "traced_questions", "num_train_epochs"}  # fmt: skip


def typed(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the fields of a dataclass want them; its constructor refuses the unknown ones.

    Raises:
        ValueError: naming the setting, if a value has another type, or is below what the setting can be.
    """
    hints = get_type_hints(kind)
    return {key: _typed(key, value, hints[key]) if key in hints else value for key, value in settings.items()}


def _typed(key: str, value: Any, hint: Any) -> Any:
    """One value in one of the types of a hint, if all of these are plain."""
    options = get_args(hint) if get_origin(hint) not in (None, list, dict) else (hint,)
    kinds = [_plain(option) for option in options]
    if not set(kinds) <= NAMES.keys():
        return value
    if isinstance(value, str) and str not in kinds:
        value = _number(value, kinds)
    if type(value) is int and int not in kinds and float in kinds:
        value = float(value)
    if type(value) not in kinds:
        raise ValueError(f"{key} holds {value!r}, not {' or '.join(NAMES[kind] for kind in kinds)}{_advice(value)}")
    if isinstance(value, list) and (inner := get_args(options[kinds.index(list)])):
        return [_typed(key, each, inner[0]) for each in value]
    _check_range(key, value)
    return value


def _plain(option: Any) -> Any:
    """The type that YAML has for an option of a hint: text for a choice of words."""
    kind = get_origin(option) or option
    return str if isinstance(kind, type) and issubclass(kind, Enum) else kind


def _number(text: str, kinds: list[Any]) -> Any:
    """The number in a text, where a number is wanted: YAML reads 5e-6 as text."""
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                pass
    return text


def _advice(value: Any) -> str:
    word = isinstance(value, bool)
    return ": YAML reads yes, no, on and off as true and false, so put the word in quotes" if word else ""


def _check_range(key: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value != value:
            raise ValueError(f"{key} is not a number")
        if (key in POSITIVE and value <= 0) or (key in NOT_NEGATIVE and value < 0):
            raise ValueError(f"{key}={value}: it must be {'above 0' if key in POSITIVE else '0 or more'}")
