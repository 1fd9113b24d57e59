"""Worker processes keep freed memory for the next picture.

The C library of most Linux systems gives a large tensor's memory back to the system when it is
freed, and faulting the same amount in again for the next tensor takes a fifth to a third of the
processor's time. It reads how to behave from the environment when a process starts; libraries of
other systems ignore these names.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

#: glibc: no mappings of single blocks, one heap for all threads, up to 1 GiB of it kept free.
KEEP_FREED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


@contextmanager
def inherited(environment: Mapping[str, str]) -> Generator[None]:
    """Processes that start inside the block get these variables; what a person set stays."""
    added = {name: value for name, value in environment.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
