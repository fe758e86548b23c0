"""What the notebooks have in common: their minutes, their first cell, and the links that open them elsewhere."""

from __future__ import annotations

import re

from motif_lib.runtime import SOURCE

# Minutes that a notebook runs on two CPU cores without its exercises, and the tokens a second of motif-tiny at batch 64
# that notebook 00 saw on that machine (our runs). The README's table and the notebooks' first lines repeat them.
MINUTES = {
    "00_start_here": 1,
    "01_context_limits": 1,
    "02_multi_round_thinking": 1,
    "03_rewards": 1,
    "04_advantage_and_loss": 1,
    "05_gsm8k_training": 2,
    "06_evaluation": 1,
    "07_beyond_the_paper": 2,
}
PACE = 6_000

# How a source begins. In the notebook the cell also says how the package gets there.
PREPARE = "from motif_lib.runtime import prepare\n\nprepare()"
WITHOUT = 'raise SystemExit("motif_lib is not here yet. Type: %pip install git+https://ADDRESS of your copy") from None'
FIRST_CELL = """try:
    from motif_lib.runtime import prepare
except ModuleNotFoundError:  # a fresh runtime
    {remedy}
prepare()"""


def first_cell(source: str = SOURCE) -> str:
    """The first code cell of a notebook: it installs the package from its address, or says that it has none."""
    get = f'%pip install -q "motif_lib @ {source}"\n    from motif_lib.runtime import prepare'
    return FIRST_CELL.format(remedy=get if source else WITHOUT)


def badges(name: str, source: str = SOURCE) -> str:
    """Links that open a notebook on Colab and Kaggle, as Markdown; empty as long as there is no address on GitHub."""
    found = re.fullmatch(r"git\+https://github\.com/([^/]+/[^/@]+?)(?:\.git)?@(.+)", source)
    if not found:
        return ""
    path = f"github/{found[1]}/blob/{found[2]}/notebooks/{name}.ipynb"
    colab = f"[Open in Colab](https://colab.research.google.com/{path})"
    return f"{colab} · [Open in Kaggle](https://kaggle.com/kernels/welcome?src=https://{path.replace('/', '.com/', 1)})"
