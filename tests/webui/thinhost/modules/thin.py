"""Which host this is made to look like; everything that differs between them asks here."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import os

#: Flavour by name: version as the host says it, gradio it comes with.
FLAVOURS = ("a1111-1.6.0", "a1111-1.7.0", "a1111-1.10.1", "forge")
FLAVOUR = os.environ.get("FIXATIVE_THIN_FLAVOUR", "a1111-1.10.1")
if FLAVOUR not in FLAVOURS:
    raise SystemExit(f"FIXATIVE_THIN_FLAVOUR is {FLAVOUR}; expected one of {', '.join(FLAVOURS)}")
FORGE = FLAVOUR == "forge"
VERSION = (1, 10, 1) if FORGE else tuple(int(part) for part in FLAVOUR[6:].split("."))
#: What ``git describe --tags`` says of each.
TAG = "f2.0.1v1.10.1-previous-669-gdfdcbab6" if FORGE else "v" + FLAVOUR[6:]


def since(*version: int) -> bool:
    """Whether this host has what A1111 has since that version; Forge comes of 1.10."""
    return version <= VERSION
