"""What the registry would get of this checkout, and what its scanner flags."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pathspec

#: Modules that start programs, speak over a network, or run what is not Python source.
SUSPICIOUS_MODULES = {
    *("subprocess", "multiprocessing", "pty", "ctypes", "marshal", "py_compile", "pip"),
    *("socket", "ssl", "urllib", "http", "ftplib", "smtplib", "telnetlib", "xmlrpc", "webbrowser"),
    *("requests", "httpx", "aiohttp", "websocket", "urllib3", "huggingface_hub"),
}
SUSPICIOUS_CALLS = {"eval", "exec", "compile", "__import__"}
OS_CALLS = {"system", "popen", "putenv", "unsetenv", "startfile", "fork", "forkpty"}
OS_FAMILIES = ("exec", "spawn", "posix_spawn")
ENVIRONMENT_CHANGES = {"setdefault", "update", "pop", "clear", "popitem", "__setitem__"}


def published_files(checkout: Path) -> list[Path]:
    """The files that ``comfy node publish`` packs: those of git that .comfyignore leaves in.

    Files that are new and not ignored count, so that they are looked at before they are committed.

    Raises:
        FileNotFoundError: there is no git, or this is no checkout.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if listed.returncode:
        raise FileNotFoundError(listed.stderr.strip())
    lines = (checkout / ".comfyignore").read_text("utf-8").splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    names = {name for name in listed.stdout.split("\0") if name and not ignored.match_file(name)}
    return [checkout / name for name in sorted(names) if (checkout / name).is_file()]


def suspicions(code: str) -> list[tuple[int, str]]:
    """Line and name of each import, call or change that a scanner flags."""
    found = [
        (getattr(node, "lineno", 0), name)
        for node in ast.walk(ast.parse(code))
        for name in (*_imports(node), *_calls(node), *_environment_changes(node))
    ]
    return sorted(found)


def _imports(node: ast.AST) -> list[str]:
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        modules = [node.module or ""]
    return [module for module in modules if module.split(".")[0] in SUSPICIOUS_MODULES]


def _calls(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call):
        return []
    name = ast.unparse(node.func)
    owner, _, last = name.rpartition(".")
    by_os = owner == "os" and (last in OS_CALLS or last.startswith(OS_FAMILIES))
    by_name = last in SUSPICIOUS_CALLS and owner in ("", "builtins")
    by_torch = name in ("torch.hub.load", "torch.hub.download_url_to_file")
    by_import = name in ("importlib.import_module", "runpy.run_path", "runpy.run_module")
    return [name] if by_os or by_name or by_torch or by_import else []


def _environment_changes(node: ast.AST) -> list[str]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    changed = [text for target in targets if (text := ast.unparse(target)).startswith("os.environ")]
    if isinstance(node, ast.Call):
        owner, _, last = ast.unparse(node.func).rpartition(".")
        if owner == "os.environ" and last in ENVIRONMENT_CHANGES:
            changed.append(f"{owner}.{last}")
    return changed
