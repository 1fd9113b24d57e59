"""ComfyUI's entry to Fixative: the host imports this folder as a package of custom nodes."""

from importlib.util import find_spec

if __package__ and find_spec("comfy_api"):  # a test runner may import this file without a host
    from .nodes.extension import comfy_entrypoint

    WEB_DIRECTORY = "./js"

    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
