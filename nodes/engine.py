"""Makes ``import fixative`` mean the engine of this very folder.

The host imports a pack under a name of its own and does not put its folder on ``sys.path``; we do
not either, because our ``nodes`` would then stand beside the host's.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "fixative"
PACK_FOLDER = Path(__file__).resolve().parents[1]


def load_engine() -> None:
    """Register the engine beside this pack as ``fixative``, once."""
    if PACKAGE in sys.modules:
        return
    folder = PACK_FOLDER / PACKAGE
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no engine in {folder}; install Fixative again")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
