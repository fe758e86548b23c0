"""The cells of notebook 05 to the end of the first training, with a GPU recipe: python notebook.py OUT NOTEBOOK.py."""

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import scenario
from scenario import OUT, run, small

scenario.begin(bfloat16=True)


def notebook():
    """Numbers that the first training has logged."""
    from dataclasses import asdict

    import IPython.display
    import yaml

    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "small.yaml").write_text(yaml.safe_dump(asdict(small("gpu-80gb"))))
    text = Path(sys.argv[2]).read_text()
    text = re.sub(r'^RECIPE = "cpu"', f"RECIPE = {str(OUT / 'small.yaml')!r}", text, flags=re.M)
    os.chdir(OUT)
    IPython.display.display = lambda *shown, **kwargs: SimpleNamespace(update=print)  # there is no kernel to show it
    names = {"__name__": "notebook", "display": IPython.display.display}
    for cell in re.split(r"^# %%", text, flags=re.M)[1:]:
        head, _, code = cell.partition("\n")
        if "[markdown]" in head:
            continue
        exec(code, names)
        if ".train(" in code and "trainer" not in head and any(hasattr(v, "state") for v in names.values()):
            break
    trainer = next(v for v in names.values() if hasattr(v, "state") and hasattr(v, "policy"))
    return {"steps": trainer.state.global_step, "unsloth": hasattr(trainer.policy, "for_training")}


run(notebook)
