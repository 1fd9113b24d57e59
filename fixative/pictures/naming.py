"""File names as they are shown to a person."""

from __future__ import annotations

import os


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as one printable line; bytes that are not text and control marks become ?."""
    text = os.fsencode(path).decode("utf-8", "replace").replace("\ufffd", "?")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
