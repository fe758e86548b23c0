"""The training cells of notebook 05 with a GPU recipe, made short: python notebook.py OUT NOTEBOOK.py."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import scenario
from scenario import OUT, run, small

scenario.begin(bfloat16=True)


def notebook():
    """Vanilla GRPO, and MOTIF that is stopped and goes on; the cells assert what they need."""
    from dataclasses import asdict

    import IPython.display
    import yaml

    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "small.yaml").write_text(yaml.safe_dump(asdict(small("gpu-80gb"))))
    text = Path(sys.argv[2]).read_text()
    text = re.sub(r'^RECIPE = "cpu"', f"RECIPE = {str(OUT / 'small.yaml')!r}", text, flags=re.M)
    text = text.replace("max_steps=8", "max_steps=4")
    os.chdir(OUT)
    IPython.display.display = lambda *shown, **kwargs: SimpleNamespace(update=print)  # there is no kernel to show it
    names = {"__name__": "notebook", "display": IPython.display.display}
    for cell in re.split(r"^# %%", text, flags=re.M)[1:]:
        head, _, code = cell.partition("\n")
        if "[markdown]" not in head:
            exec(code, names)
        if "motif" in names:
            break
    return {"steps": names["steps"], "unsloth": hasattr(names["trainer"].policy, "for_training")}


run(notebook)
