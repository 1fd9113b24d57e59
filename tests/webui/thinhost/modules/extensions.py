"""The extensions that lie in the data folder."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from modules.paths_internal import extensions_dir


class ScriptFile(NamedTuple):
    basedir: str
    filename: str
    path: str


@dataclass(frozen=True)
class Extension:
    """A folder with scripts, javascript and styles."""

    name: str
    path: str

    def list_files(self, subdir: str, extension: str) -> list[ScriptFile]:
        """Its files of one kind, by name."""
        found = sorted(Path(self.path, subdir).glob(f"*{extension}"))
        return [ScriptFile(self.path, path.name, str(path)) for path in found if path.is_file()]


def active() -> list[Extension]:
    """All of them: nothing is switched off here."""
    folder = Path(extensions_dir)
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [Extension(path.name, str(path)) for path in found]
