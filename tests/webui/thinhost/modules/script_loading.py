"""Scripts are run as bare files: no package, no entry in sys.modules."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from modules import errors

loaded_scripts: dict[str, ModuleType] = {}


def load_module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded_scripts[path] = module
    return module


def preload_extensions(
    extensions_dir: str, parser: Any, extension_list: list[str] | None = None
) -> None:
    for name in sorted(extension_list or [path.name for path in Path(extensions_dir).iterdir()]):
        path = Path(extensions_dir, name, "preload.py")
        if not path.is_file():
            continue
        try:
            module = load_module(str(path))
            if hasattr(module, "preload"):
                module.preload(parser)
        except Exception:
            errors.report(f"Error running preload() for {path}", exc_info=True)
