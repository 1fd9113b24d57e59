"""Folders wherever fsspec can read and write: the disk, S3, GCS and others."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from fixative.errors import SettingError
from fixative.pictures.naming import shown

#: The folder of a job's own files, in the folder of its results.
OWN_FOLDER = ".fixative-fleet"
JOBS_FOLDER = f"{OWN_FOLDER}/jobs"
_BLOCK = 1 << 20
#: Stores where an object appears whole, under its own name, or not at all.
_WHOLE_PUTS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"))
#: What changes with a file's content, by the names that stores give it; the first is taken.
_MARKS = ("generation", "ETag", "etag", "mtime", "LastModified", "last_modified")
#: Seconds to wait before an access that failed is tried again.
_WAITS = (0.5, 2.0)
#: What no second attempt mends.
_FINAL = (SettingError, FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Store:
    """A folder, or one file, in a store.

    Attributes:
        url: as the person gave it, without a slash at its end.
        fs: fsspec's file system.
        root: the folder as ``fs`` names it.
        scratch: relative; where files lie that are not yet whole, in stores that rename.
    """

    url: str
    fs: Any
    root: str
    scratch: str = f"{OWN_FOLDER}/scratch"

    @property
    def local(self) -> bool:
        """On this machine's disks, or one mounted here."""
        return isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """The place of a relative name, as ``fs`` names it; "" is the root."""
        return f"{self.root}/{name}" if name else self.root

    def label(self, name: str) -> str:
        """The place of a relative name, as a person reads it."""
        return shown(f"{self.url}/{name}" if name else self.url)

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file here; ``OSError`` where it cannot be read."""
        _steadily(lambda: self.fs.get_file(self.path(name), str(to)))

    def digest(self, name: str) -> str | None:
        """The sha256 of a file's bytes; None where there is none."""

        def read() -> str:
            with self.fs.open(self.path(name), "rb") as file:
                return digest_of(file.read)

        try:
            return _steadily(read)
        except FileNotFoundError:
            return None

    def stamp(self, name: str) -> str:
        """The ``stamp_of`` a file; "" where there is none."""
        try:
            return stamp_of(_steadily(lambda: self.fs.info(self.path(name))))
        except FileNotFoundError:
            return ""

    def read(self, name: str) -> bytes | None:
        """The bytes of a small file; None where there is none."""
        try:
            return _steadily(lambda: bytes(self.fs.cat_file(self.path(name))))
        except FileNotFoundError:
            return None

    def put(self, file: Path, name: str) -> None:
        """Put a file into the store: whole under its name, or not at all."""
        _steadily(lambda: self._put(file, self.path(name)))

    def put_bytes(self, content: bytes, name: str) -> None:
        """As ``put``, of bytes in memory."""
        with TemporaryDirectory(prefix="fixative-") as folder:
            file = Path(folder, "content")
            file.write_bytes(content)
            self.put(file, name)

    def _put(self, file: Path, path: str) -> None:
        if _WHOLE_PUTS & _protocols(self.fs):
            self.fs.put_file(str(file), path)
            return
        temporary = self.path(f"{self.scratch}/{secrets.token_hex(8)}.part")
        for place in (temporary, path):
            self.fs.makedirs(place.rpartition("/")[0], exist_ok=True)
        if self.local:
            shutil.copyfile(file, temporary)
            _flush(Path(temporary))
            os.replace(temporary, path)
        else:
            self.fs.put_file(str(file), temporary)
            self.fs.mv(temporary, path)


def open_store(url: str, options: Mapping[str, Any] | None = None) -> Store:
    """Reach a store; nothing is read yet.

    Args:
        url: a path, or ``s3://bucket/folder`` and whatever else fsspec knows.
        options: of its file system, such as ``endpoint_url`` of an S3 that is not Amazon's.
            Keys belong into the environment or the machine's role.

    Raises:
        SettingError: an unknown kind of store, or one whose package is not installed.
    """
    try:
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False, **(options or {}))
    except ImportError as error:
        raise SettingError(
            f"{shown(url)}: needs a package that is not installed ({error}); "
            "install fixative[ray] for S3, gcsfs for Google's store, adlfs for Azure's"
        ) from error
    except ValueError as error:
        raise SettingError(
            f"{shown(url)}: expected a folder or an address such as s3://bucket/folder ({error})"
        ) from error
    return Store(url.rstrip("/") or "/", fs, str(root).rstrip("/"))


def stamp_of(entry: Mapping[str, Any]) -> str:
    """Size and mark of a listed file: the same as long as it is not changed.

    Returns:
        "" where the store gives no mark, so that nothing can be told without reading.
    """
    mark = next((str(entry[name]) for name in _MARKS if entry.get(name)), "")
    return f"{entry.get('size')} {mark}" if mark else ""


def digest_of(read: Callable[[int], bytes]) -> str:
    """The sha256 of what ``read`` gives, a block at a time."""
    digest = hashlib.sha256()
    while block := read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file on this machine."""
    with path.open("rb") as file:
        return digest_of(file.read)


def _flush(path: Path) -> None:
    """Have the bytes on the disk before the name points to them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _protocols(fs: Any) -> set[str]:
    names = fs.protocol
    return {names} if isinstance(names, str) else set(names)


def _steadily(access: Callable[[], Answer]) -> Answer:
    """Try again what a network may have failed at; the last failure is raised."""
    for wait in _WAITS:
        try:
            return access()
        except _FINAL:
            raise
        except Exception:  # each store's client has failures of its own
            time.sleep(wait)
    return access()
