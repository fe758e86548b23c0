"""The grader's side of the checks: runs inside the kernel of a learner's notebook, on freshly loaded check modules.

`motif grade` sends `PROBE` after the notebook's own cells. What the notebook did to the check modules is thereby
undone, and `changed` says what it had been.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import types
from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "motif_lib.checks"
# Sent as a cell: drops the loaded check modules, so that this file and all checks are read from the disk again.
PROBE = """
import sys as _sys
_old = {_n: _sys.modules.pop(_n) for _n in list(_sys.modules) if _n.startswith("motif_lib.checks")}
from motif_lib.checks import probe as _probe
_probe.answer(%r, _probe.%s)
"""


def changed(old: Mapping[str, Any], namespace: Mapping[str, Any], topic: str) -> list[str]:
    """Names in the check modules, as the notebook left them, whose code is not that of the files."""
    found = []
    for module in (f"{PREFIX}.base", f"{PREFIX}.{topic}"):
        fresh = vars(importlib.import_module(module))
        left = vars(old[module]) if isinstance(old.get(module), types.ModuleType) else {}
        own = [n for n, value in fresh.items() if str(getattr(value, "__module__", None)).startswith(PREFIX)]
        found += [name for name in own if module in old and codes(left.get(name)) != codes(fresh[name])]
    checks = namespace.get("checks")
    if f"{PREFIX}.{topic}" in old and checks is not None and checks is not old[f"{PREFIX}.{topic}"]:
        found.append("checks")
    return sorted(set(found))


def codes(value: Any) -> list[types.CodeType]:
    """The compiled code of a function, or of the methods of a class."""
    if isinstance(value, types.FunctionType):
        return [value.__code__]
    members = vars(value).values() if isinstance(value, type) else ()
    return [member.__code__ for member in members if hasattr(member, "__code__")]


def verdict(topic: str, check: str, namespace: Mapping[str, Any], name: str) -> dict[str, str]:
    """The verdict of one check on the learner's function `name`."""
    if name not in namespace:
        return {"status": "missing", "message": f"the notebook defines no {name or 'function for this check'}"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        result = getattr(importlib.import_module(f"{PREFIX}.{topic}"), check)(namespace[name])
    return {"status": result.status, "message": result.message}


def checks_of(topic: str) -> Iterator[str]:
    """The checks of a topic, in the order of the file: one for each exercise of a notebook."""
    for name, value in vars(importlib.import_module(f"{PREFIX}.{topic}")).items():
        if name.startswith("check_") and callable(value):
            yield name


def answer(token: str, value: Any) -> None:
    """Print a value behind a token that the notebook cannot know."""
    print(token + json.dumps(value), flush=True)
