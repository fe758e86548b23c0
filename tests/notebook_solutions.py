"""The folded solutions of the notebooks, as functions: what a learner unfolds is what the tests run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motif_lib.classroom.build_notebooks import read_source

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
FOLDED = re.compile(r"<details>\s*<summary>[^<]*solution.*?</details>", re.DOTALL | re.IGNORECASE)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def solution(notebook: str, name: str) -> Callable[..., Any]:
    """The function `name` from the folded solutions of the notebook whose file name starts with `notebook`."""
    (path,) = FOLDER.glob(f"{notebook}_*.py")
    for cell in read_source(path).cells:
        for folded in FOLDED.findall(cell.source):
            for code in CODE.findall(folded):
                scope: dict[str, Any] = {}
                exec(code, scope)
                if name in scope:
                    return scope[name]
    raise LookupError(f"{path.name} has no folded solution that defines {name}")
