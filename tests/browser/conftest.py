"""A headless Chromium and Jupyter servers on 127.0.0.1, for tests that click.

Debian and Ubuntu: `apt-get install -y --no-install-recommends chromium`. Another browser: set MOTIF_CHROMIUM.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import jupytext
import nbformat
import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("MOTIF_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    if not CHROMIUM:
        pytest.skip(f"no browser: install one of {', '.join(NAMES)}, or set MOTIF_CHROMIUM to its path")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1100, "height": 1000}}


@pytest.fixture(autouse=True)
def patience(context) -> None:
    """A busy machine is slow, not wrong."""
    context.set_default_timeout(120_000)
    expect.set_options(timeout=30_000)


@pytest.fixture
def outside(context) -> list[str]:
    """Requests that leave this machine; they are refused. What is tested works without a network."""
    seen: list[str] = []

    def guard(route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            seen.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    return seen


class Server:
    """A Jupyter application with its own port, token, settings folders and process group."""

    def __init__(self, app: str, folder: Path, arguments: Sequence[str]):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.token, self.log = secrets.token_hex(8), folder / "server.log"
        places = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        places |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
        command = [sys.executable, "-m", app, "--no-browser", f"--port={self.port}", *arguments]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [part.format(token=self.token) for part in command],
                env=os.environ | places | {"JUPYTER_TOKEN": self.token},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(self.url("/"), timeout=5)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"server did not start:\n{self.log.read_text()[-3000:]}")

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}{'&' if '?' in path else '?'}token={self.token}"

    def stop(self) -> None:
        """Let the server shut its kernels down; end our own process group if it does not."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The widgets in a notebook, and copies of the real notebooks, all without outputs: no assertion can be met by an
    output saved earlier, and a browser that saves changes no file of the repository."""
    made = tmp_path_factory.mktemp("notebooks")
    for source in [Path(__file__).with_name("gallery.py"), *sorted((ROOT / "notebooks").glob("*.py"))]:
        notebook = jupytext.read(source)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, made / f"{source.stem}.ipynb")
    for extra in (ROOT / "notebooks").iterdir():
        if extra.is_dir() and not extra.name.startswith("."):
            (made / extra.name).symlink_to(extra)
    return made


@pytest.fixture(scope="session")
def voila(tmp_path_factory, folder) -> Iterator[Server]:
    arguments = [str(folder), "--Voila.ip=127.0.0.1", "--token={token}", "--show_tracebacks=True"]
    server = Server("voila", tmp_path_factory.mktemp("voila"), arguments)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory, folder) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("lab")
    settings = place / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    tracker = place / "settings" / "@jupyterlab" / "notebook-extension"
    tracker.mkdir(parents=True)
    whole = {"windowingMode": "none"}  # all cells in the page: a long notebook keeps those out of sight out of it
    (tracker / "tracker.jupyterlab-settings").write_text(json.dumps(whole))
    arguments = ["--ip=127.0.0.1", "--allow-root", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0",
                 "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]  # fmt: skip
    server = Server("jupyterlab", place, arguments)
    yield server
    server.stop()


@pytest.fixture
def shot(page, request):
    """Save a picture of an element where MOTIF_SHOTS names a folder."""

    def take(name: str, locator=None) -> None:
        if target := os.environ.get("MOTIF_SHOTS"):
            Path(target).mkdir(parents=True, exist_ok=True)
            (locator or page).screenshot(path=str(Path(target) / f"{name}.png"))

    return take
