"""The engine imports no host: adapters stand on it, never the other way round."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOSTS = {"comfy", "comfy_api", "folder_paths", "server", "nodes", "modules", "gradio", "launch"}
FILES = sorted((ROOT / "fixative").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_the_search_finds_imports() -> None:
    assert len(FILES) > 20
    assert "torch" in imported(ROOT / "fixative" / "protector.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_engine_imports_no_host(path: Path) -> None:
    assert not imported(path) & HOSTS


def test_no_file_names_a_machine_or_a_registry() -> None:
    told = [*FILES, *(ROOT / "nodes").rglob("*.py"), ROOT / "README.md", ROOT / "install.py"]
    for path in told:
        text = path.read_text("utf-8")
        assert "/work/" not in text, path
        assert "pypi.org" not in text, path
