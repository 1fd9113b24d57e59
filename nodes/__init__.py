"""ComfyUI nodes: thin wiring between the host and the engine in ``fixative/``."""

from .engine import load_engine

load_engine()
