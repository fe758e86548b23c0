"""Checks a folder that is given as a model or an adapter: a mistake is one line that says what to give instead."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

TINY = "motif-tiny"
CONFIG, ADAPTER = "config.json", "adapter_config.json"


def check_model(name: str) -> None:
    """Raise RuntimeError, before the Hub is asked, for a folder that is missing or holds no model."""
    folder = Path(name)
    if (folder / CONFIG).is_file():
        return
    for adapter in (folder, folder / "adapter"):
        if (adapter / ADAPTER).is_file():
            kind, base = "an adapter" if adapter == folder else "a run folder", base_name(read_settings(adapter))
            raise RuntimeError(
                f"{name} is {kind}, not a model: name {base} as the model and {adapter} as the adapter; "
                f"`motif export {adapter} --out FOLDER` makes one model of the two"
            )
    if (folder / "settings.json").is_file():
        raise RuntimeError(f"{name} is a run folder without an adapter yet: its training has not come to its end")
    if folder.is_dir():
        raise RuntimeError(f"cannot load {name}: the folder holds no model (no {CONFIG})")
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or "\\" in name:
        raise RuntimeError(f"cannot load {name}: there is no such folder")


def base_name(settings: dict[str, Any]) -> str:
    """The base that an adapter names: the package's own model wherever it lies, a mirror's 16-bit original."""
    name = str(settings.get("base_model_name_or_path") or "")
    if Path(name).name == TINY:
        return TINY
    if not name:
        raise RuntimeError("the adapter does not name its base: name it with --model")
    return re.sub(r"(-unsloth)?-bnb-4bit$", "", name)


def read_settings(adapter: Path) -> dict[str, Any]:
    """`adapter_config.json` of a LoRA adapter.

    Raises:
        RuntimeError: if the folder holds none, with the place of the one that is meant.
    """
    with suppress(OSError, ValueError):
        settings = json.loads((adapter / ADAPTER).read_text(encoding="utf-8"))
        if isinstance(settings, dict) and "r" in settings:  # LoRA's rank
            return settings
    instead = "name a folder with adapter_config.json"
    if (adapter / "adapter" / ADAPTER).is_file():
        instead = f"it is a run folder, name {adapter / 'adapter'}"
    elif (adapter / CONFIG).is_file():
        instead = "it is a model, name it as the model"
    raise RuntimeError(f"{adapter} holds no LoRA adapter: {instead}")
