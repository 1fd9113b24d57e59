"""The same names again, as the host has them."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from modules.paths_internal import data_path, extensions_dir, models_path, script_path

__all__ = ["data_path", "extensions_dir", "models_path", "script_path"]
