"""The thin host's ``modules`` inside this process: no server, no gradio, one flavour at a time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

THIN_HOST = Path(__file__).resolve().parent / "thinhost"
FLAVOURS = ("a1111-1.6.0", "a1111-1.7.0", "a1111-1.10.1", "forge")
#: What is imported anew for each flavour.
ANEW = ("modules", "modules_forge", "backend", "fixative_webui")


class NoGradio(ModuleType):
    """Stands where gradio is not installed: classes that only have names."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Hosted:
    """A host's modules, and the extension on them.

    Args:
        flavour: which host.
        folder: where its data lie.
    """

    def __init__(self, flavour: str, folder: Path) -> None:
        self.flavour, self.folder = flavour, folder
        self.host: Any = importlib.import_module("fixative_webui.host")

    def module(self, name: str) -> Any:
        """A module of the host or of the extension, by its whole name."""
        return importlib.import_module(name)

    def load(self, model: Any) -> None:
        """Have the host hold that checkpoint; to load one would be a mistake."""
        data = self.module("modules.sd_models").model_data
        data.sd_model = model
        data.get_sd_model = _refuse

    @property
    def state(self) -> Any:
        return self.module("modules.shared").state

    @property
    def opts(self) -> Any:
        return self.module("modules.shared").opts


def _refuse() -> None:
    raise AssertionError("a checkpoint would have been loaded")


@contextmanager
def hosted(flavour: str, folder: Path) -> Generator[Hosted, None, None]:
    """Put a flavour's modules in place, and take them away again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIXATIVE_THIN_FLAVOUR", flavour)
        patch.setenv("FIXATIVE_THIN_DATA", str(folder))
        patch.delenv("COMMANDLINE_ARGS", raising=False)
        patch.chdir(folder)
        patch.syspath_prepend(str(THIN_HOST))
        if flavour == "forge":
            patch.syspath_prepend(str(THIN_HOST / "forge"))
        if find_spec("gradio") is None:
            patch.setitem(sys.modules, "gradio", NoGradio("gradio"))
        kept = _take_away()
        try:
            yield Hosted(flavour, folder)
        finally:
            _take_away()
            sys.modules.update(kept)


def _take_away() -> dict[str, Any]:
    names = [name for name in sys.modules if name.partition(".")[0] in ANEW]
    return {name: sys.modules.pop(name) for name in names}
