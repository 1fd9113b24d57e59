"""Run by a host's own Python: the signatures that the thin host of one flavour offers, as JSON.

Standard input: the names that were recorded of the real host, as in contract.json.
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Classes that can be made without anything, and with what.
MADE_WITH = {"PostprocessedImage": (None,), "OptionInfo": (), "State": (), "SdModelData": ()}


def main() -> None:
    sys.path[0] = str(Path(__file__).resolve().parent / "thinhost")
    recorded = json.load(sys.stdin)
    found = {file: _module(file, names) for file, names in recorded.items()}
    print(json.dumps(found))  # noqa: T201 - the test reads it


def _module(file: str, names: dict[str, Any]) -> dict[str, Any]:
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    return {
        name: _class(getattr(module, name)) if isinstance(said, dict) else _listed(module, name)
        for name, said in names.items()
        if hasattr(module, name)
    }


def _listed(module: Any, name: str) -> list[Any]:
    return _parameters(getattr(module, name))


def _class(found: Any) -> dict[str, Any]:
    """Its methods, every name that it has, and what an object of it holds."""
    if not inspect.isclass(found):
        return {"function": _parameters(found)}
    methods = {
        name: _parameters(getattr(found, name))
        for name in dir(found)
        if inspect.isfunction(inspect.getattr_static(found, name))
    }
    made = MADE_WITH.get(inspect.unwrap(found).__name__.strip("_").split("Of")[0])
    held = None if made is None else sorted(vars(found(*made)))
    return {"methods": methods, "names": sorted(dir(found)), "held": held}


def _parameters(function: Callable[..., Any]) -> list[Any]:
    """(name, kind, default) each; a default that is no constant is only said to be there."""
    signature = inspect.signature(function, follow_wrapped=False)
    return [[p.name, p.kind.name, _default(p.default)] for p in signature.parameters.values()]


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return None
    plain = value is None or isinstance(value, (bool, int, float, str))
    return repr(value) if plain else "…"


if __name__ == "__main__":
    main()
