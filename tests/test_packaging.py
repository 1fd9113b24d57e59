"""What a wheel carries, and what the registry's scanner gets to see."""

from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

#: What flags a published pack.
SUSPICIOUS_MODULES = {"subprocess", "socket", "urllib", "requests", "httpx", "ctypes", "marshal"}
SUSPICIOUS_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built of this checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-q", "-w", str(folder), str(checkout)], check=True)
    with zipfile.ZipFile(next(folder.glob("fixative-*.whl"))) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package_and_its_weights_only(wheel: list[str], checkout: Path) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fixative"}
    shipped = {f"fixative/_weights/{path.name}" for path in (checkout / "weights").iterdir()}
    assert shipped <= set(wheel)
    assert "fixative/__main__.py" in wheel
    assert any(name.endswith("entry_points.txt") for name in wheel)


def published_files(checkout: Path) -> list[Path]:
    """What would be published: the files under version control that .comfyignore leaves in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    lines = (checkout / ".comfyignore").read_text().splitlines()
    ignored = [line.strip("/") for line in lines if line and not line.startswith("#")]
    return [
        checkout / name
        for name in listed.stdout.split("\0")
        if name
        and not any(fnmatch.fnmatch(name, rule) or name.startswith(f"{rule}/") for rule in ignored)
    ]


def test_the_published_archive_holds_what_runs_in_a_host(checkout: Path) -> None:
    names = {str(path.relative_to(checkout)) for path in published_files(checkout)}
    assert {"__init__.py", "requirements.txt", "pyproject.toml", "nodes/protect.py"} <= names
    assert "fixative/protector.py" in names
    assert "weights/manifest.json" in names
    assert "js/docs/FixativeProtectImage.md" in names
    for name in names:
        assert not name.startswith(("tests/", "benchmarks/", "scripts/", ".ci/", ".github/"))
    assert "install.py" not in names


def test_nothing_published_looks_suspicious(checkout: Path) -> None:
    found = [
        f"{path.relative_to(checkout)}:{line} {what}"
        for path in published_files(checkout)
        if path.suffix == ".py"
        for line, what in suspicions(path.read_text("utf-8"))
    ]
    assert found == []


def test_the_scanner_of_these_tests_finds_something() -> None:
    code = (
        "import subprocess\nfrom urllib import request\nimport os\nos.environ['A'] = 'b'\neval('1')"
    )
    assert [line for line, _ in suspicions(code)] == [1, 2, 4, 5]


def suspicions(code: str) -> list[tuple[int, str]]:
    """Line and name of each import, call or assignment that a scanner flags."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(code)):
        for name in _names(node):
            found.append((getattr(node, "lineno", 0), name))
    return sorted(found)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [a.name for a in node.names if a.name.split(".")[0] in SUSPICIOUS_MODULES]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return [module] if module.split(".")[0] in SUSPICIOUS_MODULES else []
    if isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, "id", "")
        owner = getattr(getattr(function, "value", None), "id", "")
        if owner == "os":
            name = getattr(function, "attr", "")
        return [name] if name in SUSPICIOUS_CALLS | {"putenv"} else []
    if isinstance(node, ast.Assign):
        texts = [ast.unparse(target) for target in node.targets]
        return [text for text in texts if text.startswith("os.environ")]
    return []
