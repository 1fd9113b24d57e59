"""Find pictures one folder at a time, so that memory does not grow with their number."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixative.batch.filters import Filters
from fixative.batch.plan import (
    HIDDEN,
    FileTask,
    absolute,
    common_folder,
    folded,
    identity,
    result_names,
)
from fixative.pictures.formats import PICTURE_SUFFIXES, OutputFormat
from fixative.pictures.naming import shown

FILTERED = "filtered out"
#: So many kinds of skipped files are told apart; the rest is counted together.
_MOST_KINDS = 50
_OTHER = "others"


@dataclass(frozen=True)
class Refused:
    """Something that cannot be done, found while listing.

    Attributes:
        source: the file or folder.
        line: says why, in one line that names it.
    """

    source: Path
    line: str


class Listing:
    """Pictures and where their results go, found while iterating; each iteration searches anew.

    Names and order are those of ``plan_files``, except that a link to a picture that is itself in
    a searched folder counts as that picture. Kept in memory: one folder's names, the identities of
    the folders searched, and the links to pictures elsewhere.

    Args:
        inputs: files and folders.
        out: the folder for the results; it need not exist, and is not searched.
        output: gives the suffix.
        filters: which of the files in folders are meant; files that are named always are.

    Raises:
        SettingError: no inputs, or inputs without a common folder.
    """

    def __init__(
        self,
        inputs: Sequence[Path],
        out: Path,
        *,
        output: OutputFormat,
        filters: Filters | None = None,
    ) -> None:
        self.base = Path(common_folder(inputs))
        self.out = out
        self.skipped: Counter[str] = Counter()
        self._inputs, self._output, self._filters = tuple(inputs), output, filters or Filters()
        self._real_out = os.path.realpath(out)
        self._roots = [os.path.realpath(path) for path in inputs if path.is_dir()]
        self._named = [p for p in inputs if os.path.lexists(p) and not p.is_dir()]
        self._begin()

    def __iter__(self) -> Iterator[FileTask | Refused]:
        self._begin()
        for path in self._inputs:
            if not os.path.lexists(path):
                yield Refused(path, f"{shown(path)}: cannot be read (No such file or folder)")
        yield from self._named_files()
        for path in self._inputs:
            if path.is_dir():
                yield from self._folder(path)

    def _begin(self) -> None:
        self.skipped.clear()
        self._met: set[str] = set()
        self._folders: set[object] = set()
        self._taken: dict[str, set[str]] = {}

    def _named_files(self) -> Iterator[FileTask | Refused]:
        once = {os.path.realpath(path): path for path in reversed(self._named)}
        pictures = list(reversed(once.values()))
        self._met.update(once)
        names = result_names([self._relative(path) for path in pictures], self._output.suffix)
        for picture, (name, notes) in zip(pictures, names, strict=True):
            self._taken.setdefault(folded(name.parent), set()).add(folded(name))
            yield self._task(picture, name, notes)

    def _folder(self, folder: Path) -> Iterator[FileTask | Refused]:
        found, waiting = identity(folder) in self._folders, [folder]
        while waiting:
            place = waiting.pop()
            key = identity(place)
            if key in self._folders:
                continue
            self._folders.add(key)
            try:
                files, folders = self._sorted_entries(place)
            except OSError as error:
                line = f"{shown(place)}: cannot be searched ({error.strerror})"
                yield Refused(place, line)
                continue
            waiting.extend(reversed(folders))
            pictures = [path for path in files if self._is_meant(path)]
            found = found or bool(pictures)
            yield from self._tasks([path for path in pictures if self._is_new(path)])
        if not found:
            yield Refused(folder, f"{shown(folder)}: holds no pictures; give another folder")

    def _sorted_entries(self, place: Path) -> tuple[list[Path], list[Path]]:
        files: list[Path] = []
        folders: list[Path] = []
        with os.scandir(place) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            if entry.name.startswith("."):
                self._skip(HIDDEN)
            elif not entry.is_dir():
                files.append(place / entry.name)
            elif self._is_worth_searching(place / entry.name):
                folders.append(place / entry.name)
        return files, folders

    def _is_worth_searching(self, folder: Path) -> bool:
        if os.path.realpath(folder) == self._real_out:
            return False
        kept = self._filters.keeps_folder(self._relative(folder).as_posix())
        if not kept:
            self._skip(FILTERED)
        return kept

    def _is_meant(self, path: Path) -> bool:
        suffix = path.suffix.lower()
        if suffix not in PICTURE_SUFFIXES:
            self._skip(suffix or "no suffix")
            return False
        if not self._filters.keeps_file(self._relative(path).as_posix()):
            self._skip(FILTERED)
            return False
        return True

    def _is_new(self, path: Path) -> bool:
        """Whether a picture is not there under another name; only links and named files can be."""
        if not path.is_symlink():
            return not self._met or os.path.realpath(path) not in self._met
        real = os.path.realpath(path)
        if real in self._met or self._is_found_itself(Path(real)):
            return False
        self._met.add(real)
        return True

    def _is_found_itself(self, real: Path) -> bool:
        for root in self._roots:
            if real.is_relative_to(root) and not real.is_relative_to(self._real_out):
                inner = real.relative_to(root).parts
                plain = not any(part.startswith(".") for part in inner)
                meant = self._filters.keeps_file(self._relative(real).as_posix())
                return plain and meant and real.suffix.lower() in PICTURE_SUFFIXES
        return False

    def _tasks(self, pictures: Sequence[Path]) -> Iterator[FileTask | Refused]:
        relative = [self._relative(path) for path in pictures]
        taken = self._taken.get(folded(relative[0].parent), set()) if relative else set[str]()
        names = result_names(relative, self._output.suffix, taken)
        for picture, (name, notes) in zip(pictures, names, strict=True):
            yield self._task(picture, name, notes)

    def _task(self, picture: Path, name: Path, notes: tuple[str, ...]) -> FileTask:
        return FileTask(picture, self.out / name, notes)

    def _relative(self, path: Path) -> Path:
        return Path(os.path.relpath(absolute(path), self.base))

    def is_input(self, path: Path) -> bool:
        """Whether what is at a path may be one of the pictures that are read."""
        if not path.exists():
            return False
        real = os.path.realpath(path)
        if any(os.path.realpath(named) == real for named in self._named):
            return True
        return path.suffix.lower() in PICTURE_SUFFIXES and any(
            Path(real).is_relative_to(root) and not self._is_apart(root) for root in self._roots
        )

    def _is_apart(self, root: str) -> bool:
        """Whether OUT lies inside a searched folder, of which it is then no part."""
        return self._real_out != root and Path(self._real_out).is_relative_to(root)

    def _skip(self, kind: str) -> None:
        known = kind in self.skipped or len(self.skipped) < _MOST_KINDS
        self.skipped[kind if known else _OTHER] += 1
