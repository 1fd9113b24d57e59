"""The published archive: complete, nothing in it that flags a pack, described as the registry asks.

That it runs on its own is tested in ``tests/host/test_published_pack.py``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.publishing import published_files, suspicions

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    tomllib = pytest.importorskip("tomli")

#: Everything that runs in a host or is shown by it lies here.
RUN_TIME = ("fixative", "nodes", "js", "locales", "weights", "example_workflows")
TOP = {"__init__.py", "requirements.txt", "pyproject.toml", "LICENSE", "README.md"}
#: The engine's own processes: no host starts them.
COMMAND_LINE = ("cli/", "__main__.py", "demo.py", "batch/memory.py", "batch/pool.py")
NOT_HERE = tuple(f"fixative/{name}" for name in COMMAND_LINE)
#: What only those who work on it need.
LEFT_OUT = ("tests", "benchmarks", "scripts", ".ci", ".github", "demo")
BYTECODE = {".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".whl", ".zip", ".pkl", ".pt"}
#: What the registry calls an address of a namespace, not a place to load from.
NAMESPACES = "http://www.w3.org/"


@pytest.fixture(scope="module")
def published(checkout: Path) -> list[Path]:
    try:
        return published_files(checkout)
    except FileNotFoundError as error:
        pytest.skip(f"not a git checkout: {error}")


@pytest.fixture(scope="module")
def names(checkout: Path, published: list[Path]) -> set[str]:
    return {path.relative_to(checkout).as_posix() for path in published}


@pytest.fixture(scope="module")
def project(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))


def test_all_that_runs_is_in_it(checkout: Path, names: set[str]) -> None:
    assert names >= TOP
    for folder in RUN_TIME:
        files = {
            path.relative_to(checkout).as_posix()
            for path in (checkout / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files, folder
        missing = {name for name in files - names if not name.startswith(NOT_HERE)}
        assert not missing
    assert "nodes/protect.py" in names
    assert "fixative/protector.py" in names
    assert "weights/manifest.json" in names
    assert "js/docs/FixativeProtectImage.md" in names
    assert "locales/zh/nodeDefs.json" in names


def test_nothing_else_is_in_it(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert not {name for name in names if name.startswith(NOT_HERE)}
    assert not tops & {*LEFT_OUT, "install.py", "CONTRIBUTING.md"}
    assert not {name for name in names if Path(name).suffix in BYTECODE}
    assert not {name for name in names if "__pycache__" in name}


def test_nothing_in_it_needs_what_is_left_out(published: list[Path]) -> None:
    modules = tuple(name.removesuffix(".py").strip("/").replace("/", ".") for name in NOT_HERE)
    found = {
        path.name: module
        for path in published
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for module in modules
        if (node.module or "").startswith(module)
    }
    assert found == {}


def test_it_is_small_enough_to_download_gladly(published: list[Path]) -> None:
    assert sum(path.stat().st_size for path in published) < 40e6


def test_nothing_in_it_looks_suspicious(checkout: Path, published: list[Path]) -> None:
    found = [
        f"{path.relative_to(checkout)}:{line} {what}"
        for path in published
        if path.suffix == ".py"
        for line, what in suspicions(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "from urllib import request",
        "import http.client",
        "import os\nos.system('ls')",
        "import os\nos.execvp('ls', [])",
        "import os\nos.environ['A'] = 'b'",
        "import os\nos.environ.setdefault('A', 'b')",
        "import os\ndel os.environ['A']",
        "eval('1')",
        "exec('1')",
        "__import__('os')",
        "import torch\ntorch.hub.load('a', 'b')",
    ],
)
def test_the_scanner_of_these_tests_finds_it(code: str) -> None:
    assert [line for line, _ in suspicions(code)] == [len(code.splitlines())]


def test_the_scanner_of_these_tests_leaves_the_harmless() -> None:
    code = "import os, re\nre.compile('a')\nos.environ.get('A')\nmodel.eval()\nfrom . import http"
    assert suspicions(code) == []


def test_the_registrys_linter_passes(published: list[Path]) -> None:
    """The rules that ``comfy node validate`` runs, without this project's own settings."""
    scripts = [str(path) for path in published if path.suffix == ".py"]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    command += ["--ignore-noqa", "--select", "S102,S307,E702", *scripts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All checks passed" in done.stdout


def test_the_front_end_loads_nothing_from_elsewhere(published: list[Path]) -> None:
    scripts = [path for path in published if path.suffix in (".js", ".css", ".html")]
    for path in scripts:
        text = path.read_text("utf-8").replace(NAMESPACES, "")
        assert not re.search(r"https?://|\beval\(|new Function\(", text), path
        for source in re.findall(r'^import .*?from "(.+?)";', text, re.MULTILINE | re.DOTALL):
            assert source.startswith("./") or re.search(r"/scripts/(app|api)\.js$", source), path


def test_the_project_is_described(project: dict[str, Any], checkout: Path) -> None:
    described = project["project"]
    assert "comfyui" not in described["name"].lower()
    assert re.fullmatch(r"[a-z][a-z0-9-]*", described["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", described["version"])
    assert described["description"]
    assert described["license"] == "MIT"
    assert (checkout / described["license-files"][0]).is_file()
    assert described["urls"]["Repository"].startswith("https://github.com/")


def test_the_registrys_own_fields(project: dict[str, Any]) -> None:
    comfy = project["tool"]["comfy"]
    assert comfy["PublisherId"]
    assert comfy["DisplayName"] == "Fixative"
    assert "Icon" in comfy
    assert comfy["requires-comfyui"] == ">=0.3.75"


def test_what_the_manager_installs_leaves_the_hosts_torch_alone(
    project: dict[str, Any], checkout: Path
) -> None:
    lines = (checkout / "requirements.txt").read_text("utf-8").splitlines()
    wanted = {re.split(r"[<>=!~ ;\[]", line)[0] for line in lines if line and line[0] != "#"}
    assert not wanted & {"torch", "torchvision", "torchaudio", "numpy"}
    declared = {re.split(r"[<>=!~ ;\[]", entry)[0] for entry in project["project"]["dependencies"]}
    assert wanted <= declared
