"""What a hosted runtime breaks is told in one line with its remedy: by the first cell, the doctor and `load_model`."""

import inspect
import os
import re
import subprocess
import sys
import tomllib
import types
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from motif_lib import load_model, lora_config, runtime
from motif_lib.classroom.workbook import badges, first_cell
from motif_lib.machine.doctor import judge
from motif_lib.machine.facts import Facts
from motif_lib.runtime import CONFLICTS, RESTART, WATCHED, NotReady, lasting_folder, needs, prepare

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "git+https://github.com/someone/motif@v1.2"


@pytest.fixture
def colab(monkeypatch):
    """A hosted runtime whose pip only keeps what it is asked for."""
    asked = []
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(runtime, "pip", asked.extend)
    return asked


def pretend(monkeypatch, package, version):
    """Another version of a package, or None for a missing one."""
    real = runtime.installed
    monkeypatch.setattr(runtime, "installed", lambda name: version if name == package else real(name))


def fake(folder, package, version):
    """A package of that name and version, as pip would leave it."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text(f"__version__ = {version!r}\n", encoding="utf-8")
    (folder / f"{package}-{version}.dist-info").mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    (folder / f"{package}-{version}.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")


BROKEN = [
    ("torchao", "0.10.0", 'torchao 0.10.0: PEFT attaches no LoRA beside an older one; pip install "torchao>=0.16"'),
    ("datasets", "4.0.0", 'datasets 4.0.0: TRL needs it; pip install "datasets>=4.7,<5"'),
    ("pyarrow", "18.1.0", 'pyarrow 18.1.0: datasets needs it; pip install "pyarrow>=21"'),
    ("trl", None, 'trl is missing: MotifTrainer is made on it; pip install "trl>=1.14.2,<1.15"'),
]


@pytest.mark.parametrize("package, version, line", BROKEN)
@pytest.mark.parametrize("call", [load_model, lora_config])
def test_a_model_is_refused_with_the_remedy(monkeypatch, package, version, line, call):
    pretend(monkeypatch, package, version)
    monkeypatch.delitem(sys.modules, package, raising=False)  # not the one in memory
    with pytest.raises(NotReady) as error:
        call()
    assert str(error.value) == line


@pytest.mark.parametrize("package, version, line", BROKEN)
def test_the_doctor_says_the_same(package, version, line):
    packages = {"torchao": None, "pyarrow": "26.0.1", "datasets": "4.8.5", "trl": "1.14.2"}
    found = judge(Facts(packages=packages | {package: version}), ["trl<1.15,>=1.14.2"])
    (problem,) = [finding for finding in found.machine if finding.name == package]
    assert problem.verdict == "problem" and line.endswith(problem.fix) and not found.ok
    recipe = next(finding for finding in found.work if finding.name == "recipe cpu")
    assert recipe.verdict == "does not run" and line in recipe.fix


@pytest.mark.parametrize("package, version, line", BROKEN)
def test_the_first_cell_mends_it_on_a_hosted_runtime(monkeypatch, colab, capsys, package, version, line):
    pretend(monkeypatch, package, version)
    monkeypatch.setattr(runtime, "check", lambda: None)  # the pip of this test mends nothing
    monkeypatch.setattr(runtime, "in_memory", dict)
    exec(first_cell(), {})
    asked = re.search('"(.*)"', line)[1]
    assert colab == [asked] and capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("package, version, line", BROKEN)
def test_on_a_machine_of_ones_own_the_first_cell_only_says_what_to_type(monkeypatch, package, version, line):
    pretend(monkeypatch, package, version)
    monkeypatch.setattr(runtime, "in_memory", dict)
    monkeypatch.setattr(runtime, "pip", lambda asked: pytest.fail("installed unasked"))
    with pytest.raises(NotReady) as error:
        exec(first_cell(), {})
    said, _, remedy = line.partition("; ")
    assert str(error.value) == f"{said}: {remedy}"


def test_where_all_is_well_nothing_happens(colab, capfd):
    exec(first_cell(), {})
    assert colab == [] and capfd.readouterr() == ("", "")


def test_an_extra_is_installed_where_it_is_asked_for(colab, capsys):
    prepare("gpu")
    assert [Requirement(need).name for need in colab] == ["unsloth", "bitsandbytes"]
    assert "unsloth is missing; bitsandbytes is missing: pip install" in capsys.readouterr().out


def test_a_pip_that_fails_is_one_line(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda command: types.SimpleNamespace(returncode=1))
    with pytest.raises(NotReady, match="pip could not install torchao>=0.16: its message above says why"):
        runtime.pip(["torchao>=0.16"])


def test_what_was_loaded_before_it_was_moved_asks_for_a_restart(monkeypatch, colab):
    monkeypatch.setitem(sys.modules, "pyarrow", types.SimpleNamespace(__version__="18.1.0"))
    with pytest.raises(NotReady) as error:
        exec(first_cell(), {})
    assert re.fullmatch(
        r"pyarrow 18.1.0 is in memory: [\d.]+ is installed by now; restart the session .*", str(error.value)
    )
    assert colab == []


def test_trl_before_unsloth_asks_for_a_restart():
    for memory, expected in (({"trl": ""}, 1), ({"trl": "", "unsloth": ""}, 0), ({}, 0)):
        packages = {bound.package: "21" for bound in CONFLICTS} | {"trl": "1.14.2", "datasets": "4.8"}
        found = list(runtime.conflicts(packages, memory, unsloth=True))
        assert len(found) == expected and all(RESTART in conflict.remedy for conflict in found)
        assert list(runtime.conflicts(packages, memory)) == []


def test_pefts_own_traceback_is_what_a_real_torchao_0_10_would_give(tmp_path):
    """In a process of its own: PEFT refuses the package, and we say so before it does."""
    fake(tmp_path, "torchao", "0.10.0")
    code = """
