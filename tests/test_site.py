"""The static site builds without a warning, and shows what a reader of a page without a kernel can see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("myst_nb", reason="pip install motif_lib[docs]")
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.nightly
@pytest.mark.slow
def test_the_site_builds_without_warnings_and_shows_widgets_by_their_fallbacks(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", "-d", str(tmp_path / "cache")]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    built = subprocess.run(
        [*command, ".", str(tmp_path / "site")], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "notebooks" / "03_rewards.html").read_text()
    assert "Static view: run the notebook to use the controls." in page and "widget-view" not in page
    assert "fontawesome" not in page and "https://cdn" not in page, "the site works without a network"
    for module in (ROOT / "motif_lib").rglob("*.py"):
        name = ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        assert (tmp_path / "site" / "docs" / "api" / f"{name}.html").exists(), name
    assert "motif_lib.rounds.think" in (tmp_path / "site" / "docs" / "api" / "motif_lib.rounds.html").read_text()
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert (tmp_path / "site" / "notebooks" / f"{notebook.stem}.html").exists()
