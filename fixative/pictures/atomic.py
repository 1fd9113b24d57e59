"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from fixative.errors import SettingError
from fixative.pictures.naming import shown


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = False) -> Generator[Path, None, None]:
    """Give a temporary path in the target's folder; move it onto ``path`` when the block succeeds.

    The temporary file is created at once, with the permissions any new file would get, and is
    removed whatever ends the block, an interrupt included.

    Args:
        path: where the whole file shall appear. Its folder is made if it is missing.
        overwrite: replace an existing file; False refuses.

    Yields:
        The path to write to.

    Raises:
        SettingError: ``path`` exists and ``overwrite`` is False, or is a folder.
        OSError: the folder cannot be made or written to.
    """
    refuse_existing(path, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".fixative-{secrets.token_hex(6)}.part"
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        _flush(temporary)
        refuse_existing(path, overwrite=overwrite)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def refuse_existing(path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise SettingError if something is at ``path`` that may not be replaced, or an input."""
    if path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
        raise SettingError(f"{shown(path)}: is one of the inputs; choose another name to write to")
    if path.is_dir():
        raise SettingError(f"{shown(path)}: is a folder, expected a file name to write to")
    if os.path.lexists(path) and not overwrite:
        raise SettingError(f"{shown(path)}: exists already; add --overwrite to replace it")


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write UTF-8 text atomically; undecodable bytes of a file name become ``\\udcXX`` escapes."""
    with atomic_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def _flush(path: Path) -> None:
    """Have the bytes on the disk before the name points to them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