from peft.import_utils import is_torchao_available
try: is_torchao_available()
except ImportError as error: print("PEFT:", error)
from motif_lib import load_model
try: load_model()
except RuntimeError as error: print("we:", error)
from motif_lib.runtime import prepare
prepare()
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "PEFT: Found an incompatible version of torchao. Found version 0.10.0" in done.stdout
    assert 'we: torchao 0.10.0: PEFT attaches no LoRA beside an older one; pip install "torchao>=0.16"' in done.stdout
    assert done.returncode == 1 and done.stderr.rstrip().endswith('pip install "torchao>=0.16"')


def test_an_import_that_fails_names_the_known_reason(monkeypatch):
    """`from motif_lib import MotifTrainer` beside an old datasets fails inside of TRL."""
    import motif_lib

    pretend(monkeypatch, "datasets", "4.0.0")
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    monkeypatch.setattr(motif_lib, "import_module", lambda name: (_ for _ in ()).throw(ImportError("deep inside")))
    with pytest.raises(NotReady, match="datasets 4.0.0: TRL needs it"):
        motif_lib.MotifTrainer  # noqa: B018
    monkeypatch.undo()
    monkeypatch.setattr(motif_lib, "import_module", lambda name: (_ for _ in ()).throw(ImportError("deep inside")))
    with pytest.raises(ImportError, match="deep inside"):
        motif_lib.MotifTrainer  # noqa: B018


def test_a_notebook_shows_the_line_alone(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell().run_cell("from motif_lib.runtime import NotReady\nraise NotReady('type this')")
    assert capsys.readouterr().out.strip() == "NotReady: type this"


def test_the_list_says_what_the_packages_themselves_ask_for():
    """Of those that are installed here; TRL and datasets in their metadata, PEFT in its source."""
    from peft.import_utils import is_torchao_available

    bounds = {bound.package: bound.versions for bound in CONFLICTS}
    for package, needed in (("trl", "datasets"), ("datasets", "pyarrow")):
        (asked,) = [need for need in map(Requirement, requires(package)) if need.name == needed and not need.marker]
        lowest = {bound.version for bound in asked.specifier if bound.operator == ">="}
        assert {re.search(r">=([\d.]+)", bounds[needed])[1]} == {
            v.removesuffix(".0").removesuffix(".0") for v in lowest
        }
    assert f'"{bounds["torchao"][2:]}.0"' in inspect.getsource(is_torchao_available)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {need.name: need.specifier for need in map(Requirement, project["dependencies"])}
    for package in asked.keys() & bounds.keys():
        assert asked[package] == Requirement(package + bounds[package]).specifier
    assert bounds.keys() <= set(WATCHED)


def test_requirements_come_with_their_extras_only():
    names = [Requirement(need).name for need in needs("notebook")]
    assert "torch" in names and "ipywidgets" in names and not {"unsloth", "pytest"} & set(names)
    assert "unsloth" in [Requirement(need).name for need in needs("gpu")]


@pytest.mark.parametrize("source", ["", ADDRESS])
def test_a_first_cell_without_the_package(tmp_path, source):
    """It names the address, or says what to type; of an index it installs nothing."""
    cell = first_cell(source)
    assert len(cell.splitlines()) <= 8 and cell.count("pip install") == 1
    lines = [line.strip() for line in cell.splitlines() if "pip install" in line]
    if source:
        assert lines == [f'%pip install -q "motif_lib @ {ADDRESS}"']
        return
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.modules['motif_lib'] = None\n{cell}"],
                          capture_output=True, text=True, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "%pip install git+https://ADDRESS" in done.stderr


def test_badges_come_with_an_address_on_github():
    assert badges("00_x", "") == badges("00_x", "git+https://example.org/a/b@v1") == ""
    blob = "github/someone/motif/blob/v1.2/notebooks/00_x.ipynb"
    assert f"https://colab.research.google.com/{blob}" in badges("00_x", ADDRESS)
    assert f"src=https://github.com/{blob.removeprefix('github/')}" in badges("00_x", ADDRESS)


def test_the_command_that_installs_never_names_an_index(monkeypatch):
    assert runtime.install("gpu", ADDRESS) == f'pip install "motif_lib[gpu] @ {ADDRESS}"'
    for extra in ("", "gpu"):
        assert "motif_lib" not in runtime.install(extra, "") and "pip install " in runtime.install(extra, "")


def test_a_folder_that_outlives_the_session(monkeypatch, tmp_path):
    assert lasting_folder(None).is_dir() and lasting_folder(None) != lasting_folder(None)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert lasting_folder("runs") == tmp_path / "runs" and lasting_folder("runs").is_dir()
    assert lasting_folder(str(tmp_path / "own")) == tmp_path / "own"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(runtime, "DRIVE", str(tmp_path / "drive"))
    mounted = []
    drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(drive=drive))
    assert lasting_folder("runs") == tmp_path / "drive" / "MyDrive" / "runs" and mounted == [str(tmp_path / "drive")]


@pytest.mark.parametrize("first, asked, threads", [("", None, 1), ("import torch; ", None, 1), ("", "2", 2)])
def test_one_thread_unless_another_number_is_asked_for(first, asked, threads):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": asked} if asked else {}
    code = (
        f"{first}from motif_lib.runtime import share_cores; share_cores(); import torch; print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == str(threads)
