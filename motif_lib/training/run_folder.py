"""A run folder: what training leaves behind, and how a run is recognised after a stop.

settings.json   the recipe and seed; a folder with other settings is refused, not overwritten. And the number of torch's
                threads as it began, which may change
sources.json    what they stood for: commit or checksum of the model, checksum of the questions; never changed in a run
signal.json     what the untrained model did with a few questions, if `motif train` looked (`training.preflight`)
checkpoint-*/   TRL's and PEFT's own checkpoints, sealed; a run that was stopped goes on from the last good one
traces.jsonl    replies, their futures and rewards, for the round stepper and the branch tree
metrics.jsonl   one line a step, as Trainer logged it; with `note_use` in the recipe, one more a checkpoint
traces/         before a cold start: the evaluation that sampled its traces (`evaluate.store`)
adapter/        the LoRA adapter in PEFT's format: its presence says that the run is complete
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from motif_lib.files import LOCK, sha256, write_text
from motif_lib.models.identity import fingerprint
from motif_lib.records import Question, Trajectory, digest, read_lines

SECRETS = {"hub_token", "push_to_hub_token", "token", "use_auth_token", "api_key"}
SETTINGS, SOURCES, SIGNAL, TRACES = "settings.json", "sources.json", "signal.json", "traces"
NOTE_USE = "note_use/questions"  # in the entries of metrics.jsonl that `training.note_use` logs
UNTRAINED = {
    SETTINGS,
    SOURCES,
    SIGNAL,
    "traces.jsonl",
    "metrics.jsonl",
    TRACES,
    LOCK,
}  # a folder with no more than these has lost nothing yet


def open_run(out: str | Path, settings: dict[str, Any]) -> Path:
    """Make the run folder, or check that it belongs to the same run.

    Raises:
        RuntimeError: if the folder cannot be written, holds a run with other settings, or would hold a secret.
    """
    check_settings(out, settings)
    _record(Path(out) / SETTINGS, settings)
    return Path(out)


def check_settings(out: str | Path, settings: dict[str, Any]) -> None:
    """Raise what `open_run` raises, and write nothing."""
    refuse_secrets(settings)
    if begun(Path(out)) and not _agrees(Path(out) / SETTINGS, settings):
        raise RuntimeError(f"{out} holds a run with other settings: choose another folder with --out, or delete it")


def begun(out: Path) -> bool:
    """Whether a folder holds more than the records of a run that stopped before its first checkpoint."""
    return out.is_dir() and bool({path.name for path in out.iterdir()} - UNTRAINED)


def _agrees(file: Path, record: dict[str, Any]) -> bool:
    """Whether a record equals the one on disk but for the threads, or there is none on disk."""
    return not file.exists() or _known_by(file.read_text(encoding="utf-8-sig")) == _known_by(_text(record))


def _known_by(text: str) -> Any:
    """What a run is recognised by: folders older than the record of threads still are."""
    with suppress(ValueError):
        record = json.loads(text)
        return {key: value for key, value in record.items() if key != "threads"} if isinstance(record, dict) else text
    return text


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, sort_keys=True, default=str) + "\n"


def _record(file: Path, record: dict[str, Any]) -> None:
    try:
        if not (file.exists() and _agrees(file, record)):
            write_text(file, _text(record))
    except OSError as error:
        reason = f"cannot write the run folder {file.parent}: {error.strerror}; choose another with --out"
        raise RuntimeError(reason) from None


def refuse_secrets(settings: dict[str, Any]) -> None:
    """Raise RuntimeError if the settings, which are saved, hold a token or a key."""
    if secret := _secret_in(settings):
        raise RuntimeError(f"the settings hold a {secret}, which would be saved: set HF_TOKEN in the environment")


def _secret_in(settings: Any) -> str | None:
    """The name of a setting that holds a secret, at any depth."""
    if not isinstance(settings, dict):
        return None
    named = (key for key, value in settings.items() if key in SECRETS and isinstance(value, str))
    return next(named, None) or next(filter(None, map(_secret_in, settings.values())), None)


def record_sources(
    out: Path, model: Any, data: Sequence[Question | Trajectory], adapter: str | None = None, what: str = "questions"
) -> None:
    """Record the model, its adapter and the data that a run begins with, or compare them with the record.

    Raises:
        ValueError: if they differ: from here on the run would not be what its folder says.
    """
    commit = getattr(model.config, "_commit_hash", None)  # of a Hub model; a folder has none, and is read instead
    sources = {
        "model_commit": commit,
        "model_sha256": None if commit else fingerprint(model, adapters=False),
        what: len(data),
        f"{what}_sha256": digest(data),
    }
    if adapter is not None:
        sources["adapter_sha256"] = sha256(Path(adapter) / "adapter_model.safetensors")
    if not begun(out):
        return _record(out / SOURCES, sources)
    was = json.loads((out / SOURCES).read_text(encoding="utf-8-sig"))
    if any(was.get(key, value) != value for key, value in sources.items()):
        raise ValueError(
            f"{out} was begun with {was}, and now there is {sources}: bring those back, a Hub model or data set with "
            "`revision` under `load` or `dial`, or choose another folder with --out"
        )


def read_metrics(out: str | Path) -> list[dict[str, Any]]:
    """The logged steps of a run."""
    return [json.loads(line) for line in read_lines(Path(out) / "metrics.jsonl")]
