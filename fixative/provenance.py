"""What a result came from: versions and commit, for reports and recipes."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import fixative

LIBRARIES = ("torch", "numpy", "safetensors", "pillow", "lpips")


def provenance() -> dict[str, str]:
    """Versions of Fixative, Python and the libraries that matter, and the checkout's commit."""
    found = {"fixative": fixative.__version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    commit = checkout_commit()
    return {**found, "commit": commit} if commit else found


def checkout_commit() -> str | None:
    """The commit of the checkout we run from, read from its files; None outside of one."""
    folder = _git_folder(Path(__file__).resolve().parent.parent / ".git")
    head = folder / "HEAD"
    if not head.is_file():
        return None
    text = head.read_text("utf-8").strip()
    if not text.startswith("ref: "):
        return text
    reference = text.removeprefix("ref: ")
    shared = folder / "commondir"  # a worktree keeps only its own HEAD
    common = folder / shared.read_text("utf-8").strip() if shared.is_file() else folder
    loose, packed = common / reference, common / "packed-refs"
    if loose.is_file():
        return loose.read_text("utf-8").strip()
    lines = packed.read_text("utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {reference}")), None)


def _git_folder(path: Path) -> Path:
    """``.git``, or what it points to: in a worktree it is a file that names a folder."""
    if not path.is_file():
        return path
    return path.parent / path.read_text("utf-8").strip().removeprefix("gitdir: ")
