"""What was packed works with the network closed: package, model, data, notebooks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from motif_lib.classroom import pack as module
from motif_lib.classroom.pack import pack

# Closes every socket but those to this machine itself, which kernels need; writes down who asked.
GUARD = """
import socket, os
real = socket.socket.connect

def connect(self, address):
    if self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost"):
        return real(self, address)
    open(os.environ["ASKED"], "a").write(f"{address}\\n")
    raise OSError("the network is closed")

def resolve(host, *args, **kwargs):
    if host not in (None, "127.0.0.1", "::1", "localhost"):
        open(os.environ["ASKED"], "a").write(f"{host}\\n")
        raise socket.gaierror("the network is closed")
    return real_resolve(host, *args, **kwargs)

real_resolve, socket.getaddrinfo = socket.getaddrinfo, resolve
socket.socket.connect = socket.socket.connect_ex = connect
"""
ROW = '{"question": "Ann has 3 apples and buys 4. How many?", "answer": "3 + 4 = 7\\n#### 7"}\n'


@pytest.fixture
def packed(tmp_path, monkeypatch) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gsm8k_test.jsonl").write_text(ROW)
    monkeypatch.setenv("MOTIF_DATA", str(tmp_path / "mine"))
    return pack(tmp_path / "packed")


def closed(packed: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Python in the packed folder, with its package and without a network."""
    guard = packed.parent / "guard"
    guard.mkdir(exist_ok=True)
    (guard / "sitecustomize.py").write_text(GUARD)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(guard), str(packed)]), "ASKED": str(guard / "asked"),
        "MOTIF_DATA": str(packed / "data"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *arguments], cwd=packed, env=environment, capture_output=True, text=True, timeout=500
    )


def test_the_folder_is_complete(packed):
    for name in ("READ-ME-FIRST.txt", "constraints.txt", "data/gsm8k_test.jsonl", "notebooks/03_rewards.ipynb",
                 "motif_lib/assets/motif-tiny/model.safetensors", "motif_lib/training/recipes/cpu.yaml"):  # fmt: skip
        assert (packed / name).exists(), name
    assert not list(packed.rglob("__pycache__"))
    text = (packed / "READ-ME-FIRST.txt").read_text()
    assert "pip wheel -w wheels" in text and 'MOTIF_DATA="$PWD/data"' in text and str(module.CLONE) not in text
    lines = [line.split("  ") for line in (packed / "SHA256SUMS").read_text().splitlines()]
    assert all(hashlib.sha256((packed / name).read_bytes()).hexdigest() == digest for digest, name in lines)
    assert len(lines) == sum(path.is_file() for path in packed.rglob("*")) - 1


def test_the_guard_closes_the_network(packed):
    done = closed(packed, "-c", "import urllib.request as r; r.urlopen('https://huggingface.co', timeout=5)")
    assert done.returncode == 1 and "the network is closed" in done.stderr
    assert "huggingface.co" in (packed.parent / "guard" / "asked").read_text()


def test_data_and_doctor_without_a_network(packed):
    done = closed(packed, "-c", "import motif_lib; print(motif_lib.__file__, motif_lib.load_task('gsm8k')[0].gold)")
    assert done.stdout.split() == [str(packed / "motif_lib" / "__init__.py"), "7"], done.stderr
    assert "offline" in closed(packed, "-m", "motif_lib.cli", "doctor").stdout
    assert not (packed.parent / "guard" / "asked").exists()


@pytest.mark.nightly
@pytest.mark.slow
def test_model_and_a_notebook_run_without_a_network(packed):
    asked = closed(packed, "-m", "motif_lib.cli", "think", "Ann has 12 apples, on day one buys 5. How many apples?")
    assert "--- round 3" in asked.stdout, asked.stderr
    graded = closed(packed, "-m", "motif_lib.cli", "grade", "notebooks/03_rewards.ipynb", "--out", "grades.csv")
    lines = (packed / "grades.csv").read_text().splitlines()[1:]
    assert len(lines) == 3 and all(",not yet," in line and line.endswith(",ran") for line in lines), graded.stderr
    assert not (packed.parent / "guard" / "asked").exists()


def test_every_file_of_the_package_goes_into_its_wheel():
    """What is no module must match a pattern of pyproject.toml's package-data, or an installation lacks it."""
    settings = tomllib.loads((module.CLONE / "pyproject.toml").read_text())
    package = module.CLONE / "motif_lib"
    patterns = settings["tool"]["setuptools"]["package-data"]["motif_lib"]
    sent = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert files - sent == set() and package / "training" / "recipes" / "cpu.yaml" in sent


def test_it_overwrites_nothing_and_leaves_nothing_half_done(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError, match="exists"):
        pack(tmp_path / "there")
    monkeypatch.setattr(module, "wheel_command", lambda: [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(RuntimeError, match="pip ended with status 3"):
        pack(tmp_path / "new", wheels=True)
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(module, "CLONE", tmp_path)
    with pytest.raises(RuntimeError, match="clone of the repository"):
        pack(tmp_path / "other")


def test_it_does_not_pack_itself(tmp_path, monkeypatch):
    """Typed in the folder of the notebooks, where the default is `motif-packed`."""
    for name in (*module.FILES, *(f"{folder}/file" for folder in module.FOLDERS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.setattr(module, "CLONE", tmp_path)
    out = pack(tmp_path / "notebooks" / "motif-packed")
    assert [path.name for path in (out / "notebooks").iterdir()] == ["file"]


def test_wheels_are_fetched_where_they_are_wanted(tmp_path, monkeypatch):
    """pip itself is replaced: the command runs in the folder, and the text says nothing of missing wheels."""
    make = "import os; os.mkdir('wheels'); open('wheels/a.whl', 'w').close()"
    monkeypatch.setattr(module, "wheel_command", lambda: [sys.executable, "-c", make])
    out = pack(tmp_path / "new", wheels=True)
    assert (out / "wheels" / "a.whl").exists() and "no wheels" not in (out / "READ-ME-FIRST.txt").read_text()
