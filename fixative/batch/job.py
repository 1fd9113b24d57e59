"""What is handed to a worker, and what comes back."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fixative.batch.plan import FileTask
from fixative.batch.run import FileResult

#: No room on the disk, or none left of this person's share (which Windows does not know).
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Stamp:
    """What a file was when it was looked at.

    Attributes:
        size: in bytes.
        mtime_ns: when it was last changed.
        sha256: of its bytes; None where they were not read.
    """

    size: int
    mtime_ns: int
    sha256: str | None = None

    @property
    def looks(self) -> tuple[int, int]:
        """What is seen without reading the file."""
        return self.size, self.mtime_ns


@dataclass(frozen=True)
class Job:
    """A picture for a worker.

    Attributes:
        task: source and output.
        seen: the source when it was listed.
        replace: a result that is there may be replaced.
    """

    task: FileTask
    seen: Stamp
    replace: bool = False


@dataclass(frozen=True)
class Finished:
    """What a worker made of a job.

    Attributes:
        result: for the person.
        job: what it was; None if no worker was needed.
        source: the source that was read, with its hash.
        output: the result, with its hash; None if there is none.
        disk_full: it failed for want of room on the disk, as the next ones would.
    """

    result: FileResult
    job: Job | None = None
    source: Stamp | None = None
    output: Stamp | None = None
    disk_full: bool = False


def look(path: Path) -> Stamp:
    """Size and time of a file.

    Raises:
        OSError: it cannot be looked at.
    """
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns)


def hashed(path: Path) -> Stamp:
    """Size, time and SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    stamp, digest = look(path), hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return Stamp(stamp.size, stamp.mtime_ns, digest.hexdigest())


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that the disk, or a share of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL
