"""Windows and macOS, as far as reading the source can tell: encodings, calls that only posix has, names of files."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "motif_lib").rglob("*.py"))
OPENING = {"open": 1, "read_text": 0, "write_text": 1, "fdopen": 1}  # place of mode or encoding among the arguments
POSIX = re.compile(
    r"os\.(fork|forkpty|getuid|geteuid|getpgid|killpg|setsid|sched_getaffinity|sched_setaffinity|uname|mkfifo|nice|"
    r"setpgrp|wait3|wait4|chown|getloadavg|sysconf|statvfs|WIF\w+)"
    r"|signal\.(SIGKILL|SIGALRM|SIGUSR1|SIGUSR2|SIGHUP|SIGQUIT|SIGCHLD|alarm|setitimer|pause)"
    r"|(resource|fcntl|pwd|grp|termios|pty|tty|posix|syslog)"
)
GUARD = re.compile(r"hasattr\(|sys\.platform|os\.name|platform\.system|ImportError|ModuleNotFoundError|suppress\(")
FORBIDDEN = re.compile(r'[<>:"|?*\\]')  # in a file's name on Windows
FILE_NAME = re.compile(r"[^\s/]*[^\s/.]\.(jsonl?|txt|md|png|svg|html|csv|ya?ml|safetensors|ipynb|part)")


def without_encoding(tree: ast.AST) -> list[int]:
    """Lines that open text in the encoding of the machine. `write_text` with a path first is the package's own."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in OPENING or (name == "write_text" and isinstance(call.func, ast.Name)):
            continue
        binary = any(isinstance(a, ast.Constant) and "b" in str(a.value) for a in call.args if name.endswith("open"))
        if not binary and not any(keyword.arg in ("encoding", None) for keyword in call.keywords):
            found.append(call.lineno)
    return found


def unguarded(tree: ast.Module) -> list[int]:
    """Lines that use what only posix has, in a function that does not ask whether it is there."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        else:
            names = [ast.unparse(node)] if isinstance(node, ast.Attribute) else []
        if any(POSIX.fullmatch(name) for name in names):
            around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
            if not GUARD.search(ast.unparse(around[-1] if around else tree)):
                found.append(node.lineno)
    return found


def odd_names(tree: ast.AST) -> list[int]:
    """Lines with a text that is the name of a file and holds what Windows forbids there; globs pass."""
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for string in strings for part in string.values}
    texts = [(n.lineno, "".join(getattr(p, "value", "") if isinstance(p, ast.Constant) else "x" for p in n.values))
             for n in strings]  # fmt: skip
    whole = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    texts += [(n.lineno, n.value) for n in whole if id(n) not in parts]
    return [line for line, text in texts if FILE_NAME.fullmatch(text) and re.search('[<>:"|]', text)]


def test_the_package_runs_on_other_systems_as_far_as_reading_tells():
    found = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for what in (without_encoding, unguarded, odd_names):
            if lines := what(tree):
                found[f"{path.relative_to(ROOT)}: {what.__name__}"] = lines
    assert found == {}


@pytest.mark.parametrize(
    "what, source, lines",
    [
        (without_encoding, "open(p)", [1]),
        (without_encoding, "open(p, 'rb'); open(p, 'w', encoding='utf-8'); write_text(p, t)", []),
        (without_encoding, "p.read_text()\np.write_text(t)\np.open('a')", [1, 2, 3]),
        (unguarded, "import resource", [1]),
        (unguarded, "def f():\n    return os.fork()", [2]),
        (unguarded, "def f():\n    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else 1", []),
        (unguarded, "import signal\nsignal.signal(signal.SIGINT, f)\nsignal.signal(signal.SIGHUP, f)", [3]),
        (odd_names, "write('a:b.json'); write('why: see a.json'); write(f'{x}:{y}.json')", [1, 1]),
    ],
)
def test_the_check_finds_and_lets_pass(what, source, lines):
    assert what(ast.parse(source)) == lines


def test_no_file_of_the_repository_has_a_name_that_windows_forbids():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone: git lists no files here")
    assert [name for name in listed.stdout.split("\0") if FORBIDDEN.search(name)] == []
