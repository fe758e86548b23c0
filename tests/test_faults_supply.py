"""What comes from outside: no network, no pickles, no code in a model folder; and no secret that goes out."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fault_runs import recipe
from hostile import CANARY, TOUCH

import motif_lib
from motif_lib.models.load import TINY_FOLDER, load_model
from motif_lib.training import runs
from motif_lib.training.recipe import load_recipe

pytestmark = pytest.mark.slow

PACKAGE = Path(motif_lib.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


# --- the network


def test_the_tests_run_with_the_network_closed():
    with pytest.raises(ConnectionRefusedError, match="closed in tests: 192.0.2.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(ConnectionRefusedError, match="closed in tests: huggingface.co"):
        socket.getaddrinfo("huggingface.co", 443)
    server = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(server.getsockname()).close()
    server.close()


WORK = """
import offline
from fault_runs import recipe
from motif_lib.cli import app
from motif_lib.tasks import load_task
from motif_lib.training.runs import train_run
from motif_lib.verify import verify

app(["think", "Ann has 3 eggs, on day one buys 2. How many?"], standalone_mode=False)
app(["eval", "ledger", "--size", "4", "--out", "items"], standalone_mode=False)
load_task("ledger", size=3), load_task("gsm_symbolic", size=3)
assert verify(r"\\sqrt{8}", r"2\\sqrt{2}", "math500").correct
assert train_run(recipe(max_steps=1), "run")
"""


def test_nothing_that_works_offline_even_asks_for_the_network(tmp_path):
    """Without the variables that tell the Hub's libraries to stay offline, or to send no telemetry."""
    env = {key: value for key, value in os.environ.items() if not {"OFFLINE", "TELEMETRY", "HOME"} & {*key.split("_")}}
    env |= {
        "MOTIF_TEST_ATTEMPTS": str(tmp_path / "attempts"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", WORK], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "attempts").read_text() == ""


@pytest.mark.parametrize("given, kept", [({}, "1"), ({"HF_HUB_DISABLE_TELEMETRY": "0"}, "0")])
def test_telemetry_is_off_unless_the_user_allows_it(given, kept):
    env = {key: value for key, value in os.environ.items() if "TELEMETRY" not in key} | {"PYTHONPATH": str(ROOT)}
    code = "import os, motif_lib; print(os.environ['HF_HUB_DISABLE_TELEMETRY'])"
    done = subprocess.run([sys.executable, "-c", code], env=env | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept


# --- revisions of the Hub

FIRST, SECOND = "a" * 40, "b" * 40
PIN = """
from dataclasses import replace
from pathlib import Path
import json, shutil, sys
import offline
from fault_runs import recipe
from motif_lib.training.runs import train_run

free, main = replace(recipe(max_steps=1), model="org/tiny"), Path(sys.argv[1], "models--org--tiny", "refs", "main")
for name, load in {"pinned": {"revision": "v1"}, "free": {}}.items():
    assert train_run(replace(free, load=load), name)
shutil.rmtree("free/adapter")
main.write_text("a" * 40)
train_run(free, "free")
"""


def test_a_hub_revision_is_pinned_recorded_and_never_changed_in_a_run(tmp_path):
    """A cache with two commits of one model; then its branch moves, as when somebody pushes, and a run is to go on."""
    repository = tmp_path / "hub" / "models--org--tiny"
    for folder in ("refs", "snapshots"):
        (repository / folder).mkdir(parents=True)
    for name, commit in {"v1": FIRST, "main": SECOND}.items():
        (repository / "refs" / name).write_text(commit)
        (repository / "snapshots" / commit).symlink_to(TINY_FOLDER)
    env = os.environ | {"HF_HUB_CACHE": str(repository.parent), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
                        "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}  # fmt: skip
    command = [sys.executable, "-c", PIN, str(repository.parent)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert f"ValueError: free was begun with {{'model_commit': '{SECOND}'" in done.stderr, done.stderr[-2000:]
    for name, commit in {"pinned": FIRST, "free": SECOND}.items():
        assert json.loads((tmp_path / name / "sources.json").read_text())["model_commit"] == commit
    assert json.loads((tmp_path / "pinned" / "settings.json").read_text())["recipe"]["load"] == {"revision": "v1"}


# --- code that comes with data


def calls(tree: ast.AST) -> set[str]:
    """Dotted names of everything that is called, such as `torch.load`, and of `.load`-like methods."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


OWN_PIPE = "studies/side_by_side.py"  # what it unpickles comes from a process of its own, through a pipe
FORBIDDEN = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "yaml.load",
             "yaml.unsafe_load", "pickle.load", "pickle.loads", "marshal.loads", "shelve.open"}  # fmt: skip


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_can_run_text_or_unpickle(path):
    tree, piped = ast.parse(path.read_text(encoding="utf-8")), path == PACKAGE / OWN_PIPE
    assert not calls(tree) & FORBIDDEN - ({"pickle.load"} if piped else set())
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("trust_remote_code", "shell", "allow_pickle"):
            assert isinstance(node.value, ast.Constant) and node.value.value is False, ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom) and not piped:
            assert not {alias.name.split(".")[0] for alias in node.names} & {"pickle", "marshal", "dill", "cloudpickle"}
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("AutoTokenizer.from", "AutoModel")):
            assert "trust_remote_code" in {keyword.arg for keyword in node.keywords}, ast.unparse(node)[:60]


@pytest.fixture
def model_folder(tmp_path, monkeypatch):
    """A copy of motif-tiny to tamper with, in an empty working directory; no canary may appear."""
    monkeypatch.chdir(tmp_path)
    yield Path(shutil.copytree(TINY_FOLDER, tmp_path / "model"))
    assert not list(tmp_path.rglob(CANARY)), "code from a model folder was run"


class Bomb:
    def __reduce__(self):
        return os.system, (TOUCH,)


def test_weights_that_are_a_pickle_are_refused(model_folder):
    (model_folder / "model.safetensors").unlink()
    torch.save(Bomb(), model_folder / "pytorch_model.bin")
    with pytest.raises(RuntimeError, match="^cannot load .*model: .+$"):
        load_model(str(model_folder))


@pytest.mark.parametrize("file, key, value", [
    ("config.json", "auto_map", {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}),
    ("tokenizer_config.json", "auto_map", {"AutoTokenizer": ["evil.Tokenizer", None]}),
])  # fmt: skip
def test_code_in_a_model_folder_is_not_run(model_folder, file, key, value):
    (model_folder / "evil.py").write_text(
        f"import os; os.system({TOUCH!r})\nclass Config: pass\nModel = Tokenizer = Config"
    )
    config = json.loads((model_folder / file).read_text())
    config |= {key: value} | ({"model_type": "evil"} if file == "config.json" else {"tokenizer_class": "Evil"})
    (model_folder / file).write_text(json.dumps(config))
    try:
        load_model(str(model_folder))
    except RuntimeError as error:
        assert "\n" not in str(error)


def test_a_chat_template_cannot_reach_python(model_folder):
    """Templates are Jinja in a sandbox; ours is asked, so that a change of that is seen."""
    template = "{{ cycler.__init__.__globals__.os.popen('" + TOUCH + "').read() }}"
    (model_folder / "chat_template.jinja").write_text(template)
    _, tokenizer = load_model(str(model_folder))
    from jinja2.exceptions import SecurityError, UndefinedError

    with pytest.raises((SecurityError, UndefinedError)):
        tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)


def test_pickles_in_a_checkpoint_are_not_run(tmp_path, monkeypatch):
    """Optimizer and random state are read as plain tensors, also where nothing is sealed."""
    monkeypatch.chdir(tmp_path)
    assert runs.train_run(recipe(max_steps=2), "run")
    shutil.rmtree("run/adapter")
    shutil.rmtree("run/checkpoint-2")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        torch.save(Bomb(), f"run/checkpoint-1/{name}")
    Path("run/checkpoint-1/sha256.json").unlink()
    with pytest.raises(Exception, match="Weights only load failed"):
        runs.train_run(recipe(max_steps=2), "run")
    assert not list(tmp_path.rglob(CANARY))


def test_a_recipe_is_plain_yaml(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text(f"model: !!python/object/apply:os.system ['{TOUCH}']\ntask: ledger\n")
    with pytest.raises(Exception, match="could not determine a constructor"):
        load_recipe(path)


# --- secrets

SECRET = "hf_" + "SeCrEt" * 6
VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY")


def test_no_token_of_the_environment_is_written(tmp_path, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, SECRET)
    assert runs.train_run(recipe(max_steps=1), tmp_path / "run")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10 and not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("key", ["hub_token", "push_to_hub_token"])
def test_a_token_in_the_settings_is_refused_before_it_is_written(tmp_path, key):
    with pytest.raises(RuntimeError, match=f"the settings hold a {key}, .* set HF_TOKEN") as error:
        runs.train_run(recipe(**{key: SECRET}), tmp_path / "run")
    assert SECRET not in str(error.value) and not (tmp_path / "run").exists()
    nested = replace(recipe(), dial={"model_init_kwargs": {"token": SECRET}})
    with pytest.raises(RuntimeError, match="hold a token"):
        runs.train_run(nested, tmp_path / "run")


TOKEN = re.compile(r"\b(hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16}|"
                   r"wandb_v1_[A-Za-z0-9]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----)")  # fmt: skip


def test_no_file_of_the_project_holds_a_token():
    kept = [
        p for s in ("*.py", "*.ipynb", "*.yaml", "*.json", "*.md", "*.toml", "*.jsonl") for p in ROOT.glob(f"**/{s}")
    ]
    kept = [p for p in kept if not {".venv", "runs", ".git", "node_modules"} & set(p.relative_to(ROOT).parts)]
    assert len(kept) > 50
    assert not [
        p for p in kept if p != Path(__file__) and TOKEN.search(p.read_text(encoding="utf-8", errors="replace"))
    ]
    assert TOKEN.search(SECRET), "the pattern works"
