"""Where the host and its data lie."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import os
from pathlib import Path

script_path = str(Path(__file__).resolve().parents[1])
data_path = os.environ.get("FIXATIVE_THIN_DATA") or str(Path.cwd())
extensions_dir = str(Path(data_path, "extensions"))
models_path = str(Path(data_path, "models"))
cwd = data_path
