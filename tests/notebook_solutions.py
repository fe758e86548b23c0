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
    scope: dict[str, Any] = {}
    exec(solution_code(notebook, name), scope)
    return scope[name]


def solution_code(notebook: str, name: str) -> str:
    """The code of the folded solution that defines or imports `name`."""
    folded = [fold for cell in cells(notebook) for fold in FOLDED.findall(cell.source)]
    codes = [code for fold in folded for code in CODE.findall(fold) if re.search(rf"\b{name}\b", code)]
    assert codes, f"notebook {notebook} has no folded solution with {name}"
    return codes[0]


def card_and_stub(notebook: str, name: str) -> tuple[str, str]:
    """The text before the cell in which a learner writes `name`, and that cell."""
    found = cells(notebook)
    (at,) = [
        i for i, cell in enumerate(found) if re.search(rf"^def {name}\([^)]*\):\n    return None", cell.source, re.M)
    ]
    return found[at - 1].source, found[at].source


def cells(notebook: str) -> list[Any]:
    """The cells of a notebook as its source makes them."""
    (path,) = FOLDER.glob(f"{notebook}_*.py")
    return read_source(path).cells
