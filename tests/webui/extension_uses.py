"""What the extension uses of its host, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.webui.environments import CHECKOUT


@dataclass(frozen=True)
class Use:
    """A name of a module of the host, and how it is called, if it is.

    Attributes:
        module: without ``modules.``.
        name: of the module; ``state.begin`` for what lies deeper.
        call: how many positional arguments, and the keywords.
    """

    module: str
    name: str
    call: tuple[int, frozenset[str]] | None = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" + ("" if self.call is None else "()")


def extension_files() -> list[Path]:
    """Every file that a web UI runs of this repository, less the engine, which knows no host."""
    return [*sorted((CHECKOUT / "fixative_webui").rglob("*.py")), *_scripts()]


@cache
def uses() -> list[Use]:
    """Each once, by name."""
    found = {use for path in extension_files() for use in _uses_in(_tree(path))}
    return sorted(found, key=str)


@cache
def overrides() -> list[tuple[str, str, str]]:
    """(``module.Class``, method, signature) of each method that a script overrides."""
    found: list[tuple[str, str, str]] = []
    for node in (node for path in _scripts() for node in ast.walk(_tree(path))):
        if isinstance(node, ast.ClassDef) and node.bases:
            base = ast.unparse(node.bases[0])
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    signature = f"{each.name}({ast.unparse(each.args)})"
                    found.append((base, each.name, signature))
    return found


def signature_of(text: str) -> ast.FunctionDef:
    """``name(parameters)`` as a syntax tree."""
    parsed = ast.parse(f"def {text}: ...").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    return parsed


def _scripts() -> list[Path]:
    return sorted((CHECKOUT / "scripts").glob("*.py"))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _uses_in(tree: ast.Module) -> Iterator[Use]:
    names: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "modules":
            names |= {each.asname or each.name: (each.name, "") for each in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("modules."):
            module = str(node.module).removeprefix("modules.")
            names |= {each.asname or each.name: (module, each.name) for each in node.names}
            yield from (Use(module, each.name) for each in node.names)
    for node in ast.walk(tree):  # state = shared.state
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            path = _resolved(node.value, names)
            if path == ("shared", "state"):
                names[node.targets[0].id] = ("shared", "state")
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        path = _resolved(node, names)
        if path is not None and path[1]:
            call = called.get(id(node))
            yield Use(*path, None if call is None else _given(call))


def _resolved(node: ast.AST, names: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """(module, dotted name) of an expression that starts with a module of the host."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = _resolved(node.value, names)
    if owner is None:
        return None
    return owner[0], f"{owner[1]}.{node.attr}" if owner[1] else node.attr


def _given(call: ast.Call) -> tuple[int, frozenset[str]]:
    keywords = frozenset(each.arg for each in call.keywords if each.arg is not None)
    return len(call.args), keywords
