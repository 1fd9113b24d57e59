"""Which files to protect, and where each result goes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fixative.errors import SettingError
from fixative.pictures.formats import PICTURE_SUFFIXES, OutputFormat
from fixative.pictures.naming import shown

HIDDEN = "hidden"


@dataclass(frozen=True)
class FileTask:
    """One picture to protect.

    Attributes:
        source: the picture.
        output: where its protected copy goes.
        notes: what the person should know about the name.
    """

    source: Path
    output: Path
    notes: tuple[str, ...] = ()


@dataclass
class Plan:
    """What a run will do.

    Attributes:
        tasks: the pictures, in the order of the inputs and by name within folders.
        failures: inputs that cannot be done, each with a line that says why.
        skipped: files in folders that are no pictures, counted by suffix or as ``hidden``.
    """

    tasks: list[FileTask] = field(default_factory=list[FileTask])
    failures: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    skipped: Counter[str] = field(default_factory=Counter[str])


def plan_files(inputs: Sequence[Path], out: Path, *, output: OutputFormat) -> Plan:
    """Find the pictures and name the results OUT/<path relative to the inputs' common folder>.

    Folders are searched to any depth, through links but never in circles; hidden entries and
    files that are no pictures are skipped and counted, and so is OUT itself inside a folder.
    Pictures that differ only in their suffix keep it in the result's name (``a.jpg.png``).

    Args:
        inputs: files and folders.
        out: the folder for the results; it need not exist.
        output: gives the suffix.

    Raises:
        SettingError: no inputs, or inputs without a common folder.
    """
    plan = Plan()
    pictures = list(_pictures(inputs, Path(os.path.realpath(out)), plan))
    base = common_folder(inputs)
    relative = [Path(os.path.relpath(picture, base)) for picture in pictures]
    names = result_names(relative, output.suffix)
    taken = {identity(picture) for picture in pictures}
    for picture, before, (after, note) in zip(pictures, relative, names, strict=True):
        target = out / after
        if target.exists() and identity(target) in taken:
            reason = f"{shown(before)}: its result would replace an input; choose another --out"
            plan.failures.append((picture, reason))
        else:
            plan.tasks.append(FileTask(picture, target, note))
    return plan


def find_pictures(inputs: Sequence[Path]) -> tuple[list[Path], Plan]:
    """Find pictures that are only read, as ``plan_files`` does; with what failed or was skipped.

    Args:
        inputs: files and folders.
    """
    plan = Plan()
    return list(_pictures(inputs, Path(), plan)), plan


def common_folder(inputs: Sequence[Path]) -> str:
    """The folder that results' paths are relative to.

    Raises:
        SettingError: there is none.
    """
    folders = [str(absolute(path if path.is_dir() else path.parent)) for path in inputs]
    try:
        return os.path.commonpath(folders)
    except ValueError as error:
        raise SettingError(
            "inputs: expected at least one picture or folder, all on one drive"
        ) from error


def _pictures(inputs: Sequence[Path], out: Path, plan: Plan) -> Iterator[Path]:
    """Every picture once, by its real place, under the first name it is met by."""
    met: set[str] = set()
    folders: set[str] = set()
    for path in inputs:
        if not os.path.lexists(path):
            plan.failures.append((path, f"{shown(path)}: cannot be read (No such file or folder)"))
            continue
        found = _in_folder(path, out, plan, folders) if path.is_dir() else iter((path,))
        for picture in found:
            real = os.path.realpath(picture)
            if real not in met:
                met.add(real)
                yield picture


def _in_folder(folder: Path, out: Path, plan: Plan, met: set[str]) -> Iterator[Path]:
    """Pictures below a folder; adds to ``met`` the real folders that were searched."""

    def unreadable(error: OSError) -> None:
        name = Path(str(error.filename))
        plan.failures.append((name, f"{shown(name)}: cannot be searched ({error.strerror})"))

    count = 0
    for place, subfolders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        met.add(os.path.realpath(place))
        subfolders[:] = sorted(_worth_searching(place, subfolders, out, plan, met))
        for name in sorted(files):
            if name.startswith("."):
                plan.skipped[HIDDEN] += 1
            elif (suffix := Path(name).suffix.lower()) in PICTURE_SUFFIXES:
                count += 1
                yield Path(place, name)
            else:
                plan.skipped[suffix or "no suffix"] += 1
    if not count:
        plan.failures.append((folder, f"{shown(folder)}: holds no pictures; give another folder"))


def _worth_searching(
    place: str, names: list[str], out: Path, plan: Plan, met: set[str]
) -> Iterator[str]:
    for name in names:
        real = os.path.realpath(Path(place, name))
        if name.startswith("."):
            plan.skipped[HIDDEN] += 1
        elif real not in met and real != str(out):
            met.add(real)
            yield name


def result_names(
    pictures: Sequence[Path], suffix: str, taken: Collection[str] = ()
) -> list[tuple[Path, tuple[str, ...]]]:
    """Name each result; names are compared without case, as some disks do.

    Args:
        pictures: relative paths of the sources.
        suffix: of the results, with its dot.
        taken: names, as ``folded`` gives them, that other results have already.

    Returns:
        A relative path each, and what the person should know about it.
    """
    plain = [_renamed(picture, suffix) for picture in pictures]
    shared = Counter(folded(name) for name in plain)
    shared.update(taken)
    used = {folded(name) for name in plain if shared[folded(name)] == 1} | set(taken)
    results: list[tuple[Path, tuple[str, ...]]] = []
    for picture, name in zip(pictures, plain, strict=True):
        if shared[folded(name)] == 1:
            results.append((name, ()))
            continue
        name, number = picture.with_name(picture.name + suffix), 2
        while folded(name) in used:
            name = picture.with_name(f"{picture.name}-{number}{suffix}")
            number += 1
        used.add(folded(name))
        results.append((name, ("saved with its old suffix, as another picture has its name",)))
    return results


def absolute(path: Path) -> Path:
    """From the root, links and their names kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _renamed(path: Path, suffix: str) -> Path:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return path.with_suffix(suffix)
    return path.with_name(path.name + suffix)


def folded(path: Path) -> str:
    """A name as disks compare it that do not tell cases apart."""
    return os.fsdecode(path).casefold()


def identity(path: Path) -> object:
    """What two names of one file share; the name itself for a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return status.st_dev, status.st_ino
