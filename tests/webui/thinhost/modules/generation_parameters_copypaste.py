"""The name that the infotext's module had before 1.8."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from modules.infotext_utils import create_infotext, quote

__all__ = ["create_infotext", "quote"]
