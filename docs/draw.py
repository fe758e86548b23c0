"""The pictures of the pages and notebooks: `python docs/draw.py` writes each as SVG, and as PNG with a Chromium.

Pages show the SVG. Notebooks carry the PNG: it is the only kind that JupyterLab, Colab, GitHub and the site all show
from inside a text cell (see `motif_lib/classroom/build_notebooks.py`).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from drawing import clip, one_step, rounds, window
from PIL import Image, PngImagePlugin

FOLDER = Path(__file__).parent
PICTURES = {"rounds": rounds, "one_step": one_step, "window": window, "clip": clip}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SOURCE = "svg-sha256"  # in a PNG: of which SVG it is the picture


def digest(svg: str) -> str:
    """What a PNG says of its SVG."""
    return hashlib.sha256(svg.encode()).hexdigest()


def photograph(browser: str, file: Path, width: int, height: int, target: Path) -> None:
    """Write an SVG as PNG, twice as large for sharp print, in 64 colours; it names its SVG."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        size = [f"--window-size={width},{height}", "--force-device-scale-factor=2"]
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", "--default-background-color=00000000"]
        command = [browser, *flags, *size, f"--screenshot={shot}", file.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        about = PngImagePlugin.PngInfo()
        about.add_text(SOURCE, digest(file.read_text(encoding="utf-8")))
        Image.open(shot).quantize(64, method=Image.Quantize.FASTOCTREE).save(target, optimize=True, pnginfo=about)


def main() -> None:
    """Write all pictures."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    for name, module in PICTURES.items():
        file = FOLDER / f"{name}.svg"
        file.write_text(module.draw(), encoding="utf-8")
        if browser:
            box = module.draw().partition('viewBox="0 0 ')[2].partition('"')[0]
            photograph(browser, file, *map(int, box.split()), file.with_suffix(".png"))
        else:
            print(f"{file.stem}.png is not drawn again: no Chromium here")


if __name__ == "__main__":
    main()
